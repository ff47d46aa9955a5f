/*  ray_body.c - a table of fields and their types. */
#include "head/ray_body.h"

#include <stdarg.h>
#include <stdio.h>
#include "head/json_shallow.h"

enum type { ANY, STRING, DICT, NUMBER, INTEGER };

static const struct field {
    const char *name;
    enum type type;
    const char *must_be;
    enum type values; /* of a DICT */
    const char *values_must_be;
} fields[] = {
    { "entrypoint", STRING, "a string", ANY, NULL },
    { "submission_id", STRING, "a string if provided", ANY, NULL },
    { "job_id", STRING, "a string if provided", ANY, NULL },
    { "runtime_env", DICT, "a dict", ANY, NULL },
    { "metadata", DICT, "a dict", STRING, "strings" },
    { "entrypoint_num_cpus", NUMBER, "a number", ANY, NULL },
    { "entrypoint_num_gpus", NUMBER, "a number", ANY, NULL },
    { "entrypoint_memory", INTEGER, "an integer", ANY, NULL },
    { "entrypoint_resources", DICT, "a dict", NUMBER, "numbers" },
    { "entrypoint_label_selector", DICT, "a dict", STRING, "strings" },
};

/*  "ValueError: " and the like. */
static size_t exception_name(const char *text)
{
    const char *colon = strstr(text, "Error: ");
    size_t n = colon ? (size_t)(colon - text) : 0;
    return colon && strcspn(text, " ") > n ? n + strlen("Error: ") : 0;
}

int ray_refuse(struct ray_refusal *no, uint32_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    no->status = status;
    vsnprintf(no->text, sizeof(no->text), format, arguments);
    va_end(arguments);
    size_t name = no->plain ? exception_name(no->text) : 0;
    memmove(no->text, no->text + name, strlen(no->text) - name + 1);
    return ERR_INVALID;
}

int ray_refuse_type(struct ray_refusal *no, const char *rays, const char *ours, const json_t *value)
{
    static const char *const names[][2] = {
        [JSON_OBJECT] = { "dict", "an object" }, [JSON_ARRAY] = { "list", "an array" },
        [JSON_STRING] = { "str", "a string" },   [JSON_INTEGER] = { "int", "a whole number" },
        [JSON_REAL] = { "float", "a number" },   [JSON_TRUE] = { "bool", "true" },
        [JSON_FALSE] = { "bool", "false" },      [JSON_NULL] = { "NoneType", "null" },
    };
    const char *const *name = names[json_typeof(value)];
    return no->plain ? ray_refuse(no, 400, "%s is %s", ours, name[1])
                     : ray_refuse(no, 400, "TypeError: %s <class '%s'>", rays, name[0]);
}

static bool is(const json_t *value, enum type type)
{
    switch (type) {
    case ANY:
        return true;
    case STRING:
        return json_is_string(value);
    case DICT:
        return json_is_object(value);
    case NUMBER:
        return json_is_number(value);
    case INTEGER:
        return json_is_integer(value);
    }
    return false;
}

static int check_field(const struct field *field, const json_t *value, struct ray_refusal *no)
{
    static const char *const words[] = { [ANY] = "there",
                                         [STRING] = "a string",
                                         [DICT] = "an object",
                                         [NUMBER] = "a number",
                                         [INTEGER] = "a whole number" };
    char rays[160], ours[160];
    if (!is(value, field->type)) {
        snprintf(rays, sizeof(rays), "%s must be %s, got", field->name, field->must_be);
        snprintf(ours, sizeof(ours), "%s must be %s, and", field->name, words[field->type]);
        return ray_refuse_type(no, rays, ours, value);
    }
    if (field->values == ANY) {
        return OK;
    }
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        if (!is(inner, field->values)) {
            const char *what = field->values_must_be;
            snprintf(rays, sizeof(rays), "%s values must be %s, got", field->name, what);
            snprintf(ours, sizeof(ours), "%s: values must be %s, and one", field->name, what);
            return ray_refuse_type(no, rays, ours, inner);
        }
    }
    return OK;
}

static int check_known(const json_t *body, struct ray_refusal *no)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)body, key, value)
    {
        size_t i = 0;
        while (i < COUNT(fields) && strcmp(fields[i].name, key) != 0) {
            i++;
        }
        if (i == COUNT(fields)) {
            return ray_refuse(no, 400,
                              no->plain ? "there is no field '%.200s'"
                                        : "TypeError: JobSubmitRequest.__init__() got an "
                                          "unexpected keyword argument '%.200s'",
                              key);
        }
    }
    if (json_object_get(body, "entrypoint") == NULL) {
        return ray_refuse(no, 400,
                          no->plain ? "entrypoint is missing"
                                    : "TypeError: JobSubmitRequest.__init__() missing 1 required "
                                      "positional argument: 'entrypoint'");
    }
    return OK;
}

static void strip_nulls(json_t *body)
{
    void *at = json_object_iter(body);
    while (at != NULL) {
        const char *key = json_object_iter_key(at);
        bool null = json_is_null(json_object_iter_value(at));
        at = json_object_iter_next(body, at);
        if (null) {
            json_object_del(body, key);
        }
    }
}

/*  Ray answers what is no JSON object with 500, before it looks at anything. */
static int parse(struct slice body, json_t **out, struct ray_refusal *no)
{
    json_error_t error;
    *out = json_shallow(body, 0, &error);
    if (*out == NULL) {
        return ray_refuse(no, 500,
                          no->plain ? "the body is not JSON: %s: line %d column %d"
                                    : "json.decoder.JSONDecodeError: %s: line %d column %d",
                          error.text, error.line, error.column);
    }
    if (!json_is_object(*out)) {
        int rc = ray_refuse_type(no, "the body must be a JSON object, got",
                                 "the body must be an object, and", *out);
        no->status = 500;
        return rc;
    }
    return OK;
}

int ray_body_read(struct slice body, json_t **out, struct ray_refusal *no)
{
    int rc = parse(body, out, no);
    if (rc == OK) {
        strip_nulls(*out);
        rc = check_known(*out, no);
    }
    for (size_t i = 0; rc == OK && i < COUNT(fields); i++) {
        const json_t *value = json_object_get(*out, fields[i].name);
        rc = value != NULL ? check_field(&fields[i], value, no) : OK;
    }
    if (rc != OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}
