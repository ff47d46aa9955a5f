/*  programs.c - uploads in pieces, hashed as they come; whole programs by name. */
#include "head/programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"

enum { SWEEP_FILES = 512 }; /* at a time: some milliseconds of the loop */

struct upload {
    int fd; /* below 0: this slot is free */
    char name[HASH_TEXT_BYTES];
    uint64_t have;
    uint64_t total;
    uint64_t used; /* by the clock of struct programs */
    struct hash hash;
};

struct programs {
    int dir;
    DIR *sweep;     /* where programs_sweep() goes on; NULL: from the beginning */
    uint64_t clock; /* counts pieces */
    struct upload uploads[UPLOADS_MAX];
};

static int refused(const char *doing, const char *name)
{
    log_error("programs.failed", "doing=%s program=%s error=\"%s\"", doing, name, strerror(errno));
    return ERR_SYSTEM;
}

static void part_name(char out[HASH_TEXT_BYTES + 5], const char *name)
{
    snprintf(out, HASH_TEXT_BYTES + 5, "%s.part", name);
}

static void upload_drop(struct programs *self, struct upload *upload)
{
    char part[HASH_TEXT_BYTES + 5];
    part_name(part, upload->name);
    unlinkat(self->dir, part, 0);
    close(upload->fd);
    upload->fd = -1;
}

static DIR *list(const struct programs *self)
{
    int fd = openat(self->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
    if (names == NULL) {
        (void)refused("list", ".");
        if (fd >= 0) {
            close(fd);
        }
    }
    return names;
}

/*  What an earlier head left unfinished. */
static int drop_parts(struct programs *self)
{
    DIR *names = list(self);
    if (names == NULL) {
        return ERR_SYSTEM;
    }
    for (struct dirent *file = readdir(names); file != NULL; file = readdir(names)) {
        const char *dot = strrchr(file->d_name, '.');
        if (dot != NULL && strcmp(dot, ".part") == 0) {
            unlinkat(self->dir, file->d_name, 0);
        }
    }
    closedir(names);
    return OK;
}

int programs_open(struct programs **out, const char *dir)
{
    *out = NULL;
    int rc = file_make_dir(dir, 0700);
    if (rc != OK) {
        return rc;
    }
    struct programs *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        self->uploads[i].fd = -1;
    }
    self->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = self->dir >= 0 ? drop_parts(self) : refused("open", dir);
    if (rc != OK) {
        programs_close(&self);
        return rc;
    }
    *out = self;
    return OK;
}

void programs_close(struct programs **programs)
{
    struct programs *self = *programs;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        if (self->uploads[i].fd >= 0) {
            upload_drop(self, &self->uploads[i]);
        }
    }
    if (self->sweep != NULL) {
        closedir(self->sweep);
    }
    if (self->dir >= 0) {
        close(self->dir);
    }
    free(self);
    *programs = NULL;
}

/*  A name that cannot lead out of the folder. */
static bool name_of(struct slice hash, char out[HASH_TEXT_BYTES])
{
    return hash_is_text(hash) && slice_copy_text(hash, out, HASH_TEXT_BYTES);
}

static int open_whole(struct programs *self, const char *name, uint64_t *bytes)
{
    int fd = openat(self->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) != 0) {
        int rc = errno == ENOENT ? ERR_NOT_FOUND : refused("open", name);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    *bytes = (uint64_t)file.st_size;
    return fd;
}

int programs_size(struct programs *self, struct slice hash, uint64_t *bytes)
{
    char name[HASH_TEXT_BYTES];
    *bytes = 0;
    if (!name_of(hash, name)) {
        return ERR_NOT_FOUND;
    }
    int fd = open_whole(self, name, bytes);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return OK;
}

int programs_read(struct programs *self, struct slice hash, uint64_t offset, struct wire *to,
                  uint64_t *total)
{
    char name[HASH_TEXT_BYTES];
    *total = 0;
    if (!name_of(hash, name)) {
        return ERR_NOT_FOUND;
    }
    int fd = open_whole(self, name, total);
    if (fd < 0) {
        return fd;
    }
    ssize_t n = 0;
    if (offset < *total) {
        n = pread(fd, to->p + to->n, to->capacity - to->n, (off_t)offset);
    }
    int rc = n < 0 ? refused("read", name) : OK;
    to->n += n > 0 ? (size_t)n : 0;
    close(fd);
    return rc;
}

/* --- uploads ---------------------------------------------------------------------------------- */

static struct upload *upload_find(struct programs *self, const char *name)
{
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        if (self->uploads[i].fd >= 0 && strcmp(self->uploads[i].name, name) == 0) {
            return &self->uploads[i];
        }
    }
    return NULL;
}

static struct upload *upload_slot(struct programs *self)
{
    struct upload *oldest = &self->uploads[0];
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *upload = &self->uploads[i];
        if (upload->fd < 0) {
            return upload;
        }
        oldest = upload->used < oldest->used ? upload : oldest;
    }
    upload_drop(self, oldest);
    return oldest;
}

static struct upload *upload_begin(struct programs *self, const char *name, uint64_t total)
{
    struct upload *upload = upload_slot(self);
    char part[HASH_TEXT_BYTES + 5];
    part_name(part, name);
    int fd = openat(self->dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0700);
    if (fd < 0) {
        (void)refused("create", name);
        return NULL;
    }
    *upload = (struct upload){ .fd = fd, .total = total };
    memcpy(upload->name, name, HASH_TEXT_BYTES);
    hash_begin(&upload->hash);
    return upload;
}

static int upload_add(struct programs *self, struct upload *upload, struct slice data)
{
    if (data.n > upload->total - upload->have) {
        upload_drop(self, upload);
        return ERR_CONFLICT;
    }
    for (size_t done = 0; done < data.n;) {
        ssize_t n = write(upload->fd, data.p + done, data.n - done);
        if (n < 0 && errno != EINTR) {
            int rc = refused("write", upload->name);
            upload_drop(self, upload);
            return rc;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    hash_add(&upload->hash, data.p, data.n);
    upload->have += data.n;
    return OK;
}

/*  On the disk first, then by its name. */
static int upload_end(struct programs *self, struct upload *upload)
{
    char hash[HASH_TEXT_BYTES];
    char part[HASH_TEXT_BYTES + 5];
    part_name(part, upload->name);
    hash_end(&upload->hash, hash);
    int rc = OK;
    if (strcmp(hash, upload->name) != 0) {
        rc = ERR_CONFLICT;
    } else if (fsync(upload->fd) != 0 || renameat(self->dir, part, self->dir, upload->name) != 0 ||
               fsync(self->dir) != 0) {
        rc = refused("keep", upload->name);
    }
    upload_drop(self, upload);
    return rc;
}

static int upload_piece(struct programs *self, const char *name,
                        const struct msg_program_put *piece, struct msg_program_has *has)
{
    struct upload *upload = upload_find(self, name);
    if (upload != NULL &&
        upload->total != piece->total) { /* one of the two was wrong: begin anew */
        upload_drop(self, upload);
        upload = NULL;
    }
    if (upload == NULL && piece->data.n > 0 && piece->offset == 0) {
        upload = upload_begin(self, name, piece->total);
        if (upload == NULL) {
            return ERR_SYSTEM;
        }
    }
    if (upload == NULL) {
        return OK;
    }
    upload->used = ++self->clock;
    int rc = OK;
    if (piece->data.n > 0 && piece->offset == upload->have) {
        rc = upload_add(self, upload, piece->data);
    }
    if (rc != OK) {
        return rc;
    }
    has->offset = upload->have;
    if (upload->have == upload->total) {
        rc = upload_end(self, upload);
        has->complete = rc == OK;
    }
    return rc;
}

int programs_put(struct programs *self, const struct msg_program_put *piece,
                 struct msg_program_has *has)
{
    *has = (struct msg_program_has){ .seq = piece->seq, .hash = piece->hash };
    char name[HASH_TEXT_BYTES];
    if (!name_of(piece->hash, name) || piece->total == 0 || piece->total > PROGRAM_BYTES_MAX) {
        return ERR_INVALID;
    }
    int rc = programs_size(self, piece->hash, &has->offset);
    if (rc == OK) {
        has->complete = 1;
        return utimensat(self->dir, name, NULL, 0) == 0 ? OK : refused("renew", name);
    }
    return rc == ERR_NOT_FOUND ? upload_piece(self, name, piece, has) : rc;
}

/* --- sweeping --------------------------------------------------------------------------------- */

static bool is_old(struct programs *self, const char *name, uint64_t since_ms)
{
    struct stat file;
    return fstatat(self->dir, name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)file.st_mtim.tv_sec * 1000 + (uint64_t)file.st_mtim.tv_nsec / 1000000 <
               since_ms;
}

/*  First out of its name, which a thread may have given to a new upload just now: that one gets it back. */
static void sweep_one(struct programs *self, const char *name, uint64_t since_ms)
{
    char gone[HASH_TEXT_BYTES + 10]; /* if we are killed here, it goes with the next start */
    snprintf(gone, sizeof(gone), "%s.gone.part", name);
    if (renameat(self->dir, name, self->dir, gone) != 0) {
        (void)refused("sweep", name);
    } else if (!is_old(self, gone, since_ms)) {
        if (renameat(self->dir, gone, self->dir, name) != 0) {
            (void)refused("keep", name);
        }
    } else if (unlinkat(self->dir, gone, 0) != 0) {
        (void)refused("remove", name);
    } else {
        log_info("programs.swept", "program=%s", name);
    }
}

bool programs_sweep(struct programs *self, uint64_t since_ms, programs_named *named, void *context)
{
    self->sweep = self->sweep ? self->sweep : list(self);
    for (int i = 0; self->sweep != NULL && i < SWEEP_FILES; i++) {
        const struct dirent *file = readdir(self->sweep);
        bool is_named = true;
        if (file == NULL) {
            closedir(self->sweep);
            self->sweep = NULL;
        } else if (hash_is_text(slice_text(file->d_name)) && is_old(self, file->d_name, since_ms) &&
                   named(context, file->d_name, &is_named) == OK && !is_named) {
            sweep_one(self, file->d_name, since_ms);
        }
    }
    return self->sweep != NULL;
}
