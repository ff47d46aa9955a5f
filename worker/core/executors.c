/*  executors.c - processes: begun, given batches, taken from, ended; and what is due for them with time.
    Each is in one chain of its lane (idle, hungry, busy), which says what admission.c may do with it. */
#include <signal.h>
#include "worker/core/state.h"

static struct chain *place_chain(struct lane *lane, uint32_t place)
{
    return place == PLACE_IDLE ? &lane->idle : place == PLACE_HUNGRY ? &lane->hungry : &lane->busy;
}

static void place_set(struct worker *self, uint32_t index, enum executor_place place)
{
    struct executor *executor = executor_at(self, index);
    struct lane *lane = lane_at(self, executor->lane);
    if (executor->place == place) {
        return;
    }
    if (executor->place != PLACE_NONE) {
        chain_remove(place_chain(lane, executor->place), &self->executors, EXECUTOR_LANE, index);
    }
    if (executor->place == PLACE_IDLE) {
        chain_remove(&self->idlers, &self->executors, EXECUTOR_IDLE, index);
    }
    executor->place = (uint8_t)place;
    if (place == PLACE_IDLE) {
        executor->idle_ms = self->now_ms;
        chain_prepend(&lane->idle, &self->executors, EXECUTOR_LANE, index);
        chain_append(&self->idlers, &self->executors, EXECUTOR_IDLE, index);
    } else if (place != PLACE_NONE) {
        chain_append(place_chain(lane, place), &self->executors, EXECUTOR_LANE, index);
    }
}

static void set_stuck(struct worker *self, struct executor *executor, bool stuck)
{
    lane_at(self, executor->lane)->stuck += (uint32_t)stuck - (uint32_t)executor->stuck;
    executor->stuck = stuck;
}

void executor_stick(struct worker *self, uint32_t index)
{
    set_stuck(self, executor_at(self, index), true);
}

/*  Attempts of a spec in one batch: about BATCH_US of work; 1 if that is not known. */
static uint32_t batch_of(const struct spec *spec)
{
    uint32_t us16 = spec->mean_us16 < 16 ? 16 : spec->mean_us16;
    uint32_t batch = spec->known ? BATCH_US * 16 / us16 : 1;
    return batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : batch;
}

static bool may_have_more(const struct worker *self, const struct executor *executor)
{
    if (executor->taking || executor->stuck || lane_at(self, executor->lane)->gpu_units > 0) {
        return false;
    }
    const struct spec *spec = spec_at(self, attempt_at(self, executor->given.last)->spec);
    return spec->known && spec->mean_us16 < LONG_US * 16 && executor->given.count <= batch_of(spec);
}

/*  Puts an executor where its state belongs, and gives its resources back when it has nothing. */
void executor_place(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    const struct lane *lane = lane_at(self, executor->lane);
    if (executor->state != EXECUTOR_READY) {
        place_set(self, index, PLACE_BUSY);
    } else if (executor->given.count == 0) {
        set_stuck(self, executor, false);
        if (lane->gpu_units > 0 && executor->reported) {
            executor_end(self, index,
                         SIGTERM); /* a GPU's memory is free only when its process has gone */
            return;
        }
        if (lane->gpu_units == 0) {
            resources_give(self, index);
        }
        place_set(self, index, executor->taking || !lane->resident ? PLACE_BUSY : PLACE_IDLE);
    } else {
        place_set(self, index,
                  lane->resident && may_have_more(self, executor) ? PLACE_HUNGRY : PLACE_BUSY);
    }
    executor_timer(self, index);
}

static void act_due(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (!executor->acting) {
        executor->acting = true;
        chain_append(&self->acting, &self->executors, EXECUTOR_ACTING, index);
    }
}

static int rank(int signal)
{
    return signal == SIGKILL ? 3 : signal == SIGTERM ? 2 : signal == SIGINT ? 1 : 0;
}

void executor_signal(struct worker *self, uint32_t index, int signal)
{
    struct executor *executor = executor_at(self, index);
    if (rank(signal) > rank(executor->signal_due)) {
        executor->signal_due = signal;
        act_due(self, index);
    }
}

void executor_end(struct worker *self, uint32_t index, int signal)
{
    struct executor *executor = executor_at(self, index);
    bool ending = executor->state == EXECUTOR_ENDING;
    if (executor->killed || (ending && signal != SIGKILL)) {
        return;
    }
    if (executor->state == EXECUTOR_SPAWNING) {
        lane_at(self, executor->lane)->spawning--;
    }
    executor->state = EXECUTOR_ENDING;
    executor->killed = signal == SIGKILL;
    executor->kill_ms = self->now_ms + (self->config.grace_ms < 1 ? 1 : self->config.grace_ms);
    executor_signal(self, index, signal);
    place_set(self, index, PLACE_BUSY);
    executor_timer(self, index);
}

void executor_take_back(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (executor->taking || executor->state != EXECUTOR_READY) {
        return; /* WEV_TAKEN or WEV_EXITED will settle it */
    }
    executor->taking = true;
    executor->take_due = true;
    act_due(self, index);
    executor_place(self, index);
}

/*  Makes room for one more process: the one that is idle for the longest time ends. */
static void evict(struct worker *self)
{
    if (self->evicting == 0 && self->idlers.first != NONE) {
        uint32_t index = self->idlers.first;
        executor_at(self, index)->evicted = true;
        self->evicting++;
        executor_end(self, index, SIGTERM);
    }
}

static void gpu_names(const struct worker *self, uint64_t mask, char *text, size_t capacity)
{
    size_t n = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < self->gpu_count; i++) {
        const char *name = self->config.gpus[i];
        size_t size = strnlen(name, sizeof(self->config.gpus[i]));
        if ((mask >> i & 1) && n + size + 2 < capacity) {
            if (n > 0) {
                text[n++] = ',';
            }
            memcpy(text + n, name, size);
            text[n += size] = 0;
        }
    }
}

uint32_t executor_spawn(struct worker *self, uint32_t lane_index)
{
    struct lane *lane = lane_at(self, lane_index);
    uint32_t index = pool_take(&self->executors);
    if (index == NONE) {
        evict(self);
        return NONE;
    }
    struct executor *executor = executor_at(self, index);
    executor->state = EXECUTOR_SPAWNING;
    executor->in_heap = NONE;
    executor->lane = lane_index;
    executor->untold = NONE;
    chain_init(&executor->given);
    place_set(self, index, PLACE_BUSY);
    self->actors += lane->actor;
    resources_take(self, index);
    lane->spawning++;
    uint32_t first = lane->waiting.first;
    struct act *act = act_new(self, ACT_SPAWN);
    act->executor = index;
    act->spec = &spec_at(self, attempt_at(self, first)->spec)->view;
    act->held = attempt_held(self, first);
    gpu_names(self, executor->gpu_mask, act->gpus, sizeof(act->gpus));
    return index;
}

void executor_begins(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    executor->began_ms = self->now_ms;
    executor->balance_ms = self->now_ms + BALANCE_MS;
    if (executor->given.first != NONE) {
        attempt_at(self, executor->given.first)->started_ms = self->wall_ms;
    }
}

/*  The front of its lane becomes the last of what it was given. */
static void take_front(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    struct lane *lane = lane_at(self, executor->lane);
    uint32_t first = lane->waiting.first;
    struct attempt *attempt = attempt_at(self, first);
    chain_remove(&lane->waiting, &self->attempts, ATTEMPT_PLACE, first);
    chain_append(&executor->given, &self->attempts, ATTEMPT_PLACE, first);
    attempt->state = ATTEMPT_GIVEN;
    attempt->owner = index;
    attempt->number = executor->next_number++;
    self->waiting--;
    self->running++;
    self->admissions++;
}

void executor_give(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    struct lane *lane = lane_at(self, executor->lane);
    bool fresh = executor->given.count == 0;
    if (!executor->holds) {
        resources_take(self, index);
    }
    if (!lane->resident) {
        take_front(self, index);
        return; /* ACT_SPAWN has told of it; an actor is told of its constructor when it is there */
    }
    uint32_t executors = lane->idle.count + lane->hungry.count + lane->busy.count;
    uint32_t share = lane->waiting.count / executors + 1;
    uint32_t room = ACTS_MAX - self->act_count;
    uint32_t most = lane->gpu_units > 0 ? 1 : share < BATCH_MAX ? share : BATCH_MAX;
    for (uint32_t n = 0, us = 0; n < most && n < room && lane->waiting.count > 0 && us < BATCH_US;
         n++) {
        uint32_t first = lane->waiting.first;
        us += BATCH_US / batch_of(spec_at(self, attempt_at(self, first)->spec));
        take_front(self, index);
        struct act *act = act_new(self, ACT_GIVE);
        act->executor = index;
        act->spec = &spec_at(self, attempt_at(self, first)->spec)->view;
        act->held = attempt_held(self, first);
    }
    if (fresh) {
        executor_begins(self, index);
    }
    executor_place(self, index);
}

static bool can_balance(const struct worker *self, const struct executor *executor)
{
    return executor->state == EXECUTOR_READY && executor->given.count > 1 && !executor->taking &&
           !executor->stuck && lane_at(self, executor->lane)->resident;
}

static uint64_t run_deadline(const struct worker *self, const struct executor *executor)
{
    if (executor->given.first == NONE || executor->state != EXECUTOR_READY) {
        return UINT64_MAX;
    }
    const struct attempt *attempt = attempt_at(self, executor->given.first);
    uint32_t most = spec_at(self, attempt->spec)->view.run_ms_max;
    return most == 0 || attempt->timed_out ? UINT64_MAX : executor->began_ms + most;
}

static uint64_t deadline_of(const struct worker *self, const struct executor *executor)
{
    uint64_t at = run_deadline(self, executor);
    if (executor->kill_ms != 0 && executor->kill_ms < at) {
        at = executor->kill_ms;
    }
    if (executor->place == PLACE_IDLE && executor->idle_ms + self->config.idle_ms < at) {
        at = executor->idle_ms + self->config.idle_ms;
    }
    if (can_balance(self, executor) && executor->balance_ms < at) {
        at = executor->balance_ms;
    }
    return at;
}

void executor_timer(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    uint64_t at = deadline_of(self, executor);
    if (at != UINT64_MAX && (executor->in_heap == NONE || at < executor->timer)) {
        heap_set(&self->executor_heap, index, at);
    }
}

/*  What it has not begun may run elsewhere now. */
static void balance(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    struct lane *lane = lane_at(self, executor->lane);
    executor->balance_ms = self->now_ms + BALANCE_MS;
    bool process = lane->idle.count > 0 || self->executors.taken < self->executors.capacity;
    if (process && lane->waiting.count == 0 && resources_fit(self, lane)) {
        executor_take_back(self, index);
    }
}

static void tick(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (executor->kill_ms != 0 && self->now_ms >= executor->kill_ms) {
        executor->killed = true;
        executor->kill_ms = self->now_ms + 1000; /* again, if it is still not gone */
        executor_signal(self, index, SIGKILL);
    }
    if (executor->place == PLACE_IDLE && self->now_ms >= executor->idle_ms + self->config.idle_ms) {
        executor_end(self, index, SIGTERM);
    }
    if (self->now_ms >= run_deadline(self, executor)) {
        attempt_at(self, executor->given.first)->timed_out = true;
        if (lane_at(self, executor->lane)->resident) {
            executor_take_back(
                self, index); /* so that no neighbour begins meanwhile; WEV_TAKEN decides */
        } else {
            executor_end(self, index, SIGKILL);
        }
    }
    if (can_balance(self, executor) && self->now_ms >= executor->balance_ms) {
        balance(self, index);
    }
}

void executors_tick(struct worker *self)
{
    while (heap_time(&self->executor_heap) <= self->now_ms) {
        uint32_t index = heap_first(&self->executor_heap);
        heap_remove(&self->executor_heap, index);
        tick(self, index);
        executor_timer(self, index);
    }
}

void executors_emit(struct worker *self)
{
    while (self->acting.first != NONE && self->act_count + 2 <= ACTS_MAX) {
        uint32_t index = self->acting.first;
        struct executor *executor = executor_at(self, index);
        chain_remove(&self->acting, &self->executors, EXECUTOR_ACTING, index);
        executor->acting = false;
        if (executor->take_due) {
            executor->take_due = false;
            act_new(self, ACT_TAKE_BACK)->executor = index;
        }
        if (executor->signal_due != 0) {
            struct act *act = act_new(self, ACT_KILL);
            act->executor = index;
            act->how = executor->signal_due;
            executor->signal_due = 0;
        }
    }
}
