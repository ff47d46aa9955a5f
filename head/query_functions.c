/*  query_functions.c - the SQL functions of views.def: what is msgpack in a row becomes JSON. */
#include "head/query_functions.h"

#include <inttypes.h>
#include <stdio.h>
#include "common/text.h"
#include "head/json.h"
#include "proto/proto.h"

/*  Larger results are told by their size only: a command's stdout and stderr still fit. */
enum { VALUE_BYTES_MAX = 2 * OUTPUT_MAX + 4096 };

static struct slice blob_of(sqlite3_value *value)
{
    const void *p = sqlite3_value_blob(value);
    return slice_of(p, (size_t)sqlite3_value_bytes(value));
}

static void give(sqlite3_context *context, struct json *json)
{
    if (json->full) {
        sqlite3_result_null(context);
    } else {
        sqlite3_result_text64(context, json->p, json->n, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    json_free(json);
}

static void put_amounts(struct json *to, struct list list)
{
    struct rec_amount amount;
    const char *comma = "";
    json_raw(to, "{");
    while (list.bytes.n > 0 && next_amount(&list, &amount)) {
        char digits[40];
        struct text text = text_in(digits, sizeof(digits));
        if (slice_same(amount.name, slice_text("memory"))) {
            text_u64(&text, amount.units);
        } else {
            text_units(&text, amount.units);
        }
        json_raw(to, comma);
        json_text(to, amount.name);
        json_raw(to, ":");
        json_raw(to, digits);
        comma = ",";
    }
    json_raw(to, "}");
}

static void amounts_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct json json = json_new(MIB);
    put_amounts(&json, (struct list){ blob_of(values[0]), UINT32_MAX });
    give(context, &json);
}

/*  KEY=VALUE lines as one object. */
static void labels_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct json json = json_new(MIB);
    struct slice labels = blob_of(values[0]), line;
    const char *comma = "";
    json_raw(&json, "{");
    while (line_next(&labels, &line)) {
        const uint8_t *equals = memchr(line.p, '=', line.n);
        size_t n = equals ? (size_t)(equals - line.p) : line.n;
        json_raw(&json, comma);
        json_text(&json, slice_of(line.p, n));
        json_raw(&json, ":");
        json_text(&json, equals ? slice_of(equals + 1, line.n - n - 1) : slice_of(line.p, 0));
        comma = ",";
    }
    json_raw(&json, "}");
    give(context, &json);
}

static void demand_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct list list = { blob_of(values[0]), 1 };
    struct rec_spec spec;
    if (list.bytes.n == 0 || !next_spec(&list, &spec)) {
        sqlite3_result_null(context);
        return;
    }
    struct json json = json_new(MIB);
    put_amounts(&json, spec.demand);
    give(context, &json);
}

/*  Where and when a spec's tasks run. */
static void scheduling_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct list list = { blob_of(values[0]), 1 };
    struct rec_spec spec;
    if (list.bytes.n == 0 || !next_spec(&list, &spec)) {
        sqlite3_result_null(context);
        return;
    }
    struct json json = json_new(MIB);
    char digits[40];
    snprintf(digits, sizeof(digits), ",\"priority\":%d,\"labels\":[", (int)spec.priority);
    json_raw(&json, "{\"strategy\":");
    json_text(&json, spec.strategy.n > 0 ? spec.strategy : slice_text("DEFAULT"));
    json_raw(&json, digits);
    struct slice line;
    for (const char *comma = ""; line_next(&spec.labels, &line); comma = ",") {
        json_raw(&json, comma);
        json_text(&json, line);
    }
    json_raw(&json, "]}");
    give(context, &json);
}

static void ids_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct list list = { blob_of(values[0]), UINT32_MAX };
    struct rec_id id;
    struct json json = json_new(MIB);
    const char *comma = "";
    json_raw(&json, "[");
    while (list.bytes.n > 0 && next_id(&list, &id)) {
        json_raw(&json, comma);
        json_u64(&json, id.task);
        comma = ",";
    }
    json_raw(&json, "]");
    give(context, &json);
}

/*  What a value has inside: [[task, index], ...]. */
static void objects_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct list list = { blob_of(values[0]), UINT32_MAX };
    struct rec_object object;
    struct json json = json_new(ANSWER_MAX);
    const char *comma = "";
    json_raw(&json, "[");
    while (list.bytes.n > 0 && next_object(&list, &object)) {
        json_raw(&json, comma);
        json_raw(&json, "[");
        json_u64(&json, object.task);
        json_raw(&json, ",");
        json_u64(&json, object.index);
        json_raw(&json, "]");
        comma = ",";
    }
    json_raw(&json, "]");
    give(context, &json);
}

/*  What a job still waits for: [[number, "to succeed"], ...]. */
static void waits_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct list list = { blob_of(values[0]), UINT32_MAX };
    struct rec_after wait;
    struct json json = json_new(MIB);
    const char *before = "[[";
    while (list.bytes.n > 0 && next_after(&list, &wait)) {
        json_raw(&json, before);
        json_bytes(&json, wait.job); /* digits */
        json_raw(&json, wait.condition == AFTER_OK ? ",\"to succeed\"]" : ",\"to end\"]");
        before = ",[";
    }
    json_raw(&json, json.n > 0 ? "]" : "[]");
    give(context, &json);
}

static void value_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct slice value = blob_of(values[0]);
    struct json json = json_new(ANSWER_MAX / 2);
    if (value.n == 0 || value.n > VALUE_BYTES_MAX || !json_msgpack(&json, value)) {
        json.full = true;
    }
    give(context, &json);
}

int query_functions(sqlite3 *db)
{
    static const struct {
        const char *name;
        void (*function)(sqlite3_context *context, int count, sqlite3_value **values);
    } functions[] = {
        { "amounts_json", amounts_json }, { "labels_json", labels_json },
        { "demand_json", demand_json },   { "scheduling_json", scheduling_json },
        { "ids_json", ids_json },         { "value_json", value_json },
        { "waits_json", waits_json },     { "objects_json", objects_json },
    };
    for (size_t i = 0; i < COUNT(functions); i++) {
        int rc =
            sqlite3_create_function_v2(db, functions[i].name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                       NULL, functions[i].function, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            return ERR_STORE;
        }
    }
    return OK;
}
