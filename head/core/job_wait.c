/*  job_wait.c - jobs that wait for others (JOB_OPEN.after).  Such a job is PENDING and `held`: its driver's task is
    WAITING, or its array is not expanded, until every job that it names has ended well enough.  Only jobs that exist
    can be named, so that no circle can arise.  What is still waited for is a column of the job's row. */
#include "head/core/job_inside.h"

#include "common/text.h"

static const char *condition_text(uint32_t condition)
{
    return condition == AFTER_OK ? "to succeed" : "to end";
}

static struct slice trimmed(struct slice text)
{
    while (text.n > 1 && text.p[0] == '0') {
        text = slice_of(text.p + 1, text.n - 1);
    }
    return text;
}

static bool is_number(struct slice text, uint64_t id)
{
    char digits[24];
    struct text number = text_in(digits, sizeof(digits));
    text_u64(&number, id);
    return slice_same(trimmed(text), slice_of(digits, number.n));
}

/*  Of the jobs of one user: submission id, its unique prefix, or number; NONE: no such job, or more than one. */
static uint32_t job_named(const struct core *core, uint64_t owner, struct slice id)
{
    uint32_t exact = job_of_submission(core, id), found = NONE;
    if (exact != NONE && job_at(core, exact)->owner == owner) {
        return exact;
    }
    for (uint32_t i = core->ages.first; i != NONE; i = job_at(core, i)->age.next) {
        const struct job *job = job_at(core, i);
        if (job->owner != owner) {
            continue;
        }
        if (is_number(id, job->id)) {
            return i;
        }
        if (id.n > 0 && strlen(job->submission) >= id.n &&
            memcmp(job->submission, id.p, id.n) == 0) {
            if (found != NONE) {
                return NONE; /* not unique */
            }
            found = i;
        }
    }
    return found;
}

/*  The jobs of a list, by number; OK, or the code of what is wrong with one, and a text. */
int waits_read(struct core *core, struct list after, uint64_t owner, struct job_waits *out,
               struct text *why)
{
    struct rec_after record;
    *out = (struct job_waits){ 0 };
    while (next_after(&after, &record)) {
        uint32_t other = job_named(core, owner, record.job);
        bool known = other != NONE && !job_at(core, other)->forgetting;
        if (!known || record.condition < AFTER_OK) {
            text_add(why, "after: ");
            text_slice(why, record.job);
            text_add(why, known ? " has no condition, which is ok or any"
                                : " is not a job of yours, or not one only");
            bool colon = record.job.n > 0 && memchr(record.job.p, ':', record.job.n) != NULL;
            text_add(why, !known && colon ? "; after JOB: comes ok or any" : "");
            return known ? ERR_INVALID : ERR_NOT_FOUND;
        }
        out->of[out->count].job = job_at(core, other)->id;
        out->of[out->count++].condition = record.condition;
    }
    return OK;
}

/*  "preprocess:ok fetch:any", for people. */
struct slice waits_text(struct core *core, const struct job_waits *waits)
{
    char buffer[AFTER_MAX * (NAME_MAX_BYTES + 8)];
    struct text text = text_in(buffer, sizeof(buffer));
    for (uint32_t i = 0; i < waits->count; i++) {
        uint32_t other = job_find(core, waits->of[i].job);
        text_add(&text, i > 0 ? " " : "");
        text_add(&text, job_at(core, other)->submission);
        text_add(&text, waits->of[i].condition == AFTER_OK ? ":ok" : ":any");
    }
    return scratch_put(core, buffer, text.n);
}

/*  As the row has it: AFTER records without their header, jobs by number. */
struct slice waits_bytes(struct core *core, const struct job_waits *waits)
{
    uint8_t bytes[AFTER_MAX * 40];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    for (uint32_t i = 0; i < waits->count; i++) {
        char digits[24];
        struct text number = text_in(digits, sizeof(digits));
        text_u64(&number, waits->of[i].job);
        struct rec_after record = { slice_of(digits, number.n), waits->of[i].condition };
        proto_put_record(&wire, REC_AFTER, &record);
    }
    ensure(!wire.full);
    return scratch_put(core, wire.p, wire.n);
}

void waits_restore(struct job *job, struct slice bytes)
{
    struct list list = { bytes, NONE };
    struct rec_after record;
    while (list.bytes.n > 0 && job->waits.count < AFTER_MAX && next_after(&list, &record)) {
        struct job_wait *wait = &job->waits.of[job->waits.count++];
        wait->condition = record.condition;
        for (size_t i = 0; i < record.job.n; i++) {
            wait->job = wait->job * 10 + (uint64_t)(record.job.p[i] - '0');
        }
    }
}

void job_hold(struct core *core, uint32_t index)
{
    job_at(core, index)->held = true;
    chain_append(&core->held, &core->jobs, JOB_HELD, index);
}

void job_unhold(struct core *core, uint32_t index)
{
    if (job_at(core, index)->held) {
        job_at(core, index)->held = false;
        chain_remove(&core->held, &core->jobs, JOB_HELD, index);
    }
}

static void release(struct core *core, uint32_t index)
{
    const struct job *job = job_at(core, index);
    job_unhold(core, index);
    if (job->driver != 0) {
        uint32_t driver = task_find(core, job->driver);
        ensure(driver != NONE);
        task_args_ready(core, driver);
    }
    emit_event(core, "JOB_RELEASED", job->id, 0, 0, (struct slice){ 0 });
    job_busy(core, index);
    job_changed(core, index, true);
}

static void give_up(struct core *core, uint32_t index, const struct job *because)
{
    static const char *const words[JOB_STATES] = {
        [JOB_FAILED] = " ended FAILED", [JOB_STOPPED] = " ended STOPPED"
    };
    struct job *job = job_at(core, index);
    struct text message = text_in(job->message, sizeof(job->message));
    text_add(&message, "job ");
    text_add(&message, because->submission);
    text_add(&message, words[because->state]);
    job_end(core, index, JOB_FAILED, 125);
    if (job->driver != 0) {
        uint32_t driver = task_find(core, job->driver);
        ensure(driver != NONE);
        task_end(core, driver,
                 &(struct ending){ .failure = FAILURE_UPSTREAM,
                                   .outcome = OUTCOME_CANCELLED,
                                   .text = job_message(core, job) });
    }
    job_changed(core, index, true);
}

/*  The job `ended` has: one that waits for it has a reason less to wait, or ends, too. */
void wait_over(struct core *core, uint32_t index, uint32_t ended)
{
    struct job *job = job_at(core, index);
    const struct job *other = job_at(core, ended);
    struct job_waits *waits = &job->waits;
    uint32_t count = waits->count;
    bool failed = false;
    for (uint32_t i = 0; i < waits->count;) {
        if (waits->of[i].job == other->id) {
            failed = failed || (waits->of[i].condition == AFTER_OK &&
                                other->state != JOB_SUCCEEDED && !RAYC_BUG(AFTER_FAILED));
            waits->of[i] = waits->of[--waits->count];
        } else {
            i++;
        }
    }
    if (count == waits->count || !job->held) {
        return;
    }
    EMIT(core, job_waits, job->id, waits_bytes(core, waits));
    if (failed) {
        give_up(core, index, other);
    } else if (waits->count == 0 || RAYC_BUG(AFTER_ONE)) {
        release(core, index);
    }
}

void waits_wake(struct core *core, uint32_t ended)
{
    uint32_t next;
    for (uint32_t i = core->held.first; i != NONE; i = next) {
        next = job_at(core, i)->in_held.next;
        wait_over(core, i, ended);
    }
}

/*  "waiting for job preprocess to succeed, and 2 more" */
struct slice waits_reason(struct core *core, const struct job *job)
{
    char buffer[NAME_MAX_BYTES + 100];
    struct text text = text_in(buffer, sizeof(buffer));
    uint32_t other = job_find(core, job->waits.of[0].job);
    text_add(&text, "waiting for job ");
    text_add(&text, other == NONE ? "" : job_at(core, other)->submission);
    text_add(&text, " ");
    text_add(&text, condition_text(job->waits.of[0].condition));
    if (job->waits.count > 1) {
        text_add(&text, ", and ");
        text_u64(&text, job->waits.count - 1);
        text_add(&text, " more");
    }
    return scratch_put(core, buffer, text.n);
}
