/*  pulls.c - an attempt whose stored arguments are on other nodes waits until they are on this one: it holds no resources
    meanwhile, and others pass it.  The head is told so, as of one that waits for others, and gives its CPUs to another one;
    of as many as the node has CPUs, for else all that is ready would be fetched, and leave the store before it is used. */
#include "common/bug.h"
#include "worker/core/state.h"

bool pull_needed(const struct worker *self, const struct rec_start *start)
{
    struct list sources = start->sources;
    struct rec_source source;
    struct rec_keeper keeper;
    while (next_source(&sources, &source)) {
        bool here = RAYC_BUG(START_BEFORE_PULL);
        while (next_keeper(&source.places, &keeper)) {
            here = here || keeper.node == self->node;
        }
        if (!here) {
            return true;
        }
    }
    return false;
}

static struct chain *chain_of(struct worker *self, const struct attempt *attempt)
{
    return attempt->asked ? &self->pulling : &self->pulls;
}

void pull_add(struct worker *self, uint32_t index)
{
    struct attempt *attempt = attempt_at(self, index);
    attempt->state = ATTEMPT_PULLING;
    chain_append(chain_of(self, attempt), &self->attempts, ATTEMPT_PLACE, index);
}

void pull_remove(struct worker *self, uint32_t index)
{
    self->pulls_told -= attempt_at(self, index)->how != 0;
    chain_remove(chain_of(self, attempt_at(self, index)), &self->attempts, ATTEMPT_PLACE, index);
}

uint32_t pulls_count(const struct worker *self)
{
    return self->pulls.count + self->pulling.count;
}

/*  Its CPUs are free; or not any more. */
static void tell(struct worker *self, struct attempt *attempt, bool pulls)
{
    attempt->how = pulls ? HELD_BLOCKED_GET : 0;
    attempt->tell_how = self->tell_how = self->tell_pulls = true;
    self->pulls_told += pulls;
}

void on_pulled(struct worker *self, const struct worker_event *event)
{
    uint32_t index = attempt_find(self, event->task, event->token);
    if (index == NONE || attempt_at(self, index)->state != ATTEMPT_PULLING) {
        return; /* it was recalled */
    }
    if (event->code == OK) {
        pull_remove(self, index);
        if (attempt_at(self, index)->how != 0) {
            tell(self, attempt_at(self, index), false);
        }
        attempt_queue(self, index);
    } else {
        bool full = event->code == ERR_FULL || event->code == ERR_TOO_LARGE;
        attempt_end(self, index,
                    &(struct rec_done){ .outcome = full ? OUTCOME_STORE_FULL : OUTCOME_OBJECT_LOST,
                                        .text = event->text });
    }
}

void pulls_emit(struct worker *self)
{
    uint64_t cpus = self->cpu != NONE ? self->config.amounts[self->cpu].units / UNITS_PER_ONE : 0;
    while (self->pulls.first != NONE && act_room(self)) {
        uint32_t index = self->pulls.first;
        struct attempt *attempt = attempt_at(self, index);
        pull_remove(self, index);
        attempt->asked = true;
        pull_add(self, index);
        if (self->pulls_told < cpus) {
            tell(self, attempt, true);
        }
        struct act *act = act_new(self, ACT_PULL);
        act->held = attempt_held(self, index);
        act->user = spec_at(self, attempt->spec)->view.user;
    }
}
