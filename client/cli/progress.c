/*  progress.c - the progress bar, and its plain form. */
#include "client/cli/progress.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "client/cli/table.h"
#include "common/clock.h"

enum { BAR_LETTERS = 20, PLAIN_EVERY_MS = 10000, WAIT_TOLD_MS = 1000 };

void progress_init(struct progress *self, const struct cli *cli)
{
    const char *term = getenv("TERM");
    *self = (struct progress){ .cli = cli };
    self->terminal =
        isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !cli->options.quiet;
    self->began_ms = self->said_ms = clock_ms();
}

const char *progress_line(const struct msg_job_state *state, char *out, size_t capacity)
{
    if (state->state == JOB_PENDING || state->total == 0) {
        return text_clean(state->message, out, capacity);
    }
    uint64_t ended = state->finished + state->failed;
    unsigned full = ended >= state->total
                        ? BAR_LETTERS
                        : (unsigned)((double)ended / (double)state->total * BAR_LETTERS);
    char bar[BAR_LETTERS + 1];
    memset(bar, '.', BAR_LETTERS);
    memset(bar, '#', full);
    bar[BAR_LETTERS] = 0;
    int n = snprintf(out, capacity, "[%s] %llu/%llu running %llu", bar, (unsigned long long)ended,
                     (unsigned long long)state->total, (unsigned long long)state->running);
    if (state->failed && n > 0 && (size_t)n < capacity) {
        snprintf(out + n, capacity - (size_t)n, " failed %llu", (unsigned long long)state->failed);
    }
    return out;
}

void progress_hide(struct progress *self)
{
    if (self->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        self->drawn = false;
    }
}

void progress_show(struct progress *self)
{
    if (!self->terminal || self->mid_line || !self->line[0]) {
        return;
    }
    struct winsize size;
    unsigned room =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
    fprintf(stderr, "\r%.*s\033[K", (int)text_bytes(self->line, room), self->line);
    fflush(stderr);
    self->drawn = true;
}

void progress_say(struct progress *self, const char *text)
{
    if (strcmp(text, self->said) == 0) {
        return;
    }
    snprintf(self->said, sizeof(self->said), "%s", text);
    self->said_ms = clock_ms();
    progress_hide(self);
    note(self->cli, "%s", text);
    progress_show(self);
}

/*  Without a terminal: why the job waits, once it has waited for a while; how far it is, now and then. */
void progress_tick(struct progress *self)
{
    uint64_t now = clock_ms();
    uint64_t due = self->waits ? self->began_ms + WAIT_TOLD_MS : self->said_ms + PLAIN_EVERY_MS;
    if (!self->terminal && self->line[0] && now >= due) {
        progress_say(self, self->line);
    }
}

void progress_state(struct progress *self, const struct msg_job_state *state)
{
    progress_line(state, self->line, sizeof(self->line));
    self->waits = state->state == JOB_PENDING;
    progress_show(self);
    progress_tick(self);
}
