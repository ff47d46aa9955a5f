/*  package_file_test.c - an archive is in the store whole, under its hash, or not at all. */
#include "head/package_file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "common/file.h"
#include "tests/unit/rows_put.h"

static int files_in(const char *dir)
{
    DIR *names = opendir(dir);
    assert_non_null(names);
    int count = 0;
    for (struct dirent *file = readdir(names); file != NULL; file = readdir(names)) {
        count += file->d_name[0] != '.';
    }
    closedir(names);
    return count;
}

static void keep_twice(const char *dir)
{
    char hash[HASH_TEXT_BYTES], again[HASH_TEXT_BYTES], path[PATH_BYTES];
    uint64_t bytes = 0, size = 0;
    struct package_file *first, *second;
    assert_int_equal(package_file_open(&first, dir), OK);
    assert_int_equal(package_file_open(&second, dir), OK);
    assert_int_equal(package_file_add(first, slice_text("one ")), OK);
    assert_int_equal(package_file_add(second, slice_text("one two")), OK);
    assert_int_equal(package_file_add(first, slice_text("two")), OK);
    assert_int_equal(files_in(dir), 2);
    assert_int_equal(package_file_keep(first, hash, &bytes), OK);
    assert_int_equal(package_file_keep(second, again, &bytes), OK);
    assert_int_equal(bytes, 7);
    assert_string_equal(hash, again);
    package_file_close(&first);
    package_file_close(&second);
    assert_int_equal(files_in(dir), 1);
    assert_int_equal(file_path(path, sizeof(path), dir, hash), OK);
    assert_int_equal(file_hash(path, again, &size), OK);
    assert_string_equal(hash, again);
    assert_int_equal(size, 7);
}

static void one_content_is_one_file(void **state)
{
    (void)state;
    char dir[64];
    folder_new(dir);
    keep_twice(dir);
    folder_remove(dir);
}

static void what_is_not_kept_leaves_nothing(void **state)
{
    (void)state;
    char dir[64];
    folder_new(dir);
    struct package_file *file;
    assert_int_equal(package_file_open(&file, dir), OK);
    assert_int_equal(package_file_add(file, slice_text("half")), OK);
    package_file_close(&file);
    assert_int_equal(files_in(dir), 0);
    package_file_close(&file);
    folder_remove(dir);
    assert_int_equal(package_file_open(&file, dir), ERR_SYSTEM);
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_content_is_one_file),
        cmocka_unit_test(what_is_not_kept_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
