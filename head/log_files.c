/*  log_files.c - names are made of numbers only; a file that is missing is an empty one. */
#include "head/log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"

enum { TAIL_CHUNK = 16 * 1024 };

int log_files_init(struct log_files *self, const char *dir, uint64_t bytes_max)
{
    bytes_max = bytes_max > 0 ? bytes_max : (uint64_t)LOG_BYTES_MAX;
    *self = (struct log_files){ .head_bytes = bytes_max / 2, .part_bytes = bytes_max / 4 };
    ensure(self->part_bytes > 0);
    return slice_copy_text(slice_text(dir), self->dir, sizeof(self->dir)) ? OK : ERR_TOO_LARGE;
}

static int path_with(const struct log_files *self, const struct log_name *name, const char *suffix,
                     char out[PATH_BYTES])
{
    int n = name->task == 0
                ? snprintf(out, PATH_BYTES, "%s/job-%" PRIu64 ".%s", self->dir, name->job, suffix)
                : snprintf(out, PATH_BYTES, "%s/job-%" PRIu64 "/%016" PRIx64 ".%u.%s", self->dir,
                           name->job, name->task, name->attempt, suffix);
    return n > 0 && n < PATH_BYTES ? OK : ERR_TOO_LARGE;
}

int log_path(const struct log_files *self, const struct log_name *name, uint32_t part,
             char out[PATH_BYTES])
{
    char suffix[24] = "log";
    if (part > 0) {
        snprintf(suffix, sizeof(suffix), "log.%u", part);
    }
    return path_with(self, name, suffix, out);
}

int log_folder(const struct log_files *self, uint64_t job, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/job-%" PRIu64, self->dir, job);
    return n > 0 && n < PATH_BYTES ? OK : ERR_TOO_LARGE;
}

int log_mark_path(const struct log_files *self, const struct log_name *name, char out[PATH_BYTES])
{
    return path_with(self, name, "at", out);
}

int log_mark_read(const struct log_files *self, const struct log_name *name, struct log_mark *out)
{
    char path[PATH_BYTES], text[100];
    *out = (struct log_mark){ 0 };
    int rc = log_mark_path(self, name, path);
    rc = rc == OK ? file_read(path, text, sizeof(text)) : rc;
    if (rc == OK && sscanf(text, "%" SCNu64 " %" SCNu64 " %u %" SCNu64, &out->token, &out->start,
                           &out->part, &out->from) < 2) {
        *out = (struct log_mark){ 0 };
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

static int refused(const char *doing, const struct log_name *name)
{
    log_error("log.failed", "doing=%s job=%" PRIu64 " task=%016" PRIx64 " error=\"%s\"", doing,
              name->job, name->task, strerror(errno));
    return ERR_SYSTEM;
}

/*  Bytes of one part from `at` on; *size is that of its file, 0 if there is none. */
static int read_part(const struct log_files *self, const struct log_name *name, uint32_t part,
                     uint64_t at, struct wire *to, uint64_t *size)
{
    char path[PATH_BYTES];
    struct stat info;
    *size = 0;
    int rc = log_path(self, name, part, path);
    int fd = rc == OK ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    if (fd < 0) {
        return rc != OK || errno == ENOENT ? rc : refused("open", name);
    }
    size_t room = to ? to->capacity - to->n : 0;
    ssize_t n = 0;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        rc = refused("stat", name);
    } else if (at < (uint64_t)info.st_size && room > 0) {
        n = pread(fd, to->p + to->n, room, (off_t)at);
        rc = n < 0 ? refused("read", name) : OK;
    }
    *size = rc == OK ? (uint64_t)info.st_size : 0;
    if (to) {
        to->n += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return rc;
}

uint64_t log_part_start(const struct log_files *self, uint32_t part)
{
    return part == 0 ? 0 : self->head_bytes + (part - 1) * self->part_bytes;
}

static uint32_t part_of(const struct log_files *self, uint64_t offset)
{
    return offset < self->head_bytes
               ? 0
               : (uint32_t)(1 + (offset - self->head_bytes) / self->part_bytes);
}

int log_read(const struct log_files *self, const struct log_name *name, uint64_t *offset,
             struct wire *to)
{
    struct log_mark mark;
    uint64_t size;
    size_t before = to->n;
    int rc = log_mark_read(self, name, &mark);
    uint32_t kept = mark.part > 1 ? mark.part - 1 : 1; /* the oldest part that is still there */
    for (uint32_t part = part_of(self, *offset); rc == OK && part <= mark.part; part++) {
        part = part > 0 && part < kept ? kept : part;
        uint64_t start = log_part_start(self, part);
        uint64_t at = *offset > start ? *offset - start : 0;
        rc = read_part(self, name, part, at, to, &size);
        if (to->n > before) {
            *offset = start + at;
            break;
        }
    }
    return rc;
}

/*  Of the parts that there may be: the beginning and the newest two. */
static uint32_t parts_of(const struct log_files *self, const struct log_name *name, uint32_t out[3])
{
    struct log_mark mark;
    uint32_t count = 1;
    out[0] = 0;
    if (log_mark_read(self, name, &mark) == OK && mark.part > 0) {
        out[count++] = mark.part;
        if (mark.part > 1) {
            out[count++] = mark.part - 1;
        }
    }
    return count;
}

void log_measure(const struct log_files *self, const struct log_name *name, struct log_size *out)
{
    uint32_t parts[3], count = parts_of(self, name, parts);
    *out = (struct log_size){ 0 };
    for (uint32_t i = 0; i < count; i++) {
        char path[PATH_BYTES];
        struct stat info;
        if (log_path(self, name, parts[i], path) == OK && lstat(path, &info) == 0) {
            uint64_t changed_ms =
                (uint64_t)info.st_mtim.tv_sec * 1000 + (uint64_t)info.st_mtim.tv_nsec / 1000000;
            out->bytes += (uint64_t)info.st_size;
            out->changed_ms = changed_ms > out->changed_ms ? changed_ms : out->changed_ms;
        }
    }
}

void log_unlink(const struct log_files *self, const struct log_name *name)
{
    uint32_t parts[3], count = parts_of(self, name, parts);
    char path[PATH_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        if (log_path(self, name, parts[i], path) == OK && unlink(path) != 0 && errno != ENOENT) {
            (void)refused("remove", name);
        }
    }
    if (log_mark_path(self, name, path) == OK && unlink(path) != 0 && errno != ENOENT) {
        (void)refused("remove", name);
    }
}

uint64_t log_end(const struct log_files *self, const struct log_name *name)
{
    struct log_mark mark;
    uint64_t size = 0;
    int rc = log_mark_read(self, name, &mark);
    rc = rc == OK ? read_part(self, name, mark.part, 0, NULL, &size) : rc;
    return rc == OK ? log_part_start(self, mark.part) + size : 0;
}

uint64_t log_tail(const struct log_files *self, const struct log_name *name, uint64_t lines)
{
    uint8_t chunk[TAIL_CHUNK];
    uint64_t end = log_end(self, name), from = end, found = 0;
    while (from > 0 && lines > 0) {
        uint64_t start = log_part_start(self, part_of(self, from - 1));
        uint64_t at = from - start > TAIL_CHUNK ? from - TAIL_CHUNK : start, asked = at;
        struct wire to = { chunk, 0, (size_t)(from - at), false };
        if (log_read(self, name, &at, &to) != OK || at != asked || to.n < from - asked) {
            return from; /* what was before it is gone */
        }
        for (size_t i = to.n; i-- > 0;) {
            bool last = at + i + 1 == end; /* this newline ends the last line, and begins none */
            if (chunk[i] == '\n' && !last && ++found == lines) {
                return at + i + 1;
            }
        }
        from = asked;
    }
    return lines > 0 ? from : end;
}
