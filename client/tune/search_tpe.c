/*  search_tpe.c - the search algorithm `tpe`: Tree-structured Parzen Estimators as in Optuna 5 (Bergstra et al., NIPS
    2011; Watanabe, arXiv:2304.11127), but for finite spaces, where every untried point is scored. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/search.h"
#include "client/tune/tpe_finite.h"
#include "client/tune/tpe_model.h"

/*  What a suggestion is for. */
struct ask {
    const struct search *search;
    const struct history *history;
    uint32_t number, attempt;
    uint32_t candidates;
};

static double draw(const struct ask *ask, uint32_t param, uint32_t candidate, uint32_t use)
{
    uint32_t n = (ask->attempt * ask->candidates + candidate) * 2 + use;
    return draw_uniform(ask->history->seed, ask->number, param, n);
}

/*  Must the trial have a certain value of this parameter? */
static bool is_fixed(const struct ask *ask, uint32_t param)
{
    return ask->search->fixed && !isnan(ask->search->fixed[param]);
}

/*  Draws points->count candidates, the first of which is number `first`.  Cells: points->at is the value itself. */
static void draw_candidates(const struct tpe_group *group, const struct ask *ask, uint32_t first,
                            struct tpe_points *points)
{
    for (uint32_t i = 0; i < points->count; i++) {
        uint32_t kernel = parzen_kernel(&group->below, draw(ask, group->params[0], first + i, 1));
        for (uint32_t d = 0; d < group->count; d++) {
            const struct axis *axis = &group->axes[d];
            double at = parzen_quantile(&group->below, kernel, d,
                                        draw(ask, group->params[d], first + i, 0));
            if (is_fixed(ask, group->params[d])) {
                at = axis_unit(axis, ask->search->fixed[group->params[d]]);
            }
            if (axis->kind == AXIS_CELLS) {
                at = axis_value(axis, at);
                axis_cell(axis, at, &points->low[d][i], &points->high[d][i]);
            }
            points->at[d][i] = at;
        }
    }
}

static void set_point(const struct tpe_group *group, const struct tpe_points *points, uint32_t i,
                      double *x)
{
    for (uint32_t d = 0; d < group->count; d++) {
        const struct axis *axis = &group->axes[d];
        double at = points->at[d][i];
        x[group->params[d]] = axis->kind == AXIS_CELLS ? at : axis_value(axis, at);
    }
}

/*  May this point be suggested: do the constraints hold, and is it new? */
static bool allowed(const struct tpe_model *model, const struct ask *ask, const double *x)
{
    const struct space *space = model->space;
    double complete[PARAMS_MAX];
    memcpy(complete, x, space->count * sizeof(*x));
    search_complete(ask->search, space, complete);
    if (!space_feasible(space, complete)) {
        return false;
    }
    bool new = true;
    if (model->discrete && ask->search->options.dedup) {
        for (uint32_t i = 0; i < model->known && new; i++) {
            new = !space_same(space, complete, model->x + (size_t)i * space->count);
        }
    }
    return new;
}

/*  The best candidate into x; if the group is all that is to be chosen, the best one that is allowed. */
static void suggest_group(struct tpe_model *model, struct tpe_group *group, const struct ask *ask,
                          double *x)
{
    const bool whole = group->count == model->tunable_count &&
                       (model->space->constraint_count > 0 || model->discrete);
    double scores[TPE_BLOCK];
    double best = -INFINITY;
    bool found = false; /* one that is allowed */
    double other[PARAMS_MAX];
    memcpy(other, x, model->space->count * sizeof(*x));
    for (uint32_t first = 0; first < ask->candidates; first += TPE_BLOCK) {
        uint32_t left = ask->candidates - first;
        model->points.count = left < TPE_BLOCK ? left : TPE_BLOCK;
        draw_candidates(group, ask, first, &model->points);
        tpe_group_score(group, &model->points, scores);
        for (uint32_t i = 0; i < model->points.count; i++) {
            bool better = scores[i] > best || (first == 0 && i == 0);
            if (!better && (found || !whole)) {
                continue;
            }
            set_point(group, &model->points, i, other);
            bool finds = !whole || allowed(model, ask, other);
            if (finds ? better || !found : better && !found) {
                memcpy(x, other, model->space->count * sizeof(*x));
                best = scores[i];
                found = finds;
            }
        }
    }
}

static void suggest_drawn(struct tpe_model *model, const struct ask *ask, double *x)
{
    const struct space *space = model->space;
    search_draw(ask->history, ask->number, ask->attempt, x); /* for what was never active yet */
    for (uint32_t g = 0; g < model->group_count; g++) {
        suggest_group(model, &model->groups[g], ask, x);
    }
    search_complete(ask->search, space, x);
}

/* --- finite spaces ---------------------------------------------------------------------------- */

/*  Adds to the scores of the points at `indices` what a group says about those in which it is active. */
static void score_points(struct tpe_model *model, struct tpe_group *group, const uint32_t *indices,
                         uint32_t count, double *scores)
{
    struct tpe_points *points = &model->points;
    uint32_t of[TPE_BLOCK];
    points->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const double *x = model->finite->x + (size_t)indices[i] * model->space->count;
        bool active = true;
        for (uint32_t d = 0; d < group->count && active; d++) {
            const struct axis *axis = &group->axes[d];
            double value = x[group->params[d]];
            active = !isnan(value);
            if (active && axis->kind == AXIS_CELLS) {
                axis_cell(axis, value, &points->low[d][points->count],
                          &points->high[d][points->count]);
            }
            points->at[d][points->count] = active ? axis_unit(axis, value) : 0;
        }
        of[points->count] = i;
        points->count += active;
    }
    double found[TPE_BLOCK];
    if (points->count > 0) {
        tpe_group_score(group, points, found);
    }
    for (uint32_t i = 0; i < points->count; i++) {
        scores[of[i]] += found[i];
    }
}

/*  Is it untried, and has it the values that the trial must have? */
static bool is_open(const struct tpe_finite *finite, const struct ask *ask, uint32_t index)
{
    const double *x = finite->x + (size_t)index * finite->space->count;
    bool is_open = finite->uses[index] == 0;
    for (uint32_t i = 0; i < finite->space->count && is_open; i++) {
        is_open = !is_fixed(ask, i) || isnan(x[i]) || x[i] == ask->search->fixed[i];
    }
    return is_open;
}

/*  The best of all points that are open; the first of them where all are the same. */
static bool suggest_finite(struct tpe_model *model, const struct ask *ask, double *x)
{
    const struct tpe_finite *finite = model->finite;
    uint32_t best = NONE;
    double best_score = 0;
    for (uint32_t next = 0; next < finite->count;) {
        uint32_t indices[TPE_BLOCK];
        double scores[TPE_BLOCK] = { 0 };
        uint32_t count = 0;
        for (; next < finite->count && count < TPE_BLOCK; next++) {
            if (is_open(finite, ask, next)) {
                indices[count++] = next;
            }
        }
        for (uint32_t g = 0; g < model->group_count; g++) {
            score_points(model, &model->groups[g], indices, count, scores);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (best == NONE || scores[i] > best_score) {
                best = indices[i];
                best_score = scores[i];
            }
        }
    }
    if (best != NONE) {
        memcpy(x, finite->x + (size_t)best * model->space->count, model->space->count * sizeof(*x));
    }
    return best != NONE;
}

/* --- the algorithm ---------------------------------------------------------------------------- */

static enum search_answer tpe_suggest(struct search *self, const struct history *history,
                                      uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    struct tpe_model *model = self->memo;
    if (model && model->space != history->space) {
        tpe_model_destroy(&model);
    }
    if (!model) {
        model = tpe_model_new(history->space);
    }
    self->memo = model;
    const struct search_options *options = &self->options;
    struct ask ask = { self, history, number, attempt, options->candidates };
    ask.candidates += ask.candidates == 0;
    *tag = 0;
    tpe_model_learn(model, history, options);
    if (model->finished < options->startup || model->group_count == 0) {
        search_draw(history, number, attempt, x);
        search_complete(self, history->space, x);
        return SEARCH_POINT;
    }
    if (model->finite && options->dedup && attempt == 0) {
        if (suggest_finite(model, &ask, x)) {
            return SEARCH_POINT;
        }
        if (!self->fixed) {
            return model->finite->count > 0 ? SEARCH_EXHAUSTED : SEARCH_INFEASIBLE;
        }
    }
    suggest_drawn(model, &ask, x);
    return SEARCH_POINT;
}

static void tpe_close(struct search *self)
{
    struct tpe_model *model = self->memo;
    tpe_model_destroy(&model);
    self->memo = NULL;
}

const struct search_algorithm search_tpe = {
    .name = "tpe",
    .summary = "learns where good trials lie and draws there (Tree-structured Parzen Estimators)",
    .needs_history = true,
    .suggest = tpe_suggest,
    .close = tpe_close,
};
