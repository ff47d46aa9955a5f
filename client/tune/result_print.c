/*  result_print.c - jansson reads; it would write 0.1 as 0.10000000000000001. */
#include "client/tune/result_print.h"

#include "client/tune/space.h"

json_t *json_read(struct slice text)
{
    const char *p = (const char *)text.p;
    json_t *value = text.n > 0 ? json_loadb(p, text.n, JSON_DECODE_ANY, NULL) : NULL;
    return value || text.n == 0
               ? value
               : json_loadb(p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

static void put_real(FILE *to, const json_t *value)
{
    char number[40];
    number_print(json_real_value(value), number, sizeof(number));
    fputs(number, to);
}

static void put_break(FILE *to, unsigned indent, unsigned depth)
{
    if (indent > 0) {
        fprintf(to, "\n%*s", (int)(indent * depth), "");
    }
}

static void put_name(FILE *to, const char *name, unsigned indent)
{
    json_t *text = json_string(name);
    json_dumpf(text, to, JSON_ENCODE_ANY);
    json_decref(text);
    fputs(indent > 0 ? ": " : ":", to);
}

static void put_value(FILE *to, const json_t *value, unsigned indent, unsigned depth)
{
    bool object = json_is_object(value);
    size_t count = object ? json_object_size(value) : json_array_size(value);
    if (json_is_real(value)) {
        put_real(to, value);
        return;
    }
    if (count == 0) { /* also what holds nothing */
        json_dumpf(value, to, JSON_ENCODE_ANY);
        return;
    }
    fputc(object ? '{' : '[', to);
    void *at = object ? json_object_iter((json_t *)(uintptr_t)value) : NULL;
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", to);
        put_break(to, indent, depth + 1);
        if (object) {
            put_name(to, json_object_iter_key(at), indent);
        }
        put_value(to, object ? json_object_iter_value(at) : json_array_get(value, i), indent,
                  depth + 1);
        at = object ? json_object_iter_next((json_t *)(uintptr_t)value, at) : NULL;
    }
    put_break(to, indent, depth);
    fputc(object ? '}' : ']', to);
}

void json_put(FILE *to, const json_t *value, unsigned indent)
{
    put_value(to, value, indent, 0);
}

/* --- CSV -------------------------------------------------------------------------------------- */

void csv_text(FILE *to, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"" : "", to);
        fputc(*text, to);
    }
    fputc('"', to);
}

void csv_value(FILE *to, const json_t *value, const char *true_text, const char *false_text)
{
    if (json_is_string(value)) {
        csv_text(to, json_string_value(value));
    } else if (json_is_boolean(value)) {
        fputs(json_is_true(value) ? true_text : false_text, to);
    } else if (json_is_number(value)) {
        json_put(to, value, 0);
    }
}
