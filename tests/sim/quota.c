/*  quota.c - how many bytes of objects simulated users may have, and what the rows must say of it: nothing is kept beyond
    that, and nothing is refused below. */
#include "tests/sim/sim.h"

enum { FIRST_ID = 2 };
typedef unsigned long long ull;

uint64_t quota_of(const struct sim *sim, uint32_t user)
{
    struct prng rng = { sim->quota.state + user };
    return chance(&rng, 500) ? UINT64_MAX : between(&rng, 0, 20) * OBJECT_BYTES + OBJECT_BYTES / 2;
}

void seen_user_put(struct sim *sim, const void *from)
{
    const struct row_user_put *row = from;
    if (row->id >= FIRST_ID && row->id - FIRST_ID < USERS_MAX) {
        sim->oracle.quotas[row->id - FIRST_ID] = row->object_bytes_max;
    }
}

static uint32_t user_of(struct sim *sim, uint64_t task)
{
    const struct session_seen *session = oracle_session(sim, task_session((task_id){ task }));
    return session == NULL ? NONE : user_of_job(sim, session->job);
}

/*  What is there of a user's.  A head forgets whose it is what a deleted job has left, when it starts again. */
static uint64_t bytes_of(struct sim *sim, uint32_t user, bool deleted)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        const struct task_seen *task = &sim->oracle.tasks[i];
        bool there = task->object == DIRECTORY_STORED || task->object == DIRECTORY_REBUILDING;
        if (there && (deleted || !task->deleted) && user_of(sim, task->id) == user) {
            bytes += OBJECT_BYTES;
        }
    }
    return bytes;
}

void rule_kept(struct sim *sim, const struct task_seen *task)
{
    uint32_t user = user_of(sim, task->id);
    uint64_t most = user == NONE ? UINT64_MAX : sim->oracle.quotas[user];
    uint64_t bytes = most == UINT64_MAX ? 0 : bytes_of(sim, user, false);
    if (bytes > most) {
        sim_fail(sim, 31, "with the object of %llx, user %u has %llu bytes of %llu", (ull)task->id,
                 user, (ull)bytes, (ull)most);
    }
}

void rule_refused(struct sim *sim, const struct task_seen *task)
{
    uint32_t user = user_of(sim, task->id);
    uint64_t most = user == NONE ? UINT64_MAX : sim->oracle.quotas[user];
    uint64_t bytes = bytes_of(sim, user, true);
    if (bytes + OBJECT_BYTES <= most) {
        sim_fail(sim, 31, "the object of %llx is refused, but user %u has %llu bytes of %llu",
                 (ull)task->id, user, (ull)bytes, (ull)most);
    }
    const struct effect *effect = effect_of(sim, task->token);
    bool value = oracle_spec(sim, task->spec)->kind == SPEC_VALUE;
    if (!value && (effect == NULL || !effect->ended || effect->outcome != OUTCOME_OK)) {
        sim_fail(sim, 11, "the result of %llx is refused, but nothing ended well under token %llx",
                 (ull)task->id, (ull)task->token);
    }
}
