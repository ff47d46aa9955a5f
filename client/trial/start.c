/*  start.c - what a command finds when it starts as a trial: folders, environment, descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/checkpoint.h"
#include "client/task.h"
#include "client/trial.h"
#include "client/trial/run.h"

enum { CODE_NOT_FOUND = 127, CODE_NOT_STARTED = 126, CODE_WRONG = 2 };

static const char *text_of(const struct run *self, const char *key)
{
    const char *text = json_string_value(json_object_get(self->root, key));
    return text != NULL ? text : "";
}

static int fail_system(struct run *self, const char *what, const char *name)
{
    return rayc_fail(self->task, CODE_NOT_STARTED, "trial %u: cannot %s %s: %s", self->number, what,
                     name, strerror(errno));
}

/* --- what the argument says --------------------------------------------------------------------- */

static int read_argv(struct run *self)
{
    const json_t *list = json_object_get(self->root, "argv");
    size_t count = json_array_size(list);
    self->argv = calloc(count + 1, sizeof(*self->argv));
    ensure(self->argv != NULL);
    for (size_t i = 0; i < count; i++) {
        self->argv[i] = json_string_value(json_array_get(list, i));
        if (self->argv[i] == NULL) {
            count = 0;
        }
    }
    return count > 0 ? RAYC_OK
                     : rayc_fail(self->task, CODE_WRONG,
                                 "trial %u has no command: argv must be a "
                                 "list of strings",
                                 self->number);
}

static int read_stdout(struct run *self)
{
    const json_t *how = json_object_get(self->root, "stdout");
    const char *regex = json_string_value(json_object_get(how, "regex"));
    self->from_stdout = json_is_true(how) ? STDOUT_PAIRS : STDOUT_NONE;
    if (regex != NULL) {
        int rc = regcomp(&self->regex, regex, REG_EXTENDED);
        if (rc != 0) {
            char why[128];
            regerror(rc, &self->regex, why, sizeof(why));
            return rayc_fail(self->task, CODE_WRONG, "trial %u: metrics.regex \"%s\": %s",
                             self->number, regex, why);
        }
        self->from_stdout = STDOUT_REGEX;
    }
    return RAYC_OK;
}

/* --- folders ------------------------------------------------------------------------------------ */

/*  A parameter as JSON, in the fewest digits; a number that is not whole by kind stays so. */
static void put_value(FILE *to, const json_t *value)
{
    char number[NUMBER_TEXT_BYTES];
    if (json_is_real(value)) {
        number_text(json_real_value(value), number);
        fprintf(to, "%s%s", number, strpbrk(number, ".en") == NULL ? ".0" : "");
        return;
    }
    char *dump = json_dumps(value, JSON_ENCODE_ANY);
    fputs(dump != NULL ? dump : "null", to);
    free(dump);
}

static void put_params(FILE *to, const json_t *params)
{
    const char *key;
    json_t *value;
    const char *before = "{\n  ";
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        json_t *name = json_string(key);
        char *quoted = json_dumps(name, JSON_ENCODE_ANY);
        fprintf(to, "%s%s: ", before, quoted);
        put_value(to, value);
        before = ",\n  ";
        free(quoted);
        json_decref(name);
    }
    fputs(before[0] == '{' ? "{}\n" : "\n}\n", to);
}

/*  The parameters, for {params_file} in the trial's folder and for RAYC_PARAMS in ours. */
static int write_params(struct run *self)
{
    char path[PATH_BYTES];
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ensure(to != NULL);
    put_params(to, json_object_get(self->root, "params"));
    fclose(to);
    int rc = file_write(self->params_path, text, bytes, 0600);
    rc = rc == OK ? file_path(path, sizeof(path), self->dir, "params.json") : rc;
    rc = rc == OK && access(path, F_OK) != 0 ? file_write(path, text, bytes, 0644) : rc;
    free(text);
    return rc == OK ? RAYC_OK : fail_system(self, "write", self->params_path);
}

/*  In the executor's scratch folder, where what an earlier trial of it left is replaced.  Else in TMPDIR, if the path of
    a socket fits there. */
static int make_private(struct run *self)
{
    const char *scratch = getenv("RAYC_SCRATCH");
    if (scratch != NULL && strlen(scratch) + sizeof("/report") <= SOCKET_BYTES) {
        snprintf(self->socket_path, SOCKET_BYTES, "%s/report", scratch);
        snprintf(self->params_path, SOCKET_BYTES, "%s/params.json", scratch);
        unlink(self->socket_path);
        return RAYC_OK;
    }
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] != '/' || strlen(base) > 32) {
        base = "/tmp";
    }
    snprintf(self->private_dir, sizeof(self->private_dir), "%s/rayc-trial-XXXXXX", base);
    if (mkdtemp(self->private_dir) == NULL) {
        char name[sizeof(self->private_dir)];
        memcpy(name, self->private_dir, sizeof(name));
        self->private_dir[0] = 0;
        return fail_system(self, "make the folder", name);
    }
    snprintf(self->socket_path, sizeof(self->socket_path), "%s/report", self->private_dir);
    snprintf(self->params_path, sizeof(self->params_path), "%s/params.json", self->private_dir);
    return RAYC_OK;
}

static int open_listener(struct run *self)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", self->socket_path);
    self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->listener < 0 ||
        bind(self->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(self->listener, CLIENTS_MAX) != 0) {
        return fail_system(self, "open the socket", self->socket_path);
    }
    return RAYC_OK;
}

static int open_log(struct run *self)
{
    char path[PATH_BYTES];
    if (file_path(path, sizeof(path), self->dir, "output.log") != OK) {
        return fail_system(self, "use the folder", self->dir);
    }
    self->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return self->log >= 0 ? RAYC_OK : fail_system(self, "write", path);
}

int run_prepare(struct run *self, rayc_task *task)
{
    self->task = task;
    self->root = trial_root(task);
    self->pidfd = self->listener = self->log = -1;
    self->out.fd = self->err.fd = self->reports.fd = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        self->clients[i].fd = -1;
    }
    if (self->root == NULL) {
        return RAYC_EINVALID;
    }
    self->number = rayc_trial(task);
    self->metric = text_of(self, "metric");
    self->dir = text_of(self, "dir");
    self->cwd = text_of(self, "cwd");
    int rc = read_argv(self);
    rc = rc == RAYC_OK ? read_stdout(self) : rc;
    if (rc == RAYC_OK) {
        self->checkpoint_dir = rayc_checkpoint_dir(task); /* also makes the trial's folder */
        self->checkpoint_dir = self->checkpoint_dir != NULL ? strdup(self->checkpoint_dir) : NULL;
        (void)rayc_checkpoint(task);
        self->told = trial_progress(task).told;
        rc = task->outcome == OUTCOME_OK ? RAYC_OK : RAYC_ESYSTEM;
    }
    rc = rc == RAYC_OK ? make_private(self) : rc;
    rc = rc == RAYC_OK ? write_params(self) : rc;
    rc = rc == RAYC_OK ? open_listener(self) : rc;
    return rc == RAYC_OK ? open_log(self) : rc;
}

void run_clean(struct run *self)
{
    struct lines *all[] = { &self->out, &self->err, &self->reports };
    for (size_t i = 0; i < COUNT(all) + CLIENTS_MAX; i++) {
        int fd = i < COUNT(all) ? all[i]->fd : self->clients[i - COUNT(all)].fd;
        if (fd >= 0) {
            close(fd);
        }
    }
    int others[] = { self->pidfd, self->listener, self->log };
    for (size_t i = 0; i < COUNT(others); i++) {
        if (others[i] >= 0) {
            close(others[i]);
        }
    }
    if (self->socket_path[0] != 0) {
        unlink(self->socket_path);
        unlink(self->params_path);
    }
    if (self->private_dir[0] != 0) {
        rmdir(self->private_dir);
    }
    if (self->checkpoint_dir != NULL) {
        rmdir(self->checkpoint_dir); /* if nothing is in it */
    }
    if (self->from_stdout == STDOUT_REGEX) {
        regfree(&self->regex);
    }
    while (self->seen_count > 0) {
        free((char *)(uintptr_t)self->seen[--self->seen_count].name);
    }
    free((char *)(uintptr_t)self->checkpoint_dir);
    free(self->argv);
}

/* --- environment -------------------------------------------------------------------------------- */

/*  Of the child, between fork() and exec(): there are no threads. */
__attribute__((format(printf, 2, 3))) static void set(const char *name, const char *format, ...)
{
    char *value = NULL;
    va_list values;
    va_start(values, format);
    if (vasprintf(&value, format, values) >= 0) {
        setenv(name, value, 1);
    }
    va_end(values);
}

static void set_number(const struct run *self, const char *name, const char *key)
{
    char number[NUMBER_TEXT_BYTES];
    const json_t *value = json_object_get(self->root, key);
    if (json_is_number(value)) {
        set(name, "%s", number_text(json_number_value(value), number));
    }
}

/*  A seed has 64 bits, which a double has not. */
static void set_seed(const struct run *self)
{
    const json_t *seed = json_object_get(self->root, "seed");
    const char *text = strstr(rayc_trial_json(self->task), "\"seed\":");
    if (json_is_integer(seed)) {
        set("RAYC_SEED", "%" JSON_INTEGER_FORMAT, json_integer_value(seed));
    } else if (text != NULL) {
        text += strlen("\"seed\":") + strspn(text + strlen("\"seed\":"), " ");
        set("RAYC_SEED", "%.*s", (int)strspn(text, "0123456789"), text);
    }
}

static void set_params(const struct run *self)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(self->root, "params"), key, value)
    {
        char name[16 + METRIC_NAME_MAX];
        snprintf(name, sizeof(name), "RAYC_PARAM_%s", key);
        for (char *c = name; *c != 0; c++) {
            bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
            *c = letter || (*c >= '0' && *c <= '9') ? *c : '_';
        }
        if (!json_is_null(value)) {
            set(name, "%s", rayc_param_text(self->task, key));
        }
    }
}

static void set_environment(const struct run *self)
{
    const json_t *env = json_object_get(self->root, "env");
    unsetenv("RAYC_SCRATCH");
    setenv("PYTHONUNBUFFERED", "1", 0); /* its output is a pipe, and is read as it comes */
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *entry = json_string_value(json_array_get(env, i));
        if (entry != NULL && strchr(entry, '=') != NULL) {
            char *copy = strdup(entry);
            *strchr(copy, '=') = 0;
            setenv(copy, entry + strlen(copy) + 1, 1);
        }
    }
    set_params(self);
    set_seed(self);
    set("RAYC_STUDY", "%s", text_of(self, "study"));
    set("RAYC_TRIAL_ID", "%s/%u", text_of(self, "study"), self->number);
    set("RAYC_TRIAL_DIR", "%s", self->dir);
    set("RAYC_PARAMS", "%s", self->params_path);
    set("RAYC_TASK_ID", "%s", rayc_task_id(self->task));
    set("RAYC_ATTEMPT", "%u", rayc_attempt(self->task));
    set("RAYC_FENCE", "%" PRIu64, rayc_fence(self->task));
    set_number(self, "RAYC_RESOURCE_MAX", "resource_max");
    set_number(self, "RAYC_CHECKPOINT_EVERY", "checkpoint_every");
    set("RAYC_CHECKPOINT_DIR", "%s", self->checkpoint_dir);
    const char *from = rayc_checkpoint(self->task);
    if (from != NULL) {
        set("RAYC_CHECKPOINT", "%s", from);
    } else {
        unsetenv("RAYC_CHECKPOINT");
    }
    set("RAYC_REPORT_FD", "%d", REPORT_FD);
    set("RAYC_REPORT_SOCKET", "%s", self->socket_path);
}

/* --- the process -------------------------------------------------------------------------------- */

/*  What the child is made with: its ends, and a pipe that tells why it could not start. */
struct ends {
    int in, out, err, reports, problem;
};

struct problem {
    int error;
    bool folder; /* of the working folder, not of the program */
};

static _Noreturn void give_up(int to, bool folder)
{
    struct problem problem = { errno, folder };
    _exit(write(to, &problem, sizeof(problem)) > 0 ? 1 : 2);
}

static _Noreturn void run_child(const struct run *self, const struct ends *ends)
{
    int moved[] = { fcntl(ends->in, F_DUPFD_CLOEXEC, 10), fcntl(ends->out, F_DUPFD_CLOEXEC, 10),
                    fcntl(ends->err, F_DUPFD_CLOEXEC, 10),
                    fcntl(ends->reports, F_DUPFD_CLOEXEC, 10) };
    int problem = fcntl(ends->problem, F_DUPFD_CLOEXEC, 10);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < (int)COUNT(moved); fd++) {
        dup2(moved[fd], fd);
    }
    set_environment(self);
    if (self->cwd[0] != 0 && chdir(self->cwd) != 0) {
        give_up(problem, true);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(self->argv[0], (char *const *)(uintptr_t)self->argv);
    give_up(problem, false);
}

static int open_ends(struct run *self, struct ends *ends, int *problem)
{
    int out[2] = { -1, -1 }, err[2] = { -1, -1 }, reports[2] = { -1, -1 }, why[2] = { -1, -1 };
    bool ok = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
              pipe2(why, O_CLOEXEC) == 0 &&
              socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, reports) == 0;
    int error = errno;
    *ends = (struct ends){ open("/dev/null", O_RDONLY | O_CLOEXEC), out[1], err[1], reports[1],
                           why[1] };
    self->out.fd = out[0];
    self->err.fd = err[0];
    self->reports.fd = reports[0];
    *problem = why[0];
    errno = error;
    return ok ? RAYC_OK : fail_system(self, "start", self->argv[0]);
}

static void close_ends(struct ends *ends)
{
    int fds[] = { ends->in, ends->out, ends->err, ends->reports, ends->problem };
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static int fail_start(struct run *self, const struct problem *problem)
{
    if (problem->folder) {
        errno = problem->error;
        return fail_system(self, "enter the folder", self->cwd);
    }
    bool missing = problem->error == ENOENT;
    return rayc_fail(self->task, missing ? CODE_NOT_FOUND : CODE_NOT_STARTED,
                     "trial %u: cannot run %s: %s%s", self->number, self->argv[0],
                     missing ? "there is no such program on this node" : strerror(problem->error),
                     missing && strchr(self->argv[0], '/') == NULL ? " in its PATH" : "");
}

int run_start(struct run *self)
{
    struct ends ends;
    int why;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what the command leaves behind becomes ours, to be ended */
    int rc = open_ends(self, &ends, &why);
    if (rc == RAYC_OK) {
        self->pid = fork();
        if (self->pid == 0) {
            run_child(self, &ends);
        }
        rc = self->pid > 0 ? RAYC_OK : fail_system(self, "start", self->argv[0]);
    }
    close_ends(&ends);
    if (rc == RAYC_OK) {
        struct problem problem;
        setpgid(self->pid, self->pid);
        self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
        if (read(why, &problem, sizeof(problem)) == (ssize_t)sizeof(problem)) {
            rc = fail_start(self, &problem);
        }
    }
    if (why >= 0) {
        close(why);
    }
    return rc;
}
