/*  check.c - every invariant of the worker's core, for tests and the simulator: counts, chains, resources, frames. */
#include "worker/core/state.h"

struct checker {
    const struct worker *self;
    struct diag *why;
    bool ok;
};

static void claim(struct checker *checker, bool holds, const char *what, uint64_t where)
{
    if (!holds && checker->ok) {
        checker->ok = false;
        if (checker->why) {
            checker->why->field = what;
            checker->why->line = (uint32_t)where;
            slice_copy_text(slice_text(what), checker->why->text, sizeof(checker->why->text));
        }
    }
}

/*  Whether a chain's links agree in both directions and with its count. */
static bool chain_sound(const struct chain *chain, const struct pool *slots, uint32_t offset)
{
    uint32_t count = 0, previous = NONE;
    for (uint32_t i = chain->first; i != NONE; i = chain_links(slots, offset, i)->next) {
        if (i >= slots->fresh || chain_links(slots, offset, i)->previous != previous ||
            ++count > chain->count) {
            return false;
        }
        previous = i;
    }
    return chain->last == previous && count == chain->count;
}

static void check_attempts(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint32_t counts[ATTEMPT_REPORTED + 1] = { 0 };
    for (uint32_t i = 0; i < self->attempts.fresh; i++) {
        const struct attempt *attempt = attempt_at(self, i);
        counts[attempt->state]++;
        if (attempt->state != ATTEMPT_FREE && attempt->state <= ATTEMPT_GIVEN) {
            const struct frame *frame = pool_at(&self->frames, attempt->frame);
            claim(checker, frame->refs > 0, "an attempt borrows from a frame that was freed",
                  attempt->task);
        }
        bool known =
            attempt->state == ATTEMPT_FREE || map_find(&self->attempt_map, attempt->task) != NONE;
        claim(checker, known, "an attempt is not in the map", attempt->task);
    }
    claim(checker, counts[ATTEMPT_PULLING] == pulls_count(self), "count of pulling attempts",
          pulls_count(self));
    claim(checker, counts[ATTEMPT_WAITING] == self->waiting, "count of waiting attempts",
          self->waiting);
    claim(checker, counts[ATTEMPT_GIVEN] == self->running, "count of given attempts",
          self->running);
    claim(checker, counts[ATTEMPT_ENDED] == self->ended.count, "count of ended attempts",
          self->ended.count);
    uint32_t taken = self->attempts.fresh - counts[ATTEMPT_FREE];
    claim(checker, taken == self->attempts.taken, "count of attempts", taken);
    claim(checker, taken == self->attempt_map.count, "count of the map of attempts", taken);
    claim(checker, chain_sound(&self->ended, &self->attempts, ATTEMPT_PLACE),
          "chain of ended attempts", 0);
    claim(checker,
          chain_sound(&self->pulls, &self->attempts, ATTEMPT_PLACE) &&
              chain_sound(&self->pulling, &self->attempts, ATTEMPT_PLACE),
          "chains of pulling attempts", 0);
}

static void check_frames(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint64_t refs = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < self->frames.fresh; i++) {
        const struct frame *frame = pool_at(&self->frames, i);
        refs += frame->refs;
        used += frame->refs > 0;
    }
    uint64_t expected =
        (uint64_t)pulls_count(self) + self->waiting + self->running + self->specs.taken;
    claim(checker, refs == expected, "references to frames", refs);
    claim(checker, used + self->loose.count == self->frames.taken, "count of frames", used);
    claim(checker, chain_sound(&self->loose, &self->frames, FRAME_PLACE), "chain of loose frames",
          0);
}

static void check_executors_of(struct checker *checker, uint32_t lane, const struct chain *chain,
                               uint32_t place)
{
    const struct worker *self = checker->self;
    bool sound = chain_sound(chain, &self->executors, EXECUTOR_LANE);
    claim(checker, sound, "chain of a lane's executors", lane);
    for (uint32_t i = chain->first; sound && i != NONE; i = executor_at(self, i)->in_lane.next) {
        const struct executor *executor = executor_at(self, i);
        claim(checker, executor->lane == lane && executor->place == place, "place of an executor",
              i);
        bool empty = executor->given.count == 0;
        claim(checker, place == PLACE_BUSY || executor->state == EXECUTOR_READY,
              "only a ready one may be given", i);
        claim(checker, place != PLACE_IDLE || empty, "an idle executor has attempts", i);
        claim(checker, place != PLACE_HUNGRY || !empty, "a hungry executor has none", i);
        claim(checker, empty || executor->holds, "an executor runs without resources", i);
    }
}

static void check_lanes(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint32_t executors = 0, waiting = 0;
    for (uint32_t l = 0; l < self->lanes.fresh; l++) {
        const struct lane *lane = lane_at(self, l);
        check_executors_of(checker, l, &lane->idle, PLACE_IDLE);
        check_executors_of(checker, l, &lane->hungry, PLACE_HUNGRY);
        check_executors_of(checker, l, &lane->busy, PLACE_BUSY);
        executors += lane->idle.count + lane->hungry.count + lane->busy.count;
        waiting += lane->waiting.count;
        bool sound = chain_sound(&lane->waiting, &self->attempts, ATTEMPT_PLACE);
        claim(checker, sound, "chain of a lane's attempts", l);
        for (uint32_t i = lane->waiting.first; sound && i != NONE;
             i = attempt_at(self, i)->place.next) {
            const struct attempt *attempt = attempt_at(self, i);
            bool here =
                attempt->state == ATTEMPT_WAITING && spec_at(self, attempt->spec)->lane == l;
            claim(checker, here && attempt->started_ms == 0, "a waiting attempt", attempt->task);
        }
        claim(checker, (lane->in_heap != NONE) == lane_can_start(self, lane), "lane in the heap",
              l);
        claim(checker,
              lane->in_heap == NONE ||
                  attempt_at(self, lane->waiting.first)->arrival == lane->front,
              "front of a lane", l);
    }
    claim(checker, executors == self->executors.taken, "count of executors", executors);
    claim(checker, waiting == self->waiting, "attempts in lanes", waiting);
}

static void check_executors(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint32_t given = 0, evicting = 0, spawning = 0, stuck = 0;
    for (uint32_t e = 0; e < self->executors.fresh; e++) {
        const struct executor *executor = executor_at(self, e);
        if (executor->state == EXECUTOR_FREE) {
            continue;
        }
        given += executor->given.count;
        evicting += executor->evicted;
        spawning += executor->state == EXECUTOR_SPAWNING;
        stuck += executor->stuck;
        bool sound = chain_sound(&executor->given, &self->attempts, ATTEMPT_PLACE);
        claim(checker, sound, "chain of an executor's attempts", e);
        uint64_t next = 0;
        uint32_t untold = NONE;
        for (uint32_t i = executor->given.first; sound && i != NONE;
             i = attempt_at(self, i)->place.next) {
            const struct attempt *attempt = attempt_at(self, i);
            claim(checker, attempt->state == ATTEMPT_GIVEN && attempt->owner == e,
                  "a given attempt", attempt->task);
            if (lane_at(self, executor->lane)->actor && attempt->number == NONE) {
                untold = untold == NONE ? i : untold;
                continue;
            }
            claim(checker, attempt->number >= next && untold == NONE,
                  "numbers of an executor's attempts", attempt->task);
            next = attempt->number + 1ull;
        }
        claim(checker, untold == executor->untold, "what an actor has not been told", e);
        claim(checker, next <= executor->next_number, "next number of an executor", e);
        claim(checker, executor->state != EXECUTOR_ENDING || executor->in_heap != NONE,
              "SIGKILL follows", e);
    }
    for (uint32_t l = 0; l < self->lanes.fresh; l++) {
        spawning -= lane_at(self, l)->spawning;
        stuck -= lane_at(self, l)->stuck;
    }
    claim(checker, given == self->running, "attempts of executors", given);
    claim(checker, evicting == self->evicting, "count of evicted executors", evicting);
    claim(checker, spawning == 0, "count of starting executors", spawning);
    claim(checker, stuck == 0, "count of stuck executors", stuck);
    claim(checker, chain_sound(&self->idlers, &self->executors, EXECUTOR_IDLE),
          "chain of idle executors", 0);
    claim(checker, chain_sound(&self->acting, &self->executors, EXECUTOR_ACTING), "chain of acts",
          0);
}

static void check_actors(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint32_t actors = 0, alive_due = 0, calling = 0;
    for (uint32_t e = 0; e < self->executors.fresh; e++) {
        const struct executor *executor = executor_at(self, e);
        if (executor->state == EXECUTOR_FREE) {
            continue;
        }
        bool actor = lane_at(self, executor->lane)->actor;
        actors += actor;
        alive_due += executor->alive_due;
        calling += executor->calling;
        claim(checker, actor || !(executor->alive || executor->quiet || executor->calling),
              "an executor that is no actor's", e);
        uint32_t first = executor->given.first;
        claim(checker,
              !actor || first == NONE ||
                  spec_at(self, attempt_at(self, first)->spec)->view.kind == SPEC_ACTOR,
              "an executor of an actor that it does not have", e);
        claim(checker, !actor || executor->given.count < 2 || executor->alive,
              "an actor that is not alive has calls", e);
    }
    claim(checker, actors == self->actors, "count of actors", actors);
    claim(checker, alive_due == self->alive_due, "count of actors to tell of", alive_due);
    claim(checker, calling == self->calling.count, "count of executors that are called", calling);
    claim(checker, chain_sound(&self->calling, &self->executors, EXECUTOR_CALLING),
          "chain of executors that are called", 0);
}

static void check_resources(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint64_t used[RESOURCES_MAX] = { 0 }, gpu_used[GPUS_MAX] = { 0 };
    for (uint32_t e = 0; e < self->executors.fresh; e++) {
        const struct executor *executor = executor_at(self, e);
        if (executor->state == EXECUTOR_FREE || !executor->holds) {
            continue;
        }
        const struct lane *lane = lane_at(self, executor->lane);
        for (uint32_t i = 0; i < lane->demand_count; i++) {
            bool lent = executor->waits && lane->demand[i].resource == self->cpu;
            used[lane->demand[i].resource] += lent ? 0 : lane->demand[i].units;
        }
        for (uint32_t i = 0; i < self->gpu_count; i++) {
            gpu_used[i] += executor->gpu_mask >> i & 1 ? executor->gpu_each : 0;
        }
    }
    for (uint32_t i = 0; i < self->config.amount_count; i++) {
        uint64_t owed = i == self->cpu ? self->cpu_owed : 0;
        claim(checker, used[i] + self->free[i] == self->config.amounts[i].units + owed,
              "resource: used + free", i);
    }
    for (uint32_t i = 0; i < self->gpu_count; i++) {
        claim(checker, gpu_used[i] + self->gpu_free[i] == UNITS_PER_ONE, "GPU: used + free", i);
    }
}

static void check_reports(struct checker *checker)
{
    const struct worker *self = checker->self;
    bool sound = chain_sound(&self->sent, &self->reports, REPORT_PLACE) &&
                 chain_sound(&self->forgotten, &self->reports, REPORT_PLACE);
    claim(checker, sound, "chains of reports", 0);
    uint32_t count = self->sent.count + self->forgotten.count;
    claim(checker, count == self->reports.taken, "count of reports", count);
    uint32_t reported = 0;
    for (uint32_t r = self->sent.first; sound && r != NONE; r = report_at(self, r)->place.next) {
        const struct chain *chain = &report_at(self, r)->attempts;
        claim(checker, chain_sound(chain, &self->attempts, ATTEMPT_PLACE), "chain of a report", r);
        reported += chain->count;
    }
    uint32_t others = pulls_count(self) + self->waiting + self->running + self->ended.count;
    claim(checker, reported + others == self->attempts.taken, "count of reported attempts",
          reported);
    claim(checker, self->refusal_count <= REFUSALS_MAX, "refusals", self->refusal_count);
}

static void check_specs(struct checker *checker)
{
    const struct worker *self = checker->self;
    uint32_t specs = 0, lanes = 0, needs = 0, programs = 0;
    for (uint32_t i = 0; i < self->specs.fresh; i++) {
        specs += spec_at(self, i)->lane != NONE;
    }
    for (uint32_t i = 0; i < self->lanes.fresh; i++) {
        const struct lane *lane = lane_at(self, i);
        lanes += lane->specs > 0;
        specs -= lane->specs;
        needs += lane->need_count;
    }
    for (uint32_t i = 0; i < self->programs.fresh; i++) {
        programs += program_at(self, i)->known;
        needs -= program_at(self, i)->known ? program_at(self, i)->lanes : 0;
    }
    claim(checker, specs == 0, "specs of lanes", specs);
    claim(checker, lanes == self->lanes.taken, "count of lanes", lanes);
    claim(checker, needs == 0, "programs that lanes need", needs);
    claim(checker, programs == self->programs.taken, "count of programs", programs);
}

bool worker_check(const struct worker *self, struct diag *why)
{
    struct checker checker = { self, why, true };
    check_attempts(&checker);
    check_frames(&checker);
    check_lanes(&checker);
    check_specs(&checker);
    check_executors(&checker);
    check_actors(&checker);
    check_resources(&checker);
    check_reports(&checker);
    return checker.ok;
}
