/*  task_output.c - where output is: the head has a log of what ran for long or printed a lot, from its first second on.
    Of others a function's output is kept with its attempt; a command's is in its result, as stdout and stderr; a driver's
    is the job's log. */
#include "client/cli/task_output.h"

#include <sodium.h>
#include <stdlib.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "client/cli/task_watch.h"

static size_t write_text(FILE *out, const json_t *text)
{
    return json_is_string(text) ? fwrite(json_string_value(text), 1, json_string_length(text), out)
                                : 0;
}

/*  Bytes are base64 in JSON. */
static size_t write_bytes(FILE *out, const json_t *text)
{
    size_t letters = json_string_length(text), n = 0;
    unsigned char *bytes = malloc(letters + 1);
    ensure(bytes);
    if (letters && sodium_base642bin(bytes, letters, json_string_value(text), letters, NULL, &n,
                                     NULL, sodium_base64_VARIANT_ORIGINAL) == 0) {
        fwrite(bytes, 1, n, out);
    }
    free(bytes);
    return n;
}

/*  The item of --attempt, else the last; NULL with *exit_code. */
static const json_t *choose(const struct cli *self, const json_t *rows, int *exit_code)
{
    const json_t *items = json_object_get(rows, "items");
    size_t count = json_array_size(items);
    if (self->options.attempt == OPTION_UNSET) {
        return count ? json_array_get(items, count - 1) : NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);
        if (json_integer_value(json_object_get(item, "attempt")) == self->options.attempt) {
            return item;
        }
    }
    *exit_code = fail(self, ERR_NOT_FOUND, "there is no output of attempt %lld of this task",
                      (long long)self->options.attempt);
    return NULL;
}

static void write_output(const struct cli *self, const json_t *task, const json_t *item)
{
    const json_t *result = json_object_get(task, "result");
    bool newest = json_integer_value(json_object_get(item, "attempt")) ==
                  json_integer_value(json_object_get(task, "attempt"));
    size_t n = write_text(stdout, json_object_get(item, "output"));
    if (n == 0 && newest && json_is_string(json_object_get(result, "stdout"))) {
        n = write_bytes(stdout, json_object_get(result, "stdout"));
        fflush(stdout);
        n += write_bytes(stderr, json_object_get(result, "stderr"));
    }
    if (n == 0 && write_text(stdout, json_object_get(item, "text"))) {
        putchar('\n');
    }
    const char *log = json_string_value(json_object_get(item, "log"));
    if (log && strncmp(log, "logs/job-", 9) != 0) {
        note(self, "this is the beginning; all of it is on node %lld in %s",
             (long long)json_integer_value(json_object_get(task, "node_id")), log);
    }
}

static int64_t number_of(const json_t *row, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(row, name));
}

/*  How the attempt ended whose output was printed, if not well: the output does not say so, and may be cut. */
static int say_end(struct cli *self, const char *task, uint32_t attempt)
{
    int exit_code = 0;
    json_t *rows = query_view(self, "attempts", task, &exit_code);
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(rows, "items"), i, row)
    {
        const char *outcome = json_string_value(json_object_get(row, "outcome"));
        const char *why = json_string_value(json_object_get(row, "error_message"));
        if (number_of(row, "attempt") == attempt && outcome && strcmp(outcome, "FINISHED") != 0) {
            fflush(stdout);
            note(self, "attempt %u ended %s: %s", attempt, outcome, why ? why : "");
        }
    }
    json_decref(rows);
    return exit_code;
}

/*  What the head has of it.  *printed: there was something. */
static int watch(struct cli *self, const json_t *task, bool *printed)
{
    const char *state = json_string_value(json_object_get(task, "state"));
    bool ended = state && (strcmp(state, "FINISHED") == 0 || strcmp(state, "FAILED") == 0);
    int64_t attempt = self->options.attempt != OPTION_UNSET ? self->options.attempt
                      : ended                               ? number_of(task, "attempt")
                                                            : 0;
    struct task_watch of = {
        .job = strtoull(json_string_value(json_object_get(task, "job_id")), NULL, 16),
        .task = strtoull(json_string_value(json_object_get(task, "task_id")), NULL, 16),
        .attempt = (uint32_t)attempt,
        .until_end = self->options.follow && !ended,
        .tail = self->options.tail != OPTION_UNSET ? (uint64_t)self->options.tail : 0
    };
    int exit_code = task_watch(self, &of);
    *printed = of.printed > 0;
    return exit_code || !*printed
               ? exit_code
               : say_end(self, json_string_value(json_object_get(task, "task_id")),
                         of.attempt_printed);
}

/*  A command that has ended, and printed no more than fits its result, where stdout and stderr are apart. */
static bool is_whole(const struct cli *self, const json_t *task)
{
    bool newest = self->options.attempt == OPTION_UNSET ||
                  self->options.attempt == number_of(task, "attempt");
    return newest && self->options.tail == OPTION_UNSET &&
           json_is_string(json_object_get(json_object_get(task, "result"), "stdout")) &&
           !json_is_string(json_object_get(task, "log"));
}

/*  What is kept with the ended attempts. */
static int write_rows(struct cli *self, const char *id, const json_t *rows)
{
    int exit_code = 0;
    const json_t *item = choose(self, rows, &exit_code);
    json_t *task = item ? query_row(self, "task", id, &exit_code) : NULL; /* as it ended */
    if (task) {
        write_output(self, task, item);
    } else if (exit_code == 0) {
        note(self, "nothing of this task's output is here yet");
    }
    json_decref(task);
    return exit_code;
}

int task_output(struct cli *self, const char *id)
{
    int exit_code = 0;
    bool printed = false;
    json_t *task = query_row(self, "task", id, &exit_code);
    if (!task) {
        return exit_code;
    }
    const char *type = json_string_value(json_object_get(task, "type"));
    const char *number = json_string_value(json_object_get(task, "task_id"));
    if (type && strcmp(type, "DRIVER_TASK") == 0) {
        note(self, "this task is the job's driver; its output: rayc job logs %s",
             json_string_value(json_object_get(task, "submission_id")));
        json_decref(task);
        return 0;
    }
    exit_code = cli_json(self) || is_whole(self, task) ? 0 : watch(self, task, &printed);
    json_t *rows = exit_code || printed ? NULL : query_view(self, "output", number, &exit_code);
    if (rows && cli_json(self)) {
        json_print(rows);
    } else if (rows) {
        exit_code = write_rows(self, number, rows);
    }
    json_decref(rows);
    json_decref(task);
    return exit_code;
}
