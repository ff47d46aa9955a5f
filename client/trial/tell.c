/*  tell.c - from a line to a report, and from the decision to an answer.  A line that cannot be read changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/trial.h"
#include "client/trial/run.h"
#include "common/clock.h"

/*  Remembers for people, and for the end, what was reported. */
static void remember(struct run *self, const struct metric *metrics, size_t count)
{
    size_t n = 0;
    self->last_report[0] = 0;
    for (size_t i = 0; i < count; i++) {
        char number[NUMBER_TEXT_BYTES];
        const struct metric *metric = &metrics[i];
        const char *value =
            metric->text != NULL ? metric->text : number_text(metric->value, number);
        self->has_value |= metric->text == NULL && strcmp(metric->name, self->metric) == 0;
        int wrote = snprintf(self->last_report + n, LAST_BYTES - n, "%s%s=%s", n > 0 ? " " : "",
                             metric->name, value);
        if (wrote < 0 || (size_t)wrote >= LAST_BYTES - n) {
            break;
        }
        n += (size_t)wrote;
    }
}

/*  A code of rayc.h, or what the trial is to do. */
static int tell(struct run *self, const struct metric *metrics, size_t count,
                const char *checkpoint)
{
    if (self->told != RAYC_GO_ON) {
        return self->told; /* it was told to end: what it still says counts no more */
    }
    char path[PATH_BYTES];
    if (checkpoint != NULL && checkpoint[0] != '/') {
        snprintf(path, sizeof(path), "%s%s%s", self->cwd, self->cwd[0] != 0 ? "/" : "", checkpoint);
        checkpoint = path;
    }
    uint32_t before = trial_progress(self->task).reports;
    int rc = trial_report(self->task, metrics, count, checkpoint);
    if (checkpoint != NULL && trial_checkpoint_again(self->task, self->checkpoint_dir) < 0) {
        fprintf(stderr, "rayc: %s\n", rayc_error()->text);
    }
    if (trial_progress(self->task).reports > before) {
        remember(self, metrics, count);
    }
    if (rc > RAYC_GO_ON) {
        self->told = rc;
        self->told_ms = clock_ms();
    }
    return rc;
}

void run_tell(struct run *self, struct slice line, char answer[ANSWER_BYTES])
{
    static const char *const answers[] = {
        [RAYC_GO_ON] = "ok\n", [RAYC_STOP] = "stop\n", [RAYC_PAUSE] = "pause\n"
    };
    struct report_line report;
    struct diag why;
    if (report_line_read(&report, line, &why) != OK) {
        snprintf(answer, ANSWER_BYTES, "error %s\n", why.text);
        return;
    }
    int rc = tell(self, report.metrics, report.count, report.checkpoint);
    if (rc >= 0) {
        snprintf(answer, ANSWER_BYTES, "%s", answers[rc]);
    } else {
        snprintf(answer, ANSWER_BYTES, "error %.1000s\n", rayc_error()->text);
    }
    report_line_free(&report);
}

/* --- from what it prints ------------------------------------------------------------------------ */

/*  Nobody reads an answer: what is wrong is said once, what is to be done is done to the process. */
static void tell_unasked(struct run *self, const struct metric *metrics, size_t count)
{
    int rc = tell(self, metrics, count, NULL);
    if (rc < 0 && !self->complained) {
        self->complained = true;
        fprintf(stderr, "rayc: a line of the output does not count as a report: %s\n",
                rayc_error()->text);
    }
    self->told_stdout |= rc > RAYC_GO_ON;
}

static void see(struct run *self, struct slice name, double value)
{
    char text[METRIC_NAME_MAX + 1];
    if (!metric_name_ok(name) || !slice_copy_text(name, text, sizeof(text))) {
        return;
    }
    for (size_t i = 0; i < self->seen_count; i++) {
        if (strcmp(self->seen[i].name, text) == 0) {
            self->seen[i].value = value;
            return;
        }
    }
    if (self->seen_count < METRIC_COUNT_MAX) {
        char *kept = strdup(text);
        ensure(kept != NULL);
        self->seen[self->seen_count++] = (struct metric){ .name = kept, .value = value };
    }
}

static void see_pairs(struct run *self, struct slice line)
{
    struct report_line found;
    if (report_line_scan(&found, line)) {
        for (size_t i = 0; i < found.count; i++) {
            see(self, slice_text(found.metrics[i].name), found.metrics[i].value);
        }
        report_line_free(&found);
    }
}

static struct slice group(const char *text, const regmatch_t *match)
{
    return match->rm_so < 0 ? slice_of(NULL, 0)
                            : slice_of(text + match->rm_so, (size_t)(match->rm_eo - match->rm_so));
}

/*  Group 1 is a name, group 2 its value; with one group, it is the value of the metric. */
static void see_matches(struct run *self, struct slice line)
{
    char text[REPORT_LINE_MAX + 1];
    regmatch_t match[3];
    const char *at = text;
    (void)slice_copy_text(line, text, sizeof(text));
    while (regexec(&self->regex, at, COUNT(match), match, at > text ? REG_NOTBOL : 0) == 0) {
        double value;
        bool named = match[2].rm_so >= 0;
        struct slice name = named ? group(at, &match[1]) : slice_text(self->metric);
        if (report_number(group(at, &match[named ? 2 : 1]), &value)) {
            see(self, name, value);
        }
        at += match[0].rm_eo > 0 ? match[0].rm_eo : 1;
        if (match[0].rm_eo == 0 && at[-1] == 0) {
            break;
        }
    }
}

/*  Metrics that come on several lines are one report: when the study's own has come. */
static void tell_seen(struct run *self)
{
    if (metrics_find(self->seen, self->seen_count, self->metric) == NULL) {
        return;
    }
    tell_unasked(self, self->seen, self->seen_count);
    while (self->seen_count > 0) {
        free((char *)(uintptr_t)self->seen[--self->seen_count].name);
    }
}

void run_look(struct run *self, struct slice line)
{
    static const char mark[] = "rayc: {";
    struct report_line report;
    struct diag why;
    size_t n = line.n;
    while (n > 0 && (line.p[n - 1] == ' ' || line.p[n - 1] == '\t' || line.p[n - 1] == '\r')) {
        n--;
    }
    if (n > 0) {
        (void)slice_copy_text(slice_of(line.p, n), self->last_line, sizeof(self->last_line));
    }
    if (n >= sizeof(mark) - 1 && memcmp(line.p, mark, sizeof(mark) - 1) == 0) {
        struct slice object = slice_of(line.p + sizeof(mark) - 2, n - (sizeof(mark) - 2));
        if (report_line_read(&report, object, &why) == OK) {
            tell_unasked(self, report.metrics, report.count);
            report_line_free(&report);
        } else {
            fprintf(stderr, "rayc: a report was not understood: %s\n", why.text);
        }
    } else if (self->from_stdout == STDOUT_PAIRS) {
        see_pairs(self, line);
        tell_seen(self);
    } else if (self->from_stdout == STDOUT_REGEX) {
        see_matches(self, line);
        tell_seen(self);
    }
}

bool run_tell_last(struct run *self)
{
    double value;
    struct slice line = slice_text(self->last_line);
    if (report_number(line, &value)) {
        see(self, slice_text(self->metric), value);
    } else {
        see_pairs(self, line);
    }
    bool found = metrics_find(self->seen, self->seen_count, self->metric) != NULL;
    tell_seen(self);
    return found;
}
