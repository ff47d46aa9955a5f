/*  scratch.c - a folder that is as empty as it was made is used again, since most tasks leave nothing: its times tell.
    Any other one is renamed to old-N, which the thread finds and removes.

    What executors leave is hostile: links are never followed, folders that nobody may enter are opened by force, and
    those that lie deep are moved to the top first, so that neither descriptors nor the stack run out. */
#include "worker/scratch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"
#include "worker/arena.h"

enum { DEPTH_MAX = 32, LAST_FOLDERS_MAX = 1000 };

struct made { /* of folder N, while it is there */
    bool here;
    uid_t owner;
    struct timespec changed;
};

struct scratch {
    int dir;
    uint32_t capacity, high; /* ids below `high` were used */
    struct made *made;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    uint64_t old; /* so many folders were renamed */
    bool ending;
    uint32_t last_folders; /* looked into since */
};

/* --- the thread ------------------------------------------------------------------------------------------- */

/*  When the worker ends, what is large stays for the next one. */
static bool may_go_on(struct scratch *self)
{
    pthread_mutex_lock(&self->lock);
    bool may = !self->ending || self->last_folders++ < LAST_FOLDERS_MAX;
    pthread_mutex_unlock(&self->lock);
    return may;
}

static DIR *open_inside(int dir, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0) {
        fd = openat(dir, name, flags);
    }
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !folder) {
        close(fd);
    }
    return folder;
}

static uint64_t count_old(struct scratch *self)
{
    pthread_mutex_lock(&self->lock);
    uint64_t number = ++self->old;
    pthread_mutex_unlock(&self->lock);
    return number;
}

static bool make_old(struct scratch *self, int dir, const char *name)
{
    char old[40];
    snprintf(old, sizeof(old), "old-%llu", (unsigned long long)count_old(self));
    return renameat(dir, name, self->dir, old) == 0;
}

/*  False: something of it is still there. */
static bool remove_inside(struct scratch *self, int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
        return true;
    }
    DIR *folder = may_go_on(self) ? open_inside(dir, name) : NULL;
    bool all = folder != NULL;
    (void)(folder && fchmod(dirfd(folder), 0700));
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (depth == DEPTH_MAX && unlinkat(dirfd(folder), entry->d_name, 0) != 0) {
            all &= make_old(self, dirfd(folder), entry->d_name);
        } else if (depth < DEPTH_MAX) {
            all &= remove_inside(self, dirfd(folder), entry->d_name, depth + 1);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 && all;
}

/*  One pass over all that is old; false: something cannot be removed. */
static bool remove_old(struct scratch *self)
{
    DIR *folder = open_inside(self->dir, ".");
    bool all = true;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, "old-", 4) == 0) {
            all &= remove_inside(self, self->dir, entry->d_name, 0);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return all;
}

static void *broom(void *context)
{
    struct scratch *self = context;
    uint64_t seen = 0;
    bool told = false;
    pthread_mutex_lock(&self->lock);
    while (!self->ending || seen != self->old) {
        if (seen == self->old) {
            pthread_cond_wait(&self->news, &self->lock);
            continue;
        }
        seen = self->old;
        pthread_mutex_unlock(&self->lock);
        bool all = remove_old(self);
        pthread_mutex_lock(&self->lock);
        if (self->ending) {
            break;
        }
        if (!all && !told) {
            log_warn("scratch.remove", "text=\"a folder of an executor cannot be removed\"");
            told = true;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- the worker's side ------------------------------------------------------------------------------------ */

static void name_of(uint32_t id, char out[16])
{
    snprintf(out, 16, "%u", id);
}

static void sweep(struct scratch *self)
{
    DIR *folder = open_inside(self->dir, ".");
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && unlinkat(self->dir, entry->d_name, 0) != 0) {
            (void)make_old(self, self->dir, entry->d_name);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

int scratch_open(struct scratch **out, const char *dir, uint32_t capacity)
{
    struct scratch *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    self->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->dir < 0) {
        log_error("scratch.open", "path=\"%s\" error=\"%s\"", dir, strerror(errno));
        free(self);
        return ERR_SYSTEM;
    }
    self->capacity = capacity;
    self->made = reserve_memory(capacity * sizeof(*self->made));
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->news, NULL);
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* names that an earlier worker has not used */
    self->old = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    sweep(self);
    if (pthread_create(&self->thread, NULL, broom, self)) {
        log_error("scratch.thread", "error=\"%s\"", strerror(errno));
        self->ending = true;
        scratch_close(&self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

void scratch_close(struct scratch **self_p)
{
    struct scratch *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (!self->ending) {
        pthread_mutex_lock(&self->lock);
        self->ending = true;
        pthread_cond_signal(&self->news);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
    }
    for (uint32_t id = 0; id < self->high; id++) {
        char name[16];
        name_of(id, name);
        (void)unlinkat(self->dir, name,
                       AT_REMOVEDIR); /* one that is not empty: at the next start */
    }
    pthread_cond_destroy(&self->news);
    pthread_mutex_destroy(&self->lock);
    munmap(self->made, self->capacity * sizeof(*self->made));
    close(self->dir);
    free(self);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*  Has nothing been put into it, or been done to it? */
static bool untouched(const struct scratch *self, uint32_t id, const char *name)
{
    struct stat info;
    const struct made *made = &self->made[id];
    return fstatat(self->dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           same_time(info.st_mtim, made->changed) && info.st_uid == made->owner &&
           (info.st_mode & 07777) == 0700;
}

static void put_away(struct scratch *self, uint32_t id, const char *name)
{
    self->made[id].here = false;
    if (unlinkat(self->dir, name, AT_REMOVEDIR) != 0 && make_old(self, self->dir, name)) {
        pthread_mutex_lock(&self->lock);
        pthread_cond_signal(&self->news);
        pthread_mutex_unlock(&self->lock);
    }
}

static int make(struct scratch *self, uint32_t id, const char *name, uid_t owner)
{
    struct stat info;
    if (mkdirat(self->dir, name, 0700) ||
        (owner != geteuid() &&
         fchownat(self->dir, name, owner, (gid_t)owner, AT_SYMLINK_NOFOLLOW)) ||
        fstatat(self->dir, name, &info, AT_SYMLINK_NOFOLLOW)) {
        return ERR_SYSTEM;
    }
    /* A change within the same tick of the kernel's clock would not show: it gets an older time. */
    struct timespec old[2] = { { .tv_nsec = UTIME_OMIT }, info.st_mtim };
    old[1].tv_sec--;
    (void)utimensat(self->dir, name, old, AT_SYMLINK_NOFOLLOW);
    self->made[id] = (struct made){ .here = true, .owner = owner, .changed = old[1] };
    return OK;
}

int scratch_take(struct scratch *self, uint32_t id, uid_t owner)
{
    char name[16];
    ensure(id < self->capacity);
    name_of(id, name);
    if (self->made[id].here) {
        if (self->made[id].owner == owner) {
            return OK; /* scratch_give() has looked */
        }
        put_away(self, id, name);
    }
    self->high = id < self->high ? self->high : id + 1;
    return make(self, id, name, owner);
}

void scratch_give(struct scratch *self, uint32_t id)
{
    char name[16];
    ensure(id < self->capacity);
    name_of(id, name);
    if (self->made[id].here && !untouched(self, id, name)) {
        put_away(self, id, name);
    }
}
