/*  access.c - access files: czmq's zconfig in them, the rules of key.c for who may have written or read them. */
#include "common/access.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/file.h"
#include "common/hash.h"

enum { TOKEN_LETTERS = 43 };

static int refused(const char *path, const char *problem, struct diag *why)
{
    *why = (struct diag){ .field = "key" };
    snprintf(why->text, sizeof(why->text), "key file %.90s: %s", path, problem);
    return ERR_KEY;
}

/*  NULL: all is well, with a key or without one. */
static const char *take_key(zconfig_t *root, struct access *out)
{
    const char *server = zconfig_get(root, "/curve/server-key", "");
    const char *public_text = zconfig_get(root, "/curve/public-key", "");
    const char *secret_text = zconfig_get(root, "/curve/secret-key", "");
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

static int parse(const char *path, const char *text, struct access *out, struct diag *why)
{
    const char *problem = NULL;
    zconfig_t *root = zconfig_str_load(text);
    *out = (struct access){ 0 };
    if (root != NULL) {
        slice_copy_text(slice_text(zconfig_get(root, "/token", "")), out->token,
                        sizeof(out->token));
        problem = take_key(root, out);
        zconfig_destroy(&root);
    }
    if (problem == NULL && !out->has_key && out->token[0] == 0) {
        problem = "has neither a token nor a key";
    }
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

static size_t access_text(const struct access *from, char text[KEY_FILE_BYTES_MAX])
{
    int n = snprintf(text, KEY_FILE_BYTES_MAX,
                     "#   rayc access file: keep it secret\ntoken = \"%s\"\n", from->token);
    if (from->has_key) {
        n += snprintf(text + n, KEY_FILE_BYTES_MAX - (size_t)n,
                      "curve\n    server-key = \"%s\"\n    public-key = \"%s\"\n"
                      "    secret-key = \"%s\"\n",
                      from->key.server_text, from->key.own.public_text, from->key.own.secret_text);
    }
    return (size_t)n;
}

int access_save(const char *path, const struct access *from)
{
    char text[KEY_FILE_BYTES_MAX];
    int rc = file_write(path, text, access_text(from, text), 0600);
    explicit_bzero(text, sizeof(text));
    return rc;
}

int access_give(const char *path, const struct access *from, uid_t owner)
{
    char text[KEY_FILE_BYTES_MAX];
    size_t n = access_text(from, text);
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

/*  A file with nothing but a token in it, as Kubernetes mounts secrets; or an access file. */
static bool token_of(const char *path, char out[ACCESS_TOKEN_MAX + 1])
{
    struct access access;
    struct diag why;
    char text[KEY_FILE_BYTES_MAX + 1];
    if (access_load(path, &access, &why) == OK) {
        memcpy(out, access.token, sizeof(access.token));
    } else if (key_read(path, text, sizeof(text), &why) == OK) {
        size_t n = strncmp(text, "rayc", 4) == 0 ? strcspn(text, " \t\r\n") : 0;
        slice_copy_text(slice_of(text, n), out, ACCESS_TOKEN_MAX + 1);
    }
    explicit_bzero(&access, sizeof(access));
    return out[0] != 0;
}

void token_find(const char *name, char out[ACCESS_TOKEN_MAX + 1])
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    out[0] = 0;
    const char *text = variable("RAYC_TOKEN");
    if (text != NULL) {
        slice_copy_text(slice_text(text), out, ACCESS_TOKEN_MAX + 1);
        return;
    }
    const char *file = variable("RAYC_TOKEN_FILE");
    if (file != NULL && token_of(file, out)) {
        return;
    }
    file = variable("RAYC_KEY_FILE");
    if (file != NULL && token_of(file, out)) {
        return;
    }
    if (state_dir(NULL, folder, sizeof(folder)) == OK &&
        file_path(path, sizeof(path), folder, name) == OK) {
        (void)token_of(path, out);
    }
}
