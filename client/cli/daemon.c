/*  daemon.c - starting and ending rayc-head and rayc-worker. */
#include "client/cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"

enum { STOP_MS = 20000, READER_MS = 15000, LOG_TAIL = 1500 };

static const char *const words[] = { [DAEMON_HEAD] = "head", [DAEMON_WORKER] = "worker" };
static const char *const names[] = { [DAEMON_HEAD] = "rayc-head", [DAEMON_WORKER] = "rayc-worker" };

const char *daemon_name(enum daemon_kind kind)
{
    return names[kind];
}

void daemon_arg(struct daemon_args *self, const char *name, const char *value)
{
    ensure(self->count + 2 <= DAEMON_ARGS_MAX);
    self->texts[self->count++] = name;
    if (value) {
        self->texts[self->count++] = value;
    }
    self->texts[self->count] = NULL;
}

const char *daemon_path(const struct cli *cli, enum daemon_kind kind, const char *suffix,
                        char out[PATH_BYTES])
{
    char name[32];
    snprintf(name, sizeof(name), "%s.%s", words[kind], suffix);
    return file_path(out, PATH_BYTES, cli->state_dir, name) == OK ? out : "/dev/null";
}

/*  The name of a process of this user's that hides the rest: the daemons do. */
static bool name_of(pid_t pid, char exe[PATH_BYTES])
{
    char path[64], text[4096], name[32];
    unsigned uid;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    const char *line = file_read(path, text, sizeof(text)) == OK ? strstr(text, "\nUid:") : NULL;
    if (!line || sscanf(line, "\nUid: %u", &uid) != 1 || uid != geteuid() ||
        sscanf(text, "Name: %31s", name) != 1) {
        return false;
    }
    snprintf(exe, PATH_BYTES, "%s", name);
    return true;
}

/*  The program of a process, without the mark of a deleted file. */
static bool program_of(pid_t pid, char exe[PATH_BYTES])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(link, exe, PATH_BYTES - 1);
    if (n <= 0) {
        int saved = errno;
        bool known = saved == EACCES && name_of(pid, exe);
        errno = saved;
        return known;
    }
    exe[n] = 0;
    char *deleted = strstr(exe, " (deleted)");
    if (deleted) {
        *deleted = 0;
    }
    return true;
}

enum daemon_state daemon_look(const struct cli *cli, enum daemon_kind kind, pid_t *pid,
                              char exe[PATH_BYTES])
{
    char path[PATH_BYTES];
    char text[32];
    if (file_read(daemon_path(cli, kind, "pid", path), text, sizeof(text)) != OK) {
        return DAEMON_NONE;
    }
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || (*end && *end != '\n') || value <= 1 || value > INT_MAX) {
        return DAEMON_NONE;
    }
    *pid = (pid_t)value;
    if (kill(*pid, 0) != 0 && errno == ESRCH) {
        return DAEMON_NONE;
    }
    if (!program_of(*pid, exe)) {
        bool gone = errno == ENOENT; /* or it has ended, and only waits to be buried */
        snprintf(exe, PATH_BYTES, "a process of another user");
        return gone ? DAEMON_NONE : DAEMON_FOREIGN;
    }
    const char *base = strrchr(exe, '/');
    return strcmp(base ? base + 1 : exe, names[kind]) == 0 ? DAEMON_RUNS : DAEMON_FOREIGN;
}

static bool program_beside(enum daemon_kind kind, char out[PATH_BYTES])
{
    if (!program_of(getpid(), out)) {
        return false;
    }
    char *slash = strrchr(out, '/');
    size_t n = slash ? (size_t)(slash + 1 - out) : 0;
    return snprintf(out + n, PATH_BYTES - n, "%s", names[kind]) < (int)(PATH_BYTES - n) &&
           access(out, X_OK) == 0;
}

/*  In the child. */
_Noreturn static void become(const char *program, const struct daemon_args *args, int log,
                             bool block, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
    }
    if (block) {
        prctl(PR_SET_PDEATHSIG, SIGINT);
        if (getppid() != parent) {
            _exit(1);
        }
        setpgid(0, 0); /* Ctrl-C is for us: we end the worker before the head */
    } else {
        setsid();
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execv(program, (char *const *)(uintptr_t)args->texts);
    dprintf(STDERR_FILENO, "%s: cannot be executed: %s\n", program, strerror(errno));
    _exit(127);
}

int daemon_start(const struct cli *cli, enum daemon_kind kind, const struct daemon_args *args,
                 bool block, pid_t *pid)
{
    char program[PATH_BYTES], path[PATH_BYTES];
    if (!program_beside(kind, program)) {
        return fail(cli, ERR_NOT_FOUND,
                    "%s is not beside rayc (looked at %s): is rayc installed whole?", names[kind],
                    program);
    }
    daemon_path(cli, kind, "log", path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return fail(cli, ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    }
    struct daemon_args whole = { .count = 0 };
    daemon_arg(&whole, program, NULL);
    for (int i = 0; i < args->count; i++) {
        daemon_arg(&whole, args->texts[i], NULL);
    }
    fflush(NULL);
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0) {
        become(program, &whole, log, block, parent);
    }
    int error = errno;
    close(log);
    if (*pid < 0) {
        return fail(cli, ERR_SYSTEM, "cannot start %s: %s", program, strerror(error));
    }
    detail(cli, "started %s, pid %d", program, (int)*pid);
    return 0;
}

/*  The last lines of a log, into `out`. */
static void log_tail(const char *path, char *out, size_t capacity)
{
    out[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)capacity - 1 ? size - ((off_t)capacity - 1) : 0;
    ssize_t n = pread(fd, out, capacity - 1, from);
    close(fd);
    out[n > 0 ? n : 0] = 0;
    while (n > 0 && out[n - 1] == '\n') {
        out[--n] = 0;
    }
    char *first = out; /* the last five lines are enough */
    int lines = 0;
    for (ssize_t i = n; i > 0 && lines < 5; i--) {
        if (out[i - 1] == '\n' && ++lines == 5) {
            first = out + i;
        }
    }
    memmove(out, first, strlen(first) + 1);
}

bool daemon_died(const struct cli *cli, enum daemon_kind kind, pid_t pid, int *exit_code)
{
    int status;
    if (waitpid(pid, &status, WNOHANG) != pid) {
        return false;
    }
    char path[PATH_BYTES], tail[LOG_TAIL];
    log_tail(daemon_path(cli, kind, "log", path), tail, sizeof(tail));
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    int own = code == err_exit(ERR_LOCKED)        ? ERR_LOCKED
              : code == err_exit(ERR_STORE)       ? ERR_STORE
              : code == err_exit(ERR_STORE_NEWER) ? ERR_STORE_NEWER
              : code == err_exit(ERR_KEY)         ? ERR_KEY
              : code == err_exit(ERR_INVALID)     ? ERR_INVALID
                                                  : ERR_SYSTEM;
    *exit_code =
        fail(cli, own, "%s has ended at once (%s %d)%s%s\n(%s)", names[kind],
             WIFSIGNALED(status) ? "signal" : "exit status",
             WIFSIGNALED(status) ? WTERMSIG(status) : code, tail[0] ? ":\n" : "", tail, path);
    return true;
}

/*  Waits until a process has ended; it may be our child, or a stranger's. */
static bool wait_end(int pidfd, int timeout_ms)
{
    struct pollfd fd = { pidfd, POLLIN, 0 };
    uint64_t until = clock_ms() + (uint64_t)timeout_ms;
    for (;;) {
        uint64_t now = clock_ms();
        int n = poll(&fd, 1, now < until ? (int)(until - now) : 0);
        if (n > 0) {
            return true;
        }
        if (n == 0 || errno != EINTR) {
            return false;
        }
    }
}

void daemon_forget(const struct cli *cli, enum daemon_kind kind, pid_t ended)
{
    char path[PATH_BYTES], text[32];
    daemon_path(cli, kind, "pid", path);
    if (file_read(path, text, sizeof(text)) != OK || strtol(text, NULL, 10) != ended) {
        return; /* gone already, or of a new one */
    }
    unlink(path);
    if (kind == DAEMON_HEAD) {
        unlink(daemon_path(cli, kind, "address", path));
    }
}

static int end_process(const struct cli *cli, enum daemon_kind kind, pid_t pid, int pidfd,
                       bool force)
{
    if (pidfd_send_signal(pidfd, force ? SIGKILL : SIGINT, NULL, 0) != 0 && errno != ESRCH) {
        return fail(cli, ERR_SYSTEM, "cannot signal %s, pid %d: %s", names[kind], (int)pid,
                    strerror(errno));
    }
    if (!wait_end(pidfd, STOP_MS)) {
        return fail(cli, ERR_TIMEOUT,
                    "%s, pid %d, has not ended in %d s: 'rayc stop --force' kills it", names[kind],
                    (int)pid, STOP_MS / 1000);
    }
    waitpid(pid, NULL, WNOHANG); /* if it is our child */
    daemon_forget(cli, kind, pid);
    return 0;
}

int daemon_stop(const struct cli *cli, enum daemon_kind kind, bool force, bool *stopped)
{
    char exe[PATH_BYTES];
    pid_t pid;
    *stopped = false;
    enum daemon_state state = daemon_look(cli, kind, &pid, exe);
    int pidfd = state == DAEMON_RUNS ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0) { /* from here on the pid cannot become another's: look again */
        state = daemon_look(cli, kind, &pid, exe);
    }
    if (state == DAEMON_FOREIGN) {
        return fail(
            cli, ERR_CONFLICT,
            "%s.pid names pid %d, which is %s now and not %s: not stopped; remove the file if "
            "the %s is gone",
            words[kind], (int)pid, exe, names[kind], words[kind]);
    }
    int exit_code = 0;
    if (state == DAEMON_RUNS && pidfd < 0 && errno != ESRCH) {
        exit_code = fail(cli, ERR_SYSTEM, "cannot watch pid %d: %s", (int)pid, strerror(errno));
    } else if (state == DAEMON_RUNS && pidfd >= 0) {
        exit_code = end_process(cli, kind, pid, pidfd, force);
        *stopped = exit_code == 0;
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return exit_code;
}

/*  Where every embedded head listens (client/cluster.c): a program that needs a worker, too, will expect it there. */
static const char *embedded_address(const struct cli *cli, char *out, size_t capacity)
{
    enum { SOCKET_BYTES_MAX = 100 };
    int n = snprintf(out, capacity, "ipc://%s/head.sock", cli->state_dir);
    if (n < 0 || n > SOCKET_BYTES_MAX) {
        snprintf(out, capacity, "tcp://127.0.0.1:*");
    }
    return out;
}

int daemon_start_reader(const struct cli *cli, char *address, size_t capacity)
{
    char path[PATH_BYTES], lock[PATH_BYTES];
    struct daemon_args args = { .count = 0 };
    daemon_arg(&args, "--embedded", NULL);
    daemon_arg(&args, "--address", embedded_address(cli, address, capacity));
    daemon_arg(&args, "--state-dir", cli->state_dir);
    daemon_arg(&args, "--pid-file", daemon_path(cli, DAEMON_HEAD, "pid", path));
    pid_t pid;
    int exit_code = daemon_start(cli, DAEMON_HEAD, &args, false, &pid);
    if (exit_code || file_path(lock, sizeof(lock), cli->state_dir, "head.lock") != OK) {
        return exit_code;
    }
    char file[PATH_BYTES];
    daemon_path(cli, DAEMON_HEAD, "address", file);
    uint64_t until = clock_ms() + READER_MS;
    while (clock_ms() <
           until) { /* another head may have been quicker: then ours ends, and that one serves */
        if (file_locked(lock) && file_read(file, address, capacity) == OK && address[0]) {
            return 0;
        }
        if (!file_locked(lock) && daemon_died(cli, DAEMON_HEAD, pid, &exit_code)) {
            return exit_code;
        }
        poll(NULL, 0, 5);
    }
    return fail(cli, ERR_UNREACHABLE, "rayc-head does not answer; see %s",
                daemon_path(cli, DAEMON_HEAD, "log", path));
}
