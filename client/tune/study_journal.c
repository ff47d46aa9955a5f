/*  study_journal.c - the order of a trial's starts and end, in its row's `lineage`: one JSON array.

    [{"at":[1,0]},                                          added: the 1st event, before any report
     {"at":[9,40],"step":8,"donor":3,"from":[0.1,null],"params":{"lr":0.12}},   resumed after report 40; of PBT
     {"at":[12,55],"end":true}]                             ended
    "gave_up": the scheduler's give_up() was called just before.  "from", the point that it was added with, is in the first entry that changes it. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "client/tune/study_inside.h"
#include "common/text.h"

enum { ENTRY_MAX = METRICS_MAX };

static void text_number(struct text *self, double value)
{
    char number[40];
    (void)number_print(value, number, sizeof(number));
    text_add(self, isnan(value) ? "null" : number);
}

/*  Older entries lose their "params", which are for people, until the rest fits. */
static void shorten(struct study_trial *row, size_t wanted)
{
    json_t *entries = json_loads(row->lineage, 0, NULL);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        if (strlen(row->lineage) + wanted < METRICS_MAX) {
            break;
        }
        (void)json_object_del(json_array_get(entries, i), "params");
        char *text = json_dumps(entries, JSON_COMPACT | JSON_REAL_PRECISION(17));
        ensure(text != NULL);
        row_text(&row->lineage, slice_text(text));
        free(text);
    }
    json_decref(entries);
}

/*  Appends to the array.  A journal that is full stays as it is: then a restored scheduler may differ a little. */
static void append(struct study_trial *row, const struct text *entry)
{
    size_t old = row->lineage ? strlen(row->lineage) : 0;
    if (old + entry->n + 3 >= METRICS_MAX) {
        shorten(row, entry->n + 3);
        old = strlen(row->lineage);
        if (old + entry->n + 3 >= METRICS_MAX) {
            return;
        }
    }
    char *text = realloc(row->lineage, old + entry->n + 4);
    ensure(text != NULL);
    if (old > 0) {
        text[old - 1] = ','; /* where the ] was */
    } else {
        text[old++] = '[';
    }
    memcpy(text + old, entry->p, entry->n);
    memcpy(text + old + entry->n, "]", 2);
    row->lineage = text;
}

static void begin(struct study *self, struct text *entry)
{
    text_add(entry, "{\"at\":[");
    text_u64(entry, ++self->seq);
    text_add(entry, ",");
    text_u64(entry, self->after);
    text_add(entry, self->gave_up ? "],\"gave_up\":true" : "]");
    self->gave_up = false;
}

void journal_added(struct study *self, struct slot *slot)
{
    if (self->decides) {
        char buffer[64];
        struct text entry = text_in(buffer, sizeof(buffer));
        begin(self, &entry);
        text_add(&entry, "}");
        append(&slot->row, &entry);
    }
}

void journal_ended(struct study *self, struct slot *slot)
{
    if (self->decides) {
        char buffer[96];
        struct text entry = text_in(buffer, sizeof(buffer));
        begin(self, &entry);
        text_add(&entry, ",\"end\":true}");
        append(&slot->row, &entry);
    }
}

void journal_resumed(struct study *self, struct slot *slot, uint32_t donor, const double *old)
{
    char buffer[ENTRY_MAX];
    struct text entry = text_in(buffer, sizeof(buffer));
    begin(self, &entry);
    text_add(&entry, ",\"step\":");
    text_number(&entry, slot->row.base.step);
    if (donor != NONE) {
        text_add(&entry, ",\"donor\":");
        text_u64(&entry, donor);
    }
    if (old && old == slot->first_x) {
        for (uint32_t i = 0; i < self->spec->space.count; i++) {
            text_add(&entry, i == 0 ? ",\"from\":[" : ",");
            text_number(&entry, old[i]);
        }
        text_add(&entry, "]");
    }
    if (old && entry.n + strlen(slot->row.params) + 16 < entry.capacity) {
        text_add(&entry, ",\"params\":");
        text_add(&entry, slot->row.params);
    }
    text_add(&entry, "}");
    append(&slot->row, &entry);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void read_point(const json_t *from, uint32_t count, double *first)
{
    for (uint32_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(from, i);
        first[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
}

/*  0: it is no number that counts something. */
static uint64_t read_count(const json_t *value)
{
    json_int_t count = json_integer_value(value);
    return count > 0 ? (uint64_t)count : 0;
}

void journal_read(struct study *self, uint32_t trial, struct slice lineage, double *first)
{
    json_t *entries =
        lineage.n > 0 ? json_loadb((const char *)lineage.p, lineage.n, 0, NULL) : NULL;
    bool pointed = false;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const json_t *at = json_object_get(entry, "at");
        const json_t *donor = json_object_get(entry, "donor");
        const json_t *from = json_object_get(entry, "from");
        struct event event = {
            .seq = read_count(json_array_get(at, 0)),
            .after = read_count(json_array_get(at, 1)),
            .trial = trial,
            .donor = donor && read_count(donor) < NONE ? (uint32_t)read_count(donor) : NONE,
            .gave_up = json_object_get(entry, "gave_up") != NULL,
            .kind = json_object_get(entry, "end") ? EVENT_ENDED
                    : i == 0                      ? EVENT_ADDED
                                                  : EVENT_RESUMED,
        };
        self->events = array_grow(self->events, &self->event_capacity, self->event_count + 1,
                                  sizeof(*self->events));
        self->events[self->event_count++] = event;
        if (event.seq > self->seq) {
            self->seq = event.seq;
        }
        if (from && !pointed) {
            read_point(from, self->spec->space.count, first);
            pointed = true;
        }
    }
    json_decref(entries);
}
