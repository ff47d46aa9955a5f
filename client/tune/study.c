/*  study.c - what a study does next, and what the end of a trial means to it. */
#include "client/tune/study.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/study_inside.h"
#include "common/err.h"
#include "common/text.h"

int study_new(struct study **out, const struct study_spec *spec, uint64_t seed, struct diag *why)
{
    struct study *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->spec = spec;
    self->seed = seed;
    self->best = NONE;
    int rc = scheduler_open(&self->scheduler, &spec->scheduler, &spec->space, seed, why);
    if (rc < 0) {
        free(self);
        return rc;
    }
    self->decides = self->scheduler.type->decides;
    search_open(&self->search, &spec->search);
    struct stop_options stops = stop_options(spec);
    self->stopper = stopper_new(&stops);
    self->arena = arena_new();
    self->point_bytes = arena_take(self->arena, spec->space.count * 8 + 1);
    *out = self;
    return OK;
}

void study_destroy(struct study **self_)
{
    struct study *self = *self_;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        struct study_trial *row = &self->slots[i].row;
        free(row->metrics);
        free(row->checkpoint);
        free(row->text);
        free(row->lineage);
    }
    stopper_destroy(&self->stopper);
    scheduler_close(&self->scheduler);
    search_close(&self->search);
    arena_destroy(&self->arena);
    free(self->slots);
    free(self->seen);
    free(self->ended);
    free(self->pending.items);
    free(self->dirty.items);
    free(self->events);
    free(self);
    *self_ = NULL;
}

/* --- what is next ----------------------------------------------------------------------------- */

static enum study_next start(struct study *self, uint32_t number, uint32_t *out)
{
    struct slot *slot = &self->slots[number];
    struct study_trial *row = &slot->row;
    if (row->run > 0 && !row->checkpoint && row->donor == NONE) {
        row_text(&row->text, slice_text("started again from the beginning: it has no checkpoint"));
    } else {
        row_text(&row->text, slice_text(NULL));
    }
    row->run++;
    row->base.state = TRIAL_RUNNING;
    row->base.pruned = false;
    self->running++;
    slot_changed(self, slot);
    *out = number;
    return STUDY_START;
}

/*  The scheduler wants a paused trial to go on; if its last task has not ended yet, it goes on when that has. */
static void resume(struct study *self, const struct resumption *from)
{
    ensure(from->trial < self->count);
    struct slot *slot = &self->slots[from->trial];
    const double *old = slot->row.base.x;
    if (from->x) {
        memcpy(self->x, from->x, self->spec->space.count * sizeof(*self->x));
        slot->row.base.x = point_copy(self, self->x);
        slot_params(self, slot);
    }
    slot->decision = DECISION_GO_ON;
    slot->muted = slot->reporter;
    slot_take_donor(self, slot, from->donor);
    journal_resumed(self, slot, from->donor, from->x ? old : NULL);
    if (slot->row.base.state == TRIAL_RUNNING) {
        slot->resumed = true;
    } else if (slot->row.base.state == TRIAL_PAUSED) {
        self->paused--;
        slot->row.base.state = TRIAL_PENDING;
        queue_put(&self->pending, from->trial);
    }
    slot_changed(self, slot);
}

/*  A trial with the point self->x. */
static void add(struct study *self, uint32_t tag, uint64_t now_ms)
{
    struct slot *slot = slot_made(self, now_ms);
    slot->row.base.tag = tag;
    journal_added(self, slot);
    slot_changed(self, slot);
    fold_added(self, slot);
    queue_put(&self->pending, slot->row.base.number);
}

/*  A point of the user that was measured before: a trial that has ended. */
static void add_given(struct study *self, const struct point *point, uint64_t now_ms)
{
    struct slot *slot = slot_made(self, now_ms);
    slot->row.base.given = true;
    slot->row.value = point->result;
    slot->row.base.value = study_cost(self, point->result);
    trial_end(self, slot, TRIAL_TERMINATED, now_ms);
}

/*  Points come from outside, by study_give_point(). */
static bool study_is_external(const struct study *self)
{
    return self->spec->search.algo && strcmp(self->spec->search.algo, "external") == 0;
}

enum made { MADE, MADE_NOT_NOW, MADE_ASK, MADE_NONE };

static enum made no_more(struct study *self, const char *why)
{
    self->no_more = true;
    (void)slice_copy_text(slice_text(why), self->no_more_why, sizeof(self->no_more_why));
    return MADE_NONE;
}

static enum made made(struct study *self, enum search_answer answer, uint32_t tag, uint64_t now_ms)
{
    switch (answer) {
    case SEARCH_POINT:
        add(self, tag, now_ms);
        return MADE;
    case SEARCH_WAIT:
        return MADE_NOT_NOW;
    case SEARCH_EXHAUSTED:
        return no_more(self, "every point of the space was tried");
    case SEARCH_INFEASIBLE:
        self->failed = self->count == 0;
        return no_more(self, "no further point was found that satisfies the constraints");
    }
    return MADE_NONE;
}

static enum made make_of_user(struct study *self, const struct point *point, uint64_t now_ms)
{
    enum search_answer answer = point_of_user(self, point, self->x);
    if (point->has_result) {
        add_given(self, point, now_ms);
        return MADE;
    }
    if (answer == SEARCH_POINT) {
        return made(self, answer, 0, now_ms);
    }
    struct slot *slot = slot_made(self, now_ms);
    row_text(&slot->row.text, slice_text("this point of `points` breaks a constraint"));
    trial_end(self, slot, TRIAL_ERROR, now_ms);
    return MADE;
}

/*  A new trial, if there is to be one now. */
static enum made make(struct study *self, uint64_t now_ms)
{
    const struct study_spec *spec = self->spec;
    if (self->no_more || (spec->trials_max > 0 && self->count >= spec->trials_max)) {
        return MADE_NONE;
    }
    const struct scheduler_type *type = self->scheduler.type;
    if (self->decides && type->wants_new && !type->wants_new(&self->scheduler) &&
        self->running > 0) {
        return MADE_NOT_NOW;
    }
    if (self->count < spec->point_count) {
        return make_of_user(self, &spec->points[self->count], now_ms);
    }
    if (self->count == spec->point_count && study_has_init(self) &&
        point_of_init(self, self->x) == SEARCH_POINT) {
        return made(self, SEARCH_POINT, 0, now_ms);
    }
    if (study_is_external(self)) {
        return MADE_ASK;
    }
    struct history history = { &spec->space, self->seed,        self->seen,      self->count,
                               self->ended,  self->ended_count, spec->trials_max };
    uint32_t tag = 0;
    enum search_answer answer = search_suggest(&self->search, &history, self->count, self->x, &tag);
    return made(self, answer, tag, now_ms);
}

static void end_paused(struct study *self, struct slot *slot, const char *why, uint64_t now_ms)
{
    self->paused -= slot->row.base.state == TRIAL_PAUSED;
    slot->row.base.pruned = true;
    if (why) {
        row_text(&slot->row.text, slice_text(why));
    }
    trial_end(self, slot, TRIAL_TERMINATED, now_ms);
}

/*  Nothing runs and nothing can start: paused trials that nobody will promote are at their end.  False: there are
    none. */
static bool give_up(struct study *self, uint64_t now_ms)
{
    if (self->paused == 0) {
        return false;
    }
    const struct scheduler_type *type = self->scheduler.type;
    uint32_t trial = NONE;
    self->gave_up = type->give_up != NULL;
    if (type->give_up && type->give_up(&self->scheduler, &trial) && trial < self->count &&
        self->slots[trial].row.base.state == TRIAL_PAUSED) {
        end_paused(self, &self->slots[trial], NULL, now_ms);
        return true;
    }
    struct resumption resumption = { .donor = NONE };
    if (type->resume(&self->scheduler, &resumption)) { /* it closed a bracket */
        resume(self, &resumption);
        return true;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->slots[i].row.base.state == TRIAL_PAUSED) {
            end_paused(self, &self->slots[i], NULL, now_ms);
        }
    }
    return true;
}

/*  The study stops: what waits is at its end, unless a user stopped it and may want to go on. */
static enum study_next halted(struct study *self, uint64_t now_ms)
{
    if (self->running > 0) {
        return STUDY_WAIT;
    }
    for (uint32_t i = 0; self->halt != HALT_USER && i < self->count; i++) {
        enum trial_state state = self->slots[i].row.base.state;
        if (state == TRIAL_PAUSED || state == TRIAL_PENDING) {
            end_paused(self, &self->slots[i], self->halt_why, now_ms);
        }
    }
    return STUDY_DONE;
}

enum study_next study_next(struct study *self, uint32_t *trial, uint64_t now_ms)
{
    (void)study_tick(self, now_ms);
    for (;;) {
        uint32_t number;
        if (self->halt <= HALT_SOFT && queue_take(&self->pending, &number)) {
            return start(self, number, trial);
        }
        if (self->halt != HALT_NONE) {
            return halted(self, now_ms);
        }
        struct resumption resumption = { .donor = NONE };
        if (self->decides && self->scheduler.type->resume(&self->scheduler, &resumption)) {
            resume(self, &resumption);
            continue;
        }
        enum made made = make(self, now_ms);
        if (made == MADE) {
            continue;
        }
        if (made == MADE_ASK) {
            *trial = self->count;
            return STUDY_ASK;
        }
        if (self->running > 0) {
            return STUDY_WAIT;
        }
        if (!give_up(self, now_ms)) {
            return STUDY_DONE;
        }
    }
}

int study_give_point(struct study *self, uint32_t trial, const double *x, uint64_t now_ms,
                     struct diag *why)
{
    const struct space *space = &self->spec->space;
    why->field = "point";
    if (trial != self->count) {
        (void)slice_copy_text(slice_text("is for a trial that was not asked for"), why->text,
                              sizeof(why->text));
        return ERR_INVALID;
    }
    memcpy(self->x, x, space->count * sizeof(*x));
    space_complete(space, self->x);
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        bool active = space_active(space, i, self->x);
        if (param_is_free(param) && active && param_fit(param, self->x[i]) != self->x[i]) {
            struct text text = text_in(why->text, sizeof(why->text));
            text_add(&text, "the value of ");
            text_add(&text, param->name);
            text_add(&text, " is missing, or not one of its space");
            return ERR_INVALID;
        }
    }
    if (!space_feasible(space, self->x)) {
        (void)slice_copy_text(slice_text("breaks a constraint"), why->text, sizeof(why->text));
        return ERR_INVALID;
    }
    add(self, 0, now_ms);
    return OK;
}

void study_no_point(struct study *self)
{
    (void)no_more(self, "the external search has no more points");
}

void study_started(struct study *self, uint32_t trial, uint64_t task)
{
    ensure(trial < self->count);
    self->slots[trial].row.task = task;
    slot_changed(self, &self->slots[trial]);
}

void study_checkpointed(struct study *self, uint32_t trial, const char *checkpoint)
{
    ensure(trial < self->count);
    row_text(&self->slots[trial].row.checkpoint, slice_text(checkpoint));
    self->slots[trial].row.donor = NONE;
    slot_changed(self, &self->slots[trial]);
}

/* --- ends ------------------------------------------------------------------------------------- */

static bool was_cancelled(uint32_t failure)
{
    return failure == FAILURE_CANCELLED || failure == FAILURE_JOB_STOPPED ||
           failure == FAILURE_DRIVER_DIED;
}

/*  It failed, for good. */
static void failed(struct study *self, struct slot *slot, struct slice text, uint64_t now_ms)
{
    row_text(&slot->row.text, text);
    trial_end(self, slot, TRIAL_ERROR, now_ms);
}

void study_ended(struct study *self, uint32_t trial, uint32_t failure, const char *text,
                 uint64_t now_ms)
{
    ensure(trial < self->count);
    struct slot *slot = &self->slots[trial];
    struct trial *base = &slot->row.base;
    if (base->state != TRIAL_RUNNING) {
        return; /* told twice */
    }
    self->running--;
    bool cut = was_cancelled(failure) && self->halt != HALT_NONE;
    if (slot->resumed) {
        slot->resumed = false;
        base->state = TRIAL_PENDING;
        queue_put(&self->pending, trial);
        slot_changed(self, slot);
    } else if (slot->decision == DECISION_PAUSE) {
        base->state = TRIAL_PAUSED;
        base->pruned = true;
        self->paused++;
        slot_changed(self, slot);
    } else if (slot->decision == DECISION_STOP) {
        base->pruned = !slot->whole;
        trial_end(self, slot, TRIAL_TERMINATED, now_ms);
    } else if (cut && self->halt == HALT_USER) {
        base->state = TRIAL_PENDING; /* goes on when the study is resumed */
        slot_changed(self, slot);
    } else if (cut) {
        base->pruned = true;
        row_text(&slot->row.text, slice_text(self->halt_why));
        trial_end(self, slot, TRIAL_TERMINATED, now_ms);
    } else if (failure) {
        failed(self, slot, slice_text(text && *text ? text : failure_text(failure)), now_ms);
    } else {
        trial_end_well(self, slot, now_ms);
    }
}

/* --- the study's end -------------------------------------------------------------------------- */

void study_stop(struct study *self, const char *why, uint64_t now_ms)
{
    (void)now_ms;
    study_halt(self, HALT_USER, why);
}

bool study_tick(struct study *self, uint64_t now_ms)
{
    if (self->opened_ms == 0) {
        self->opened_ms = now_ms;
    }
    if (self->spec->time_budget_ms > 0 && self->halt != HALT_NOW) {
        stop_check(self, self->elapsed_ms + (now_ms - self->opened_ms));
    }
    return self->halt == HALT_NOW;
}

bool study_stopping(const struct study *self, const char **why)
{
    *why = self->halt_why;
    return self->halt != HALT_NONE;
}

enum study_state study_verdict(const struct study *self, const char **why)
{
    *why = self->halt != HALT_NONE ? self->halt_why : self->no_more_why;
    if (self->halt == HALT_USER) {
        return STUDY_STOPPED;
    }
    if (self->failed) {
        return STUDY_FAILED;
    }
    if (self->ran > 0 && self->succeeded == 0) {
        *why = self->failure;
        return STUDY_FAILED;
    }
    if (self->ran > 0 && self->best == NONE) {
        *why = "no trial has a value of the metric: what was reported is not finite";
        return STUDY_FAILED;
    }
    return STUDY_COMPLETED;
}

/* --- looking ---------------------------------------------------------------------------------- */

bool study_plain(const struct study *self)
{
    const struct study_spec *spec = self->spec;
    return !study_is_external(self) && !self->search.algorithm->needs_history && !self->decides &&
           !spec->has_goal && spec->no_improvement == 0 && spec->time_budget_ms == 0;
}

bool study_decides(const struct study *self)
{
    return self->decides || stopper_decides(self->stopper);
}

bool study_pins(const struct study *self, uint32_t trial)
{
    return self->decides && scheduler_pins(&self->scheduler, trial);
}

uint32_t study_count(const struct study *self)
{
    return self->count;
}

const struct study_trial *study_trial(const struct study *self, uint32_t number)
{
    return number < self->count ? &self->slots[number].row : NULL;
}

uint32_t study_running(const struct study *self)
{
    return self->running;
}

uint32_t study_best(const struct study *self)
{
    return self->best;
}
