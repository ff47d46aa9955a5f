/*  line.c - which task is next: priorities that age, between a user's tasks, and fair shares between jobs.

    A ready task's place in line is the time at which it became ready, less a minute per level of priority.  Of a user's
    tasks that there is room for, none of one priority is leased before one of another that has an earlier place.  Hence
    a task of priority p is overtaken by those of priority q > p only if they become ready within q - p minutes after it:
    whatever is submitted, what can come before it is bounded, and nothing starves.  Within one priority, and between
    users, the job with the least under way is next, as if there were no priorities. */
#include "head/core/state.h"

#include "common/bug.h"

uint64_t task_age(const struct core *core, const struct task *task)
{
    int32_t age_ms = (int32_t)((uint32_t)core->now_ms - task->ready_ms);
    return age_ms > 0 ? (uint64_t)age_ms : 0;
}

/*  Smaller comes first; comparable within one event. */
static int64_t place_of(const struct core *core, const struct task *task, int32_t priority)
{
    int64_t step = RAYC_BUG(NO_AGEING) ? INT32_MAX : core->config.priority_step_ms;
    return -(int64_t)task_age(core, task) - priority * step;
}

/*  A queue is in order: its first is its earliest. */
static int64_t queue_place(const struct core *core, const struct queue *queue)
{
    return place_of(core, task_at(core, queue->tasks.first), queue->priority);
}

static struct line_first *first_of(const struct core *core, const struct queue *queue)
{
    return &user_at(core, job_at(core, queue->job)->user)->first;
}

static void first_add(struct line_first *first, int64_t place_ms, int32_t priority)
{
    bool same = priority == first->priority;
    if (place_ms < first->place_ms || (place_ms == first->place_ms && priority > first->priority)) {
        first->others_ms = same ? first->others_ms : first->place_ms;
        first->place_ms = place_ms;
        first->priority = priority;
    } else if (!same && place_ms < first->others_ms) {
        first->others_ms = place_ms;
    }
}

/*  Of each user, which priority is next, over all demands that there may be room for. */
static void find_first(struct core *core)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t d = 0; d < core->demand_count; d++) {
            const struct demand *demand = &core->demands[d];
            if (!demand->blocked || demand->full) {
                continue;
            }
            for (uint32_t i = demand->queues.first; i != NONE;
                 i = queue_at(core, i)->in_demand.next) {
                const struct queue *queue = queue_at(core, i);
                if (pass == 0) {
                    *first_of(core, queue) = (struct line_first){ 0, INT64_MAX, INT64_MAX };
                } else {
                    first_add(first_of(core, queue), queue_place(core, queue), queue->priority);
                }
            }
        }
    }
}

static bool is_next(const struct core *core, const struct queue *queue)
{
    const struct line_first *first = first_of(core, queue);
    return core->ranked == 0 || RAYC_BUG(NO_PRIORITY) ||
           (queue->priority == first->priority && queue_place(core, queue) <= first->others_ms);
}

/*  The queue of a demand whose first task is next: of those that may be, that of the job with the least under way. */
uint32_t line_first(struct core *core, uint32_t index)
{
    const struct demand *demand = &core->demands[index];
    uint32_t best = NONE;
    if (core->ranked > 0) {
        find_first(core);
    }
    for (uint32_t i = demand->queues.first; i != NONE; i = queue_at(core, i)->in_demand.next) {
        const struct queue *queue = queue_at(core, i);
        if (is_next(core, queue) &&
            (best == NONE ||
             job_at(core, queue->job)->leased < job_at(core, queue_at(core, best)->job)->leased)) {
            best = i;
        }
    }
    return best;
}

/*  How many of its user's ready tasks with the same demand come before one: those before it in its queue, and those of
    other priorities with an earlier place.  Of other jobs with its own priority nobody can say. */
uint64_t line_before(const struct core *core, const struct task *task)
{
    enum { LOOK_MAX = 100000 };
    const struct spec *spec = spec_at(core, task->spec);
    const struct queue *own = queue_at(core, spec->queue);
    const struct demand *demand = &core->demands[spec->demand];
    int64_t place_ms = place_of(core, task, own->priority);
    uint64_t count = 0;
    for (uint32_t i = task->place.previous; i != NONE && count < LOOK_MAX;
         i = task_at(core, i)->place.previous) {
        count++;
    }
    for (uint32_t q = demand->queues.first; q != NONE; q = queue_at(core, q)->in_demand.next) {
        const struct queue *queue = queue_at(core, q);
        bool other = queue->priority != own->priority &&
                     job_at(core, queue->job)->user == job_at(core, own->job)->user;
        for (uint32_t i = other ? queue->tasks.first : NONE;
             i != NONE && count < LOOK_MAX &&
             place_of(core, task_at(core, i), queue->priority) < place_ms;
             i = task_at(core, i)->place.next) {
            count++;
        }
    }
    return count;
}
