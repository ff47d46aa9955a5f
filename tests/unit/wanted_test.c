/*  wanted_test.c - values that are needed on a node and are on others: two nodes in one process, and the test is the head. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ftw.h>
#include "common/file.h"
#include "common/log.h"
#include "worker/carry_store.h"
#include "worker/wanted.h"

enum { SIZE = 300000, USER = 5, HERE = 1, THERE = 2, NOWHERE = 3, TURNS_MAX = 2000, WAIT_MS = 10 };

struct node {
    char dir[64];
    struct node_store *store;
    struct carry *carry;
};

static char folder[] = "/tmp/rayc-wanted-XXXXXX";
static struct node here, there;
static struct stock *stock;
static struct store_socket *door;
static struct wanted *wanted;

static void open_node(struct node *node, const char *name)
{
    char endpoint[128];
    snprintf(node->dir, sizeof(node->dir), "%s/%s", folder, name);
    assert_int_equal(file_make_dir(node->dir, 0700), OK);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/carry.sock", node->dir);
    assert_int_equal(node_store_open(&node->store, &(struct node_store_config){ .dir = node->dir,
                                                                                .bytes = 8 * MIB }),
                     OK);
    assert_int_equal(
        carry_open(&node->carry, &(struct carry_options){ .endpoint = endpoint,
                                                          .store = carry_store(node->store),
                                                          .pulls = pulls_defaults() }),
        OK);
}

static int set_up(void **state)
{
    (void)state;
    open_node(&here, "here");
    open_node(&there, "there");
    assert_int_equal(stock_open(&stock, here.store), OK);
    assert_int_equal(store_socket_open(&door, here.store, here.dir), OK);
    assert_int_equal(
        wanted_open(&wanted, &(struct wanted_parts){ here.store, stock, door, here.carry }), OK);
    carry_say_token(here.carry, "rayc_worker");
    stock_joined(stock, HERE);
    wanted_joined(wanted, HERE);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_all(const char *path)
{
    return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int tear_down(void **state)
{
    (void)state;
    wanted_close(&wanted);
    store_socket_close(&door);
    stock_close(&stock);
    carry_close(&here.carry);
    carry_close(&there.carry);
    node_store_close(&here.store);
    node_store_close(&there.store);
    return remove_all(here.dir) + remove_all(there.dir);
}

static void make(struct node *node, uint64_t task)
{
    uint32_t buffer;
    assert_int_equal(node_store_create(node->store, USER, SIZE, &buffer), OK);
    assert_int_equal(node_store_write(node->store, buffer, 0, slice_text("made")), OK);
    assert_int_equal(node_store_seal(node->store, buffer, task, 0, true), OK);
}

/*  A source with at most one place. */
static struct list source_of(struct wire *wire, uint64_t task, uint32_t how, uint64_t node)
{
    uint8_t bytes[CARRY_ADDRESS_BYTES + 32];
    struct wire places = { bytes, 0, sizeof(bytes), false };
    proto_put_record(
        &places, REC_KEEPER,
        &(struct rec_keeper){ node, slice_text(carry_address(there.carry)), COPY_PRIMARY });
    wire->n = 0;
    proto_put_record(wire, REC_SOURCE,
                     &(struct rec_source){
                         .task = task,
                         .size = SIZE,
                         .state = how,
                         .reason = how == DIRECTORY_LOST ? REASON_OBJECT_UNRECONSTRUCTABLE_PUT : 0,
                         .places = wire_list(&places, node != 0) });
    return wire_list(wire, 1);
}

/*  An attempt needs the object of `task`, which that node should have. */
static void need(uint64_t attempt, uint64_t task, uint64_t node)
{
    uint8_t bytes[512];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct act act = { .kind = ACT_PULL, .user = USER };
    act.held.task = attempt;
    act.held.token = attempt + 1000;
    act.held.sources = source_of(&wire, task, DIRECTORY_STORED, node);
    wanted_pull(wanted, &act);
}

/*  What the head answers to WHERE. */
static void answer(uint64_t task, uint32_t how, uint64_t node)
{
    uint8_t bytes[512];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    wanted_places(wanted, &(struct msg_places){ 1, source_of(&wire, task, how, node) });
}

/*  Both nodes' turns, until an attempt is told; `now_ms` does not pass. */
static struct worker_event next_told(void)
{
    struct worker_event event;
    for (int i = 0; i < TURNS_MAX; i++) {
        struct pollfd fds[] = { { carry_fd(here.carry), POLLIN, 0 },
                                { carry_fd(there.carry), POLLIN, 0 } };
        struct msg_token_check check;
        poll(fds, COUNT(fds), WAIT_MS);
        while (carry_ask(there.carry, &check)) {
            carry_answer(there.carry,
                         &(struct msg_token_may){ .seq = check.seq, .role = ROLE_WORKER });
        }
        while (carry_ask(here.carry, &check)) {}
        wanted_turn(wanted, 1);
        if (wanted_next(wanted, &event)) {
            return event;
        }
    }
    fail_msg("nothing is told");
    return event;
}

static void must_be_told(uint64_t attempt, int32_t code)
{
    struct worker_event event = next_told();
    assert_int_equal(event.kind, WEV_PULLED);
    assert_int_equal(event.task, attempt);
    assert_int_equal(event.token, attempt + 1000);
    assert_int_equal(event.code, code);
}

static struct node_copy copy_here(uint64_t task)
{
    struct node_copy copy;
    assert_true(node_store_has(here.store, task, 0, &copy));
    return copy;
}

static void what_comes_is_a_copy_that_the_head_is_told_of(void **state)
{
    (void)state;
    struct msg_stock told = { 0 }, more;
    make(&there, 10);
    need(1, 10, THERE);
    must_be_told(1, OK);
    assert_false(copy_here(10).primary);
    assert_int_equal(copy_here(10).user, USER);
    while (stock_next(stock, 1, &more)) {
        told = more;
    }
    struct rec_copy copy;
    assert_true(next_copy(&told.copies, &copy));
    assert_int_equal(copy.task, 10);
    assert_int_equal(copy.size, SIZE);
    assert_int_equal(copy.how, COPY_SECONDARY);
    assert_int_equal(wanted_due(wanted), UINT64_MAX);
    need(2, 10, THERE); /* it is here now */
    must_be_told(2, OK);
}

static void what_is_not_acknowledged_is_told_again(void **state)
{
    (void)state;
    struct msg_stock told;
    stock_joined(stock, HERE);
    assert_true(stock_next(stock, 1000, &told));
    uint64_t number = told.number;
    assert_false(stock_next(stock, 1001, &told));
    assert_true(stock_next(stock, 1000 + 60000, &told));
    assert_int_equal(told.number, number);
    stock_on_ack(stock, &(struct msg_stock_ack){ .number = number });
    assert_false(stock_next(stock, 1000 + 120000, &told));
}

static void many_wait_for_one_transfer(void **state)
{
    (void)state;
    make(&there, 10);
    for (uint64_t i = 1; i <= 20; i++) {
        need(i, 10, THERE);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(next_told().code, OK);
    }
}

static void another_node_is_asked(void **state)
{
    (void)state;
    struct msg_fetch_failed missing;
    struct msg_where where;
    struct rec_missing what;
    struct worker_event event;
    need(1, 10, NOWHERE); /* who is there does not have it yet */
    while (!wanted_missing(wanted, &missing)) {
        struct msg_token_check check;
        wanted_turn(wanted, 1);
        while (carry_ask(there.carry, &check)) {
            carry_answer(there.carry,
                         &(struct msg_token_may){ .seq = check.seq, .role = ROLE_WORKER });
        }
        poll(&(struct pollfd){ carry_fd(here.carry), POLLIN, 0 }, 1, WAIT_MS);
    }
    assert_true(next_missing(&missing.missing, &what));
    assert_int_equal(what.task, 10);
    assert_int_equal(what.node, NOWHERE);
    while (!wanted_ask(wanted, &where)) {
        wanted_turn(wanted, 1);
        poll(&(struct pollfd){ carry_fd(here.carry), POLLIN, 0 }, 1, WAIT_MS);
    }
    assert_int_equal(where.objects.count, 1);
    answer(10, DIRECTORY_REBUILDING, 0);
    assert_false(wanted_next(wanted, &event));
    make(&there, 10);
    wanted_turn(wanted, 1001); /* it asks again */
    assert_true(wanted_ask(wanted, &where));
    answer(10, DIRECTORY_STORED, THERE);
    must_be_told(1, OK);
}

static void what_is_lost_is_told_with_its_reason(void **state)
{
    (void)state;
    struct msg_where where;
    struct worker_event event;
    need(1, 10, 0);
    assert_true(wanted_ask(wanted, &where));
    answer(10, DIRECTORY_LOST, 0);
    assert_true(wanted_next(wanted, &event));
    assert_int_equal(event.task, 1);
    assert_int_equal(event.code, ERR_NOT_FOUND);
    assert_true(slice_same(event.text,
                           slice_text(object_reason_text(REASON_OBJECT_UNRECONSTRUCTABLE_PUT))));
    assert_false(wanted_next(wanted, &event));
}

static void a_new_head_is_asked_again(void **state)
{
    (void)state;
    struct msg_where where;
    need(1, 10, 0);
    assert_true(wanted_ask(wanted, &where));
    assert_false(wanted_ask(wanted, &where));
    wanted_joined(wanted, 0);
    assert_false(wanted_ask(wanted, &where));
    wanted_joined(wanted, HERE);
    assert_true(wanted_ask(wanted, &where));
    make(&there, 10);
    answer(10, DIRECTORY_STORED, THERE);
    must_be_told(1, OK);
}

/*  The head thinks that this node has it. */
static void what_this_node_has_lost_is_said(void **state)
{
    (void)state;
    struct msg_where where;
    struct msg_fetch_failed missing;
    struct rec_missing what;
    need(1, 10, 0);
    assert_true(wanted_ask(wanted, &where));
    answer(10, DIRECTORY_STORED, HERE);
    assert_true(wanted_missing(wanted, &missing));
    assert_true(next_missing(&missing.missing, &what));
    assert_int_equal(what.node, HERE);
    make(&here, 10); /* or it has just been made */
    wanted_turn(wanted, 1001);
    assert_true(wanted_ask(wanted, &where));
    answer(10, DIRECTORY_STORED, HERE);
    must_be_told(1, OK);
}

static uint64_t in_use(void)
{
    struct node_store_stats stats = node_store_stats(here.store);
    return stats.used - stats.free;
}

/*  Made here while it was to come from a node that says nothing: that transfer ends, and gives its memory back. */
static void what_is_here_meanwhile_is_not_fetched(void **state)
{
    (void)state;
    struct msg_where where;
    struct worker_event event;
    make(&here, 9);
    uint64_t one = in_use();
    need(1, 10, THERE);
    while (in_use() == one) {
        sched_yield();
    }
    make(&here, 10);
    wanted_turn(wanted, 1001);
    assert_true(wanted_ask(wanted, &where));
    answer(10, DIRECTORY_STORED, HERE);
    assert_true(wanted_next(wanted, &event));
    assert_int_equal(event.code, OK);
    while (in_use() != 2 * one) {
        sched_yield();
    }
}

static int make_folder(void **state)
{
    (void)state;
    log_level_set(LOG_LEVEL_ERROR);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return remove_all(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_is_a_copy_that_the_head_is_told_of),
        TEST(what_is_not_acknowledged_is_told_again),
        TEST(many_wait_for_one_transfer),
        TEST(another_node_is_asked),
        TEST(what_is_lost_is_told_with_its_reason),
        TEST(a_new_head_is_asked_again),
        TEST(what_this_node_has_lost_is_said),
        TEST(what_is_here_meanwhile_is_not_fetched),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
