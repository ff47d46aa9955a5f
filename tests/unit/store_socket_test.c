/*  store_socket_test.c - librayc's side and the worker's side of the object store, over their socket. */
#include "client/local_store.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/local_socket.h"
#include "worker/store_socket.h"

enum { SIZE = 200 * 1000, SEGMENT = 208 << 10, USER = 7, OTHER = 8, NODE = 5 };

static char dir[] = "/tmp/rayc-store-socket-XXXXXX";
static struct node_store *store;
static struct store_socket *door;
static char key[STORE_KEY_BYTES], others_key[STORE_KEY_BYTES];
static struct local_store *mine;

static int open_as(const char *with, const char *token, struct local_store **out)
{
    return local_store_open(
        out, &(struct local_store_config){
                 .path = store_socket_path(door), .key = with, .token = token, .cluster = "" });
}

static int setup(void **state)
{
    (void)state;
    struct node_store_config config = { dir, 4 * SEGMENT, 4 * SIZE, 0 };
    if (node_store_open(&store, &config) || store_socket_open(&door, store, dir)) {
        return -1;
    }
    store_socket_joined(door, NODE, "cafe");
    store_socket_key(door, USER, key);
    store_socket_key(door, OTHER, others_key);
    return open_as(key, "", &mine);
}

static int teardown(void **state)
{
    (void)state;
    local_store_close(&mine);
    store_socket_close(&door);
    node_store_close(&store);
    return 0;
}

/*  What a connection that has ended held is released soon after. */
static void await_nothing_pinned(void)
{
    while (node_store_stats(store).pinned > 0) {
        sched_yield();
    }
}

static void put(struct local_store *from, uint64_t task)
{
    struct local_buffer buffer;
    assert_int_equal(local_store_create(from, SIZE, &buffer), OK);
    assert_int_equal(((uintptr_t)buffer.bytes + 5) % 64, 0);
    memset(buffer.bytes, (int)task, SIZE);
    assert_int_equal(local_store_seal(&buffer, task, 0), OK);
    assert_null(buffer.bytes);
}

static void check(struct local_store *from, uint64_t task)
{
    struct local_view view;
    assert_int_equal(local_store_view(from, task, 0, UINT64_MAX, &view), OK);
    assert_int_equal(view.value.n, SIZE);
    assert_int_equal(view.value.p[0], task);
    assert_int_equal(view.value.p[SIZE - 1], task);
    assert_int_equal(view.value.p[SIZE], 0);
    local_store_release(&view);
}

/*  A client that asks for value 0 of a task, and waits. */
struct asking {
    pthread_t thread;
    struct local_store *store;
    uint64_t task, until_us;
    int code;
    struct local_view view;
};

static void *ask_for(void *context)
{
    struct asking *self = context;
    self->code = local_store_view(self->store, self->task, 0, self->until_us, &self->view);
    return NULL;
}

static void begin_asking(struct asking *self, struct local_store *client, uint64_t task)
{
    struct store_want want;
    *self = (struct asking){ .store = client, .task = task, .until_us = UINT64_MAX };
    assert_int_equal(pthread_create(&self->thread, NULL, ask_for, self), 0);
    while (!store_socket_wants(door, &want)) {
        sched_yield();
    }
    assert_int_equal(want.task, task);
    assert_int_equal(want.user, USER);
}

static void end_asking(struct asking *self, int code)
{
    store_socket_fetched(door, &(struct store_want){ self->task, USER, 0 }, code);
    pthread_join(self->thread, NULL);
}

/*  As carry does. */
static void arrives(uint64_t task)
{
    uint32_t buffer;
    assert_int_equal(node_store_create(store, USER, SIZE, &buffer), OK);
    assert_int_equal(node_store_write(store, buffer, 0, slice_text("fetched")), OK);
    assert_int_equal(node_store_seal(store, buffer, task, 0, false), OK);
}

static void what_is_not_here_is_fetched(void **state)
{
    (void)state;
    struct asking asking;
    struct store_want want;
    begin_asking(&asking, mine, 61);
    end_asking(&asking, ERR_NOT_FOUND);
    assert_int_equal(asking.code, ERR_NOT_FOUND);
    begin_asking(&asking, mine, 62);
    arrives(62);
    end_asking(&asking, OK);
    assert_int_equal(asking.code, OK);
    assert_memory_equal(asking.view.value.p, "fetched", 7);
    local_store_release(&asking.view);
    node_store_drop(store, 62, 0);
    assert_false(store_socket_wants(door, &want));
    store_socket_joined(door, 0, ""); /* the head is away: it comes when that is back */
    begin_asking(&asking, mine, 63);
    store_socket_joined(door, NODE, "cafe");
    arrives(63);
    end_asking(&asking, OK);
    assert_int_equal(asking.code, OK);
    local_store_release(&asking.view);
    await_nothing_pinned();
}

/*  Others need the room before it is given to who waits for it. */
static void what_goes_again_at_once_is_fetched_again(void **state)
{
    (void)state;
    struct asking asking;
    struct store_want want;
    begin_asking(&asking, mine, 65);
    store_socket_fetched(door, &(struct store_want){ 65, USER, 0 }, OK);
    while (!store_socket_wants(door, &want)) {
        sched_yield();
    }
    assert_int_equal(want.task, 65);
    arrives(65);
    end_asking(&asking, OK);
    assert_int_equal(asking.code, OK);
    local_store_release(&asking.view);
    await_nothing_pinned();
}

/*  Others that wait are not disturbed, and the next one who asks gets it. */
static void who_has_no_time_left_asks_again(void **state)
{
    (void)state;
    struct asking asking;
    struct local_view view;
    struct store_want want;
    begin_asking(&asking, mine, 64);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(local_store_view(mine, 64, 0, (uint64_t)i, &view), ERR_TIMEOUT);
        assert_true(store_socket_wants(door, &want));
        assert_int_equal(want.task, 64);
    }
    assert_int_equal(local_store_view(mine, 64, 0, clock_us() + 1000, &view), ERR_TIMEOUT);
    arrives(64);
    end_asking(&asking, OK);
    assert_int_equal(asking.code, OK);
    local_store_release(&asking.view);
    assert_int_equal(local_store_view(mine, 64, 0, 0, &view), OK);
    local_store_release(&view);
    await_nothing_pinned();
}

static void a_value_is_seen_by_all_of_its_user_and_nobody_else(void **state)
{
    (void)state;
    struct local_store *second, *other;
    struct local_view view;
    assert_int_equal(local_store_node(mine), NODE);
    assert_int_equal(open_as(key, "", &second), OK);
    assert_int_equal(open_as(others_key, "", &other), OK);
    put(mine, 1);
    check(mine, 1);
    check(second, 1);
    assert_int_equal(local_store_view(other, 1, 0, UINT64_MAX, &view), ERR_NOT_FOUND);
    local_store_close(&second);
    local_store_close(&other);
}

static void who_has_no_key_gets_nothing(void **state)
{
    (void)state;
    struct local_store *nobody;
    assert_int_equal(open_as("7-wrong", "", &nobody), ERR_FORBIDDEN);
    assert_null(nobody);
    int fd = local_connect(store_socket_path(door));
    assert_true(fd >= 0);
    uint8_t bytes[256], packet[LOCAL_PACKET_MAX];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, MSG_STORE_GET, &(struct msg_store_get){ .seq = 1, .task = 1 });
    assert_true(local_send(fd, slice_of(frame.p, frame.n), -1));
    assert_int_equal(local_receive(fd, packet, NULL), 0); /* cut off */
    close(fd);
}

static void what_is_sealed_cannot_be_written(void **state)
{
    (void)state;
    struct local_buffer buffer;
    assert_int_equal(local_store_create(mine, SIZE, &buffer), OK);
    uint8_t *bytes = buffer.bytes;
    bytes[0] = 1;
    assert_int_equal(local_store_seal(&buffer, 1, 0), OK);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* it is cmocka's */
        bytes[0] = 2;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void a_buffer_that_is_given_up_is_used_again(void **state)
{
    (void)state;
    struct local_buffer buffer;
    uint8_t *before = NULL;
    for (int i = 0; i < 300; i++) { /* more than may be open at a time */
        assert_int_equal(local_store_create(mine, SIZE, &buffer), OK);
        buffer.bytes[0] = 1;
        assert_true(before == NULL || before == buffer.bytes);
        before = buffer.bytes;
        local_store_abort(&buffer);
    }
    assert_true(node_store_stats(store).used == SEGMENT);
}

static void the_death_of_a_client_releases_what_it_had(void **state)
{
    (void)state;
    struct local_store *second;
    struct local_view view;
    struct local_buffer buffer[3];
    assert_int_equal(open_as(key, "", &second), OK);
    put(mine, 1);
    assert_int_equal(local_store_view(second, 1, 0, UINT64_MAX, &view), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(local_store_create(second, SIZE, &buffer[i]), OK);
    }
    assert_int_equal(node_store_stats(store).pinned, 1);
    local_store_close(&second);
    assert_int_equal(view.value.p[0], 1); /* mapped as long as it is used */
    await_nothing_pinned();
    for (uint64_t task = 2; task < 5; task++) {
        put(mine, task); /* there is room again */
    }
    assert_int_equal(node_store_stats(store).spilled, 0);
    local_store_release(&view);
    for (int i = 0; i < 3; i++) {
        local_store_abort(&buffer[i]);
    }
}

/*  Nobody may know of it but the store: the head is told three times, ever later. */
static void what_a_client_has_sealed_is_told_of_when_it_is_gone(void **state)
{
    (void)state;
    struct local_store *second;
    struct rec_object left;
    assert_int_equal(open_as(key, "", &second), OK);
    put(mine, 1);
    put(second, 2);
    put(second, 3);
    uint64_t now_ms = clock_ms() + (1 << 20);
    assert_false(store_socket_left(door, now_ms, &left));
    local_store_close(&second);
    while (!store_socket_left(door, now_ms, &left)) {
        sched_yield();
    }
    for (uint32_t pause_ms = 10000; pause_ms <= 1000000; pause_ms *= 10) {
        assert_int_equal(left.task, 2);
        assert_true(store_socket_left(door, now_ms, &left));
        assert_int_equal(left.task, 3);
        assert_false(store_socket_left(door, now_ms, &left));
        assert_false(store_socket_left(door, now_ms + pause_ms - 1, &left));
        now_ms += pause_ms;
        assert_int_equal(store_socket_left(door, now_ms, &left), pause_ms < 1000000);
    }
}

static void what_was_spilled_is_waited_for(void **state)
{
    (void)state;
    for (uint64_t task = 1; task <= 8; task++) {
        put(mine, task);
    }
    for (uint64_t task = 1; task <= 8; task++) {
        check(mine, task);
    }
    struct local_buffer buffer;
    assert_int_equal(local_store_create(mine, 20 * SIZE, &buffer), ERR_FULL);
    assert_int_equal(local_store_create(mine, UINT64_MAX, &buffer), ERR_TOO_LARGE);
}

static void a_client_has_limits(void **state)
{
    (void)state;
    static struct local_buffer buffers[STORE_BUFFERS_MAX];
    struct local_buffer more;
    uint32_t count = 0;
    int rc = OK;
    while (rc == OK && count < STORE_BUFFERS_MAX) {
        rc = local_store_create(mine, 1000, &buffers[count]);
        count += rc == OK;
    }
    assert_true(rc == ERR_FULL || local_store_create(mine, 1000, &more) == ERR_BUSY);
    for (uint32_t i = 0; i < count; i++) {
        local_store_abort(&buffers[i]);
    }
}

static void what_a_client_does_not_have_it_cannot_seal(void **state)
{
    (void)state;
    struct local_buffer buffer, wrong;
    struct local_view view;
    put(mine, 1);
    assert_int_equal(local_store_create(mine, SIZE, &buffer), OK);
    assert_int_equal(local_store_view(mine, 1, 0, UINT64_MAX, &view), OK);
    assert_int_equal(local_store_create(mine, SIZE, &wrong), OK);
    uint32_t right = wrong.hold;
    wrong.hold = view.hold; /* no buffer */
    assert_int_equal(local_store_seal(&wrong, 2, 0), ERR_INVALID);
    buffer.hold = 12345;
    assert_int_equal(local_store_seal(&buffer, 2, 0), ERR_INVALID);
    assert_int_not_equal(right, 12345);
    local_store_release(&view);
    check(mine, 1);
}

static void a_token_is_the_heads_to_judge(void **state)
{
    (void)state;
    struct msg_token_check check_of = { 0 };
    for (uint32_t role = ROLE_ADMIN; role <= ROLE_VIEWER; role++) {
        pid_t child = fork();
        if (child == 0) {
            struct local_store *driver;
            int rc = open_as("", "rayc_secret", &driver);
            _exit(rc == OK ? 0 : -rc);
        }
        while (!store_socket_ask(door, &check_of)) {
            struct pollfd wait = { store_socket_fd(door), POLLIN, 0 };
            assert_int_equal(poll(&wait, 1, -1), 1);
        }
        uint8_t hash[TOKEN_HASH_BYTES];
        token_hash("rayc_secret", hash);
        assert_memory_equal(check_of.hash.p, hash, sizeof(hash));
        store_socket_answer(door, &(struct msg_token_may){ check_of.seq, role, USER });
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), role == ROLE_VIEWER ? -ERR_TOKEN : 0);
    }
}

static void a_worker_that_ends_leaves_what_is_mapped(void **state)
{
    (void)state;
    struct local_view view, more;
    put(mine, 1);
    assert_int_equal(local_store_view(mine, 1, 0, UINT64_MAX, &view), OK);
    store_socket_close(&door);
    node_store_close(&store);
    assert_int_equal(view.value.p[SIZE - 1], 1);
    assert_int_equal(local_store_view(mine, 1, 0, UINT64_MAX, &more), ERR_CLOSED);
    assert_true(local_store_broken(mine));
    local_store_release(&view);
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
    return file_path(path, sizeof(path), dir, "spill") || rmdir(path) || rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_seen_by_all_of_its_user_and_nobody_else),
        TEST(what_is_not_here_is_fetched),
        TEST(what_goes_again_at_once_is_fetched_again),
        TEST(who_has_no_time_left_asks_again),
        TEST(who_has_no_key_gets_nothing),
        TEST(what_is_sealed_cannot_be_written),
        TEST(a_buffer_that_is_given_up_is_used_again),
        TEST(the_death_of_a_client_releases_what_it_had),
        TEST(what_a_client_has_sealed_is_told_of_when_it_is_gone),
        TEST(what_was_spilled_is_waited_for),
        TEST(a_client_has_limits),
        TEST(what_a_client_does_not_have_it_cannot_seal),
        TEST(a_token_is_the_heads_to_judge),
        TEST(a_worker_that_ends_leaves_what_is_mapped),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
