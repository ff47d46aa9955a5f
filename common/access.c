/*  access.c - access files: czmq's zconfig in them, the rules of key.c for who may have written or read them.  Where
    programs look for a token. */
#include "common/access_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/credentials.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/link.h"

enum { TOKEN_LETTERS = 43 };

static int refused(const char *path, const char *problem, struct diag *why)
{
    *why = (struct diag){ .field = "key" };
    snprintf(why->text, sizeof(why->text), "key file %.90s: %s", path, problem);
    return ERR_KEY;
}

/*  NULL: all is well, with a key or without one. */
static const char *take_key(zconfig_t *from, struct access *out)
{
    const char *server = zconfig_get(from, "curve/server-key", "");
    const char *public_text = zconfig_get(from, "curve/public-key", "");
    const char *secret_text = zconfig_get(from, "curve/secret-key", "");
    if (*server == 0 && *public_text == 0 && *secret_text == 0) {
        return NULL;
    }
    if (*server == 0) {
        return "is the key of a head: give its admin.key or worker.key";
    }
    out->has_key =
        strlen(server) == 40 && key_take(public_text, secret_text, &out->key.own) &&
        slice_copy_text(slice_text(server), out->key.server_text, sizeof(out->key.server_text));
    return out->has_key ? NULL : "has a damaged key";
}

const char *access_take(zconfig_t *from, struct access *out)
{
    *out = (struct access){ 0 };
    slice_copy_text(slice_text(zconfig_get(from, "token", "")), out->token, sizeof(out->token));
    const char *problem = take_key(from, out);
    return problem == NULL && !out->has_key && out->token[0] == 0 ? "has neither a token nor a key"
                                                                  : problem;
}

static int parse(const char *path, const char *text, struct access *out, struct diag *why)
{
    zconfig_t *root = zconfig_str_load(text);
    *out = (struct access){ 0 };
    const char *problem = root != NULL ? access_take(root, out) : "has neither a token nor a key";
    zconfig_destroy(&root);
    return problem == NULL ? OK : refused(path, problem, why);
}

int access_load(const char *path, struct access *out, struct diag *why)
{
    char text[KEY_FILE_BYTES_MAX + 1];
    int rc = key_read(path, text, sizeof(text), why);
    rc = rc == OK ? parse(path, text, out, why) : rc;
    explicit_bzero(text, sizeof(text));
    return rc;
}

size_t access_text(const struct access *from, const char *indent, char *out)
{
    int n = snprintf(out, ACCESS_BYTES_MAX, "%stoken = \"%s\"\n", indent, from->token);
    if (from->has_key) {
        n += snprintf(out + n, ACCESS_BYTES_MAX - (size_t)n,
                      "%scurve\n%s    server-key = \"%s\"\n%s    public-key = \"%s\"\n"
                      "%s    secret-key = \"%s\"\n",
                      indent, indent, from->key.server_text, indent, from->key.own.public_text,
                      indent, from->key.own.secret_text);
    }
    return (size_t)n;
}

static size_t file_text(const struct access *from, char out[KEY_FILE_BYTES_MAX])
{
    static const char opening[] = "#   rayc access file: keep it secret\n";
    memcpy(out, opening, sizeof(opening));
    return sizeof(opening) - 1 + access_text(from, "", out + sizeof(opening) - 1);
}

int access_save(const char *path, const struct access *from)
{
    char text[KEY_FILE_BYTES_MAX];
    int rc = file_write(path, text, file_text(from, text), 0600);
    explicit_bzero(text, sizeof(text));
    return rc;
}

int access_give(const char *path, const struct access *from, uid_t owner)
{
    char text[KEY_FILE_BYTES_MAX];
    size_t n = file_text(from, text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && (owner == geteuid() || fchown(fd, owner, (gid_t)owner) == 0) &&
                write(fd, text, n) == (ssize_t)n;
    int saved = errno;
    explicit_bzero(text, sizeof(text));
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return good ? OK : ERR_SYSTEM;
}

void token_make(char out[ACCESS_TOKEN_MAX + 1])
{
    memcpy(out, "rayc_", 5);
    random_text(out + 5, TOKEN_LETTERS);
}

void token_hash(const char *token, uint8_t out[32])
{
    crypto_generichash(out, 32, (const uint8_t *)token, strlen(token), NULL, 0);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

bool token_from_text(const char *text, char out[ACCESS_TOKEN_MAX + 1])
{
    size_t blank = strspn(text, " \t\r\n");
    size_t n = strcspn(text + blank, " \t\r\n");
    bool rest = text[blank + n + strspn(text + blank + n, " \t\r\n")] != 0;
    out[0] = 0;
    for (size_t i = 0; i < n && !rest; i++) {
        char c = text[blank + i];
        rest = c <= ' ' || c > '~' || c == '"' || c == '\\';
    }
    return !rest && n > 0 && n <= ACCESS_TOKEN_MAX &&
           slice_copy_text(slice_of(text + blank, n), out, ACCESS_TOKEN_MAX + 1);
}

int access_find(const char *path, struct access *out, struct diag *why)
{
    char text[KEY_FILE_BYTES_MAX + 1];
    int rc = key_read(path, text, sizeof(text), why);
    *out = (struct access){ 0 };
    if (rc == OK && (strncmp(text, "rayc", 4) != 0 || !token_from_text(text, out->token))) {
        rc = parse(path, text, out, why);
    }
    explicit_bzero(text, sizeof(text));
    return rc;
}

static bool token_of(const char *path, char out[ACCESS_TOKEN_MAX + 1])
{
    struct access access;
    struct diag why;
    bool found = access_find(path, &access, &why) == OK && access.token[0] != 0;
    memcpy(out, access.token, sizeof(access.token));
    explicit_bzero(&access, sizeof(access));
    return found;
}

static bool token_set(char out[ACCESS_TOKEN_MAX + 1])
{
    const char *text = variable("RAYC_TOKEN");
    const char *file = variable("RAYC_TOKEN_FILE");
    const char *key = variable("RAYC_KEY_FILE");
    if (text != NULL) {
        slice_copy_text(slice_text(text), out, ACCESS_TOKEN_MAX + 1);
        return true;
    }
    return (file != NULL && token_of(file, out)) || (key != NULL && token_of(key, out));
}

int token_file_check(struct diag *why)
{
    struct access access;
    const char *file = variable("RAYC_TOKEN_FILE");
    *why = (struct diag){ 0 };
    if (file == NULL || variable("RAYC_TOKEN") != NULL) {
        return OK;
    }
    int rc = access_find(file, &access, why);
    bool found = rc == OK && access.token[0] != 0;
    explicit_bzero(&access, sizeof(access));
    if (why->text[0] == 0 && !found) {
        snprintf(why->text, sizeof(why->text), "%.120s: %s", file,
                 rc == OK ? "has no token" : err_text(rc));
    }
    return found ? OK : ERR_KEY;
}

static bool token_of_state(const char *folder, const char *name, char out[ACCESS_TOKEN_MAX + 1])
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), folder, name) == OK && token_of(path, out);
}

/*  What is before the port, and the port. */
static bool address_split(const char *address, struct slice *host, const char **port)
{
    const char *from = strstr(address, "://");
    const char *colon = strrchr(address, ':');
    if (from == NULL || colon < from + 3) {
        return false;
    }
    *host = slice_of(from + 3, (size_t)(colon - from - 3));
    *port = colon;
    return true;
}

static bool is_one_of(struct slice host, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_same(host, slice_text(names[i]))) {
            return true;
        }
    }
    return false;
}

/*  Is who listens at `own` reached at `address`, too?  By localhost and its usual number, which a wildcard includes: at
    other numbers of loopback somebody else may listen. */
static bool is_same(const char *own, const char *address)
{
    static const char *const names[] = { "127.0.0.1", "localhost", "0.0.0.0", "[::]" };
    struct slice own_host, host;
    const char *own_port, *port;
    if (strcmp(own, address) == 0) {
        return true;
    }
    return address_split(own, &own_host, &own_port) && address_split(address, &host, &port) &&
           strncmp(own, address, 4) == 0 && strcmp(own_port, port) == 0 &&
           is_one_of(own_host, names, 4) && is_one_of(host, names, 2);
}

/*  Has the head of the state folder written that it listens there? */
static bool is_written(const char *folder, const char *file, const char *address)
{
    char path[PATH_BYTES], text[PATH_BYTES], own[PATH_BYTES];
    return file_path(path, sizeof(path), folder, file) == OK &&
           file_read(path, text, sizeof(text)) == OK &&
           link_address(text, own, sizeof(own)) == OK && is_same(own, address);
}

/*  Where an embedded head listens is known before it has written that. */
static bool is_socket(const char *folder, const char *address)
{
    char path[PATH_BYTES];
    return strncmp(address, "ipc://", 6) == 0 &&
           file_path(path, sizeof(path), folder, "head.sock") == OK &&
           strcmp(address + 6, path) == 0;
}

void token_find(const char *name, const char *address, char out[ACCESS_TOKEN_MAX + 1])
{
    char folder[PATH_BYTES] = "", full[PATH_BYTES] = "";
    struct access saved = { 0 };
    struct diag why;
    out[0] = 0;
    if (token_set(out)) {
        return;
    }
    bool has_folder = state_dir(NULL, folder, sizeof(folder)) == OK;
    bool has_address = address != NULL && link_address(address, full, sizeof(full)) == OK;
    if (has_folder &&
        (!has_address || is_socket(folder, full) || is_written(folder, "head.address", full) ||
         is_written(folder, "head.http", full))) {
        (void)token_of_state(folder, name, out);
    } else if (has_address && credentials_find(full, &saved, &why) == OK) {
        memcpy(out, saved.token, sizeof(saved.token));
    }
    explicit_bzero(&saved, sizeof(saved));
}

bool token_renew(const char *name, const char *address, char token[ACCESS_TOKEN_MAX + 1])
{
    char found[ACCESS_TOKEN_MAX + 1];
    token_find(name, address, found);
    bool other = found[0] != 0 && strcmp(found, token) != 0;
    if (other) {
        memcpy(token, found, sizeof(found));
    }
    explicit_bzero(found, sizeof(found));
    return other;
}
