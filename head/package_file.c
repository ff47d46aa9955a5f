/*  package_file.c - write, hash, sync, rename. */
#include "head/package_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"

enum { NAME_LETTERS = 20 };

struct package_file {
    int dir, fd;
    char part[32]; /* empty: it has its name */
    uint64_t bytes;
    bool broken;
    struct hash hash;
};

static int refused(const char *doing, const char *name)
{
    log_error("package.failed", "doing=%s file=%s error=\"%s\"", doing, name, strerror(errno));
    return ERR_SYSTEM;
}

int package_file_open(struct package_file **out, const char *dir)
{
    *out = NULL;
    struct package_file *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    char random[NAME_LETTERS + 1];
    random_text(random, NAME_LETTERS);
    snprintf(self->part, sizeof(self->part), "%s.part", random);
    self->fd = -1;
    self->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->dir >= 0) {
        self->fd = openat(self->dir, self->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (self->fd < 0) {
        int rc = refused("create", dir);
        self->part[0] = 0;
        package_file_close(&self);
        return rc;
    }
    hash_begin(&self->hash);
    *out = self;
    return OK;
}

int package_file_add(struct package_file *self, struct slice bytes)
{
    for (size_t done = 0; done < bytes.n && !self->broken;) {
        ssize_t n = write(self->fd, bytes.p + done, bytes.n - done);
        self->broken = n < 0 && errno != EINTR;
        done += n > 0 ? (size_t)n : 0;
    }
    if (self->broken) {
        return refused("write", self->part);
    }
    hash_add(&self->hash, bytes.p, bytes.n);
    self->bytes += bytes.n;
    return OK;
}

int package_file_keep(struct package_file *self, char hash[HASH_TEXT_BYTES], uint64_t *bytes)
{
    ensure(self->part[0] != 0);
    if (self->broken) {
        return ERR_SYSTEM;
    }
    hash_end(&self->hash, hash);
    *bytes = self->bytes;
    if (fsync(self->fd) != 0 || renameat(self->dir, self->part, self->dir, hash) != 0) {
        return refused("keep", self->part);
    }
    self->part[0] = 0;
    return fsync(self->dir) == 0 ? OK : refused("sync", hash);
}

void package_file_close(struct package_file **file)
{
    struct package_file *self = *file;
    if (self == NULL) {
        return;
    }
    if (self->part[0] != 0) {
        unlinkat(self->dir, self->part, 0);
    }
    if (self->fd >= 0) {
        close(self->fd);
    }
    if (self->dir >= 0) {
        close(self->dir);
    }
    free(self);
    *file = NULL;
}

int package_file_bytes(const char *dir, const char *hash, uint64_t *bytes)
{
    char path[PATH_BYTES];
    struct stat file;
    int rc = file_path(path, sizeof(path), dir, hash);
    if (rc == OK && stat(path, &file) != 0) {
        rc = errno == ENOENT ? ERR_NOT_FOUND : refused("look at", hash);
    }
    *bytes = rc == OK ? (uint64_t)file.st_size : 0;
    return rc;
}
