/*  object_world.h - a head with objects, for story tests: what nodes and sessions say of values over 100 KiB. */
#ifndef RAYC_OBJECT_WORLD_H
#define RAYC_OBJECT_WORLD_H
#include "tests/unit/head_world.h"

enum { SIZE = 1 << 20 };

/*  One SEALED record of `size`, with these inside. */
static inline struct list sealed_of(struct world *w, uint64_t size, struct list inside)
{
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SEALED, &(struct rec_sealed){ .size = size, .inside = inside });
    return (struct list){ slice_of(w->list + at, w->wire.n - at), 1 };
}

static inline void done_stored(struct world *w, uint64_t node, const struct rec_start *start,
                               struct list inside)
{
    struct list sealed = sealed_of(w, SIZE, inside);
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .started_ms = 1,
                                         .value = slice_text("\x07"),
                                         .sealed = sealed });
    struct list list = { slice_of(w->list + at, w->wire.n - at), 1 };
    say(w, WORKER, MSG_DONE, &(struct msg_done){ .seq = 5, .node = node, .done = list });
}

/*  A call of a task that waits for `dep`, or of a value (kind VALUE) that node `dep` stores. */
static inline void call(struct world *w, uint64_t session, uint64_t counter, uint32_t kind,
                        uint64_t dep)
{
    struct rec_spec spec = spec_of(w, 1);
    spec.index = kind;
    spec.kind = kind;
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    struct rec_call record = { .spec = kind, .args = slice_text("\x90") };
    if (kind == SPEC_VALUE) {
        record.sealed = sealed_of(w, SIZE, (struct list){ 0 });
        record.node = dep;
    } else {
        at = w->wire.n;
        proto_put_record(&w->wire, REC_ID, &(struct rec_id){ dep });
        record.deps = (struct list){ slice_of(w->list + at, w->wire.n - at), 1 };
    }
    at = w->wire.n;
    proto_put_record(&w->wire, REC_CALL, &record);
    struct list calls = { slice_of(w->list + at, w->wire.n - at), 1 };
    say(w, CLIENT, MSG_SUBMIT,
        &(struct msg_submit){
            .session = session, .first = counter, .specs = specs, .calls = calls });
}

static inline void refs(struct world *w, uint32_t peer, uint64_t session, uint64_t first,
                        struct rec_ref ref)
{
    proto_put_record(&w->wire, REC_REF, &ref);
    say(w, peer, MSG_REFS,
        &(struct msg_refs){ .session = session, .first = first, .refs = wire_list(&w->wire, 1) });
}

static inline void stock(struct world *w, uint64_t node, uint64_t number, uint64_t task,
                         uint32_t how)
{
    proto_put_record(&w->wire, REC_COPY, &(struct rec_copy){ task, 0, SIZE, how });
    say(w, WORKER, MSG_STOCK,
        &(struct msg_stock){ .node = node, .number = number, .copies = wire_list(&w->wire, 1) });
}

static inline struct rec_source where(struct world *w, uint64_t session, uint64_t task)
{
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ task, 0 });
    say(w, CLIENT, MSG_WHERE,
        &(struct msg_where){ .session = session, .objects = wire_list(&w->wire, 1) });
    struct rec_source source;
    struct list sources = must_hear(w, MSG_PLACES)->as.places.sources;
    assert_true(next_source(&sources, &source));
    return source;
}

static inline bool told_to_drop(const struct world *w, uint64_t task)
{
    const struct msg *msg = heard(w, MSG_OBJECT_DROP, 0);
    struct list objects = msg != NULL ? msg->as.object_drop.objects : (struct list){ 0 };
    struct rec_object object;
    return next_object(&objects, &object) && object.task == task;
}

/*  A job with one task that has finished, and whose value its node stores. */
static inline uint64_t made(struct world *w, uint64_t *session, uint64_t *node)
{
    struct rec_start start;
    *node = join(w, WORKER, 0, "n1", 4);
    *session = open_job(w, CLIENT, "objects");
    submit(w, *session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    done_stored(w, *node, &start, (struct list){ 0 });
    return start.task;
}

enum { NEW_WORKER = 11, NEWER_WORKER };

/*  A task has finished on a node that a new process takes over, without what it had; its rebuild is leased there. */
static inline uint64_t lost_with_its_node(struct world *w, int32_t max_retries, uint64_t *session,
                                          uint64_t *node)
{
    struct rec_start start;
    *node = join(w, WORKER, 0, "n1", 1);
    *session = open_job(w, CLIENT, "objects");
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = max_retries;
    submit(w, *session, 1, 1, spec);
    assert_true(start_at(w, 0, &start));
    done_stored(w, *node, &start, (struct list){ 0 });
    *node = join(w, NEW_WORKER, 0, "n1", 1);
    return start.task;
}
#endif
