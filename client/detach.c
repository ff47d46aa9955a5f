/*  detach.c - two forks and an exec.  The caller has threads: between fork and exec there are
    system calls only. */
#include "client/detach.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client/failure.h"

enum { LOG_BYTES_MAX = 1 << 20, SIGNALS = 65 };

extern char **environ;

/* --- where programs are ----------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/*  The folder of a file: cuts its name off. */
static bool folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = 0;
    return true;
}

static bool beside_program(const char *name, char path[PATH_BYTES])
{
    char own[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (n <= 0) {
        return false;
    }
    own[n] = 0;
    return folder_of(own) && file_path(path, PATH_BYTES, own, name) == 0 && is_program(path);
}

static bool beside_library(const char *name, char path[PATH_BYTES])
{
    Dl_info info;
    char own[PATH_BYTES], bin[PATH_BYTES];
    if (dladdr((const void *)rayc_any_error, &info) == 0 || info.dli_fname == NULL ||
        realpath(info.dli_fname, own) == NULL || !folder_of(own)) {
        return false;
    }
    return file_path(bin, sizeof(bin), own, "../bin") == 0 &&
           file_path(path, PATH_BYTES, bin, name) == 0 && is_program(path);
}

static bool in_path(const char *name, char path[PATH_BYTES])
{
    const char *folders = getenv("PATH");
    while (folders != NULL && *folders != 0) {
        size_t n = strcspn(folders, ":");
        char folder[PATH_BYTES];
        if (n > 0 && slice_copy_text(slice_of(folders, n), folder, sizeof(folder)) &&
            file_path(path, PATH_BYTES, folder, name) == 0 && is_program(path)) {
            return true;
        }
        folders += n + (folders[n] == ':');
    }
    return false;
}

int detach_find(const char *name, char path[PATH_BYTES])
{
    if (beside_program(name, path) || beside_library(name, path) ||
        (file_path(path, PATH_BYTES, RAYC_BIN_DIR, name) == 0 && is_program(path)) ||
        in_path(name, path)) {
        return OK;
    }
    return failure_say(
        ERR_NOT_FOUND,
        "%s was found neither beside this program nor in %s nor in PATH: install rayc, or "
        "set RAYC_ADDRESS to a running cluster",
        name, RAYC_BIN_DIR);
}

/* --- starting --------------------------------------------------------------------------------- */

/*  Our environment without what is said to a program of a cluster, not to a cluster. */
static char **daemon_environment(void)
{
    static const char *const dropped[] = {
        "RAYC_ADDRESS=", "RAYC_KEY_FILE=",   "RAYC_JOB_ID=",        "RAYC_FENCE=",
        "RAYC_TASK_ID=", "RAYC_ATTEMPT=",    "RAYC_SUBMISSION_ID=", "RAYC_DRIVER=",
        "RAYC_TOKEN=",   "RAYC_TOKEN_FILE=", "RAYC_RUNTIME_ENV="
    };
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **kept = calloc(count + 1, sizeof(*kept));
    ensure(kept != NULL);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        bool drop = false;
        for (size_t j = 0; j < COUNT(dropped); j++) {
            drop = drop || strncmp(environ[i], dropped[j], strlen(dropped[j])) == 0;
        }
        if (!drop) {
            kept[used++] = environ[i];
        }
    }
    return kept;
}

static int open_log(const char *log)
{
    struct stat info;
    bool large = stat(log, &info) == 0 && info.st_size > LOG_BYTES_MAX;
    return open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (large ? O_TRUNC : 0), 0600);
}

static void tell(int fd, int number)
{
    ssize_t n = write(fd, &number, sizeof(number));
    (void)n; /* whoever reads sees the end instead */
}

/*  In the grandchild: everything as it is at the start of a daemon. */
_Noreturn static void become(const char *path, const char *const *argv, char **env, int log,
                             int report)
{
    for (int number = 1; number < SIGNALS; number++) {
        signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    report = dup2(report, STDERR_FILENO + 1);
    fcntl(report, F_SETFD, FD_CLOEXEC);
    close_range((unsigned)report + 1, ~0u, 0);
    execve(path, (char *const *)(uintptr_t)argv, env);
    tell(report, errno);
    _exit(127);
}

/*  What the children report: the process id, then the errno of exec, or the end of the pipe if
    it went well. */
static int read_report(int fd, const char *path)
{
    int pid = 0, error = 0;
    if (read(fd, &pid, sizeof(pid)) != sizeof(pid) || pid <= 0) {
        return failure_say(ERR_SYSTEM, "cannot start %s: fork failed", path);
    }
    if (read(fd, &error, sizeof(error)) == sizeof(error)) {
        return failure_say(ERR_SYSTEM, "cannot start %s: %s", path, strerror(error));
    }
    return pid;
}

int detach_start(const char *path, const char *const *argv, const char *log)
{
    int ends[2];
    int log_fd = open_log(log);
    if (log_fd < 0) {
        return failure_say(ERR_SYSTEM, "cannot write %s: %s", log, strerror(errno));
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(log_fd);
        return failure_say(ERR_SYSTEM, "cannot make a pipe: %s", strerror(errno));
    }
    char **env = daemon_environment();
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            become(path, argv, env, log_fd, ends[1]);
        }
        tell(ends[1], (int)grandchild);
        _exit(0);
    }
    close(ends[1]);
    close(log_fd);
    free(env);
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    int pid = read_report(ends[0], path);
    close(ends[0]);
    return pid;
}
