/*  node_store_test.c - the store of a node: what is sealed stays readable, whatever had to make room for it. */
#include "worker/node_store.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/file.h"

enum { SIZE = 200 * 1000, SEGMENT = 208 << 10, USER = 7, OTHER = 8 };

static char dir[] = "/tmp/rayc-node-store-XXXXXX";
static struct node_store *store;
static int news;

static void open_with(uint64_t bytes, uint64_t spill_bytes, uint32_t segments_max)
{
    struct node_store_config config = { dir, bytes, spill_bytes, segments_max };
    assert_int_equal(node_store_open(&store, &config), OK);
    news = node_store_watch(store);
    assert_true(news >= 0);
}

static int teardown(void **state)
{
    (void)state;
    node_store_close(&store);
    return 0;
}

static void await_news(void)
{
    struct pollfd wait = { news, POLLIN, 0 };
    uint64_t count;
    assert_int_equal(poll(&wait, 1, -1), 1);
    assert_int_equal(read(news, &count, sizeof(count)), sizeof(count));
}

/*  How it ends, whatever has to be waited for. */
static int settled(int rc, uint32_t number)
{
    while (rc == NODE_STORE_LATER) {
        rc = node_store_ready(store, number);
        if (rc == NODE_STORE_LATER) {
            await_news();
        }
    }
    return rc;
}

static int create(uint64_t bytes, uint32_t *buffer)
{
    int rc = node_store_create(store, USER, bytes, buffer);
    return settled(rc, *buffer);
}

static int get(uint64_t user, uint64_t task, uint32_t *pin)
{
    int rc = node_store_get(store, user, task, 0, pin);
    return rc < 0 ? rc : settled(rc, *pin);
}

static void put(uint64_t task, bool primary)
{
    static uint8_t bytes[SIZE];
    uint32_t buffer;
    memset(bytes, (int)task, sizeof(bytes));
    assert_int_equal(create(SIZE, &buffer), OK);
    assert_int_equal(node_store_write(store, buffer, 0, slice_of(bytes, SIZE)), OK);
    assert_int_equal(node_store_seal(store, buffer, task, 0, primary), OK);
}

static bool is_right(uint32_t pin, uint64_t task)
{
    uint8_t ends[2];
    return node_store_read(store, pin, 0, &ends[0], 1) == OK &&
           node_store_read(store, pin, SIZE - 1, &ends[1], 1) == OK && ends[0] == (uint8_t)task &&
           ends[1] == (uint8_t)task;
}

static bool reads(uint64_t task)
{
    uint32_t pin;
    if (get(USER, task, &pin) != OK) {
        return false;
    }
    bool right = is_right(pin, task);
    node_store_unpin(store, pin);
    return right;
}

static bool has(uint64_t task)
{
    struct node_copy copy;
    return node_store_has(store, task, 0, &copy);
}

static unsigned spill_files(void)
{
    char path[PATH_BYTES];
    unsigned count = 0;
    assert_int_equal(file_path(path, sizeof(path), dir, "spill"), OK);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count;
}

static void what_is_sealed_is_read_by_its_user(void **state)
{
    (void)state;
    uint32_t pin;
    struct node_copy copy;
    open_with(10 * SEGMENT, 0, 0);
    put(1, true);
    assert_true(reads(1));
    assert_true(node_store_has(store, 1, 0, &copy));
    assert_int_equal(copy.id.size, SIZE);
    assert_int_equal(copy.user, USER);
    assert_true(copy.primary);
    assert_int_equal(get(OTHER, 1, &pin), ERR_NOT_FOUND);
    assert_int_equal(get(USER, 2, &pin), ERR_NOT_FOUND);
    assert_int_equal(get(NODE_STORE_ANYBODY, 1, &pin), OK);
    node_store_unpin(store, pin);
}

static void a_buffer_has_limits_and_is_nobodys_copy(void **state)
{
    (void)state;
    uint32_t buffer;
    open_with(10 * SEGMENT, 0, 0);
    assert_int_equal(create(SIZE, &buffer), OK);
    assert_false(has(1));
    assert_int_equal(node_store_write(store, buffer, SIZE, slice_text("x")), ERR_TOO_LARGE);
    assert_int_equal(node_store_write(store, buffer, UINT64_MAX, slice_text("x")), ERR_TOO_LARGE);
    node_store_abort(store, buffer);
    assert_int_equal(node_store_stats(store).free, SEGMENT);
    assert_int_equal(node_store_create(store, USER, UINT64_MAX, &buffer), ERR_TOO_LARGE);
}

static void memory_is_used_again_but_never_by_another_user(void **state)
{
    (void)state;
    uint32_t buffer[2];
    struct node_mapping first, again, other;
    open_with(10 * SEGMENT, 0, 0);
    assert_int_equal(create(SIZE, &buffer[0]), OK);
    close(node_store_map(store, buffer[0], &first));
    node_store_abort(store, buffer[0]);
    assert_int_equal(node_store_create(store, OTHER, SIZE, &buffer[1]), OK);
    close(node_store_map(store, buffer[1], &other));
    assert_int_equal(create(SIZE + 1, &buffer[0]), OK);
    close(node_store_map(store, buffer[0], &again));
    assert_int_equal(first.segment, again.segment);
    assert_int_not_equal(first.segment, other.segment);
    node_store_abort(store, buffer[0]);
    node_store_abort(store, buffer[1]);
}

static void a_reader_cannot_write(void **state)
{
    (void)state;
    uint32_t pin;
    struct node_mapping mapping;
    open_with(10 * SEGMENT, 0, 0);
    put(1, true);
    assert_int_equal(get(USER, 1, &pin), OK);
    int fd = node_store_map(store, pin, &mapping);
    assert_true(fd >= 0);
    const char *p = mmap(NULL, mapping.bytes, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(p[STORED_LEAD], 1);
    assert_int_equal(p[STORED_LEAD + SIZE], 0);
    assert_int_equal(mprotect((void *)(uintptr_t)p, mapping.bytes, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    munmap((void *)(uintptr_t)p, mapping.bytes);
    close(fd);
    node_store_unpin(store, pin);
}

static void the_oldest_secondary_makes_room_and_is_told(void **state)
{
    (void)state;
    struct node_copy copy;
    open_with(3 * SEGMENT, 0, 0);
    put(1, false);
    put(2, false);
    put(3, false);
    assert_true(reads(1)); /* so 2 is the oldest */
    put(4, true);
    assert_true(has(1) && !has(2) && has(3) && has(4));
    assert_true(node_store_gone(store, &copy));
    assert_int_equal(copy.id.task, 2);
    assert_false(node_store_gone(store, &copy));
    assert_int_equal(spill_files(), 0);
}

/*  Who waits for one is woken by all that happens, while it is still being read, too. */
static void primaries_go_to_the_disk_and_come_back(void **state)
{
    (void)state;
    struct node_copy copy;
    open_with(3 * SEGMENT, 0, 0);
    for (uint64_t task = 1; task <= 9; task++) {
        put(task, true);
    }
    assert_int_equal(spill_files(), 6);
    for (uint64_t task = 1; task <= 9; task++) {
        assert_true(reads(task));
    }
    assert_false(node_store_gone(store, &copy));
    assert_true(node_store_stats(store).used <= 3 * SEGMENT);
    for (uint64_t task = 1; task <= 9; task++) {
        node_store_drop(store, task, 0);
        assert_false(has(task));
    }
    put(10, true); /* and one that waits, after all that was dropped */
    put(11, true);
    put(12, true);
    put(13, true);
    assert_int_equal(spill_files(), 1);
}

static void what_is_spilled_is_told_once(void **state)
{
    (void)state;
    struct node_copy copy;
    open_with(2 * SEGMENT, 0, 0);
    for (uint64_t task = 1; task <= 5; task++) {
        put(task, true);
    }
    node_store_drop(store, 2, 0); /* which goes from the disk, too */
    assert_true(node_store_spilled(store, &copy));
    assert_true(copy.id.task == 1 && copy.primary && copy.disk);
    assert_true(reads(1)); /* it is in memory now, and still on the disk; another one may go */
    uint64_t last = copy.id.task;
    while (node_store_spilled(store, &copy)) {
        assert_true(copy.id.task > last && copy.id.task != 2);
        last = copy.id.task;
    }
    assert_true(node_store_has(store, 1, 0, &copy) && copy.disk);
    assert_true(last >= 3);
}

static void a_pinned_copy_stays_until_it_is_unpinned(void **state)
{
    (void)state;
    uint32_t pin;
    open_with(2 * SEGMENT, 0, 0);
    put(1, false);
    assert_int_equal(get(USER, 1, &pin), OK);
    put(2, true);
    put(3, true);
    put(4, true);
    assert_true(has(1) && is_right(pin, 1));
    node_store_drop(store, 1, 0);
    assert_false(has(1));
    assert_true(is_right(pin, 1));
    assert_int_equal(node_store_stats(store).pinned, 1);
    node_store_unpin(store, pin);
    assert_int_equal(node_store_stats(store).pinned, 0);
    assert_true(reads(2) && reads(3) && reads(4));
}

static void what_is_larger_than_memory_is_kept_in_a_file(void **state)
{
    (void)state;
    uint32_t buffer;
    open_with(2 * SEGMENT, 20 * SIZE, 0);
    assert_int_equal(create(10 * SIZE, &buffer), OK);
    assert_int_equal(node_store_write(store, buffer, 9 * SIZE, slice_text("end")), OK);
    assert_int_equal(node_store_seal(store, buffer, 1, 0, true), OK);
    put(2, true);
    assert_true(has(1) && reads(2));
    assert_int_equal(create(11 * SIZE, &buffer), ERR_FULL);
    node_store_drop(store, 1, 0);
    assert_int_equal(create(11 * SIZE, &buffer), OK);
    node_store_abort(store, buffer);
}

static void a_full_disk_is_said_and_nothing_is_lost(void **state)
{
    (void)state;
    uint32_t buffer;
    open_with(2 * SEGMENT, 2 * SIZE, 0);
    for (uint64_t task = 1; task <= 4; task++) {
        put(task, true);
    }
    assert_int_equal(create(SIZE, &buffer), ERR_FULL);
    for (uint64_t task = 1; task <= 4; task++) {
        assert_true(reads(task));
    }
    node_store_drop(store, 3, 0);
    put(5, true);
    assert_true(reads(5) && reads(1));
}

static void descriptors_are_memory_too(void **state)
{
    (void)state;
    open_with(100 * SEGMENT, 0, 3);
    for (uint64_t task = 1; task <= 7; task++) {
        put(task, true);
    }
    for (uint64_t task = 1; task <= 7; task++) {
        assert_true(reads(task));
    }
}

static void a_file_that_is_damaged_is_a_copy_that_is_gone(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint32_t pin;
    struct node_copy copy;
    open_with(SEGMENT, 0, 0);
    put(1, true);
    put(2, true); /* 1 is on the disk now */
    assert_int_equal(file_path(path, sizeof(path), dir, "spill/0000000000000001.0.1"), OK);
    assert_int_equal(truncate(path, SIZE / 2), 0);
    assert_int_equal(get(USER, 1, &pin), ERR_SYSTEM);
    assert_false(has(1));
    while (!node_store_gone(store, &copy)) {
        await_news();
    }
    assert_int_equal(copy.id.task, 1);
}

static void a_primary_replaces_and_a_secondary_gives_way(void **state)
{
    (void)state;
    uint32_t pin;
    struct node_copy copy;
    open_with(10 * SEGMENT, 0, 0);
    put(1, false);
    assert_int_equal(get(USER, 1, &pin), OK);
    put(1, true); /* the next attempt */
    assert_true(node_store_has(store, 1, 0, &copy) && copy.primary);
    put(1, false);
    assert_true(node_store_has(store, 1, 0, &copy) && copy.primary);
    assert_true(is_right(pin, 1));
    node_store_unpin(store, pin);
    assert_int_equal(node_store_stats(store).copies, 1);
    node_store_set_primary(store, 1, 0, false);
    assert_true(node_store_has(store, 1, 0, &copy) && !copy.primary);
}

static void copies_are_listed_and_dropped_by_task(void **state)
{
    (void)state;
    uint32_t buffer, at = 0, count = 0;
    struct node_copy copy;
    open_with(10 * SEGMENT, 0, 0);
    for (uint32_t index = 0; index < 4; index++) {
        assert_int_equal(create(SIZE, &buffer), OK);
        assert_int_equal(node_store_seal(store, buffer, 1, index, true), OK);
    }
    put(2, true);
    while (node_store_next(store, &at, &copy)) {
        count++;
    }
    assert_int_equal(count, 5);
    node_store_drop_task(store, 1);
    at = 0;
    assert_true(node_store_next(store, &at, &copy));
    assert_int_equal(copy.id.task, 2);
    assert_false(node_store_next(store, &at, &copy));
}

static void leftovers_are_cleared(void **state)
{
    (void)state;
    open_with(SEGMENT, 0, 0);
    put(1, true);
    put(2, true);
    assert_int_equal(spill_files(), 1);
    node_store_close(&store);
    assert_int_equal(spill_files(), 1); /* as after a kill */
    open_with(SEGMENT, 0, 0);
    assert_int_equal(spill_files(), 0);
    assert_false(has(1));
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char path[PATH_BYTES];
    (void)state;
    open_with(SEGMENT, 0, 0);
    node_store_close(&store);
    return file_path(path, sizeof(path), dir, "spill") || rmdir(path) || rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_sealed_is_read_by_its_user, teardown),
        cmocka_unit_test_teardown(a_buffer_has_limits_and_is_nobodys_copy, teardown),
        cmocka_unit_test_teardown(memory_is_used_again_but_never_by_another_user, teardown),
        cmocka_unit_test_teardown(a_reader_cannot_write, teardown),
        cmocka_unit_test_teardown(the_oldest_secondary_makes_room_and_is_told, teardown),
        cmocka_unit_test_teardown(primaries_go_to_the_disk_and_come_back, teardown),
        cmocka_unit_test_teardown(what_is_spilled_is_told_once, teardown),
        cmocka_unit_test_teardown(a_pinned_copy_stays_until_it_is_unpinned, teardown),
        cmocka_unit_test_teardown(what_is_larger_than_memory_is_kept_in_a_file, teardown),
        cmocka_unit_test_teardown(a_full_disk_is_said_and_nothing_is_lost, teardown),
        cmocka_unit_test_teardown(descriptors_are_memory_too, teardown),
        cmocka_unit_test_teardown(a_file_that_is_damaged_is_a_copy_that_is_gone, teardown),
        cmocka_unit_test_teardown(a_primary_replaces_and_a_secondary_gives_way, teardown),
        cmocka_unit_test_teardown(copies_are_listed_and_dropped_by_task, teardown),
        cmocka_unit_test_teardown(leftovers_are_cleared, teardown),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
