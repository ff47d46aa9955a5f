/*  result_csv.c - a table of trials for spreadsheets and scripts: quotes as RFC 4180 has them, lines end with a newline.

    Parameters are written as in the JSON of a trial, not in the format that commands see: they read back as the same
    numbers. */
#include "client/tune/result.h"

#include <stdlib.h>

#include "client/tune/result_print.h"

/*  A trial that has ended. */
struct line {
    const struct rec_trial *trial;
    json_t *params, *metrics;
};

static struct line line_of(const struct study_rows *self, const struct rec_trial *trial)
{
    struct line line = { trial, json_read(trial->params), json_read(trial->metrics) };
    if (trial_has_value(trial) && !json_object_get(line.metrics, self->spec->metric)) {
        line.metrics = line.metrics ? line.metrics : json_object();
        json_object_set_new(line.metrics, self->spec->metric, json_real(trial->value)); /* given */
    }
    return line;
}

static int by_end(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->trial->ended < y->trial->ended ? -1 : x->trial->ended > y->trial->ended;
}

/*  The names of all metrics that any of them reported last, in the order in which they appeared, the objective first;
    not those of parameters, which have their columns. */
static json_t *metric_names(const struct study_rows *self, const struct line *lines, uint32_t count)
{
    json_t *names = json_object(); /* keeps the order of insertion */
    json_object_set_new(names, self->spec->metric, json_true());
    for (uint32_t i = 0; i < count; i++) {
        json_object_update(names, lines[i].metrics);
    }
    for (uint32_t i = 0; i < self->spec->space.count; i++) {
        json_object_del(names, self->spec->space.params[i].name);
    }
    return names;
}

/*  The header, if there is no line. */
static void put_row(FILE *to, const struct space *space, json_t *names, const struct line *line)
{
    const char *before = "", *name;
    json_t *value;
    for (uint32_t i = 0; i < space->count; i++) {
        fputs(before, to);
        before = ",";
        value = line ? json_object_get(line->params, space->params[i].name) : NULL;
        if (!line) {
            csv_text(to, space->params[i].name);
        } else if (json_is_null(value)) { /* an option, unlike what is not active */
            fputs("null", to);
        } else {
            csv_value(to, value, "true", "false");
        }
    }
    json_object_foreach(names, name, value)
    {
        fputs(before, to);
        before = ",";
        if (line) {
            csv_value(to, json_object_get(line->metrics, name), "true", "false");
        } else {
            csv_text(to, name);
        }
    }
    fputc('\n', to);
}

void result_csv(const struct study_rows *self, FILE *to)
{
    struct line *lines = calloc(self->trial_count + 1, sizeof(*lines));
    ensure(lines != NULL);
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        if (self->trials[i].ended > 0) {
            lines[n++] = line_of(self, &self->trials[i]);
        }
    }
    qsort(lines, n, sizeof(*lines), by_end);
    json_t *names = metric_names(self, lines, n);
    put_row(to, &self->spec->space, names, NULL);
    for (uint32_t i = 0; i < n; i++) {
        put_row(to, &self->spec->space, names, &lines[i]);
        json_decref(lines[i].params);
        json_decref(lines[i].metrics);
    }
    json_decref(names);
    free(lines);
}
