/*  output.c - ranges of an append-only file.  Space is given back by punching holes, so that offsets, which the
    executor reports, keep their meaning for as long as the file is open. */
#include "worker/output.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"

#define OUTPUT_FREE_BYTES (16ull << 20) /* taken output is given back in pieces of so many bytes */

static int refused(const char *event, const char *path)
{
    log_error(event, "path=\"%s\" error=\"%s\"", path, strerror(errno));
    return ERR_SYSTEM;
}

int output_open(struct output *self, const char *path)
{
    self->taken = self->freed = 0;
    if (self->fd >= 0) { /* executors ask for the position to know what they have printed */
        bool empty = output_size(self) == 0 || ftruncate(self->fd, 0) == 0;
        return empty && lseek(self->fd, 0, SEEK_SET) == 0 ? OK : refused("output.empty", path);
    }
    if (!self->path && !(self->path = strdup(path))) {
        return ERR_MEMORY;
    }
    self->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return self->fd >= 0 ? OK : refused("output.open", path);
}

void output_close(struct output *self, bool remove)
{
    if (self->fd >= 0) {
        close(self->fd);
        if (remove) {
            (void)unlink(self->path);
        }
    }
    free(self->path);
    self->path = NULL;
    self->fd = -1;
}

uint64_t output_size(const struct output *self)
{
    struct stat info;
    return self->fd >= 0 && fstat(self->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
}

struct slice output_read(const struct output *self, struct arena *arena, uint64_t from, uint64_t to,
                         size_t max)
{
    uint64_t size = output_size(self);
    to = to < size ? to : size;
    if (from >= to) {
        return slice_of(NULL, 0);
    }
    size_t n = to - from < max ? (size_t)(to - from) : max;
    uint8_t *p = arena_take(arena, n);
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(self->fd, p + have, n - have, (off_t)(from + have));
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            break;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    return slice_of(p, have);
}

struct slice output_tail(const struct output *self, struct arena *arena, uint64_t from, size_t max)
{
    uint64_t size = output_size(self);
    bool cut = size > max && size - max > from;
    from = cut ? size - max : from;
    struct slice bytes = output_read(self, arena, from, size, max);
    const uint8_t *line = cut ? memchr(bytes.p, '\n', bytes.n) : NULL;
    if (line && line + 1 < bytes.p + bytes.n) {
        bytes.n -= (size_t)(line + 1 - bytes.p);
        bytes.p = line + 1;
    }
    while (bytes.n > 0 && bytes.p[bytes.n - 1] == '\n') {
        bytes.n--;
    }
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == 0) {
            arena->p[bytes.p + i - arena->p] = ' ';
        }
    }
    return bytes;
}

int output_copy(const struct output *self, uint64_t from, uint64_t to, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return refused("output.copy", path);
    }
    off_t at = (off_t)from;
    while ((uint64_t)at < to) {
        ssize_t n = sendfile(fd, self->fd, &at, (size_t)(to - (uint64_t)at));
        if (n == 0) {
            break; /* the file is shorter than its executor said */
        }
        if (n < 0 && errno != EINTR) {
            int e = refused("output.copy", path);
            close(fd);
            return e;
        }
    }
    close(fd);
    return OK;
}

int output_keep(struct output *self, const char *path)
{
    if (rename(self->path, path)) {
        return refused("output.keep", path);
    }
    close(self->fd);
    self->fd = -1;
    return OK;
}

void output_taken(struct output *self, uint64_t to, bool give_back)
{
    self->taken = to > self->taken ? to : self->taken;
    if (give_back && self->taken - self->freed >= OUTPUT_FREE_BYTES) {
        (void)fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)self->freed,
                        (off_t)(self->taken - self->freed)); /* not every file system can */
        self->freed = self->taken;
    }
}
