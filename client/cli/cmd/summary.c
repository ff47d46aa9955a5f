/*  summary.c - `rayc summary [tasks|jobs|actors|objects]`: how many there are by name and state.  It reads page after page and keeps
    the counts only. */
#include <stdlib.h>
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "proto/proto.h"

static const struct subject {
    const char *noun, *view, *name, *state;
} subjects[] = {
    { "tasks", "tasks", "name", "state" },
    { "jobs", "jobs", "name", "status" },
    { "actors", "actors", "class_name", "state" },
    { "objects", "objects", "name", "state" },
};

static const struct column columns[] = {
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "TOTAL", "total", cell_text, COLUMN_RIGHT },
    { "STATES", "state_counts", cell_amounts, 0 },
};

struct summary {
    const struct subject *subject;
    json_t *names; /* name: { state: count } */
};

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static bool count_row(void *context, json_t *row)
{
    struct summary *self = context;
    const char *name = text_of(row, self->subject->name),
               *state = text_of(row, self->subject->state);
    json_t *states = json_object_get(self->names, name);
    if (!states) {
        states = json_object();
        json_object_set_new(self->names, name, states);
    }
    json_int_t count = json_integer_value(json_object_get(states, state));
    json_object_set_new(states, state, json_integer(count + 1));
    return true;
}

/*  [{ name, total, state_counts }], in order of names. */
static json_t *rows_of(const json_t *names)
{
    json_t *rows = json_array();
    const char **sorted = calloc(json_object_size(names) + 1, sizeof(*sorted));
    size_t count = 0;
    const char *name, *state;
    json_t *states, *value;
    ensure(sorted);
    json_object_foreach((json_t *)names, name, states)
    {
        size_t at = count++;
        for (; at > 0 && strcmp(sorted[at - 1], name) > 0; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = name;
    }
    for (size_t i = 0; i < count; i++) {
        json_int_t total = 0;
        states = json_object_get(names, sorted[i]);
        json_object_foreach(states, state, value)
        {
            total += json_integer_value(value);
        }
        json_array_append_new(rows, json_pack("{s:s, s:I, s:O}", "name", sorted[i], "total", total,
                                              "state_counts", states));
    }
    free(sorted);
    return rows;
}

static const struct subject *subject_of(const struct cli *self)
{
    const char *noun = self->count > 0 ? self->operands[0] : subjects[0].noun;
    for (size_t i = 0; i < COUNT(subjects); i++) {
        if (self->count <= 1 && strcmp(noun, subjects[i].noun) == 0) {
            return &subjects[i];
        }
    }
    return NULL;
}

static void print(const struct cli *self, const struct summary *summary)
{
    json_t *rows = rows_of(summary->names);
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:O}", "apiVersion", "rayc/v1", "kind",
                                   "Summary", "of", summary->subject->noun, "items", rows);
        json_print(object);
        json_decref(object);
    } else if (json_array_size(rows) == 0) {
        note(self, "no %s yet", summary->subject->noun);
    } else {
        table_print(self, columns, COUNT(columns), rows);
    }
    json_decref(rows);
}

int cmd_summary(struct cli *self)
{
    struct summary summary = { .subject = subject_of(self) };
    if (!summary.subject) {
        return fail_usage(self, "summary of what?  tasks (default), jobs, actors or objects");
    }
    char job[NAME_MAX_BYTES + 1];
    int exit_code = query_open(self, job);
    if (exit_code) {
        return exit_code;
    }
    summary.names = json_object();
    exit_code = query_each(self, summary.subject->view, job, count_row, &summary);
    if (exit_code == 0) {
        print(self, &summary);
    }
    json_decref(summary.names);
    return exit_code;
}
