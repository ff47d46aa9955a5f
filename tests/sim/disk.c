/*  disk.c - what survives.  The linker sends the turn's store_apply(), store_sync() and store_synced() through here:
    every committed batch is shown to the oracle and kept, a sync takes virtual time, and a power cut makes the database
    anew from the batches that were synced. */
#include <stdlib.h>

#include "common/log.h"
#include "tests/sim/sim.h"

int __real_store_apply(struct store *self, const struct batch *batch);
int __wrap_store_apply(struct store *self, const struct batch *batch);
void __wrap_store_sync(struct store *self);
uint64_t __wrap_store_synced(const struct store *self);

static bool is_bytes(enum col_type type)
{
    return type == COL_str || type == COL_bin;
}

/*  Rows with their bytes, in one block: the rows first, packed as they were. */
static void save(struct sim *sim, const struct batch *batch)
{
    size_t cursor = 0, bytes = batch->row_bytes;
    enum row_kind kind;
    const void *row;
    while (row_next(batch, &cursor, &kind, &row)) {
        const struct row_desc *desc = row_desc(kind);
        for (uint32_t i = 0; i < desc->col_count; i++) {
            const void *field = (const uint8_t *)row + desc->cols[i].offset;
            bytes += is_bytes(desc->cols[i].type) ? ((const struct slice *)field)->n : 0;
        }
    }
    uint8_t *memory = malloc(bytes);
    ensure(memory != NULL);
    memcpy(memory, batch->rows, batch->row_bytes);
    uint8_t *to = memory + batch->row_bytes;
    struct batch copy = { .rows = memory, .row_bytes = batch->row_bytes };
    for (cursor = 0; row_next(&copy, &cursor, &kind, &row);) {
        const struct row_desc *desc = row_desc(kind);
        for (uint32_t i = 0; i < desc->col_count; i++) {
            if (is_bytes(desc->cols[i].type)) {
                struct slice *field =
                    (struct slice *)(void *)((uint8_t *)(uintptr_t)row + desc->cols[i].offset);
                if (field->n > 0) {
                    memcpy(to, field->p, field->n);
                    field->p = to;
                    to += field->n;
                }
            }
        }
    }
    struct head *head = &sim->head;
    head->saved = grown(head->saved, &head->saved_room, head->saved_count, sizeof(*head->saved));
    head->saved[head->saved_count++] = (struct saved){ memory, batch->row_bytes, batch->row_count };
}

static void note_rows(struct sim *sim, const struct batch *batch)
{
    size_t cursor = 0;
    enum row_kind kind;
    const void *row;
    while (row_next(batch, &cursor, &kind, &row)) {
        const struct row_desc *desc = row_desc(kind);
        sim_mix_u64(sim, (uint64_t)kind);
        unsigned long long first[3] = { 0 };
        uint32_t n = 0;
        for (uint32_t i = 0; i < desc->col_count; i++) {
            const void *field = (const uint8_t *)row + desc->cols[i].offset;
            if (is_bytes(desc->cols[i].type)) {
                const struct slice *bytes = field;
                sim_mix(sim, bytes->p, bytes->n);
                continue;
            }
            bool wide = desc->cols[i].type == COL_u64 || desc->cols[i].type == COL_f64;
            uint64_t value = wide ? *(const uint64_t *)field : *(const uint32_t *)field;
            sim_mix_u64(sim, value);
            if (n < COUNT(first)) {
                first[n++] = value;
            }
        }
        if (kind != ROW_event) {
            SIM_NOTE(sim, "    row %s %llx %llx %llx", desc->name, first[0], first[1], first[2]);
        }
    }
}

int __wrap_store_apply(struct store *self, const struct batch *batch)
{
    struct sim *sim = sim_now;
    struct head *head = &sim->head;
    if (head->doom == DOOM_BEFORE_COMMIT) {
        head->dead = true;
        return ERR_STORE;
    }
    int code = __real_store_apply(self, batch);
    if (code != OK) {
        return code;
    }
    note_rows(sim, batch);
    if (sim->faults[FAULT_POWER_CUT] > 0) {
        save(sim, batch);
    }
    oracle_batch(sim, batch);
    if (head->doom == DOOM_AFTER_COMMIT) {
        head->dead = true;
        return ERR_STORE;
    }
    return OK;
}

static void sync_ends(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct head *head = &sim->head;
    if (number != head->incarnation || !head->up) {
        return; /* whoever waited for it is gone */
    }
    if (sim->now_us < head->paused_us) {
        sim_at(sim, head->paused_us, sync_ends, who, number, data);
        return;
    }
    head->synced = head->syncing;
    head->syncing = 0;
    head_after_sync(sim);
}

static void sync_begins(struct sim *sim)
{
    struct head *head = &sim->head;
    bool slow = sim->now_us < head->slow_until_us;
    head->syncing = head->wanted;
    uint64_t takes_us =
        slow ? between(&sim->fate, 500000, 8000000) : between(&sim->fate, 300, 6000);
    sim_at(sim, sim->now_us + takes_us, sync_ends, 0, head->incarnation, NULL);
}

void __wrap_store_sync(struct store *self)
{
    struct head *head = &sim_now->head;
    head->wanted = store_committed(self);
    if (head->syncing == 0 && head->wanted > head->synced) {
        sync_begins(sim_now);
    }
}

uint64_t __wrap_store_synced(const struct store *self)
{
    (void)self;
    return sim_now->head.synced;
}

bool disk_is_synced(const struct sim *sim, uint64_t commit)
{
    return commit <= sim->head.synced;
}

void disk_forget_sync(struct sim *sim)
{
    sim->head.syncing = sim->head.wanted = 0;
}

static void drop_saved(struct head *head, uint32_t from)
{
    for (uint32_t i = from; i < head->saved_count; i++) {
        free(head->saved[i].rows);
    }
    head->saved_count = from < head->saved_count ? from : head->saved_count;
}

void disk_close(struct sim *sim)
{
    drop_saved(&sim->head, 0);
    free(sim->head.saved);
    sim->head.saved = NULL;
}

void disk_power_cut(struct sim *sim)
{
    struct head *head = &sim->head;
    struct diag why;
    SIM_NOTE(sim, "power cut: %u of %u commits are on the disk", (unsigned)head->synced,
             head->saved_count);
    if (head->synced == head->saved_count) {
        return;
    }
    drop_saved(head, (uint32_t)head->synced);
    store_close(&head->store);
    if (store_open(&head->store, NULL, &why) != OK) {
        sim_fail(sim, 0, "the database cannot be made anew: %s", why.text);
    }
    oracle_reset(&sim->oracle);
    sim->oracle.replaying = true;
    for (uint32_t i = 0; i < head->saved_count; i++) {
        struct batch batch = { .rows = head->saved[i].rows,
                               .row_bytes = head->saved[i].row_bytes,
                               .row_count = head->saved[i].row_count };
        if (__real_store_apply(head->store, &batch) != OK) {
            sim_fail(sim, 0, "the rows of commit %u cannot be written again", i + 1);
        }
        oracle_batch(sim, &batch);
    }
    sim->oracle.replaying = false;
    client_power_cut(sim);
    exec_power_cut(sim);
}
