/*  keys_test.c - the keys of a head: made for a folder that is given or kept in the state folder, and refused when they
    do not fit together. */
#include "head/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "tests/unit/rows_put.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char paths[4][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    assert_int_equal(file_path(path, PATH_BYTES, dir, name), OK);
    return path;
}

static int setup(void **state)
{
    (void)state;
    folder_new(dir);
    return keys_make(in_dir("keys"));
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(dir);
    return 0;
}

static void load(struct keys *keys)
{
    assert_int_equal(keys_load(keys, in_dir("keys/cluster.key"), in_dir("keys")), OK);
}

static void refused(const char *key_file, const char *access_dir)
{
    struct keys keys;
    assert_int_equal(keys_load(&keys, key_file, access_dir), ERR_CONFIG);
}

static void made_keys_fit(void **unused)
{
    (void)unused;
    static const char *const names[] = { "keys/cluster.key", "keys/admin.key", "keys/worker.key" };
    struct keys keys, again;
    load(&keys);
    assert_true(keys.has_key);
    for (uint32_t i = 0; i < KEYS_ACCESS; i++) {
        assert_string_equal(keys.access[i].key.server_text, keys.own.public_text);
        assert_memory_equal(&keys.access[i].key.own, &keys.member, sizeof(keys.member));
    }
    assert_string_not_equal(keys.access[0].token, keys.access[1].token);
    assert_string_not_equal(keys.member.public_text, keys.own.public_text);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct stat info;
        assert_int_equal(stat(in_dir(names[i]), &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    assert_int_equal(keys_keep(&keys, in_dir("state")), OK); /* nothing is made */
    assert_int_not_equal(access(in_dir("state"), F_OK), 0);
    assert_int_equal(keys_make(in_dir("keys")), OK); /* what is there stays */
    load(&again);
    assert_memory_equal(&again.own, &keys.own, sizeof(keys.own));
    assert_string_equal(again.access[0].token, keys.access[0].token);
    keys_forget_access(&again);
    assert_string_equal(again.access[0].token, "");
}

static void one_token_can_be_replaced(void **unused)
{
    (void)unused;
    struct keys before, after;
    load(&before);
    assert_int_equal(unlink(in_dir("keys/admin.key")), 0);
    refused(in_dir("keys/cluster.key"), in_dir("keys"));
    assert_int_equal(keys_make(in_dir("keys")), OK);
    load(&after);
    assert_string_not_equal(after.access[0].token, before.access[0].token);
    assert_string_equal(after.access[1].token, before.access[1].token);
    assert_memory_equal(&after.member, &before.member, sizeof(before.member));
}

static void what_does_not_fit_is_refused(void **unused)
{
    (void)unused;
    struct keys keys;
    struct access access;
    struct diag why;
    assert_int_equal(keys_make(in_dir("other")), OK);
    refused(in_dir("keys/none.key"), in_dir("keys"));
    refused(in_dir("keys/admin.key"), in_dir("keys")); /* not a head's key */
    refused(in_dir("other/cluster.key"), in_dir("keys"));
    refused(NULL, in_dir("keys"));
    assert_int_equal(chmod(in_dir("keys/worker.key"), 0644), 0);
    refused(in_dir("keys/cluster.key"), in_dir("keys"));
    assert_int_equal(keys_make(in_dir("keys")), ERR_CONFIG);
    assert_int_equal(chmod(in_dir("keys/worker.key"), 0600), 0);
    load(&keys);

    access = keys.access[1];
    key_new(&access.key.own); /* another pair of members */
    assert_int_equal(access_save(in_dir("keys/worker.key"), &access), OK);
    refused(in_dir("keys/cluster.key"), in_dir("keys"));
    access = keys.access[1];
    access.has_key = false;
    assert_int_equal(access_save(in_dir("keys/worker.key"), &access), OK);
    assert_int_equal(access_load(in_dir("keys/worker.key"), &access, &why), OK);
    refused(in_dir("keys/cluster.key"), in_dir("keys"));
    access = keys.access[1];
    access.token[0] = 0;
    assert_int_equal(access_save(in_dir("keys/worker.key"), &access), OK);
    refused(in_dir("keys/cluster.key"), in_dir("keys"));
}

static void a_head_that_is_given_none_makes_its_own(void **unused)
{
    (void)unused;
    struct keys keys, again;
    assert_int_equal(file_make_dir(in_dir("state"), 0700), OK);
    assert_int_equal(keys_load(&keys, in_dir("keys/cluster.key"), NULL), OK);
    assert_int_equal(keys_keep(&keys, in_dir("state")), OK);
    assert_int_equal(keys_load(&again, in_dir("keys/cluster.key"), in_dir("state")), OK);
    assert_memory_equal(&again.access, &keys.access, sizeof(keys.access));

    assert_int_equal(keys_load(&again, NULL, NULL), OK); /* it listens on loopback now */
    assert_int_equal(keys_keep(&again, in_dir("state")), OK);
    assert_false(again.access[0].has_key);
    assert_string_equal(again.access[0].token, keys.access[0].token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(made_keys_fit),
        TEST(one_token_can_be_replaced),
        TEST(what_does_not_fit_is_refused),
        TEST(a_head_that_is_given_none_makes_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
