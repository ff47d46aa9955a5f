/*  actor_world.h - head_world.h with one actor on one node: what it, its callers and its worker say. */
#ifndef RAYC_ACTOR_WORLD_H
#define RAYC_ACTOR_WORLD_H
#include "tests/unit/head_world.h"

enum {
    SPEC_OF_ACTOR = 2,
    SPEC_OF_CALLS = 10
}; /* indices; a spec of calls for each number of retries */

struct actors {
    struct world *w;
    uint64_t session, node, actor;
    struct rec_start start; /* of its first incarnation */
};

static inline struct rec_spec actor_spec(int32_t restarts, uint32_t threads)
{
    return (struct rec_spec){ .index = SPEC_OF_ACTOR,
                              .kind = SPEC_ACTOR,
                              .name = slice_text("counter"),
                              .max_retries = restarts,
                              .concurrency = threads };
}

static inline struct list put_calls(struct world *w, const struct rec_call *call, uint32_t count)
{
    size_t at = w->wire.n;
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&w->wire, REC_CALL, call);
    }
    return (struct list){ slice_of(w->list + at, w->wire.n - at), count };
}

static inline void submit_as(struct actors *a, uint32_t peer, uint64_t first, uint32_t count,
                             const struct rec_spec *spec, struct rec_call call)
{
    struct world *w = a->w;
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    call.spec = spec->index;
    call.args = slice_text("\x90");
    say(w, peer, MSG_SUBMIT,
        &(struct msg_submit){ .session = a->session,
                              .first = first,
                              .specs = specs,
                              .calls = put_calls(w, &call, count) });
}

static inline void submit_calls(struct actors *a, uint64_t first, uint32_t count,
                                const struct rec_spec *spec, struct rec_call call)
{
    submit_as(a, CLIENT, first, count, spec, call);
}

static inline struct rec_spec method_spec(int32_t retries)
{
    return (struct rec_spec){ .index = (uint32_t)(SPEC_OF_CALLS + retries),
                              .kind = SPEC_METHOD,
                              .name = slice_text("add"),
                              .max_retries = retries };
}

static inline void calls(struct actors *a, uint64_t first, uint32_t count, int32_t retries)
{
    struct rec_spec spec = method_spec(retries);
    submit_calls(a, first, count, &spec, (struct rec_call){ .actor = a->actor });
}

static inline void call_with(struct actors *a, uint64_t first, uint64_t dep, int32_t retries)
{
    struct rec_spec spec = method_spec(retries);
    size_t at = a->w->wire.n;
    proto_put_record(&a->w->wire, REC_ID, &(struct rec_id){ dep });
    struct list deps = { slice_of(a->w->list + at, a->w->wire.n - at), 1 };
    submit_calls(a, first, 1, &spec, (struct rec_call){ .actor = a->actor, .deps = deps });
}

static inline struct actors *actors_threaded(int32_t restarts, uint32_t threads)
{
    struct actors *a = calloc(1, sizeof(*a));
    a->w = world_new();
    a->session = open_job(a->w, CLIENT, "a");
    a->node = join(a->w, WORKER, 0, "n1", 2);
    struct rec_spec spec = actor_spec(restarts, threads);
    submit_calls(a, 1, 1, &spec, (struct rec_call){ 0 });
    assert_true(start_at(a->w, 0, &a->start));
    a->actor = a->start.task;
    return a;
}

static inline struct actors *actors_new(int32_t restarts)
{
    return actors_threaded(restarts, 0);
}

static inline void actors_free(struct actors *a)
{
    world_free(a->w);
    free(a);
}

static inline void alive(struct actors *a, const struct rec_start *start)
{
    proto_put_record(
        &a->w->wire, REC_HELD,
        &(struct rec_held){ start->task, start->token, .running = 1, .started_ms = 7 });
    say(a->w, WORKER, MSG_ACTOR_ALIVE,
        &(struct msg_actor_alive){ .actors = wire_list(&a->w->wire, 1) });
}

static inline void returned(struct actors *a, const struct rec_start *start)
{
    proto_put_record(&a->w->wire, REC_DONE,
                     &(struct rec_done){
                         .task = start->task, .token = start->token, .outcome = OUTCOME_RETURNED });
    say(a->w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 6, .node = a->node, .done = wire_list(&a->w->wire, 1) });
}

static inline void committed(struct actors *a, const struct rec_start *start, const char *value)
{
    proto_put_record(&a->w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .started_ms = 1,
                                         .value = slice_text("\x07"),
                                         .checkpoint = slice_text(value) });
    say(a->w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 6, .node = a->node, .done = wire_list(&a->w->wire, 1) });
}

static inline void kill_actor(struct actors *a, uint32_t restart)
{
    say(a->w, CLIENT, MSG_ACTOR_KILL,
        &(struct msg_actor_kill){ .seq = 3, .actor = a->actor, .restart = restart });
}

static inline void cancel(struct actors *a, uint64_t task, uint32_t force)
{
    say(a->w, CLIENT, MSG_CANCEL, &(struct msg_cancel){ .seq = 4, .task = task, .force = force });
}

static inline void client_back(struct actors *a)
{
    hello(a->w, CLIENT, 1);
    say(a->w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = a->session });
    must_hear(a->w, MSG_SUBMITTED);
}

static inline void inventory(struct actors *a, const struct rec_start *actor,
                             const struct rec_start *held, uint32_t count)
{
    proto_put_record(&a->w->wire, REC_HELD,
                     &(struct rec_held){ actor->task, actor->token, .running = 1 });
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&a->w->wire, REC_HELD,
                         &(struct rec_held){ held[i].task, held[i].token, .running = i == 0 });
    }
    say(a->w, WORKER, MSG_INVENTORY,
        &(struct msg_inventory){
            .seq = 1, .node = a->node, .last = 1, .held = wire_list(&a->w->wire, count + 1) });
}

static inline bool has_text(struct slice text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}
#endif
