/*  pack.c - a walk makes a list, the list is sorted, and each file is read once. */
#include "common/archive/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/archive/ignore.h"
#include "common/archive/names.h"

enum { RULES_BYTES_MAX = 1 << 20, DEPTH_MAX = 100, LARGEST = 5, PIECE_BYTES = 1 << 16 };

struct found {
    char *path; /* relative */
    mode_t mode;
    uint64_t bytes;
};

struct walk {
    int root;
    const struct pack_options *options;
    struct ignore *ignore;
    struct found *found;
    size_t count, room;
    uint64_t bytes;
    char *why;
};

static int fault(const struct walk *self, int code, const char *path, const char *what)
{
    snprintf(self->why, PACK_WHY_BYTES, "%.700s: %.200s", *path ? path : ".", what);
    return code;
}

/* --- links ------------------------------------------------------------------------------------ */

/*  Does a link at `path` lead to a place in the folder, by its words alone? */
static bool stays_inside(const char *path, const char *target)
{
    int depth = 0;
    for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
        depth++;
    }
    if (*target == '/' || *target == 0) {
        return false;
    }
    for (const char *p = target; *p != 0;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && p[0] == '.' && p[1] == '.';
        depth += up ? -1 : n == 0 || (n == 1 && *p == '.') ? 0 : 1;
        if (depth < 0) {
            return false;
        }
        p += n + (p[n] == '/');
    }
    return true;
}

static int check_link(const struct walk *self, const char *path, char target[PATH_MAX])
{
    ssize_t n = readlinkat(self->root, path, target, PATH_MAX - 1);
    if (n < 0) {
        return fault(self, ERR_SYSTEM, path, strerror(errno));
    }
    target[n] = 0;
    if (!stays_inside(path, target)) {
        return fault(
            self, ERR_INVALID, path,
            "a link that leads out of the folder: copy what it names, or leave it out with "
            ".raycignore");
    }
    return OK;
}

/* --- the walk --------------------------------------------------------------------------------- */

static int take(struct walk *self, const char *path, const struct stat *file)
{
    char target[PATH_MAX];
    int rc = S_ISLNK(file->st_mode) ? check_link(self, path, target) : OK;
    if (rc != OK) {
        return rc;
    }
    if (self->count == PACK_ENTRIES_MAX) {
        return fault(self, ERR_TOO_LARGE, path, "the folder has more than 100000 files");
    }
    if (self->count == self->room) {
        self->room = self->room == 0 ? 256 : self->room * 2;
        self->found = realloc(self->found, self->room * sizeof(*self->found));
        ensure(self->found != NULL);
    }
    uint64_t bytes = S_ISREG(file->st_mode) ? (uint64_t)file->st_size : 0;
    self->found[self->count++] = (struct found){ strdup(path), file->st_mode, bytes };
    ensure(self->found[self->count - 1].path != NULL);
    self->bytes += bytes;
    return OK;
}

static void read_rules(struct walk *self, int dir, const char *path)
{
    static const char *const names[] = { ".gitignore", ".rayignore", ".raycignore" };
    char *text = NULL;
    for (size_t i = self->options->no_gitignore ? 1 : 0; i < COUNT(names); i++) {
        int fd = openat(dir, names[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        text = text != NULL || fd < 0 ? text : malloc(RULES_BYTES_MAX);
        ssize_t n = fd >= 0 && text != NULL ? read(fd, text, RULES_BYTES_MAX) : 0;
        if (n > 0) {
            ignore_add(self->ignore, path, slice_of(text, (size_t)n));
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    free(text);
}

static int walk(struct walk *self, const char *path, int depth);

static int visit(struct walk *self, const char *path, int depth)
{
    struct stat file;
    if (fstatat(self->root, path, &file, AT_SYMLINK_NOFOLLOW) != 0) {
        return fault(self, ERR_SYSTEM, path, strerror(errno));
    }
    bool known = S_ISREG(file.st_mode) || S_ISDIR(file.st_mode) || S_ISLNK(file.st_mode);
    if (!known || ignore_hides(self->ignore, path, S_ISDIR(file.st_mode))) {
        return OK;
    }
    int rc = take(self, path, &file);
    return rc == OK && S_ISDIR(file.st_mode) ? walk(self, path, depth + 1) : rc;
}

static int walk(struct walk *self, const char *path, int depth)
{
    if (depth > DEPTH_MAX) {
        return fault(self, ERR_TOO_LARGE, path, "more than 100 folders deep");
    }
    int fd =
        openat(self->root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        int rc = fault(self, ERR_SYSTEM, path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    read_rules(self, fd, path);
    int rc = OK;
    struct dirent *entry;
    while (rc == OK && (entry = readdir(folder)) != NULL) {
        char child[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        int n = snprintf(child, sizeof(child), "%s%s%s", path, *path ? "/" : "", entry->d_name);
        rc = n < (int)sizeof(child) ? visit(self, child, depth)
                                    : fault(self, ERR_TOO_LARGE, path, "its paths are too long");
    }
    closedir(folder);
    ignore_leave(self->ignore, path);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static int by_bytes(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : by_path(a, b);
}

static int check_bytes(struct walk *self)
{
    uint64_t most = self->options->bytes_max > 0 ? self->options->bytes_max : PACK_BYTES_MAX;
    if (self->bytes <= most) {
        return OK;
    }
    qsort(self->found, self->count, sizeof(*self->found), by_bytes);
    size_t n = (size_t)snprintf(self->why, PACK_WHY_BYTES,
                                "the folder has %.1f MiB, more than %.1f: leave something out with "
                                ".raycignore.  The largest files:",
                                (double)self->bytes / (1 << 20), (double)most / (1 << 20));
    for (size_t i = 0; i < LARGEST && i < self->count && n < PACK_WHY_BYTES; i++) {
        n += (size_t)snprintf(self->why + n, PACK_WHY_BYTES - n, " %.120s (%.1f MiB)",
                              self->found[i].path, (double)self->found[i].bytes / (1 << 20));
    }
    return ERR_TOO_LARGE;
}

static void walk_fini(struct walk *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->found[i].path);
    }
    free(self->found);
    ignore_destroy(&self->ignore);
    if (self->root >= 0) {
        close(self->root);
    }
}

static int walk_all(struct walk *self, const char *dir, const struct pack_options *options,
                    char *why)
{
    *self = (struct walk){ .options = options, .ignore = ignore_new(), .why = why };
    self->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *const *pattern = options->excludes; pattern && *pattern; pattern++) {
        ignore_exclude(self->ignore, *pattern);
    }
    if (self->root < 0) {
        int code = errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
        snprintf(why, PACK_WHY_BYTES, "%.700s: %.200s", dir, strerror(errno));
        return code;
    }
    int rc = walk(self, "", 0);
    rc = rc == OK ? check_bytes(self) : rc;
    if (rc == OK) {
        qsort(self->found, self->count, sizeof(*self->found), by_path);
    }
    return rc;
}

/* --- the archive ------------------------------------------------------------------------------ */

static int archive_fault(const struct walk *self, struct archive *to)
{
    snprintf(self->why, PACK_WHY_BYTES, "the archive cannot be written: %s",
             archive_error_string(to) ? archive_error_string(to) : "unknown error");
    return ERR_SYSTEM;
}

static int copy_file(const struct walk *self, struct archive *to, const struct found *file)
{
    static const char changed[] = "it changed while it was read: is something still writing it?";
    uint8_t bytes[PIECE_BYTES];
    int fd = openat(self->root, file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return fault(self, ERR_SYSTEM, file->path, strerror(errno));
    }
    int rc = OK;
    uint64_t done = 0;
    for (ssize_t n = 1; rc == OK && n != 0;) {
        n = read(fd, bytes, sizeof(bytes));
        if (n < 0) {
            rc = fault(self, ERR_SYSTEM, file->path, strerror(errno));
        } else if (done + (uint64_t)n > file->bytes) {
            rc = fault(self, ERR_CONFLICT, file->path, changed);
        } else if (n > 0 && archive_write_data(to, bytes, (size_t)n) != n) {
            rc = archive_fault(self, to);
        }
        done += n > 0 ? (uint64_t)n : 0;
    }
    close(fd);
    return rc == OK && done != file->bytes ? fault(self, ERR_CONFLICT, file->path, changed) : rc;
}

static int write_entry(const struct walk *self, struct archive *to, const char *prefix,
                       const struct found *file)
{
    char name[PATH_MAX + NAME_MAX + 2], target[PATH_MAX];
    bool link = S_ISLNK(file->mode), dir = S_ISDIR(file->mode);
    int rc = link ? check_link(self, file->path, target) : OK;
    struct archive_entry *entry = rc == OK ? archive_entry_new() : NULL;
    if (entry == NULL) {
        return rc == OK ? ERR_MEMORY : rc;
    }
    snprintf(name, sizeof(name), "%s%s", prefix, file->path);
    archive_entry_copy_pathname(entry, name);
    archive_entry_set_filetype(entry, link ? AE_IFLNK : dir ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, dir || link || (file->mode & S_IXUSR) ? 0755 : 0644);
    archive_entry_set_size(entry, (la_int64_t)file->bytes);
    if (link) {
        archive_entry_copy_symlink(entry, target);
        archive_entry_set_size(entry, (la_int64_t)strlen(target));
    }
    rc = archive_write_header(to, entry) == ARCHIVE_OK ? OK : archive_fault(self, to);
    archive_entry_free(entry);
    return rc == OK && S_ISREG(file->mode) ? copy_file(self, to, file) : rc;
}

/*  The name of the folder itself, and a slash; of ".", too. */
static void prefix_of(const char *dir, char out[NAME_MAX + 2])
{
    char whole[PATH_MAX];
    const char *name = realpath(dir, whole) ? strrchr(whole, '/') + 1 : "";
    snprintf(out, NAME_MAX + 2, "%.*s%s", NAME_MAX, name, *name ? "/" : "");
}

static int write_all(const struct walk *self, const char *prefix, int fd)
{
    struct archive *to = archive_write_new();
    if (to == NULL) {
        return ERR_MEMORY;
    }
    struct names names = names_begin();
    int rc = archive_write_set_format_zip(to) == ARCHIVE_OK &&
                     archive_write_set_options(to, "zip:compression=deflate") == ARCHIVE_OK &&
                     archive_write_open_fd(to, fd) == ARCHIVE_OK
                 ? OK
                 : archive_fault(self, to);
    for (size_t i = 0; rc == OK && i < self->count; i++) {
        rc = write_entry(self, to, prefix, &self->found[i]);
    }
    if (rc == OK && archive_write_close(to) != ARCHIVE_OK) {
        rc = archive_fault(self, to);
    }
    archive_write_free(to);
    names_end(&names);
    return rc;
}

int pack_folder(const char *dir, const struct pack_options *options, int fd, struct packed *packed,
                char *why)
{
    struct walk self;
    char prefix[NAME_MAX + 2] = "";
    int rc = walk_all(&self, dir, options, why);
    if (options->keep_name) {
        prefix_of(dir, prefix);
    }
    rc = rc == OK ? write_all(&self, prefix, fd) : rc;
    *packed = (struct packed){ self.count, self.bytes };
    walk_fini(&self);
    return rc;
}

int pack_list(const char *dir, const struct pack_options *options, pack_each *each, void *context,
              char *why)
{
    struct walk self;
    int rc = walk_all(&self, dir, options, why);
    for (size_t i = 0; rc == OK && i < self.count; i++) {
        each(context, self.found[i].path, self.found[i].bytes);
    }
    walk_fini(&self);
    return rc;
}
