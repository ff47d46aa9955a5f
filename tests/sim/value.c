/*  value.c - values that simulated clients put.  A client knows a value when it has put it; tasks of others may name it
    before the head has it, and must then wait for it, or fail when it can never come. */
#include "tests/sim/value.h"

#include <stdio.h>

#include "tests/sim/object.h"
#include "tests/sim/sim.h"

#define TASK_ID_MIN (1ull << TASK_COUNTER_BITS) /* a dep below it is a counter */

void value_spec(struct sim *sim, struct client *self)
{
    bool submits = self->kind == CLIENT_ATTACHED || self->kind == CLIENT_DRIVER;
    if (!submits || self->study.wanted || !chance(&sim->values, 500)) {
        return;
    }
    char name[24];
    snprintf(name, sizeof(name), "value %u", self->index);
    struct rec_spec record = { .index = self->spec_count,
                               .kind = SPEC_VALUE,
                               .name = slice_text(name) };
    sim->wire.n = 0;
    proto_put_record(&sim->wire, REC_SPEC, &record);
    ensure(!sim->wire.full && self->spec_count < SPECS_MAX);
    self->plans[self->spec_count].kind = SPEC_VALUE;
    self->specs[self->spec_count] = bytes_new(sim->wire.p, sim->wire.n);
}

bool is_value(const struct client *self, uint32_t counter)
{
    return self->plans[self->calls[counter].spec].kind == SPEC_VALUE;
}

uint64_t value_dep(const struct client *self, uint64_t dep)
{
    return dep >= TASK_ID_MIN ? dep : task_id_of(self->session, dep).v;
}

static bool may_share(const struct client *self, const struct client *other)
{
    return other != self && other->kind == CLIENT_ATTACHED && other->user == self->user &&
           other->session != 0 && other->made > 0;
}

/*  A value that another client has not put yet: who asks for it waits; 0: there is none. */
static uint64_t value_to_come(struct sim *sim, const struct client *self)
{
    enum { WAITERS_MAX = 3 }; /* they must not fill the head */
    uint32_t first = (uint32_t)prng_below(&sim->values, sim->client_count);
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct client *other = &sim->clients[(first + i) % sim->client_count];
        if (may_share(self, other) && other->alive && other->late >= other->unsent &&
            client_now_ms(sim) < other->late_ms && other->late_waiters < WAITERS_MAX) {
            other->late_waiters++;
            return task_id_of(other->session, other->late).v;
        }
    }
    return 0;
}

/*  A value of another attached client; 0: none was found. */
static uint64_t value_of_others(struct sim *sim, const struct client *self)
{
    uint64_t to_come = chance(&sim->values, 500) ? value_to_come(sim, self) : 0;
    const struct client *other = &sim->clients[prng_below(&sim->values, sim->client_count)];
    if (to_come != 0 || !may_share(self, other)) {
        return to_come;
    }
    uint32_t counter = other->made; /* mostly one of the newest: the head may not have it yet */
    uint32_t back = (uint32_t)prng_below(&sim->values, chance(&sim->values, 900) ? 3 : counter);
    for (counter -= back < counter ? back : 0; counter > 0 && !is_value(other, counter);) {
        counter--;
    }
    return counter > 0 ? task_id_of(other->session, counter).v : 0;
}

/*  The newest task of another attached client; 0: none was found. */
static uint64_t task_of_others(struct sim *sim, const struct client *self)
{
    const struct client *other = &sim->clients[prng_below(&sim->values, sim->client_count)];
    bool fits = other != self && other->alive && other->kind == CLIENT_ATTACHED &&
                other->user == self->user && other->session != 0;
    uint32_t counter = fits ? other->made : 0;
    while (counter > 0 && is_value(other, counter)) {
        counter--;
    }
    return counter > 0 && counter < other->below ? task_id_of(other->session, counter).v : 0;
}

void value_borrow(struct sim *sim, struct client *self)
{
    if (self->kind != CLIENT_ATTACHED || self->index % 3 != 1 || self->knows_borrowed) {
        return;
    }
    bool lost = sim->healed && self->asked_us < sim->heal_us; /* its POLL, perhaps */
    self->asks_borrowed = self->asks_borrowed || self->poll_next == 1 || lost;
    if (self->borrowed == 0) {
        self->borrowed = task_of_others(sim, self);
        self->asks_borrowed = self->borrowed != 0;
    }
    if (self->borrowed != 0 && self->asks_borrowed) {
        self->asks_borrowed = false;
        self->asked_us = sim->now_us;
        sim->elements.n = 0;
        proto_put_record(&sim->elements, REC_ID, &(struct rec_id){ self->borrowed });
        client_say(sim, self, MSG_POLL,
                   &(struct msg_poll){ SEQ_SESSION | ++self->seq, self->session,
                                       wire_list(&sim->elements, 1) });
    }
}

bool value_waits(const struct client *self)
{
    return self->borrowed != 0 && !self->knows_borrowed;
}

bool value_told(struct client *self, uint64_t task)
{
    bool its = self->borrowed != 0 && self->borrowed == task;
    self->knows_borrowed = self->knows_borrowed || its;
    return its;
}

void value_draw(struct sim *sim, struct client *self, uint32_t counter)
{
    struct call *call = &self->calls[counter];
    if (self->specs[self->spec_count] != NULL && chance(&sim->values, 300)) {
        uint32_t spec = self->spec_count;
        if (self->spec_first[call->spec] == counter) {
            self->spec_first[call->spec] = 0;
        }
        self->spec_first[spec] = self->spec_first[spec] == 0 ? counter : self->spec_first[spec];
        self->cancels -= call->cancel;
        *call = (struct call){ .spec = spec };
        object_draw(sim, call, task_id_of(self->session, counter).v);
        call->told = call->stored_at == 0; /* else the head tells whether it may be there */
        self->told_count += call->told;
        if (self->late == 0 && chance(&sim->values, 300)) {
            self->late = counter;
            self->late_ms = client_now_ms(sim) + between(&sim->values, 100, 5000);
        }
        return;
    }
    if (counter > 1 && chance(&sim->values, 200)) {
        uint64_t back = counter - 1 < 20 ? counter - 1 : 20;
        call->inside = counter - (uint32_t)between(&sim->values, 1, back);
    }
    if (call->dep_count < DEPS_FEW && chance(&sim->values, 400)) {
        uint64_t id = value_of_others(sim, self);
        call->deps[call->dep_count] = id;
        call->dep_count += id != 0;
    }
}
