/*  report_line.c - two grammars, one result. */
#include "client/report_line.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 8,
    MEMBER_BYTES = 5,                  /* of a member of a JSON object, at least */
    JOINED_BYTES = METRIC_NAME_MAX + 2 /* of a joined name, one longer than allowed, with its NUL */
};

/*  A line being read: texts are copied one after the other into memory that is large enough from the start. */
struct reading {
    struct report_line *out;
    size_t used, capacity; /* of out->texts */
    struct diag *why;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct diag *why, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    return ERR_INVALID;
}

static void begin(struct reading *self, struct report_line *out, size_t bytes)
{
    *out = (struct report_line){ .metrics = calloc(METRIC_COUNT_MAX, sizeof(*out->metrics)),
                                 .texts = malloc(bytes) };
    ensure(out->metrics != NULL && out->texts != NULL);
    self->out = out;
    self->used = 0;
    self->capacity = bytes;
}

void report_line_free(struct report_line *self)
{
    free(self->metrics);
    free(self->texts);
    *self = (struct report_line){ 0 };
}

static char *keep(struct reading *self, struct slice text)
{
    ensure(self->used + text.n + 1 <= self->capacity);
    char *kept = self->out->texts + self->used;
    if (text.n > 0) {
        memcpy(kept, text.p, text.n);
    }
    kept[text.n] = 0;
    self->used += text.n + 1;
    return kept;
}

static int add(struct reading *self, const char *name, const char *text, double value)
{
    if (strcmp(name, "checkpoint") == 0) {
        if (text == NULL || text[0] == 0) {
            return wrong(self->why, "checkpoint must be a folder");
        }
        self->out->checkpoint = text;
        return OK;
    }
    if (self->out->count == METRIC_COUNT_MAX) {
        return wrong(self->why, "more than %d metrics in one report", METRIC_COUNT_MAX);
    }
    self->out->metrics[self->out->count++] =
        (struct metric){ .name = name, .text = text, .value = value };
    return OK;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.n > 0 && is_space(text.p[0])) {
        text = slice_of(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && is_space(text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

bool report_number(struct slice text, double *out)
{
    char copy[64], *end;
    text = trim(text);
    if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, 0, text.n) != NULL) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    *out = strtod(copy, &end);
    return *end == 0;
}

/* --- name=value ------------------------------------------------------------------------------- */

/*  Takes a value off the line: up to a space, or in quotes. */
static int take_value(struct reading *self, struct slice *line, char **text, bool *quoted)
{
    size_t n = 0;
    *quoted = line->n > 0 && line->p[0] == '"';
    if (!*quoted) {
        while (n < line->n && !is_space(line->p[n])) {
            n++;
        }
        size_t bare = n > 0 && line->p[n - 1] == ',' ? n - 1 : n;
        *text = keep(self, slice_of(line->p, bare));
        *line = slice_of(line->p + n, line->n - n);
        return OK;
    }
    for (n = 1; n < line->n && line->p[n] != '"'; n++) {
        n += line->p[n] == '\\' && n + 1 < line->n;
    }
    if (n >= line->n) {
        return wrong(self->why, "a quote is not closed");
    }
    char *to = *text = keep(self, slice_of(line->p + 1, n - 1));
    for (const char *from = to; *from != 0; from++) {
        from += *from == '\\' && from[1] != 0;
        *to++ = *from;
    }
    *to = 0;
    n += 1 + (n + 1 < line->n && line->p[n + 1] == ',');
    *line = slice_of(line->p + n, line->n - n);
    return line->n == 0 || is_space(line->p[0])
               ? OK
               : wrong(self->why, "there must be a space after a quoted value");
}

static int read_pairs(struct reading *self, struct slice line)
{
    int e = OK;
    for (line = trim(line); e == OK && line.n > 0; line = trim(line)) {
        const uint8_t *equals = memchr(line.p, '=', line.n);
        size_t n = 0;
        while (n < line.n && !is_space(line.p[n]) && line.p[n] != '=') {
            n++;
        }
        if (equals == NULL || n == 0 || line.p + n != equals) {
            return wrong(self->why, "\"%.*s\" is not NAME=VALUE", n < 60 ? (int)n : 60,
                         (const char *)line.p);
        }
        char *name = keep(self, slice_of(line.p, n)), *text = NULL;
        bool quoted;
        double value = 0;
        line = slice_of(equals + 1, line.n - n - 1);
        e = take_value(self, &line, &text, &quoted);
        bool number =
            !quoted && strcmp(name, "checkpoint") != 0 && report_number(slice_text(text), &value);
        if (e == OK && text[0] == 0) {
            e = wrong(self->why, "%.60s has no value", name);
        }
        e = e ? e : add(self, name, number ? NULL : text, value);
    }
    return e;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int read_object(struct reading *self, const json_t *object, const char *prefix, int depth);

static int read_member(struct reading *self, const char *name, const json_t *value, int depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return depth < DEPTH_MAX ? read_object(self, value, name, depth + 1)
                                 : wrong(self->why, "%.60s is too deep", name);
    case JSON_ARRAY:
        return wrong(self->why, "%.60s is a list: report numbers, or texts", name);
    case JSON_STRING:
        return add(self, name, keep(self, slice_text(json_string_value(value))), 0);
    case JSON_INTEGER:
    case JSON_REAL:
        return add(self, name, NULL, json_number_value(value));
    case JSON_TRUE:
    case JSON_FALSE:
        return add(self, name, NULL, json_is_true(value));
    case JSON_NULL:
        return add(self, name, NULL, NAN);
    }
    return ERR_INVALID;
}

static int read_object(struct reading *self, const json_t *object, const char *prefix, int depth)
{
    const char *key;
    json_t *value;
    int e = OK;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        char name[JOINED_BYTES]; /* what is too long stays so */
        snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] != 0 ? "/" : "", key);
        e = e ? e : read_member(self, keep(self, slice_text(name)), value, depth);
    }
    return e;
}

/*  Copies; Python writes NaN and Infinity, which JSON does not have.  `to` has room for twice as much. */
static size_t copy_finite(char *to, struct slice from)
{
    static const char *const words[] = { "-Infinity", "Infinity", "NaN" };
    bool quoted = false;
    size_t n = 0;
    for (size_t i = 0; i < from.n; i++) {
        size_t word = 0;
        for (size_t w = 0; !quoted && word == 0 && w < COUNT(words); w++) {
            size_t bytes = strlen(words[w]);
            word = bytes <= from.n - i && memcmp(from.p + i, words[w], bytes) == 0 ? bytes : 0;
        }
        if (word > 0) {
            memcpy(to + n, "null", 4);
            n += 4;
            i += word - 1;
            continue;
        }
        quoted = quoted != (from.p[i] == '"');
        to[n++] = (char)from.p[i];
        if (quoted && from.p[i] == '\\' && i + 1 < from.n) {
            to[n++] = (char)from.p[++i];
        }
    }
    return n;
}

static int read_json(struct reading *self, struct slice line)
{
    json_error_t error;
    char *copy = malloc(2 * line.n);
    ensure(copy != NULL);
    size_t n = copy_finite(copy, line);
    json_t *object = json_loadb(copy, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    free(copy);
    if (object == NULL) {
        return wrong(self->why, "not JSON: %.100s (column %d)", error.text, error.column);
    }
    int e = json_is_object(object) ? read_object(self, object, "", 1)
                                   : wrong(self->why, "not a JSON object");
    json_decref(object);
    return e;
}

/* --- lines ------------------------------------------------------------------------------------ */

int report_line_read(struct report_line *out, struct slice line, struct diag *why)
{
    struct reading self = { .why = why };
    *out = (struct report_line){ 0 };
    *why = (struct diag){ 0 };
    line = trim(line);
    if (line.n > REPORT_LINE_MAX) {
        return wrong(why, "a report has more than %d bytes", REPORT_LINE_MAX);
    }
    if (line.n == 0 || memchr(line.p, 0, line.n) != NULL) {
        return wrong(why, line.n == 0 ? "an empty report" : "a report with a NUL byte");
    }
    begin(&self, out, JOINED_BYTES * (line.n / MEMBER_BYTES + 2) + 2 * line.n);
    int e = line.p[0] == '{' ? read_json(&self, line) : read_pairs(&self, line);
    e = e ? e : metrics_check(out->metrics, out->count, why);
    if (e) {
        report_line_free(out);
    }
    return e;
}

bool report_line_scan(struct report_line *out, struct slice line)
{
    struct reading self = { 0 };
    line.n = line.n < REPORT_LINE_MAX ? line.n : REPORT_LINE_MAX;
    begin(&self, out, 2 * line.n + 2);
    while (line.n > 0) {
        size_t n = 0;
        while (n < line.n && !is_space(line.p[n]) && line.p[n] != ',' && line.p[n] != ';') {
            n++;
        }
        const uint8_t *equals = n > 0 ? memchr(line.p, '=', n) : NULL;
        size_t at = equals != NULL ? (size_t)(equals - line.p) : n;
        struct slice name = slice_of(line.p, at);
        double value;
        if (equals != NULL && metric_name_ok(name) && out->count < METRIC_COUNT_MAX &&
            report_number(slice_of(equals + 1, n - at - 1), &value)) {
            char *kept = keep(&self, name);
            if (metrics_find(out->metrics, out->count, kept) == NULL) {
                out->metrics[out->count++] = (struct metric){ .name = kept, .value = value };
            }
        }
        n += n < line.n;
        line = slice_of(line.p + n, line.n - n);
    }
    if (out->count == 0) {
        report_line_free(out);
    }
    return out->count > 0;
}
