/*  study_rows.c - a study from its rows, and the rows of a study.

    The row of a trial says what it is and how it ended; its reports say what it measured and was told: they are folded
    again, between the events of the journals (study_inside.h).  Without a scheduler that decides there is nothing to
    fold for trials that have ended: their rows are final. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/study_inside.h"
#include "common/err.h"

static void point_decode(struct slice point, uint32_t count, double *x)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        for (uint32_t byte = 0; byte < 8; byte++) {
            bits |= (uint64_t)point.p[(size_t)i * 8 + byte] << (8 * byte);
        }
        memcpy(&x[i], &bits, sizeof(bits));
    }
}

static struct slice point_encode(struct study *self, const double *x)
{
    uint32_t count = self->spec->space.count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        for (uint32_t byte = 0; byte < 8; byte++) {
            self->point_bytes[(size_t)i * 8 + byte] = (uint8_t)(bits >> (8 * byte));
        }
    }
    return slice_of(self->point_bytes, (size_t)count * 8);
}

static bool has_ended(const struct slot *slot)
{
    return slot->row.base.state == TRIAL_TERMINATED || slot->row.base.state == TRIAL_ERROR;
}

static void saw_time(struct study *self, uint64_t ms)
{
    if (ms > 0 && (self->first_ms == 0 || ms < self->first_ms)) {
        self->first_ms = ms;
    }
    if (ms > self->last_ms) {
        self->last_ms = ms;
    }
}

/* --- in --------------------------------------------------------------------------------------- */

static void row_read(struct study *self, struct slot *slot, const struct rec_trial *row)
{
    struct study_trial *to = &slot->row;
    to->base.state = row->state;
    to->base.pruned = row->pruned;
    to->base.given = row->given;
    to->base.tag = row->tag;
    to->base.ended = row->ended;
    to->run = row->run;
    to->task = row->task;
    to->created_ms = row->created_ms;
    to->ended_ms = row->ended_ms;
    to->params = arena_text(self->arena, row->params);
    row_text(&to->metrics, row->metrics);
    row_text(&to->checkpoint, row->checkpoint);
    row_text(&to->text, row->text);
    row_text(&to->lineage, row->lineage);
    bool final = has_ended(slot) && (!self->decides || row->given);
    if (final) { /* else its reports are folded */
        to->base.step = isfinite(row->step) ? row->step : 0;
        to->value = isfinite(row->value) ? row->value : NAN;
        to->base.value = study_cost(self, to->value);
        slot->over = !self->decides; /* else when its end is folded */
    }
    if (row->ended > self->ended_last) {
        self->ended_last = row->ended;
    }
    saw_time(self, row->created_ms);
    saw_time(self, row->ended_ms);
}

/*  Algorithms index with what they find in points: one that is not of the space (it was another one when the row was
    written) is refused here.  A step of a grid is not looked at. */
static bool is_of_space(const struct space *space, const double *x)
{
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        bool active = space_active(space, i, x); /* looks at those before, which are checked */
        struct param smooth = *param;
        smooth.step = 0;
        if (active && param_is_free(param) && param_fit(&smooth, x[i]) != x[i]) {
            return false; /* NAN, too */
        }
        bool odd = isinf(x[i]) || (param->kind == PARAM_CONST && x[i] != 0);
        if (!isnan(x[i]) && (!active || odd)) {
            return false;
        }
    }
    return true;
}

int study_restore_trial(struct study *self, const struct rec_trial *row)
{
    const struct space *space = &self->spec->space;
    if (row->number != self->count || row->point.n != (size_t)space->count * 8 || row->state == 0 ||
        row->state >= TRIAL_STATES) {
        return ERR_INVALID;
    }
    double first[PARAMS_MAX];
    self->restoring = true;
    point_decode(row->point, space->count, self->x);
    memcpy(first, self->x, space->count * sizeof(*first));
    if (self->decides) {
        journal_read(self, row->number, row->lineage, first);
    }
    if (!is_of_space(space, self->x) || !is_of_space(space, first)) {
        return ERR_INVALID;
    }
    struct slot *slot = slot_new(self, first);
    if (!space_same(space, first, self->x)) {
        slot->row.base.x = point_copy(self, self->x);
    }
    row_read(self, slot, row);
    self->seen[row->number] = slot->row.base;
    return OK;
}

static int by_seq(const void *a_, const void *b_)
{
    const struct event *a = a_;
    const struct event *b = b_;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static void fold_resumed(struct study *self, struct slot *slot, uint32_t donor)
{
    struct resumption resumption = { .donor = NONE };
    (void)self->scheduler.type->resume(&self->scheduler, &resumption); /* says the same again */
    slot->decision = DECISION_GO_ON;
    slot->muted = slot->reporter;
    slot_take_donor(self, slot, donor);
    slot->resumed = true;
}

/*  All events before report `id`. */
static void fold_events(struct study *self, uint64_t id)
{
    if (!self->events_sorted && self->event_count > 0) {
        qsort(self->events, self->event_count, sizeof(*self->events), by_seq);
    }
    self->events_sorted = true;
    while (self->event_next < self->event_count) {
        const struct event *event = &self->events[self->event_next];
        struct slot *slot = &self->slots[event->trial];
        if (event->after >= id) {
            break;
        }
        self->event_next++;
        if (event->gave_up && self->scheduler.type->give_up) {
            uint32_t trial;
            (void)self->scheduler.type->give_up(&self->scheduler, &trial);
        }
        if (event->kind == EVENT_ADDED) {
            fold_added(self, slot);
        } else if (event->kind == EVENT_RESUMED) {
            fold_resumed(self, slot, event->donor);
        } else if (has_ended(slot)) {
            fold_ended(self, slot);
        }
    }
}

/*  Of a trial whose row says the rest. */
static void final_report(struct study *self, struct slot *slot, const struct rec_report *report)
{
    if (slot->row.reports == 0 || report->step > slot->counted) {
        slot->row.reports++;
        slot->counted = report->step;
        (void)stop_reported(self, report); /* the goal */
    }
}

void study_restore_report(struct study *self, const struct rec_report *report)
{
    if (report->trial >= self->count) {
        return;
    }
    struct slot *slot = &self->slots[report->trial];
    saw_time(self, report->at_ms);
    fold_events(self, report->id);
    if (slot->decision == DECISION_PAUSE && report->task != slot->reporter) {
        fold_resumed(self, slot, NONE); /* its journal was full */
    }
    if (slot->over && !self->decides) {
        final_report(self, slot, report);
    }
    (void)fold_report(self, report);
}

void study_restore_finished(struct study *self, uint32_t trial)
{
    ensure(trial < self->count);
    self->slots[trial].finished = true;
}

static int by_end(const void *a_, const void *b_)
{
    const struct trial *a = *(const struct trial *const *)a_;
    const struct trial *b = *(const struct trial *const *)b_;
    return (a->ended > b->ended) - (a->ended < b->ended);
}

/*  The order of ends; and folds those that no journal tells of. */
static void restore_ends(struct study *self)
{
    const struct trial **trials = calloc(self->count + 1, sizeof(struct trial *));
    ensure(trials != NULL);
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (has_ended(&self->slots[i])) {
            trials[n++] = &self->seen[i];
        }
    }
    qsort(trials, n, sizeof(struct trial *), by_end);
    self->ended = array_grow(self->ended, &self->ended_capacity, n, sizeof(*self->ended));
    for (uint32_t i = 0; i < n; i++) {
        struct slot *slot = &self->slots[trials[i]->number];
        self->ended[i] = trials[i]->number;
        if (!self->decides || !slot->over) {
            fold_ended(self, slot);
        }
    }
    self->ended_count = n;
    free(trials);
}

/*  A trial that had not ended: what it was told holds, else it starts again. */
static void settle(struct study *self, struct slot *slot)
{
    struct trial *trial = &slot->row.base;
    if (slot->decision == DECISION_STOP) {
        trial->pruned = !slot->whole;
        trial_end(self, slot, TRIAL_TERMINATED, self->last_ms);
        return;
    }
    bool told = slot->decision == DECISION_PAUSE;
    if (slot->finished && !told && slot->row.task != slot->muted) {
        trial_end_well(self, slot, self->last_ms);
        return;
    }
    enum trial_state state =
        told || (trial->state == TRIAL_PAUSED && !slot->resumed) ? TRIAL_PAUSED : TRIAL_PENDING;
    slot->resumed = false;
    if (state == TRIAL_PAUSED) {
        trial->pruned = true;
        self->paused++;
    } else {
        queue_put(&self->pending, trial->number);
    }
    if (state != trial->state) {
        trial->state = state;
        slot_changed(self, slot);
    }
}

/*  What it could not know from its calls: give_up(), and resume() where a journal was full. */
static void restore_scheduler(struct study *self)
{
    const struct scheduler_type *type = self->scheduler.type;
    for (uint32_t i = 0; self->decides && i < self->count; i++) {
        const struct trial *trial = &self->slots[i].row.base;
        fold_added(self, &self->slots[i]);
        if (type->restored && !has_ended(&self->slots[i])) {
            type->restored(&self->scheduler, i, trial->state == TRIAL_PAUSED, trial->x);
        }
    }
}

void study_restored(struct study *self)
{
    fold_events(self, UINT64_MAX);
    restore_ends(self);
    self->restoring = false;
    for (uint32_t i = 0; i < self->count; i++) {
        struct slot *slot = &self->slots[i];
        self->seen[i] = slot->row.base;
        study_best_changed(self, i);
        if (!has_ended(slot)) {
            settle(self, slot);
        }
    }
    restore_scheduler(self);
    self->elapsed_ms = self->last_ms - self->first_ms;
    free(self->events);
    self->events = NULL;
    self->event_count = self->event_capacity = self->event_next = 0;
}

/* --- out -------------------------------------------------------------------------------------- */

bool study_dirty(struct study *self, struct rec_trial *row)
{
    uint32_t number;
    if (!queue_take(&self->dirty, &number)) {
        return false;
    }
    struct study_trial *from = &self->slots[number].row;
    from->dirty = false;
    *row = (struct rec_trial){
        .number = number,
        .state = from->base.state,
        .pruned = from->base.pruned,
        .given = from->base.given,
        .tag = from->base.tag,
        .run = from->run,
        .task = from->task,
        .ended = from->base.ended,
        .value = from->value,
        .step = from->base.step,
        .created_ms = from->created_ms,
        .ended_ms = from->ended_ms,
        .point = point_encode(self, from->base.x),
        .params = slice_text(from->params),
        .metrics = slice_text(from->metrics),
        .checkpoint = slice_text(from->checkpoint),
        .text = slice_text(from->text),
        .lineage = slice_text(from->lineage),
    };
    return true;
}
