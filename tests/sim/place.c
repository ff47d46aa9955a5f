/*  place.c - where tasks ask to run, and how urgent they are; and what the rows must say of it: nothing runs on a node
    that it must not run on (43), and nothing is overtaken by what came too late for that (19). */
#include "tests/sim/place.h"

#include <stdio.h>

#include "tests/sim/object.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull;

/*  Labels of workers, and for each selector which of them it matches: this, and not the core's matching, is the rule. */
static const char *const label_sets[] = { "zone=a\ndisk=ssd", "zone=a", "zone=b\ndisk=hdd" };
static const struct {
    const char *text;
    uint32_t matches;
} selectors[] = {
    { "", 7 },
    { "zone=a", 3 },
    { "zone!=b", 3 },
    { "disk in (ssd|nvme)", 1 },
    { "disk not in (hdd|tape)", 3 },
    { "zone=a\ndisk!=hdd", 3 },
    { "zone in (a|b)\ndisk=ssd", 1 },
    { "zone in (a|b)", 7 },
};

const char *place_labels(uint32_t worker)
{
    return label_sets[worker % COUNT(label_sets)];
}

/*  The first worker, which fits every demand, matches every selector: so nothing waits for ever. */
uint64_t place_draw(struct sim *sim, struct rec_spec *record, char strategy[STRATEGY_MAX])
{
    struct prng *rng = &sim->places;
    record->priority = sim->ranks && chance(rng, 600) ? (int32_t)prng_below(rng, 5) - 2 : 0;
    if (record->kind == SPEC_DRIVER) {
        return 0;
    }
    if (chance(rng, 250)) {
        record->labels = slice_text(selectors[prng_below(rng, COUNT(selectors))].text);
    }
    const struct node *node = &sim->nodes[prng_below(rng, sim->worker_count)];
    uint64_t id = node->alive ? worker_stats(node->core).node : 0;
    id = id == 0 || chance(rng, 100) ? between(rng, 1, sim->oracle.node_max + 2) : id;
    if (chance(rng, 100)) {
        record->strategy = slice_text("SPREAD");
    } else if (chance(rng, 150)) {
        bool soft = chance(rng, 500) || sim->healed; /* what is drained now may stay so */
        snprintf(strategy, STRATEGY_MAX, "node:%llu%s", (ull)id, soft ? ":soft" : "");
        record->strategy = slice_text(strategy);
    }
    return hash_bytes_of(hash_bytes_of(0, record->strategy.p, record->strategy.n), record->labels.p,
                         record->labels.n);
}

/* --- what the rows must say -------------------------------------------------------------------- */

static uint32_t kind_of(struct slice name)
{
    static const char *const names[PLACE_KINDS] = { "CPU", "memory", "GPU" };
    uint32_t i = 0;
    while (i < PLACE_KINDS && !slice_same(name, slice_text(names[i]))) {
        i++;
    }
    return i;
}

static void amounts_seen(struct list list, uint64_t out[PLACE_KINDS])
{
    struct rec_amount amount;
    while (list.bytes.n > 0 && next_amount(&list, &amount)) {
        ensure(kind_of(amount.name) < PLACE_KINDS);
        out[kind_of(amount.name)] = amount.units;
    }
}

void place_seen_node(struct node_seen *node, const struct row_node_new *row)
{
    amounts_seen((struct list){ row->capacity, NONE }, node->capacity);
    size_t n = strlen(label_sets[node->label_set]);
    while (row->labels.n <= n || memcmp(row->labels.p, label_sets[node->label_set], n) != 0 ||
           memcmp(row->labels.p + n, "\nray.io/", 8) != 0) {
        node->label_set++;
        ensure(node->label_set < COUNT(label_sets));
        n = strlen(label_sets[node->label_set]);
    }
}

static bool is_hard(const struct strategy *strategy)
{
    return strategy->kind == STRATEGY_NODE && !strategy->soft;
}

bool place_wants(struct sim *sim, uint64_t node)
{
    for (uint32_t i = 0; i < sim->oracle.spec_count; i++) {
        const struct strategy *strategy = &sim->oracle.specs[i].place.strategy;
        if (is_hard(strategy) && strategy->node == node) {
            return true;
        }
    }
    return false;
}

void place_seen_spec(struct sim *sim, struct spec_seen *spec, const struct rec_spec *record)
{
    struct place_seen *place = &spec->place;
    struct diag why;
    const struct session_seen *session = oracle_session(sim, spec->session);
    uint64_t rivals = hash_bytes_of(user_of_job(sim, session->job) + 1, record->demand.bytes.p,
                                    record->demand.bytes.n);
    rivals = hash_bytes_of(rivals, record->strategy.p, record->strategy.n);
    rivals = hash_bytes_of(rivals, record->labels.p, record->labels.n);
    bool actor = record->kind == SPEC_ACTOR || record->kind == SPEC_METHOD;
    place->rivals = record->running_max > 0 || actor ? 0 : rivals << 1 | 1;
    place->priority = record->priority;
    amounts_seen(record->demand, place->need);
    ensure(strategy_read(record->strategy, &place->strategy, &why));
    while (!slice_same(record->labels, slice_text(selectors[place->labels].text))) {
        place->labels++;
        ensure(place->labels < COUNT(selectors));
    }
}

static bool matches(const struct place_seen *place, const struct node_seen *node)
{
    return selectors[place->labels].matches >> node->label_set & 1;
}

/*  Could the node with this number run it, as the rows have it? */
static bool could_run(struct sim *sim, const struct place_seen *place, uint64_t id)
{
    const struct node_seen *node = node_seen_of(sim, id);
    bool fits = node != NULL && !node->dead && matches(place, node);
    for (int i = 0; fits && i < PLACE_KINDS; i++) {
        fits = place->need[i] <= node->capacity[i];
    }
    return fits;
}

/*  Of a task without a strategy: could it go to this node, which is not drained? */
bool place_could(struct sim *sim, const struct task_seen *task, uint64_t node)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    const struct place_seen *place = &spec->place;
    return spec->kind < SPEC_VALUE && place->strategy.kind == STRATEGY_DEFAULT &&
           could_run(sim, place, node) && node_seen_of(sim, node)->drain == DRAIN_NONE &&
           !node_seen_of(sim, node)->suspect;
}

void rule_unschedulable(struct sim *sim, const struct task_seen *task)
{
    const struct place_seen *place = &oracle_spec(sim, task->spec)->place;
    if (is_hard(&place->strategy) && could_run(sim, place, place->strategy.node)) {
        sim_fail(sim, 43, "%llx fails for want of node %llu, which lives and is large enough",
                 (ull)task->id, (ull)place->strategy.node);
    }
}

/*  Was made ready, in this head's time, and never leased: its place in line is known. */
static bool is_plain(const struct sim *sim, const struct task_seen *task)
{
    return task->state == TASK_READY && task->ready_ms != 0 && task->leases == 0 &&
           task->ready_epoch == sim->oracle.epoch;
}

static int64_t place_in_line(const struct sim *sim, const struct task_seen *task, int32_t priority)
{
    return (int64_t)task->ready_ms - (int64_t)priority * sim->head.config.priority_step_ms;
}

/*  The first of a spec's tasks that waits for its first lease; NULL: none does. */
static const struct task_seen *first_plain(struct sim *sim, struct spec_seen *spec)
{
    struct oracle *oracle = &sim->oracle;
    uint32_t *i = &spec->place.plain;
    while (*i < oracle->task_count &&
           (oracle->tasks[*i].spec != spec->id || !is_plain(sim, &oracle->tasks[*i]))) {
        ++*i;
    }
    return *i < oracle->task_count ? &oracle->tasks[*i] : NULL;
}

/*  A commit comes a moment after what it tells of. */
enum { COMMIT_MS = 2000 };

static void check_line(struct sim *sim, const struct task_seen *task, const struct spec_seen *spec)
{
    if (task->parent_token != 0) {
        return; /* somebody waits for it: it stands where the first of its queue stood */
    }
    int64_t place = place_in_line(sim, task, spec->place.priority);
    for (uint32_t i = 0; i < sim->oracle.spec_count; i++) {
        struct spec_seen *other = &sim->oracle.specs[i];
        if (other->place.rivals != spec->place.rivals ||
            other->place.priority == spec->place.priority) {
            continue;
        }
        const struct task_seen *waits = first_plain(sim, other);
        if (waits != NULL && place_in_line(sim, waits, other->place.priority) + COMMIT_MS < place) {
            sim_fail(sim, 19, "%llx (priority %d, ready at %llu) is leased before %llx (%d, %llu)",
                     (ull)task->id, spec->place.priority, (ull)task->ready_ms, (ull)waits->id,
                     other->place.priority, (ull)waits->ready_ms);
        }
    }
}

void rule_place(struct sim *sim, const struct task_seen *task, uint64_t node)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    const struct place_seen *place = &spec->place;
    const struct strategy *strategy = &place->strategy;
    const struct node_seen *seen = node_seen_of(sim, node);
    if (!matches(place, seen)) {
        sim_fail(sim, 43, "%llx asks for labels that node %llu does not have", (ull)task->id,
                 (ull)node);
    }
    if (strategy->kind == STRATEGY_NODE && strategy->node != node) {
        const struct node_seen *wanted = node_seen_of(sim, strategy->node);
        bool may = strategy->soft &&
                   (!could_run(sim, place, strategy->node) || wanted->drain != DRAIN_NONE);
        if (!may) {
            sim_fail(sim, 43, "%llx is leased to node %llu, but must run on %llu", (ull)task->id,
                     (ull)node, (ull)strategy->node);
        }
    }
    if (place->rivals != 0 && is_plain(sim, task)) {
        check_line(sim, task, spec);
    }
    rule_near(sim, task, node);
}
