/*  turn_frames.c - frames that elements of a batch share. */
#include "head/turn_frames.h"

enum {
    JOINED_BYTES = 2 * MIB
}; /* a frame is closed when it is so large: one element has at most 100 KiB */

void put_decided(const struct batch *batch, uint32_t first, bool *told, struct wire *elements,
                 struct wire *frame)
{
    const struct decision_send *all = batch->decisions;
    uint32_t count = 0;
    for (uint32_t i = first;
         i < batch->decision_count && count < TRIALS_PER_FRAME_MAX && elements->n < JOINED_BYTES;
         i++) {
        if (!told[i] && all[i].peer == all[first].peer && all[i].synced == all[first].synced) {
            proto_put_record(elements, REC_DECISION, &all[i].decision);
            told[i] = true;
            count++;
        }
    }
    struct msg_decided decided = { .decisions = wire_list(elements, count) };
    proto_put(frame, MSG_DECIDED, &decided);
}

void put_reported(const struct batch *batch, uint32_t first, bool *told, struct wire *elements,
                  struct wire *frame)
{
    const struct report_send *all = batch->reports;
    uint32_t count = 0;
    for (uint32_t i = first;
         i < batch->report_count && count < TRIALS_PER_FRAME_MAX && elements->n < JOINED_BYTES;
         i++) {
        if (!told[i] && all[i].peer == all[first].peer && all[i].study == all[first].study) {
            proto_put_record(elements, REC_REPORT, &all[i].report);
            told[i] = true;
            count++;
        }
    }
    struct msg_reported reported = { .study = all[first].study,
                                     .reports = wire_list(elements, count) };
    proto_put(frame, MSG_REPORTED, &reported);
}

int put_values(struct store *store, struct slice deps, struct wire *values, uint32_t *count)
{
    uint64_t ids[DEPS_MAX];
    struct list list = { deps, NONE };
    struct rec_id id;
    for (*count = 0; list.bytes.n > 0 && *count < DEPS_MAX && next_id(&list, &id); (*count)++) {
        ids[*count] = id.task;
    }
    values->n = 0;
    values->full = false;
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t state;
        struct rec_result result;
        int code = store_task_result(store, ids[i], &state, &result);
        if (code != OK || state != TASK_FINISHED) {
            return code != OK ? code : ERR_UPSTREAM;
        }
        proto_put_record(values, REC_VALUE, &(struct rec_value){ result.value });
    }
    return OK;
}

int put_spec(struct store *store, const struct core *core, uint64_t id, struct wire *specs)
{
    struct rec_spec spec;
    uint64_t job;
    struct slice submission;
    int code = store_spec(store, id, &spec, &job, &submission);
    if (code == OK) {
        struct rec_spec_info info = { .id = id,
                                      .job = job,
                                      .kind = spec.kind,
                                      .name = spec.name,
                                      .program = spec.program,
                                      .body = spec.body,
                                      .demand = spec.demand,
                                      .run_ms_max = spec.run_ms_max,
                                      .submission = submission,
                                      .packages = spec.packages,
                                      .returns = spec.returns,
                                      .user = core_job_owner(core, job),
                                      .concurrency = spec.concurrency,
                                      .groups = spec.groups,
                                      .group = spec.group };
        proto_put_record(specs, REC_SPEC_INFO, &info);
    }
    return code;
}
