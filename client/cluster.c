/*  cluster.c - finding a head, and keeping an embedded one alive. */
#include "client/cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include "client/detach.h"
#include "client/failure.h"
#include "common/access.h"
#include "common/clock.h"
#include "common/credentials.h"
#include "common/log.h"

enum {
    IPC_ADDRESS_MAX = 100, /* of "ipc://" and a path that fits sockaddr_un */
    START_MS_MAX = 10000,
    BACK_MS_MAX = 3000, /* a head that has died and is started again */
    POLL_MS = 1
};

/*  The files of a state folder that matter here. */
struct state {
    char dir[PATH_BYTES];
    char head_lock[PATH_BYTES], start_lock[PATH_BYTES], head_address[PATH_BYTES], key[PATH_BYTES];
    char head_log[PATH_BYTES], worker_log[PATH_BYTES], worker_pid[PATH_BYTES], head_pid[PATH_BYTES],
        worker_dir[PATH_BYTES];
};

static int state_paths(struct state *out)
{
    int rc = state_dir(NULL, out->dir, sizeof(out->dir));
    const struct {
        char *path;
        const char *name;
    } files[] = {
        { out->head_lock, "head.lock" },       { out->start_lock, "start.lock" },
        { out->head_address, "head.address" }, { out->key, "admin.key" },
        { out->head_log, "head.err" },         { out->worker_log, "worker.err" },
        { out->worker_pid, "worker.pid" },     { out->head_pid, "head.pid" },
        { out->worker_dir, "worker" },
    };
    for (size_t i = 0; i < COUNT(files) && rc == OK; i++) {
        rc = file_path(files[i].path, PATH_BYTES, out->dir, files[i].name);
    }
    return rc == OK
               ? OK
               : failure_say(rc, "there is no folder for the state: set RAYC_STATE_DIR or HOME");
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000 }, NULL);
}

/* --- finding ---------------------------------------------------------------------------------- */

/*  ipc in the state folder if its path is short enough; else a port: the one that a head before
    had, which clients still dial, or one of the head's choice. */
static void embedded_address(const struct state *state, char *out)
{
    int n = snprintf(out, ADDRESS_BYTES_MAX, "ipc://%s/head.sock", state->dir);
    if (n > IPC_ADDRESS_MAX && (file_read(state->head_address, out, ADDRESS_BYTES_MAX) != OK ||
                                strncmp(out, "tcp://127.", 10) != 0)) {
        snprintf(out, ADDRESS_BYTES_MAX, "tcp://127.0.0.1:*");
    }
}

static bool is_ipc(const char *address)
{
    return strncmp(address, "ipc://", 6) == 0;
}

/*  The address that a running head has written.  ERR_NOT_FOUND: none runs. */
static int read_address(const struct state *state, char *address)
{
    uint64_t until_ms = clock_ms() + START_MS_MAX;
    while (file_locked(state->head_lock)) {
        if (file_read(state->head_address, address, ADDRESS_BYTES_MAX) == OK && address[0] != 0) {
            return OK;
        }
        if (clock_ms() >= until_ms) {
            return failure_say(ERR_UNREACHABLE, "a head uses %s but does not listen; see %s",
                               state->dir, state->head_log);
        }
        nap();
    }
    return failure_say(ERR_NOT_FOUND, "no head runs in %s", state->dir);
}

static int load_key(const char *path, struct member_key *key, bool *has_key)
{
    struct diag why = { 0 };
    struct access from = { 0 };
    int rc = access_load(path, &from, &why);
    *has_key = rc == OK && from.has_key;
    *key = from.key;
    explicit_bzero(&from, sizeof(from));
    return rc == OK ? OK
                    : failure_say(rc == ERR_NOT_FOUND ? ERR_KEY : rc, "%s: %s", path,
                                  why.text[0] != 0 ? why.text : err_text(rc));
}

static const char *set_in(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

/*  What `rayc login` has saved.  A file that cannot be used is said here, unless a token is given anyway. */
static int saved_key(const char *address, struct member_key *key, bool *has_key)
{
    struct access saved;
    struct diag why = { 0 };
    int rc = credentials_find(address, &saved, &why);
    *has_key = rc == OK && saved.has_key;
    *key = saved.key;
    explicit_bzero(&saved, sizeof(saved));
    bool given = set_in("RAYC_TOKEN") != NULL || set_in("RAYC_TOKEN_FILE") != NULL;
    return rc == ERR_KEY && !given ? failure_say(rc, "%s", why.text) : OK;
}

/*  $RAYC_KEY_FILE; else that of the state folder if the address is its head's; else the saved one.
    Over ipc there are no keys. */
static int find_key(const struct state *state, const char *address, struct member_key *key,
                    bool *has_key)
{
    *has_key = false;
    if (is_ipc(address)) {
        return OK;
    }
    const char *path = getenv("RAYC_KEY_FILE");
    if (path != NULL && path[0] != 0) {
        return load_key(path, key, has_key);
    }
    char own[ADDRESS_BYTES_MAX];
    if (state != NULL && access(state->key, F_OK) == 0 &&
        file_read(state->head_address, own, sizeof(own)) == OK && strcmp(own, address) == 0) {
        return load_key(state->key, key, has_key);
    }
    return saved_key(address, key, has_key);
}

const char *cluster_wanted(const char *given)
{
    const char *own = given != NULL && given[0] != 0 ? given : set_in("RAYC_ADDRESS");
    const char *rays = set_in("RAY_ADDRESS");
    bool http =
        rays != NULL && (strncmp(rays, "http://", 7) == 0 || strncmp(rays, "https://", 8) == 0);
    return own != NULL ? own : http ? rays : NULL;
}

int cluster_find(const char *given, char address[ADDRESS_BYTES_MAX], struct member_key *key,
                 bool *has_key)
{
    struct state state;
    const char *wanted = cluster_wanted(given);
    bool has_state = state_paths(&state) == OK;
    if (wanted != NULL) {
        if (!slice_copy_text(slice_text(wanted), address, ADDRESS_BYTES_MAX)) {
            return failure_say(ERR_INVALID, "the address is longer than %d bytes",
                               ADDRESS_BYTES_MAX - 1);
        }
    } else {
        int rc = has_state ? read_address(&state, address) : ERR_NOT_FOUND;
        if (rc != OK) {
            return rc;
        }
    }
    return find_key(has_state ? &state : NULL, address, key, has_key);
}

/* --- starting --------------------------------------------------------------------------------- */

static int start_head(const struct state *state, const char *address)
{
    char path[PATH_BYTES];
    int rc = detach_find("rayc-head", path);
    const char *argv[] = { "rayc-head", "--embedded", "--state-dir",   state->dir, "--address",
                           address,     "--pid-file", state->head_pid, NULL };
    return rc == OK ? detach_start(path, argv, state->head_log) : rc;
}

static int start_worker(const struct state *state, const char *address)
{
    char path[PATH_BYTES];
    int rc = detach_find("rayc-worker", path);
    const char *argv[] = { "rayc-worker",     "--embedded", "--head",          address, "--dir",
                           state->worker_dir, "--pid-file", state->worker_pid, NULL };
    return rc == OK ? detach_start(path, argv, state->worker_log) : rc;
}

/*  Is it still that program, and not another one of the same number, or one that only waits to
    be buried? */
static bool process_alive(long pid, const char *name)
{
    char path[64], stat[512], wanted[64];
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    snprintf(wanted, sizeof(wanted), "(%s) ", name);
    if (pid <= 0 || file_read(path, stat, sizeof(stat)) != OK) {
        return false;
    }
    const char *at = strstr(stat, wanted);
    return at != NULL && at[strlen(wanted)] != 'Z' && at[strlen(wanted)] != 'X';
}

static bool worker_alive(const struct state *state)
{
    char text[32];
    return file_read(state->worker_pid, text, sizeof(text)) == OK &&
           process_alive(strtol(text, NULL, 10), "rayc-worker");
}

/*  The last `why` in a log beyond its first `begun` bytes; false: there is none. */
static bool last_why(const char *path, off_t begun, char *out, size_t capacity)
{
    static const char mark[] = " why=\"";
    char tail[4096];
    struct stat info;
    FILE *file = stat(path, &info) == 0 ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return false;
    }
    off_t from = info.st_size - (off_t)sizeof(tail) + 1;
    from = begun <= info.st_size && begun > from ? begun : from > 0 ? from : 0;
    size_t n = fseek(file, from, SEEK_SET) == 0 ? fread(tail, 1, sizeof(tail) - 1, file) : 0;
    fclose(file);
    tail[n] = 0;
    char *found = NULL;
    for (char *at = tail; (at = strstr(at, mark)) != NULL;) {
        at += sizeof(mark) - 1;
        found = at;
    }
    return found != NULL && slice_copy_text(slice_of(found, strcspn(found, "\"\n")), out, capacity);
}

/*  Of a head that has ended, or does not come to listen. */
static int not_started(const struct state *state, bool alive, off_t begun)
{
    char why[512];
    struct statvfs disk;
    bool full = statvfs(state->dir, &disk) == 0 && disk.f_bavail == 0;
    bool said = last_why(state->head_log, begun, why, sizeof(why));
    return failure_say(
        ERR_UNREACHABLE, "the head of %s could not be started: %s; its log is %s", state->dir,
        full    ? "the disk is full: make room, or set RAYC_STATE_DIR to a folder elsewhere"
        : said  ? why
        : alive ? "it does not listen yet"
                : "it has ended",
        state->head_log);
}

/*  Waits until the head that was started listens, or another one has taken its place.  `begun`: bytes of its log before. */
static int wait_listening(const struct state *state, long head, off_t begun)
{
    uint64_t until_ms = clock_ms() + START_MS_MAX;
    while (access(state->head_address, F_OK) != 0 || !file_locked(state->head_lock)) {
        bool alive = process_alive(head, "rayc-head");
        if (!alive && file_locked(state->head_lock)) {
            return OK;
        }
        if (!alive || clock_ms() >= until_ms) {
            return not_started(state, alive, begun);
        }
        nap();
    }
    return OK;
}

/*  Under start.lock: starts what does not run, both at once if the address is known beforehand. */
static int start_missing(const struct state *state, char *address)
{
    embedded_address(state, address);
    int head = 0, worker = 0;
    struct stat log = { 0 };
    if (!file_locked(state->head_lock)) {
        /* of one that was killed: its successor writes it when it listens */
        unlink(state->head_address);
        (void)stat(state->head_log, &log);
        head = start_head(state, address);
        if (head < 0) {
            return head;
        }
    }
    bool early = is_ipc(address);
    bool has_worker = worker_alive(state);
    if (early && !has_worker) {
        worker = start_worker(state, address);
    }
    int rc = head > 0 ? wait_listening(state, head, log.st_size) : OK;
    if (rc != OK && worker > 0 && process_alive(worker, "rayc-worker")) {
        kill(worker, SIGTERM); /* it would wait for a head for minutes */
    }
    if (rc == OK && !early) {
        rc = read_address(state, address);
        worker = rc == OK && !has_worker ? start_worker(state, address) : 0;
    }
    return rc != OK ? rc : worker < 0 ? worker : OK;
}

/*  Takes start.lock, waiting for another program that starts the cluster.  The descriptor, or a
    failure. */
static int take_start_lock(const struct state *state)
{
    uint64_t until_ms = clock_ms() + START_MS_MAX;
    for (;;) {
        int fd = file_lock(state->start_lock);
        if (fd != ERR_LOCKED) {
            return fd >= 0
                       ? fd
                       : failure_say(fd, "cannot lock %s: %s", state->start_lock, strerror(errno));
        }
        if (clock_ms() >= until_ms) {
            return failure_say(ERR_TIMEOUT,
                               "another program has been starting a cluster in %s for %d s",
                               state->dir, START_MS_MAX / 1000);
        }
        nap();
    }
}

/*  Has the head of a cluster that stays died, while its worker waits for it?  One of ours would take its jobs over, and
    that worker would never find it. */
static bool is_orphaned(const struct state *state)
{
    char address[ADDRESS_BYTES_MAX], embedded[ADDRESS_BYTES_MAX];
    embedded_address(state, embedded);
    return !file_locked(state->head_lock) && worker_alive(state) &&
           file_read(state->head_address, address, sizeof(address)) == OK &&
           strcmp(address, embedded) != 0;
}

/*  A head that somebody starts again is back in a moment. */
static int await_head(const struct state *state, char *address)
{
    uint64_t until_ms = clock_ms() + BACK_MS_MAX;
    while (is_orphaned(state)) {
        if (clock_ms() >= until_ms) {
            return failure_say(ERR_UNREACHABLE,
                               "the head of the cluster in %s has died, and its worker waits for "
                               "it: start it again as before ('rayc start --head'), or end the "
                               "worker ('rayc stop')",
                               state->dir);
        }
        nap();
    }
    return read_address(state, address);
}

int cluster_start_embedded(char address[ADDRESS_BYTES_MAX])
{
    struct state state;
    int rc = state_paths(&state);
    if (rc != OK) {
        return rc;
    }
    if (file_make_dir(state.dir, 0700) != OK) {
        return failure_say(ERR_SYSTEM, "cannot make the folder %s: %s", state.dir, strerror(errno));
    }
    if (is_orphaned(&state) && (rc = await_head(&state, address)) != ERR_NOT_FOUND) {
        return rc; /* else its worker has ended */
    }
    int lock = take_start_lock(&state);
    if (lock < 0) {
        return lock;
    }
    rc = start_missing(&state, address);
    close(lock);
    return rc;
}

int cluster_revive(void)
{
    struct state state;
    int rc = state_paths(&state);
    if (rc != OK || (file_locked(state.head_lock) && worker_alive(&state))) {
        return rc;
    }
    int lock = file_lock(state.start_lock);
    if (lock < 0) {
        return OK; /* somebody else is about to */
    }
    char address[ADDRESS_BYTES_MAX];
    rc = start_missing(&state, address);
    close(lock);
    log_info("cluster.revived", "dir=\"%s\" result=%s", state.dir, err_name(rc));
    return rc;
}

bool cluster_is_embedded(const char *address)
{
    struct state state;
    char embedded[ADDRESS_BYTES_MAX];
    if (state_paths(&state) != OK) {
        return false;
    }
    embedded_address(&state, embedded);
    return strcmp(address, embedded) == 0;
}
