/*  job.c - simulated programs whose jobs wait for the jobs of others, and that delete their jobs; and what the rows must
    say of both. */
#include "tests/sim/sim.h"

typedef unsigned long long ull;

/* --- what programs want ------------------------------------------------------------------------ */

void job_draw(struct sim *sim, struct client *self)
{
    struct prng *rng = &sim->jobs;
    if (self->kind != CLIENT_ARRAY && self->kind != CLIENT_SUBMITTER) {
        return;
    }
    self->deletes = chance(rng, 250);
    self->deletes_early = chance(rng, 150);
    uint32_t wanted = chance(rng, 400) ? (uint32_t)between(rng, 1, AFTER_FEW) : 0;
    for (uint32_t i = 0; i < wanted; i++) {
        uint32_t other = (uint32_t)prng_below(rng, sim->client_count);
        uint32_t condition = chance(rng, 500) ? AFTER_OK : AFTER_ANY;
        /*  Some have ended and some are deleted: the job fails, or is refused. */
        if (sim->clients[other].job != 0 && sim->clients[other].kind != CLIENT_DRIVER &&
            sim->clients[other].kind != CLIENT_NESTED) {
            self->after[self->after_count].client = other;
            self->after[self->after_count++].condition = condition;
        }
    }
}

struct list job_after(struct sim *sim, const struct client *self)
{
    sim->extra.n = 0;
    for (uint32_t i = 0; i < self->after_count; i++) {
        const struct client *other = &sim->clients[self->after[i].client];
        proto_put_record(
            &sim->extra, REC_AFTER,
            &(struct rec_after){ slice_text(other->submission), self->after[i].condition });
    }
    return wire_list(&sim->extra, self->after_count);
}

/*  Asks to delete its job, as long as it is there. */
bool job_asks(struct sim *sim, struct client *self, uint32_t state)
{
    bool ended = state >= JOB_SUCCEEDED;
    if (!(ended ? self->deletes : self->deletes_early)) {
        return false;
    }
    self->deletes_early = false;
    self->delete_seq = ++self->seq;
    client_say(sim, self, MSG_JOB_DELETE, &(struct msg_job_delete){ self->delete_seq, self->job });
    return ended;
}

void job_changed_is(struct sim *sim, struct client *self, const struct msg_changed *msg)
{
    if (msg->id != self->job) {
        sim_fail(sim, 3, "client %u deletes job %llu and hears of %llu", self->index,
                 (ull)self->job, (ull)msg->id);
    }
    self->deleted = true;
    client_leave(sim, self, 0);
}

/* --- what the rows must say -------------------------------------------------------------------- */

void after_seen(struct job_seen *job, struct slice waits)
{
    struct list list = { waits, NONE };
    struct rec_after record;
    while (list.bytes.n > 0 && next_after(&list, &record)) {
        struct after_seen *after = &job->after[job->after_count++];
        after->condition = record.condition;
        for (size_t i = 0; i < record.job.n; i++) {
            after->job = after->job * 10 + (uint64_t)(record.job.p[i] - '0');
        }
    }
}

void seen_job_waits(struct sim *sim, const void *from)
{
    const struct row_job_waits *row = from;
    const struct job_seen *job = oracle_job(sim, row->id);
    if (job == NULL || job->state != JOB_PENDING) {
        sim_fail(sim, 34, "job %llu is not PENDING, but waits for others", (ull)row->id);
    }
}

void rule_after(struct sim *sim, const struct job_seen *job)
{
    for (uint32_t i = 0; i < job->after_count; i++) {
        const struct job_seen *other = oracle_job(sim, job->after[i].job);
        if (other == NULL || other->state < JOB_SUCCEEDED ||
            (job->after[i].condition == AFTER_OK && other->state != JOB_SUCCEEDED)) {
            sim_fail(sim, 34, "job %s begins, but %s, which it is after, is in state %u",
                     job->submission, other == NULL ? "?" : other->submission,
                     other == NULL ? 0 : other->state);
        }
    }
}

bool after_failed(struct sim *sim, const struct job_seen *job)
{
    for (uint32_t i = 0; i < job->after_count; i++) {
        const struct job_seen *other = oracle_job(sim, job->after[i].job);
        if (job->after[i].condition == AFTER_OK && other != NULL && other->state > JOB_SUCCEEDED) {
            return true;
        }
    }
    return false;
}

void sent_changed(struct sim *sim, const struct msg_changed *msg)
{
    const struct job_seen *job = oracle_job(sim, msg->id);
    if (job == NULL || !job->deleted) {
        sim_fail(sim, 2, "job %llu is told to be deleted, but its row is there", (ull)msg->id);
    }
}

/*  After a power cut. */
void jobs_check(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        const struct client *self = &sim->clients[i];
        const struct job_seen *job = self->deleted ? oracle_job(sim, self->job) : NULL;
        if (job != NULL && !job->deleted) {
            sim_fail(sim, 2, "a power cut brings job %s back, which was told to be deleted",
                     job->submission);
        }
    }
}
