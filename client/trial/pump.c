/*  pump.c - the loop while a command runs: its output is copied and looked at, its reports are answered, and when it is
    to end it is made to.  One thread: a report that waits for its decision holds everything else up. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client/trial/run.h"
#include "common/clock.h"

enum { LOOK_MS = 100, CHUNK_BYTES = 64 * 1024 };

/* --- lines -------------------------------------------------------------------------------------- */

typedef void on_line(struct run *run, struct lines *lines, struct slice line);

/*  Cuts bytes into lines; of one that is too long, the beginning is given out with `skipping` set. */
static void cut(struct run *run, struct lines *self, struct slice bytes, on_line *give)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == '\n') {
            if (!self->skipping) {
                give(run, self, slice_of(self->bytes, self->n));
            }
            self->skipping = false;
            self->n = 0;
        } else if (!self->skipping && self->n == sizeof(self->bytes)) {
            self->skipping = true;
            give(run, self, slice_of(self->bytes, self->n));
        } else if (!self->skipping) {
            self->bytes[self->n++] = bytes.p[i];
        }
    }
}

static void finish(struct run *run, struct lines *self, on_line *give)
{
    if (self->n > 0 && !self->skipping) {
        give(run, self, slice_of(self->bytes, self->n));
    }
    self->n = 0;
    self->skipping = false;
    close(self->fd);
    self->fd = -1;
}

/* --- what it prints ----------------------------------------------------------------------------- */

static void write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR) {
            return; /* a full disk is no reason to end the trial */
        }
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

static void keep_tail(struct run *self, const uint8_t *p, size_t n)
{
    if (n >= TAIL_BYTES) {
        memcpy(self->tail, p + n - TAIL_BYTES, TAIL_BYTES);
        self->tail_n = TAIL_BYTES;
        return;
    }
    size_t over = self->tail_n + n > TAIL_BYTES ? self->tail_n + n - TAIL_BYTES : 0;
    memmove(self->tail, self->tail + over, self->tail_n - over);
    memcpy(self->tail + self->tail_n - over, p, n);
    self->tail_n += n - over;
}

static void on_printed(struct run *run, struct lines *lines, struct slice line)
{
    if (!lines->skipping) {
        run_look(run, line);
    } else { /* no number, whatever it says: it has dots */
        snprintf(run->last_line, sizeof(run->last_line), "%.60s...", (const char *)line.p);
    }
}

static void on_error_line(struct run *run, struct lines *lines, struct slice line)
{
    (void)run;
    (void)lines;
    (void)line;
}

/*  Copies what is there; false: nothing is, now or ever. */
static bool take_output(struct run *self, struct lines *from, int to)
{
    static uint8_t chunk[CHUNK_BYTES];
    on_line *give = to == STDOUT_FILENO ? on_printed : on_error_line;
    struct pollfd ready = { from->fd, POLLIN, 0 };
    if (from->fd < 0 || poll(&ready, 1, 0) <= 0) {
        return false;
    }
    ssize_t n = read(from->fd, chunk, sizeof(chunk));
    if (n <= 0) {
        if (n == 0 || errno != EINTR) {
            finish(self, from, give);
        }
        return false;
    }
    write_all(to, chunk, (size_t)n);
    write_all(self->log, chunk, (size_t)n);
    keep_tail(self, chunk, (size_t)n);
    cut(self, from, slice_of(chunk, (size_t)n), give);
    return true;
}

/* --- what it reports ---------------------------------------------------------------------------- */

static void on_report(struct run *run, struct lines *from, struct slice line)
{
    char answer[ANSWER_BYTES] = "error the line is too long\n";
    if (!from->skipping) {
        run_tell(run, line, answer);
    }
    /* Who does not read answers does not get them. */
    (void)send(from->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool take_reports(struct run *self, struct lines *from)
{
    uint8_t chunk[4096];
    ssize_t n = from->fd >= 0 ? recv(from->fd, chunk, sizeof(chunk), MSG_DONTWAIT) : -1;
    if (from->fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
        return false;
    }
    if (n <= 0) {
        finish(self, from, on_report);
        return false;
    }
    cut(self, from, slice_of(chunk, (size_t)n), on_report);
    return true;
}

static void take_clients(struct run *self)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (self->clients[i].fd < 0) {
            self->clients[i].fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        }
        while (take_reports(self, &self->clients[i])) {}
    }
}

/* --- its end ------------------------------------------------------------------------------------ */

/*  The worker ends, and we with it: the command may write a checkpoint until it is killed. */
static volatile sig_atomic_t terminated;

static void on_terminate(int signal)
{
    (void)signal;
    terminated = 1;
}

/*  Tells the process to end, when it is time. */
static void urge(struct run *self)
{
    uint64_t now_ms = clock_ms();
    bool late =
        self->told != RAYC_GO_ON && (self->told_stdout || now_ms - self->told_ms >= GRACE_MS);
    if (self->signal == 0 && (late || terminated || rayc_cancelled(self->task))) {
        self->signal = SIGTERM;
        self->kill_ms = now_ms + GRACE_MS;
        kill(-self->pid, SIGTERM);
    } else if (self->signal == SIGTERM && now_ms >= self->kill_ms) {
        self->signal = SIGKILL;
        kill(-self->pid, SIGKILL);
    }
}

/*  Ends what has left the group of the process, and became our child when its parent ended. */
static void end_orphans(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    for (bool any = true; any;) {
        any = false;
        FILE *file = fopen(path, "re");
        int child;
        while (file != NULL && fscanf(file, "%d", &child) == 1) {
            kill(child, SIGKILL);
            any = true;
        }
        if (file != NULL) {
            fclose(file);
        }
        while (waitpid(-1, NULL, any ? 0 : WNOHANG) > 0) {}
    }
}

static void look_for_end(struct run *self)
{
    siginfo_t info = { 0 };
    if (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return;
    }
    kill(-self->pid, SIGKILL); /* while its zombie still holds the number of the group */
    waitpid(self->pid, &self->status, 0);
    self->ended = true;
    end_orphans();
}

static void take_all(struct run *self)
{
    while (take_reports(self, &self->reports)) {}
    take_clients(self);
    bool more = true;
    for (int n = 0; more && (n < 16 || self->ended); n++) {
        more = take_output(self, &self->out, STDOUT_FILENO);
        more |= take_output(self, &self->err, STDERR_FILENO);
    }
}

static void sleep_until_news(const struct run *self)
{
    struct pollfd fds[5 + CLIENTS_MAX] = { { self->pidfd, POLLIN, 0 },
                                           { self->out.fd, POLLIN, 0 },
                                           { self->err.fd, POLLIN, 0 },
                                           { self->reports.fd, POLLIN, 0 },
                                           { self->listener, POLLIN, 0 } };
    bool full = true;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        fds[5 + i] = (struct pollfd){ self->clients[i].fd, POLLIN, 0 };
        full = full && self->clients[i].fd >= 0;
    }
    fds[4].fd = full ? -1 : self->listener;
    poll(fds, COUNT(fds), LOOK_MS);
}

bool run_pump(struct run *self)
{
    struct sigaction before, action = { .sa_handler = on_terminate };
    sigaction(SIGTERM, &action, &before);
    for (;;) {
        look_for_end(self); /* before the rest is taken: what it said is complete then */
        take_all(self);
        if (self->ended) {
            break;
        }
        urge(self);
        sleep_until_news(self);
    }
    struct lines *rest[] = { &self->reports, &self->out, &self->err };
    on_line *give[] = { on_report, on_printed, on_error_line };
    for (size_t i = 0; i < COUNT(rest); i++) {
        if (rest[i]->fd >= 0) {
            finish(self, rest[i], give[i]);
        }
    }
    sigaction(SIGTERM, &before, NULL);
    return terminated == 0;
}
