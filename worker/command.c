/*  command.c - bodies are read by msgpack-c and copied, since the kernel wants C strings. */
#include "worker/command.h"
#include <msgpack.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "proto/wire.h"
#include "worker/secrets.h"

/* --- bodies ------------------------------------------------------------------------------------------------ */

static int wrong(struct diag *why, const char *field, const char *text)
{
    *why = (struct diag){ .field = field };
    snprintf(why->text, sizeof(why->text), "%s %s", field, text);
    return ERR_INVALID;
}

static bool is_text(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_STR &&
           memchr(object->via.str.ptr, 0, object->via.str.size) == NULL;
}

static const char *copy(char **at, const msgpack_object *text)
{
    char *start = *at;
    memcpy(start, text->via.str.ptr, text->via.str.size);
    start[text->via.str.size] = '\0';
    *at = start + text->via.str.size + 1;
    return start;
}

static int copy_all(const char ***out, const char *field, const msgpack_object *list, char **at,
                    struct diag *why)
{
    if (list->type != MSGPACK_OBJECT_ARRAY) {
        return wrong(why, field, "must be a list of strings");
    }
    const char **texts = calloc((size_t)list->via.array.size + 1, sizeof(*texts));
    if (!texts) {
        return ERR_MEMORY;
    }
    free(*out);
    *out = texts;
    for (uint32_t i = 0; i < list->via.array.size; i++) {
        const msgpack_object *text = &list->via.array.ptr[i];
        if (!is_text(text)) {
            return wrong(why, field, "must be a list of strings without NUL bytes");
        }
        texts[i] = copy(at, text);
        if (strcmp(field, "argv") != 0 && !strchr(texts[i], '=')) {
            return wrong(why, field, "has an entry without =");
        }
    }
    return OK;
}

static bool is_key(const msgpack_object *key, const char *name)
{
    return key->type == MSGPACK_OBJECT_STR && key->via.str.size == strlen(name) &&
           memcmp(key->via.str.ptr, name, strlen(name)) == 0;
}

static int read_entry(struct command *self, const msgpack_object_kv *entry, char **at,
                      struct diag *why)
{
    const msgpack_object *value = &entry->val;
    if (is_key(&entry->key, "argv")) {
        return copy_all(&self->argv, "argv", value, at, why);
    }
    if (is_key(&entry->key, "env")) {
        return copy_all(&self->env, "env", value, at, why);
    }
    if (is_key(&entry->key, "vars")) {
        return copy_all(&self->vars, "vars", value, at, why);
    }
    if (is_key(&entry->key, "cwd") && value->type != MSGPACK_OBJECT_NIL) {
        if (!is_text(value)) {
            return wrong(why, "cwd", "must be a string without NUL bytes");
        }
        self->cwd = value->via.str.size ? copy(at, value) : NULL;
    }
    if (is_key(&entry->key, "stdin") && value->type != MSGPACK_OBJECT_NIL) {
        if (value->type != MSGPACK_OBJECT_BIN) {
            return wrong(why, "stdin", "must be binary");
        }
        self->input = slice_of(value->via.bin.ptr, value->via.bin.size);
        self->has_input = true;
    }
    return OK;
}

int command_read(struct command *self, struct slice body, struct diag *why)
{
    *self = (struct command){ 0 };
    /* Every string of the body has a header of at least one byte there, and a NUL here. */
    self->texts = malloc(body.n + 1);
    self->argv = calloc(1, sizeof(*self->argv));
    self->env = calloc(1, sizeof(*self->env));
    self->vars = calloc(1, sizeof(*self->vars));
    int e = self->texts && self->argv && self->env && self->vars ? OK : ERR_MEMORY;
    msgpack_unpacked tree;
    msgpack_unpacked_init(&tree);
    if (!e && body.n > 0) {
        size_t end = 0;
        char *at = self->texts;
        struct cursor all = cursor_of(body); /* msgpack-c would trust the lengths in it */
        if (!wire_skip(&all) || cursor_left(&all) > 0 ||
            msgpack_unpack_next(&tree, (const char *)body.p, body.n, &end) !=
                MSGPACK_UNPACK_SUCCESS ||
            end != body.n || tree.data.type != MSGPACK_OBJECT_MAP) {
            e = wrong(why, "body", "is not one msgpack map");
        }
        for (uint32_t i = 0; !e && i < tree.data.via.map.size; i++) {
            e = read_entry(self, &tree.data.via.map.ptr[i], &at, why);
        }
    }
    msgpack_unpacked_destroy(&tree);
    if (e) {
        command_fini(self);
    }
    return e;
}

void command_fini(struct command *self)
{
    free(self->argv);
    free(self->env);
    free(self->vars);
    free(self->texts);
    *self = (struct command){ 0 };
}

void command_value(struct wire *to, int32_t status, struct slice out, struct slice err)
{
    enum { MAP_OF_THREE = 0x83 };
    ensure(to->n < to->capacity);
    to->p[to->n++] = MAP_OF_THREE;
    wire_put_str(to, slice_text("status"));
    wire_put_int(to, status);
    wire_put_str(to, slice_text("stdout"));
    wire_put_bin(to, out);
    wire_put_str(to, slice_text("stderr"));
    wire_put_bin(to, err);
    ensure(!to->full);
}

/* --- environments ------------------------------------------------------------------------------------------ */

static void append(struct environment *self, const char *entry)
{
    if (self->count + 1 >= self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        const char **entries = realloc(self->entries, self->capacity * sizeof(*entries));
        ensure(entries != NULL);
        self->entries = entries;
    }
    self->entries[self->count++] = entry;
    self->entries[self->count] = NULL;
}

static uint32_t find(const struct environment *self, const char *name, size_t n)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strncmp(self->entries[i], name, n) == 0 && self->entries[i][n] == '=') {
            return i;
        }
    }
    return NONE;
}

void environment_inherit(struct environment *self, const char *const *own, bool secrets)
{
    *self = (struct environment){ 0 };
    for (; *own; own++) {
        bool ours = strncmp(*own, "RAYC_", 5) == 0 && strncmp(*own, "RAYC_LOG=", 9) != 0;
        if (!ours && (secrets || !secret_named(*own))) {
            append(self, *own);
        }
    }
}

static void disown(struct environment *self)
{
    while (self->owned_count > 0) {
        free(self->owned[--self->owned_count]);
    }
}

void environment_fini(struct environment *self)
{
    disown(self);
    free(self->owned);
    free(self->entries);
    *self = (struct environment){ 0 };
}

void environment_clear(struct environment *self, const struct environment *base)
{
    disown(self);
    self->count = 0;
    self->text_n = 0;
    for (uint32_t i = 0; i < base->count; i++) {
        append(self, base->entries[i]);
    }
}

void environment_put(struct environment *self, const char *entry)
{
    uint32_t at = find(self, entry, strcspn(entry, "="));
    if (at != NONE) {
        self->entries[at] = entry;
    } else {
        append(self, entry);
    }
}

static void put_owned(struct environment *self, char *entry)
{
    self->owned = realloc(self->owned, (self->owned_count + 1) * sizeof(*self->owned));
    ensure(self->owned != NULL && entry != NULL);
    self->owned[self->owned_count++] = entry;
    environment_put(self, entry);
}

void environment_copy(struct environment *self, const char *name, const char *text)
{
    size_t n = strlen(name) + strlen(text) + 2;
    char *entry = malloc(n);
    ensure(entry != NULL);
    snprintf(entry, n, "%s=%s", name, text);
    put_owned(self, entry);
}

static size_t span_of(const char *text, const char *letters)
{
    return strspn(text, letters);
}

/*  The variable at a `$`: bytes of all of it, 0 if it is none; its name and bytes of that. */
static size_t variable_at(const char *text, const char **name, size_t *n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    bool braces = text[1] == '{';
    *name = text + 1 + braces;
    *n = braces ? strcspn(*name, "}") : span_of(*name, letters);
    if (*n == 0 || (braces && (*name)[*n] != '}')) {
        return 0;
    }
    return *n + 1 + 2 * (size_t)braces;
}

void environment_expand(struct environment *self, const char *entry)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&out, &bytes);
    ensure(to != NULL);
    const char *p = strchr(entry, '=');
    ensure(p != NULL);
    fwrite(entry, 1, (size_t)(++p - entry), to);
    while (*p != 0) {
        const char *name = NULL;
        size_t n = 0, whole = *p == '$' ? variable_at(p, &name, &n) : 0;
        uint32_t at = whole > 0 ? find(self, name, n) : NONE;
        bool nothing = whole > n + 1 && at == NONE &&
                       span_of(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
        if (at != NONE) {
            fputs(self->entries[at] + n + 1, to);
        } else if (!nothing) {
            whole = whole > 0 ? whole : 1;
            fwrite(p, 1, whole, to);
        }
        p += whole > 0 ? whole : 1;
    }
    ensure(fclose(to) == 0);
    put_owned(self, out);
}

const char *environment_get(const struct environment *self, const char *name)
{
    uint32_t at = find(self, name, strlen(name));
    return at != NONE ? self->entries[at] + strlen(name) + 1 : "";
}

bool environment_has(const struct environment *self, const char *name)
{
    return find(self, name, strlen(name)) != NONE;
}

void environment_print(struct environment *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof(self->text) - self->text_n;
    int n = vsnprintf(self->text + self->text_n, room, format, arguments);
    va_end(arguments);
    ensure(n > 0 && (size_t)n < room);
    environment_put(self, self->text + self->text_n);
    self->text_n += (size_t)n + 1;
}
