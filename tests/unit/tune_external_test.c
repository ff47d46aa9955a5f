/*  tune_external_test.c - the protocol of an outside search: what is said, and which answers are refused, and why. */
#include <jansson.h>
#include "client/tune/external.h"
#include "tests/unit/tune_search_world.h"

static struct world world;

static const char space_text[] =
    "space:\n  m: {choice: [svm, mlp]}\n  lr: {loguniform: [1e-5, 0.1], when: {m: mlp}}\n"
    "  n: {int: [1, 9]}\n  q: {quniform: [0, 1, 0.25]}\n  b: {choice: [16, 32]}\n"
    "  flag: {choice: [true, false, null]}\n  c: 5\n  e: {expr: \"n * 2\"}\n"
    "  w: {int: [1, 4], when: \"n >= 5\"}\n"
    "constraints: [\"n <= 8\"]\nsearch: {algo: external, command: [x]}\n";

static int open_world(void **state)
{
    (void)state;
    world_open(&world, space_text, 7);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static json_t *parsed(char *line)
{
    size_t n = strlen(line);
    assert_int_equal(line[n - 1], '\n');
    assert_null(memchr(line, '\n', n - 1));
    json_t *object = json_loads(line, 0, NULL);
    free(line);
    assert_non_null(object);
    return object;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void init_describes_the_space(void **state)
{
    (void)state;
    json_t *init = parsed(external_init(world.spec, UINT64_MAX));
    assert_string_equal(text_at(init, "type"), "init");
    assert_string_equal(text_at(init, "mode"), "min");
    assert_string_equal(text_at(init, "metric"), "v");
    assert_true(number_at(init, "trials") == 100);
    assert_true(json_integer_value(json_object_get(init, "seed")) == INT64_MAX);
    const json_t *params = json_object_get(init, "space");
    assert_int_equal(json_array_size(params), 9);
    for (uint32_t i = 0; i < 9; i++) {
        const json_t *param = json_array_get(params, i);
        const struct param *wanted = &world.spec->space.params[i];
        assert_string_equal(text_at(param, "name"), wanted->name);
    }
    const json_t *lr = json_array_get(params, space_find(&world.spec->space, slice_text("lr")));
    assert_string_equal(text_at(lr, "kind"), "float");
    assert_string_equal(text_at(lr, "scale"), "log");
    assert_true(number_at(lr, "low") == 1e-5 && number_at(lr, "high") == 0.1);
    const json_t *when = json_array_get(json_object_get(lr, "when"), 0);
    assert_string_equal(text_at(when, "param"), "m");
    assert_string_equal(json_string_value(json_array_get(json_object_get(when, "values"), 0)),
                        "mlp");
    const json_t *w = json_array_get(params, space_find(&world.spec->space, slice_text("w")));
    assert_true(json_is_true(json_object_get(w, "when_expression")));
    json_decref(init);
}

static void trials_are_told_as_the_user_sees_them(void **state)
{
    (void)state;
    json_t *ask = parsed(external_ask(4));
    assert_string_equal(text_at(ask, "type"), "ask");
    assert_true(number_at(ask, "trial") == 4);
    json_decref(ask);
    const struct space *space = &world.spec->space;
    double x[PARAMS_MAX];
    space_draw(space, 1, 1, 0, x);
    x[space_find(space, slice_text("m"))] = 0;
    space_complete(space, x);
    struct trial trial = { .number = 3, .state = TRIAL_TERMINATED, .pruned = true, .x = x };
    json_t *tell = parsed(external_tell(space, &trial, 0.25));
    assert_string_equal(text_at(tell, "state"), "TERMINATED");
    assert_true(number_at(tell, "value") == 0.25);
    assert_true(json_is_true(json_object_get(tell, "pruned")));
    const json_t *params = json_object_get(tell, "params");
    assert_string_equal(text_at(params, "m"), "svm");
    assert_null(json_object_get(params, "lr"));
    assert_true(number_at(params, "c") == 5);
    json_decref(tell);
    trial.state = TRIAL_ERROR;
    tell = parsed(external_tell(space, &trial, NAN));
    assert_true(json_is_null(json_object_get(tell, "value")));
    json_decref(tell);
    json_t *report = parsed(external_report(2, 10, 0.5));
    assert_true(number_at(report, "step") == 10 && number_at(report, "value") == 0.5);
    json_decref(report);
    json_t *refuse = parsed(external_refuse(2, "no \"such\"\n thing"));
    assert_string_equal(text_at(refuse, "text"), "no \"such\"\n thing");
    json_decref(refuse);
}

static int answer(const char *line, enum external_answer *kind, double *x, struct diag *why)
{
    *why = (struct diag){ 0 };
    return external_read(&world.spec->space, 4, slice_text(line), kind, x, why);
}

static double value_of(const double *x, const char *name)
{
    return x[space_find(&world.spec->space, slice_text(name))];
}

static void good_answers_are_points(void **state)
{
    (void)state;
    enum external_answer kind = 0;
    double x[PARAMS_MAX];
    struct diag why;
    assert_int_equal(answer("{\"trial\": 4, \"params\": {\"m\": \"mlp\", \"lr\": 0.01, \"n\": 6, "
                            "\"q\": 0.75, \"b\": 32.0, \"flag\": null, \"w\": 2}}",
                            &kind, x, &why),
                     OK);
    assert_int_equal(kind, EXTERNAL_POINT);
    assert_true(value_of(x, "m") == 1 && value_of(x, "lr") == 0.01 && value_of(x, "n") == 6);
    assert_true(value_of(x, "q") == 0.75 && value_of(x, "b") == 1 && value_of(x, "flag") == 2);
    assert_true(value_of(x, "e") == 12 && value_of(x, "w") == 2);
    /* lr and w are not active: what is given for lr is not looked at */
    assert_int_equal(answer("{\"trial\": 4, \"params\": {\"m\": \"svm\", \"lr\": 77, \"n\": 1, "
                            "\"q\": 0, \"b\": 16, \"flag\": true}}",
                            &kind, x, &why),
                     OK);
    assert_true(isnan(value_of(x, "lr")) && isnan(value_of(x, "w")) && value_of(x, "flag") == 0);
    assert_int_equal(answer("{\"trial\": 4, \"wait\": true}", &kind, x, &why), OK);
    assert_int_equal(kind, EXTERNAL_WAIT);
    assert_int_equal(answer("{\"trial\": 4, \"done\": true}", &kind, x, &why), OK);
    assert_int_equal(kind, EXTERNAL_DONE);
    assert_int_equal(answer("{\"trial\": 4, \"params\": {\"m\": \"svm\", \"n\": 9, \"q\": 0, "
                            "\"b\": 16, \"flag\": true, \"w\": 1}}",
                            &kind, x, &why),
                     OK);
    assert_int_equal(kind, EXTERNAL_REFUSED);
    assert_non_null(strstr(why.text, "constraint"));
}

static void bad_answers_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *wanted;
    } bad[] = {
        { "", "is not JSON" },
        { "[1", "is not JSON" },
        { "[1]", "is not a JSON object" },
        { "{\"params\": {}}", "trial: is missing" },
        { "{\"trial\": 5, \"params\": {}}", "trial: is 5, but trial 4 was asked for" },
        { "{\"trial\": 4}", "has neither params" },
        { "{\"trial\": 4, \"params\": [1]}", "has neither params" },
        { "{\"trial\": 4, \"params\": {\"lrr\": 1}}",
          "unknown parameter \"lrr\"; do you mean lr?" },
        { "{\"trial\": 4, \"params\": {}}", "m: is active, but has no value" },
        { "{\"trial\": 4, \"params\": {\"m\": \"cnn\"}}", "m: \"cnn\" is none of its options" },
        { "{\"trial\": 4, \"params\": {\"m\": \"mlp\", \"lr\": 0.2}}",
          "is not between 1e-05 and 0.1" },
        { "{\"trial\": 4, \"params\": {\"m\": \"mlp\", \"lr\": \"x\"}}", "lr: is not a number" },
        { "{\"trial\": 4, \"params\": {\"m\": \"svm\", \"n\": 1.5}}", "n: 1.5 is not on its grid" },
        { "{\"trial\": 4, \"params\": {\"m\": \"svm\", \"n\": 5, \"q\": 0, \"b\": 16, \"flag\": "
          "true}}",
          "w: is active, but has no value" },
        { "{\"trial\": 4, \"trial\": 4, \"done\": true}", "is not JSON" },
    };
    for (uint32_t i = 0; i < COUNT(bad); i++) {
        enum external_answer kind = 0;
        double x[PARAMS_MAX];
        struct diag why;
        assert_int_equal(answer(bad[i].line, &kind, x, &why), ERR_INVALID);
        if (!strstr(why.text, bad[i].wanted)) {
            fail_msg("\"%s\" instead of \"%s\"", why.text, bad[i].wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_describes_the_space),
        cmocka_unit_test(trials_are_told_as_the_user_sees_them),
        cmocka_unit_test(good_answers_are_points),
        cmocka_unit_test(bad_answers_say_what_is_wrong),
    };
    return cmocka_run_group_tests_name("tune_external", tests, open_world, close_world);
}
