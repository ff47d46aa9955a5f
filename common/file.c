/*  file.c - folders, atomic writes, locks.  Logs what the system refuses; a missing file is for the
    caller to tell. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/hash.h"
#include "common/log.h"

static int refused(const char *event, const char *path)
{
    log_error(event, "path=\"%s\" error=\"%s\"", path, strerror(errno));
    return ERR_SYSTEM;
}

static int join(char *out, size_t capacity, const char *dir, const char *name)
{
    int n = snprintf(out, capacity, "%s/%s", dir, name);
    return n >= 0 && (size_t)n < capacity ? OK : ERR_TOO_LARGE;
}

int file_path(char *out, size_t capacity, const char *dir, const char *name)
{
    return join(out, capacity, dir, name);
}

/*  A daemon changes its working directory, so a relative path must not survive. */
static int absolute(const char *path, char *out, size_t capacity)
{
    if (path[0] == '/') {
        return slice_copy_text(slice_text(path), out, capacity) ? OK : ERR_TOO_LARGE;
    }
    char here[PATH_BYTES];
    return getcwd(here, sizeof(here)) != NULL ? join(out, capacity, here, path)
                                              : refused("file.cwd", path);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

static const char *home_dir(void)
{
    const char *home = env("HOME");
    if (home != NULL) {
        return home;
    }
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? user->pw_dir : NULL;
}

int state_dir(const char *given, char *out, size_t capacity)
{
    const char *dir = given != NULL && given[0] != 0 ? given : env("RAYC_STATE_DIR");
    if (dir != NULL) {
        return absolute(dir, out, capacity);
    }
    dir = env("XDG_STATE_HOME");
    if (dir != NULL && dir[0] == '/') { /* the specification: a relative one is to be ignored */
        return join(out, capacity, dir, "rayc");
    }
    dir = home_dir();
    return dir != NULL ? join(out, capacity, dir, ".local/state/rayc") : ERR_NOT_FOUND;
}

int config_dir(char *out, size_t capacity)
{
    const char *dir = env("XDG_CONFIG_HOME");
    if (dir != NULL && dir[0] == '/') {
        return join(out, capacity, dir, "rayc");
    }
    dir = home_dir();
    return dir != NULL ? join(out, capacity, dir, ".config/rayc") : ERR_NOT_FOUND;
}

static int make_one(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0) {
        return OK;
    }
    struct stat info;
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return OK;
    }
    return refused("file.make_dir", path);
}

int file_make_dir(const char *path, mode_t mode)
{
    char part[PATH_BYTES];
    if (!slice_copy_text(slice_text(path), part, sizeof(part))) {
        return ERR_TOO_LARGE;
    }
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int rc = make_one(part, mode | S_IWUSR | S_IXUSR);
        if (rc != OK) {
            return rc;
        }
        *slash = '/';
    }
    size_t n = strlen(part);
    return n > 0 && part[n - 1] == '/' ? OK : make_one(part, mode);
}

static bool write_all(int fd, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        from += done;
        n -= (size_t)done;
    }
    return true;
}

/*  A renamed file is there after a power cut only once its folder is synced. */
static bool sync_parent(const char *path)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    struct slice parent = n > 0 ? slice_of(path, n) : slice_text(".");
    if (!slice_copy_text(parent, dir, sizeof(dir))) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return synced;
}

int file_write(const char *path, const void *p, size_t n, mode_t mode)
{
    char temporary[PATH_BYTES];
    int length = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        return ERR_TOO_LARGE;
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return refused("file.write", path);
    }
    bool whole = fchmod(fd, mode) == 0 && write_all(fd, p, n) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && whole) {
        whole = false;
        saved = errno;
    }
    errno = saved;
    if (!whole || rename(temporary, path) != 0) {
        int rc = refused("file.write", path);
        unlink(temporary);
        return rc;
    }
    return sync_parent(path) ? OK : refused("file.write", path);
}

/*  Opens a file to read it; a code below zero, and only a missing one is not logged. */
static int open_existing(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        return fd;
    }
    return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : refused("file.open", path);
}

/*  Reads until `n` bytes or the end of the file. */
static ssize_t read_up_to(int fd, void *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, (uint8_t *)p + have, n - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

int file_read(const char *path, char *out, size_t capacity)
{
    int fd = open_existing(path);
    if (fd < 0) {
        return fd;
    }
    ssize_t n = read_up_to(fd, out, capacity);
    int rc = n < 0 ? refused("file.read", path) : OK;
    close(fd);
    if (rc != OK) {
        return rc;
    }
    if ((size_t)n == capacity) {
        return ERR_TOO_LARGE;
    }
    if (n > 0 && out[n - 1] == '\n') {
        n--;
    }
    out[n] = 0;
    return OK;
}

/*  OFD locks belong to the open file, not to the process: no other close() in this process drops
    them. */
int file_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return refused("file.lock", path);
    }
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0) {
        return fd;
    }
    int rc = errno == EAGAIN || errno == EACCES ? ERR_LOCKED : refused("file.lock", path);
    close(fd);
    return rc;
}

bool file_locked(const char *path)
{
    int fd = open_existing(path);
    if (fd < 0) {
        return false;
    }
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    bool locked = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    return locked;
}

int file_hash(const char *path, char *out65, uint64_t *bytes)
{
    int fd = open_existing(path);
    if (fd < 0) {
        return fd;
    }
    struct hash hash;
    hash_begin(&hash);
    uint64_t total = 0;
    uint8_t chunk[64 * 1024];
    ssize_t n;
    while ((n = read_up_to(fd, chunk, sizeof(chunk))) > 0) {
        hash_add(&hash, chunk, (size_t)n);
        total += (uint64_t)n;
    }
    int rc = n < 0 ? refused("file.hash", path) : OK;
    close(fd);
    if (rc == OK) {
        hash_end(&hash, out65);
        *bytes = total;
    }
    return rc;
}
