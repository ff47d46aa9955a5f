/*  key.c - czmq's zcert for what is in a key file; our own rules about who may have written or read
    it. */
#include "common/key.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"

/*  Opens a file of a folder.  A link may lead on within the folder (Kubernetes mounts secrets so),
    not out of it. */
static int open_beneath(const char *path)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    struct slice parent = slash != NULL ? slice_of(path, (size_t)(name - path)) : slice_text(".");
    if (!slice_copy_text(parent, dir, sizeof(dir))) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC); /* it need not be readable */
    if (folder < 0) {
        return -1;
    }
    const uint64_t flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct open_how how = { .flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) { /* an older kernel, a sandbox: no links */
        fd = openat(folder, name, (int)flags | O_NOFOLLOW);
    }
    int saved = errno;
    close(folder);
    errno = saved;
    return fd;
}

/*  What is wrong with the file as a place for a secret; NULL: nothing.  Others may not read it, nor
    may another user have written it.  A file of root's may be read by a group: so Kubernetes gives
    secrets to pods that are not root. */
static const char *refuse(int fd, size_t bytes_max)
{
    struct stat info;
    ensure(fstat(fd, &info) == 0);
    if (!S_ISREG(info.st_mode)) {
        return "is not a regular file";
    }
    if (info.st_uid != 0 && info.st_uid != geteuid()) {
        return "belongs to another user";
    }
    mode_t allowed = info.st_uid == 0 && geteuid() != 0 ? 0740 : 0700;
    if ((info.st_mode & 0777 & ~allowed) != 0) {
        return "can be read or written by others; chmod 600 it";
    }
    return (size_t)info.st_size > bytes_max ? "is too large for a key" : NULL;
}

bool key_take(const char *public_text, const char *secret_text, struct cluster_key *out)
{
    char derived[41];
    return strlen(public_text) == 40 && strlen(secret_text) == 40 &&
           zmq_curve_public(derived, secret_text) == 0 && strcmp(derived, public_text) == 0 &&
           slice_copy_text(slice_text(public_text), out->public_text, sizeof(out->public_text)) &&
           slice_copy_text(slice_text(secret_text), out->secret_text, sizeof(out->secret_text));
}

static int refused(const char *path, const char *problem, struct diag *why)
{
    *why = (struct diag){ .field = "key" };
    snprintf(why->text, sizeof(why->text), "key file %.90s: %s", path, problem);
    return ERR_KEY;
}

int key_read(const char *path, char *text, size_t capacity, struct diag *why)
{
    int fd = open_beneath(path);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return ERR_NOT_FOUND;
    }
    if (fd < 0) {
        bool leaves = errno == EXDEV || errno == ELOOP;
        return refused(path, leaves ? "is a link that leaves its folder" : strerror(errno), why);
    }
    const char *problem = refuse(fd, capacity - 1);
    ssize_t n = problem == NULL ? read(fd, text, capacity - 1) : 0;
    close(fd);
    if (n < 0) {
        problem = "cannot be read";
    }
    text[n > 0 ? n : 0] = 0;
    return problem == NULL ? OK : refused(path, problem, why);
}

/*  zcert_load() only takes a path, which may be another file by now, and prefers PATH_secret. */
int key_load(const char *path, struct cluster_key *out, struct diag *why)
{
    char text[KEY_FILE_BYTES_MAX + 1];
    int rc = key_read(path, text, sizeof(text), why);
    if (rc != OK) {
        return rc;
    }
    const char *problem = NULL;
    zconfig_t *root = zconfig_str_load(text);
    if (root == NULL || !key_take(zconfig_get(root, "/curve/public-key", ""),
                                  zconfig_get(root, "/curve/secret-key", ""), out)) {
        problem = "is not a key with a public and a secret part";
    } else if (zconfig_get(root, "/curve/server-key", NULL) != NULL) {
        problem = "is an access file; a head has a key of its own";
    }
    zconfig_destroy(&root);
    explicit_bzero(text, sizeof(text));
    return problem == NULL ? OK : refused(path, problem, why);
}

/*  Gives the whole, synced file its name, unless the name is taken. */
static int publish(const char *temporary, const char *path)
{
    int fd = open(temporary, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && fsync(fd) == 0 && link(temporary, path) == 0;
    int rc = good ? OK : errno == EEXIST ? ERR_CONFLICT : ERR_SYSTEM;
    if (rc == ERR_SYSTEM) {
        log_error("key.write", "path=\"%s\" error=\"%s\"", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static zcert_t *new_pair(struct cluster_key *out)
{
    zcert_t *cert = zcert_new();
    ensure(cert != NULL && key_take(zcert_public_txt(cert), zcert_secret_txt(cert), out));
    return cert;
}

void key_new(struct cluster_key *out)
{
    zcert_t *cert = new_pair(out);
    zcert_destroy(&cert);
}

int key_make(const char *path, struct cluster_key *out)
{
    char temporary[PATH_BYTES];
    int length = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        return ERR_TOO_LARGE;
    }
    int fd = mkostemp(temporary, O_CLOEXEC); /* of mode 0600, before there is a secret in it */
    if (fd < 0) {
        log_error("key.write", "path=\"%s\" error=\"%s\"", path, strerror(errno));
        return ERR_SYSTEM;
    }
    close(fd);
    zcert_t *cert = new_pair(out);
    int rc = ERR_SYSTEM;
    if (zcert_save_secret(cert, temporary) != 0) {
        log_error("key.write", "path=\"%s\" error=\"cannot write the key\"", path);
    } else {
        rc = publish(temporary, path);
    }
    zcert_destroy(&cert);
    unlink(temporary);
    if (rc != OK) {
        *out = (struct cluster_key){ 0 };
    }
    return rc;
}
