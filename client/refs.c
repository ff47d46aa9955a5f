/*  refs.c - pages of slots. */
#include "client/refs.h"

#include <stdlib.h>

enum { PAGES_FIRST = 64 };

void refs_init(struct refs *self)
{
    *self = (struct refs){ .next = 1, .low = 1 };
}

static void free_slot(struct ref_slot *slot)
{
    if (slot->state == REF_READY && slot->small_bytes == 0) {
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
            free_slot(&page->slots[j]);
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

uint64_t refs_add(struct refs *self)
{
    uint64_t counter = self->next++;
    size_t index = counter / REFS_PER_PAGE;
    if (index >= self->page_capacity || self->pages[index] == NULL) {
        make_page(self, index);
    }
    struct ref_page *page = self->pages[index];
    page->slots[counter % REFS_PER_PAGE].state = REF_PENDING;
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

void refs_drop(struct refs *self, uint64_t counter)
{
    struct ref_slot *slot = refs_at(self, counter);
    ensure(slot != NULL);
    size_t index = counter / REFS_PER_PAGE;
    struct ref_page *page = self->pages[index];
    free_slot(slot);
    if (--page->live == 0 && index < self->next / REFS_PER_PAGE) {
        free(page);
        self->pages[index] = NULL;
    }
}

void ref_set_value(struct ref_slot *slot, struct slice bytes)
{
    ensure(slot->state == REF_PENDING);
    slot->state = REF_READY;
    slot->small_bytes = 0;
    if (bytes.n > 0 && bytes.n <= REF_SMALL_BYTES) {
        memcpy(slot->as.small, bytes.p, bytes.n);
        slot->as.small[bytes.n] = 0;
        slot->small_bytes = (uint8_t)bytes.n;
        return;
    }
    slot->as.value = malloc(sizeof(struct ref_value) + bytes.n + 1);
    ensure(slot->as.value != NULL);
    slot->as.value->n = bytes.n;
    if (bytes.n > 0) {
        memcpy(slot->as.value->bytes, bytes.p, bytes.n);
    }
    slot->as.value->bytes[bytes.n] = 0;
}

void ref_set_failure(struct ref_slot *slot, const rayc_failure *failure, struct slice text)
{
    ensure(slot->state == REF_PENDING);
    slot->state = REF_FAILED;
    slot->as.failure = malloc(sizeof(struct ref_failure) + text.n);
    ensure(slot->as.failure != NULL);
    slot->as.failure->failure = *failure;
    slot->as.failure->n = text.n;
    if (text.n > 0) {
        memcpy(slot->as.failure->text, text.p, text.n);
    }
}

struct slice ref_value(const struct ref_slot *slot)
{
    return slot->small_bytes > 0 ? slice_of(slot->as.small, slot->small_bytes)
                                 : slice_of(slot->as.value->bytes, slot->as.value->n);
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
