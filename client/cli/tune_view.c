/*  tune_view.c - redraws at most five times a second; says at most so many plain lines a second. */
#include "client/cli/tune_view.h"

#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "common/clock.h"

enum { DRAW_MS = 200, ROWS_MAX = 12, LINES_PER_SECOND = 50, LINE_BYTES = 1024 };

void tune_view_init(struct tune_view *self, const struct cli *cli, const struct study_spec *spec,
                    const char *name)
{
    const char *term = getenv("TERM");
    *self = (struct tune_view){ .cli = cli, .spec = spec, .name = name, .best = NONE };
    self->terminal = !cli->options.quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    self->began_ms = clock_ms();
}

/* --- lines --------------------------------------------------------------------------------------------------- */

static void put_value(const struct tune_view *self, double value, char *out, size_t capacity)
{
    char number[40];
    number_print(value, number, sizeof(number));
    snprintf(out, capacity, "%s=%s", self->spec->metric, isnan(value) ? "-" : number);
}

static void trial_line(const struct tune_view *self, const struct study_trial *trial, bool best,
                       char out[LINE_BYTES])
{
    char value[192], step[40] = "", text[LINE_BYTES], params[LINE_BYTES];
    put_value(self, trial->value, value, sizeof(value));
    if (trial->base.step > 0) {
        char number[32];
        number_print(trial->base.step, number, sizeof(number));
        snprintf(step, sizeof(step), " step=%s", number);
    }
    bool failed = trial->base.state == TRIAL_ERROR;
    const char *state = trial->base.state == TRIAL_TERMINATED && trial->base.pruned
                            ? "STOPPED"
                            : trial_state_name(trial->base.state);
    text_clean(slice_text(failed && trial->text ? trial->text : ""), text, sizeof(text));
    text_clean(slice_text(trial->params), params, sizeof(params));
    snprintf(out, LINE_BYTES, "trial %-5u %-10s %s%s%s  %.300s%s%.160s", trial->base.number, state, value,
             step, best ? " (best)" : "", params, failed ? "  " : "", text);
}

static void head_line(const struct tune_view *self, const struct study *study, char out[LINE_BYTES])
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
        put_value(self, study_trial(study, best)->value, value, sizeof(value));
        snprintf(found, sizeof(found), ", best %s (trial %u)", value, best);
    }
    uint64_t seconds = (clock_ms() - self->began_ms) / 1000;
    snprintf(out, LINE_BYTES, "study %s: %u%s ended, %u running, %u paused, %u failed%s, %02u:%02u",
             self->name, counts[TRIAL_TERMINATED] + counts[TRIAL_ERROR], of, counts[TRIAL_RUNNING],
             counts[TRIAL_PAUSED], counts[TRIAL_ERROR], found, (unsigned)(seconds / 60),
             (unsigned)(seconds % 60));
}

/* --- a terminal ---------------------------------------------------------------------------------------------- */

static unsigned width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void erase(struct tune_view *self)
{
    if (self->lines > 0) {
        fprintf(stderr, "\033[%uA\033[J", self->lines);
        self->lines = 0;
    }
}

static void draw_line(struct tune_view *self, const char *line)
{
    fprintf(stderr, "%.*s\n", (int)width() - 1, line);
    self->lines++;
}

/*  The newest trials that run, then the newest others. */
static void draw(struct tune_view *self, const struct study *study)
{
    char line[LINE_BYTES];
    erase(self);
    head_line(self, study, line);
    draw_line(self, line);
    uint32_t best = study_best(study), rows = 0;
    for (int running = 1; running >= 0; running--) {
        for (uint32_t i = study_count(study); i-- > 0 && rows < ROWS_MAX;) {
            const struct study_trial *trial = study_trial(study, i);
            if ((trial->base.state == TRIAL_RUNNING) == running) {
                trial_line(self, trial, i == best, line);
                draw_line(self, line);
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
    char line[LINE_BYTES];
    if (self->unsaid > 0) {
        head_line(self, study, line);
        note(self->cli, "%s", line);
    }
    self->unsaid = self->said = 0;
}

static void say(struct tune_view *self, const struct study *study, uint32_t trial)
{
    char line[LINE_BYTES];
    uint64_t now_ms = clock_ms();
    if (now_ms - self->drawn_ms >= 1000) {
        say_unsaid(self, study);
        self->drawn_ms = now_ms;
    }
    if (trial == NONE || study_trial(study, trial)->base.state < TRIAL_TERMINATED) {
        return;
    }
    uint32_t best = study_best(study);
    if (self->said++ < LINES_PER_SECOND) {
        trial_line(self, study_trial(study, trial), best == trial, line);
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
