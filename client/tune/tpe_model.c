/*  tpe_model.c - trials into good and other ones, parameters into groups. */
#include "client/tune/tpe_model.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/tpe_finite.h"
#include "common/prng.h"

enum { BELOW_MAX = 25 };
enum tpe_side { SIDE_NONE = 0, SIDE_RUNNING, SIDE_ABOVE, SIDE_BELOW };

static void *take(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    ensure(p);
    return p;
}

/*  Is there a choice to be made? */
static bool tunable(const struct param *param)
{
    return param_is_free(param) && param_size(param) != 1;
}

/* --- groups ----------------------------------------------------------------------------------- */

static void groups_fini(struct tpe_model *self)
{
    for (uint32_t i = 0; i < self->group_count; i++) {
        struct tpe_group *group = &self->groups[i];
        parzen_fini(&group->below);
        parzen_fini(&group->above);
        free(group->params);
        free(group->axes);
    }
    free(self->groups);
    self->groups = NULL;
    self->group_count = 0;
}

static void groups_init(struct tpe_model *self)
{
    const uint32_t count = self->space->count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = self->group_of[i];
        if (group != NONE && group >= self->group_count) {
            self->group_count = group + 1;
        }
    }
    self->groups = take(self->group_count, sizeof(*self->groups));
    for (uint32_t g = 0; g < self->group_count; g++) {
        struct tpe_group *group = &self->groups[g];
        group->params = take(count, sizeof(*group->params));
        group->axes = take(count, sizeof(*group->axes));
        for (uint32_t i = 0; i < count; i++) {
            if (self->group_of[i] == g) {
                group->axes[group->count] = axis_of(&self->space->params[i]);
                group->params[group->count++] = i;
            }
        }
        parzen_init(&group->below, group->axes, group->count);
        parzen_init(&group->above, group->axes, group->count);
    }
}

/*  With groups: parameters that were active in the same finished trials.  Without: those that were active in all of
    them, and every other one alone.  What was never active is not modelled.  Returns whether anything changed. */
static bool partition(struct tpe_model *self, const struct search_options *options)
{
    const uint32_t count = self->space->count;
    uint32_t groups = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t signature = self->signatures[i];
        uint32_t group = NONE;
        if (tunable(&self->space->params[i]) && signature != 0) {
            bool joins = options->multivariate && (options->group || signature == self->all);
            for (uint32_t j = 0; joins && j < i && group == NONE; j++) {
                group = self->signatures[j] == signature ? self->group_new[j] : NONE;
            }
            group = group == NONE ? groups++ : group;
        }
        self->group_new[i] = group;
    }
    bool same = memcmp(self->group_new, self->group_of, count * sizeof(*self->group_of)) == 0;
    memcpy(self->group_of, self->group_new, count * sizeof(*self->group_of));
    return !same;
}

/*  Where the trial is for this group; false if not all of its parameters are active. */
static bool group_at(const struct tpe_group *self, const double *x, double *at)
{
    for (uint32_t d = 0; d < self->count; d++) {
        double value = x[self->params[d]];
        if (isnan(value)) {
            return false;
        }
        at[d] = axis_unit(&self->axes[d], value);
    }
    return true;
}

static void groups_add(struct tpe_model *self, uint32_t trial)
{
    double at[PARAMS_MAX];
    for (uint32_t g = 0; g < self->group_count; g++) {
        struct tpe_group *group = &self->groups[g];
        if (group_at(group, self->x + (size_t)trial * self->space->count, at)) {
            parzen_add(self->sides[trial] == SIDE_BELOW ? &group->below : &group->above, trial, at);
        }
    }
}

static void groups_remove(struct tpe_model *self, uint32_t trial)
{
    double at[PARAMS_MAX];
    for (uint32_t g = 0; g < self->group_count; g++) {
        struct tpe_group *group = &self->groups[g];
        if (group_at(group, self->x + (size_t)trial * self->space->count, at)) {
            parzen_remove(self->sides[trial] == SIDE_BELOW ? &group->below : &group->above, trial);
        }
    }
}

/* --- trials ----------------------------------------------------------------------------------- */

/*  How much a trial's result says: complete, complete up to a rung, nothing but that it went wrong. */
enum standing {
    STANDING_NONE = 0,
    STANDING_RUNNING,
    STANDING_WORST,
    STANDING_PRUNED,
    STANDING_FULL
};

static enum standing standing_of(const struct trial *trial)
{
    switch (trial->state) {
    case TRIAL_PENDING:
    case TRIAL_RUNNING:
        return STANDING_RUNNING;
    case TRIAL_PAUSED: /* may never go on: what it has reported counts */
        return isfinite(trial->value) && trial->step > 0 ? STANDING_PRUNED : STANDING_RUNNING;
    case TRIAL_TERMINATED:
        if (!isfinite(trial->value)) {
            return STANDING_WORST;
        }
        return trial->pruned ? STANDING_PRUNED : STANDING_FULL;
    case TRIAL_ERROR:
    case TRIAL_STATES: /* how many there are */
        return STANDING_NONE;
    }
    return STANDING_NONE;
}

/*  Of two that stand the same.  Full ones by value; pruned ones that came farther first.  Ties: the earlier trial. */
static bool better(const struct trial *a, const struct trial *b, enum standing standing)
{
    if (standing == STANDING_PRUNED && a->step != b->step) {
        return a->step > b->step;
    }
    return a->value != b->value ? a->value < b->value : a->number < b->number;
}

/*  Marks the best `most` trials of one standing as below; returns how many. */
static uint32_t choose(struct tpe_model *self, const struct history *history,
                       enum standing standing, uint32_t most)
{
    const struct trial *best[BELOW_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count && most > 0; i++) {
        const struct trial *trial = &history->trials[i];
        if (self->standings[i] != standing ||
            (count == most && !better(trial, best[count - 1], standing))) {
            continue;
        }
        uint32_t at = count;
        for (; at > 0 && better(trial, best[at - 1], standing); at--) {
            best[at] = best[at - 1];
        }
        best[at] = trial;
        count += count < most;
    }
    for (uint32_t i = 0; i < count; i++) {
        self->next[best[i] - history->trials] = SIDE_BELOW;
    }
    return count;
}

/*  Sets self->next.  The best tenth of what is finished is below; never one that went wrong. */
static void split(struct tpe_model *self, const struct history *history, bool liar)
{
    self->finished = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        enum standing standing = standing_of(&history->trials[i]);
        self->standings[i] = (uint8_t)standing;
        self->finished += standing >= STANDING_WORST;
        self->next[i] = standing >= STANDING_WORST             ? SIDE_ABOVE
                        : standing == STANDING_RUNNING && liar ? SIDE_RUNNING
                                                               : SIDE_NONE;
    }
    const uint32_t below = (uint32_t)fmin(ceil(0.1 * self->finished), BELOW_MAX);
    uint32_t full = choose(self, history, STANDING_FULL, below);
    (void)choose(self, history, STANDING_PRUNED, below - full);
}

/*  Counts a finished trial in the signatures, or out of them. */
static void mark(struct tpe_model *self, uint32_t trial)
{
    if (self->sides[trial] < SIDE_ABOVE) {
        return;
    }
    struct prng prng = { trial };
    uint64_t mark = prng_next(&prng);
    const double *x = self->x + (size_t)trial * self->space->count;
    self->all ^= mark;
    for (uint32_t i = 0; i < self->space->count; i++) {
        self->signatures[i] ^= isnan(x[i]) ? 0 : mark;
    }
}

static void forget(struct tpe_model *self, uint32_t trial)
{
    if (self->sides[trial] != SIDE_NONE) {
        groups_remove(self, trial);
        mark(self, trial);
        self->sides[trial] = SIDE_NONE;
    }
}

static void reserve(struct tpe_model *self, uint32_t count)
{
    if (count <= self->capacity) {
        return;
    }
    uint32_t capacity = count > 2 * self->capacity ? count : 2 * self->capacity;
    self->sides = realloc(self->sides, capacity);
    self->next = realloc(self->next, capacity);
    self->standings = realloc(self->standings, capacity);
    self->x = realloc(self->x, (size_t)capacity * (self->space->count + 1) * sizeof(double));
    ensure(self->sides && self->next && self->standings && self->x);
    self->capacity = capacity;
}

/*  Takes back what is no longer so. */
static void revise(struct tpe_model *self, const struct history *history)
{
    const size_t bytes = self->space->count * sizeof(double);
    for (uint32_t i = 0; i < self->known; i++) {
        double *x = self->x + (size_t)i * self->space->count;
        bool gone = i >= history->count;
        bool moved = !gone && memcmp(x, history->trials[i].x, bytes) != 0;
        if (gone || moved || self->sides[i] != self->next[i]) {
            forget(self, i);
        }
        if (gone || moved) {
            tpe_finite_count(self->finite, x, -1);
        }
        if (moved) {
            memcpy(x, history->trials[i].x, bytes);
            tpe_finite_count(self->finite, x, 1);
        }
    }
    for (uint32_t i = self->known; i < history->count; i++) {
        double *x = self->x + (size_t)i * self->space->count;
        memcpy(x, history->trials[i].x, bytes);
        tpe_finite_count(self->finite, x, 1);
        self->sides[i] = SIDE_NONE;
    }
    self->known = history->count;
}

void tpe_model_learn(struct tpe_model *self, const struct history *history,
                     const struct search_options *options)
{
    reserve(self, history->count);
    split(self, history, options->constant_liar);
    revise(self, history);
    for (uint32_t i = 0; i < self->known; i++) {
        if (self->sides[i] != self->next[i]) {
            self->sides[i] = self->next[i];
            mark(self, i);
        } else {
            self->next[i] = SIDE_NONE; /* nothing to add */
        }
    }
    bool rebuild = partition(self, options);
    if (rebuild) {
        groups_fini(self);
        groups_init(self);
    }
    for (uint32_t i = 0; i < self->known; i++) {
        if (rebuild ? self->sides[i] != SIDE_NONE : self->next[i] != SIDE_NONE) {
            groups_add(self, i);
        }
    }
    for (uint32_t g = 0; g < self->group_count; g++) {
        parzen_refresh(&self->groups[g].below);
        parzen_refresh(&self->groups[g].above);
    }
}

void tpe_group_score(struct tpe_group *self, const struct tpe_points *points, double *scores)
{
    double above[TPE_BLOCK];
    parzen_log_density(&self->below, points, scores);
    parzen_log_density(&self->above, points, above);
    for (uint32_t i = 0; i < points->count; i++) {
        scores[i] -= above[i];
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

struct tpe_model *tpe_model_new(const struct space *space)
{
    struct tpe_model *self = take(1, sizeof(*self));
    self->space = space;
    self->discrete = true;
    self->signatures = take(space->count, sizeof(*self->signatures));
    self->group_of = take(space->count, sizeof(*self->group_of));
    self->group_new = take(space->count, sizeof(*self->group_new));
    for (uint32_t i = 0; i < space->count; i++) {
        self->group_of[i] = NONE;
        if (tunable(&space->params[i])) {
            self->tunable_count++;
            self->discrete &= param_size(&space->params[i]) > 0 || space->params[i].step > 0;
        }
    }
    tpe_points_init(&self->points, space->count);
    self->finite = tpe_finite_new(space);
    return self;
}

void tpe_model_destroy(struct tpe_model **self)
{
    struct tpe_model *model = *self;
    if (!model) {
        return;
    }
    groups_fini(model);
    tpe_finite_destroy(&model->finite);
    tpe_points_fini(&model->points);
    free(model->sides);
    free(model->next);
    free(model->standings);
    free(model->x);
    free(model->signatures);
    free(model->group_of);
    free(model->group_new);
    free(model);
    *self = NULL;
}
