/*  driver_outside.c - a child process and lines.  A program that has died is started again, and told what it knew. */
#include "client/tune/driver_outside.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/tune/external.h"
#include "common/clock.h"

enum { ANSWER_MS = 2000, END_MS = 2000, STARTS_MAX = 4, SAY_S = 30, FIRST_BYTES = 4096 };

struct outside {
    const struct study_spec *spec;
    uint64_t seed;
    pid_t pid;
    int socket;
    uint32_t starts;
    uint32_t asked; /* trial that waits for an answer; NONE: none */
    uint32_t refusals;
    char *in;
    size_t in_n, in_capacity;
    char error[256]; /* it cannot go on */
};

static bool fail_outside(struct outside *self, const char *what)
{
    snprintf(self->error, sizeof(self->error), "the search program %s: %s",
             self->spec->search.command[0], what);
    return false;
}

const char *outside_error(const struct outside *self)
{
    return self != NULL && self->error[0] != 0 ? self->error : NULL;
}

/* --- the process ----------------------------------------------------------------------------------------------- */

/*  In the folder of search.yaml, with our stderr, and with default signals. */
static int spawn(struct outside *self, int child)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addchdir_np(&files, self->spec->dir);
    posix_spawn_file_actions_adddup2(&files, child, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, child, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C is for us */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    const char *const *argv = self->spec->search.command;
    int rc = posix_spawnp(&self->pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv,
                          environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void stop(struct outside *self)
{
    if (self->pid <= 0) {
        return;
    }
    shutdown(self->socket, SHUT_WR); /* its stdin ends */
    struct pollfd end = { self->socket, POLLIN, 0 };
    char bytes[FIRST_BYTES];
    uint64_t until_ms = clock_ms() + END_MS;
    while (clock_ms() < until_ms && poll(&end, 1, END_MS) > 0 &&
           read(self->socket, bytes, sizeof(bytes)) > 0) {}
    if (waitpid(self->pid, NULL, WNOHANG) == 0) {
        kill(-self->pid, SIGKILL);
        waitpid(self->pid, NULL, 0);
    }
    close(self->socket);
    self->pid = 0;
    self->in_n = 0;
}

static bool say(struct outside *self, char *line)
{
    size_t n = strlen(line), sent = 0;
    while (sent < n) {
        ssize_t done = send(self->socket, line + sent, n - sent, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) {
            if (self->pid > 0) {
                kill(-self->pid, SIGKILL); /* also one that does not read: reading says so */
            }
            break;
        }
        sent += done > 0 ? (size_t)done : 0;
    }
    free(line);
    return sent == n;
}

static bool say_ended(struct outside *self, const struct study *study, uint32_t trial)
{
    const struct study_trial *it = study_trial(study, trial);
    return it->base.ended == 0 ||
           say(self, external_tell(&self->spec->space, &it->base, it->value));
}

static bool start(struct outside *self, const struct study *study)
{
    int pair[2];
    if (++self->starts > STARTS_MAX) {
        return fail_outside(self, "has ended again and again; its stderr says more");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return fail_outside(self, strerror(errno));
    }
    int rc = spawn(self, pair[1]);
    close(pair[1]);
    self->socket = pair[0];
    const struct timeval patience = { .tv_sec = SAY_S };
    (void)setsockopt(self->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (rc != 0) {
        close(pair[0]);
        self->pid = 0;
        return fail_outside(self, strerror(rc));
    }
    bool told = say(self, external_init(self->spec, self->seed));
    for (uint32_t i = 0; told && i < study_count(study); i++) {
        told = say_ended(self, study, i);
    }
    if (told && self->asked != NONE) {
        told = say(self, external_ask(self->asked));
    }
    return true; /* when it has died already, reading says so */
}

/* --- lines ----------------------------------------------------------------------------------------------------- */

static bool take_line(struct outside *self, char **line)
{
    char *end = self->in_n > 0 ? memchr(self->in, '\n', self->in_n) : NULL;
    if (end == NULL) {
        return false;
    }
    size_t n = (size_t)(end - self->in);
    *line = strndup(self->in, n);
    ensure(*line != NULL);
    memmove(self->in, end + 1, self->in_n - n - 1);
    self->in_n -= n + 1;
    return true;
}

/*  The next line, if one comes in time.  *gone: there will be none. */
static bool read_line(struct outside *self, char **line, bool *gone)
{
    *gone = false;
    while (!take_line(self, line)) {
        struct pollfd more = { self->socket, POLLIN, 0 };
        if (poll(&more, 1, ANSWER_MS) <= 0) {
            return false;
        }
        if (self->in_n == self->in_capacity) {
            self->in_capacity = self->in_capacity ? 2 * self->in_capacity : FIRST_BYTES;
            self->in = realloc(self->in, self->in_capacity);
            ensure(self->in != NULL);
        }
        ssize_t n = read(self->socket, self->in + self->in_n, self->in_capacity - self->in_n);
        if (n == 0 || (n < 0 && errno != EINTR) || self->in_n > EXTERNAL_LINE_MAX) {
            *gone = true;
            return false;
        }
        self->in_n += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* --- asking ---------------------------------------------------------------------------------------------------- */

static bool on_point(struct outside *self, struct study *study, const double *x, uint64_t now_ms)
{
    struct diag why = { 0 };
    uint32_t trial = self->asked;
    self->asked = NONE;
    if (study_give_point(study, trial, x, now_ms, &why) != OK) {
        return fail_outside(self, why.text);
    }
    self->refusals = 0;
    self->starts = 1; /* it works: what killed it before is over */
    return true;
}

static bool on_answer(struct outside *self, struct study *study, const char *line, uint64_t now_ms)
{
    double x[PARAMS_MAX];
    struct diag why = { 0 };
    enum external_answer answer;
    if (external_read(&self->spec->space, self->asked, slice_text(line), &answer, x, &why) != OK) {
        return fail_outside(self, why.text);
    }
    switch (answer) {
    case EXTERNAL_POINT:
        return on_point(self, study, x, now_ms);
    case EXTERNAL_WAIT:
        self->asked = NONE;
        return study_running(study) > 0 ? false : fail_outside(self, "it waits, but nothing runs");
    case EXTERNAL_DONE:
        self->asked = NONE;
        study_no_point(study);
        return true;
    case EXTERNAL_REFUSED:
        if (++self->refusals > EXTERNAL_REFUSALS_MAX) {
            return fail_outside(self, "no point of its choice satisfies the constraints");
        }
        (void)say(self, external_refuse(self->asked, why.text));
        return false;
    }
    return false;
}

bool outside_ask(struct outside *self, struct study *study, uint32_t trial, uint64_t now_ms)
{
    if (self == NULL || self->error[0] != 0) {
        return false;
    }
    if (self->asked != trial) {
        self->asked = trial;
        (void)say(self, external_ask(trial));
    }
    char *line = NULL;
    bool gone, given = false;
    while (self->asked != NONE && !given && read_line(self, &line, &gone)) {
        given = on_answer(self, study, line, now_ms);
        free(line);
        if (self->error[0] != 0) {
            return false;
        }
    }
    if (self->asked != NONE && !given && gone) {
        stop(self);
        (void)start(self, study);
    }
    return given;
}

void outside_report(struct outside *self, const struct rec_report *report)
{
    if (self != NULL && self->pid > 0) {
        (void)say(self, external_report(report->trial, report->step, report->value));
    }
}

void outside_tell(struct outside *self, const struct study *study, uint32_t trial)
{
    if (self != NULL && self->pid > 0) {
        (void)say_ended(self, study, trial);
    }
}

int outside_open(struct outside **out, const struct study_spec *spec, const struct study *study,
                 uint64_t seed)
{
    *out = NULL;
    if (strcmp(spec->search.algo, "external") != 0) {
        return RAYC_OK;
    }
    struct outside *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    *self = (struct outside){ .spec = spec, .seed = seed, .asked = NONE };
    *out = self;
    if (!start(self, study)) {
        return failure_say(RAYC_EINVALID, "%s", self->error);
    }
    return RAYC_OK;
}

void outside_close(struct outside **self_p)
{
    struct outside *self = *self_p;
    if (self != NULL) {
        stop(self);
        free(self->in);
        free(self);
    }
    *self_p = NULL;
}
