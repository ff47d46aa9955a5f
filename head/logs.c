/*  logs.c - appends once, reads anywhere; few descriptors. */
#include "head/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"

static const char notice[] = "\n[output truncated by rayc]\n";
static const char again[] = "\n[rayc: the job runs again]\n";

struct open_log {
    uint64_t job;  /* 0: this slot is free */
    uint64_t used; /* by the clock of struct logs */
    uint64_t size;
    uint64_t token; /* of the newest attempt; 0: none yet */
    uint64_t start; /* where its output begins in the file */
    int fd;
};

struct logs {
    char dir[PATH_BYTES];
    uint64_t bytes_max;
    uint64_t clock;
    struct open_log open[LOGS_OPEN_MAX];
};

static int refused(const char *doing, uint64_t job)
{
    log_error("logs.failed", "doing=%s job=%" PRIu64 " error=\"%s\"", doing, job, strerror(errno));
    return ERR_SYSTEM;
}

static int path_of(const struct logs *self, uint64_t job, const char *suffix, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/job-%" PRIu64 ".%s", self->dir, job, suffix);
    return n > 0 && n < PATH_BYTES ? OK : ERR_TOO_LARGE;
}

int logs_open(struct logs **out, const char *dir, uint64_t bytes_max)
{
    *out = NULL;
    int rc = file_make_dir(dir, 0700);
    if (rc != OK) {
        return rc;
    }
    struct logs *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->bytes_max = bytes_max > 0 ? bytes_max : LOG_BYTES_MAX;
    if (!slice_copy_text(slice_text(dir), self->dir, sizeof(self->dir))) {
        free(self);
        return ERR_TOO_LARGE;
    }
    *out = self;
    return OK;
}

static void log_close(struct open_log *log)
{
    if (log->job != 0) {
        close(log->fd);
    }
    *log = (struct open_log){ .fd = -1 };
}

void logs_close(struct logs **logs)
{
    struct logs *self = *logs;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        log_close(&self->open[i]);
    }
    free(self);
    *logs = NULL;
}

/*  After a power cut the log may be shorter than where the attempt began: it then begins at the
    end. */
static int read_start(struct logs *self, struct open_log *log)
{
    char path[PATH_BYTES];
    char text[64];
    int rc = path_of(self, log->job, "at", path);
    if (rc == OK) {
        rc = file_read(path, text, sizeof(text));
    }
    if (rc == OK && (sscanf(text, "%" SCNu64 " %" SCNu64, &log->token, &log->start) != 2 ||
                     log->start > log->size)) {
        log->start = log->size;
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

static int write_start(struct logs *self, struct open_log *log, uint64_t token)
{
    char path[PATH_BYTES];
    char text[64];
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", token, log->size);
    int rc = path_of(self, log->job, "at", path);
    if (rc == OK) {
        rc = file_write(path, text, (size_t)n, 0600);
    }
    if (rc == OK) {
        log->token = token;
        log->start = log->size;
    }
    return rc;
}

/*  What was written before an error stays, and counts. */
static int log_write(struct open_log *log, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t rc = write(log->fd, (const uint8_t *)p + done, n - done);
        if (rc < 0 && errno != EINTR) {
            return refused("write", log->job);
        }
        done += rc > 0 ? (size_t)rc : 0;
        log->size += rc > 0 ? (uint64_t)rc : 0;
    }
    return OK;
}

/*  An attempt begins; before all but the first stands a line that says so. */
static int attempt_begin(struct logs *self, struct open_log *log, uint64_t token)
{
    int rc = OK;
    if (log->token != 0 && log->size <= self->bytes_max) {
        rc = log_write(log, again, sizeof(again) - 1);
    }
    return rc == OK ? write_start(self, log, token) : rc;
}

static int log_open(struct logs *self, struct open_log *log, uint64_t job)
{
    char path[PATH_BYTES];
    int rc = path_of(self, job, "log", path);
    if (rc != OK) {
        return rc;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return refused("open", job);
    }
    *log = (struct open_log){ .job = job, .fd = fd };
    struct stat file;
    if (fstat(fd, &file) != 0) {
        rc = refused("stat", job);
    } else {
        log->size = (uint64_t)file.st_size;
        rc = read_start(self, log);
    }
    if (rc != OK) {
        log_close(log);
    }
    return rc;
}

/*  The job's slot, else the one that was not used for longest. */
static int log_find(struct logs *self, uint64_t job, struct open_log **out)
{
    struct open_log *oldest = &self->open[0];
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        struct open_log *log = &self->open[i];
        if (log->job == job) {
            *out = log;
            log->used = ++self->clock;
            return OK;
        }
        oldest = log->used < oldest->used ? log : oldest;
    }
    log_close(oldest);
    int rc = log_open(self, oldest, job);
    oldest->used = rc == OK ? ++self->clock : 0;
    *out = oldest;
    return rc;
}

/*  A log larger than the limit has been cut: the notice made it so. */
static int log_add(const struct logs *self, struct open_log *log, struct slice data)
{
    size_t room = log->size < self->bytes_max ? (size_t)(self->bytes_max - log->size) : 0;
    int rc = log_write(log, data.p, data.n < room ? data.n : room);
    if (rc == OK && data.n > room) {
        rc = log_write(log, notice, sizeof(notice) - 1);
    }
    return rc;
}

int logs_append(struct logs *self, const struct msg_log *piece, uint64_t *next)
{
    uint64_t end = piece->offset + piece->data.n;
    *next = end;
    if (piece->job == 0 || piece->token == 0 || end < piece->offset) {
        return ERR_INVALID;
    }
    struct open_log *log;
    int rc = log_find(self, piece->job, &log);
    if (rc == OK && piece->token > log->token) {
        rc = attempt_begin(self, log, piece->token);
    }
    if (rc != OK) {
        return rc;
    }
    if (piece->token < log->token || log->size > self->bytes_max) {
        return OK;
    }
    uint64_t have = log->size - log->start;
    if (end <= have || piece->offset > have) {
        *next = have;
        return OK;
    }
    size_t known = (size_t)(have - piece->offset);
    rc = log_add(self, log, slice_of(piece->data.p + known, piece->data.n - known));
    *next = log->size > self->bytes_max ? end : log->size - log->start;
    return rc;
}

int logs_read(struct logs *self, uint64_t job, uint64_t offset, struct wire *to)
{
    char path[PATH_BYTES];
    int rc = path_of(self, job, "log", path);
    if (rc != OK) {
        return rc;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? OK : refused("open", job);
    }
    ssize_t n =
        offset <= INT64_MAX ? pread(fd, to->p + to->n, to->capacity - to->n, (off_t)offset) : 0;
    rc = n < 0 ? refused("read", job) : OK;
    to->n += n > 0 ? (size_t)n : 0;
    close(fd);
    return rc;
}

void logs_remove(struct logs *self, uint64_t job)
{
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        if (self->open[i].job == job) {
            log_close(&self->open[i]);
        }
    }
    static const char *const suffixes[] = { "log", "at" };
    char path[PATH_BYTES];
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        if (path_of(self, job, suffixes[i], path) == OK && unlink(path) != 0 && errno != ENOENT) {
            (void)refused("remove", job);
        }
    }
}
