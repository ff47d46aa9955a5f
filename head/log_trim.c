/*  log_trim.c - flat memory for any number of logs: one pass adds them up; should they be too large, a second one tells
    from how much of which age it is, and a third one removes what is older than need be. */
#include "head/log_trim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log.h"

enum {
    AGES = 4096,    /* how finely ages are told apart */
    LOOK_PARTS = 16 /* a look is due when a 16th of the limit was written since the last one */
};

struct log_trim {
    const struct log_files *files;
    uint64_t bytes_max;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    uint64_t grown; /* since the last look */
    bool due, ending;
};

enum pass { PASS_SUM, PASS_AGES, PASS_REMOVE };

struct look {
    struct log_trim *trim;
    enum pass pass;
    uint64_t now_ms, oldest_ms;
    uint64_t total, removed;
    uint64_t before_ms; /* PASS_REMOVE: those that have not changed since */
    uint64_t by_age[AGES];
};

static bool is_ending(struct log_trim *self)
{
    pthread_mutex_lock(&self->lock);
    bool ending = self->ending;
    pthread_mutex_unlock(&self->lock);
    return ending;
}

static uint64_t age_width_ms(const struct look *look)
{
    return (look->now_ms - look->oldest_ms) / AGES + 1;
}

static void look_at(struct look *look, const struct log_name *name)
{
    struct log_size size;
    log_measure(look->trim->files, name, &size);
    switch (look->pass) {
    case PASS_SUM:
        look->total += size.bytes;
        look->oldest_ms = size.changed_ms < look->oldest_ms ? size.changed_ms : look->oldest_ms;
        break;
    case PASS_AGES: {
        uint64_t at = size.changed_ms > look->oldest_ms ? size.changed_ms - look->oldest_ms : 0;
        uint64_t age = at / age_width_ms(look);
        look->by_age[age < AGES ? age : AGES - 1] += size.bytes;
        break;
    }
    case PASS_REMOVE:
        if (size.changed_ms < look->before_ms) {
            log_unlink(look->trim->files, name);
            look->removed++;
        }
        break;
    }
}

static void look_into(struct look *look, const char *path, uint64_t job)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder)) && !is_ending(look->trim);) {
        unsigned long long task;
        unsigned attempt;
        char suffix[4];
        if (sscanf(entry->d_name, "%16llx.%u.%3s", &task, &attempt, suffix) == 3 &&
            strcmp(suffix, "at") == 0) {
            look_at(look, &(struct log_name){ job, task, attempt });
        }
    }
    if (folder) {
        closedir(folder);
    }
}

static void look_at_all(struct look *look)
{
    const struct log_files *files = look->trim->files;
    DIR *folder = opendir(files->dir);
    for (struct dirent *entry; folder && (entry = readdir(folder)) && !is_ending(look->trim);) {
        unsigned long long job;
        char suffix[4] = "", path[PATH_BYTES];
        int n = sscanf(entry->d_name, "job-%llu.%3s", &job, suffix);
        if (n == 2 && strcmp(suffix, "at") == 0) {
            look_at(look, &(struct log_name){ .job = job });
        } else if (n == 1 && log_folder(files, job, path) == OK) {
            look_into(look, path, job);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

/*  Down to nine tenths of the limit, so that it is not due again at once. */
static void trim(struct log_trim *self)
{
    struct look look; /* 32 KiB */
    uint64_t now_ms = clock_wall_ms();
    look = (struct look){ .trim = self, .pass = PASS_SUM, .now_ms = now_ms, .oldest_ms = now_ms };
    look_at_all(&look);
    if (look.total <= self->bytes_max) {
        return;
    }
    look.pass = PASS_AGES;
    look_at_all(&look);
    uint64_t surplus = look.total - self->bytes_max + self->bytes_max / 10, freed = 0;
    size_t ages = 0;
    while (ages < AGES - 1 && freed < surplus) {
        freed += look.by_age[ages++];
    }
    look.pass = PASS_REMOVE;
    look.before_ms = look.oldest_ms + ages * age_width_ms(&look);
    look_at_all(&look);
    log_info("logs.trimmed", "removed=%llu bytes=%llu", (unsigned long long)look.removed,
             (unsigned long long)freed);
}

/*  Folders of deleted jobs; there are only files in them. */
static void remove_gone(struct log_trim *self)
{
    DIR *folder = opendir(self->files->dir);
    for (struct dirent *entry; folder && (entry = readdir(folder)) && !is_ending(self);) {
        int fd = strncmp(entry->d_name, "gone-", 5) == 0
                     ? openat(dirfd(folder), entry->d_name,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                     : -1;
        DIR *gone = fd >= 0 ? fdopendir(fd) : NULL;
        for (struct dirent *file; gone && (file = readdir(gone)) && !is_ending(self);) {
            (void)unlinkat(fd, file->d_name, 0); /* "." and "..": fails */
        }
        if (gone) {
            closedir(gone);
            (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

static void *run(void *context)
{
    struct log_trim *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        if (!self->due) {
            pthread_cond_wait(&self->news, &self->lock);
            continue;
        }
        self->due = false;
        self->grown = 0;
        pthread_mutex_unlock(&self->lock);
        remove_gone(self);
        trim(self);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int log_trim_open(struct log_trim **out, const struct log_files *files, uint64_t bytes_max)
{
    struct log_trim *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    self->files = files;
    self->bytes_max = bytes_max;
    self->due = true;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->news, NULL);
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error) {
        log_error("logs.thread", "error=\"%s\"", strerror(error));
        free(self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

void log_trim_close(struct log_trim **self_p)
{
    struct log_trim *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->news);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->news);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void log_trim_grew(struct log_trim *self, uint64_t bytes)
{
    pthread_mutex_lock(&self->lock);
    self->grown += bytes;
    if (!self->due && self->grown > self->bytes_max / LOOK_PARTS) {
        self->due = true;
        pthread_cond_signal(&self->news);
    }
    pthread_mutex_unlock(&self->lock);
}

void log_trim_now(struct log_trim *self)
{
    pthread_mutex_lock(&self->lock);
    self->due = true;
    pthread_cond_signal(&self->news);
    pthread_mutex_unlock(&self->lock);
}
