/*  json.c - writes JSON; nothing here reads it. */
#include "head/json.h"

#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/utf8.h"
#include "proto/value.h"

struct json json_new(size_t limit)
{
    return (struct json){ .limit = limit };
}

void json_free(struct json *self)
{
    free(self->p);
    *self = (struct json){ 0 };
}

/*  Room for n bytes more, or NULL. */
static char *room(struct json *self, size_t n)
{
    if (self->full || n > self->limit - self->n) {
        self->full = true;
        return NULL;
    }
    if (self->n + n > self->capacity) {
        size_t capacity = (self->n + n) * 2 + 256;
        capacity = capacity < self->limit ? capacity : self->limit;
        char *p = realloc(self->p, capacity);
        if (p == NULL) {
            self->full = true;
            return NULL;
        }
        self->p = p;
        self->capacity = capacity;
    }
    return self->p + self->n;
}

void json_bytes(struct json *self, struct slice raw)
{
    char *to = raw.n > 0 ? room(self, raw.n) : NULL;
    if (to != NULL) {
        memcpy(to, raw.p, raw.n);
        self->n += raw.n;
    }
}

void json_raw(struct json *self, const char *text)
{
    json_bytes(self, slice_text(text));
}

static void put_escaped(struct json *self, uint8_t c)
{
    static const char *const names[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"
    };
    char code[8];
    if (c < COUNT(names) && names[c] != NULL) {
        json_raw(self, names[c]);
    } else {
        snprintf(code, sizeof(code), "\\u%04x", c);
        json_raw(self, code);
    }
}

void json_text(struct json *self, struct slice text)
{
    json_raw(self, "\"");
    size_t done = 0;
    for (size_t i = 0; i < text.n && !self->full;) {
        size_t bytes = utf8_letter(text.p + i, text.n - i);
        bool plain =
            bytes > 1 || (bytes == 1 && text.p[i] >= 0x20 && text.p[i] != '"' && text.p[i] != '\\');
        if (plain) {
            i += bytes;
            continue;
        }
        json_bytes(self, slice_of(text.p + done, i - done));
        if (bytes == 0) {
            json_raw(self, "\xEF\xBF\xBD");
        } else {
            put_escaped(self, text.p[i]);
        }
        done = ++i;
    }
    if (done < text.n) {
        json_bytes(self, slice_of(text.p + done, text.n - done));
    }
    json_raw(self, "\"");
}

void json_name(struct json *self, const char *name)
{
    json_text(self, slice_text(name));
    json_raw(self, ":");
}

void json_i64(struct json *self, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    json_raw(self, text);
}

void json_u64(struct json *self, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    json_raw(self, text);
}

void json_double(struct json *self, double value)
{
    char text[40];
    snprintf(text, sizeof(text), "%.17g", value);
    json_raw(self, isfinite(value) ? text : "null");
}

/* --- msgpack ---------------------------------------------------------------------------------- */

static void put_object(struct json *self, const msgpack_object *value);

static void put_base64(struct json *self, const char *p, size_t n)
{
    size_t bytes = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL); /* with a NUL */
    json_raw(self, "\"");
    char *to = room(self, bytes);
    if (to != NULL) {
        sodium_bin2base64(to, bytes, (const uint8_t *)p, n, sodium_base64_VARIANT_ORIGINAL);
        self->n += bytes - 1;
    }
    json_raw(self, "\"");
}

static void put_map(struct json *self, const msgpack_object_map *map)
{
    json_raw(self, "{");
    for (uint32_t i = 0; i < map->size; i++) {
        json_raw(self, i > 0 ? "," : "");
        const msgpack_object *key = &map->ptr[i].key;
        if (key->type == MSGPACK_OBJECT_STR) {
            json_text(self, slice_of(key->via.str.ptr, key->via.str.size));
        } else { /* JSON's keys are text */
            struct json text = json_new(self->limit - self->n);
            put_object(&text, key);
            json_text(self, slice_of(text.p, text.n));
            self->full |= text.full;
            json_free(&text);
        }
        json_raw(self, ":");
        put_object(self, &map->ptr[i].val);
    }
    json_raw(self, "}");
}

static void put_array(struct json *self, const msgpack_object_array *array)
{
    json_raw(self, "[");
    for (uint32_t i = 0; i < array->size; i++) {
        json_raw(self, i > 0 ? "," : "");
        put_object(self, &array->ptr[i]);
    }
    json_raw(self, "]");
}

/*  A reference is the id of its task, and which value it is if it is not the first. */
static void put_reference(struct json *self, const msgpack_object_ext *ext)
{
    char text[40];
    if (ext->type != REFERENCE_EXT || ext->size != REFERENCE_BYTES) {
        json_raw(self, "null");
        return;
    }
    struct reference reference = reference_inside((const uint8_t *)ext->ptr);
    int n = snprintf(text, sizeof(text), "%016" PRIx64, reference.task);
    if (reference.index > 0) {
        snprintf(text + n, sizeof(text) - (size_t)n, ".%u", reference.index);
    }
    json_text(self, slice_text(text));
}

static void put_object(struct json *self, const msgpack_object *value)
{
    switch (value->type) {
    case MSGPACK_OBJECT_NIL:
        json_raw(self, "null");
        break;
    case MSGPACK_OBJECT_EXT:
        put_reference(self, &value->via.ext);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        json_raw(self, value->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        json_u64(self, value->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        json_i64(self, value->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        json_double(self, value->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        json_text(self, slice_of(value->via.str.ptr, value->via.str.size));
        break;
    case MSGPACK_OBJECT_BIN:
        put_base64(self, value->via.bin.ptr, value->via.bin.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        put_array(self, &value->via.array);
        break;
    case MSGPACK_OBJECT_MAP:
        put_map(self, &value->via.map);
        break;
    }
}

bool json_msgpack(struct json *self, struct slice value)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t end = 0;
    struct cursor several;
    uint32_t count;
    if (several_get(value, &several, &count)) {
        value = slice_of(value.p + SEVERAL_HEAD_BYTES, value.n - SEVERAL_HEAD_BYTES);
    }
    bool valid = msgpack_unpack_next(&unpacked, (const char *)value.p, value.n, &end) ==
                     MSGPACK_UNPACK_SUCCESS &&
                 end == value.n; /* nested deeper than msgpack-c allows is an error, too */
    if (valid) {
        put_object(self, &unpacked.data);
    }
    msgpack_unpacked_destroy(&unpacked);
    return valid;
}
