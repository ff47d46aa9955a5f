/*  watch.c - one loop over JOB_STATE, JOB_LOG and signals.

    The head sends all output that it has before the JOB_STATE that answers a WATCH (the one with its seq).  So that
    answer ends `job logs`; and after the state in which a job has ended, one more WATCH brings what may be missing. */
#include "client/cli/watch.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "client/cli/connect.h"
#include "client/cli/progress.h"
#include "common/clock.h"

enum { TURN_MS = 1000 };

struct watching {
    struct cli *cli;
    struct watch *out;
    struct progress progress;
    int signal_fd;
    uint64_t offset;     /* of the next byte of output */
    uint64_t watch_seq;  /* of the newest WATCH */
    uint32_t generation; /* of the connection that it was sent on */
    uint64_t until_ms;
    bool last; /* the job has ended: the newest WATCH asks for the rest of its output */
    bool done;
    bool lost;
};

static int take_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void give_signals(int fd)
{
    sigset_t set;
    close(fd);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static int ask_watch(struct watching *self)
{
    struct msg_watch watch = { .job = self->out->job,
                               .offset = self->out->logs ? self->offset : UINT64_MAX,
                               .tail = self->offset == 0 ? self->out->tail : 0 };
    int rc = ask_send(self->cli->ask, MSG_WATCH, &watch);
    self->watch_seq = watch.seq;
    self->generation = ask_generation(self->cli->ask);
    return rc;
}

/*  Where the driver's output goes: with -o json, stdout is for the one object. */
static FILE *output_of(const struct watching *self)
{
    return cli_json(self->cli) && self->out->progress ? stderr : stdout;
}

static int on_log(struct watching *self, const struct msg_job_log *log)
{
    if (log->job != self->out->job || log->task != 0 || !self->out->logs ||
        log->offset + log->data.n <= self->offset) {
        return OK;
    }
    if (log->offset > self->offset + log->gone) { /* a piece was lost */
        return ask_watch(self);
    }
    if (log->offset > self->offset) { /* it is kept no more, or not asked for */
        self->offset = log->offset;
    }
    struct slice data = log->data;
    size_t known = (size_t)(self->offset - log->offset);
    progress_hide(&self->progress);
    FILE *out = output_of(self);
    fwrite(data.p + known, 1, data.n - known, out);
    fflush(out);
    self->offset += data.n - known;
    self->progress.mid_line = isatty(fileno(out)) && data.p[data.n - 1] != '\n';
    progress_show(&self->progress);
    return OK;
}

static bool ended(uint32_t state)
{
    return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_STOPPED;
}

static int on_state(struct watching *self, const struct msg_job_state *state)
{
    struct watch *out = self->out;
    if (state->job != out->job) {
        return OK;
    }
    out->state = state->state;
    out->exit_code = state->exit_code;
    out->total = state->total;
    out->finished = state->finished;
    out->failed = state->failed;
    slice_copy_text(state->submission, out->submission, sizeof(out->submission));
    slice_copy_text(state->message, out->message, sizeof(out->message));
    if (out->progress) {
        progress_state(&self->progress, state);
    }
    bool answer = state->seq == self->watch_seq;
    if (answer && (!out->until_end || (ended(state->state) && (self->last || !out->logs)))) {
        self->done = true;
    } else if (ended(state->state) && !out->logs) {
        self->done = true;
    } else if (ended(state->state) && !self->last) {
        self->last = true;
        return ask_watch(self);
    }
    return OK;
}

static int take(struct watching *self, const struct msg *msg)
{
    if (msg->kind == MSG_JOB_LOG) {
        return on_log(self, &msg->as.job_log);
    }
    if (msg->kind == MSG_JOB_STATE) {
        return on_state(self, &msg->as.job_state);
    }
    return OK;
}

/*  Ctrl-C ends this command only: the job goes on. */
static int detach(struct watching *self, int signal)
{
    const char *id = self->out->submission;
    progress_hide(&self->progress);
    give_signals(self->signal_fd);
    self->signal_fd = -1;
    if (self->out->until_end && (self->cli->command->flags & CMD_WAITS)) {
        note(self->cli,
             "%sthe job goes on.  Follow it: rayc job logs -f %s   stop it: rayc job stop %s",
             self->progress.mid_line || signal == SIGINT ? "\n" : "", id, id);
    }
    return signal == SIGINT ? EXIT_STOPPED : 128 + signal;
}

/*  0, or the exit code of a signal that ends us. */
static int on_signal(struct watching *self)
{
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGWINCH) {
            return detach(self, (int)info.ssi_signo);
        }
        progress_show(&self->progress);
    }
    return 0;
}

static void tell_connection(struct watching *self)
{
    bool lost = !ask_connected(self->cli->ask);
    if (lost != self->lost) {
        self->lost = lost;
        progress_say(&self->progress,
                     lost ? "the head does not answer; waiting for it" : "the head answers again");
    }
}

static uint32_t turn_ms(const struct watching *self, uint64_t now)
{
    uint64_t left = self->until_ms > now ? self->until_ms - now : 0;
    return left < TURN_MS ? (uint32_t)left : TURN_MS;
}

static int loop(struct watching *self)
{
    struct ask *link = self->cli->ask;
    while (!self->done) {
        uint64_t now = clock_ms();
        if (now >= self->until_ms) {
            progress_hide(&self->progress);
            return fail_exit(self->cli, ERR_TIMEOUT, EXIT_TIMEOUT,
                             "job %s has not ended in time; it goes on", self->out->submission);
        }
        int rc = OK;
        if (ask_connected(link) && self->generation != ask_generation(link)) {
            rc = ask_watch(self);
        }
        struct msg msg;
        rc = rc == OK ? ask_next(link, turn_ms(self, now), self->signal_fd, &msg) : rc;
        tell_connection(self);
        progress_tick(&self->progress);
        if (rc == ERR_CANCELLED) {
            int exit_code = on_signal(self);
            if (exit_code) {
                return exit_code;
            }
        } else if (rc == OK && msg.kind == MSG_REFUSED && msg.as.seq == self->watch_seq) {
            progress_hide(&self->progress);
            struct slice text = msg.as.refused.text;
            return fail(self->cli, msg.as.refused.code, "%.*s", (int)text.n, (const char *)text.p);
        } else if (rc == OK) {
            rc = take(self, &msg);
        }
        if (rc != OK && rc != ERR_TIMEOUT && rc != ERR_CANCELLED) {
            progress_hide(&self->progress);
            return fail_ask(self->cli, rc);
        }
    }
    progress_hide(&self->progress);
    return 0;
}

int watch_job(struct cli *cli, struct watch *out)
{
    static struct watching self;
    self = (struct watching){ .cli = cli, .out = out };
    self.until_ms =
        out->limit_ms == OPTION_UNSET ? UINT64_MAX : clock_ms() + (uint64_t)out->limit_ms;
    progress_init(&self.progress, cli);
    self.signal_fd = take_signals();
    int exit_code = loop(&self);
    if (self.signal_fd >= 0) {
        give_signals(self.signal_fd);
    }
    return exit_code;
}

int watch_end(const struct cli *cli, const struct watch *self)
{
    char message[1200];
    text_clean(slice_text(self->message), message, sizeof(message));
    if (self->state == JOB_SUCCEEDED) {
        detail(cli, "job %s succeeded", self->submission);
        return 0;
    }
    if (self->state == JOB_STOPPED) {
        note(cli, "job %s was stopped", self->submission);
        return EXIT_STOPPED;
    }
    note(cli, "job %s failed%s%s", self->submission, message[0] ? ": " : "", message);
    return self->exit_code > 0 && self->exit_code <= 255 ? self->exit_code : EXIT_RAYC;
}
