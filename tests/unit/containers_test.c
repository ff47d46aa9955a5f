/*  containers_test.c - pool, list, map and heap, against models that are too simple to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/heap.h"
#include "common/list.h"
#include "common/map.h"
#include "common/pool.h"
#include "common/prng.h"

enum { KEYS = 100000, SMALL = 64 };

struct item {
    uint64_t key;
    uint64_t time;
    uint32_t place;
    uint32_t link;
    struct link_pair links;
};

static struct pool slots;
static struct prng prng;

static int setup(void **state)
{
    prng.state = 4711;
    *state = malloc(pool_bytes(KEYS, sizeof(struct item)));
    pool_init(&slots, *state, KEYS, sizeof(struct item));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct item *at(uint32_t index)
{
    return pool_at(&slots, index);
}

static uint32_t take(uint64_t key)
{
    uint32_t index = pool_take(&slots);
    assert_int_not_equal(index, NONE);
    at(index)->key = key;
    return index;
}

static void a_pool_gives_each_slot_once(void **state)
{
    (void)state;
    bool *taken = calloc(KEYS, sizeof(*taken));
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t index = pool_take(&slots);
        assert_int_equal(index, i); /* in order of first use */
        taken[index] = true;
    }
    assert_int_equal(pool_take(&slots), NONE);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t index = (uint32_t)prng_below(&prng, KEYS);
        if (taken[index]) {
            memset(at(index), 0xEE, sizeof(struct item));
            pool_give(&slots, index);
            taken[index] = false;
        }
    }
    uint32_t left = KEYS - slots.taken;
    for (uint32_t i = 0; i < left; i++) {
        static const struct item zero;
        uint32_t index = pool_take(&slots);
        assert_false(taken[index]);
        assert_memory_equal(at(index), &zero, sizeof(zero));
        taken[index] = true;
    }
    assert_int_equal(pool_take(&slots), NONE);
    free(taken);
}

static void a_map_finds_all_keys_while_it_grows(void **state)
{
    (void)state;
    void *memory = malloc(map_bytes(KEYS));
    struct map map;
    map_init(&map, memory, KEYS, &slots, offsetof(struct item, key), offsetof(struct item, link));
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t key = (i % 7) << 40 | i; /* of seven sessions */
        map_add(&map, take(key));
        uint64_t known = prng_below(&prng, i + 1);
        uint32_t found = map_find(&map, (known % 7) << 40 | known);
        assert_int_equal(found, known);
        assert_int_equal(map_next(&map, found), NONE);
        assert_int_equal(map_find(&map, i + 1), NONE);
    }
    assert_int_equal(map.count, KEYS);
    for (uint64_t i = 0; i < KEYS; i += 2) {
        map_remove(&map, (uint32_t)i);
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_int_equal(map_find(&map, (i % 7) << 40 | i), i % 2 == 0 ? NONE : (uint32_t)i);
    }
    assert_int_equal(map.count, KEYS / 2);
    free(memory);
}

/*  Few keys, each many times: the entries of a key come newest first, also after splits and
    removals. */
static void a_map_keeps_doubled_keys_in_order(void **state)
{
    (void)state;
    enum { DIFFERENT = 10, EACH = 200 };
    void *memory = malloc(map_bytes(DIFFERENT * EACH));
    struct map map;
    map_init(&map, memory, DIFFERENT * EACH, &slots, offsetof(struct item, key),
             offsetof(struct item, link));
    for (uint32_t i = 0; i < DIFFERENT * EACH; i++) {
        map_add(&map, take(i % DIFFERENT * 1000003));
    }
    for (uint32_t i = 0; i < DIFFERENT * EACH; i += 3) {
        map_remove(&map, i);
    }
    for (uint32_t key = 0; key < DIFFERENT; key++) {
        uint32_t found = map_find(&map, key * 1000003);
        for (uint32_t i = DIFFERENT * EACH; i-- > 0;) {
            if (i % DIFFERENT == key && i % 3 != 0) {
                assert_int_equal(found, i);
                found = map_next(&map, found);
            }
        }
        assert_int_equal(found, NONE);
    }
    free(memory);
}

static void check_heap(const struct heap *heap, const uint64_t *times, uint32_t count)
{
    uint64_t first = UINT64_MAX;
    uint32_t present = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool in = times[i] != UINT64_MAX;
        present += in;
        first = times[i] < first ? times[i] : first;
        assert_int_equal(at(i)->place != NONE, in);
        assert_true(!in || heap->items[at(i)->place] == i);
    }
    assert_int_equal(heap->count, present);
    assert_true(heap_time(heap) == first);
    assert_true(present == 0 ? heap_first(heap) == NONE : times[heap_first(heap)] == first);
}

static void a_heap_agrees_with_an_array(void **state)
{
    (void)state;
    uint64_t times[SMALL];
    void *memory = malloc(heap_bytes(SMALL));
    struct heap heap;
    heap_init(&heap, memory, SMALL, &slots, offsetof(struct item, time),
              offsetof(struct item, place));
    for (uint32_t i = 0; i < SMALL; i++) {
        at(take(i))->place = NONE;
        times[i] = UINT64_MAX;
    }
    for (int round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)prng_below(&prng, SMALL);
        if (prng_below(&prng, 3) == 0) {
            heap_remove(&heap, i); /* also what is not in it */
            times[i] = UINT64_MAX;
        } else {
            times[i] = prng_below(&prng, 100);
            heap_set(&heap, i, times[i]);
        }
        check_heap(&heap, times, SMALL);
    }
    free(memory);
}

static void check_chain(const struct chain *chain, const uint32_t *model, uint32_t count)
{
    const uint32_t offset = offsetof(struct item, links);
    assert_int_equal(chain->count, count);
    uint32_t previous = NONE;
    uint32_t index = chain->first;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(index, model[i]);
        assert_int_equal(chain_links(&slots, offset, index)->previous, previous);
        previous = index;
        index = chain_links(&slots, offset, index)->next;
    }
    assert_int_equal(index, NONE);
    assert_int_equal(chain->last, previous);
}

static void a_chain_agrees_with_an_array(void **state)
{
    (void)state;
    const uint32_t offset = offsetof(struct item, links);
    struct chain chain;
    uint32_t model[SMALL];
    uint32_t count = 0;
    chain_init(&chain);
    for (int round = 0; round < 20000; round++) {
        if (count < SMALL && prng_below(&prng, 2) == 0) {
            uint32_t index = take(0);
            if (prng_below(&prng, 2) == 0) {
                chain_append(&chain, &slots, offset, index);
                model[count] = index;
            } else {
                chain_prepend(&chain, &slots, offset, index);
                memmove(model + 1, model, count * sizeof(*model));
                model[0] = index;
            }
            count++;
        } else if (count > 0) {
            uint32_t i = (uint32_t)prng_below(&prng, count);
            chain_remove(&chain, &slots, offset, model[i]);
            pool_give(&slots, model[i]);
            memmove(model + i, model + i + 1, (--count - i) * sizeof(*model));
        }
        check_chain(&chain, model, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pool_gives_each_slot_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_map_finds_all_keys_while_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_map_keeps_doubled_keys_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_heap_agrees_with_an_array, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chain_agrees_with_an_array, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
