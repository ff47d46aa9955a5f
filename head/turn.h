/*  turn.h - one head without its sockets: core, store, and what must be said when.  The real head and the simulator
    both use it, so what is simulated is what runs.

    "Durable, then told" is turn_flush(): rows are committed in one transaction; then messages leave, but those that
    must survive a power cut wait until the store has synced. */
#ifndef RAYC_TURN_H
#define RAYC_TURN_H
#include "common/base.h"
#include "common/err.h"
#include "head/core/core.h"
#include "head/store.h"
#include "head/ticket.h"

struct turn;

/*  Called with each whole frame that must leave now; the bytes are valid during the call. */
typedef void turn_send(void *context, uint32_t peer, struct slice frame);

MUST_CHECK int turn_open(struct turn **out, struct store *store, const struct limits *limits,
                         const struct config *config, uint64_t seed, turn_send *send,
                         void *context);
void turn_set_secret(struct turn *self,
                     const uint8_t secret[TICKET_SECRET_BYTES]); /* of tickets; else zeros */
void turn_close(struct turn **self); /* the store stays open; NULL-safe */
/*  Restores the core from the store and commits the new epoch.  Before any other event. */
MUST_CHECK int turn_restore(struct turn *self, uint64_t now_ms, uint64_t wall_ms);
/*  Steps the core.  Slices in the event must live until turn_flush(). */
void turn_event(struct turn *self, const struct event *event);
/*  Commits and sends.  Call after at most CORE_EVENTS_PER_TURN events.  A failure is final: the head must end. */
MUST_CHECK int turn_flush(struct turn *self, uint64_t now_ms, uint64_t wall_ms);
/*  The store may have synced more: releases what waited. */
MUST_CHECK int turn_synced(struct turn *self, uint64_t now_ms, uint64_t wall_ms);
/*  Nothing large is under way, and all is flushed: memory of what was goes back. */
void turn_rest(struct turn *self);
uint64_t turn_deadline_ms(const struct turn *self);
struct core *turn_core(struct turn *self);
const struct histogram *turn_placement(const struct turn *self); /* deciding what starts where */
#endif
