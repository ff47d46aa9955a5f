/*  tune_cma_test.c - CMA-ES: the mathematics on functions it must solve, and the bookkeeping of generations. */
#include "client/tune/cma.h"
#include "client/tune/eigen.h"
#include "tests/unit/tune_search_world.h"

static struct world world;

/* --- eigenvalues ------------------------------------------------------------------------------ */

static void eigenvectors_make_the_matrix_again(void **state)
{
    (void)state;
    enum { N = 7 };
    double matrix[N * N];
    double work[N * N];
    double vectors[N * N];
    double values[N];
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t j = 0; j <= i; j++) {
            matrix[i * N + j] = matrix[j * N + i] = draw_normal(1, i, j, 0);
        }
    }
    memcpy(work, matrix, sizeof(matrix));
    eigen_symmetric(work, N, vectors, values);
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t j = 0; j < N; j++) {
            double sum = 0;
            double product = 0;
            for (uint32_t k = 0; k < N; k++) {
                sum += vectors[i * N + k] * values[k] * vectors[j * N + k];
                product += vectors[k * N + i] * vectors[k * N + j];
            }
            assert_true(fabs(sum - matrix[i * N + j]) < 1e-13);
            assert_true(fabs(product - (i == j)) < 1e-13);
        }
    }
}

/* --- convergence ------------------------------------------------------------------------------ */

enum { DIMENSIONS = 6 };

static const struct param unit_param = { .kind = PARAM_FLOAT, .low = 0, .high = 1 };

static double sphere(const double *x)
{
    double sum = 0;
    for (uint32_t i = 0; i < DIMENSIONS; i++) {
        sum += (x[i] - 0.3) * (x[i] - 0.3);
    }
    return sum;
}

/*  Its axes differ by 1000 in length, and lie across the coordinates. */
static double turned_ellipsoid(const double *x)
{
    double sum = 0;
    for (uint32_t k = 0; k < DIMENSIONS; k++) {
        double along = 0;
        for (uint32_t i = 0; i < DIMENSIONS; i++) {
            double axis =
                sqrt((k ? 2.0 : 1.0) / DIMENSIONS) * cos(acos(-1.0) * (i + 0.5) * k / DIMENSIONS);
            along += axis * (x[i] - 0.6);
        }
        sum += pow(1e6, k / (DIMENSIONS - 1.0)) * along * along;
    }
    return sum;
}

/*  The value falls below 1e-10 within `most` evaluations. */
static void assert_solved(double (*function)(const double *x), uint32_t most)
{
    struct axis axes[DIMENSIONS];
    for (uint32_t i = 0; i < DIMENSIONS; i++) {
        axes[i] = axis_of(&unit_param);
    }
    struct cma *cma =
        cma_new(&(struct cma_start){ .n = DIMENSIONS, .sigma = 1.0 / 6, .axes = axes });
    struct cma_solution solutions[64];
    double points[64][DIMENSIONS];
    double best = INFINITY;
    assert_int_equal(cma->population, 9);
    for (uint32_t n = 0; n < most && best > 1e-10; n += cma->population) {
        for (uint32_t i = 0; i < cma->population; i++) {
            cma_ask(cma, &(struct cma_draw){ 5, n + i, 0 }, points[i]);
            solutions[i] = (struct cma_solution){ function(points[i]), n + i, false, points[i] };
            best = fmin(best, solutions[i].value);
        }
        cma_tell(cma, solutions);
    }
    assert_true(best <= 1e-10);
    cma_destroy(&cma);
}

static void a_sphere_is_solved(void **state)
{
    (void)state;
    assert_solved(sphere, 1400);
}

static void a_turned_ellipsoid_is_solved(void **state)
{
    (void)state;
    assert_solved(turned_ellipsoid, 4000);
}

/*  Binary parameters and a sphere: without a margin the binaries stay where they are first. */
static void margin_keeps_integers_alive(void **state)
{
    (void)state;
    uint32_t solved = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        world_open(&world,
                   "space:\n  x: {uniform: [-5, 5]}\n  y: {uniform: [-5, 5]}\n  a: {int: [0, 1]}\n"
                   "  b: {int: [0, 1]}\n  c: {int: [0, 1]}\n  n: {int: [0, 30]}\nsearch: cmaes",
                   seed);
        double best = INFINITY;
        for (uint32_t n = 0; n < 700; n++) {
            assert_int_equal(world_suggest(&world), SEARCH_POINT);
            const double *x = world_point(&world, n);
            /* the binaries count for little at first */
            double value = (x[0] - 1) * (x[0] - 1) + (x[1] - 2) * (x[1] - 2) +
                           0.01 * (3 - x[2] - x[3] - x[4]) + 0.01 * fabs(x[5] - 27);
            best = fmin(best, value);
            world_end(&world, n, value);
        }
        solved += best < 1e-3;
        world_close(&world);
    }
    assert_true(solved >= 9);
}

/* --- generations ------------------------------------------------------------------------------ */

static const char plane[] = "space:\n  x: {uniform: [-5, 5]}\n  y: {loguniform: [1e-3, 1]}\n"
                            "search: {algo: cmaes, population: 6}";

static uint32_t generation_of(uint32_t number)
{
    return world.trials[number].tag >> 8;
}

static double plane_value(uint32_t number)
{
    const double *x = world_point(&world, number);
    return (x[0] - 2) * (x[0] - 2) + fabs(log(x[1]));
}

static void a_generation_is_told_when_it_is_whole(void **state)
{
    (void)state;
    world_open(&world, plane, 1);
    for (uint32_t n = 0; n < 18; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_int_equal(generation_of(n), 1 + n / 6);
        world_end(&world, n, plane_value(n));
    }
    world_close(&world);
}

/*  More run than a generation has: those that end late count in the next one. */
static void late_and_failed_trials_are_kept_apart(void **state)
{
    (void)state;
    world_open(&world, plane, 1);
    for (uint32_t n = 0; n < 9; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_int_equal(generation_of(n), 1);
    }
    for (uint32_t n = 0; n < 6; n++) {
        world_end(&world, n, n == 3 ? NAN : plane_value(n)); /* one is lost */
    }
    assert_int_equal(world_suggest(&world), SEARCH_POINT);
    assert_int_equal(generation_of(9), 1);
    world_end(&world, 6, plane_value(6)); /* the sixth with a value */
    assert_int_equal(world_suggest(&world), SEARCH_POINT);
    assert_int_equal(generation_of(10), 2);
    for (uint32_t n = 7; n < 10; n++) {
        world_end(&world, n, plane_value(n)); /* late: three of the second's six */
    }
    for (uint32_t n = 11; n < 13; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_int_equal(generation_of(n), 2);
    }
    for (uint32_t n = 10; n < 13; n++) {
        world_end(&world, n, plane_value(n));
    }
    assert_int_equal(world_suggest(&world), SEARCH_POINT);
    assert_int_equal(generation_of(13), 3);
    world_close(&world);
}

static void untagged_trials_are_not_looked_at(void **state)
{
    (void)state;
    static struct world other;
    world_open(&world, plane, 1);
    world_open(&other, plane, 1);
    world_give(&world, (double[]){ 2, 1 }, 0);
    world_give(&other, (double[]){ -4, 0.5 }, 1e9);
    for (uint32_t n = 1; n < 30; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_int_equal(world_suggest(&other), SEARCH_POINT);
        assert_true(space_same(&world.spec->space, world_point(&world, n), world_point(&other, n)));
        world_end(&world, n, plane_value(n));
        world_end(&other, n, plane_value(n));
    }
    world_close(&other);
    world_close(&world);
}

/*  A flat function has converged at once: each run has twice the population of the one before. */
static void a_run_that_converged_starts_again_with_more(void **state)
{
    (void)state;
    world_open(&world, plane, 1);
    uint32_t sizes[512] = { 0 };
    for (uint32_t n = 0; n < 310; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        sizes[generation_of(n)]++;
        world_end(&world, n, 1);
    }
    uint32_t population = 6;
    for (uint32_t g = 1; sizes[g + 1] > 0; g++) { /* the last one is not whole */
        population *= sizes[g] == 2 * population ? 2 : 1;
        assert_int_equal(sizes[g], population);
    }
    assert_int_equal(population, 12);
    world_close(&world);
}

static void without_numbers_it_draws(void **state)
{
    (void)state;
    world_open(&world, "space: {m: {choice: [a, b, c]}, k: {choice: [d, e]}}\nsearch: cmaes", 1);
    for (uint32_t n = 0; n < 6; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        assert_int_equal(world.trials[n].tag, 0);
    }
    world_close(&world);
}

static void one_dimension_will_do(void **state)
{
    (void)state;
    world_open(&world, "space: {x: {uniform: [0, 1]}}\nsearch: cmaes", 1);
    double best = INFINITY;
    for (uint32_t n = 0; n < 150; n++) {
        assert_int_equal(world_suggest(&world), SEARCH_POINT);
        double value = fabs(*world_point(&world, n) - 0.77);
        best = fmin(best, value);
        world_end(&world, n, value);
    }
    assert_true(best < 1e-6);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors_make_the_matrix_again),
        cmocka_unit_test(a_sphere_is_solved),
        cmocka_unit_test(a_turned_ellipsoid_is_solved),
        cmocka_unit_test(margin_keeps_integers_alive),
        cmocka_unit_test(a_generation_is_told_when_it_is_whole),
        cmocka_unit_test(late_and_failed_trials_are_kept_apart),
        cmocka_unit_test(untagged_trials_are_not_looked_at),
        cmocka_unit_test(a_run_that_converged_starts_again_with_more),
        cmocka_unit_test(without_numbers_it_draws),
        cmocka_unit_test(one_dimension_will_do),
    };
    return cmocka_run_group_tests_name("tune_cma", tests, NULL, NULL);
}
