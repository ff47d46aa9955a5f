/*  specs.c - a hash table that only grows, up to the limit of the protocol. */
#include "client/specs.h"

#include <stdlib.h>
#include "client/options.h"

void specs_init(struct specs *self)
{
    memset(self, 0, sizeof(*self));
    self->count = 1;
}

void specs_fini(struct specs *self)
{
    for (uint32_t i = 1; i < self->count; i++) {
        free(self->entries[i].texts);
    }
    free(self->entries);
    specs_init(self);
    self->entries = NULL;
}

static uint32_t bucket_of(const rayc_function *function, const rayc_options *options)
{
    uint64_t bits = 0;
    memcpy(&bits, &options->cpus, sizeof(bits));
    bits ^= (uint64_t)(uintptr_t)function ^ (uint64_t)(uint32_t)options->max_retries << 20 ^
            options->run_ms_max;
    return (uint32_t)(bits * 0x9E3779B97F4A7C15u >> 54);
}

static uint32_t bucket_of_digest(const char *digest)
{
    uint32_t bits;
    memcpy(&bits, digest, sizeof(bits));
    return (bits * 0x9E3779B1u) >> 22;
}

uint32_t specs_find(struct specs *self, const rayc_function *function, const rayc_options *complete)
{
    uint32_t i = self->last;
    if (i != 0 && self->entries[i].function == function &&
        options_same(&self->entries[i].options, complete)) {
        return i;
    }
    for (i = self->buckets[bucket_of(function, complete)]; i != 0; i = self->entries[i].next) {
        if (self->entries[i].function == function &&
            options_same(&self->entries[i].options, complete)) {
            self->last = i;
            return i;
        }
    }
    return NONE;
}

uint32_t specs_find_command(struct specs *self, const char *digest)
{
    uint32_t i = self->buckets[bucket_of_digest(digest)];
    while (i != 0 &&
           (self->entries[i].function != NULL || strcmp(self->entries[i].digest, digest) != 0)) {
        i = self->entries[i].next;
    }
    return i != 0 ? i : NONE;
}

static struct spec_entry *add(struct specs *self, uint32_t bucket)
{
    if (self->count == SPECS_PER_SESSION_MAX) {
        return NULL;
    }
    if (self->count >= self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        self->entries = realloc(self->entries, capacity * sizeof(*self->entries));
        ensure(self->entries != NULL);
        self->capacity = capacity;
    }
    struct spec_entry *entry = &self->entries[self->count];
    *entry = (struct spec_entry){ .next = self->buckets[bucket] };
    self->buckets[bucket] = self->count++;
    return entry;
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static const char *keep_text(char **to, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t n = text_bytes(text);
    char *kept = memcpy(*to, text, n);
    *to += n;
    return kept;
}

/*  Copies what the options point to: the caller's strings may die or change. */
static void keep_options(struct spec_entry *entry, const rayc_options *from)
{
    bool any = from->retry_codes == rayc_any_error;
    size_t code_bytes = any ? 0 : from->retry_code_count * sizeof(int);
    size_t bytes = code_bytes + text_bytes(from->name) + text_bytes(from->strategy) +
                   text_bytes(from->resources) + text_bytes(from->labels);
    entry->options = *from;
    if (bytes == 0) {
        return;
    }
    entry->texts = malloc(bytes);
    ensure(entry->texts != NULL);
    char *to = (char *)entry->texts + code_bytes;
    if (code_bytes > 0) {
        entry->options.retry_codes = memcpy(entry->texts, from->retry_codes, code_bytes);
    }
    entry->options.name = keep_text(&to, from->name);
    entry->options.strategy = keep_text(&to, from->strategy);
    entry->options.resources = keep_text(&to, from->resources);
    entry->options.labels = keep_text(&to, from->labels);
}

uint32_t specs_add(struct specs *self, const rayc_function *function, const rayc_options *complete)
{
    struct spec_entry *entry = add(self, bucket_of(function, complete));
    if (entry == NULL) {
        return SPECS_FULL;
    }
    entry->function = function;
    keep_options(entry, complete);
    self->last = self->count - 1;
    return self->last;
}

void specs_forget_functions(struct specs *self)
{
    static const rayc_function forgotten;
    for (uint32_t i = 1; i < self->count; i++) {
        if (self->entries[i].function != NULL) {
            self->entries[i].function = &forgotten;
        }
    }
}

uint32_t specs_add_command(struct specs *self, const char *digest)
{
    struct spec_entry *entry = add(self, bucket_of_digest(digest));
    if (entry == NULL) {
        return SPECS_FULL;
    }
    memcpy(entry->digest, digest, sizeof(entry->digest));
    return self->count - 1;
}
