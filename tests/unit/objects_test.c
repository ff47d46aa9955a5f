/*  objects_test.c - references of librayc: values that are put, against the head of librayc_world.h. */
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
    assert_non_null(strstr(get_text(ref, RAYC_ETOOLARGE), "8 MiB"));
    assert_null(rayc_buffer_new(sizeof(bytes)));
    assert_int_equal(rayc_error()->code, RAYC_ENOTFOUND); /* there is no worker here */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_head, stop_head)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_read_back_at_once),          TEST(a_value_goes_into_arguments),
        TEST(values_are_sent_again_after_a_restart), TEST(a_reference_cannot_be_put),
        TEST(what_is_too_large_cannot_be_put),       TEST(nothing_is_put_before_rayc_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
