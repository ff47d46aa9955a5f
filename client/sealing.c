/*  sealing.c - SEALED records. */
#include "client/sealing.h"

#include <stdlib.h>
#include "client/failure.h"
#include "proto/value.h"

enum {
    FIRST_BYTES = 256,
    OBJECT_BYTES = 16,
    SEALED_BYTES = 32 /* of a SEALED with nothing inside */
};

void sealing_begin(struct sealing *self)
{
    self->records.n = self->inside.n = 0;
    self->count = self->inside_count = 0;
}

void sealing_fini(struct sealing *self)
{
    free(self->records.p);
    free(self->inside.p);
    *self = (struct sealing){ 0 };
}

static void reserve(struct wire *to, size_t bytes)
{
    if (bytes > to->capacity - to->n) {
        size_t capacity = to->capacity * 2 > FIRST_BYTES ? to->capacity * 2 : FIRST_BYTES;
        capacity = capacity < to->n + bytes ? to->n + bytes : capacity;
        to->p = realloc(to->p, capacity);
        ensure(to->p != NULL);
        to->capacity = capacity;
    }
}

static int find_inside(struct sealing *self, struct slice value)
{
    struct cursor in = cursor_of(value);
    struct reference reference;
    while (reference_next(&in, &reference)) {
        if (self->inside_count == DEPS_MAX) {
            return failure_say(RAYC_EINVALID,
                               "there are more than %d references inside of a value, or of the "
                               "arguments: put some of them, in an array, and pass that on",
                               DEPS_MAX);
        }
        reserve(&self->inside, OBJECT_BYTES);
        proto_put_record(&self->inside, REC_OBJECT,
                         &(struct rec_object){ reference.task, reference.index });
        self->inside_count++;
    }
    return RAYC_OK;
}

/*  One record with what was found, if there is anything to tell. */
static void close_record(struct sealing *self, uint32_t index, uint64_t size)
{
    if (size > 0 || self->inside_count > 0) {
        struct rec_sealed record = { .index = index,
                                     .size = size,
                                     .inside = wire_list(&self->inside, self->inside_count) };
        reserve(&self->records, SEALED_BYTES + self->inside.n);
        proto_put_record(&self->records, REC_SEALED, &record);
        ensure(!self->records.full && !self->inside.full);
        self->count++;
    }
    self->inside.n = 0;
    self->inside_count = 0;
}

int sealing_add(struct sealing *self, uint32_t index, uint64_t size, struct slice value)
{
    int rc = find_inside(self, value);
    close_record(self, index, size);
    return rc;
}

int sealing_add_args(struct sealing *self, struct slice args)
{
    struct cursor in = cursor_of(args);
    uint32_t count = 0;
    int rc = RAYC_OK;
    ensure(wire_get_array(&in, &count));
    for (uint32_t i = 0; i < count && rc == RAYC_OK; i++) {
        struct cursor head = in;
        struct slice value = { .p = in.p };
        struct reference awaited;
        ensure(wire_skip(&in));
        value.n = (size_t)(in.p - value.p);
        if (reference_get(&head, &awaited) != REFERENCE_EXT) {
            rc = find_inside(self, value);
        }
    }
    close_record(self, 0, 0);
    return rc;
}

struct list sealing_list(const struct sealing *self)
{
    return wire_list(&self->records, self->count);
}
