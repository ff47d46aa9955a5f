/*  refs.h - what the references of one session stand for: waiting, a value, or a failure. A slot
    is found by its counter in O(1) and costs 24 bytes while it waits; small values live in it.
    Slots never move, so a value stays where it is until its reference is dropped; a page goes
    when all of it was dropped. Not thread-safe: the session's lock guards it. */
#ifndef RAYC_REFS_H
#define RAYC_REFS_H
#include "client/rayc.h"
#include "common/base.h"

enum { REFS_PER_PAGE = 1024, REF_SMALL_BYTES = 15 };

enum ref_state { REF_GONE = 0, REF_PENDING, REF_READY, REF_FAILED };

enum watched { WATCHED_BY_CALLER = 1, WATCHED_BY_STUDY = 2 };

struct ref_value { /* a value that does not fit in its slot; a NUL follows it */
    size_t n;
    uint8_t bytes[];
};

struct ref_failure {
    rayc_failure failure; /* code, app_code, attempt, signal */
    size_t n;
    uint8_t text[];
};

struct ref_slot {
    uint8_t state;       /* enum ref_state */
    uint8_t watched;     /* enum watched: somebody sleeps until it ends */
    uint8_t small_bytes; /* of a value in `small`; 0: it is in `value` */
    union {
        uint8_t small[REF_SMALL_BYTES + 1];
        struct ref_value *value;
        struct ref_failure *failure;
    } as;
};

struct ref_page {
    uint32_t live; /* slots that are not GONE */
    struct ref_slot slots[REFS_PER_PAGE];
};

struct refs {
    struct ref_page **pages;
    size_t page_capacity;
    uint64_t next; /* counter of the next reference; the first is 1 */
    uint64_t low;  /* every counter below is GONE or has ended */
};

void refs_init(struct refs *self);
void refs_fini(struct refs *self);
uint64_t refs_add(struct refs *self); /* a pending one: its counter */
struct ref_slot *refs_at(const struct refs *self,
                         uint64_t counter);          /* NULL: never given out, or dropped */
void refs_drop(struct refs *self, uint64_t counter); /* of a slot that is there */

/*  A pending slot ends.  The bytes are copied. */
void ref_set_value(struct ref_slot *slot, struct slice bytes);
void ref_set_failure(struct ref_slot *slot, const rayc_failure *failure, struct slice text);
struct slice ref_value(const struct ref_slot *slot); /* of a READY one: its msgpack */

/*  Walks the pending ones upwards from *counter; 0 at the end. */
uint64_t refs_next_pending(struct refs *self, uint64_t counter, uint64_t below);
#endif
