/*  tune_keep_test.c - which checkpoints stay, the files that a running study writes, and what a trial is given. */
#include <sys/stat.h>

#include "client/tune/driver_keep.h"
#include "client/tune/trial_text.h"
#include "tune_rows.h"

/* --- which checkpoints stay ------------------------------------------------------------------- */

struct folders {
    char dir[64];
    struct study_spec spec;
    struct study_trial trial;
    char params[16];
    struct keeper *keeper;
    uint64_t ids;
    const char *used;
};

static void folders_open(struct folders *self, uint32_t keep, bool best)
{
    *self = (struct folders){ .spec = { .metric = "loss" }, .params = "{\"x\": 1}" };
    self->spec.checkpoint_keep = keep;
    self->spec.checkpoint_best = best;
    self->trial.params = self->params;
    self->trial.base.number = 3;
    self->trial.value = NAN;
    folder_new(self->dir);
    self->keeper = keeper_new(&self->spec, self->dir, "s");
}

static void folders_close(struct folders *self)
{
    keeper_destroy(&self->keeper);
    folder_remove(self->dir);
}

static char *path_of(const struct folders *self, const char *name)
{
    static char paths[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(paths[i], sizeof(paths[i]), "%s/%s", self->dir, name);
    return paths[i];
}

static void make_checkpoint(const struct folders *self, const char *name)
{
    char *path = path_of(self, name);
    assert_int_equal(file_make_dir(path, 0777), OK);
    char file[300];
    snprintf(file, sizeof(file), "%s/weights", path);
    assert_int_equal(file_write(file, "w", 1, 0666), OK);
}

static void tell(struct folders *self, const char *name, double value)
{
    struct rec_report report = { .id = ++self->ids,
                                 .task = 1,
                                 .attempt = 1,
                                 .number = (uint32_t)self->ids,
                                 .step = (double)self->ids,
                                 .value = value,
                                 .at_ms = 1000 * self->ids,
                                 .metrics = slice_text("{\"loss\": 1}"),
                                 .checkpoint = slice_text(name ? path_of(self, name) : NULL) };
    keeper_report(self->keeper, &self->trial, &report);
}

static bool is_used(void *context, const char *path)
{
    const struct folders *self = context;
    return self->used && strcmp(path, path_of(self, self->used)) == 0;
}

static bool is_there(const struct folders *self, const char *name)
{
    struct stat status;
    return lstat(path_of(self, name), &status) == 0;
}

#define C(n) "s/trial_00003/checkpoint_00000" #n

static void the_newest_stays(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    make_checkpoint(&world, C(1));
    make_checkpoint(&world, C(2));
    make_checkpoint(&world, C(3));
    tell(&world, C(1), 1);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(1)));
    tell(&world, C(2), 2);
    tell(&world, NULL, 2);
    tell(&world, C(3), 3);
    keeper_sweep(world.keeper, is_used, &world);
    assert_false(is_there(&world, C(1)) || is_there(&world, C(2)));
    assert_true(is_there(&world, C(3) "/weights"));
    make_checkpoint(&world, C(4)); /* left at a pause; then an attempt writes 3 again */
    keeper_checkpoint(world.keeper, &world.trial, path_of(&world, C(4)));
    tell(&world, C(3), 3);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(3)));
    assert_false(is_there(&world, C(4)));
    folders_close(&world);
}

static void the_best_stays_too(void **state)
{
    (void)state;
    for (int maximize = 0; maximize < 2; maximize++) {
        struct folders world;
        folders_open(&world, 2, true);
        world.spec.maximize = maximize;
        static const double values[] = { 5, 1, NAN, 9, 6, 7 };
        static const char *const names[] = { C(1), C(2), C(3), C(4), C(5), C(6) };
        for (size_t i = 0; i < COUNT(names); i++) {
            make_checkpoint(&world, names[i]);
            tell(&world, names[i], values[i]);
            keeper_sweep(world.keeper, is_used, &world);
        }
        assert_true(is_there(&world, C(5)) && is_there(&world, C(6)));
        assert_true(is_there(&world, maximize ? C(4) : C(2)));
        assert_false(is_there(&world, maximize ? C(2) : C(4)));
        assert_false(is_there(&world, C(1)) || is_there(&world, C(3)));
        folders_close(&world);
    }
}

static void one_in_use_goes_later(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    make_checkpoint(&world, C(1));
    make_checkpoint(&world, C(2));
    world.used = C(1);
    tell(&world, C(1), 1);
    tell(&world, C(2), 1);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(1)));
    world.used = NULL;
    keeper_sweep(world.keeper, is_used, &world);
    assert_false(is_there(&world, C(1)));
    assert_true(is_there(&world, C(2)));
    folders_close(&world);
}

static void what_is_not_ours_stays(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    static const char *const others[] = {
        "checkpoint_000001",                  /* outside of the study */
        "s/checkpoint_000001",                /* of no trial */
        "s/trial_00004/checkpoint_000001",    /* of another one */
        "s/trial_00003/weights",              /* no checkpoint */
        "s/trial_00003/checkpoint_1/deep",    /* within one */
        "t/trial_00003/checkpoint_000001",    /* of another study */
        "s/trial_00003/../../checkpoint_back" /* outside, from inside */
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        make_checkpoint(&world, others[i]);
        tell(&world, others[i], 1);
    }
    assert_int_equal(
        symlink(path_of(&world, "t/trial_00003/checkpoint_000001"), path_of(&world, C(8))), 0);
    tell(&world, C(8), 1);
    tell(&world, "gone/checkpoint_000001", 1);
    make_checkpoint(&world, C(9));
    tell(&world, C(9), 1);
    keeper_sweep(world.keeper, is_used, &world);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_true(is_there(&world, others[i]));
    }
    assert_true(is_there(&world, "t/trial_00003/checkpoint_000001/weights"));
    assert_false(is_there(&world, C(8))); /* the link itself is ours */
    folders_close(&world);
}

static void a_resumed_study_goes_on_with_its_files(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    world.spec.log_json = world.spec.log_csv = true;
    for (int i = 0; i < 3; i++) {
        tell(&world, NULL, 1);
    }
    keeper_destroy(&world.keeper); /* the driver is killed: a line is not written, one is cut */
    char *path = path_of(&world, "s/trial_00003/result.json");
    assert_int_equal(
        truncate(path, (off_t)strlen(content(world.dir, "s/trial_00003/result.json")) - 9), 0);
    assert_int_equal(file_write(path_of(&world, "s/trial_00003/params.json"), "own", 3, 0666), OK);
    world.keeper = keeper_new(&world.spec, world.dir, "s");
    world.ids = 0;
    for (int i = 0; i < 5; i++) { /* four of them read back */
        tell(&world, NULL, 1);
    }
    const char *text = content(world.dir, "s/trial_00003/result.json");
    assert_int_equal(lines_in(text), 5);
    for (int i = 0; i < 5; i++) {
        json_t *line = line_of(text, i);
        assert_int_equal(json_integer_value(json_object_get(line, "training_iteration")), i + 1);
        json_decref(line);
    }
    text = content(world.dir, "s/trial_00003/progress.csv");
    assert_int_equal(lines_in(text), 6);
    assert_int_equal(strncmp(text, "loss,timestamp,", 15), 0);
    assert_string_equal(content(world.dir, "s/trial_00003/params.json"), "own");
    keeper_destroy(&world.keeper);
    world.keeper = keeper_new(&world.spec, world.dir, "s");
    world.trial.base.ended = 1; /* all of it is there already */
    tell(&world, NULL, 1);
    assert_int_equal(lines_in(content(world.dir, "s/trial_00003/result.json")), 5);
    folders_close(&world);
}

/* --- what a trial is given -------------------------------------------------------------------- */

static void a_trial_is_given_json(void **state)
{
    (void)state;
    static const char hostile[] = "q\" b\\ n\n t\t e\x1b c\xc3\xa9 [x]";
    struct study_spec *spec;
    struct spec_error error;
    const char *words[] = { hostile, "{params_file}", "{x}", NULL };
    struct spec_source source = { .path = "search.yaml",
                                  .text = slice_text(plain),
                                  .dir = hostile,
                                  .command = (char *const *)(uintptr_t)words };
    if (spec_read(&spec, &source, &error) != OK) {
        fail_msg("%s: %s", error.field, error.text);
    }
    const char *env[] = { hostile, NULL };
    struct trial_common common = { hostile, hostile, env, UINT64_MAX };
    double x[] = { 0.1, 1, NAN };
    struct study_trial trial = { .base = { .number = 7, .x = x }, .run = 2, .params = NULL };
    trial.params = (char[]){ "{\"x\": 0.1}" };
    char *start = trial_text_common(spec, &common), *dir = trial_dir(&common, 7);
    for (int with = 0; with < 2; with++) {
        struct study_trial from = { .checkpoint = with ? (char *)(uintptr_t)hostile : NULL,
                                    .checkpoint_step = 4 };
        char *text = trial_text(spec, start, dir, &trial, &from);
        json_t *all = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(all);
        assert_string_equal(json_string_value(json_object_get(all, "study")), hostile);
        assert_string_equal(json_string_value(json_object_get(all, "cwd")), hostile);
        assert_string_equal(json_string_value(json_object_get(all, "dir")), dir);
        assert_string_equal(json_string_value(json_object_get(all, "checkpoint")),
                            with ? hostile : "");
        assert_true(json_number_value(json_object_get(all, "step")) == (with ? 4 : 0));
        const json_t *argv = json_object_get(all, "argv");
        assert_int_equal(json_array_size(argv), 3);
        assert_string_equal(json_string_value(json_array_get(argv, 2)), "0.1");
        assert_string_equal(json_string_value(json_array_get(json_object_get(all, "env"), 0)),
                            hostile);
        assert_true(json_number_value(json_object_get(json_object_get(all, "params"), "x")) == 0.1);
        json_decref(all);
        free(text);
    }
    free(start);
    free(dir);
    spec_close(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stays),
        cmocka_unit_test(the_best_stays_too),
        cmocka_unit_test(one_in_use_goes_later),
        cmocka_unit_test(what_is_not_ours_stays),
        cmocka_unit_test(a_resumed_study_goes_on_with_its_files),
        cmocka_unit_test(a_trial_is_given_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
