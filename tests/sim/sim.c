/*  sim.c - time, the trace, and the first failure: what every part of the simulated world stands on. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct sim *sim_now;

void *grown(void *array, uint32_t *room, uint32_t count, size_t each)
{
    if (count < *room) {
        return array;
    }
    *room = *room == 0 ? 64 : *room * 2;
    array = realloc(array, *room * each);
    ensure(array != NULL);
    return array;
}

struct bytes *bytes_new(const void *p, size_t n)
{
    struct bytes *bytes = malloc(sizeof(*bytes) + n);
    ensure(bytes != NULL);
    bytes->n = n;
    if (n > 0) {
        memcpy(bytes->p, p, n);
    }
    return bytes;
}

/* --- time ------------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

void sim_at(struct sim *sim, uint64_t at_us, sim_fn *fn, uint32_t who, uint64_t number, void *data)
{
    sim->queue = grown(sim->queue, &sim->queue_room, sim->queue_count, sizeof(*sim->queue));
    struct sim_event event = {
        at_us < sim->now_us ? sim->now_us : at_us, ++sim->order, fn, number, data, who
    };
    uint32_t at = sim->queue_count++;
    while (at > 0 && before(&event, &sim->queue[(at - 1) / 2])) {
        sim->queue[at] = sim->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->queue[at] = event;
}

static struct sim_event take_first(struct sim *sim)
{
    struct sim_event first = sim->queue[0];
    struct sim_event last = sim->queue[--sim->queue_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= sim->queue_count) {
            break;
        }
        if (child + 1 < sim->queue_count && before(&sim->queue[child + 1], &sim->queue[child])) {
            child++;
        }
        if (!before(&sim->queue[child], &last)) {
            break;
        }
        sim->queue[at] = sim->queue[child];
        at = child;
    }
    if (sim->queue_count > 0) {
        sim->queue[at] = last;
    }
    return first;
}

bool sim_step(struct sim *sim)
{
    enum { STEPS_MAX = 30000000 };
    if (sim->queue_count == 0) {
        return false;
    }
    struct sim_event event = take_first(sim);
    sim->now_us = event.at_us;
    sim_mix_u64(sim, event.at_us ^ (uint64_t)event.who << 40);
    if (++sim->steps > STEPS_MAX) {
        sim_fail(sim, 40, "more than %d events: something goes round in circles", STEPS_MAX);
    }
    event.fn(sim, event.who, event.number, event.data);
    return true;
}

void sim_fini(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->queue_count; i++) {
        free(sim->queue[i].data);
    }
    free(sim->queue);
    free(sim->effects);
    free(sim->started_count);
    free(sim->answered);
    actors_fini(sim);
    index_fini(&sim->effect_index);
    index_fini(&sim->died);
    index_fini(&sim->started);
    free(sim->wire.p);
    free(sim->elements.p);
    free(sim->extra.p);
}

/* --- the trace -------------------------------------------------------------------------------- */

uint64_t hash_bytes_of(uint64_t hash, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (; n >= 8; n -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    for (; n > 0; n--, bytes++) {
        hash = (hash ^ *bytes) * 0x100000001b3u;
    }
    return hash ^ hash >> 32;
}

void sim_mix(struct sim *sim, const void *p, size_t n)
{
    sim->trace = hash_bytes_of(sim->trace, p, n);
}

void sim_mix_u64(struct sim *sim, uint64_t value)
{
    sim->trace = (sim->trace ^ value) * 0x9E3779B97F4A7C15u;
    sim->trace ^= sim->trace >> 31;
}

void sim_note(struct sim *sim, const char *format, ...)
{
    char *line = sim->lines[sim->line++ % TAIL_LINES];
    int n = snprintf(line, LINE_BYTES, "%11.6f ", (double)sim->now_us / 1e6);
    va_list values;
    va_start(values, format);
    vsnprintf(line + n, LINE_BYTES - (size_t)n, format, values);
    va_end(values);
    if (sim->verbose) {
        puts(line);
    }
}

/*  The elements of the lists that matter, as far as they fit. */
static void note_lists(const struct msg *msg, char *text, size_t room)
{
    size_t n = 0;
    text[0] = 0;
    if (msg->kind == MSG_START) {
        struct list list = msg->as.start.starts;
        struct rec_start start;
        while (next_start(&list, &start) && n + 60 < room) {
            n += (size_t)snprintf(text + n, room - n, " %" PRIx64 "#%" PRIx64, start.task,
                                  start.token);
        }
    } else if (msg->kind == MSG_DONE) {
        struct list list = msg->as.done.done;
        struct rec_done done;
        while (next_done(&list, &done) && n + 60 < room) {
            n += (size_t)snprintf(text + n, room - n, " %" PRIx64 "#%" PRIx64 "=%u", done.task,
                                  done.token, done.outcome);
        }
    } else if (msg->kind == MSG_INVENTORY || msg->kind == MSG_NODE_BEAT) {
        struct list list =
            msg->kind == MSG_INVENTORY ? msg->as.inventory.held : msg->as.node_beat.running;
        struct rec_held held;
        while (next_held(&list, &held) && n + 60 < room) {
            n += (size_t)snprintf(text + n, room - n, " %" PRIx64 "#%" PRIx64 ":%u", held.task,
                                  held.token, held.running);
        }
    } else if (msg->kind == MSG_RECALL) {
        struct list list = msg->as.recall.leases;
        struct rec_lease lease;
        while (next_lease(&list, &lease) && n + 60 < room) {
            n += (size_t)snprintf(text + n, room - n, " %" PRIx64 "#%" PRIx64 "!%u", lease.task,
                                  lease.token, lease.force);
        }
    } else if (msg->kind == MSG_RESULTS) {
        struct list list = msg->as.results.results;
        struct rec_result result;
        while (next_result(&list, &result) && n + 60 < room) {
            n += (size_t)snprintf(text + n, room - n, " %" PRIx64 "=%u", result.task,
                                  result.failure);
        }
    }
}

void sim_note_msg(struct sim *sim, const char *from, const char *to, const struct msg *msg)
{
    char text[200], lists[120];
    note_lists(msg, lists, sizeof(lists));
    sim_note(sim, "%s > %s %s%s", from, to, proto_print(msg, text, sizeof(text)), lists);
}

/* --- failure ---------------------------------------------------------------------------------- */

void sim_fail(struct sim *sim, int invariant, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(sim->why, sizeof(sim->why), format, values);
    va_end(values);
    sim->failed = true;
    sim->invariant = invariant;
    sim->failed_us = sim->now_us;
    longjmp(*(jmp_buf *)sim->escape, 1);
}

/*  A failed ensure() is a failure of the seed, not the end of the simulator. */
_Noreturn void __wrap_ensure_failed(const char *condition, const char *file, int line);
_Noreturn void __real_ensure_failed(const char *condition, const char *file, int line);
_Noreturn void __wrap_ensure_failed(const char *condition, const char *file, int line)
{
    if (sim_now == NULL) {
        __real_ensure_failed(condition, file, line);
    }
    sim_fail(sim_now, 0, "ensure(%s) failed at %s:%d", condition, file, line);
}
