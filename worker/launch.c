/*  launch.c - between vfork and execve the child shares our memory and stops us: it makes system calls only, and
    leaves by _exit.  That costs a fraction of fork, and errno comes back through memory.

    The child leads a session of its own and dies with its parent. */
#include "worker/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path_of(const char *const *env)
{
    for (; *env; env++) {
        if (strncmp(*env, "PATH=", 5) == 0) {
            return *env + 5;
        }
    }
    const char *path = getenv("PATH");
    return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

/*  As a shell: a file that may not be executed is remembered, while the search goes on; a folder that may not be
    searched has none. */
static int exec_by_path(const struct launch *self, const char *path)
{
    char file[PATH_MAX];
    int error = ENOENT;
    size_t name = strlen(self->path);
    while (name > 0) {
        size_t n = strcspn(path, ":");
        if (n + 1 + name < sizeof(file)) {
            memcpy(file, n ? path : ".", n ? n : 1);
            n = n ? n : 1;
            file[n] = '/';
            memcpy(file + n + 1, self->path, name + 1);
            execve(file, (char *const *)(uintptr_t)self->argv, (char *const *)(uintptr_t)self->env);
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
                return errno;
            }
            if (errno == EACCES && access(file, F_OK) == 0) {
                error = EACCES;
            }
        }
        path += strcspn(path, ":");
        if (*path++ == '\0') {
            break;
        }
    }
    return error;
}

/*  Raw calls: those of libc would want to tell other threads.  False: errno says why. */
static bool become(uint32_t uid)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, uid, uid, uid) == 0 &&
           syscall(SYS_setresuid, uid, uid, uid) == 0;
}

static _Noreturn void child(struct launch *self, const char *path)
{
    sigset_t none;
    sigemptyset(&none);
    (void)setsid();
    for (uint32_t i = 0; i < self->group_count; i++) {
        if (write(self->groups[i], "0", 1) != 1) {
            self->error = errno;
            _exit(127);
        }
    }
    if (self->uid) {
        struct rlimit limit = { self->processes, self->processes };
        (void)setrlimit(RLIMIT_NPROC, &limit);
        if (!become(self->uid)) {
            self->error = errno;
            _exit(127);
        }
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user would not have kept it */
    if (getppid() != self->parent) {
        _exit(127); /* it died before we asked to be told */
    }
    for (int i = 0; i < SPAWN_FDS_MAX; i++) {
        if (self->fds[i] >= 0) {
            (void)dup2(self->fds[i], i);
        }
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (self->niceness) {
        (void)setpriority(PRIO_PROCESS, 0, (int)self->niceness); /* never below ours: it fails */
    }
    if (self->memory_bytes) {
        struct rlimit limit = { self->memory_bytes, self->memory_bytes };
        (void)setrlimit(RLIMIT_AS, &limit);
    }
    if (self->cwd && chdir(self->cwd)) {
        self->error = errno;
        _exit(127);
    }
    if (path) {
        self->error = exec_by_path(self, path);
    } else {
        execve(self->path, (char *const *)(uintptr_t)self->argv,
               (char *const *)(uintptr_t)self->env);
        self->error = errno;
    }
    _exit(127);
}

static __attribute__((noinline)) pid_t start(struct launch *self, const char *path)
{
    pid_t pid = vfork();
    if (pid == 0) {
        child(self, path);
    }
    return pid;
}

pid_t launch_run(struct launch *self)
{
    self->error = 0;
    pid_t pid = start(self, strchr(self->path, '/') ? NULL : path_of(self->env));
    if (pid < 0) {
        self->error = errno;
    } else if (self->error) {
        (void)waitpid(pid, NULL, 0);
    }
    return pid;
}

/*  Ends with 0 if it could become that user; with `kills`, then all other processes of the user have ended. */
static __attribute__((noinline)) pid_t start_as(uint32_t uid, bool kills)
{
    pid_t pid = vfork();
    if (pid == 0) {
        bool could = become(uid);
        if (could && kills) {
            (void)kill(-1, SIGKILL); /* itself excepted */
        }
        _exit(could ? 0 : 1);
    }
    return pid;
}

int launch_share_user(uint32_t uid)
{
    char path[64];
    snprintf(path, sizeof(path), "/run/rayc/uid-%u", uid);
    (void)mkdir("/run/rayc", 0700);
    int share = uid ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (share >= 0) {
        (void)flock(share, LOCK_SH);
    }
    return share;
}

void launch_leave_user(int share)
{
    if (share >= 0) {
        (void)flock(share, LOCK_UN);
    }
}

void launch_kill_user(uint32_t uid, int share)
{
    bool alone = share < 0 || flock(share, LOCK_EX | LOCK_NB) == 0;
    pid_t pid = uid && alone ? start_as(uid, true) : -1;
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
    }
    launch_leave_user(share);
}

bool launch_can_be(uint32_t uid)
{
    int status = 1;
    pid_t pid = start_as(uid, false);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
