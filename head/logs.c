/*  logs.c - appends once; few descriptors.  Marks are not synced: after a power cut a log may have lost its end. */
#include "head/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "head/log_trim.h"

struct open_log {
    struct log_name name; /* job 0: this slot is free */
    uint64_t used;        /* by the clock of struct logs */
    uint64_t size;        /* as if nothing had been cut */
    struct log_mark mark;
    int fd; /* of its newest part */
};

struct logs {
    struct log_files files;
    struct log_trim *trim;
    uint64_t clock, removed;
    struct open_log open[LOGS_OPEN_MAX];
};

static int refused(const char *doing, const struct log_name *name)
{
    log_error("logs.failed", "doing=%s job=%" PRIu64 " task=%016" PRIx64 " error=\"%s\"", doing,
              name->job, name->task, strerror(errno));
    return ERR_SYSTEM;
}

int logs_open(struct logs **out, const char *dir, struct logs_limits limits)
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
    rc = log_files_init(&self->files, dir, limits.log);
    rc = rc == OK ? log_trim_open(&self->trim, &self->files,
                                  limits.all > 0 ? limits.all : LOGS_BYTES_MAX)
                  : rc;
    if (rc != OK) {
        free(self);
        return rc;
    }
    *out = self;
    return OK;
}

static void log_close(struct open_log *log)
{
    if (log->name.job != 0) {
        close(log->fd);
    }
    *log = (struct open_log){ .fd = -1 };
}

void logs_close(struct logs **logs)
{
    struct logs *self = *logs;
    *logs = NULL;
    if (self == NULL) {
        return;
    }
    log_trim_close(&self->trim);
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        log_close(&self->open[i]);
    }
    free(self);
}

const struct log_files *logs_files(const struct logs *self)
{
    return &self->files;
}

/* --- one log ---------------------------------------------------------------------------------- */

/*  Opens the newest part; *exists: there was one.  It is made only if `make`. */
static int part_open(const struct logs *self, struct open_log *log, bool make)
{
    char path[PATH_BYTES];
    int rc = log_path(&self->files, &log->name, log->mark.part, path);
    if (rc != OK) {
        return rc;
    }
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
    log->fd = open(path, flags, 0600);
    if (log->fd < 0 && errno == ENOENT && make && log->name.task != 0) {
        char folder[PATH_BYTES];
        rc = log_folder(&self->files, log->name.job, folder);
        rc = rc == OK ? file_make_dir(folder, 0700) : rc;
        log->fd = rc == OK ? open(path, flags, 0600) : -1;
    }
    if (log->fd < 0) {
        return rc != OK ? rc : errno == ENOENT ? ERR_NOT_FOUND : refused("open", &log->name);
    }
    return OK;
}

static int log_open(struct logs *self, struct open_log *log, const struct log_name *name, bool make)
{
    *log = (struct open_log){ .name = *name, .fd = -1 };
    struct stat file;
    int rc = log_mark_read(&self->files, name, &log->mark);
    rc = rc == OK ? part_open(self, log, make) : rc;
    if (rc == OK && fstat(log->fd, &file) != 0) {
        rc = refused("stat", name);
    }
    if (rc == OK) {
        log->size = log_part_start(&self->files, log->mark.part) + (uint64_t)file.st_size;
        if (log->mark.start > log->size) { /* a power cut: the attempt begins at the end */
            log->mark.start = log->size;
        }
        return OK;
    }
    if (log->fd < 0) {
        log->name.job = 0;
    }
    log_close(log);
    return rc;
}

/*  Its slot, else the one that was not used for longest. */
static int log_find(struct logs *self, const struct log_name *name, bool make,
                    struct open_log **out)
{
    struct open_log *oldest = &self->open[0];
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        struct open_log *log = &self->open[i];
        if (log->name.job == name->job && log->name.task == name->task &&
            log->name.attempt == name->attempt) {
            *out = log;
            log->used = ++self->clock;
            return OK;
        }
        oldest = log->used < oldest->used ? log : oldest;
    }
    log_close(oldest);
    int rc = log_open(self, oldest, name, make);
    oldest->used = rc == OK ? ++self->clock : 0;
    *out = oldest;
    return rc;
}

static int mark_write(const struct logs *self, const struct open_log *log)
{
    char path[PATH_BYTES], text[100], temporary[PATH_BYTES + 8];
    const struct log_mark *mark = &log->mark;
    int rc = log_mark_path(&self->files, &log->name, path);
    if (rc != OK) {
        return rc;
    }
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %u %" PRIu64 "\n", mark->token,
                     mark->start, mark->part, mark->from);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0) {
        close(fd);
    }
    return written && rename(temporary, path) == 0 ? OK : refused("mark", &log->name);
}

/*  What was written before an error stays, and counts. */
static int log_write(struct open_log *log, const uint8_t *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t rc = write(log->fd, p + done, n - done);
        if (rc < 0 && errno != EINTR) {
            return refused("write", &log->name);
        }
        done += rc > 0 ? (size_t)rc : 0;
        log->size += rc > 0 ? (uint64_t)rc : 0;
    }
    return OK;
}

/*  The part is full: goes on in the next one, and drops the last but one. */
static int part_next(struct logs *self, struct open_log *log)
{
    close(log->fd);
    log->mark.part++;
    int rc = part_open(self, log, true);
    if (rc != OK) { /* as if it was not open: the mark on the disk is still that of the last part */
        log->name.job = 0;
        log_close(log);
        return rc;
    }
    rc = mark_write(self, log);
    if (rc == OK && log->mark.part > 2) {
        char path[PATH_BYTES];
        rc = log_path(&self->files, &log->name, log->mark.part - 2, path);
        if (rc == OK && unlink(path) != 0 && errno != ENOENT) {
            rc = refused("cut", &log->name);
        }
    }
    return rc;
}

static int log_add(struct logs *self, struct open_log *log, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    int rc = OK;
    size_t all = n;
    while (n > 0 && rc == OK) {
        uint64_t end = log_part_start(&self->files, log->mark.part + 1);
        size_t room = log->size < end ? (size_t)(end - log->size) : 0;
        size_t now = n < room ? n : room;
        rc = log_write(log, bytes, now);
        bytes += now;
        n -= now;
        if (rc == OK && n > 0) {
            rc = part_next(self, log);
        }
    }
    log_trim_grew(self->trim, all);
    return rc;
}

/*  An attempt begins; before all but the first stands a line that says so. */
static int attempt_begin(struct logs *self, struct open_log *log, uint64_t token)
{
    static const char job[] = "\n[rayc: the job runs again]\n",
                      attempt[] = "\n[rayc: the attempt runs again]\n";
    int rc = OK;
    if (log->mark.token != 0) {
        rc = log->name.task == 0 ? log_add(self, log, job, sizeof(job) - 1)
                                 : log_add(self, log, attempt, sizeof(attempt) - 1);
    }
    if (rc == OK) {
        log->mark.token = token;
        log->mark.start = log->size;
        log->mark.from = 0;
        rc = mark_write(self, log);
    }
    return rc;
}

/*  Nobody has the bytes from `have` to `from` any more. */
static int tell_lost(struct logs *self, struct open_log *log, uint64_t have, uint64_t from)
{
    char text[80];
    int n =
        snprintf(text, sizeof(text), "\n[rayc: %" PRIu64 " bytes were lost here]\n", from - have);
    int rc = log_add(self, log, text, (size_t)n);
    if (rc == OK) {
        log->mark.start = log->size;
        log->mark.from = from;
        rc = mark_write(self, log);
    }
    return rc;
}

/*  How much of the newest attempt is here. */
static uint64_t have_of(const struct open_log *log)
{
    return log->mark.from + (log->size - log->mark.start);
}

int logs_append(struct logs *self, const struct msg_log *piece, bool current, uint64_t *next)
{
    uint64_t end = piece->offset + piece->data.n;
    *next = end;
    if (piece->job == 0 || piece->token == 0 || end < piece->offset ||
        (piece->attempt > 0 && piece->task == 0)) {
        return ERR_INVALID;
    }
    struct log_name name = { .job = piece->job };
    if (piece->attempt > 0) {
        name.task = piece->task;
        name.attempt = piece->attempt;
    }
    struct open_log *log;
    int rc = log_find(self, &name, current, &log);
    if (rc == ERR_NOT_FOUND || (rc == OK && (piece->token < log->mark.token ||
                                             (piece->token > log->mark.token && !current)))) {
        return OK; /* nobody wants it */
    }
    if (rc == OK && piece->token > log->mark.token) {
        rc = attempt_begin(self, log, piece->token);
    }
    if (rc == OK && piece->kept > have_of(log)) {
        rc = tell_lost(self, log, have_of(log), piece->kept);
    }
    if (rc != OK) {
        return rc;
    }
    uint64_t have = have_of(log);
    if (end > have && piece->offset <= have) {
        size_t known = (size_t)(have - piece->offset);
        rc = log_add(self, log, piece->data.p + known, piece->data.n - known);
    }
    *next = rc == OK ? have_of(log) : have;
    return rc;
}

void logs_remove(struct logs *self, uint64_t job)
{
    struct log_name name = { .job = job };
    char path[PATH_BYTES], gone[PATH_BYTES];
    for (size_t i = 0; i < LOGS_OPEN_MAX; i++) {
        if (self->open[i].name.job == job) {
            log_close(&self->open[i]);
        }
    }
    log_unlink(&self->files, &name);
    if (log_folder(&self->files, job, path) == OK) {
        int n = snprintf(gone, sizeof(gone), "%s/gone-%" PRIu64 ".%" PRIu64, self->files.dir, job,
                         ++self->removed);
        if (n < PATH_BYTES && rename(path, gone) == 0) {
            log_trim_now(self->trim);
        }
    }
}
