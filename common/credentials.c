/*  credentials.c - the file as a whole is read, changed and written; it is small. */
#include "common/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/access_inside.h"
#include "common/file.h"
#include "common/link.h"

enum { ADDRESS_BYTES = 512, FILE_BYTES_MAX = 128 * 1024 };

static const char opening[] = "#   rayc credentials, written by rayc login: keep it secret\n";

struct entry {
    char address[ADDRESS_BYTES];
    struct access access;
};

struct credentials {
    uint32_t count;
    struct entry entries[CREDENTIALS_MAX];
    char path[PATH_BYTES], lock[PATH_BYTES];
    char text[FILE_BYTES_MAX];
};

_Static_assert(sizeof(opening) + CREDENTIALS_MAX * (ACCESS_BYTES_MAX + ADDRESS_BYTES + 32) <
                   FILE_BYTES_MAX,
               "all that may be saved fits the file");

static int refused(int code, const char *path, const char *problem, struct diag *why)
{
    *why = (struct diag){ .field = "credentials" };
    snprintf(why->text, sizeof(why->text), "%.90s: %s", path, problem);
    return code;
}

/*  NULL: all is well. */
static const char *parse(struct credentials *self, zconfig_t *root)
{
    for (zconfig_t *at = zconfig_child(root); at != NULL; at = zconfig_next(at)) {
        struct entry *entry = &self->entries[self->count];
        if (self->count == CREDENTIALS_MAX) {
            return "has more clusters than rayc login saves";
        }
        if (access_take(at, &entry->access) != NULL || entry->access.token[0] == 0 ||
            !slice_copy_text(slice_text(zconfig_get(at, "address", "")), entry->address,
                             sizeof(entry->address))) {
            return "is damaged: remove it, and log in again";
        }
        self->count++;
    }
    return NULL;
}

/*  Also on failure *out is there, and to be destroyed.  A file that is not there holds nothing. */
static int load(struct credentials **out, struct diag *why)
{
    struct credentials *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    *out = self;
    int rc = credentials_path(self->path, sizeof(self->path));
    if (rc != OK) {
        return refused(rc, "credentials", "there is no folder: set XDG_CONFIG_HOME or HOME", why);
    }
    rc = key_read(self->path, self->text, sizeof(self->text), why);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    zconfig_t *root = zconfig_str_load(self->text);
    const char *problem = root != NULL ? parse(self, root) : "is damaged: remove it";
    zconfig_destroy(&root);
    return problem == NULL ? OK : refused(ERR_KEY, self->path, problem, why);
}

static int save(struct credentials *self, struct diag *why)
{
    size_t n = (size_t)snprintf(self->text, sizeof(self->text), "%s", opening);
    for (uint32_t i = 0; i < self->count; i++) {
        const struct entry *entry = &self->entries[i];
        n += (size_t)snprintf(self->text + n, sizeof(self->text) - n,
                              "cluster\n    address = \"%s\"\n", entry->address);
        n += access_text(&entry->access, "    ", self->text + n);
    }
    int rc = file_write(self->path, self->text, n, 0600);
    return rc == OK ? OK : refused(rc, self->path, strerror(errno), why);
}

static void destroy(struct credentials **self)
{
    explicit_bzero(*self, sizeof(**self));
    free(*self);
    *self = NULL;
}

static struct entry *find(struct credentials *self, const char *address)
{
    char full[ADDRESS_BYTES];
    for (uint32_t i = 0; i < self->count && link_address(address, full, sizeof(full)) == OK; i++) {
        if (strcmp(self->entries[i].address, full) == 0) {
            return &self->entries[i];
        }
    }
    return NULL;
}

/*  The lock of a file beside it: the file itself is replaced. */
static int lock(struct diag *why)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    int rc = config_dir(folder, sizeof(folder));
    rc = rc == OK ? file_path(path, sizeof(path), folder, "credentials.lock") : rc;
    if (rc != OK) {
        return refused(rc, "credentials", "there is no folder: set XDG_CONFIG_HOME or HOME", why);
    }
    rc = file_make_dir(folder, 0700);
    int fd = rc == OK ? file_lock(path) : rc;
    return fd >= 0            ? fd
           : fd == ERR_LOCKED ? refused(fd, path, "another rayc changes it: try again", why)
                              : refused(fd, folder, strerror(errno), why);
}

int credentials_path(char *out, size_t capacity)
{
    char folder[PATH_BYTES];
    int rc = config_dir(folder, sizeof(folder));
    return rc == OK ? file_path(out, capacity, folder, "credentials") : rc;
}

int credentials_find(const char *address, struct access *out, struct diag *why)
{
    struct credentials *self;
    int rc = load(&self, why);
    const struct entry *entry = rc == OK ? find(self, address) : NULL;
    *out = entry != NULL ? entry->access : (struct access){ 0 };
    destroy(&self);
    return rc != OK ? rc : entry != NULL ? OK : ERR_NOT_FOUND;
}

static int put(struct credentials *self, const char *address, const struct access *from,
               struct diag *why)
{
    struct entry *entry = find(self, address);
    if (entry == NULL) {
        entry = self->count < CREDENTIALS_MAX ? &self->entries[self->count] : NULL;
        if (entry == NULL) {
            return refused(ERR_TOO_LARGE, self->path, "is full: rayc logout from old clusters",
                           why);
        }
        if (link_address(address, entry->address, sizeof(entry->address)) != OK) {
            return refused(ERR_INVALID, address, link_address_wrong(address), why);
        }
        self->count++;
    }
    entry->access = *from;
    return save(self, why);
}

int credentials_put(const char *address, const struct access *from, struct diag *why)
{
    struct credentials *self;
    int fd = lock(why);
    if (fd < 0) {
        return fd;
    }
    int rc = load(&self, why);
    rc = rc == OK ? put(self, address, from, why) : rc;
    destroy(&self);
    close(fd);
    return rc;
}

static int drop(struct credentials *self, const char *address, struct diag *why)
{
    struct entry *entry = address != NULL ? find(self, address) : NULL;
    if (entry != NULL) {
        *entry = self->entries[--self->count];
        return save(self, why);
    }
    bool gone = address != NULL || unlink(self->path) == 0 || errno == ENOENT;
    return gone ? OK : refused(ERR_SYSTEM, self->path, strerror(errno), why);
}

int credentials_drop(const char *address, uint32_t *dropped, struct diag *why)
{
    struct credentials *self;
    *dropped = 0;
    int fd = lock(why);
    if (fd < 0) {
        return fd;
    }
    int rc = load(&self, why);
    if (rc == OK) {
        *dropped = address == NULL ? self->count : find(self, address) != NULL;
        rc = drop(self, address, why);
    }
    destroy(&self);
    close(fd);
    return rc;
}
