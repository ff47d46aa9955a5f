/*  outcomes.c - what is told of executors: they started, ran a task, gave back what they had not begun, ended.
    Programs are the users': what they say is checked, and whoever breaks the channel's rules is killed. */
#include <signal.h>
#include "worker/core/state.h"

#include <errno.h>

static bool is_live(const struct worker *self, uint32_t index)
{
    return index < self->executors.fresh && executor_at(self, index)->state != EXECUTOR_FREE;
}

void executor_free(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    struct lane *lane = lane_at(self, executor->lane);
    ensure(executor->given.count == 0);
    resources_give(self, index);
    if (executor->state == EXECUTOR_SPAWNING) {
        lane->spawning--;
    }
    if (executor->stuck) {
        lane->stuck--;
    }
    if (executor->evicted) {
        self->evicting--;
    }
    if (executor->place == PLACE_IDLE) {
        chain_remove(&self->idlers, &self->executors, EXECUTOR_IDLE, index);
    }
    struct chain *chain = executor->place == PLACE_IDLE     ? &lane->idle
                          : executor->place == PLACE_HUNGRY ? &lane->hungry
                                                            : &lane->busy;
    chain_remove(chain, &self->executors, EXECUTOR_LANE, index);
    actor_gone(self, index);
    if (executor->acting) {
        chain_remove(&self->acting, &self->executors, EXECUTOR_ACTING, index);
    }
    heap_remove(&self->executor_heap, index);
    executor->state = EXECUTOR_FREE;
    pool_give(&self->executors, index);
    self->admit = true;
}

void on_spawned(struct worker *self, const struct worker_event *event)
{
    if (!is_live(self, event->executor)) {
        return;
    }
    struct executor *executor = executor_at(self, event->executor);
    executor->pid = event->pid;
    if (executor->state == EXECUTOR_SPAWNING) { /* else it was told to end meanwhile */
        executor->state = EXECUTOR_READY;
        lane_at(self, executor->lane)->spawning--;
        executor_begins(self, event->executor);
        executor_place(self, event->executor);
        actor_spawned(self, event->executor);
        self->admit = true;
    } else if (executor->given.first != NONE) {
        executor_begins(self, event->executor);
    }
}

/*  As a shell has it: 127 not found, 126 not executable, 125 for the rest. */
static int32_t setup_status(int32_t error)
{
    return error == ENOENT || error == ENOTDIR   ? 127
           : error == EACCES || error == ENOEXEC ? 126
                                                 : 125;
}

void on_spawn_failed(struct worker *self, const struct worker_event *event)
{
    if (!is_live(self, event->executor)) {
        return;
    }
    struct executor *executor = executor_at(self, event->executor);
    struct lane *lane = lane_at(self, executor->lane);
    uint32_t concerned = lane->resident ? lane->waiting.first : executor->given.first;
    uint32_t others = lane->idle.count + lane->hungry.count + lane->busy.count - 1;
    if (lane->resident && others > 0) {
        self->spawn_again_ms = self->now_ms + SPAWN_AGAIN_MS; /* the others go on */
    } else if (concerned != NONE) {
        attempt_end(self, concerned,
                    &(struct rec_done){ .outcome = OUTCOME_SETUP_FAILED,
                                        .status = setup_status(event->code),
                                        .text = event->text });
    }
    executor_free(self, event->executor);
}

/*  What an executor may say of a task; anything else it says is an error of its program. */
uint32_t outcome_told(uint32_t outcome)
{
    bool known = outcome == OUTCOME_OK || outcome == OUTCOME_BAD_ARGUMENT ||
                 outcome == OUTCOME_NO_SUCH_TASK || outcome == OUTCOME_TOO_LARGE;
    return known ? outcome : OUTCOME_APP_ERROR;
}

void on_ran(struct worker *self, const struct worker_event *event)
{
    const struct rec_ran *ran = event->ran;
    if (!is_live(self, event->executor)) {
        return;
    }
    struct executor *executor = executor_at(self, event->executor);
    struct lane *lane = lane_at(self, executor->lane);
    if (lane->actor) {
        actor_ran(self, event);
        return;
    }
    uint32_t first = executor->given.first;
    if (!lane->resident || first == NONE || ran->number < attempt_at(self, first)->number) {
        return; /* told before */
    }
    if (ran->number > attempt_at(self, first)->number) {
        executor_end(self, event->executor, SIGKILL);
        return;
    }
    spec_ran(spec_at(self, attempt_at(self, first)->spec), ran->run_us);
    executor_goes_on(self, event->executor);
    attempt_end(self, first,
                &(struct rec_done){ .outcome = outcome_told(ran->outcome),
                                    .status = ran->status,
                                    .started_ms = ran->started_ms,
                                    .run_us = ran->run_us,
                                    .value = ran->value,
                                    .text = ran->text,
                                    .output = event->output,
                                    .log = event->log,
                                    .sealed = ran->sealed });
    lane->start_failures = 0;
    executor->reported = true;
    if (executor->stuck) {
        executor->stuck = false;
        lane->stuck--;
    }
    executor_begins(self, event->executor);
    executor_place(self, event->executor);
    self->admit = true;
}

/*  A given attempt that has not begun and never will there. */
static void settle_void(struct worker *self, uint32_t index)
{
    struct attempt *attempt = attempt_at(self, index);
    attempt->started_ms = 0;
    if (attempt->timed_out) {
        executor_end(self, attempt->owner, SIGKILL); /* it hangs in its start-up */
    }
    if (attempt->want == WANT_NOTHING && attempt->timed_out) {
        attempt_end_as(self, index, OUTCOME_RUN_TIMEOUT,
                       "its process did not begin to run it within run_ms_max");
    } else if (attempt->want == WANT_NOTHING) {
        attempt_requeue(self, index);
    } else {
        attempt_end_as(self, index, OUTCOME_RETURNED, ""); /* or as it is wanted */
    }
}

/*  What runs now, and is wanted otherwise; those before it have ended, only their reports are under way. */
static void settle_running(struct worker *self, uint32_t executor, uint32_t index)
{
    if (attempt_at(self, index)->timed_out) {
        executor_end(self, executor, SIGKILL);
    }
    switch ((enum want)attempt_at(self, index)->want) {
    case WANT_NOTHING:
    case WANT_RETURN:
        break;
    case WANT_GIVE_BACK:
        executor_end(self, executor, SIGTERM);
        break;
    case WANT_TERM:
        executor_signal(self, executor, SIGINT); /* the function may look at it: Ray's rule */
        break;
    case WANT_KILL:
    case WANT_DROP:
        executor_end(self, executor, SIGKILL);
        break;
    }
}

void on_taken(struct worker *self, const struct worker_event *event)
{
    if (!is_live(self, event->executor) || !executor_at(self, event->executor)->taking) {
        return;
    }
    struct executor *executor = executor_at(self, event->executor);
    executor->taking = false;
    if (lane_at(self, executor->lane)->actor) {
        actor_taken(self, event);
        return;
    }
    while (executor->given.count > 0 &&
           attempt_at(self, executor->given.last)->number >= event->number) {
        settle_void(self, executor->given.last);
    }
    for (uint32_t i = executor->given.first; i != NONE; i = attempt_at(self, i)->place.next) {
        if (attempt_at(self, i)->want == WANT_RETURN) {
            attempt_at(self, i)->want = WANT_NOTHING;
        }
    }
    if (executor->given.last != NONE) {
        if (!executor->stuck) {
            executor->stuck = true;
            lane_at(self, executor->lane)->stuck++;
        }
        settle_running(self, event->executor, executor->given.last);
    }
    executor_place(self, event->executor);
    self->admit = true;
}

/*  A command may well go on without a process of its own that was killed, and end with 0. */
enum outcome outcome_of_death(const struct worker_event *event)
{
    return event->out_of_memory && event->status != 0 ? OUTCOME_OUT_OF_MEMORY
           : event->status < 0                        ? OUTCOME_SIGNAL
                                                      : OUTCOME_EXIT;
}

/*  It had begun, and its process died in it. */
static void died(struct worker *self, uint32_t index, const struct worker_event *event)
{
    const struct attempt *attempt = attempt_at(self, index);
    const struct executor *executor = executor_at(self, attempt->owner);
    bool resident = lane_at(self, executor->lane)->resident;
    uint64_t run_us = resident ? (self->now_ms - executor->began_ms) * 1000 : event->run_us;
    bool ok = event->status == 0 && !resident;
    bool given_back = attempt->want == WANT_GIVE_BACK && executor->state == EXECUTOR_ENDING;
    attempt_end(self, index,
                &(struct rec_done){ .outcome = given_back ? OUTCOME_RETURNED
                                               : ok       ? OUTCOME_OK
                                                          : outcome_of_death(event),
                                    .status = event->status,
                                    .started_ms = attempt->started_ms != 0 ? attempt->started_ms
                                                                           : self->wall_ms,
                                    .run_us = run_us,
                                    .value = event->value,
                                    .text = event->text,
                                    .output = event->output,
                                    .log = event->log });
}

/*  A program that cannot even start up must not be started for ever: each further time costs an attempt. */
static void start_failed(struct worker *self, struct lane *lane, const struct worker_event *event)
{
    lane->start_failures++;
    if (lane->start_failures >= START_FAILURES_MAX && lane->waiting.count > 0) {
        attempt_end(self, lane->waiting.first,
                    &(struct rec_done){ .outcome = outcome_of_death(event),
                                        .status = event->status,
                                        .started_ms = self->wall_ms,
                                        .text = event->text });
    }
}

void on_exited(struct worker *self, const struct worker_event *event)
{
    if (!is_live(self, event->executor)) {
        return;
    }
    struct executor *executor = executor_at(self, event->executor);
    struct lane *lane = lane_at(self, executor->lane);
    if (lane->actor) {
        actor_exited(self, event);
        return;
    }
    bool unasked = executor->state != EXECUTOR_ENDING;
    bool begun_any = executor->reported;
    while (executor->given.count > 0) { /* the last first: what is requeued keeps its order */
        uint32_t last = executor->given.last;
        if (!lane->resident || attempt_at(self, last)->number < event->number) {
            begun_any = true;
            died(self, last, event);
        } else {
            settle_void(self, last);
        }
    }
    if (lane->resident && unasked && !begun_any) {
        start_failed(self, lane, event);
    }
    executor_free(self, event->executor);
}
