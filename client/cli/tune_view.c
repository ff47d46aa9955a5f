/*  tune_view.c - redraws at most five times a second; says at most so many plain lines a second. */
#include "client/cli/tune_view.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "client/cli/table.h"
#include "client/tune/result_print.h"
#include "common/clock.h"

enum {
    DRAW_MS = 200,
    LINES_MAX = 14, /* of the table */
    LINES_PER_SECOND = 50,
    PARAM_BYTES = 256,
    VALUE_LETTERS = 60,
    PARAMS_LETTERS = 120,
    ERROR_LETTERS = 200
};

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

/*  Six digits are enough to look at. */
static void put_value(const struct study_spec *spec, double value, char *out, size_t capacity)
{
    if (isnan(value)) {
        snprintf(out, capacity, "%.128s=-", spec->metric);
    } else {
        snprintf(out, capacity, "%.128s=%.6g", spec->metric, value);
    }
}

/*  At most so many letters, no part of one. */
static void cut(char *text, unsigned letters)
{
    if (text_letters(text) > letters) {
        strcpy(text + text_bytes(text, letters - 3), "...");
    }
}

/*  "lr=0.0123 opt=adam", of JSON. */
static void put_params(const char *json, char *out, size_t capacity)
{
    char clean[PARAM_BYTES];
    json_t *params = json ? json_read(slice_text(json)) : NULL;
    const char *name;
    json_t *value;
    size_t n = 0;
    out[0] = 0;
    json_object_foreach(params, name, value)
    {
        char *text = json_is_string(value)
                         ? NULL
                         : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
        const char *from = text ? text : json_string_value(value);
        text_clean(slice_of(from, text_bytes(from, VALUE_LETTERS)), clean, sizeof(clean));
        free(text);
        int more = snprintf(out + n, capacity - n, "%s%.64s=%s", n > 0 ? " " : "", name, clean);
        if (more < 0 || n + (size_t)more >= capacity) {
            out[n] = 0; /* the last one did not fit */
            break;
        }
        n += (size_t)more;
    }
    json_decref(params);
}

/*  Why it failed: the line begins with its number already. */
static void put_error(const struct study_trial *trial, char *out, size_t capacity)
{
    char prefix[32];
    const char *text = trial->base.state == TRIAL_ERROR && trial->text ? trial->text : "";
    size_t n = (size_t)snprintf(prefix, sizeof(prefix), "trial %u", trial->base.number);
    if (strncmp(text, prefix, n) == 0) {
        text += n + strspn(text + n, ": ");
    }
    text_clean(slice_text(text), out, capacity);
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
    put_params(trial->params, params, sizeof(params));
    cut(params, PARAMS_LETTERS);
    put_error(trial, text, sizeof(text));
    cut(text, ERROR_LETTERS);
    snprintf(out, VIEW_LINE_BYTES, "trial %-5u %-10s %s%s%s  %.480s%s%.240s", trial->base.number,
             stopped ? "STOPPED" : trial_state_name(trial->base.state), value, step,
             best ? " (best)" : "", params, failed ? "  " : "", text);
}

void view_head_line(const struct tune_view *self, const struct study *study, uint64_t now_ms,
                    char out[VIEW_LINE_BYTES])
{
    uint32_t counts[TRIAL_STATES] = { 0 };
    for (uint32_t i = 0; i < study_count(study); i++) {
        counts[study_trial(study, i)->base.state]++;
    }
    char of[24] = "", paused[32] = "", failed[32] = "";
    if (self->spec->trials_max > 0) {
        snprintf(of, sizeof(of), "/%u", self->spec->trials_max);
    }
    if (counts[TRIAL_PAUSED] > 0) {
        snprintf(paused, sizeof(paused), ", %u paused", counts[TRIAL_PAUSED]);
    }
    if (counts[TRIAL_ERROR] > 0) {
        snprintf(failed, sizeof(failed), ", %u failed", counts[TRIAL_ERROR]);
    }
    uint64_t seconds = (now_ms - self->began_ms) / 1000;
    snprintf(out, VIEW_LINE_BYTES, "study %s: %u%s ended, %u running%s%s, %02u:%02u:%02u",
             self->name, counts[TRIAL_TERMINATED] + counts[TRIAL_ERROR], of, counts[TRIAL_RUNNING],
             paused, failed, (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60),
             (unsigned)(seconds % 60));
}

void view_best_line(const struct tune_view *self, const struct study *study,
                    char out[VIEW_LINE_BYTES])
{
    uint32_t best = study_best(study);
    char value[192], params[VIEW_LINE_BYTES - 300];
    if (best == NONE) {
        snprintf(out, VIEW_LINE_BYTES, "best: none yet");
        return;
    }
    const struct study_trial *trial = study_trial(study, best);
    put_value(self->spec, trial->value, value, sizeof(value));
    put_params(trial->params, params, sizeof(params));
    snprintf(out, VIEW_LINE_BYTES, "best: trial %u, %s  %s", best, value, params);
}

/* --- a terminal ---------------------------------------------------------------------------------------------- */

static struct winsize size_of_terminal(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    return known ? size : (struct winsize){ .ws_col = 80, .ws_row = 24 };
}

static void erase(struct tune_view *self)
{
    if (self->lines > 0) {
        fprintf(stderr, "\033[%uA\033[J", self->lines);
        self->lines = 0;
    }
}

/*  A picture on its way: it goes to the terminal in one piece, over the one before, so that nothing flickers. */
struct picture {
    FILE *to;
    unsigned letters; /* of a line: the last column stays free, where some terminals wrap */
    uint32_t lines, lines_max;
};

static void draw_line(struct picture *self, const char *line)
{
    if (self->lines < self->lines_max) {
        fprintf(self->to, "%.*s\033[K\n", (int)text_bytes(line, self->letters), line);
        self->lines++;
    }
}

/*  The study, its best trial, then the newest trials that run, then the newest others. */
static void draw_all(struct tune_view *self, const struct study *study, struct picture *picture)
{
    char line[VIEW_LINE_BYTES];
    uint32_t best = study_best(study);
    view_head_line(self, study, clock_ms(), line);
    draw_line(picture, line);
    view_best_line(self, study, line);
    draw_line(picture, line);
    for (int running = 1; running >= 0; running--) {
        for (uint32_t i = study_count(study); i-- > 0 && picture->lines < picture->lines_max;) {
            const struct study_trial *trial = study_trial(study, i);
            if ((trial->base.state == TRIAL_RUNNING) == running) {
                view_trial_line(self->spec, trial, i == best, line);
                draw_line(picture, line);
            }
        }
    }
}

static void draw(struct tune_view *self, const struct study *study)
{
    char *text = NULL;
    size_t bytes = 0;
    struct winsize size = size_of_terminal();
    uint32_t most = size.ws_row > 1 ? size.ws_row - 1u : 1;
    struct picture picture = { .to = open_memstream(&text, &bytes),
                               .letters = size.ws_col - 1u,
                               .lines_max = most < LINES_MAX ? most : LINES_MAX };
    ensure(picture.to != NULL);
    if (self->lines > 0) {
        fprintf(picture.to, "\033[%uA", self->lines);
    }
    draw_all(self, study, &picture);
    fputs("\033[J", picture.to);
    fclose(picture.to);
    fwrite(text, 1, bytes, stderr);
    fflush(stderr);
    free(text);
    self->lines = picture.lines;
    self->drawn_ms = clock_ms();
}

/* --- plain lines --------------------------------------------------------------------------------------------- */

static void say_unsaid(struct tune_view *self, const struct study *study)
{
    char line[VIEW_LINE_BYTES];
    if (self->unsaid > 0) {
        view_head_line(self, study, clock_ms(), line);
        note(self->cli, "%s", line);
        view_best_line(self, study, line);
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
