/*  tune_search_test.c - what all search algorithms have in common: no repetitions, constraints, grids, the end of a
    finite space, and that a suggestion is a function of what has happened. */
#include "tests/unit/tune_search_world.h"

static struct world world;

static const char mixed[] =
    "space:\n  x: {uniform: [-5, 5]}\n  n: {int: [1, 20]}\n  lr: {loguniform: [1e-5, 1]}\n"
    "  m: {choice: [a, b, c]}\n  k: {uniform: [0, 1], when: {m: b}}\n";

static double value_of(const double *x)
{
    double value = x[0] * x[0] + (x[1] - 7) * (x[1] - 7) / 50 + fabs(log10(x[2]) + 2) + x[3];
    return isnan(x[4]) ? value : value + x[4];
}

static void table_has_every_algorithm(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "grid", "sobol",   "tpe",
                                         "cmaes",  "auto", "external" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        const struct search_algorithm *algorithm = search_find(names[i]);
        assert_non_null(algorithm);
        assert_string_equal(algorithm->name, names[i]);
        assert_true(strlen(algorithm->summary) > 0);
        assert_true(algorithm->external || algorithm->suggest);
    }
    assert_null(search_find("genetic"));
    assert_null(search_at(COUNT(names)));
    assert_false(search_find("random")->needs_history);
    assert_false(search_find("sobol")->needs_history);
    assert_true(search_find("tpe")->needs_history);
}

/* --- a function of the history ---------------------------------------------------------------- */

/*  Four trials at a time, which end in an order of their own; `forgetful`: nothing is remembered between them. */
static void run(struct world *self, const char *algo, uint64_t seed, bool forgetful)
{
    char body[1024];
    (void)snprintf(body, sizeof(body), "%ssearch: {algo: %s}\n", mixed, algo);
    world_open(self, body, seed);
    for (uint32_t round = 0; round < 15; round++) {
        for (uint32_t i = 0; i < 4; i++) {
            if (forgetful) {
                world_forget(self);
            }
            assert_int_equal(world_suggest(self), SEARCH_POINT);
        }
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t number = round * 4 + (i * 3 + round) % 4;
            bool failed = number % 11 == 5;
            world_end(self, number, failed ? NAN : value_of(world_point(self, number)));
            self->trials[number].pruned = number % 7 == 3;
        }
    }
}

static void suggestions_need_no_memory(void **state)
{
    (void)state;
    static struct world other;
    static const char *const names[] = { "random", "sobol", "tpe", "cmaes", "auto" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        run(&world, names[i], 3, false);
        run(&other, names[i], 3, true);
        const struct space *space = &world.spec->space;
        for (uint32_t k = 0; k < world.history.count; k++) {
            assert_true(space_same(space, world_point(&world, k), world_point(&other, k)));
            assert_int_equal(world.trials[k].tag, other.trials[k].tag);
        }
        world_close(&other);
        run(&other, names[i], 4, false);
        assert_false(space_same(space, world_point(&world, 40), world_point(&other, 40)));
        world_close(&other);
        world_close(&world);
    }
}

/*  Complete, in bounds, nothing that is not active. */
static void points_are_whole(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "sobol", "tpe", "cmaes", "auto" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        run(&world, names[i], 5, false);
        for (uint32_t k = 0; k < world.history.count; k++) {
            const double *x = world_point(&world, k);
            assert_true(x[0] >= -5 && x[0] <= 5 && x[1] == round(x[1]) && x[1] >= 1 && x[1] <= 20);
            assert_true(x[2] >= 1e-5 && x[2] <= 1 && x[3] >= 0 && x[3] <= 2);
            assert_true(isnan(x[4]) == (x[3] != 1));
        }
        world_close(&world);
    }
}

/* --- repetitions, the end --------------------------------------------------------------------- */

static const char six[] = "space:\n  a: {choice: [x, y]}\n  n: {int: [1, 3]}\n";

static void finite_spaces_end(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "sobol", "tpe", "cmaes", "auto", "grid" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        char body[512];
        (void)snprintf(body, sizeof(body), "%ssearch: %s\n", six, names[i]);
        world_open(&world, body, 1);
        bool seen[6] = { false };
        for (uint32_t k = 0; k < 6; k++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            const double *x = world_point(&world, k);
            uint32_t at = (uint32_t)(x[0] * 3 + x[1] - 1);
            assert_false(seen[at]);
            seen[at] = true;
            world_end(&world, k, x[1]);
        }
        assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
        world_close(&world);
    }
}

static void constraints_hold(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "sobol", "tpe", "cmaes", "auto", "grid" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        char body[512];
        (void)snprintf(body, sizeof(body), "%sconstraints: [\"n >= 2 or a == 'x'\"]\nsearch: %s\n",
                       six, names[i]);
        world_open(&world, body, 1);
        for (uint32_t k = 0; k < 5; k++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            assert_true(space_feasible(&world.spec->space, world_point(&world, k)));
        }
        assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
        world_close(&world);
    }
}

static void impossible_constraints_are_told(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "sobol", "grid" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        char body[512];
        (void)snprintf(body, sizeof(body), "%sconstraints: [\"n > 2\"]\nsearch: %s\n", six,
                       names[i]);
        world_open(&world, body, 1);
        ((struct param *)world.spec->space.params)[1].high =
            2; /* the file's reader would refuse it */
        assert_int_equal(world_suggest(&world), SEARCH_INFEASIBLE);
        world_close(&world);
    }
    world_open(&world, "space: {x: {uniform: [0, 9]}}\nconstraints: [\"x > 2\"]\nsearch: auto", 1);
    ((struct param *)world.spec->space.params)[0].high = 1;
    assert_int_equal(world_suggest(&world), SEARCH_INFEASIBLE);
    world_close(&world);
}

static void without_dedup_points_come_again(void **state)
{
    (void)state;
    world_open(&world, "space: {n: {int: [1, 2]}}\nsearch: random\ndedup: false", 1);
    for (uint32_t k = 0; k < 20; k++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
    }
    world_close(&world);
}

static void repeat_gives_each_point_its_trials(void **state)
{
    (void)state;
    char body[512];
    (void)snprintf(body, sizeof(body), "%ssearch: grid\nrepeat: 3\n", six);
    world_open(&world, body, 1);
    for (uint32_t k = 0; k < 18; k++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        const double *x = world_point(&world, k);
        assert_true(x[0] == k / 9 && x[1] == 1 + k / 3 % 3);
    }
    assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
    world_close(&world);
}

static void points_of_the_user_are_not_tried_again(void **state)
{
    (void)state;
    char body[512];
    (void)snprintf(body, sizeof(body), "%ssearch: grid\n", six);
    world_open(&world, body, 1);
    world_give(&world, (double[]){ 0, 2 }, 1);
    static const double wanted[][2] = { { 0, 1 }, { 0, 3 }, { 1, 1 }, { 1, 2 }, { 1, 3 } };
    for (uint32_t k = 0; k < COUNT(wanted); k++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_memory_equal(world_point(&world, k + 1), wanted[k], sizeof(wanted[k]));
    }
    assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
    world_close(&world);
}

/*  A scheduler may change the points of trials that run (PBT): what is known follows. */
static void changed_points_are_followed(void **state)
{
    (void)state;
    world_open(&world, "space: {n: {int: [1, 3]}}\nsearch: random", 1);
    for (uint32_t k = 0; k < 2; k++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
    }
    double *x = world_point(&world, 0);
    double missing = 6 - x[0] - *world_point(&world, 1);
    double freed = x[0];
    x[0] = missing;
    assert_int_equal(world_suggest(&world), SEARCH_POINT);
    assert_true(*world_point(&world, 2) == freed);
    assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
    world_close(&world);
}

/* --- grids ------------------------------------------------------------------------------------ */

static void grid_marks_cycle_under_any_search(void **state)
{
    (void)state;
    static const char *const names[] = { "random", "sobol", "tpe", "cmaes", "auto" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        char body[512];
        (void)snprintf(
            body, sizeof(body),
            "space:\n  m: {grid: [a, b]}\n  x: {uniform: [0, 1]}\n  g: {grid: [1, 2, 4]}\n"
            "  k: {uniform: [0, 1], when: {m: b}}\nsearch: %s\n",
            names[i]);
        world_open(&world, body, 1);
        for (uint32_t n = 0; n < 36; n++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            const double *x = world_point(&world, n);
            assert_true(x[0] == n / 3 % 2 && x[2] == n % 3);
            assert_true(isnan(x[3]) == (x[0] == 0));
            world_end(&world, n, x[1] + x[2]);
        }
        world_close(&world);
    }
}

static void grid_goes_round_where_numbers_have_no_end(void **state)
{
    (void)state;
    world_open(&world, "space:\n  a: {choice: [x, y]}\n  u: {uniform: [0, 1]}\nsearch: random", 1);
    world.search.algorithm = search_find("grid"); /* the file's reader would refuse it */
    for (uint32_t n = 0; n < 6; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_true(world_point(&world, n)[0] == n % 2);
    }
    world_close(&world);
}

static void grid_goes_on_after_a_restart(void **state)
{
    (void)state;
    char body[512];
    (void)snprintf(body, sizeof(body), "%ssearch: grid\n", six);
    world_open(&world, body, 1);
    for (uint32_t k = 0; k < 6; k++) {
        world_forget(&world);
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_true(world_point(&world, k)[0] == k / 3 && world_point(&world, k)[1] == 1 + k % 3);
    }
    world_forget(&world);
    assert_int_equal(world_suggest(&world), SEARCH_EXHAUSTED);
    world_close(&world);
}

/* --- auto ------------------------------------------------------------------------------------- */

/*  From 30 trials on it knows a bowl well enough to be within a hundredth of its range. */
static void auto_finds_the_ground_of_a_bowl(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        world_open(&world, "space:\n  x: {uniform: [0, 1]}\n  y: {uniform: [0, 1]}\nsearch: auto",
                   seed);
        double best = INFINITY;
        for (uint32_t n = 0; n < 60; n++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            const double *x = world_point(&world, n);
            double value = (x[0] - 0.3) * (x[0] - 0.3) + (x[1] - 0.8) * (x[1] - 0.8);
            best = fmin(best, value);
            world_end(&world, n, value);
        }
        worst = fmax(worst, best);
        world_close(&world);
    }
    assert_true(worst < 1e-4);
}

static void auto_survives_flat_and_failing_functions(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 4; kind++) {
        world_open(&world, mixed, 2);
        for (uint32_t n = 0; n < 40; n++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            const double values[] = { 1, NAN, n % 2 ? INFINITY : -INFINITY,
                                      n % 3 ? 1e308 : -1e308 };
            world_end(&world, n, values[kind]);
        }
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_every_algorithm),
        cmocka_unit_test(suggestions_need_no_memory),
        cmocka_unit_test(points_are_whole),
        cmocka_unit_test(finite_spaces_end),
        cmocka_unit_test(constraints_hold),
        cmocka_unit_test(impossible_constraints_are_told),
        cmocka_unit_test(without_dedup_points_come_again),
        cmocka_unit_test(repeat_gives_each_point_its_trials),
        cmocka_unit_test(points_of_the_user_are_not_tried_again),
        cmocka_unit_test(changed_points_are_followed),
        cmocka_unit_test(grid_marks_cycle_under_any_search),
        cmocka_unit_test(grid_goes_round_where_numbers_have_no_end),
        cmocka_unit_test(grid_goes_on_after_a_restart),
        cmocka_unit_test(auto_finds_the_ground_of_a_bowl),
        cmocka_unit_test(auto_survives_flat_and_failing_functions),
    };
    return cmocka_run_group_tests_name("tune_search", tests, NULL, NULL);
}
