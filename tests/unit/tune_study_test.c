/*  tune_study_test.c - a study that is killed anywhere, again and again, goes on as if it had not been. */
#include "study_world.h"

static const struct choice optimizers[] = { { OPTION_STRING, 0, "sgd" },
                                            { OPTION_STRING, 0, "adam" } };
static const double sgd[] = { 0 };
static const struct condition if_sgd = { .parent = 2, .count = 1, .values = sgd };
static const struct param params[] = {
    { .name = "lr", .kind = PARAM_FLOAT, .scale = SCALE_LOG, .low = 1e-5, .high = 1 },
    { .name = "layers", .kind = PARAM_INT, .low = 1, .high = 6, .step = 1 },
    { .name = "opt", .kind = PARAM_CHOICE, .options = optimizers, .option_count = 2 },
    { .name = "momentum",
      .kind = PARAM_FLOAT,
      .low = 0,
      .high = 1,
      .when = &if_sgd,
      .when_count = 1 },
};

static struct study_spec spec_of(const char *algo, const char *scheduler, uint64_t seed)
{
    struct study_spec spec = { .metric = "loss",
                               .space = { .params = params, .count = COUNT(params) },
                               .search = search_defaults(),
                               .scheduler = scheduler_defaults(scheduler),
                               .trials_max = 24,
                               .seed = seed };
    spec.search.algo = algo;
    spec.search.startup = 5;
    spec.scheduler.resource = "epoch";
    if (strcmp(scheduler, "asha") == 0 || strcmp(scheduler, "hyperband") == 0) {
        spec.scheduler.max = WORLD_STEPS;
    }
    return spec;
}

static struct world *world_new(const struct study_spec *spec, uint32_t concurrency, uint64_t seed)
{
    struct world *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->spec = spec;
    self->concurrency = concurrency;
    self->chance.state = seed;
    self->resumable = true;
    return self;
}

static void world_free(struct world **self)
{
    study_destroy(&(*self)->study);
    study_destroy(&(*self)->twin);
    free(*self);
    *self = NULL;
}

static void same_trials(const struct world *a, const struct world *b)
{
    assert_int_equal(study_count(a->study), study_count(b->study));
    for (uint32_t i = 0; i < study_count(a->study); i++) {
        const struct study_trial *x = study_trial(a->study, i);
        const struct study_trial *y = study_trial(b->study, i);
        assert_true(space_same(&a->spec->space, x->base.x, y->base.x));
        assert_int_equal(x->base.state, y->base.state);
        assert_int_equal(x->base.pruned, y->base.pruned);
        assert_int_equal(x->base.ended, y->base.ended);
        assert_true(x->base.step == y->base.step);
        assert_true(x->base.value == y->base.value ||
                    (isnan(x->base.value) && isnan(y->base.value)));
        assert_int_equal(x->reports, y->reports);
    }
    assert_int_equal(study_best(a->study), study_best(b->study));
}

static const char *const algos[] = { "random", "sobol", "tpe", "cmaes" };
static const struct {
    const char *type;
    bool promote;
} schedulers[] = { { "fifo", false },
                   { "asha", false },
                   { "asha", true },
                   { "median", false },
                   { "hyperband", false } };

static uint32_t kills_of(const char *algo, const char *scheduler, bool promote, uint64_t seed)
{
    struct study_spec spec = spec_of(algo, scheduler, seed);
    spec.scheduler.promote = promote;
    spec.maximize = seed % 2;
    struct world *whole = world_new(&spec, 1, seed);
    struct world *broken = world_new(&spec, 1, seed + 1000);
    whole->failing = broken->failing = seed % 3 == 0;
    whole->resumable = broken->resumable = seed % 5 != 0;
    broken->kill = 30;
    broken->die = 50;
    broken->again = 200;
    world_run(whole);
    world_run(broken);
    same_trials(whole, broken);
    uint32_t kills = broken->kills;
    world_free(&whole);
    world_free(&broken);
    return kills;
}

static void one_at_a_time_kills_change_nothing(void **state)
{
    (void)state;
    uint32_t kills = 0;
    for (uint32_t a = 0; a < COUNT(algos); a++) {
        for (uint32_t s = 0; s < COUNT(schedulers); s++) {
            for (uint64_t seed = 0; seed < 50; seed++) {
                kills += kills_of(algos[a], schedulers[s].type, schedulers[s].promote, seed);
            }
        }
    }
    print_message("%u kills\n", kills);
    assert_true(kills > 1000);
}

/*  What must hold of a study that has ended, however often it was killed. */
static void check_end(const struct world *self)
{
    const char *why;
    uint32_t best = NONE;
    assert_int_equal(study_count(self->study), self->spec->trials_max);
    assert_int_equal(study_verdict(self->study, &why), STUDY_COMPLETED);
    for (uint32_t i = 0; i < study_count(self->study); i++) {
        const struct study_trial *trial = study_trial(self->study, i);
        const struct trial *base = &trial->base;
        bool failed = base->state == TRIAL_ERROR;
        assert_true(base->state == TRIAL_TERMINATED || failed);
        assert_int_equal(trial->reports, (uint64_t)base->step); /* each step once */
        assert_true(base->pruned || failed || base->step == WORLD_STEPS);
        assert_true(!failed || (i % 7 == 3 && base->step == 3));
        assert_true(base->value == curve(base->x, (uint32_t)base->step));
        const struct rec_trial *row = &self->trials[i].row; /* and all of it is written */
        assert_int_equal(row->state, base->state);
        assert_true(row->value == trial->value && row->step == base->step);
        if (best == NONE || base->value < study_trial(self->study, best)->base.value) {
            best = i;
        }
    }
    assert_int_equal(study_best(self->study), best);
}

static void four_at_a_time_nothing_is_lost(void **state)
{
    (void)state;
    for (uint32_t a = 0; a < COUNT(algos); a++) {
        for (uint32_t s = 0; s < COUNT(schedulers); s++) {
            for (uint64_t seed = 0; seed < 50; seed++) {
                struct study_spec spec = spec_of(algos[a], schedulers[s].type, seed);
                spec.scheduler.promote = schedulers[s].promote;
                struct world *world = world_new(&spec, 4, seed);
                world->failing = seed % 2;
                world->resumable = seed % 3 != 0;
                world->kill = 20;
                world->die = 50;
                world->again = 200;
                world_run(world);
                check_end(world);
                world_free(&world);
            }
        }
    }
}

/*  The order of events is in the rows: at any concurrency, a restored study decides as the one that lives on. */
static void a_restored_twin_does_the_same(void **state)
{
    (void)state;
    uint32_t compared = 0;
    for (uint32_t a = 0; a < COUNT(algos); a++) {
        for (uint32_t s = 0; s < COUNT(schedulers); s++) {
            for (uint64_t seed = 0; seed < 50; seed++) {
                struct study_spec spec = spec_of(algos[a], schedulers[s].type, seed);
                spec.scheduler.promote = schedulers[s].promote;
                struct world *world = world_new(&spec, 4, seed);
                world->failing = seed % 2;
                world->twins = 50;
                world->die = 50;
                world->again = 200;
                world_run(world);
                compared += world->compared;
                world_free(&world);
            }
        }
    }
    print_message("%u comparisons\n", compared);
    assert_true(compared > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_kills_change_nothing),
        cmocka_unit_test(a_restored_twin_does_the_same),
        cmocka_unit_test(four_at_a_time_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
