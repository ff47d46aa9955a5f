/*  study_world.h - a head, workers and a driver around a study, small enough to be killed anywhere: what they have
    committed, rows of trials and reports, outlives the driver.  A trial's result is a function of its point and step. */
#ifndef RAYC_TEST_STUDY_WORLD_H
#define RAYC_TEST_STUDY_WORLD_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/study.h"
#include "common/err.h"
#include "common/prng.h"

enum { WORLD_TRIALS = 64, WORLD_REPORTS = 8192, WORLD_STEPS = 9, WORLD_TASKS = 8, TEXT = 4096 };

struct stored_trial {
    struct rec_trial row;
    uint8_t point[64];
    char params[512], metrics[256], checkpoint[64], text[512], lineage[TEXT];
};

struct stored_report {
    struct rec_report row;
    char checkpoint[64], metrics[64];
};

struct task {
    uint64_t id;
    uint32_t trial, attempt, number; /* number: reports of this attempt */
    uint32_t step, from;             /* the newest step; where its last checkpoint is */
    double x[4];
    bool unanswered;
    enum decision told;
    bool condemned; /* an attempt was told to end, and may have died before it did */
};

struct world {
    const struct study_spec *spec;
    uint32_t concurrency;
    struct prng chance;
    uint32_t kill, die, again; /* of 1000: the driver, an attempt, a report sent twice */
    struct study *study;
    /*  restored from what was stored at some moment: it must do the same from then on */
    struct study *twin;
    uint32_t twins;    /* of 1000: how often there is a new one */
    uint32_t compared; /* what it was asked */
    bool killed;
    uint32_t kills;
    struct stored_trial trials[WORLD_TRIALS];
    uint32_t trial_count;
    struct stored_report reports[WORLD_REPORTS];
    uint32_t report_count;
    uint64_t next_task, now;
    struct task tasks[WORLD_TASKS];
    uint32_t task_count;
    bool stopped[WORLD_TRIALS];
    bool resumable; /* trials of even numbers write checkpoints, or all of them */
    bool failing;   /* every 7th trial fails in its 4th step */
};

static inline bool luck(struct world *self, uint32_t of_1000)
{
    return prng_next(&self->chance) % 1000 < of_1000;
}

/*  The driver may die here. */
static inline bool dies(struct world *self)
{
    self->killed = self->killed || luck(self, self->kill);
    return self->killed;
}

static inline double curve(const double *x, uint32_t step)
{
    double best = pow(log10(x[0]) + 2, 2) + 0.1 * fabs(x[1] - 3) + (x[2] > 0 ? 0.3 : x[3] * x[3]);
    return best + (1 + x[1] / 6) / step;
}

static inline struct slice kept(char *to, size_t capacity, struct slice from)
{
    assert_true(slice_copy_text(from, to, capacity));
    return slice_of(to, from.n);
}

static inline void world_save(struct world *self, const struct rec_trial *row)
{
    assert_true(row->number < WORLD_TRIALS && row->number <= self->trial_count);
    struct stored_trial *to = &self->trials[row->number];
    to->row = *row;
    memcpy(to->point, row->point.p, row->point.n);
    to->row.point = slice_of(to->point, row->point.n);
    to->row.params = kept(to->params, sizeof(to->params), row->params);
    to->row.metrics = kept(to->metrics, sizeof(to->metrics), row->metrics);
    to->row.checkpoint = kept(to->checkpoint, sizeof(to->checkpoint), row->checkpoint);
    to->row.text = kept(to->text, sizeof(to->text), row->text);
    to->row.lineage = kept(to->lineage, sizeof(to->lineage), row->lineage);
    self->trial_count += row->number == self->trial_count;
}

static inline void world_drain(struct world *self)
{
    struct rec_trial row;
    while (!dies(self) && study_dirty(self->study, &row)) {
        world_save(self, &row);
    }
}

static inline struct study *world_restore(const struct world *self)
{
    struct diag why;
    struct study *study;
    assert_int_equal(study_new(&study, self->spec, self->spec->seed, &why), OK);
    for (uint32_t i = 0; i < self->trial_count; i++) {
        assert_int_equal(study_restore_trial(study, &self->trials[i].row), OK);
    }
    for (uint32_t i = 0; i < self->report_count; i++) {
        study_restore_report(study, &self->reports[i].row);
    }
    if (self->trial_count > 0) {
        study_restored(study);
    }
    return study;
}

static inline void world_open(struct world *self)
{
    self->study = world_restore(self);
    self->killed = false;
}

/*  A twin of the study from what is stored, with the same trials running; not while one of them has been told to end,
    as the twin takes that for done, or is to be started. */
static inline void world_twin(struct world *self)
{
    for (uint32_t i = 0; i < self->task_count; i++) {
        if (self->tasks[i].condemned) {
            return;
        }
    }
    for (uint32_t i = 0; i < study_count(self->study); i++) {
        if (study_trial(self->study, i)->base.state == TRIAL_PENDING) {
            return;
        }
    }
    study_destroy(&self->twin);
    self->twin = world_restore(self);
    for (uint32_t i = 0; i < self->task_count; i++) {
        uint32_t number = NONE;
        assert_int_equal(study_next(self->twin, &number, self->now), STUDY_START);
        study_started(self->twin, number, self->next_task);
    }
    assert_int_equal(study_running(self->twin), study_running(self->study));
}

/*  Commits the next report of a task. */
static inline struct rec_report *world_report(struct world *self, struct task *task)
{
    assert_true(self->report_count < WORLD_REPORTS);
    struct stored_report *to = &self->reports[self->report_count++];
    task->step++;
    snprintf(to->metrics, sizeof(to->metrics), "{\"loss\": 1, \"epoch\": %u}", task->step);
    to->row = (struct rec_report){
        .id = self->report_count * 3,
        .task = task->id,
        .attempt = task->attempt,
        .number = ++task->number,
        .trial = task->trial,
        .step = task->step,
        .value = curve(task->x, task->step) * (self->spec->maximize ? -1 : 1),
        .metrics = slice_text(to->metrics),
        .at_ms = ++self->now,
    };
    if (self->resumable || task->trial % 2 == 0) {
        snprintf(to->checkpoint, sizeof(to->checkpoint), "%u", task->step);
        to->row.checkpoint = slice_text(to->checkpoint);
        task->from = task->step;
    }
    task->unanswered = true;
    return &to->row;
}

static inline void world_answer(struct world *self, struct task *task,
                                const struct rec_report *report)
{
    const char *why;
    task->told = study_report(self->study, report, self->now, &why);
    task->unanswered = false;
    task->condemned |= task->told != DECISION_GO_ON;
    if (self->twin) {
        assert_int_equal(study_report(self->twin, report, self->now, &why), task->told);
    }
    if (task->told == DECISION_STOP) {
        self->stopped[task->trial] = true;
    }
    if (luck(self, self->again)) {
        assert_int_equal(study_report(self->study, report, self->now, &why), task->told);
    }
    world_drain(self);
}

static inline void world_end(struct world *self, uint32_t i, bool failed)
{
    uint32_t trial = self->tasks[i].trial;
    self->tasks[i] = self->tasks[--self->task_count];
    if (!dies(self)) {
        uint32_t failure = failed ? FAILURE_EXIT : 0;
        study_ended(self->study, trial, failure, failed ? "exit 1" : NULL, ++self->now);
        if (self->twin) {
            study_ended(self->twin, trial, failure, failed ? "exit 1" : NULL, self->now);
        }
        world_drain(self);
    }
}

static inline bool fails(const struct world *self, const struct task *task)
{
    return self->failing && task->trial % 7 == 3 && task->step == 3;
}

/*  One step of one task, as the chance will. */
static inline void world_work(struct world *self)
{
    uint32_t i = (uint32_t)(prng_next(&self->chance) % self->task_count);
    struct task *task = &self->tasks[i];
    if (luck(self, self->die)) { /* its process: a new attempt from the newest checkpoint */
        task->attempt++;
        task->number = 0;
        task->step = task->from;
        task->told = DECISION_GO_ON;
        return;
    }
    if (task->step == WORLD_STEPS || task->told != DECISION_GO_ON || fails(self, task)) {
        world_end(self, i, task->told == DECISION_GO_ON && fails(self, task));
        return;
    }
    struct rec_report *report = world_report(self, task);
    if (!dies(self)) {
        world_answer(self, task, report);
    }
}

static inline void world_start(struct world *self, uint32_t number)
{
    const struct study_trial *trial = study_trial(self->study, number);
    assert_false(self->stopped[number]);
    assert_int_equal(trial->base.state, TRIAL_RUNNING);
    assert_true(self->task_count < self->concurrency);
    for (uint32_t i = 0; i < self->task_count; i++) {
        assert_int_not_equal(self->tasks[i].trial, number);
    }
    const struct study_trial *from =
        trial->donor != NONE ? study_trial(self->study, trial->donor) : trial;
    struct task task = { .id = ++self->next_task, .trial = number, .attempt = 1 };
    task.step = task.from = from->checkpoint ? (uint32_t)atoi(from->checkpoint) : 0;
    memcpy(task.x, trial->base.x, sizeof(task.x));
    world_drain(self);
    if (!self->killed) {
        self->tasks[self->task_count++] = task;
        study_started(self->study, number, task.id);
        world_drain(self);
    }
}

/*  The driver is gone: its tasks may commit one more report, then they end. */
static inline void world_restart(struct world *self)
{
    for (uint32_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        if (!task->unanswered && task->told == DECISION_GO_ON && task->step < WORLD_STEPS &&
            !fails(self, task) && luck(self, 300)) {
            (void)world_report(self, task);
        }
    }
    self->task_count = 0;
    self->kills++;
    study_destroy(&self->study);
    study_destroy(&self->twin);
    world_open(self);
    world_drain(self);
}

static inline void same_next(struct world *self, enum study_next next, uint32_t number)
{
    uint32_t twin = NONE;
    self->compared++;
    assert_int_equal(study_next(self->twin, &twin, self->now), next);
    assert_int_equal(twin, number);
    if (next == STUDY_START) {
        const struct study_trial *a = study_trial(self->study, number);
        const struct study_trial *b = study_trial(self->twin, number);
        assert_true(space_same(&self->spec->space, a->base.x, b->base.x));
        assert_int_equal(a->donor, b->donor);
        study_started(self->twin, number, self->next_task + 1);
    }
}

/*  Until the study is done. */
static inline void world_run(struct world *self)
{
    world_open(self);
    for (uint32_t turns = 0;; turns++) {
        assert_true(turns < 100000);
        if (self->killed) {
            world_restart(self);
            continue;
        }
        if (luck(self, self->twins)) {
            world_twin(self);
        }
        enum study_next next = STUDY_WAIT;
        if (self->task_count < self->concurrency) {
            uint32_t number = NONE;
            next = study_next(self->study, &number, ++self->now);
            if (self->twin) {
                same_next(self, next, number);
            }
            if (next == STUDY_START) {
                world_start(self, number);
            } else {
                world_drain(self);
            }
            if (next == STUDY_DONE && !self->killed) {
                return;
            }
        }
        if (!self->killed && next == STUDY_WAIT) {
            assert_true(self->task_count > 0);
            world_work(self);
        }
    }
}
#endif
