/*  handles.h - the handles of actors that this program has, by slot: what they need to know beyond rayc_actor.
    Not thread-safe: the session's lock guards it. */
#ifndef RAYC_HANDLES_H
#define RAYC_HANDLES_H
#include "client/rayc.h"
#include "common/base.h"

enum { METHOD_SPECS = 256 };

struct handle {
    uint64_t actor;       /* its task; 0: the slot is free */
    uint32_t pending_max; /* 0: no limit */
    uint32_t pending;     /* calls through it that have not ended, if there is a limit */
    bool mine;            /* dropping it ends the actor */
    uint32_t next_free;
};

/*  A call that counts against its handle's limit. */
struct pending_call {
    uint64_t task; /* rising */
    uint64_t actor;
    uint32_t slot;
    bool ended;
};

/*  The spec of a method without options, by method and retries. */
struct method_spec {
    const rayc_method *method;
    int32_t retries;
    uint32_t spec;
};

struct handles {
    struct handle *all; /* [0] is unused */
    uint32_t count, capacity, free;
    struct pending_call *calls; /* a queue: from `first` to `end` */
    size_t first, end, call_capacity;
    struct method_spec specs[METHOD_SPECS];
    uint64_t *own; /* tasks, rising: calls that an actor makes of itself */
    size_t own_count, own_capacity;
};

void handles_fini(struct handles *self);
uint32_t handles_add(struct handles *self, const struct handle *handle); /* its slot */
struct handle *handles_at(struct handles *self,
                          rayc_actor actor); /* NULL: dropped, or it has none */
void handles_drop(struct handles *self, uint32_t slot);
void handles_pass(struct handles *self, uint64_t actor); /* somebody else has it, too: it stays */

/*  The call `task` of a handle with a limit; it has ended. */
void handles_call(struct handles *self, uint32_t slot, uint64_t task);
void handles_on_end(struct handles *self, uint64_t task);
/*  Calls that an actor makes of itself, until the call that makes them has ended. */
void handles_own_call(struct handles *self, uint64_t task);
bool handles_is_own(const struct handles *self, uint64_t task);
void handles_own_end(struct handles *self);
struct method_spec *handles_spec(struct handles *self, const rayc_method *method, int32_t retries);
#endif
