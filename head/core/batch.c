/*  batch.c - effects: what this turn will write, send and ask, in the order of struct batch. */
#include "head/core/state.h"

struct row_head {
    uint32_t kind;
    uint32_t bytes;
};

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

void emit_row(struct core *core, enum row_kind kind, const void *row, size_t bytes)
{
    ensure(core->row_bytes + sizeof(struct row_head) + padded(bytes) <= core->row_capacity);
    struct row_head head = { kind, (uint32_t)padded(bytes) };
    memcpy(core->rows + core->row_bytes, &head, sizeof(head));
    memcpy(core->rows + core->row_bytes + sizeof(head), row, bytes);
    core->row_bytes += sizeof(head) + padded(bytes);
    core->row_count++;
}

bool row_next(const struct batch *batch, size_t *cursor, enum row_kind *kind, const void **row)
{
    if (*cursor == batch->row_bytes) {
        return false;
    }
    struct row_head head;
    memcpy(&head, batch->rows + *cursor, sizeof(head));
    *kind = (enum row_kind)head.kind;
    *row = batch->rows + *cursor + sizeof(head);
    *cursor += sizeof(head) + head.bytes;
    return true;
}

struct msg *emit_send(struct core *core, uint32_t peer, enum msg_kind kind, bool synced)
{
    ensure(core->send_count < core->send_capacity);
    struct send *send = &core->sends[core->send_count++];
    memset(send, 0, sizeof(*send));
    send->peer = peer;
    send->synced = synced;
    send->msg.kind = kind;
    return &send->msg;
}

struct start_send *emit_start(struct core *core)
{
    ensure(core->start_count < core->start_capacity);
    struct start_send *start = &core->starts[core->start_count++];
    memset(start, 0, sizeof(*start));
    return start;
}

struct result_send *emit_result(struct core *core)
{
    ensure(core->result_count < core->result_capacity);
    struct result_send *result = &core->results[core->result_count++];
    memset(result, 0, sizeof(*result));
    return result;
}

void emit_lease(struct core *core, uint32_t peer, uint64_t task, uint64_t token, enum recall force)
{
    ensure(core->lease_count < core->lease_capacity);
    core->leases[core->lease_count++] = (struct lease_send){ peer, { task, token, force } };
}

void emit_decision(struct core *core, uint32_t peer, bool synced,
                   const struct rec_decision *decision)
{
    ensure(core->decision_count < core->decision_capacity);
    core->decisions[core->decision_count++] = (struct decision_send){ peer, synced, *decision };
}

void emit_report(struct core *core, uint32_t peer, bool synced, uint64_t study,
                 const struct rec_report *report)
{
    ensure(core->report_count < core->report_capacity);
    core->reports[core->report_count++] = (struct report_send){ peer, synced, study, *report };
}

void emit_lookup(struct core *core, uint64_t task)
{
    ensure(core->lookup_count < core->lookup_capacity);
    core->lookups[core->lookup_count++] = task;
}

void emit_refused(struct core *core, uint32_t peer, uint64_t seq, int code, const char *text)
{
    struct msg *msg = emit_send(core, peer, MSG_REFUSED, false);
    msg->as.refused = (struct msg_refused){ seq, code, slice_text(text) };
}

void emit_event(struct core *core, const char *kind, uint64_t job, uint64_t node, uint64_t task,
                struct slice text)
{
    EMIT(core, event, core->wall_ms, slice_text(kind), job, node, task, text);
}

struct slice scratch_put(struct core *core, const void *p, size_t n)
{
    ensure(core->scratch_bytes + n <= core->scratch_capacity);
    uint8_t *to = core->scratch + core->scratch_bytes;
    memcpy(to, p, n);
    core->scratch_bytes += n;
    return slice_of(to, n);
}

/*  Long pieces of work stop here and go on in the next batch of the same turn. */
bool effects_nearly_full(const struct core *core)
{
    return core->row_bytes > core->row_capacity / 2 || core->send_count > core->send_capacity / 2 ||
           core->start_count > core->start_capacity / 2 ||
           core->result_count > core->result_capacity / 2 ||
           core->lease_count > core->lease_capacity / 2 ||
           core->lookup_count > core->lookup_capacity / 2 ||
           core->decision_count > core->decision_capacity / 2 ||
           core->report_count > core->report_capacity / 2 ||
           core->scratch_bytes > core->scratch_capacity / 2;
}

/*  The position of the next element of a stream: neighbours of one batch share a frame while it is small. */
uint64_t stream_place(const struct core *core, struct stream *stream, size_t bytes, bool alone)
{
    enum { FRAME_ELEMENTS = 512, FRAME_BYTES = 2 * MIB };
    bool fits = stream->batch == core->batch_number + 1 && stream->count < FRAME_ELEMENTS &&
                stream->bytes + bytes <= FRAME_BYTES;
    if (!fits || alone) {
        stream->seq++;
        stream->batch = alone ? 0 : core->batch_number + 1;
        stream->count = 0;
        stream->bytes = 0;
    }
    stream->count++;
    stream->bytes += bytes;
    return stream->seq;
}
