/*  actors.c - executors of actors: each runs one attempt, its actor, whose constructor is the first thing that it is
    told; then calls of its methods, in the order of their STARTs.  A call is never begun before one that came earlier
    and was not taken: what is refused for want of room, or was lost on the way, holds up what came after it. */
#include <signal.h>
#include "worker/core/state.h"

static bool is_actor(const struct worker *self, const struct executor *executor)
{
    return lane_at(self, executor->lane)->actor;
}

/*  Its calls may run beside each other, and end in any order. */
static bool has_threads(const struct worker *self, const struct executor *executor)
{
    const struct spec_view *view =
        &spec_at(self, attempt_at(self, executor->given.first)->spec)->view;
    return view->concurrency > 1 || view->groups.n > 0;
}

/*  Between ACT_TAKE_BACK and its answer nothing is told: nobody would know whether it was taken back, too. */
static bool may_tell(const struct executor *executor)
{
    return executor->untold != NONE && executor->state == EXECUTOR_READY && !executor->taking &&
           !executor->quiet;
}

static void call_due(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (may_tell(executor) && !executor->calling) {
        executor->calling = true;
        chain_append(&self->calling, &self->executors, EXECUTOR_CALLING, index);
    }
}

static void call_not_due(struct worker *self, uint32_t index)
{
    if (executor_at(self, index)->calling) {
        executor_at(self, index)->calling = false;
        chain_remove(&self->calling, &self->executors, EXECUTOR_CALLING, index);
    }
}

static void alive_set(struct worker *self, struct executor *executor, bool due)
{
    self->alive_due += (uint32_t)due - (uint32_t)executor->alive_due;
    executor->alive_due = due;
}

void actor_gone(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    self->actors -= is_actor(self, executor);
    call_not_due(self, index);
    alive_set(self, executor, false);
}

void actor_loses(struct worker *self, uint32_t index)
{
    const struct attempt *attempt = attempt_at(self, index);
    struct executor *executor = executor_at(self, attempt->owner);
    if (executor->untold == index) {
        executor->untold = attempt->place.next;
    }
}

/*  Its constructor is all that it has been given so far. */
void actor_spawned(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (is_actor(self, executor)) {
        attempt_at(self, executor->given.first)->number = NONE;
        executor->next_number = 0;
        executor->untold = executor->given.first;
        call_due(self, index);
    }
}

/* --- calls ------------------------------------------------------------------------------------------------ */

/*  The executor of an actor that takes calls, or NONE. */
static uint32_t executor_of(const struct worker *self, uint64_t actor)
{
    for (uint32_t i = map_find(&self->attempt_map, actor); i != NONE;
         i = map_next(&self->attempt_map, i)) {
        const struct attempt *attempt = attempt_at(self, i);
        if (attempt->state == ATTEMPT_GIVEN) {
            const struct executor *executor = executor_at(self, attempt->owner);
            bool takes =
                executor->given.first == i && executor->alive && executor->state == EXECUTOR_READY;
            if (takes) {
                return attempt->owner;
            }
        }
    }
    return NONE;
}

void on_call(struct worker *self, const struct rec_start *start, uint32_t spec, uint32_t frame)
{
    uint32_t owner = executor_of(self, start->actor);
    bool held_up = report_holds_up(self, start);
    uint32_t index = owner != NONE && !held_up ? attempt_new(self, start, spec, frame) : NONE;
    if (index == NONE) {
        report_refusal_of_call(self, start);
        return;
    }
    struct executor *executor = executor_at(self, owner);
    struct attempt *attempt = attempt_at(self, index);
    attempt->state = ATTEMPT_GIVEN;
    attempt->owner = owner;
    attempt->number = NONE;
    chain_append(&executor->given, &self->attempts, ATTEMPT_PLACE, index);
    self->running++;
    if (executor->untold == NONE) {
        executor->untold = index;
    }
    call_due(self, owner);
}

static void raise_want(struct attempt *attempt, enum want want)
{
    if (attempt->want < want) {
        attempt->want = (uint8_t)want;
    }
}

void actor_want(struct worker *self, uint32_t index, enum want want)
{
    struct attempt *attempt = attempt_at(self, index);
    uint32_t owner = attempt->owner;
    if (executor_at(self, owner)->given.first != index) {
        raise_want(attempt, want);
        if (attempt->number == NONE) {
            attempt_end_as(self, index, OUTCOME_RETURNED, ""); /* or as it is wanted */
        } else {
            executor_take_back(self, owner);
        }
    } else if (want != WANT_RETURN) { /* else it runs */
        raise_want(attempt, want);
        executor_end(self, owner, want == WANT_GIVE_BACK ? SIGTERM : SIGKILL);
    }
}

uint32_t actor_call_now(const struct worker *self, const struct executor *executor)
{
    uint32_t first = executor->given.first;
    uint32_t next = first == NONE ? NONE : attempt_at(self, first)->place.next;
    return next == NONE || attempt_at(self, next)->number == NONE ? NONE : next;
}

/*  The call that is in front begins; with threads nobody knows which. */
static void call_begins(struct worker *self, struct executor *executor)
{
    uint32_t now = actor_call_now(self, executor);
    if (now != NONE && !has_threads(self, executor)) {
        executor->began_ms = self->now_ms;
        attempt_at(self, now)->started_ms = self->wall_ms;
    }
}

/* --- what its executor says ------------------------------------------------------------------------------- */

static void constructed(struct worker *self, uint32_t index, const struct worker_event *event)
{
    struct executor *executor = executor_at(self, index);
    const struct rec_ran *ran = event->ran;
    executor->reported = true;
    if (ran->outcome == OUTCOME_OK) {
        executor->alive = true;
        alive_set(self, executor, true);
        return;
    }
    attempt_end(self, executor->given.first,
                &(struct rec_done){ .outcome = outcome_told(ran->outcome),
                                    .status = ran->status,
                                    .started_ms = ran->started_ms,
                                    .run_us = ran->run_us,
                                    .text = ran->text });
    executor_end(self, index, SIGKILL);
}

/*  The call of this number, or NONE: its end was told before. */
static uint32_t call_find(const struct worker *self, const struct executor *executor,
                          uint32_t number)
{
    uint32_t i = actor_call_now(self, executor);
    while (i != NONE && attempt_at(self, i)->number < number) {
        i = attempt_at(self, i)->place.next;
    }
    return i != NONE && attempt_at(self, i)->number == number ? i : NONE;
}

void actor_ran(struct worker *self, const struct worker_event *event)
{
    struct executor *executor = executor_at(self, event->executor);
    const struct rec_ran *ran = event->ran;
    uint32_t first = executor->given.first;
    if (first == NONE) {
        return; /* its constructor failed */
    }
    if (!executor->alive && ran->number == attempt_at(self, first)->number) {
        constructed(self, event->executor, event);
        return;
    }
    uint32_t index = call_find(self, executor, ran->number);
    if (index == NONE) {
        return;
    }
    if (index != actor_call_now(self, executor) && !has_threads(self, executor)) {
        executor_end(self, event->executor, SIGKILL); /* it has left one out */
        return;
    }
    attempt_end(self, index,
                &(struct rec_done){ .outcome = outcome_told(ran->outcome),
                                    .status = ran->status,
                                    .started_ms = ran->started_ms,
                                    .run_us = ran->run_us,
                                    .value = ran->value,
                                    .text = ran->text,
                                    .checkpoint = ran->checkpoint,
                                    .sealed = ran->sealed });
    executor->quiet = false;
    call_begins(self, executor);
    call_due(self, event->executor);
}

/*  What it has not begun is told again later, or ends as it is wanted. */
static void take_calls(struct worker *self, struct executor *executor, uint32_t from)
{
    uint32_t previous;
    for (uint32_t i = executor->given.last; i != executor->given.first; i = previous) {
        struct attempt *attempt = attempt_at(self, i);
        previous = attempt->place.previous;
        if (attempt->number != NONE && attempt->number < from) {
            break;
        }
        attempt->number = NONE;
        attempt->started_ms = 0;
        executor->untold = i;
        if (attempt->want != WANT_NOTHING) {
            attempt_end_as(self, i, OUTCOME_RETURNED, "");
        }
    }
}

void actor_taken(struct worker *self, const struct worker_event *event)
{
    struct executor *executor = executor_at(self, event->executor);
    if (executor->given.first == NONE) {
        return;
    }
    take_calls(self, executor, event->number);
    uint32_t now = actor_call_now(self, executor);
    for (uint32_t i = now; i != NONE; i = attempt_at(self, i)->place.next) {
        if (attempt_at(self, i)->want == WANT_RETURN) {
            attempt_at(self, i)->want = WANT_NOTHING;
        }
    }
    uint32_t running = executor->untold == NONE
                           ? executor->given.last
                           : attempt_at(self, executor->untold)->place.previous;
    bool cancelled = now != NONE && attempt_at(self, running)->want >= WANT_TERM;
    if (cancelled && !has_threads(self, executor)) {
        executor->quiet = true; /* the signal shall not reach another one */
        executor_signal(self, event->executor, SIGINT);
    }
    call_due(self, event->executor);
}

static bool had_begun(const struct attempt *attempt, const struct worker_event *event)
{
    if (attempt->number == NONE || attempt->number >= event->number) {
        return false;
    }
    size_t bits = event->begun.n * 8;
    size_t bit = bits > 0 ? attempt->number % bits : 0;
    return bits == 0 || (event->begun.p[bit / 8] >> bit % 8 & 1);
}

/*  `back`: it ended in order, or for a drain: what had begun is not charged. */
static void call_ends(struct worker *self, uint32_t index, bool back,
                      const struct worker_event *event)
{
    const struct attempt *attempt = attempt_at(self, index);
    bool begun = had_begun(attempt, event);
    uint64_t started_ms = attempt->started_ms != 0 ? attempt->started_ms : self->wall_ms;
    attempt_end(
        self, index,
        &(struct rec_done){ .outcome = begun && !back ? outcome_of_death(event) : OUTCOME_RETURNED,
                            .status = begun && !back ? event->status : 0,
                            .started_ms = begun ? started_ms : 0 });
}

static struct slice words(const struct executor *executor, const struct worker_event *event)
{
    return executor->lapsed
               ? slice_text("killed by its worker, which has not heard from the head for so long "
                            "that another node may have been given the actor")
               : event->text;
}

void actor_exited(struct worker *self, const struct worker_event *event)
{
    struct executor *executor = executor_at(self, event->executor);
    uint32_t first = executor->given.first;
    if (first != NONE) {
        const struct attempt *actor = attempt_at(self, first);
        bool in_order = event->status == 0 && executor->alive;
        bool given_back = actor->want == WANT_GIVE_BACK;
        while (executor->given.last != first) {
            call_ends(self, actor->place.next, in_order || given_back, event);
        }
        attempt_end(self, first,
                    &(struct rec_done){ .outcome = given_back ? OUTCOME_RETURNED
                                                   : in_order ? OUTCOME_OK
                                                              : outcome_of_death(event),
                                        .status = event->status,
                                        .started_ms = actor->started_ms != 0 ? actor->started_ms
                                                                             : self->wall_ms,
                                        .run_us = event->run_us,
                                        .text = words(executor, event),
                                        .output = event->output,
                                        .log = event->log });
    }
    executor_free(self, event->executor);
}

/* --- what is due ------------------------------------------------------------------------------------------ */

/*  An actor lives once: where its worker cannot be sure of that any more, it ends. */
static uint64_t lapse_ms(const struct worker *self)
{
    return self->lease_ms == 0 ? UINT64_MAX : self->sure_ms + self->lease_ms / 5 * 4;
}

void actors_tick(struct worker *self)
{
    if (self->actors == 0 || self->now_ms < lapse_ms(self)) {
        return;
    }
    for (uint32_t i = 0; i < self->executors.fresh; i++) {
        struct executor *executor = executor_at(self, i);
        if (executor->state != EXECUTOR_FREE && is_actor(self, executor) && !executor->killed) {
            executor->lapsed = true;
            executor_end(self, i, SIGKILL);
        }
    }
}

uint64_t actors_deadline(const struct worker *self)
{
    uint64_t at = lapse_ms(self);
    return self->actors == 0 || self->now_ms >= at ? UINT64_MAX : at;
}

void actors_tell_again(struct worker *self)
{
    for (uint32_t i = 0; self->actors > 0 && i < self->executors.fresh; i++) {
        struct executor *executor = executor_at(self, i);
        if (executor->state != EXECUTOR_FREE && executor->alive && executor->given.first != NONE) {
            alive_set(self, executor, true);
        }
    }
}

uint32_t actors_put_alive(struct worker *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0;
         count < CALLS_PER_FRAME_MAX && self->alive_due > 0 && i < self->executors.fresh; i++) {
        struct executor *executor = executor_at(self, i);
        if (executor->state == EXECUTOR_FREE || !executor->alive_due) {
            continue;
        }
        alive_set(self, executor, false);
        if (executor->given.first != NONE) {
            held_put(self, attempt_at(self, executor->given.first));
            count++;
        }
    }
    return count;
}

static void tell(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    uint32_t next = executor->untold;
    struct attempt *attempt = attempt_at(self, next);
    bool begins = actor_call_now(self, executor) == NONE;
    executor->untold = attempt->place.next;
    attempt->number = executor->next_number++;
    struct act *act = act_new(self, ACT_GIVE);
    act->executor = index;
    act->spec = &spec_at(self, attempt->spec)->view;
    act->held = attempt_held(self, next);
    if (begins) {
        call_begins(self, executor);
    }
}

void actors_emit(struct worker *self)
{
    while (self->calling.first != NONE && act_room(self)) {
        uint32_t index = self->calling.first;
        while (may_tell(executor_at(self, index)) && act_room(self)) {
            tell(self, index);
        }
        if (!may_tell(executor_at(self, index))) {
            call_not_due(self, index);
        }
    }
}
