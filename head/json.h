/*  json.h - JSON text (RFC 8259) put together in a buffer that grows up to a limit: a page of a
    view. Text is always valid UTF-8: what is not becomes U+FFFD. */
#ifndef RAYC_JSON_H
#define RAYC_JSON_H
#include "common/base.h"

struct json {
    char *p;
    size_t n;
    size_t capacity;
    size_t limit; /* in bytes */
    bool full;    /* something did not fit, or there was no memory: nothing more is added */
};

struct json json_new(size_t limit);
void json_free(struct json *self);
void json_raw(struct json *self, const char *text);
void json_bytes(struct json *self, struct slice raw);
void json_text(struct json *self, struct slice text); /* quoted */
void json_name(struct json *self, const char *name);  /* "name": */
void json_i64(struct json *self, int64_t value);
void json_u64(struct json *self, uint64_t value);
void json_double(struct json *self, double value); /* null, if it is no number */

/*  One msgpack value; bytes become base64 text, extensions null.  False: it is not valid. */
bool json_msgpack(struct json *self, struct slice value);
#endif
