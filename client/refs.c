/*  refs.c - pages of slots. */
#include "client/refs.h"

#include <stdlib.h>
#include "proto/value.h"

enum { PAGES_FIRST = 64 };

void refs_init(struct refs *self)
{
    *self = (struct refs){ .next = 1, .low = 1 };
}

void ref_free(struct ref_slot *slot)
{
    if (slot->is_several) {
        for (uint32_t i = 0; i < slot->as.several->count; i++) {
            free(slot->as.several->parts[i].value);
        }
        free(slot->as.several->failure);
        free(slot->as.several);
    } else if (slot->state == REF_READY && slot->small_bytes == 0) {
        free(slot->as.value);
    } else if (slot->state == REF_FAILED) {
        free(slot->as.failure);
    }
    *slot = (struct ref_slot){ 0 };
}

void refs_fini(struct refs *self)
{
    for (size_t i = 0; i < self->page_capacity; i++) {
        struct ref_page *page = self->pages[i];
        for (size_t j = 0; page != NULL && j < REFS_PER_PAGE; j++) {
            ref_free(&page->slots[j]);
        }
        free(page);
    }
    free(self->pages);
    refs_init(self);
    self->pages = NULL;
}

static void make_page(struct refs *self, size_t index)
{
    if (index >= self->page_capacity) {
        size_t capacity = self->page_capacity == 0 ? PAGES_FIRST : self->page_capacity * 2;
        self->pages = realloc(self->pages, capacity * sizeof(*self->pages));
        ensure(self->pages != NULL);
        memset(self->pages + self->page_capacity, 0,
               (capacity - self->page_capacity) * sizeof(*self->pages));
        self->page_capacity = capacity;
    }
    self->pages[index] = calloc(1, sizeof(struct ref_page));
    ensure(self->pages[index] != NULL);
}

uint64_t refs_add(struct refs *self, uint32_t returns)
{
    uint64_t counter = self->next++;
    size_t index = counter / REFS_PER_PAGE;
    if (index >= self->page_capacity || self->pages[index] == NULL) {
        make_page(self, index);
    }
    struct ref_page *page = self->pages[index];
    struct ref_slot *slot = &page->slots[counter % REFS_PER_PAGE];
    slot->state = REF_PENDING;
    if (returns > 1) {
        slot->is_several = true;
        slot->as.several =
            calloc(1, sizeof(struct ref_several) + returns * sizeof(struct ref_part));
        ensure(slot->as.several != NULL);
        slot->as.several->count = slot->as.several->live = returns;
    }
    page->live++;
    return counter;
}

struct ref_slot *refs_at(const struct refs *self, uint64_t counter)
{
    if (counter == 0 || counter >= self->next || self->pages[counter / REFS_PER_PAGE] == NULL) {
        return NULL;
    }
    struct ref_slot *slot = &self->pages[counter / REFS_PER_PAGE]->slots[counter % REFS_PER_PAGE];
    return slot->state != REF_GONE ? slot : NULL;
}

bool ref_has(const struct ref_slot *slot, uint32_t index)
{
    return slot->is_several
               ? index < slot->as.several->count && !slot->as.several->parts[index].dropped
               : index == 0;
}

void refs_drop(struct refs *self, uint64_t counter, uint32_t index)
{
    struct ref_slot *slot = refs_at(self, counter);
    ensure(slot != NULL && ref_has(slot, index));
    if (slot->is_several && --slot->as.several->live > 0) {
        struct ref_part *part = &slot->as.several->parts[index];
        part->dropped = true;
        free(part->value);
        part->value = NULL;
        return;
    }
    size_t place = counter / REFS_PER_PAGE;
    struct ref_page *page = self->pages[place];
    ref_free(slot);
    if (--page->live == 0 && place < self->next / REFS_PER_PAGE) {
        free(page);
        self->pages[place] = NULL;
    }
}

static struct ref_value *value_new(struct slice bytes)
{
    struct ref_value *value = malloc(sizeof(struct ref_value) + bytes.n + 1);
    ensure(value != NULL);
    value->n = bytes.n;
    if (bytes.n > 0) {
        memcpy(value->bytes, bytes.p, bytes.n);
    }
    value->bytes[bytes.n] = 0;
    return value;
}

/*  Each value for itself, so that each can be dropped, and a string ends with a NUL. */
static bool set_several(struct ref_several *several, struct slice bytes)
{
    struct cursor in;
    uint32_t count = 0;
    if (!several_get(bytes, &in, &count) || count != several->count) {
        return false;
    }
    struct cursor check = in;
    for (uint32_t i = 0; i < count; i++) {
        if (!wire_skip(&check)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *from = in.p;
        ensure(wire_skip(&in));
        if (!several->parts[i].dropped) {
            several->parts[i].value = value_new(slice_of(from, (size_t)(in.p - from)));
        }
    }
    return true;
}

bool ref_set_value(struct ref_slot *slot, struct slice bytes)
{
    ensure(slot->state == REF_PENDING);
    if (slot->is_several) {
        if (!set_several(slot->as.several, bytes)) {
            return false;
        }
        slot->state = REF_READY;
        return true;
    }
    slot->state = REF_READY;
    slot->small_bytes = 0;
    if (bytes.n > 0 && bytes.n <= REF_SMALL_BYTES) {
        memcpy(slot->as.small, bytes.p, bytes.n);
        slot->as.small[bytes.n] = 0;
        slot->small_bytes = (uint8_t)bytes.n;
    } else {
        slot->as.value = value_new(bytes);
    }
    return true;
}

void ref_set_failure(struct ref_slot *slot, const rayc_failure *failure, struct slice text)
{
    ensure(slot->state == REF_PENDING);
    struct ref_failure *copy = malloc(sizeof(struct ref_failure) + text.n);
    ensure(copy != NULL);
    slot->state = REF_FAILED;
    copy->failure = *failure;
    copy->n = text.n;
    if (text.n > 0) {
        memcpy(copy->text, text.p, text.n);
    }
    if (slot->is_several) {
        slot->as.several->failure = copy;
    } else {
        slot->as.failure = copy;
    }
}

void ref_take_away(struct ref_slot *slot, uint32_t index)
{
    ensure(ref_is_there(slot, index));
    if (slot->is_several) {
        free(slot->as.several->parts[index].value);
        slot->as.several->parts[index].value = NULL;
        return;
    }
    if (slot->small_bytes == 0) {
        free(slot->as.value);
    }
    slot->small_bytes = 0;
    slot->state = REF_TAKEN;
}

bool ref_is_there(const struct ref_slot *slot, uint32_t index)
{
    return slot->state == REF_READY &&
           (!slot->is_several || slot->as.several->parts[index].value != NULL);
}

const struct ref_failure *ref_failure(const struct ref_slot *slot)
{
    return slot->is_several ? slot->as.several->failure : slot->as.failure;
}

struct slice ref_value(const struct ref_slot *slot, uint32_t index)
{
    if (slot->small_bytes > 0) {
        return slice_of(slot->as.small, slot->small_bytes);
    }
    const struct ref_value *value =
        slot->is_several ? slot->as.several->parts[index].value : slot->as.value;
    return slice_of(value->bytes, value->n);
}

bool ref_mark(struct ref_slot *slot, uint32_t index)
{
    bool marked = slot->is_several ? slot->as.several->parts[index].marked
                                   : (slot->watched & WATCHED_MARK) != 0;
    if (slot->is_several) {
        slot->as.several->parts[index].marked = true;
    } else {
        slot->watched |= WATCHED_MARK;
    }
    return marked;
}

void ref_unmark(struct ref_slot *slot, uint32_t index)
{
    if (slot->is_several) {
        slot->as.several->parts[index].marked = false;
    } else {
        slot->watched &= (uint8_t)~WATCHED_MARK;
    }
}

uint64_t refs_next_pending(struct refs *self, uint64_t counter, uint64_t below)
{
    bool from_low = counter <= self->low;
    if (from_low) {
        counter = self->low;
    }
    below = below < self->next ? below : self->next;
    while (counter < below) {
        const struct ref_page *page = self->pages[counter / REFS_PER_PAGE];
        if (page == NULL) {
            counter = (counter / REFS_PER_PAGE + 1) * REFS_PER_PAGE;
            continue;
        }
        if (page->slots[counter % REFS_PER_PAGE].state == REF_PENDING) {
            break;
        }
        counter++;
    }
    if (from_low) {
        self->low = counter < self->next ? counter : self->next;
    }
    return counter < below ? counter : 0;
}
