/*  carry_test.c - objects travel between nodes in one process: from several sources at once, and past all that can go
    wrong with a source. */
#include "tests/unit/carry_world.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/push.h"

enum { CHUNKS = 5, SIZE = 4 * CARRY_CHUNK + 1234 };

/*  Two nodes that give, and one that fetches. */
static struct memory one, two, here;
static struct carry *giver_one, *giver_two;
static struct pulls *pulls;
static struct pulls_options options;
static struct msg_token_may answer; /* of the head, to the givers */
static uint32_t questions;

static struct carry *open_giver(struct memory *memory, const char *endpoint,
                                const struct member_key *key)
{
    struct carry *out;
    struct carry_options carry = {
        .endpoint = endpoint, .key = key, .store = memory_store(memory), .pulls = pulls_defaults()
    };
    assert_int_equal(carry_open(&out, &carry), OK);
    return out;
}

static void open_pulls(const struct member_key *key)
{
    options.sink = memory_store(&here).sink;
    options.key = key;
    assert_int_equal(pulls_open(&pulls, &options), OK);
    pulls_say_token(pulls, "rayc_secret");
}

static int setup(void **state)
{
    (void)state;
    options = pulls_defaults();
    answer = (struct msg_token_may){ 0, ROLE_WORKER, 0 };
    questions = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pulls_close(&pulls);
    carry_close(&giver_one);
    carry_close(&giver_two);
    memory_end(&one);
    memory_end(&two);
    memory_end(&here);
    return 0;
}

/*  The loops of the givers: they pass questions to the head. */
static void turn_giver(struct carry *giver)
{
    struct msg_token_check check;
    struct pull_news news;
    while (giver && carry_next(giver, &news)) {}
    while (giver && carry_ask(giver, &check)) {
        questions++;
        answer.seq = check.seq;
        carry_answer(giver, &answer);
    }
}

static void turn(void)
{
    struct pollfd fds[] = { { pulls_fd(pulls), POLLIN, 0 },
                            { giver_one ? carry_fd(giver_one) : -1, POLLIN, 0 },
                            { giver_two ? carry_fd(giver_two) : -1, POLLIN, 0 } };
    turn_giver(giver_one);
    turn_giver(giver_two);
    pulls_turn(pulls);
    poll(fds, COUNT(fds), WAIT_MS);
}

static struct pull_news next_news(void)
{
    struct pull_news news = { 0 };
    for (int i = 0; i < TURNS_MAX && !pulls_next(pulls, &news); i++) {
        turn();
    }
    assert_int_not_equal(news.kind, 0);
    return news;
}

/*  Of object `index`, from up to two addresses. */
static void order(uint32_t index, const char *first, const char *second)
{
    const struct pull_source sources[] = { { 1, first }, { 2, second } };
    const struct pull_order it = { TASK, index, SIZE, USER, sources, second ? 2 : 1 };
    assert_int_equal(pulls_add(pulls, &it), OK);
}

static void is_here(uint32_t index, struct memory *like)
{
    const struct kept *kept = memory_find(&here, index), *from = memory_find(like, index);
    assert_non_null(kept);
    assert_int_equal(kept->size, from->size);
    assert_int_equal(kept->user, USER);
    assert_memory_equal(kept->bytes, from->bytes, from->size);
}

static void done(uint32_t index, struct memory *like)
{
    struct pull_news news = next_news();
    assert_int_equal(news.kind, PULL_DONE);
    assert_int_equal(news.index, index);
    is_here(index, like);
}

static void an_object_comes_in_chunks(void **state)
{
    (void)state;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 1);
    open_pulls(NULL);
    here.late = true; /* its buffer comes later */
    order(0, carry_address(giver_one), NULL);
    done(0, &one);
    assert_int_equal(pulls_stats(pulls).chunks, CHUNKS);
    assert_int_equal(pulls_stats(pulls).bytes, SIZE);
    assert_int_equal(questions, 1);
}

static void several_sources_share_the_work(void **state)
{
    (void)state;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    giver_two = open_giver(&two, "tcp://127.0.0.1:*", NULL);
    for (uint32_t i = 0; i < 4; i++) {
        memory_fill(&one, i, SIZE, 2);
        memory_fill(&two, i, SIZE, 2);
    }
    open_pulls(NULL);
    for (uint32_t i = 0; i < 4; i++) {
        order(i, carry_address(giver_one), carry_address(giver_two));
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(next_news().kind, PULL_DONE);
    }
    for (uint32_t i = 0; i < 4; i++) {
        is_here(i, &one);
    }
    assert_int_equal(pulls_stats(pulls).chunks, 4 * CHUNKS);
}

static void two_orders_are_one_transfer(void **state)
{
    (void)state;
    struct pull_news news;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 3);
    open_pulls(NULL);
    order(0, carry_address(giver_one), NULL);
    order(0, carry_address(giver_one), NULL);
    pulls_cancel(pulls, TASK, 0); /* one of them */
    done(0, &one);
    assert_false(pulls_next(pulls, &news));
    assert_int_equal(here.asked, 1);
    assert_int_equal(pulls_stats(pulls).chunks, CHUNKS);
}

static void a_cancelled_one_leaves_nothing(void **state)
{
    (void)state;
    struct played silent;
    played_open(&silent, "tcp://127.0.0.1:*");
    open_pulls(NULL);
    order(0, silent.address, NULL);
    struct heard heard;
    for (int i = 0; i < TURNS_MAX && !played_hear(&silent, &heard); i++) {
        turn();
    }
    pulls_cancel(pulls, TASK, 0);
    struct pull_news news = next_news();
    assert_int_equal(news.kind, PULL_FAILED);
    assert_int_equal(news.code, ERR_CANCELLED);
    assert_int_equal(pulls_stats(pulls).running, 0);
    played_close(&silent);
}

static void larger_ones_wait_for_their_turn(void **state)
{
    (void)state;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    options.bytes_max = SIZE + 1;
    open_pulls(NULL);
    for (uint32_t i = 0; i < 3; i++) {
        memory_fill(&one, i, SIZE, 4);
        order(i, carry_address(giver_one), NULL);
    }
    pulls_turn(pulls);
    assert_int_equal(pulls_stats(pulls).running, 1);
    assert_int_equal(pulls_stats(pulls).waiting, 2);
    for (uint32_t i = 0; i < 3; i++) { /* in order */
        done(i, &one);
    }
}

static void a_source_that_has_it_not_is_told(void **state)
{
    (void)state;
    struct played node;
    struct heard heard;
    played_open(&node, "tcp://127.0.0.1:*");
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 5);
    open_pulls(NULL);
    order(0, node.address, NULL);
    for (int i = 0; !played_hear(&node, &heard); i++) {
        assert_int_not_equal(i, TURNS_MAX);
        turn();
    }
    order(0, carry_address(giver_one), NULL);
    played_refuse(&node, &heard, ERR_NOT_FOUND);
    struct pull_news news = next_news();
    assert_int_equal(news.kind, PULL_MISSING);
    assert_int_equal(news.node, 1);
    done(0, &one);
    order(9, carry_address(giver_one), NULL);
    assert_int_equal(next_news().kind, PULL_MISSING);
    news = next_news();
    assert_int_equal(news.kind, PULL_FAILED);
    assert_int_equal(news.code, ERR_NOT_FOUND);
    played_close(&node);
}

/*  A played node answers `right` requests, then does to the next what `wrong` does; the rest comes from giver_one. */
static void play(struct played *node, int right, void (*wrong)(struct played *, struct heard *))
{
    struct heard heard;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 6);
    order(0, node->address, NULL);
    for (int answered = 0, i = 0; answered <= right; i++) {
        assert_int_not_equal(i, TURNS_MAX);
        turn();
        while (answered <= right && played_hear(node, &heard)) {
            if (answered++ < right) {
                played_give(node, &heard, memory_find(&one, 0));
            } else {
                order(0, carry_address(giver_one), NULL);
                wrong(node, &heard);
            }
        }
    }
    done(0, &one);
}

static void dies(struct played *node, struct heard *heard)
{
    (void)heard;
    for (int i = 0; pulls_stats(pulls).chunks < 2; i++) { /* what it has given has arrived */
        assert_int_not_equal(i, TURNS_MAX);
        turn();
    }
    played_close(node);
}

static void what_a_lost_source_gave_is_kept(void **state)
{
    (void)state;
    struct played node;
    played_open(&node, "tcp://127.0.0.1:*");
    open_pulls(NULL);
    play(&node, 2, dies);
    assert_int_equal(pulls_stats(pulls).chunks, CHUNKS); /* none twice */
}

static void lies(struct played *node, struct heard *heard)
{
    static uint8_t other[CARRY_CHUNK];
    struct chunk_hash hash = chunk_hash(slice_text("something else"));
    played_say(node, heard, slice_of(&hash, sizeof(hash)), slice_of(other, sizeof(other)));
}

static void a_wrong_hash_comes_from_elsewhere(void **state)
{
    (void)state;
    struct played node;
    played_open(&node, "tcp://127.0.0.1:*");
    open_pulls(NULL);
    play(&node, 1, lies);
    assert_int_equal(pulls_stats(pulls).wrong, 1);
    assert_int_equal(pulls_stats(pulls).chunks, CHUNKS);
    played_close(&node);
}

static void repeats(struct played *node, struct heard *heard)
{
    for (int i = 0; i < 3; i++) {
        played_give(node, heard, memory_find(&one, 0));
    }
}

static void what_comes_twice_is_taken_once(void **state)
{
    (void)state;
    struct played node;
    played_open(&node, "tcp://127.0.0.1:*");
    options.stall_ms = 100; /* it says nothing more */
    open_pulls(NULL);
    play(&node, 1, repeats);
    assert_int_equal(pulls_stats(pulls).chunks, CHUNKS);
    played_close(&node);
}

static void says_nothing(struct played *node, struct heard *heard)
{
    (void)node;
    (void)heard;
}

static void a_source_that_stalls_is_left(void **state)
{
    (void)state;
    struct played node;
    played_open(&node, "tcp://127.0.0.1:*");
    options.stall_ms = 100;
    options.again_ms = 100000;
    open_pulls(NULL);
    play(&node, 1, says_nothing);
    assert_true(pulls_stats(pulls).again > 0);
    played_close(&node);
}

/*  Who fetches did something else meanwhile. */
static void what_came_between_two_turns_was_in_time(void **state)
{
    (void)state;
    struct played node;
    struct heard heard;
    played_open(&node, "tcp://127.0.0.1:*");
    options.stall_ms = 100;
    open_pulls(NULL);
    memory_fill(&one, 0, CARRY_CHUNK, 6);
    order(0, node.address, NULL);
    for (int i = 0; !played_hear(&node, &heard); i++) {
        assert_int_not_equal(i, TURNS_MAX);
        turn();
    }
    played_give(&node, &heard, memory_find(&one, 0));
    struct pollfd news = { pulls_fd(pulls), POLLIN, 0 };
    for (uint64_t late_ms = clock_ms() + options.stall_ms; clock_ms() <= late_ms;) {
        assert_true(poll(&news, 1, -1) > 0);
    }
    pulls_turn(pulls);
    assert_int_equal(pulls_stats(pulls).chunks, 1);
    assert_int_equal(pulls_stats(pulls).again, 0);
    pulls_cancel(pulls, TASK, 0);
    assert_int_equal(next_news().code, ERR_CANCELLED); /* the hash of the whole has not come */
    played_close(&node);
}

static void what_is_late_is_asked_of_an_idle_source(void **state)
{
    (void)state;
    struct played node;
    played_open(&node, "tcp://127.0.0.1:*");
    options.stall_ms = 100000;
    options.again_ms = 50;
    open_pulls(NULL);
    play(&node, 1, says_nothing);
    assert_int_equal(pulls_stats(pulls).again, 0);
    played_close(&node);
}

static void copies_that_differ_are_not_mixed(void **state)
{
    (void)state;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    giver_two = open_giver(&two, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 7);
    memory_fill(&two, 0, SIZE, 8);
    open_pulls(NULL);
    order(0, carry_address(giver_one), carry_address(giver_two));
    struct pull_news news = next_news();
    assert_int_equal(news.kind, PULL_DONE);
    const struct kept *kept = memory_find(&here, 0);
    bool first = memcmp(kept->bytes, memory_find(&one, 0)->bytes, SIZE) == 0;
    assert_true(first || memcmp(kept->bytes, memory_find(&two, 0)->bytes, SIZE) == 0);
}

static void patience_ends(void **state)
{
    (void)state;
    options.warn_ms = 10;
    options.fail_ms = 50;
    open_pulls(NULL);
    order(0, "tcp://127.0.0.1:1", NULL); /* nobody is there */
    struct pull_news news = next_news();
    assert_int_equal(news.kind, PULL_FAILED);
    assert_int_equal(news.code, ERR_TIMEOUT);
    assert_non_null(strstr(news.text, "nothing of it has come"));
}

static void a_user_gets_its_own_only(void **state)
{
    (void)state;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 9);
    answer.role = ROLE_USER;
    answer.user = USER + 1;
    open_pulls(NULL);
    order(0, carry_address(giver_one), NULL);
    assert_int_equal(next_news().kind, PULL_MISSING); /* as if it were not there */
    assert_int_equal(next_news().code, ERR_NOT_FOUND);
    answer.user = USER;
    pulls_say_token(pulls, "rayc_owner");
    order(0, carry_address(giver_one), NULL);
    done(0, &one);
    answer.role = 0;
    pulls_say_token(pulls, "rayc_nobody");
    order(1, carry_address(giver_one), NULL);
    assert_int_equal(next_news().code, ERR_TOKEN);
    answer.role = ROLE_METRICS;
    pulls_say_token(pulls, "rayc_metrics");
    order(1, carry_address(giver_one), NULL);
    assert_int_equal(next_news().code, ERR_FORBIDDEN);
}

static void only_members_are_let_in(void **state)
{
    (void)state;
    struct member_key key = { 0 }, other = { 0 };
    key_new(&key.own);
    key_new(&other.own);
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", &key);
    memory_fill(&one, 0, SIZE, 10);
    open_pulls(&key);
    order(0, carry_address(giver_one), NULL);
    done(0, &one);
    order(1, "tcp://127.0.0.1:1", NULL); /* an address without a key: nothing is said to it */
    assert_int_equal(next_news().code, ERR_KEY);
    pulls_close(&pulls);
    memory_end(&here);
    open_pulls(&other);
    order(0, carry_address(giver_one), NULL);
    assert_int_equal(next_news().code, ERR_KEY);
}

static void next_of(struct carry *carry, struct pull_news *out)
{
    for (int i = 0; !carry_next(carry, out); i++) {
        struct pollfd fds[] = { { carry_fd(giver_one), POLLIN, 0 },
                                { carry_fd(carry), POLLIN, 0 } };
        struct msg_token_check check;
        assert_int_not_equal(i, TURNS_MAX);
        turn_giver(giver_one);
        assert_false(carry_ask(carry, &check)); /* nobody asks it for anything */
        poll(fds, COUNT(fds), WAIT_MS);
    }
}

/*  Both sides by threads of their own, over a socket of the file system. */
static void nodes_fetch_from_each_other(void **state)
{
    (void)state;
    char folder[] = "/tmp/rayc-carry-XXXXXX", address[64];
    struct pull_news news = { 0 };
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "ipc://%s/one", folder);
    giver_one = open_giver(&one, address, NULL);
    giver_two = open_giver(&two, "tcp://127.0.0.1:*", NULL);
    memory_fill(&one, 0, SIZE, 11);
    const struct pull_source source = { 1, carry_address(giver_one) };
    carry_say_token(giver_two, "rayc_worker");
    carry_pull(giver_two, &(struct pull_order){ TASK, 0, SIZE, USER, &source, 1 });
    next_of(giver_two, &news);
    assert_int_equal(news.kind, PULL_DONE);
    assert_memory_equal(memory_find(&two, 0)->bytes, memory_find(&one, 0)->bytes, SIZE);
    carry_pull(giver_two, &(struct pull_order){ TASK, 1, 0, USER, &source, 1 });
    next_of(giver_two, &news);
    assert_int_equal(news.code, ERR_INVALID);
    carry_close(&giver_one);
    unlink(address + 6);
    rmdir(folder);
}

/*  A program on no node's machine, which waits for its node: two values, of which it gives up the second. */
static void *push_two(void *codes)
{
    static uint8_t bytes[SIZE];
    const struct push_to to = { carry_address(giver_one), NULL, "rayc_secret" };
    struct push *push;
    int *code = codes;
    for (uint64_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 31 + i / CARRY_CHUNK + 12);
    }
    code[0] = push_open(&push, &to, slice_of(bytes, SIZE));
    code[1] = code[0] == OK ? push_seal(push, TASK, 3) : code[0];
    push_close(&push);
    code[2] = push_open(&push, &to, slice_of(bytes, SIZE));
    push_close(&push);
    return NULL;
}

static void pushed_as(uint32_t role, int codes[3])
{
    pthread_t thread;
    giver_one = open_giver(&one, "tcp://127.0.0.1:*", NULL);
    answer = (struct msg_token_may){ 0, role, USER };
    assert_int_equal(pthread_create(&thread, NULL, push_two, codes), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        turn_giver(giver_one);
        poll(&(struct pollfd){ carry_fd(giver_one), POLLIN, 0 }, 1, WAIT_MS);
    }
}

static void what_is_put_from_elsewhere_is_sealed_when_it_is_whole(void **state)
{
    (void)state;
    int codes[3];
    one.late = true; /* there is room after a while */
    memory_fill(&two, 3, SIZE, 12);
    pushed_as(ROLE_USER, codes);
    assert_int_equal(codes[0], OK);
    assert_int_equal(codes[1], OK);
    assert_int_equal(codes[2], OK);
    assert_int_equal(memory_find(&one, 3)->user, USER);
    assert_memory_equal(memory_find(&one, 3)->bytes, memory_find(&two, 3)->bytes, SIZE);
    assert_int_equal(one.asked, 2); /* the second one goes with its node */
}

static void only_users_put(void **state)
{
    (void)state;
    int codes[3];
    pushed_as(ROLE_WORKER, codes);
    assert_int_equal(codes[0], ERR_FORBIDDEN);
    assert_int_equal(one.asked, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_comes_in_chunks),
        TEST(several_sources_share_the_work),
        TEST(two_orders_are_one_transfer),
        TEST(a_cancelled_one_leaves_nothing),
        TEST(larger_ones_wait_for_their_turn),
        TEST(a_source_that_has_it_not_is_told),
        TEST(what_a_lost_source_gave_is_kept),
        TEST(a_wrong_hash_comes_from_elsewhere),
        TEST(what_comes_twice_is_taken_once),
        TEST(a_source_that_stalls_is_left),
        TEST(what_came_between_two_turns_was_in_time),
        TEST(what_is_late_is_asked_of_an_idle_source),
        TEST(copies_that_differ_are_not_mixed),
        TEST(patience_ends),
        TEST(a_user_gets_its_own_only),
        TEST(only_members_are_let_in),
        TEST(nodes_fetch_from_each_other),
        TEST(what_is_put_from_elsewhere_is_sealed_when_it_is_whole),
        TEST(only_users_put),
    };
    log_level_set(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
