/*  json_shallow.c - counts brackets, and leaves the rest to jansson. */
#include "head/json_shallow.h"

#include <stdio.h>

/*  Where it is nested too deep; its end: nowhere. */
static size_t too_deep(struct slice text)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\';
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX) {
                return i;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return text.n;
}

json_t *json_shallow(struct slice text, size_t flags, json_error_t *error)
{
    size_t at = too_deep(text);
    if (at == text.n) {
        return json_loadb(text.n > 0 ? (const char *)text.p : "", text.n, flags, error);
    }
    *error = (json_error_t){ .line = 1, .column = 1 };
    snprintf(error->text, sizeof(error->text), "it is nested more than %d deep", JSON_DEPTH_MAX);
    for (size_t i = 0; i < at; i++) {
        bool line = text.p[i] == '\n';
        error->line += line;
        error->column = line ? 1 : error->column + 1;
    }
    return NULL;
}
