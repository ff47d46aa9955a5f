/*  tune_view.c - redraws at most five times a second; says at most so many plain lines a second. */
#include "client/cli/tune_view.h"

#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "client/cli/table.h"
#include "common/clock.h"

enum { DRAW_MS = 200, ROWS_MAX = 12, LINES_PER_SECOND = 50 };

void tune_view_init(struct tune_view *self, const struct cli *cli, const struct study_spec *spec,
                    const char *name)
{
    const char *term = getenv("TERM");
    *self = (struct tune_view){ .cli = cli, .spec = spec, .name = name };
    self->terminal =
        !cli->options.quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    self->began_ms = clock_ms();
}

/* --- lines --------------------------------------------------------------------------------------------------- */

static void put_value(const struct study_spec *spec, double value, char *out, size_t capacity)
{
    char number[40];
    number_print(value, number, sizeof(number));
    snprintf(out, capacity, "%s=%s", spec->metric, isnan(value) ? "-" : number);
}

/*  At most so many letters, no part of one. */
static const char *cut(char *text, unsigned letters)
{
    text[text_bytes(text, letters)] = 0;
    return text;
}

void view_trial_line(const struct study_spec *spec, const struct study_trial *trial, bool best,
                     char out[VIEW_LINE_BYTES])
{
    char value[192], step[48] = "", text[VIEW_LINE_BYTES], params[VIEW_LINE_BYTES];
    put_value(spec, trial->value, value, sizeof(value));
    if (trial->base.step > 0) {
        char number[40];
        number_print(trial->base.step, number, sizeof(number));
        snprintf(step, sizeof(step), " step=%s", number);
    }
    bool failed = trial->base.state == TRIAL_ERROR;
    bool stopped = trial->base.state == TRIAL_TERMINATED && trial->base.pruned;
    text_clean(slice_text(failed && trial->text ? trial->text : ""), text, sizeof(text));
    text_clean(slice_text(trial->params), params, sizeof(params));
    snprintf(out, VIEW_LINE_BYTES, "trial %-5u %-10s %s%s%s  %.300s%s%.160s", trial->base.number,
             stopped ? "STOPPED" : trial_state_name(trial->base.state), value, step,
             best ? " (best)" : "", cut(params, 75), failed ? "  " : "", cut(text, 40));
}

void view_head_line(const struct tune_view *self, const struct study *study, uint64_t now_ms,
                    char out[VIEW_LINE_BYTES])
{
    uint32_t counts[TRIAL_STATES] = { 0 };
    for (uint32_t i = 0; i < study_count(study); i++) {
        counts[study_trial(study, i)->base.state]++;
    }
    uint32_t best = study_best(study);
    char of[24] = "", found[256] = "";
    if (self->spec->trials_max > 0) {
        snprintf(of, sizeof(of), "/%u", self->spec->trials_max);
    }
    if (best != NONE) {
        char value[192];
        put_value(self->spec, study_trial(study, best)->value, value, sizeof(value));
        snprintf(found, sizeof(found), ", best %s (trial %u)", value, best);
    }
    uint64_t seconds = (now_ms - self->began_ms) / 1000;
    snprintf(out, VIEW_LINE_BYTES,
             "study %s: %u%s ended, %u running, %u paused, %u failed%s, %02u:%02u:%02u", self->name,
             counts[TRIAL_TERMINATED] + counts[TRIAL_ERROR], of, counts[TRIAL_RUNNING],
             counts[TRIAL_PAUSED], counts[TRIAL_ERROR], found, (unsigned)(seconds / 3600),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

/* --- a terminal ---------------------------------------------------------------------------------------------- */

static struct winsize size_of_terminal(void)
{
    struct winsize size;
    bool known =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 && size.ws_row > 2;
    return known ? size : (struct winsize){ .ws_col = 80, .ws_row = 24 };
}

static void erase(struct tune_view *self)
{
    if (self->lines > 0) {
        fprintf(stderr, "\033[%uA\033[J", self->lines);
        self->lines = 0;
    }
}

static void draw_line(struct tune_view *self, const char *line, unsigned letters)
{
    fprintf(stderr, "%.*s\n", (int)text_bytes(line, letters), line);
    self->lines++;
}

/*  The newest trials that run, then the newest others. */
static void draw(struct tune_view *self, const struct study *study)
{
    char line[VIEW_LINE_BYTES];
    struct winsize size = size_of_terminal();
    uint32_t best = study_best(study), rows = 0;
    uint32_t most = size.ws_row - 2u < ROWS_MAX ? size.ws_row - 2u : ROWS_MAX;
    erase(self);
    view_head_line(self, study, clock_ms(), line);
    draw_line(self, line, size.ws_col - 1u);
    for (int running = 1; running >= 0; running--) {
        for (uint32_t i = study_count(study); i-- > 0 && rows < most;) {
            const struct study_trial *trial = study_trial(study, i);
            if ((trial->base.state == TRIAL_RUNNING) == running) {
                view_trial_line(self->spec, trial, i == best, line);
                draw_line(self, line, size.ws_col - 1u);
                rows++;
            }
        }
    }
    fflush(stderr);
    self->drawn_ms = clock_ms();
}

/* --- plain lines --------------------------------------------------------------------------------------------- */

static void say_unsaid(struct tune_view *self, const struct study *study)
{
    char line[VIEW_LINE_BYTES];
    if (self->unsaid > 0) {
        view_head_line(self, study, clock_ms(), line);
        note(self->cli, "%s", line);
    }
    self->unsaid = self->said = 0;
}

static void say(struct tune_view *self, const struct study *study, uint32_t trial)
{
    char line[VIEW_LINE_BYTES];
    uint64_t now_ms = clock_ms();
    if (now_ms - self->drawn_ms >= 1000) {
        say_unsaid(self, study);
        self->drawn_ms = now_ms;
    }
    uint64_t ended = trial == NONE ? 0 : study_trial(study, trial)->base.ended;
    if (ended <= self->ended) {
        return;
    }
    self->ended = ended;
    if (self->said++ < LINES_PER_SECOND) {
        view_trial_line(self->spec, study_trial(study, trial), study_best(study) == trial, line);
        note(self->cli, "%s", line);
    } else {
        self->unsaid++;
    }
}

void tune_view_changed(void *context, const struct study *study, uint32_t trial)
{
    struct tune_view *self = context;
    if (!self->terminal) {
        say(self, study, trial);
    } else if (clock_ms() - self->drawn_ms >= DRAW_MS) {
        draw(self, study);
    }
}

void tune_view_warn(void *context, const char *text)
{
    struct tune_view *self = context;
    erase(self);
    note(self->cli, "%s", text);
}

void tune_view_end(struct tune_view *self, const struct study *study)
{
    if (self->terminal) {
        draw(self, study);
        self->lines = 0;
    } else {
        say_unsaid(self, study);
    }
}
