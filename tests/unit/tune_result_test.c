/*  tune_result_test.c - rows of a study read back page by page, and what people take away: JSON, CSV, Ray's files. */
#include "tune_rows.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void pages_become_rows(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    for (int i = 0; i < 8; i++) {
        add(head, "{\"x\": 0.5}", "{\"loss\": 1}", 10 - i);
        add_report(head, (uint32_t)i, 1, "{\"loss\": 1}");
    }
    struct study_rows rows = load(head);
    assert_int_equal(head->questions, 1 + 3 + 3);
    assert_int_equal(rows.id, 7);
    assert_int_equal(rows.seed, 11);
    assert_string_equal(rows.spec->metric, "loss");
    assert_string_equal(rows.spec->dir, "/tmp");
    assert_int_equal(rows.trial_count, 8);
    assert_int_equal(rows.report_count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(slice_same(rows.trials[i].params, slice_text("{\"x\": 0.5}")));
        assert_int_equal(rows.reports[i].trial, i);
    }
    assert_int_equal(rows_best(&rows), 7);
    study_rows_free(&rows);
    head_free(&head);
}

static int load_fails(struct head *head, struct spec_error *error)
{
    struct study_rows rows;
    int rc = study_rows_load(&rows, NAME, true, ask_head, head, error);
    assert_null(rows.trials);
    head_free(&head);
    return rc;
}

static void what_the_head_says_wrongly(void **state)
{
    (void)state;
    struct spec_error error;
    for (int i = 1; i <= 3; i++) {
        struct head *head = head_new(plain);
        head->fails = i;
        assert_int_equal(load_fails(head, &error), ERR_TIMEOUT);
    }
    struct head *head = head_new(plain);
    head->endless = true;
    add(head, "{}", "", NAN);
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    head = head_new(plain);
    add(head, "{}", "", NAN)->number = 4;
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "rows"));
    head = head_new("metric: [\n");
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    head = head_new(plain);
    free(head->settings);
    head->settings = strdup("{\"flags\": [1], \"command\": null}");
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "settings"));
}

static void settings_come_back(void **state)
{
    (void)state;
    const char *const flags[] = { "trials=5", "env.K=\xe2\x82\xac \"'\n\\", "" };
    char *command[] = { "train me", "\xc3\xbc", "", "{x}", NULL };
    struct spec_source source = { .path = "s\xc3\xb6/search.yaml",
                                  .dir = "/d/\xe6\xbc\xa2",
                                  .flags = flags,
                                  .flag_count = COUNT(flags),
                                  .command = command };
    char *text = settings_text(&source, "/st\xc3\xb6rage");
    struct settings back;
    assert_int_equal(settings_read(&back, slice_text(text), slice_text("file")), OK);
    assert_string_equal(back.storage, "/st\xc3\xb6rage");
    assert_string_equal(back.source.path, source.path);
    assert_string_equal(back.source.dir, source.dir);
    assert_true(slice_same(back.source.text, slice_text("file")));
    assert_int_equal(back.source.flag_count, COUNT(flags));
    for (size_t i = 0; i < COUNT(flags); i++) {
        assert_string_equal(back.source.flags[i], flags[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_string_equal(back.source.command[i], command[i]);
    }
    assert_null(back.source.command[4]);
    settings_free(&back);
    free(text);
    text = settings_text(&(struct spec_source){ 0 }, NULL);
    assert_int_equal(settings_read(&back, slice_text(text), slice_text("file")), OK);
    assert_null(back.source.command);
    assert_null(back.storage);
    assert_null(back.source.dir);
    settings_free(&back);
    free(text);
    static const char *const wrong[] = {
        "", "[]", "{", "{\"flags\": 1}", "{\"flags\": []}", "{\"flags\": [], \"command\": [null]}"
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(settings_read(&back, slice_text(wrong[i]), slice_text("")), ERR_INVALID);
        settings_free(&back);
    }
}

/* --- JSON and CSV ----------------------------------------------------------------------------- */

static void json_has_best_and_all(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.5}", 0.5);
    struct rec_trial *failed = add(head, "{\"x\": 0.2}", "{\"loss\": 0.01}", 0.01);
    failed->state = TRIAL_ERROR;
    failed->text = slice_text("exited with 3");
    add(head, "{\"x\": 123456789012345678901234567890}", "", NAN)->state = TRIAL_RUNNING;
    head->trials[2].ended = head->trials[2].ended_ms = 0;
    add(head, "{\"x\": 0.3}", "{\"loss\": 0.25}", 0.25)->task = 0xabc;
    struct study_rows rows = load(head);
    json_t *all = result_json(&rows);
    const json_t *best = json_object_get(all, "best"), *study = json_object_get(all, "study");
    const json_t *trials = json_object_get(all, "trials");
    assert_int_equal(json_integer_value(json_object_get(best, "trial")), 3);
    assert_string_equal(json_string_value(json_object_get(best, "task_id")), "0000000000000abc");
    assert_string_equal(json_string_value(json_object_get(study, "name")), NAME);
    assert_string_equal(json_string_value(json_object_get(study, "mode")), "min");
    assert_int_equal(json_integer_value(json_object_get(study, "trials")), 4);
    assert_int_equal(json_array_size(trials), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(trials, 1), "text")),
                        "exited with 3");
    assert_true(json_is_null(json_object_get(json_array_get(trials, 2), "value")));
    assert_true(json_is_object(json_object_get(json_array_get(trials, 2), "params")));
    json_decref(all);
    study_rows_free(&rows);
    head->trial_count = 0;
    rows = load(head);
    all = result_json(&rows);
    assert_true(json_is_null(json_object_get(all, "best")));
    assert_int_equal(json_array_size(json_object_get(all, "trials")), 0);
    json_decref(all);
    study_rows_free(&rows);
    head_free(&head);
}

static void check_csv(struct head *head, const char *wanted)
{
    struct study_rows rows = load(head);
    char *text = printed(&rows, result_csv);
    assert_string_equal(text, wanted);
    free(text);
    study_rows_free(&rows);
}

static void csv_in_order_of_completion(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    check_csv(head, "x,opt,m,loss\n");
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.5, \"x\": 7}", 0.5);
    head->trials[0].ended = 4;
    add(head, "{\"x\": 1e-05, \"opt\": \"a,\\\"d\\\"\"}", "{\"n,o\": 2, \"loss\": 1}", 1);
    add(head, "{\"x\": 0.3, \"opt\": null}", "", NAN)->state = TRIAL_ERROR;
    add(head, "{\"x\": 0.9}", "{\"loss\": 1}", 1)->ended = 0;
    add(head, "{\"x\": 0.25, \"opt\": true}", "", 0.125)->given = 1;
    head->trials[4].ended = 1;
    add(head, "{\"x\": 2, \"opt\": \"l\\nine\"}",
        "{\"loss\": null, \"note\": \"h\xc3\xa9, you\", \"ok\": false}", NAN);
    check_csv(head, "x,opt,m,loss,\"n,o\",note,ok\n"
                    "0.25,true,,0.125,,,\n"
                    "1e-05,\"a,\"\"d\"\"\",,1,2,,\n"
                    "0.3,null,,,,,\n"
                    "0.1,sgd,3,0.5,,,\n"
                    "2,\"l\nine\",,,,\"h\xc3\xa9, you\",false\n");
    head_free(&head);
}

/* --- Ray's files ------------------------------------------------------------------------------ */

/*  The keys of Ray 2.60, but those of its own processes: pid, hostname, node_ip. */
static const char *const ray_keys[] = {
    "loss",         "timestamp", "checkpoint_dir_name", "done",
    "trial_id",     "date",      "training_iteration",  "time_this_iter_s",
    "time_total_s", "config",    "time_since_restore",  "iterations_since_restore"
};

static void check_ray_lines(const char *dir)
{
    char *text = content(dir, "trial_00000/result.json");
    assert_int_equal(lines_in(text), 3);
    json_t *first = line_of(text, 0), *last = line_of(text, 2);
    for (size_t i = 0; i < COUNT(ray_keys); i++) {
        assert_non_null(json_object_get(first, ray_keys[i]));
    }
    assert_string_equal(json_string_value(json_object_get(first, "trial_id")), NAME "/0");
    assert_true(json_number_value(json_object_get(first, "time_total_s")) == 1);
    assert_true(json_is_false(json_object_get(first, "done")));
    assert_true(json_is_true(json_object_get(last, "done")));
    assert_int_equal(json_integer_value(json_object_get(last, "training_iteration")), 3);
    assert_string_equal(json_string_value(json_object_get(last, "checkpoint_dir_name")),
                        "checkpoint_000002");
    assert_true(json_number_value(json_object_get(json_object_get(last, "config"), "x")) == 0.1);
    json_decref(first);
    json_decref(last);
}

static void rays_files(void **state)
{
    (void)state;
    char dir[64];
    folder_new(dir);
    struct head *head = head_new(plain);
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.1}", 0.1);
    struct rec_trial *failed = add(head, "{\"x\": 0.2}", "", NAN);
    failed->state = TRIAL_ERROR;
    failed->text = slice_text("exited with 3");
    add_report(head, 0, 1, "{\"loss\": 0.3, \"a,b\": \"q\\\"\"}");
    add_report(head, 0, 2, "{\"loss\": 0.2, \"late\": 1}");
    add_report(head, 0, 2, "{\"loss\": 9}"); /* an attempt says it again */
    add_report(head, 9, 1, "{\"loss\": 9}"); /* of a trial that was made since */
    add_report(head, 0, 3, "{\"loss\": 0.1}");
    head->reports[4].checkpoint = slice_text("/s/trial_00000/checkpoint_000002");
    add_report(head, 0, 4, "{\"loss\": 9}"); /* after it was told to end */
    struct study_rows rows = load(head);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(result_ray(&rows, dir), OK);
        check_ray_lines(dir);
        char *text = content(dir, "trial_00000/progress.csv");
        assert_int_equal(lines_in(text), 4);
        assert_int_equal(strncmp(text, "loss,\"a,b\",timestamp,checkpoint_dir_name,done,", 40), 0);
        assert_non_null(strstr(text, "\n0.3,\"q\"\"\",2,,False,1," NAME "/0,"));
        assert_null(strstr(text, "config"));
        assert_string_equal(content(dir, "trial_00000/params.json"),
                            "{\n  \"x\": 0.1,\n  \"opt\": \"sgd\",\n  \"m\": 3\n}");
        assert_null(content(dir, "trial_00000/error.txt"));
        assert_string_equal(content(dir, "trial_00001/error.txt"), "exited with 3");
        assert_string_equal(content(dir, "trial_00001/result.json"), "");
        assert_null(content(dir, "trial_00001/progress.csv"));
    }
    study_rows_free(&rows);
    head_free(&head);
    folder_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_become_rows),          cmocka_unit_test(what_the_head_says_wrongly),
        cmocka_unit_test(settings_come_back),         cmocka_unit_test(json_has_best_and_all),
        cmocka_unit_test(csv_in_order_of_completion), cmocka_unit_test(rays_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
