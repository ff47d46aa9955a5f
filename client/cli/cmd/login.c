/*  login.c - `rayc login` and `rayc logout`: a token is tried at its cluster, and saved for the commands that come. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/connect.h"
#include "client/cli/prompt.h"
#include "client/cli/table.h"
#include "client/cluster.h"
#include "common/credentials.h"
#include "common/link.h"
#include "proto/proto.h"

/*  The cluster that is meant, written in full. */
static int address_of(const struct cli *self, char out[ADDRESS_BYTES_MAX])
{
    const char *text = self->count > 0 ? self->operands[0] : cluster_wanted(self->options.address);
    if (self->count > 1) {
        return fail_usage(self, "one address at a time: '%s' is too much", self->operands[1]);
    }
    if (!text) {
        return fail_usage(self, "which cluster? Give its address, as in http://localhost:8265");
    }
    if (link_address(text, out, ADDRESS_BYTES_MAX) != OK) {
        return fail(self, ERR_INVALID, "'%s' is not an address: %s", text,
                    link_address_wrong(text));
    }
    return strncmp(out, "ipc://", 6) != 0
               ? 0
               : fail(self, ERR_INVALID,
                      "%s is of this machine: its token is in the state folder, and needs no login",
                      out);
}

static int from_stdin(const struct cli *self, struct access *out)
{
    char text[KEY_FILE_BYTES_MAX + 1];
    size_t n = fread(text, 1, sizeof(text) - 1, stdin);
    text[n] = 0;
    bool good = strlen(text) == n && token_from_text(text, out->token);
    explicit_bzero(text, sizeof(text));
    return good ? 0 : fail(self, ERR_TOKEN, "what came from stdin is no token: it is one word");
}

static int from_file(const struct cli *self, const char *path, struct access *out)
{
    struct diag why = { 0 };
    int rc = access_find(path, out, &why);
    if (rc != OK) {
        return fail(self, rc, "%s: %s", path, why.text[0] ? why.text : err_text(rc));
    }
    return out->token[0] ? 0 : fail(self, ERR_TOKEN, "%s has no token", path);
}

static int from_terminal(const struct cli *self, const char *address, struct access *out)
{
    char question[ADDRESS_BYTES_MAX + 32], text[ACCESS_TOKEN_MAX + 64];
    snprintf(question, sizeof(question), "Token for %s: ", address);
    int rc = prompt_secret(question, text, sizeof(text));
    if (rc == ERR_NOT_FOUND) {
        return fail_usage(self,
                          "there is no terminal to ask for the token: give --token-file FILE, "
                          "or --token-file - and the token on stdin");
    }
    bool good = rc == OK && token_from_text(text, out->token);
    explicit_bzero(text, sizeof(text));
    return good ? 0 : fail(self, ERR_TOKEN, "that is no token: it is one word");
}

static int token_given(const struct cli *self, const char *address, struct access *out)
{
    const char *file = self->options.token_file;
    if (file && self->options.key_file) {
        return fail_usage(self, "--token-file and --key-file: give one of them");
    }
    file = file ? file : self->options.key_file;
    return !file                    ? from_terminal(self, address, out)
           : strcmp(file, "-") == 0 ? from_stdin(self, out)
                                    : from_file(self, file, out);
}

static void tell_login(const struct cli *self, const char *address, const char *path)
{
    const char *role = role_name(ask_may(self->ask));
    if (!cli_json(self)) {
        printf("%s (%s) at %s: saved in %s\n", ask_user(self->ask), role, address, path);
        return;
    }
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "apiVersion", "rayc/v1", "kind", "Login",
                  "user", ask_user(self->ask), "role", role, "address", address, "file", path);
    json_print(object);
    json_decref(object);
}

int cmd_login(struct cli *self)
{
    char address[ADDRESS_BYTES_MAX], path[PATH_BYTES];
    struct access access = { 0 };
    struct diag why = { 0 };
    int exit_code = address_of(self, address);
    exit_code = exit_code ? exit_code : token_given(self, address, &access);
    exit_code = exit_code ? exit_code
                          : cli_connect_as(self, address, access.token,
                                           access.has_key ? &access.key : NULL);
    if (!exit_code) {
        int rc = credentials_put(address, &access, &why);
        rc = rc == OK ? credentials_path(path, sizeof(path)) : rc;
        exit_code = rc == OK ? 0 : fail(self, rc, "the token was not saved: %s", why.text);
    }
    explicit_bzero(&access, sizeof(access));
    if (!exit_code) {
        tell_login(self, address, path);
    }
    return exit_code;
}

int cmd_logout(struct cli *self)
{
    char address[ADDRESS_BYTES_MAX];
    uint32_t dropped;
    struct diag why = { 0 };
    bool all = self->options.all;
    int exit_code = all ? cli_no_operands(self) : address_of(self, address);
    if (exit_code) {
        return exit_code;
    }
    int rc = credentials_drop(all ? NULL : address, &dropped, &why);
    if (rc != OK) {
        return fail(self, rc, "%s", why.text);
    }
    if (dropped == 0 && !all) {
        return fail(self, ERR_NOT_FOUND, "nothing is saved for %s", address);
    }
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:i}", "apiVersion", "rayc/v1", "kind", "Logout",
                                   "forgotten", (int)dropped);
        json_print(object);
        json_decref(object);
    } else if (all) {
        printf("forgotten: %u\n", dropped);
    } else {
        printf("forgotten: %s\n", address);
    }
    return 0;
}
