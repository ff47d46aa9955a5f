/*  refs.h - what the references of one session stand for: waiting, a value, or a failure. A slot
    is found by its counter in O(1) and costs 24 bytes while it waits; small values live in it. A
    task that returns several values has one slot for all of its references.
    Slots never move, so a value stays where it is until its reference is dropped; a page goes
    when all of it was dropped. Not thread-safe: the session's lock guards it. */
#ifndef RAYC_REFS_H
#define RAYC_REFS_H
#include "client/rayc.h"
#include "common/base.h"

enum { REFS_PER_PAGE = 1024, REF_SMALL_BYTES = 15 };

enum ref_state { REF_GONE = 0, REF_PENDING, REF_READY, REF_FAILED, REF_TAKEN /* away */ };

enum watched {
    WATCHED_BY_CALLER = 1,
    WATCHED_BY_STUDY = 2,
    WATCHED_FOR_FAILURE = 4, /* who sleeps wakes at once when it fails */
    WATCHED_MARK = 8         /* met in the list that is being looked at */
};

struct ref_value { /* a value that does not fit in its slot; a NUL follows it */
    size_t n;
    uint8_t bytes[];
};

struct ref_failure {
    rayc_failure failure; /* code, app_code, attempt, signal */
    size_t n;
    uint8_t text[];
};

struct ref_several { /* of a task that returns several values */
    uint32_t count, live;
    struct ref_failure *failure; /* of all of them */
    struct ref_part {
        struct ref_value *value; /* NULL of a READY one: taken away */
        bool dropped, marked;
    } parts[];
};

struct ref_slot {
    uint8_t state;       /* enum ref_state */
    uint8_t watched;     /* enum watched: somebody sleeps until it ends */
    uint8_t small_bytes; /* of a value in `small`; 0: it is in `value` */
    bool is_several;
    union {
        uint8_t small[REF_SMALL_BYTES + 1];
        struct ref_value *value;
        struct ref_failure *failure;
        struct ref_several *several;
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
/*  A pending one, of a task that returns so many values: its counter. */
uint64_t refs_add(struct refs *self, uint32_t returns);
struct ref_slot *refs_at(const struct refs *self,
                         uint64_t counter);                /* NULL: never given out, or dropped */
bool ref_has(const struct ref_slot *slot, uint32_t index); /* false: likewise, of one value */
void refs_drop(struct refs *self, uint64_t counter, uint32_t index); /* of one that is there */

/*  A pending slot ends.  The bytes are copied.  False: they are not as many values as the task
    returns, and the slot is as it was. */
MUST_CHECK bool ref_set_value(struct ref_slot *slot, struct slice bytes);
void ref_set_failure(struct ref_slot *slot, const rayc_failure *failure, struct slice text);
struct slice ref_value(const struct ref_slot *slot,
                       uint32_t index);                         /* of a READY one: its msgpack */
void ref_take_away(struct ref_slot *slot, uint32_t index);      /* the value of a READY one */
bool ref_is_there(const struct ref_slot *slot, uint32_t index); /* READY, and not taken away */
const struct ref_failure *ref_failure(const struct ref_slot *slot); /* of a FAILED one */
/*  Was it marked already? */
bool ref_mark(struct ref_slot *slot, uint32_t index);
void ref_unmark(struct ref_slot *slot, uint32_t index);
void ref_free(struct ref_slot *slot); /* what it has; of no session's table */

/*  Walks the pending ones upwards from *counter; 0 at the end. */
uint64_t refs_next_pending(struct refs *self, uint64_t counter, uint64_t below);
#endif
