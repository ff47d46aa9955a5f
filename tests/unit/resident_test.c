/*  resident_test.c - results of a resident executor keep their order, wherever they are: in the socket or in the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "worker/resident.h"

struct channel {
    struct resident worker;
    int child[2];
};

static void open_channel(struct channel *self)
{
    static const uint8_t runs[4]; /* nobody reads them here */
    assert_int_equal(resident_open(&self->worker, false, self->child), OK);
    resident_give(&self->worker, runs, sizeof(runs), 8);
}

static void close_channel(struct channel *self)
{
    close(self->child[0]);
    close(self->child[1]);
    resident_close(&self->worker);
}

static size_t put_result(uint8_t *p, size_t capacity, uint32_t number)
{
    struct wire record = { p, 0, capacity, false };
    proto_put_record(&record, REC_RAN, &(struct rec_ran){ .number = number });
    assert_false(record.full);
    return record.n;
}

static void send_result(struct channel *self, uint32_t number)
{
    uint8_t record[64], bytes[128];
    struct wire frame = { bytes, 4, sizeof(bytes), false };
    struct wire records = { record, put_result(record, sizeof(record), number), sizeof(record),
                            false };
    proto_put(&frame, MSG_RAN, &(struct msg_ran){ .ran = wire_list(&records, 1) });
    uint32_t size = (uint32_t)(frame.n - 4);
    memcpy(bytes, &size, sizeof(size));
    assert_int_equal(send(self->child[0], bytes, frame.n, 0), (ssize_t)frame.n);
}

static void keep_result(struct channel *self, uint32_t number)
{
    struct channel_page *page = self->worker.page;
    size_t n = put_result(page->buffer, CHANNEL_BUFFER, number);
    atomic_store(&page->used, (uint32_t)n);
}

static uint32_t next(struct channel *self)
{
    struct rec_ran ran;
    struct rec_report told;
    return resident_next(&self->worker, &ran, &told) == RESIDENT_RAN ? ran.number : NONE;
}

static void test_the_socket_comes_first(void **state)
{
    (void)state;
    struct channel channel;
    open_channel(&channel);
    send_result(&channel, 0);
    keep_result(&channel, 1);
    assert_false(resident_peek(&channel.worker));
    assert_int_equal(resident_read(&channel.worker), OK);
    assert_int_equal(next(&channel), 0);
    resident_settled(&channel.worker);
    assert_true(resident_peek(&channel.worker));
    assert_int_equal(next(&channel), 1);
    resident_settled(&channel.worker);
    close_channel(&channel);
}

/*  It died in the middle of a frame: the page still has what that was to say. */
static void test_a_broken_frame_is_in_the_page(void **state)
{
    (void)state;
    struct channel channel;
    open_channel(&channel);
    keep_result(&channel, 0);
    assert_int_equal(send(channel.child[0], "\x20\0\0", 3, 0), 3);
    close(channel.child[0]);
    channel.child[0] = -1;
    assert_int_equal(resident_read(&channel.worker), OK);
    assert_int_equal(resident_read(&channel.worker), ERR_CLOSED);
    assert_true(resident_peek(&channel.worker));
    assert_int_equal(next(&channel), 0);
    close_channel(&channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_socket_comes_first),
        cmocka_unit_test(test_a_broken_frame_is_in_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
