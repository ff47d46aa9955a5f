/*  fake_executor.h - a resident executor for executor_test: does what the names of its tasks say, the forbidden too. */
#ifndef RAYC_FAKE_EXECUTOR_H
#define RAYC_FAKE_EXECUTOR_H
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "proto/channel.h"
#include "proto/proto.h"

static struct channel_page *page;

static void put_message(enum msg_kind kind, const void *msg, size_t bytes)
{
    size_t room = bytes + 64;
    struct wire frame = { malloc(room), 4, room, false };
    ensure(frame.p != NULL);
    proto_put(&frame, kind, msg);
    uint32_t n = (uint32_t)frame.n - 4;
    memcpy(frame.p, &n, 4); /* little-endian, as the machines of this test */
    for (size_t at = 0; at < frame.n;) {
        ssize_t done = write(CHANNEL_FD, frame.p + at, frame.n - at);
        ensure(done > 0);
        at += (size_t)done;
    }
    free(frame.p);
}

static void put_frame(const struct wire *records, uint32_t count)
{
    put_message(MSG_RAN, &(struct msg_ran){ .ran = wire_list(records, count) }, records->n);
}

static void put_report(const struct rec_run *run)
{
    uint8_t bytes[256];
    struct wire record = { bytes, 0, sizeof(bytes), false };
    struct rec_report report = {
        .task = run->task, .token = run->token, .number = 1, .metrics = slice_text("{}")
    };
    proto_put_record(&record, REC_REPORT, &report);
    put_message(MSG_TELL, &(struct msg_tell){ .reports = wire_list(&record, 1) }, record.n);
    while (!channel_answered(page, run->token, 1)) {
        usleep(1000);
    }
    ensure(page->decision == DECISION_GO_ON && strcmp(page->why, "why") == 0);
}

static bool is(const struct rec_run *run, const char *name)
{
    return slice_same(run->name, slice_text(name));
}

/*  "send": its result at once; "page": only into the page; "print": prints its arguments first; "tell": reports, and waits
    for the answer; "wait": never ends; "die": kills itself; "garbage": breaks the protocol. */
static void fake_run(const struct rec_run *run, uint32_t number)
{
    struct rec_ran ran = { .number = number, .value = run->args, .run_us = 1 };
    ran.output_from = (uint64_t)lseek(1, 0, SEEK_CUR);
    if (is(run, "print")) {
        ensure(write(1, run->args.p, run->args.n) == (ssize_t)run->args.n);
    } else if (is(run, "die")) {
        ensure(write(2, "last words\n", 11) == 11);
        kill(getpid(), SIGKILL);
    } else if (is(run, "garbage")) {
        ensure(write(CHANNEL_FD, "\x05\0\0\0hello", 9) == 9);
    } else if (is(run, "tell")) {
        put_report(run);
    }
    while (is(run, "wait") || is(run, "garbage")) {
        pause();
    }
    ran.output_to = (uint64_t)lseek(1, 0, SEEK_CUR);
    size_t room = run->args.n + 128;
    struct wire record = { malloc(room), 0, room, false };
    ensure(record.p != NULL);
    proto_put_record(&record, REC_RAN, &ran);
    if (is(run, "page")) {
        uint32_t used = atomic_load(&page->used);
        memcpy(page->buffer + used, record.p, record.n);
        atomic_store(&page->used, used + (uint32_t)record.n);
    } else {
        put_frame(&record, 1);
    }
    free(record.p);
}

static void read_all(void *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = read(CHANNEL_FD, (uint8_t *)to + at, n - at);
        if (done <= 0) {
            exit(0);
        }
        at += (size_t)done;
    }
}

static _Noreturn void fake_executor(void)
{
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_PAGE_FD, 0);
    ensure(page != MAP_FAILED);
    uint32_t claimed = NONE;
    for (uint32_t number = 0;;) {
        uint32_t n;
        struct msg msg;
        struct rec_run run;
        read_all(&n, sizeof(n));
        uint8_t *frame = malloc(n);
        ensure(frame != NULL);
        read_all(frame, n);
        ensure(proto_decode(slice_of(frame, n), &msg, NULL) == OK && msg.kind == MSG_RUN);
        while (next_run(&msg.as.run.runs, &run)) {
            while (claimed == NONE && channel_begun(page) <= number) {
                claimed = channel_claim(page);
            }
            if (claimed == number) {
                claimed = NONE;
                fake_run(&run, number);
            }
            number++;
        }
        free(frame);
    }
}
#endif
