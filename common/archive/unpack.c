/*  unpack.c - entry by entry, each name opened beneath the root without following links; links are made last, when
    nothing is written any more, and each is then followed once, to see that the kernel stays inside, too. */
#include "common/archive/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/archive/names.h"

enum { NAME_BYTES_MAX = 1024, DEPTH_MAX = 100, BLOCK_BYTES = 1 << 16 };
#define FREE_BYTES (64ull << 20) /* so much may come out of anything */

struct link {
    struct link *next;
    char *target;
    char path[];
};

struct unpacking {
    struct archive *from;
    struct unpack_limits limits;
    int root;
    uint64_t in, bytes; /* of the archive as a file; written so far */
    uint32_t entries;
    struct link *links;
    char *why;
};

struct unpack_limits unpack_limits(void)
{
    return (struct unpack_limits){ 2ull << 30, 100000, 200 };
}

static int fault(const struct unpacking *self, int code, const char *path, const char *what)
{
    snprintf(self->why, UNPACK_WHY_BYTES, "%.300s: %.200s", path, what);
    for (char *p = self->why; *p != 0; p++) { /* a stranger has chosen the name */
        *p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
    }
    return code;
}

static int system_fault(const struct unpacking *self, const char *path)
{
    return fault(self, ERR_SYSTEM, path, strerror(errno));
}

/* --- names ------------------------------------------------------------------------------------ */

/*  A relative path without "." and "//" in it; or what is wrong with it. */
static const char *name_fault(const char *from, char out[NAME_BYTES_MAX])
{
    size_t n = 0;
    int depth = 0;
    if (*from == '/') {
        return "an absolute name";
    }
    for (const char *p = from; *p != 0;) {
        size_t part = strcspn(p, "/");
        bool dot = part == 1 && p[0] == '.';
        if (part == 2 && p[0] == '.' && p[1] == '.') {
            return "a name with .. in it";
        }
        for (size_t i = 0; i < part; i++) {
            if ((unsigned char)p[i] < ' ' || p[i] == 0x7f) {
                return "a name with a control character in it";
            }
        }
        if (part > NAME_MAX || n + part + 2 > NAME_BYTES_MAX || ++depth > DEPTH_MAX) {
            return "a name that is too long or too deep";
        }
        if (part > 0 && !dot) {
            n += n > 0;
            memcpy(out + n, p, part);
            n += part;
            out[n] = '/'; /* ends here, or goes on */
        }
        p += part + (p[part] == '/');
    }
    out[n] = 0;
    return NULL;
}

/*  Does the target of a link at `path`, by its words alone, stay inside? */
static bool target_inside(const char *path, const char *target)
{
    int depth = 0;
    for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
        depth++;
    }
    for (const char *p = target; *p != 0 && depth >= 0;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && p[0] == '.' && p[1] == '.';
        depth += up ? -1 : n == 0 || (n == 1 && *p == '.') ? 0 : 1;
        p += n + (p[n] == '/');
    }
    return *target != '/' && *target != 0 && depth >= 0;
}

/* --- opening beneath the root ------------------------------------------------------------------ */

static int open_beneath(int root, const char *path, uint64_t flags, mode_t mode, uint64_t links)
{
    struct open_how how = { .flags = flags | O_CLOEXEC,
                            .mode = mode,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | links };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static bool no_openat2(int error)
{
    return error == ENOSYS || error == EPERM;
}

/*  The folder that an entry lies in, and its name there; made where it is missing.  By steps that follow no link, where
    the kernel has no openat2() as well as where it has: the root is ours alone until it gets its name. */
static int open_parent(const struct unpacking *self, char *path, const char **name)
{
    char *last = strrchr(path, '/');
    *name = last ? last + 1 : path;
    int at = fcntl(self->root, F_DUPFD_CLOEXEC, 3);
    for (char *p = path; last && p <= last && at >= 0;) {
        char *end = strchr(p, '/');
        *end = 0;
        if (mkdirat(at, p, 0755) != 0 && errno != EEXIST) {
            close(at);
            at = -1;
        }
        int below = -1;
        if (at >= 0) {
            uint64_t flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
            below = open_beneath(at, p, flags, 0, RESOLVE_NO_SYMLINKS);
            if (below < 0 && no_openat2(errno)) {
                below = openat(at, p, (int)flags | O_CLOEXEC);
            }
            int error = errno;
            close(at);
            errno = error;
        }
        at = below;
        *end = '/';
        p = end + 1;
    }
    return at;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int check_bytes(const struct unpacking *self, const char *path)
{
    if (self->bytes > self->limits.bytes_max) {
        return fault(self, ERR_TOO_LARGE, path, "all files together are larger than the limit");
    }
    uint64_t grown = self->in * self->limits.ratio_max;
    if (self->bytes > FREE_BYTES && self->bytes > grown) {
        return fault(self, ERR_TOO_LARGE, path,
                     "it grows to far more than its archive: a bomb, or a file of nothing");
    }
    return OK;
}

static int write_block(struct unpacking *self, int fd, const char *path, struct slice block)
{
    for (size_t done = 0; done < block.n;) {
        ssize_t n = write(fd, block.p + done, block.n - done);
        if (n < 0 && errno != EINTR) {
            return system_fault(self, path);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return OK;
}

static int archive_fault(const struct unpacking *self, const char *path)
{
    const char *text = archive_error_string(self->from);
    return fault(self, ERR_INVALID, path, text ? text : "it is damaged");
}

static int copy_data(struct unpacking *self, int fd, const char *path)
{
    for (int rc = OK; rc == OK;) {
        uint8_t block[BLOCK_BYTES];
        la_ssize_t n = archive_read_data(self->from, block, sizeof(block));
        if (n < 0) {
            return archive_fault(self, path);
        }
        if (n == 0) {
            return OK;
        }
        self->bytes += (uint64_t)n;
        rc = check_bytes(self, path);
        rc = rc == OK ? write_block(self, fd, path, slice_of(block, (size_t)n)) : rc;
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

static int make_file(struct unpacking *self, int parent, const char *name, const char *path)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags, 0600);
    if (fd < 0) {
        return errno == EEXIST ? fault(self, ERR_INVALID, path, "a name that is there twice")
                               : system_fault(self, path);
    }
    int rc = copy_data(self, fd, path);
    return close(fd) == 0 || rc != OK ? rc : system_fault(self, path);
}

static int keep_link(struct unpacking *self, const char *path, const char *target)
{
    if (target == NULL || strlen(target) >= PATH_MAX || !target_inside(path, target)) {
        return fault(self, ERR_INVALID, path, "a link that leads out of the folder");
    }
    size_t n = strlen(path) + 1;
    struct link *link = malloc(sizeof(*link) + n);
    char *copy = strdup(target);
    ensure(link != NULL && copy != NULL);
    link->target = copy;
    memcpy(link->path, path, n);
    link->next = self->links;
    self->links = link;
    return OK;
}

static int make_dir(struct unpacking *self, int parent, const char *name, const char *path)
{
    struct stat is;
    if (mkdirat(parent, name, 0755) == 0) {
        return OK;
    }
    bool there = errno == EEXIST && fstatat(parent, name, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISDIR(is.st_mode);
    return there             ? OK
           : errno == EEXIST ? fault(self, ERR_INVALID, path, "a name that is there twice")
                             : system_fault(self, path);
}

static const char *kind_fault(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry) != NULL) {
        return "a hard link";
    }
    if (archive_entry_is_encrypted(entry)) {
        return "an encrypted file";
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
    case AE_IFLNK:
        return NULL;
    default:
        return "neither a file, a folder nor a link";
    }
}

static int take_entry(struct unpacking *self, struct archive_entry *entry)
{
    char path[NAME_BYTES_MAX];
    const char *given = archive_entry_pathname(entry);
    const char *wrong = given ? name_fault(given, path) : "a name that is not UTF-8";
    wrong = wrong ? wrong : kind_fault(entry);
    if (wrong) {
        return fault(self, ERR_INVALID, given ? given : "?", wrong);
    }
    if (++self->entries > self->limits.entries_max) {
        return fault(self, ERR_TOO_LARGE, path, "more files than the limit");
    }
    if (*path == 0) {
        return OK; /* "./" */
    }
    if (archive_entry_filetype(entry) == AE_IFLNK) {
        return keep_link(self, path, archive_entry_symlink(entry));
    }
    const char *name;
    int parent = open_parent(self, path, &name);
    if (parent < 0) {
        return errno == ENOTDIR ? fault(self, ERR_INVALID, path, "its folder is a file")
                                : system_fault(self, path);
    }
    bool dir = archive_entry_filetype(entry) == AE_IFDIR;
    int rc = dir ? make_dir(self, parent, name, path) : make_file(self, parent, name, path);
    bool runs = dir || (archive_entry_perm(entry) & 0111);
    if (rc == OK && fchmodat(parent, name, runs ? 0755 : 0644, 0) != 0) {
        rc = system_fault(self, path);
    }
    close(parent);
    return rc;
}

static int make_link(struct unpacking *self, struct link *link)
{
    const char *name;
    int parent = open_parent(self, link->path, &name);
    if (parent < 0) {
        return errno == ENOTDIR || errno == ELOOP
                   ? fault(self, ERR_INVALID, link->path, "its folder is a file or a link")
                   : system_fault(self, link->path);
    }
    int rc = OK;
    if (symlinkat(link->target, parent, name) != 0) {
        rc = errno == EEXIST ? fault(self, ERR_INVALID, link->path, "a name that is there twice")
                             : system_fault(self, link->path);
    }
    close(parent);
    return rc;
}

/*  Where a link really leads may depend on other links. */
static int follow_link(struct unpacking *self, const struct link *link)
{
    int fd = open_beneath(self->root, link->path, O_PATH, 0, 0);
    int error = errno;
    if (fd >= 0) {
        close(fd);
        return OK;
    }
    if (no_openat2(error)) {
        return strstr(link->target, "..") == NULL
                   ? OK
                   : fault(self, ERR_INVALID, link->path,
                           "a link with .. in it, which this kernel cannot follow safely");
    }
    return error == ENOENT ? OK
                           : fault(self, ERR_INVALID, link->path,
                                   error == ELOOP ? "a link that leads to itself"
                                                  : "a link that leads out of the folder");
}

static int make_links(struct unpacking *self)
{
    int rc = OK;
    for (struct link *link = self->links; rc == OK && link; link = link->next) {
        rc = make_link(self, link);
    }
    for (struct link *link = self->links; rc == OK && link; link = link->next) {
        rc = follow_link(self, link);
    }
    return rc;
}

static void links_free(struct unpacking *self)
{
    while (self->links) {
        struct link *next = self->links->next;
        free(self->links->target);
        free(self->links);
        self->links = next;
    }
}

static int take_all(struct unpacking *self)
{
    struct archive_entry *entry;
    int rc = OK;
    while (rc == OK) {
        int code = archive_read_next_header(self->from, &entry);
        if (code == ARCHIVE_EOF) {
            return make_links(self);
        }
        rc = code == ARCHIVE_OK || code == ARCHIVE_WARN ? take_entry(self, entry)
                                                        : archive_fault(self, "the archive");
    }
    return rc;
}

static struct archive *reader_new(void)
{
    struct archive *from = archive_read_new();
    ensure(from != NULL);
    archive_read_support_format_zip(from);
    archive_read_support_format_tar(from);
    archive_read_support_filter_gzip(from);
    archive_read_support_filter_zstd(from);
    return from;
}

static int read_all(struct unpacking *self, int opened)
{
    struct names names = names_begin();
    int rc = opened == ARCHIVE_OK ? take_all(self) : archive_fault(self, "the archive");
    links_free(self);
    archive_read_free(self->from);
    names_end(&names);
    return rc;
}

int unpack_bytes(struct slice archive, int root, const struct unpack_limits *limits, char *why)
{
    struct unpacking self = {
        .from = reader_new(), .limits = *limits, .root = root, .in = archive.n, .why = why
    };
    return read_all(&self, archive_read_open_memory(self.from, archive.p, archive.n));
}

int unpack_file(int archive, int root, const struct unpack_limits *limits, char *why)
{
    struct unpacking self = { .from = reader_new(), .limits = *limits, .root = root, .why = why };
    struct stat file = { 0 };
    if (fstat(archive, &file) != 0) {
        int rc = system_fault(&self, "the archive");
        archive_read_free(self.from);
        return rc;
    }
    self.in = (uint64_t)file.st_size;
    return read_all(&self, archive_read_open_fd(self.from, archive, BLOCK_BYTES));
}
