/*  unpack.c - opens what the program may touch, starts it, and believes nothing but that it wrote beneath the folder. */
#include "worker/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/tree.h"
#include "worker/launch.h"

struct open {
    int archive, root;
    int why[2]; /* a pipe */
};

static int system_fault(char *why, const char *what)
{
    snprintf(why, UNPACK_WHY_BYTES, "%.300s: %.150s", what, strerror(errno));
    return ERR_SYSTEM;
}

/*  As launch.h wants them: none is taken for another one. */
static int high(int fd)
{
    if (fd < 0 || fd >= SPAWN_FDS_MAX) {
        return fd;
    }
    int above = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
    int error = errno;
    close(fd);
    errno = error;
    return above;
}

static void close_open(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static int open_pipe(struct open *self)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    self->why[0] = high(ends[0]);
    self->why[1] = high(ends[1]);
    return self->why[0] >= 0 && self->why[1] >= 0 ? 0 : -1;
}

/*  Waits until it is readable; false: the time is over. */
static bool wait_readable(int fd, uint64_t until_ms)
{
    struct pollfd one = { fd, POLLIN, 0 };
    for (;;) {
        uint64_t now = clock_ms();
        int rc = now < until_ms ? poll(&one, 1, (int)(until_ms - now)) : 0;
        if (rc == 0 || (rc < 0 && errno != EINTR)) {
            return false;
        }
        if (rc > 0) {
            return true;
        }
    }
}

/*  What it has to say, as long as it may take; a stranger may have chosen the words. */
static void hear(int fd, uint64_t until_ms, char *why)
{
    size_t n = 0;
    for (ssize_t more = 1; more != 0 && n < UNPACK_WHY_BYTES - 1;) {
        if (!wait_readable(fd, until_ms)) {
            break;
        }
        more = read(fd, why + n, UNPACK_WHY_BYTES - 1 - n);
        if (more < 0 && errno != EINTR) {
            break;
        }
        n += more > 0 ? (size_t)more : 0;
    }
    why[n] = 0;
    for (char *p = why; *p != 0; p++) {
        *p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
    }
}

static int code_of(int status, char *why)
{
    int code = WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
    if (WIFEXITED(status) && (code == OK || code == ERR_TOO_LARGE || code == ERR_SYSTEM)) {
        return code;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        snprintf(why, UNPACK_WHY_BYTES, "its unpacking took more than %d s of a processor",
                 UNPACK_CPU_S_MAX);
        return ERR_TIMEOUT;
    }
    if (WIFSIGNALED(status)) {
        snprintf(why, UNPACK_WHY_BYTES, "signal %d ended its unpacking", WTERMSIG(status));
    } else if (why[0] == 0) {
        snprintf(why, UNPACK_WHY_BYTES, "its unpacking ended with status %d", -code);
    }
    return ERR_INVALID;
}

/*  True: it ends by itself.  Else it is killed, and what it said is of no interest.  Where there are no pidfds, one that
    closes its end of the pipe in time is believed to end. */
static bool ends_in_time(pid_t pid, uint64_t until_ms)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool ends = pidfd >= 0 ? wait_readable(pidfd, until_ms) : clock_ms() < until_ms;
    if (pidfd >= 0) {
        close(pidfd);
    }
    if (!ends) {
        kill(-pid, SIGKILL); /* it leads a session of its own, with whatever it has started */
    }
    return ends;
}

static int end_of(pid_t pid, bool in_time, uint32_t ms_max, char *why)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) { /* the worker has ended all its children: spawner_stop() */
            return system_fault(why, "its unpacking");
        }
    }
    if (in_time) {
        return code_of(status, why);
    }
    snprintf(why, UNPACK_WHY_BYTES, "its unpacking took more than %g s", ms_max / 1000.0);
    return ERR_TIMEOUT;
}

static int run(const struct unpack_job *job, struct open *open, char *why)
{
    uint32_t ms_max = job->ms_max > 0 ? job->ms_max : UNPACK_MS_MAX;
    uint64_t until_ms = clock_ms() + ms_max;
    char uid[16];
    snprintf(uid, sizeof(uid), "%" PRIu32, job->uid);
    const char *const argv[] = { job->program, uid, NULL };
    const char *const env[] = { NULL };
    struct launch launch = { .path = job->program, .argv = argv, .env = env, .parent = getpid() };
    for (int i = 0; i < SPAWN_FDS_MAX; i++) {
        launch.fds[i] = -1;
    }
    launch.fds[UNPACK_ARCHIVE] = open->archive;
    launch.fds[UNPACK_WHY] = open->why[1];
    launch.fds[UNPACK_LOG] = STDERR_FILENO;
    launch.fds[UNPACK_ROOT] = open->root;
    pid_t pid = launch_run(&launch);
    close_open(&open->why[1]);
    if (pid < 0 || launch.error) {
        errno = launch.error;
        return system_fault(why, job->program);
    }
    hear(open->why[0], until_ms, why);
    close_open(&open->why[0]); /* whatever more it says: it is not to wait for us */
    return end_of(pid, ends_in_time(pid, until_ms), ms_max, why);
}

static int make(const struct unpack_job *job, int at, const char *part, char *why)
{
    struct open open = { -1, -1, { -1, -1 } };
    int code = mkdirat(at, part, 0755) == 0 ? OK : system_fault(why, part);
    if (code == OK) {
        open.root = high(openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        bool ours = open.root >= 0 && (job->uid == 0 || fchown(open.root, job->uid, job->uid) == 0);
        code = ours && open_pipe(&open) == 0 ? OK : system_fault(why, part);
    }
    if (code == OK) {
        open.archive = high(openat(AT_FDCWD, job->archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        code = open.archive >= 0 ? run(job, &open, why) : system_fault(why, "the archive");
    }
    close_open(&open.archive);
    close_open(&open.root);
    close_open(&open.why[0]);
    close_open(&open.why[1]);
    return code;
}

int unpack_run(const struct unpack_job *job, char *why)
{
    char part[NAME_MAX + 1];
    int at = open(job->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return system_fault(why, job->dir);
    }
    snprintf(part, sizeof(part), "%.200s.part", job->name);
    remove_tree(at, part);
    int code = make(job, at, part, why);
    if (code == OK && renameat2(at, part, at, job->name, RENAME_NOREPLACE) != 0 &&
        errno != EEXIST) {
        code = system_fault(why, job->name);
    }
    remove_tree(at, part);
    close(at);
    return code;
}
