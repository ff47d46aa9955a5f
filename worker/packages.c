/*  packages.c - one list of packages and programs, each in one state; the thread takes what is to be unpacked, one at a
    time.  An archive is a file among the programs while it waits for that; it may be a program, too. */
#include "worker/packages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/tree.h"
#include "worker/unpack.h"

enum state { WANTED, QUEUED, ENDED, HERE, GONE, GONE_TOLD };

enum { NO_USER = 0 }; /* of a program */

struct package {
    struct package *next;
    enum state state;
    /*  a program that is HERE from an earlier worker's time: nobody has asked for it yet */
    bool left;
    int code;
    uint64_t user, bytes, used;
    char hash[HASH_TEXT + 1];
    char text[600];
};

struct packages {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    bool started, ends;
    int event;
    uint64_t bytes_max, bytes, clock; /* bytes: of all that is HERE */
    uint32_t most, count;             /* likewise */
    const struct confine *confine;
    const char *unpack;
    struct package *all;
    char dir[PATH_BYTES - 2 * HASH_TEXT];
};

void package_path(const char *dir, const char *hash, uint64_t user, char *out, size_t capacity)
{
    int n = snprintf(out, capacity, "%s/packages/%" PRIu64 "/%s", dir, user, hash);
    ensure(n > 0 && (size_t)n < capacity);
}

static void file_of(const struct packages *self, const char *hash, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/programs/%s", self->dir, hash);
}

/*  The program of this hash, if it is here or wanted. */
static struct package *program_of(const struct packages *self, const char *hash)
{
    struct package *at = self->all;
    while (at && (at->user != NO_USER || (at->state != WANTED && at->state != HERE) ||
                  strcmp(at->hash, hash) != 0)) {
        at = at->next;
    }
    return at;
}

/*  Is it still to become somebody's package? */
static bool is_archive(const struct packages *self, const char *hash)
{
    for (const struct package *at = self->all; at; at = at->next) {
        if (at->user != NO_USER && at->state <= QUEUED && strcmp(at->hash, hash) == 0) {
            return true;
        }
    }
    return false;
}

/* --- the thread --------------------------------------------------------------------------------- */

static __thread uint64_t counted;
static __thread uint32_t owner; /* 0: as it is */

/*  What is in a folder comes before the folder: nobody else can change what is yet to be given away. */
static int take_file(const char *path, const struct stat *file, int type, struct FTW *place)
{
    (void)place;
    counted += type == FTW_F ? (uint64_t)file->st_blocks * 512 : 0;
    return owner != 0 && lchown(path, owner, owner) != 0 ? errno : 0;
}

/*  Only its user gets into a folder of packages, and only into those whose names it knows. */
static int make_folder(const char *path, uint32_t uid)
{
    int code = file_make_dir(path, 0755);
    return code == OK && uid != 0 && (lchown(path, 0, uid) != 0 || chmod(path, 0710) != 0)
               ? ERR_SYSTEM
               : code;
}

static void unpack_one(const struct packages *self, struct package *package)
{
    char archive[PATH_BYTES], folder[PATH_BYTES];
    char why[UNPACK_WHY_BYTES] = "";
    file_of(self, package->hash, archive);
    snprintf(folder, sizeof(folder), "%s/packages/%" PRIu64, self->dir, package->user);
    owner = confine_uid(self->confine, package->user);
    int code = make_folder(folder, owner);
    if (code == OK) {
        const struct unpack_job job = { .program = self->unpack,
                                        .archive = archive,
                                        .dir = folder,
                                        .name = package->hash,
                                        .uid = self->confine->uid_base };
        code = unpack_run(&job, why);
    } else {
        snprintf(why, sizeof(why), "%.400s: %s", folder, err_text(code));
    }
    counted = 0;
    if (code == OK) {
        package_path(self->dir, package->hash, package->user, folder, sizeof(folder));
        int error = nftw(folder, take_file, 16, FTW_PHYS | FTW_DEPTH);
        code = error == 0 ? OK : ERR_SYSTEM;
        snprintf(why, sizeof(why), "%s", error > 0 ? strerror(error) : "");
    }
    package->bytes = counted;
    package->code = code;
    snprintf(package->text, sizeof(package->text), "package %.12s: %s", package->hash, why);
}

static void remove_one(const struct packages *self, const struct package *package)
{
    char folder[PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s/packages/%" PRIu64, self->dir, package->user);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        remove_tree(fd, package->hash);
        close(fd);
    }
}

/*  The archive has done its duty, unless another user's package is made of it, or it is a program. */
static void archive_done(const struct packages *self, const struct package *done)
{
    char archive[PATH_BYTES];
    if (!is_archive(self, done->hash) && !program_of(self, done->hash)) {
        file_of(self, done->hash, archive);
        unlink(archive);
    }
}

/*  What goes first, for it may be wanted again already. */
static struct package *work_of(struct packages *self)
{
    struct package *queued = NULL;
    for (struct package *package = self->all; package; package = package->next) {
        if (package->state == GONE) {
            return package;
        }
        queued = package->state == QUEUED ? package : queued;
    }
    return queued;
}

static void *run(void *context)
{
    struct packages *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->ends) {
        struct package *package = work_of(self);
        if (package == NULL) {
            pthread_cond_wait(&self->work, &self->lock);
            continue;
        }
        bool gone = package->state == GONE;
        pthread_mutex_unlock(&self->lock);
        if (gone) {
            remove_one(self, package);
        } else {
            unpack_one(self, package);
        }
        pthread_mutex_lock(&self->lock);
        package->state = gone ? GONE_TOLD : ENDED;
        if (!gone) {
            archive_done(self, package);
        }
        eventfd_write(self->event, 1);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- opening ------------------------------------------------------------------------------------ */

static void clear(const char *dir)
{
    char path[PATH_BYTES];
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        remove_tree(fd, "packages");
        close(fd);
    }
    snprintf(path, sizeof(path), "%s/packages", dir);
    if (file_make_dir(path, 0711) != OK) {
        log_error("packages.folder", "path=%s error=\"%s\"", path, strerror(errno));
    }
}

static struct package *add(struct packages *self, const char *hash, uint64_t user)
{
    struct package *package = calloc(1, sizeof(*package));
    ensure(package != NULL);
    package->user = user;
    slice_copy_text(slice_text(hash), package->hash, sizeof(package->hash));
    package->next = self->all;
    self->all = package;
    return package;
}

static void be_here(struct packages *self, struct package *package)
{
    package->state = HERE;
    self->bytes += package->bytes;
    self->count++;
}

static void be_not_here(struct packages *self, const struct package *package)
{
    self->bytes -= package->bytes;
    self->count--;
}

/*  A program is here: so much of the limit is its. */
static void count_program(struct packages *self, struct package *program)
{
    char path[PATH_BYTES];
    struct stat file;
    file_of(self, program->hash, path);
    program->bytes = stat(path, &file) == 0 ? (uint64_t)file.st_blocks * 512 : 0;
    be_here(self, program);
}

static void find_left(struct packages *self)
{
    char path[PATH_BYTES];
    file_of(self, "", path);
    DIR *folder = opendir(path);
    for (struct dirent *file; folder && (file = readdir(folder)) != NULL;) {
        if (hash_is_text(slice_text(file->d_name))) {
            struct package *program = add(self, file->d_name, NO_USER);
            program->left = true;
            count_program(self, program);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

int packages_open(struct packages **out, const struct packages_options *options)
{
    *out = NULL;
    struct packages *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->bytes_max = options->bytes_max > 0 ? options->bytes_max : PACKAGES_BYTES_MAX;
    self->most = options->most > 0 ? options->most : PACKAGES_MOST;
    self->confine = options->confine;
    self->unpack = options->unpack;
    self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, NULL);
    bool fits = slice_copy_text(slice_text(options->dir), self->dir, sizeof(self->dir));
    if (fits && self->event >= 0) {
        clear(options->dir);
        find_left(self);
        self->started = pthread_create(&self->thread, NULL, run, self) == 0;
    }
    if (!self->started) {
        packages_close(&self);
        return fits ? ERR_SYSTEM : ERR_TOO_LARGE;
    }
    *out = self;
    return OK;
}

void packages_close(struct packages **self_p)
{
    struct packages *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->started) {
        pthread_mutex_lock(&self->lock);
        self->ends = true;
        pthread_cond_signal(&self->work);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
    }
    while (self->all) {
        struct package *next = self->all->next;
        free(self->all);
        self->all = next;
    }
    if (self->event >= 0) {
        close(self->event);
    }
    pthread_cond_destroy(&self->work);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

int packages_fd(const struct packages *self)
{
    return self->event;
}

/* --- the loop's side ---------------------------------------------------------------------------- */

void packages_want(struct packages *self, const char *hash, uint64_t user)
{
    pthread_mutex_lock(&self->lock);
    add(self, hash, user)->state = WANTED;
    pthread_mutex_unlock(&self->lock);
}

void packages_want_program(struct packages *self, const char *hash)
{
    pthread_mutex_lock(&self->lock);
    struct package *program = program_of(self, hash);
    if (program) { /* left by an earlier worker */
        be_not_here(self, program);
        program->left = false;
    } else {
        program = add(self, hash, NO_USER);
    }
    program->state = WANTED;
    pthread_mutex_unlock(&self->lock);
}

/*  Its end, OK or not: the core hears that from `fetches`. */
static void program_fetched(struct packages *self, struct package **at, int code)
{
    struct package *program = *at;
    if (code == OK) {
        count_program(self, program);
        program->used = ++self->clock;
    } else {
        *at = program->next;
        free(program);
    }
}

void packages_fetched(struct packages *self, const struct program_news *news)
{
    pthread_mutex_lock(&self->lock);
    for (struct package **at = &self->all, *package; (package = *at) != NULL;
         at = *at == package ? &package->next : at) {
        if (package->state != WANTED || strcmp(package->hash, news->hash) != 0) {
            continue;
        }
        if (package->user == NO_USER) {
            program_fetched(self, at, news->code);
            continue;
        }
        package->state = news->code == OK ? QUEUED : ENDED;
        package->code = news->code;
        snprintf(package->text, sizeof(package->text), "package %.12s: %.300s", news->hash,
                 news->text);
        eventfd_write(self->event, 1);
    }
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
}

/*  It has been told: it stays only if it is here. */
static void tell(struct packages *self, struct package **at, struct package_news *out)
{
    struct package *package = *at;
    *out = (struct package_news){ .program = package->user == NO_USER,
                                  .user = package->user,
                                  .code = package->code };
    memcpy(out->hash, package->hash, sizeof(out->hash));
    memcpy(out->text, package->text, sizeof(out->text));
    if (package->code == OK) {
        package->used = ++self->clock;
        be_here(self, package);
    } else {
        *at = package->next;
        free(package);
    }
}

bool packages_next(struct packages *self, struct package_news *out)
{
    eventfd_t count;
    bool found = false;
    (void)eventfd_read(self->event, &count);
    pthread_mutex_lock(&self->lock);
    for (struct package **at = &self->all; *at && !found;) {
        struct package *package = *at;
        if (package->state == GONE_TOLD) {
            *at = package->next;
            free(package);
            continue;
        }
        found = package->state == ENDED;
        if (found) {
            tell(self, at, out);
        } else {
            at = &package->next;
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (found) {
        log_info("package", "hash=%s user=%" PRIu64 " code=%s text=\"%s\"", out->hash, out->user,
                 out->code == OK ? "OK" : err_name(out->code), out->text);
    }
    return found;
}

/*  The core hears of it at once, while the thread still removes a folder: a new want of the same waits behind it.  What
    is left of an earlier worker's it does not know. */
static void evict(struct packages *self, struct package *package)
{
    char path[PATH_BYTES];
    be_not_here(self, package);
    if (!package->left) {
        struct package *told = add(self, package->hash, package->user);
        told->state = ENDED;
        told->code = ERR_CLOSED;
    }
    if (package->user == NO_USER) {
        file_of(self, package->hash, path);
        unlink(path);
        package->state = GONE_TOLD;
    } else {
        package->state = GONE;
        pthread_cond_signal(&self->work);
    }
    eventfd_write(self->event, 1);
}

/*  What is here and not needed, of that what was not used for longest; NULL: none. */
static struct package *oldest_idle(struct packages *self, packages_needs *needs,
                                   const void *context)
{
    struct package *oldest = NULL;
    for (struct package *at = self->all; at; at = at->next) {
        if (at->state != HERE) {
            continue;
        }
        if (needs(context, at->hash, at->user) ||
            (at->user == NO_USER && is_archive(self, at->hash))) {
            at->used = ++self->clock;
        } else if (oldest == NULL || at->used < oldest->used) {
            oldest = at;
        }
    }
    return oldest;
}

void packages_evict(struct packages *self, packages_needs *needs, const void *context)
{
    pthread_mutex_lock(&self->lock);
    struct package *oldest = NULL;
    while ((self->bytes > self->bytes_max || self->count > self->most) &&
           (oldest = oldest_idle(self, needs, context)) != NULL) {
        evict(self, oldest);
    }
    pthread_mutex_unlock(&self->lock);
}
