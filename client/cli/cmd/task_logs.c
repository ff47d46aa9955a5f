/*  task_logs.c - `rayc task logs [--attempt N] TASK`.
    A function's output is kept with its attempt; a command's is in its result, as stdout and stderr; a driver's is
    the job's log. */
#include <sodium.h>
#include <stdlib.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

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
    *exit_code = fail(self, ERR_NOT_FOUND, "no attempt %lld of this task has ended",
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
    if (log) {
        note(self, "this is the beginning; all of it is on node %lld in %s",
             (long long)json_integer_value(json_object_get(task, "node_id")), log);
    }
}

int cmd_task_logs(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    json_t *task = exit_code ? NULL : query_row(self, "task", id, &exit_code);
    if (!task) {
        return exit_code;
    }
    json_t *rows =
        query_view(self, "output", json_string_value(json_object_get(task, "task_id")), &exit_code);
    const char *type = json_string_value(json_object_get(task, "type"));
    if (rows && cli_json(self)) {
        json_print(rows);
    } else if (type && strcmp(type, "DRIVER_TASK") == 0) {
        note(self, "this task is the job's driver; its output: rayc job logs %s",
             json_string_value(json_object_get(task, "submission_id")));
    } else if (rows) {
        const json_t *item = choose(self, rows, &exit_code);
        if (item) {
            write_output(self, task, item);
        } else if (exit_code == 0) {
            note(self, "no attempt of this task has ended yet");
        }
    }
    json_decref(rows);
    json_decref(task);
    return exit_code;
}
