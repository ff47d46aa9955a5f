/*  result_csv.c - a table of trials for spreadsheets and scripts: quotes as RFC 4180 has them, lines end with a newline. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>

/*  The names of all metrics that any trial reported last, in the order in which they appeared; not those of
    parameters, which have their columns. */
static json_t *metric_names(const struct study_rows *self, json_t **metrics)
{
    json_t *names = json_object(); /* keeps the order of insertion */
    json_object_set_new(names, self->spec->metric, json_true());
    for (uint32_t i = 0; i < self->trial_count; i++) {
        struct slice text = self->trials[i].metrics;
        metrics[i] = text.n > 0 ? json_loadb((const char *)text.p, text.n, 0, NULL) : NULL;
        const char *name;
        json_t *value;
        json_object_foreach(metrics[i], name, value) {
            if (space_find(&self->spec->space, slice_text(name)) == NONE) {
                json_object_set_new(names, name, json_true());
            }
        }
    }
    return names;
}

static void put_text(FILE *to, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', to);
        }
        fputc(*text, to);
    }
    fputc('"', to);
}

static void put_value(FILE *to, const json_t *value)
{
    char number[40];
    if (json_is_string(value)) {
        put_text(to, json_string_value(value));
    } else if (json_is_boolean(value)) {
        fputs(json_is_true(value) ? "true" : "false", to);
    } else if (json_is_integer(value)) {
        fprintf(to, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        number_print(json_real_value(value), number, sizeof(number));
        fputs(number, to);
    }
}

static void put_point(FILE *to, const struct space *space, const struct rec_trial *trial)
{
    char text[512];
    for (uint32_t i = 0; i < space->count; i++) {
        double value = NAN;
        if ((i + 1) * sizeof(double) <= trial->point.n) {
            memcpy(&value, trial->point.p + i * sizeof(double), sizeof(double));
        }
        if (i > 0) {
            fputc(',', to);
        }
        if (!isnan(value)) {
            param_print(&space->params[i], value, text, sizeof(text));
            put_text(to, text);
        }
    }
}

static void put_header(FILE *to, const struct space *space, json_t *names)
{
    for (uint32_t i = 0; i < space->count; i++) {
        put_text(to, space->params[i].name);
        fputc(',', to);
    }
    const char *name;
    json_t *value;
    bool first = true;
    json_object_foreach(names, name, value) {
        fputs(first ? "" : ",", to);
        put_text(to, name);
        first = false;
    }
    fputs("\n", to);
}

static int by_end(const void *a, const void *b)
{
    const struct rec_trial *x = *(const struct rec_trial *const *)a, *y = *(const struct rec_trial *const *)b;
    return x->ended < y->ended ? -1 : x->ended > y->ended;
}

static void put_row(FILE *to, const struct space *space, const struct rec_trial *trial, json_t *names,
                    const json_t *metrics)
{
    const char *name;
    json_t *value;
    put_point(to, space, trial);
    json_object_foreach(names, name, value) {
        if (space->count > 0 || strcmp(json_object_iter_key(json_object_iter(names)), name) != 0) {
            fputc(',', to);
        }
        put_value(to, json_object_get(metrics, name));
    }
    fputs("\n", to);
}

void result_csv(const struct study_rows *self, FILE *to)
{
    json_t **metrics = calloc(self->trial_count + 1, sizeof(json_t *));
    const struct rec_trial **order = calloc(self->trial_count + 1, sizeof(*order));
    ensure(metrics && order);
    json_t *names = metric_names(self, metrics);
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        if (self->trials[i].ended > 0) {
            order[n++] = &self->trials[i];
        }
    }
    qsort(order, n, sizeof(order[0]), by_end);
    put_header(to, &self->spec->space, names);
    for (uint32_t i = 0; i < n; i++) {
        put_row(to, &self->spec->space, order[i], names, metrics[order[i] - self->trials]);
    }
    for (uint32_t i = 0; i < self->trial_count; i++) {
        json_decref(metrics[i]);
    }
    json_decref(names);
    free(order);
    free(metrics);
}
