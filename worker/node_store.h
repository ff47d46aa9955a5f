/*  node_store.h - the object store of a node: values over 100 KiB, in memory that processes share, on disk when that is
    full.

    A value is written once, through a *buffer*, and sealed under its id; then it is a *copy*, which never changes.  A
    primary copy is the one that the cluster relies on: when room is needed it is written to DIR/spill, and read again
    when it is asked for.  A secondary one is evicted then.  Who reads a copy *pins* it; a pinned copy stays where it is,
    also when it was dropped.  What fits into memory in no other way is kept in a file, and mapped like memory.

    Any thread may call anything.  Nothing here waits for the disk: what has to says NODE_STORE_LATER, and goes on when
    the descriptor of node_store_watch() is readable and node_store_ready() says so. */
#ifndef RAYC_NODE_STORE_H
#define RAYC_NODE_STORE_H
#include "common/err.h"
#include "proto/stored.h"

struct node_store;

struct node_store_config {
    const char *dir;      /* of the worker */
    uint64_t bytes;       /* of memory, at most */
    uint64_t spill_bytes; /* on disk, at most; 0: while the disk has 5 % left */
    /*  values in memory, each of which takes a descriptor; 0: as many as the process may have */
    uint32_t segments_max;
};

enum { NODE_STORE_LATER = 1, NODE_STORE_COPIES_MAX = 1 << 20, NODE_STORE_WATCHERS_MAX = 8 };
#define NODE_STORE_ANYBODY 0 /* instead of a user: the worker itself */

/*  Clears what an earlier worker left in DIR/spill. */
MUST_CHECK int node_store_open(struct node_store **out, const struct node_store_config *config);
void node_store_close(struct node_store **self); /* nobody calls any more; NULL-safe */

/*  Writing.  A buffer for a value of `bytes`, which will be the user's: OK, or NODE_STORE_LATER; its number is yours
    until you seal or abort it.  ERR_TOO_LARGE: no store could have it.  ERR_BUSY: too many copies. */
MUST_CHECK int node_store_create(struct node_store *self, uint64_t user, uint64_t bytes,
                                 uint32_t *buffer);
/*  Of a buffer or pin that was told LATER: OK, NODE_STORE_LATER, or how it failed, and then it is not yours any more:
    ERR_FULL: memory and disk are; ERR_SYSTEM: what was spilled cannot be read. */
MUST_CHECK int node_store_ready(struct node_store *self, uint32_t number);
MUST_CHECK int node_store_write(struct node_store *self, uint32_t buffer, uint64_t offset,
                                struct slice bytes);
/*  Under this id from now on.  A primary takes the place of another copy of it, a secondary gives way to one. */
MUST_CHECK int node_store_seal(struct node_store *self, uint32_t buffer, uint64_t task,
                               uint32_t index, bool primary);
void node_store_abort(struct node_store *self, uint32_t buffer); /* ready or not */

/*  Reading.  Pins the copy, if it is this user's, or for NODE_STORE_ANYBODY: OK, or NODE_STORE_LATER.  ERR_NOT_FOUND:
    there is none.  A pin counts: each one needs its node_store_unpin(). */
MUST_CHECK int node_store_get(struct node_store *self, uint64_t user, uint64_t task, uint32_t index,
                              uint32_t *pin);
MUST_CHECK int node_store_read(struct node_store *self, uint32_t pin, uint64_t offset, void *to,
                               size_t n);
void node_store_unpin(struct node_store *self, uint32_t pin); /* ready or not */

/*  Of the copy itself, by its id. */
struct node_copy {
    struct stored id;
    uint64_t user;
    bool primary;
    bool disk; /* it was spilled: its bytes are on the disk, and maybe in memory, too */
};
bool node_store_has(struct node_store *self, uint64_t task, uint32_t index, struct node_copy *out);
void node_store_set_primary(struct node_store *self, uint64_t task, uint32_t index, bool primary);
void node_store_drop(struct node_store *self, uint64_t task, uint32_t index);
void node_store_drop_task(struct node_store *self, uint64_t task); /* all that it has returned */

/*  All copies, one after the other: *at is 0 at first.  False: there are no more. */
bool node_store_next(struct node_store *self, uint32_t *at, struct node_copy *out);
/*  The next copy that went without being dropped: evicted, or lost on the disk.  False: none. */
bool node_store_gone(struct node_store *self, struct node_copy *out);

/*  The next copy that was spilled since.  False: none. */
bool node_store_spilled(struct node_store *self, struct node_copy *out);

/*  A descriptor that is readable when what was LATER may be ready, or a copy has gone or was spilled; to be
    read like an eventfd.  It is the store's.  Below zero: NODE_STORE_WATCHERS_MAX have one. */
int node_store_watch(struct node_store *self);

/*  How another process maps it: a new descriptor, to be closed; below zero: there is none.  `number` is a buffer, whose
    descriptor can be written to, or a pin, whose cannot. */
struct node_mapping {
    uint64_t segment; /* the same number, the same memory */
    uint64_t bytes;   /* of the segment */
    uint64_t size;    /* of the value */
};
int node_store_map(struct node_store *self, uint32_t number, struct node_mapping *out);

struct node_store_stats {
    uint64_t capacity, used; /* bytes of memory; `used` with what waits to be used again */
    uint64_t free;           /* of `used` */
    uint64_t disk;           /* bytes on disk */
    uint64_t copies, pinned, spilled, evicted; /* how many; the last two since it was opened */
};
struct node_store_stats node_store_stats(struct node_store *self);
#endif
