/*  tune_tpe_test.c - TPE's suggestions are a function of the history, and good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "client/tune/search.h"
#include "client/tune/spec.h"
#include "client/tune/tpe_model.h"
#include "tests/unit/tune_mixed.h"

enum { TRIALS = 400 };

/* --- suggestions ------------------------------------------------------------------------------ */

struct study {
    struct space space;
    struct search search;
    struct history history;
    struct trial trials[TRIALS];
    double x[TRIALS * AXES];
};

static struct study *study_new(const struct param *params, uint32_t count, uint64_t seed)
{
    struct study *self = calloc(1, sizeof(*self));
    self->space = (struct space){ .params = params, .count = count };
    struct search_options options = search_defaults();
    options.algo = "tpe";
    search_open(&self->search, &options);
    self->history = (struct history){ .space = &self->space, .seed = seed, .trials = self->trials };
    return self;
}

static void study_destroy(struct study *self)
{
    search_close(&self->search);
    free(self);
}

static double *study_next(struct study *self)
{
    double *x = self->x + (size_t)self->history.count * self->space.count;
    uint32_t tag = 0;
    enum search_answer answer =
        search_suggest(&self->search, &self->history, self->history.count, x, &tag);
    return answer == SEARCH_POINT ? x : NULL;
}

static struct trial *study_tell(struct study *self, double value)
{
    uint32_t number = self->history.count++;
    self->trials[number] = (struct trial){
        .number = number,
        .state = TRIAL_TERMINATED,
        .ended = number + 1,
        .value = value,
        .x = self->x + (size_t)number * self->space.count,
    };
    return &self->trials[number];
}

static void assert_in_bounds(const struct param *params, uint32_t count, const double *x)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!isnan(x[i]) && params[i].kind != PARAM_CHOICE) {
            assert_true(param_fit(&params[i], x[i]) == x[i]);
        }
    }
}

static void values_are_on_their_grids(void **state)
{
    static const struct param params[] = {
        { .name = "i", .kind = PARAM_INT, .low = -3, .high = 9, .step = 4 },
        { .name = "r", .kind = PARAM_FLOAT, .scale = SCALE_REVERSE_LOG, .low = 0.5, .high = 0.99 },
        { .name = "n", .kind = PARAM_NORMAL, .mean = 1, .sd = 2, .step = 0.5 },
        { .name = "l", .kind = PARAM_NORMAL, .scale = SCALE_LOG, .mean = 0, .sd = 1 },
        { .name = "b", .kind = PARAM_BETA, .mean = 2, .sd = 5 },
        { .name = "g", .kind = PARAM_INT, .scale = SCALE_LOG, .low = 1, .high = 6, .step = 1 },
    };
    struct study *study = study_new(params, COUNT(params), 3);
    double sum = 0;
    for (uint32_t i = 0; i < 120; i++) {
        const double *x = study_next(study);
        assert_non_null(x);
        assert_in_bounds(params, COUNT(params), x);
        assert_true(x[3] > 0 && x[4] >= 0 && x[4] <= 1 && isfinite(x[2]));
        double value = pow(x[0] - 5, 2) + pow(x[1] - 0.9, 2) + pow(x[2] - 4, 2) +
                       pow(log(x[3]) + 1, 2) + pow(x[4] - 0.6, 2) + pow(x[5] - 2, 2);
        sum += i >= 100 ? value : 0;
        study_tell(study, value);
    }
    assert_true(sum / 20 < 6); /* at random: about 40 */
    study_destroy(study);
    (void)state;
}

static const double first_option[] = { 0 };
static const double second_option[] = { 1 };
static const double many_layers[] = { 2, 3 };
static const struct condition when_first = { 0, 1, first_option };
static const struct condition when_second = { 0, 1, second_option };
static const struct condition when_deep[] = { { 0, 1, second_option }, { 3, 2, many_layers } };
static const struct param tree[AXES] = {
    { .name = "model", .kind = PARAM_CHOICE, .options = options_of_5, .option_count = 2 },
    { .name = "C", .kind = PARAM_FLOAT, .high = 1, .when = &when_first, .when_count = 1 },
    { .name = "gamma", .kind = PARAM_FLOAT, .high = 1, .when = &when_first, .when_count = 1 },
    { .name = "layers",
      .kind = PARAM_INT,
      .low = 1,
      .high = 3,
      .step = 1,
      .when = &when_second,
      .when_count = 1 },
    { .name = "lr",
      .kind = PARAM_FLOAT,
      .scale = SCALE_LOG,
      .low = 1e-4,
      .high = 1,
      .when = &when_second,
      .when_count = 1 },
    { .name = "width2", .kind = PARAM_FLOAT, .high = 1, .when = when_deep, .when_count = 2 },
};

/*  Every state that a trial can have. */
static void tell_something(struct study *self, const double *x)
{
    double value = 0;
    for (uint32_t d = 0; d < self->space.count; d++) {
        value += isnan(x[d]) ? 0.3 : x[d] * x[d];
    }
    struct trial *trial = study_tell(self, trunc(value * 20) / 20); /* with ties */
    switch (trial->number % 11) {
    case 3:
        trial->state = TRIAL_ERROR;
        trial->value = NAN;
        break;
    case 5:
        trial->value = NAN;
        break;
    case 7:
        trial->pruned = true;
        trial->step = trial->number % 4;
        break;
    case 8:
        trial->state = TRIAL_RUNNING;
        break;
    case 9:
        trial->state = TRIAL_PAUSED;
        trial->step = trial->number % 3;
        break;
    default:
        break;
    }
}

static void check_purity(const struct param *params, bool multivariate, bool group)
{
    struct study *study = study_new(params, AXES, 11);
    study->search.options.multivariate = multivariate;
    study->search.options.group = group;
    for (uint32_t i = 0; i < 160; i++) {
        const double *x = study_next(study);
        assert_non_null(x);
        struct search fresh;
        double again[AXES];
        uint32_t tag = 0;
        search_open(&fresh, &study->search.options);
        assert_int_equal(search_suggest(&fresh, &study->history, i, again, &tag), SEARCH_POINT);
        search_close(&fresh);
        assert_true(space_same(&study->space, x, again));
        assert_in_bounds(params, AXES, x);
        tell_something(study, x);
        if (i % 11 == 10) { /* those that ran and paused end */
            study->trials[i - 1].state = TRIAL_TERMINATED;
            study->trials[i - 2].state = TRIAL_TERMINATED;
        }
    }
    study_destroy(study);
}

static void suggestions_do_not_depend_on_the_memo(void **state)
{
    check_purity(mixed, true, true);
    check_purity(mixed, false, false);
    check_purity(tree, true, true);
    check_purity(tree, true, false);
    check_purity(tree, false, false);
    (void)state;
}

static void seeds_and_attempts_give_other_points(void **state)
{
    struct study *study = study_new(mixed, AXES, 1);
    for (uint32_t i = 0; i < 30; i++) {
        study_tell(study, study_next(study)[0]);
    }
    const struct search_algorithm *tpe = study->search.algorithm;
    double x[3][AXES];
    uint32_t tag = 0;
    tpe->suggest(&study->search, &study->history, 30, 0, x[0], &tag);
    tpe->suggest(&study->search, &study->history, 30, 1, x[1], &tag);
    study->history.seed = 2;
    tpe->suggest(&study->search, &study->history, 30, 0, x[2], &tag);
    assert_false(space_same(&study->space, x[0], x[1]));
    assert_false(space_same(&study->space, x[0], x[2]));
    study_destroy(study);
    (void)state;
}

static void parameters_that_occur_together_are_a_group(void **state)
{
    struct study *study = study_new(tree, AXES, 4);
    for (uint32_t i = 0; i < 40; i++) {
        const double *x = study_next(study);
        study_tell(study, isnan(x[1]) ? 1 + x[4] : x[1]);
    }
    struct tpe_model *model = tpe_model_new(&study->space);
    struct search_options options = search_defaults();
    tpe_model_learn(model, &study->history, &options);
    const uint32_t *group = model->group_of;
    assert_int_equal(model->group_count, 4);
    assert_int_equal(group[1], group[2]);
    assert_int_equal(group[3], group[4]);
    assert_true(group[0] != group[1] && group[0] != group[3] && group[1] != group[3]);
    assert_true(group[5] != group[0] && group[5] != group[3]);
    options.group = false; /* what is always active, and each other one alone */
    tpe_model_learn(model, &study->history, &options);
    assert_int_equal(model->group_count, 6);
    options.group = true; /* before anything was seen there is nothing to model */
    study->history.count = 0;
    tpe_model_learn(model, &study->history, &options);
    assert_int_equal(model->group_count, 0);
    tpe_model_destroy(&model);
    study_destroy(study);
    (void)state;
}

/* --- what is good ----------------------------------------------------------------------------- */

static void equal_values_and_single_observations_do(void **state)
{
    struct study *study = study_new(mixed, AXES, 9);
    study->search.options.startup = 1;
    for (uint32_t i = 0; i < 60; i++) {
        const double *x = study_next(study);
        assert_non_null(x);
        assert_in_bounds(mixed, AXES, x);
        study_tell(study, 1);
    }
    study_destroy(study);
    (void)state;
}

/*  The parameter's lower half gives no number at all. */
static void results_that_are_no_numbers_are_the_worst(void **state)
{
    static const struct param params[] = { { .name = "x", .kind = PARAM_FLOAT, .high = 1 } };
    struct study *study = study_new(params, 1, 5);
    uint32_t lower = 0;
    for (uint32_t i = 0; i < 100; i++) {
        double x = *study_next(study);
        lower += i >= 60 && x < 0.5;
        study_tell(study, x < 0.5 ? (i % 2 ? NAN : -INFINITY) : fabs(x - 0.8));
    }
    assert_true(lower < 10); /* of 40 */
    study_destroy(study);
    (void)state;
}

static void running_trials_count_as_bad(void **state)
{
    static const struct param params[] = {
        { .name = "c", .kind = PARAM_CHOICE, .options = options_of_5, .option_count = 2 },
        { .name = "x", .kind = PARAM_FLOAT, .high = 1 }
    };
    uint32_t firsts[2] = { 0 };
    for (uint32_t liar = 0; liar < 2; liar++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct study *study = study_new(params, 2, seed);
            study->search.options.constant_liar = liar;
            for (uint32_t i = 0; i < 40; i++) {
                double *x = study_next(study);
                x[0] = i < 20 ? i % 2 : 0;
                study_tell(study, i)->state = i < 20 ? TRIAL_TERMINATED : TRIAL_RUNNING;
            }
            firsts[liar] += *study_next(study) == 0;
            study_destroy(study);
        }
    }
    assert_true(firsts[1] < firsts[0]);
    (void)state;
}

/*  Of trials that were all pruned those that came farthest are good, whatever their values. */
static void pruned_trials_count_by_how_far_they_came(void **state)
{
    static const struct param params[] = { { .name = "x", .kind = PARAM_FLOAT, .high = 1 } };
    struct study *study = study_new(params, 1, 5);
    double sum = 0;
    for (uint32_t i = 0; i < 80; i++) {
        double x = *study_next(study);
        sum += i >= 60 ? x : 0;
        struct trial *trial = study_tell(study, x);
        trial->pruned = true;
        trial->step = floor(x * 8) + 1;
    }
    assert_true(sum / 20 > 0.75);
    study_destroy(study);
    (void)state;
}

static void a_small_space_is_tried_whole_and_best_first(void **state)
{
    static const struct param params[] = {
        { .name = "i", .kind = PARAM_INT, .low = 1, .high = 9, .step = 1 },
        { .name = "c", .kind = PARAM_CHOICE, .options = options_of_5, .option_count = 5 },
        { .name = "s", .kind = PARAM_FLOAT, .low = 0, .high = 1, .step = 0.5 },
    };
    struct study *study = study_new(params, 3, 8);
    uint32_t found = NONE;
    for (uint32_t i = 0; i < 9 * 5 * 3; i++) {
        const double *x = study_next(study);
        assert_non_null(x);
        for (uint32_t j = 0; j < i; j++) {
            assert_false(space_same(&study->space, x, study->trials[j].x));
        }
        double value = fabs(x[0] - 6) + (x[1] == 3 ? 0 : 3) + x[2];
        found = value == 0 && found == NONE ? i : found;
        study_tell(study, value);
    }
    assert_true(found < 40);
    assert_null(study_next(study));
    study_destroy(study);
    (void)state;
}

/*  The suggestion in a small space has the best ratio of all points that are left. */
static void a_small_space_is_scored_whole(void **state)
{
    static const struct param params[] = {
        { .name = "i", .kind = PARAM_INT, .low = 1, .high = 7, .step = 1 },
        { .name = "c", .kind = PARAM_CHOICE, .options = options_of_5, .option_count = 5 },
    };
    struct study *study = study_new(params, 2, 21);
    for (uint32_t i = 0; i < 20; i++) {
        const double *x = study_next(study);
        study_tell(study, x[0] * (1 + x[1]));
    }
    const double *best = study_next(study);
    struct tpe_model *model = tpe_model_new(&study->space);
    tpe_model_learn(model, &study->history, &study->search.options);
    double top = -INFINITY;
    double ours = NAN;
    double x[2];
    for (uint64_t cursor = 0; space_next(&study->space, &cursor, x);) {
        bool tried = false;
        for (uint32_t i = 0; i < 20; i++) {
            tried |= space_same(&study->space, x, study->trials[i].x);
        }
        struct tpe_points *points = &model->points;
        double score[TPE_BLOCK];
        points->count = 1;
        points->at[1][0] = x[1];
        axis_cell(&model->groups[0].axes[0], x[0], &points->low[0][0], &points->high[0][0]);
        tpe_group_score(&model->groups[0], points, score);
        top = tried ? top : fmax(top, score[0]);
        ours = space_same(&study->space, x, best) ? score[0] : ours;
    }
    assert_true(ours == top);
    tpe_model_destroy(&model);
    study_destroy(study);
    (void)state;
}

/*  Half of a corner is allowed, and every option of the grid takes its turn. */
static void constraints_and_grids_are_kept(void **state)
{
    static const struct param params[] = {
        { .name = "a", .kind = PARAM_FLOAT, .high = 1 },
        { .name = "b", .kind = PARAM_FLOAT, .high = 1 },
        { .name = "c",
          .kind = PARAM_CHOICE,
          .options = options_of_5,
          .option_count = 3,
          .grid = true },
    };
    struct study *study = study_new(params, 3, 2);
    struct arena *arena = arena_new();
    const struct expr *constraint = NULL;
    struct diag why;
    assert_int_equal(
        expr_parse(arena, "a + b < 0.3", &study->space, study->space.count, &constraint, &why), 0);
    study->space.constraints = &constraint;
    study->space.constraint_count = 1;
    for (uint32_t i = 0; i < 60; i++) {
        const double *x = study_next(study);
        assert_non_null(x);
        assert_true(x[0] + x[1] < 0.3);
        assert_true(x[2] == i % 3);
        study_tell(study, -x[0] - x[1]); /* the best lies where it is not allowed */
    }
    study_destroy(study);
    arena_destroy(&arena);
    (void)state;
}

static void it_learns(void **state)
{
    static const struct param params[] = { { .name = "a", .kind = PARAM_FLOAT, .high = 1 },
                                           { .name = "b", .kind = PARAM_FLOAT, .high = 1 },
                                           { .name = "c", .kind = PARAM_FLOAT, .high = 1 },
                                           { .name = "d", .kind = PARAM_FLOAT, .high = 1 } };
    uint32_t better = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct study *study = study_new(params, 4, seed);
        double best[2] = { INFINITY, INFINITY };
        for (uint32_t i = 0; i < 80; i++) {
            double random[4];
            space_draw(&study->space, seed + 100, i, 0, random);
            const double *x[2] = { study_next(study), random };
            double values[2] = { 0 };
            for (uint32_t k = 0; k < 2; k++) {
                for (uint32_t d = 0; d < 4; d++) {
                    values[k] += pow(x[k][d] - 0.2 * (d + 0.5), 2);
                }
                best[k] = fmin(best[k], values[k]);
            }
            study_tell(study, values[0]);
        }
        better += best[0] < best[1];
        study_destroy(study);
    }
    assert_true(better >= 18);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_on_their_grids),
        cmocka_unit_test(suggestions_do_not_depend_on_the_memo),
        cmocka_unit_test(seeds_and_attempts_give_other_points),
        cmocka_unit_test(parameters_that_occur_together_are_a_group),
        cmocka_unit_test(equal_values_and_single_observations_do),
        cmocka_unit_test(results_that_are_no_numbers_are_the_worst),
        cmocka_unit_test(running_trials_count_as_bad),
        cmocka_unit_test(pruned_trials_count_by_how_far_they_came),
        cmocka_unit_test(a_small_space_is_tried_whole_and_best_first),
        cmocka_unit_test(a_small_space_is_scored_whole),
        cmocka_unit_test(constraints_and_grids_are_kept),
        cmocka_unit_test(it_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
