/*  objects_test.c - references of librayc: of values that are put, of tasks that return several, of other sessions'
    tasks; get and wait. */
#include "tests/unit/librayc_world.h"

static const char *get_text(rayc_ref ref, int code)
{
    assert_int_equal(rayc_get(ref, RAYC_FOREVER, NULL), code);
    return rayc_error()->text;
}

static void a_value_is_read_back_at_once(void **state)
{
    (void)state;
    join();
    rayc_value value;
    rayc_ref text = rayc_put(rayc_string("a text that does not fit into a slot"));
    rayc_ref number = rayc_put(rayc_int(-7));
    assert_int_equal(rayc_get(text, 0, &value), RAYC_OK);
    assert_int_equal(value.kind, RAYC_STRING);
    assert_string_equal(value.as.raw.data, "a text that does not fit into a slot");
    assert_int_equal(rayc_get(number, 0, &value), RAYC_OK);
    assert_int_equal(value.as.i, -7);
    rayc_drop(&text);
    rayc_drop(&number);
}

static void a_value_goes_into_arguments(void **state)
{
    (void)state;
    join();
    rayc_value value;
    rayc_ref number = rayc_put(rayc_int(12));
    rayc_ref ref = rayc_call(same, rayc_of(number));
    rayc_drop(&number);
    assert_int_equal(rayc_get(ref, RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 12);
}

static void values_are_sent_again_after_a_restart(void **state)
{
    (void)state;
    join();
    for (int i = 0; i < 100; i++) {
        rayc_ref ref = rayc_put(rayc_int(i));
        rayc_drop(&ref);
    }
    get_many(submit_many(10), 10);
    head.restart = 1;
    get_many(submit_many(10), 10);
    rayc_shutdown();
    assert_int_equal(head.below, 121);
}

static void a_reference_cannot_be_put(void **state)
{
    (void)state;
    join();
    rayc_ref number = rayc_put(rayc_int(12));
    assert_non_null(strstr(get_text(rayc_put(rayc_of(number)), RAYC_EINVALID), "wrap it"));
}

static void what_is_too_large_cannot_be_put(void **state)
{
    (void)state;
    join();
    static char bytes[RAYC_VALUE_MAX + 1];
    rayc_ref ref = rayc_put(rayc_bytes(bytes, sizeof(bytes)));
    assert_non_null(strstr(get_text(ref, RAYC_ENOTFOUND), "no node of the cluster"));
    rayc_buffer *large =
        rayc_buffer_new(sizeof(bytes)); /* there is no worker here: it is our own */
    assert_non_null(large);
    ref = rayc_put_buffer(&large);
    assert_non_null(strstr(get_text(ref, RAYC_ENOTFOUND), "no node of the cluster"));
    rayc_buffer *small = rayc_buffer_new(3);
    assert_non_null(small);
    memcpy(rayc_buffer_data(small), "abc", 3);
    ref = rayc_put_buffer(&small);
    rayc_value value;
    assert_int_equal(rayc_get(ref, 0, &value), RAYC_OK);
    assert_memory_equal(value.as.raw.data, "abc", 3);
    assert_non_null(strstr(get_text(rayc_put_buffer(&small), RAYC_EINVALID), "no buffer"));
}

static void nothing_is_put_before_rayc_init(void **state)
{
    (void)state;
    rayc_ref ref = rayc_put(rayc_int(1));
    assert_int_equal(ref.number, 0);
    assert_int_equal(rayc_error()->code, RAYC_ECLOSED);
}

static rayc_ref foreign(uint64_t counter, uint32_t index)
{
    return (rayc_ref){ task_id_of(FOREIGN_SESSION, counter).v, index, JOB };
}

static void references_of_others_can_be_got(void **state)
{
    (void)state;
    join();
    rayc_value value;
    assert_int_equal(rayc_get(foreign(1, 2), RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 13);
    assert_int_equal(rayc_get(foreign(1, 0), RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 11);
    rayc_ref gone = foreign(1, 0);
    rayc_drop(&gone);
    get_text(foreign(1, 3), RAYC_ENOTFOUND); /* it has returned three */
    get_text(foreign(2, 0), RAYC_ETASK);
    get_text(foreign(3, 0), RAYC_ENOTFOUND);
}

static void references_of_others_can_be_waited_for(void **state)
{
    (void)state;
    join();
    rayc_ref refs[] = { foreign(4, 0), foreign(2, 0), rayc_call(same, rayc_int(5)) };
    assert_int_equal(rayc_wait(refs, 3, 2, RAYC_FOREVER), 2);
    assert_int_equal(refs[2].number, foreign(4, 0).number);
    head.foreign_ended = true;
    head.restart = 1; /* who has lost its head asks again */
    rayc_value value;
    assert_int_equal(rayc_get(refs[2], RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 42);
}

static void all_are_got_in_order(void **state)
{
    (void)state;
    join();
    enum { MANY = 2000 };
    static rayc_ref refs[MANY];
    static rayc_value values[MANY];
    for (int i = 0; i < MANY; i++) {
        refs[i] = i % 2 == 0 ? rayc_put(rayc_int(i)) : rayc_call(same, rayc_int(i));
    }
    assert_int_equal(rayc_get_all(refs, MANY, RAYC_FOREVER, values), RAYC_OK);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(values[i].as.i, i);
    }
    assert_int_equal(rayc_get_all(refs, MANY, RAYC_FOREVER, NULL), RAYC_OK);
    assert_int_equal(rayc_get_all(NULL, 0, RAYC_FOREVER, NULL), RAYC_OK);
}

static void an_error_among_all_is_told_at_once(void **state)
{
    (void)state;
    join();
    rayc_ref refs[] = { foreign(4, 0), foreign(2, 0) }; /* the first never ends */
    assert_int_equal(rayc_get_all(refs, 2, RAYC_FOREVER, NULL), RAYC_ETASK);
    assert_int_equal(rayc_error()->app_code, 42);
    assert_int_equal(rayc_get_all(refs, 1, 0, NULL), RAYC_ETIMEOUT);
    assert_string_equal(rayc_error()->text, "1 of 1 references have not ended yet");
    refs[1] = (rayc_ref){ 0 };
    assert_int_equal(rayc_get_all(refs, 2, RAYC_FOREVER, NULL), RAYC_ENOTFOUND);
}

static void assert_refused(int rc, const char *why)
{
    assert_int_equal(rc, RAYC_EINVALID);
    if (strstr(rayc_error()->text, why) == NULL) {
        fail_msg("'%s' lacks '%s'", rayc_error()->text, why);
    }
}

static void wrong_waits_are_refused(void **state)
{
    (void)state;
    join();
    rayc_ref a = rayc_put(rayc_int(1)), b = rayc_put(rayc_int(2));
    rayc_ref twice[] = { a, b, a };
    assert_refused(rayc_wait(twice, 3, 1, 0), "reference 2 is in the list before");
    assert_int_equal(rayc_wait(twice, 2, 2, 0), 2); /* and nothing remembers it */
    assert_refused(rayc_wait(twice, 2, 0, 0), "wanted is 0 of 2");
    assert_refused(rayc_wait(twice, 2, 3, 0), "wanted is 3 of 2");
    assert_refused(rayc_wait(twice, 2, 1, -0.5), "the time-out is -0.5");
    assert_refused(rayc_wait(twice, 2, 1, 0.0 / 0.0), "nan");
    assert_refused(rayc_get(a, -2, NULL), "the time-out is -2");
    assert_refused(rayc_get_all(twice, 2, -2, NULL), "the time-out is -2");
    assert_refused(rayc_get_all(NULL, 2, 0, NULL), "is NULL");
    assert_int_equal(rayc_wait(NULL, 0, 1, 0), 0);
}

static void failures_count_as_ended(void **state)
{
    (void)state;
    join();
    rayc_ref good = rayc_put(rayc_int(1)), bad = rayc_put(rayc_of(good));
    rayc_ref refs[] = { bad, foreign(4, 0), good };
    assert_int_equal(rayc_wait(refs, 3, 3, 0), 2);
    assert_true(refs[0].number == bad.number && refs[1].number == good.number);
}

static void wrong_numbers_of_values_are_refused(void **state)
{
    (void)state;
    join();
    rayc_options options = rayc_defaults();
    options.returns = 3;
    rayc_ref refs[3];
    get_text(rayc_call_with(&options, same, rayc_int(1)), RAYC_EINVALID);
    head.lose_results = 1;
    rayc_call_n(refs, &options, same, rayc_int(1)); /* this head returns one value */
    assert_int_equal(rayc_wait(refs, 3, 3, RAYC_FOREVER), 3);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(get_text(refs[i], RAYC_ETASK), "another number of values"));
        rayc_drop(&refs[i]);
    }
    options.returns = 1025;
    static rayc_ref many[1025];
    rayc_call_n(many, &options, same, rayc_int(1));
    assert_non_null(strstr(get_text(many[1024], RAYC_EINVALID), "the limit is 1024"));
    options.returns = 2;
    const char *const argv[] = { "true", NULL };
    get_text(rayc_command(&options, argv, NULL, NULL, NULL, 0), RAYC_EINVALID);
}

static void a_reference_to_nothing_cannot_be_passed(void **state)
{
    (void)state;
    join();
    rayc_ref bad = rayc_put(rayc_of((rayc_ref){ 0 }));
    get_text(rayc_call(same, rayc_nested((rayc_ref){ 0 })), RAYC_EINVALID);
    get_text(rayc_call(same, rayc_nested(bad)), RAYC_EINVALID);
    get_text(rayc_put(rayc_nested(rayc_put(rayc_int(1)))), RAYC_EINVALID);
}

/*  An array of references, in msgpack. */
static rayc_arg array_of(const rayc_ref *refs, uint8_t count, uint8_t *to)
{
    to[0] = (uint8_t)(0x90 + count);
    for (uint8_t i = 0; i < count; i++) {
        rayc_pack_ref(refs[i], to + 1 + i * RAYC_REF_BYTES);
    }
    return rayc_packed(to, 1 + count * (size_t)RAYC_REF_BYTES);
}

static void what_is_inside_is_told(void **state)
{
    (void)state;
    join();
    uint8_t bytes[64];
    rayc_ref refs[] = { rayc_put(rayc_int(1)), rayc_put(rayc_int(2)) };
    rayc_ref both = rayc_put(array_of(refs, 2, bytes));
    get_many(submit_many(1), 1);
    assert_int_equal(head.inside, 2);
    rayc_ref ended[] = { rayc_call(same, rayc_int(5), rayc_nested(refs[0])),
                         rayc_call(same, rayc_int(6), array_of(refs, 2, bytes)),
                         rayc_call(same, rayc_int(7), rayc_of(both)),
                         rayc_call(same, rayc_int(8), rayc_of(foreign(4, 0))) };
    assert_int_equal(rayc_get_all(ended, 4, RAYC_FOREVER, NULL), RAYC_OK);
    assert_int_equal(head.inside, 2 + 1 + 2 + 2); /* the value of `both` travels with the call */
    static rayc_ref many[1025];
    static uint8_t large[3 + sizeof(many) / sizeof(many[0]) * RAYC_REF_BYTES];
    memcpy(large, "\xDC\x04\x01", 3);
    for (int i = 0; i < 1025; i++) {
        rayc_pack_ref(refs[0], large + 3 + i * RAYC_REF_BYTES);
    }
    assert_non_null(strstr(get_text(rayc_put(rayc_packed(large, sizeof(large))), RAYC_EINVALID),
                           "more than 1024 references"));
}

static rayc_ref read_again(rayc_ref ref)
{
    uint8_t bytes[RAYC_REF_BYTES];
    rayc_pack_ref(ref, bytes);
    return rayc_unpack_ref(bytes + 2, RAYC_REF_BYTES - 2);
}

static void what_is_read_is_held_until_it_is_dropped(void **state)
{
    (void)state;
    join();
    rayc_ref ref = read_again(foreign(1, 0)), same_ref = read_again(foreign(1, 0));
    assert_int_equal(rayc_get(ref, RAYC_FOREVER, NULL), RAYC_OK);
    assert_int_equal(head.held, 1);
    rayc_drop(&ref);
    rayc_drop(&same_ref); /* it was the same */
    assert_int_equal(rayc_get(foreign(1, 1), RAYC_FOREVER, NULL), RAYC_OK);
    assert_int_equal(head.held, 2);
    assert_int_equal(head.dropped, 1);
}

static void what_was_dropped_can_be_read_again(void **state)
{
    (void)state;
    join();
    rayc_value value;
    rayc_ref ref = rayc_call(same, rayc_int(12)), ended = ref, copy = ref;
    assert_int_equal(rayc_get(ref, RAYC_FOREVER, NULL), RAYC_OK);
    rayc_drop(&ref);
    get_text(copy, RAYC_ENOTFOUND);
    copy = read_again(ended);
    assert_int_equal(rayc_get(copy, RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 12);
    assert_int_equal(head.held, 1);
    rayc_drop(&copy);
    get_text(ended, RAYC_ENOTFOUND);
    ended.number += 1000;
    get_text(read_again(ended), RAYC_ENOTFOUND); /* it never was */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_head, stop_head)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_read_back_at_once),
        TEST(a_value_goes_into_arguments),
        TEST(values_are_sent_again_after_a_restart),
        TEST(a_reference_cannot_be_put),
        TEST(what_is_too_large_cannot_be_put),
        TEST(nothing_is_put_before_rayc_init),
        TEST(references_of_others_can_be_got),
        TEST(references_of_others_can_be_waited_for),
        TEST(all_are_got_in_order),
        TEST(an_error_among_all_is_told_at_once),
        TEST(wrong_waits_are_refused),
        TEST(failures_count_as_ended),
        TEST(wrong_numbers_of_values_are_refused),
        TEST(a_reference_to_nothing_cannot_be_passed),
        TEST(what_is_inside_is_told),
        TEST(what_is_read_is_held_until_it_is_dropped),
        TEST(what_was_dropped_can_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
