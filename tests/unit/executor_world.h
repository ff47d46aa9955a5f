/*  executor_world.h - a worker around executors, for their tests: a spawner, a folder, events one by one. */
#ifndef RAYC_EXECUTOR_WORLD_H
#define RAYC_EXECUTOR_WORLD_H
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <msgpack.h>
#include <cmocka.h>
#include "worker/executor.h"
#include "worker/spawn.h"

enum { WAIT_MS = 30 * 1000, CAPACITY = 64, FROM_SPAWNER = 1 << 20, NODE = 5 };

#define PROGRAM "00000000000000000000000000000000000000000000000000000000000000aa"

/* --- the worker ------------------------------------------------------------------------------------------- */

struct world {
    char dir[64];
    struct spawner *spawner;
    struct tails *tails;
    struct samples *samples;
    struct node_store *store;
    struct store_socket *store_socket;
    struct asks *asks;
    struct executors *executors;
    int epoll;
    uint64_t now_ms;
    struct spec_view spec;
    struct wire body;
    uint8_t body_bytes[4096];
};

static void in_dir(const struct world *self, const char *name, char *out)
{
    snprintf(out, 256, "%s/%s", self->dir, name);
}

static bool runs_all(const void *context, uint32_t executor, uint64_t task, uint64_t token)
{
    (void)context;
    return executor == 1 && task == 1 && token == 0;
}

static int setup(void **state)
{
    static const char *const folders[] = { "scratch", "logs", "programs" };
    static struct world world;
    static struct confine limits;
    struct world *self = &world;
    limits = confine_defaults();
    char path[256], own[256];
    *self = (struct world){ .dir = "/tmp/rayc-executor-XXXXXX", .now_ms = 1000 };
    self->body = (struct wire){ self->body_bytes, 0, sizeof(self->body_bytes), false };
    if (!mkdtemp(self->dir) || spawner_start(&self->spawner, &limits) || tails_open(&self->tails) ||
        asks_open(&self->asks, CAPACITY, &(struct asks_runs){ runs_all, NULL }) ||
        samples_open(&self->samples, self->dir) ||
        node_store_open(&self->store, &(struct node_store_config){ .dir = self->dir }) ||
        store_socket_open(&self->store_socket, self->store, self->dir)) {
        return -1;
    }
    for (size_t i = 0; i < COUNT(folders); i++) {
        in_dir(self, folders[i], path);
        mkdir(path, 0700);
    }
    in_dir(self, "programs/" PROGRAM, path);
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[n > 0 ? n : 0] = 0;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = FROM_SPAWNER };
    static const struct member_key key = { .server_text = "server" };
    struct executors_config config = { .dir = self->dir,
                                       .address = "tcp://head:1",
                                       .key = &key,
                                       .capacity = CAPACITY,
                                       .epoll = self->epoll,
                                       .spawner = self->spawner,
                                       .confine = &limits,
                                       .tails = self->tails,
                                       .samples = self->samples,
                                       .store = self->store_socket,
                                       .asks = self->asks };
    *state = self;
    return symlink(own, path) ||
           epoll_ctl(self->epoll, EPOLL_CTL_ADD, spawner_fd(self->spawner), &event) ||
           executors_open(&self->executors, &config);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *self = *state;
    spawner_stop(&self->spawner);
    executors_close(&self->executors);
    samples_close(&self->samples);
    store_socket_close(&self->store_socket);
    node_store_close(&self->store);
    tails_close(&self->tails);
    asks_close(&self->asks);
    close(self->epoll);
    return nftw(self->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void take_news(struct world *self)
{
    struct epoll_event news[8];
    struct spawn_event event;
    int n = epoll_wait(self->epoll, news, COUNT(news), WAIT_MS);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        if (news[i].data.u64 != FROM_SPAWNER) {
            executors_on_socket(self->executors, (uint32_t)news[i].data.u64, news[i].events);
            continue;
        }
        while (spawner_next(self->spawner, &event)) {
            executors_on_spawner(self->executors, &event);
        }
    }
}

static struct worker_event next_event(struct world *self)
{
    struct worker_event event;
    for (;;) {
        enum next next = executors_next(self->executors, &event);
        if (next == NEXT_EVENT) {
            return event;
        }
        executors_settled(self->executors);
        if (next == NEXT_NOTHING) {
            take_news(self);
        }
    }
}

static struct worker_event expect(struct world *self, enum worker_event_kind kind)
{
    struct worker_event event = next_event(self);
    assert_int_equal(event.kind, kind);
    return event;
}

static void assert_slice(struct slice slice, const char *text)
{
    assert_int_equal(slice.n, strlen(text));
    assert_memory_equal(slice.p, text, slice.n);
}

static int put_body(void *data, const char *p, size_t n)
{
    struct wire *to = data;
    ensure(to->n + n <= to->capacity);
    memcpy(to->p + to->n, p, n);
    to->n += n;
    return 0;
}

static void pack_text(msgpack_packer *to, const char *text)
{
    msgpack_pack_str_with_body(to, text, strlen(text));
}

static void make_body(struct world *self, const char *script, const char *entry, const char *input)
{
    msgpack_packer to;
    self->body.n = 0;
    msgpack_packer_init(&to, &self->body, put_body);
    msgpack_pack_map(&to, 4);
    pack_text(&to, "argv");
    msgpack_pack_array(&to, 3);
    pack_text(&to, "sh");
    pack_text(&to, "-c");
    pack_text(&to, script);
    pack_text(&to, "env");
    msgpack_pack_array(&to, entry != NULL);
    if (entry) {
        pack_text(&to, entry);
    }
    pack_text(&to, "cwd");
    pack_text(&to, "/usr/bin");
    pack_text(&to, "stdin");
    if (input) {
        msgpack_pack_bin_with_body(&to, input, strlen(input));
    } else {
        msgpack_pack_nil(&to);
    }
    self->spec.body = slice_of(self->body.p, self->body.n);
}

static struct act spawn_act(struct world *self, uint32_t kind, uint32_t id)
{
    self->spec.kind = kind;
    self->spec.job = 3;
    self->spec.cpus_units = 25000;
    snprintf(self->spec.name, sizeof(self->spec.name), "test");
    snprintf(self->spec.submission, sizeof(self->spec.submission), "rayc_x");
    return (
        struct act){ .kind = ACT_SPAWN,
                     .executor = id,
                     .spec = &self->spec,
                     .held = { .task = (1ull << 40) + 9, .token = 77, .attempt = 2, .job = 3 } };
}

static struct worker_event run_command(struct world *self, const char *script, const char *entry,
                                       const char *input)
{
    make_body(self, script, entry, input);
    struct act act = spawn_act(self, SPEC_COMMAND, 1);
    executors_spawn(self->executors, &act, NODE);
    expect(self, WEV_SPAWNED);
    return expect(self, WEV_EXITED);
}

static void assert_value(struct slice value, int status, const char *out, const char *err)
{
    msgpack_unpacked tree;
    size_t end = 0;
    msgpack_unpacked_init(&tree);
    assert_int_equal(msgpack_unpack_next(&tree, (const char *)value.p, value.n, &end),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(end, value.n);
    assert_int_equal(tree.data.type, MSGPACK_OBJECT_MAP);
    assert_int_equal(tree.data.via.map.size, 3);
    const msgpack_object_kv *entry = tree.data.via.map.ptr;
    assert_int_equal(entry[0].val.via.i64, status);
    assert_slice(slice_of(entry[1].val.via.bin.ptr, entry[1].val.via.bin.size), out);
    assert_slice(slice_of(entry[2].val.via.bin.ptr, entry[2].val.via.bin.size), err);
    msgpack_unpacked_destroy(&tree);
}
#endif
