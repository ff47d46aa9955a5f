/*  names.c - names of actors.  A client claims one before the CALL that makes its first actor, as librayc does; of a taken
    one it is told so, or it calls the actor that has it.  And what must hold: one holder at a time, and who is told of is
    one. */
#include "tests/sim/names.h"

#include <stdio.h>

#include "tests/sim/sim.h"

typedef unsigned long long ull;

enum { NAMES = 2, ASK_AGAIN_MS = 3000, BUSY_MS = 50 };
#define SEQ_NAME (SEQ_SESSION | SEQ_ACTOR)

void name_draw(struct sim *sim, struct client *self)
{
    self->naming.name =
        chance(&sim->actors, 500) ? 1 + (uint32_t)prng_below(&sim->actors, NAMES) : 0;
    self->naming.if_exists = chance(&sim->actors, 600);
}

static void name_text(uint32_t name, char out[8])
{
    snprintf(out, 8, "n%u", name);
}

bool name_waits(struct sim *sim, struct client *self)
{
    struct naming *naming = &self->naming;
    if (naming->counter == 0 || naming->known || self->unsent != naming->counter) {
        return false;
    }
    uint64_t now_ms = client_now_ms(sim);
    if (naming->asked_ms == 0 || now_ms >= naming->asked_ms + ASK_AGAIN_MS) {
        char name[8];
        name_text(naming->name, name);
        naming->asked_ms = now_ms;
        naming->commit = sim->oracle.commit;
        client_say(sim, self, MSG_ACTOR_NAME,
                   &(struct msg_actor_name){ .seq = SEQ_NAME | ++self->seq,
                                             .session = self->session,
                                             .counter = naming->counter,
                                             .space = slice_text("s"),
                                             .name = slice_text(name),
                                             .if_exists = naming->if_exists });
    }
    return true;
}

bool name_is_found(const struct client *self, uint32_t counter)
{
    return self->naming.found != 0 && counter == self->naming.counter;
}

/*  Which calls say the two specs of actors, now that the CALL that was to make one calls one. */
static void say_specs_anew(struct client *self)
{
    uint32_t counter = self->naming.counter, next = counter + 1;
    self->calls[counter].spec = CALL_PLAN;
    self->calls[counter].actor = counter;
    while (next <= self->made && self->calls[next].spec != ACTOR_PLAN) {
        next++;
    }
    if (self->spec_first[ACTOR_PLAN] == counter) {
        self->spec_first[ACTOR_PLAN] = next <= self->made ? next : 0;
    }
    self->spec_first[CALL_PLAN] = counter; /* the first actor is made before the first call */
}

void name_told(struct sim *sim, struct client *self, const struct msg_actor_named *msg)
{
    struct naming *naming = &self->naming;
    uint64_t own = task_id_of(self->session, naming->counter).v;
    if (naming->known || (msg->seq & SEQ_NAME) != SEQ_NAME) {
        return;
    }
    if (msg->existed ? !naming->if_exists || msg->actor == own : msg->actor != own) {
        sim_fail(sim, 26, "client %u is told that %llx has the name that it wants for %llx",
                 self->index, (ull)msg->actor, (ull)own);
    }
    naming->known = true;
    if (!msg->existed) {
        return;
    }
    const struct names_seen *names = &sim->oracle.names;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->list[i].actor == msg->actor && names->list[i].freed != 0 &&
            names->list[i].freed <= naming->commit) {
            sim_fail(sim, 26, "client %u is told that %llx has a name, which was dead by then",
                     self->index, (ull)msg->actor);
        }
    }
    naming->found = msg->actor;
    say_specs_anew(self);
}

bool name_refused(struct client *self, const struct msg_refused *msg)
{
    struct naming *naming = &self->naming;
    bool taken = msg->code == ERR_CONFLICT;
    if ((msg->seq & SEQ_NAME) != SEQ_NAME || !(taken || msg->code == ERR_BUSY)) {
        return false;
    }
    naming->asked_ms = 0;
    naming->known = naming->known || taken; /* then it goes without */
    return true;
}

/* --- what must hold --------------------------------------------------------------------------- */

void seen_actor_name(struct sim *sim, const void *from)
{
    const struct row_actor_name *row = from;
    struct names_seen *names = &sim->oracle.names;
    uint64_t key = hash_bytes_of(row->owner, row->name.p, row->name.n);
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->list[i].key == key && names->list[i].freed == 0) {
            sim_fail(sim, 26, "%llx gets the name of %llx, which is not dead", (ull)row->id,
                     (ull)names->list[i].actor);
        }
    }
    names->list = grown(names->list, &names->room, names->count, sizeof(*names->list));
    names->list[names->count++] = (struct name_seen){ .key = key, .actor = row->id };
}

void name_freed(struct sim *sim, uint64_t actor)
{
    struct names_seen *names = &sim->oracle.names;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->list[i].actor == actor && names->list[i].freed == 0) {
            names->list[i].freed = sim->oracle.commit;
        }
    }
}

void seen_actor_unclaim(struct sim *sim, const void *from)
{
    name_freed(sim, ((const struct row_actor_unclaim *)from)->id);
}
