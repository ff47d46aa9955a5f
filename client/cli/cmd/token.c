/*  token.c - `rayc token ...` and `rayc whoami`: tokens, whose secrets are made and kept here.  The head gets hashes. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/role.h"
#include "client/cli/table.h"
#include "client/cluster.h"
#include "common/access.h"
#include "common/clock.h"

static const struct column columns[] = {
    { "TOKEN", "token_id", cell_text, COLUMN_RIGHT },
    { "USER", "user", cell_text, 0 },
    { "ROLE", "role", cell_text, 0 },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "CREATED", "created_ms", cell_time, 0 },
    { "EXPIRES", "expires_ms", cell_time, 0 },
    { "REVOKED", "revoked_ms", cell_time, 0 },
};

/*  The token that this command would say HELLO with. */
static int own_token(struct cli *self, char token[ACCESS_TOKEN_MAX + 1])
{
    int exit_code = cli_no_operands(self);
    if (exit_code) {
        return exit_code;
    }
    cli_export(self);
    token_find("admin.key", cluster_wanted(self->options.address), token);
    return token[0] ? 0
                    : fail(self, ERR_TOKEN,
                           "there is no token here: use rayc login ADDRESS once, or set "
                           "RAYC_TOKEN, RAYC_TOKEN_FILE or RAYC_KEY_FILE; the state folder %s has "
                           "no admin.key for it",
                           self->state_dir);
}

int cmd_token_show(struct cli *self)
{
    char token[ACCESS_TOKEN_MAX + 1];
    int exit_code = own_token(self, token);
    if (!exit_code) {
        puts(token);
    }
    return exit_code;
}

int cmd_token_env(struct cli *self)
{
    char token[ACCESS_TOKEN_MAX + 1];
    int exit_code = own_token(self, token);
    if (!exit_code) {
        printf("export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=%s RAYC_TOKEN=%s\n", token, token);
    }
    return exit_code;
}

int cmd_token_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "tokens", "TokenList", columns, COUNT(columns) });
}

uint32_t cli_role(struct cli *self, int *exit_code)
{
    const char *text = self->options.role;
    for (uint32_t role = ROLE_ADMIN; text && role < ROLES; role++) {
        if (strcasecmp(text, role_name(role)) == 0) {
            return role;
        }
    }
    if (text) {
        *exit_code = fail(self, ERR_INVALID,
                          "--role %s: it is admin, user, viewer, worker or metrics", text);
    }
    return 0;
}

/*  The key that goes into the file, if the cluster has one. */
static bool cluster_key_of(const struct cli *self, struct access *out)
{
    char address[ADDRESS_BYTES_MAX];
    return cluster_find(self->options.address, address, &out->key, &out->has_key) == OK;
}

static int tell_created(struct cli *self, const struct access *made, uint64_t id)
{
    const char *file = self->options.out_file;
    int rc = file ? access_save(file, made) : OK;
    if (rc != OK) {
        return fail(self, rc, "%s: cannot be written; revoke token %llu", file,
                    (unsigned long long)id);
    }
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:I}", "apiVersion", "rayc/v1", "kind", "Token",
                                   "token_id", (json_int_t)id);
        json_object_set_new(object, file ? "file" : "token",
                            json_string(file ? file : made->token));
        json_print(object);
        json_decref(object);
    } else if (file) {
        printf("token %llu: written to %s\n", (unsigned long long)id, file);
    } else {
        puts(made->token);
    }
    return 0;
}

int cmd_token_create(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    uint32_t role = exit_code ? 0 : cli_role(self, &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    if (exit_code) {
        return exit_code;
    }
    struct access made = { 0 };
    uint8_t hash[TOKEN_HASH_BYTES];
    if (!cluster_key_of(self, &made)) {
        made.has_key = false;
    }
    token_make(made.token);
    token_hash(made.token, hash);
    int64_t expires = self->options.expires;
    struct msg_token_put request = {
        .user = slice_text(self->options.user ? self->options.user : ""),
        .name = slice_text(self->options.name ? self->options.name : ""),
        .role = role,
        .hash = slice_of(hash, sizeof(hash)),
        .expires_ms = expires == OPTION_UNSET ? 0 : clock_wall_ms() + (uint64_t)expires
    };
    struct msg reply;
    int rc = ask(self->ask, MSG_TOKEN_PUT, &request, MSG_CHANGED, &reply);
    exit_code = rc != OK ? fail_ask(self, rc) : tell_created(self, &made, reply.as.changed.id);
    explicit_bzero(&made, sizeof(made));
    return exit_code;
}

int cmd_token_revoke(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "token", &exit_code);
    char *end = NULL;
    uint64_t token = exit_code ? 0 : strtoull(id, &end, 10);
    if (!exit_code && (end == id || *end)) {
        exit_code = fail(self, ERR_INVALID, "%s: a token has a number: see rayc token list", id);
    }
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    if (exit_code) {
        return exit_code;
    }
    struct msg reply;
    struct msg_token_end request = { .token = token };
    int rc = ask(self->ask, MSG_TOKEN_END, &request, MSG_CHANGED, &reply);
    if (rc == OK) {
        printf("token %s: revoked\n", id);
    }
    return rc == OK ? 0 : fail_ask(self, rc);
}

int cmd_whoami(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    if (exit_code) {
        return exit_code;
    }
    const char *role = role_name(ask_may(self->ask));
    if (cli_json(self)) {
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:s, s:s}", "apiVersion", "rayc/v1", "kind", "WhoAmI",
                      "user", ask_user(self->ask), "role", role, "address", ask_address(self->ask));
        json_print(object);
        json_decref(object);
    } else {
        printf("%s (%s) at %s\n", ask_user(self->ask), role, ask_address(self->ask));
    }
    return 0;
}
