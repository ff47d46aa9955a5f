/*  transfer.c - objects of 100 MB from one node's store to another's, beside iperf3 in the same direction and run.
    The nodes are two processes in network namespaces of their own, which end with them. */
#include "tests/bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"
#include "worker/carry_store.h"

enum {
    OBJECT_BYTES = 100 * 1000 * 1000,
    STORE_OBJECTS = 4, /* room of the one that fetches */
    TASK = 1,
    USER = 1,
    IPERF_SECONDS = 2,
    IPERF_PORT = 5201,
    IPERF_BYTES_MAX = 1 << 20,
    TRIES = 5000
};
#define FETCHER "10.99.0.1"
#define GIVER   "10.99.0.2"

/*  A process that says and hears lines. */
struct other {
    pid_t pid;
    int from, to;
};

static pid_t start(char *const argv[], int out)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out, STDOUT_FILENO);
        if (getppid() == parent) {
            execvp(argv[0], argv);
        }
        _exit(127);
    }
    return pid;
}

static bool run_program(char *const argv[])
{
    int status = -1;
    pid_t pid = start(argv, STDERR_FILENO);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void ip(char *const argv[])
{
    if (!run_program(argv)) {
        die("ip %s %s ... has failed (install iproute2)", argv[1], argv[2]);
    }
}

static void new_network(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        die("this process may not make a network namespace: %s (run it as root)", strerror(errno));
    }
}

static void bring_up(char *device, char *address)
{
    ip((char *[]){ "ip", "address", "add", address, "dev", device, NULL });
    ip((char *[]){ "ip", "link", "set", device, "up", NULL });
    ip((char *[]){ "ip", "link", "set", "lo", "up", NULL });
}

static void say(int to, const char *line)
{
    size_t n = strlen(line) + 1;
    if (write(to, line, n) != (ssize_t)n) {
        die("the other node has ended");
    }
}

/*  Lines end with a 0. */
static void hear(int from, char *line, size_t capacity)
{
    for (size_t n = 0; n < capacity; n++) {
        if (read(from, line + n, 1) != 1) {
            die("the other node has ended");
        }
        if (line[n] == 0) {
            return;
        }
    }
    die("the other node says too much");
}

static struct node_store *open_store(const struct run *run, const char *name, uint64_t objects)
{
    static char dir[BENCH_PATH];
    struct node_store *store;
    snprintf(dir, sizeof(dir), "%s/%s", run->state, name);
    const struct node_store_config config = { .dir = dir, .bytes = objects * OBJECT_BYTES * 5 / 4 };
    if (file_make_dir(dir, 0700) != OK || node_store_open(&store, &config) != OK) {
        die("cannot open a store in %s", dir);
    }
    return store;
}

static struct carry *open_carry(struct node_store *store, const char *host,
                                const struct member_key *key)
{
    char endpoint[64];
    struct carry *carry;
    snprintf(endpoint, sizeof(endpoint), "tcp://%s:*", host);
    const struct carry_options options = {
        .endpoint = endpoint, .key = key, .store = carry_store(store), .pulls = pulls_defaults()
    };
    if (carry_open(&carry, &options) != OK) {
        die("cannot listen at %s", endpoint);
    }
    return carry;
}

static void fill(struct node_store *store, uint32_t index)
{
    static uint64_t words[CARRY_CHUNK / sizeof(uint64_t)];
    uint32_t buffer;
    if (node_store_create(store, USER, OBJECT_BYTES, &buffer) != OK) {
        die("the store has no room");
    }
    for (uint64_t at = 0; at < OBJECT_BYTES; at += sizeof(words)) {
        uint64_t left = OBJECT_BYTES - at;
        for (size_t i = 0; i < COUNT(words); i++) {
            words[i] = (at + i) * 0x9e3779b97f4a7c15ull + index;
        }
        if (node_store_write(store, buffer, at,
                             slice_of(words, left < sizeof(words) ? left : sizeof(words))) != OK) {
            die("the store cannot be written");
        }
    }
    if (node_store_seal(store, buffer, TASK, index, true) != OK) {
        die("the store does not seal");
    }
}

/*  The node that gives: has its objects, and takes anybody for a worker. */
static _Noreturn void give(const struct run *run, const struct member_key *key, int from, int to)
{
    char line[CARRY_ADDRESS_BYTES];
    new_network();
    say(to, "apart");
    hear(from, line, sizeof(line)); /* the wire is there */
    bring_up("two", GIVER "/24");
    struct node_store *store = open_store(run, "giver", run->tasks);
    for (uint32_t i = 0; i < run->tasks; i++) {
        fill(store, i);
    }
    struct carry *carry = open_carry(store, GIVER, key);
    start((char *[]){ "iperf3", "--server", "--bind", GIVER, NULL }, open("/dev/null", O_WRONLY));
    say(to, carry_address(carry));
    for (;;) {
        struct msg_token_check check;
        poll(&(struct pollfd){ carry_fd(carry), POLLIN, 0 }, 1, -1);
        while (carry_ask(carry, &check)) {
            carry_answer(carry, &(struct msg_token_may){ .seq = check.seq, .role = ROLE_WORKER });
        }
    }
}

static struct other start_giver(const struct run *run, const struct member_key *key)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) {
        die("cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        give(run, key, down[0], up[1]);
    }
    return (struct other){ pid, up[0], down[1] };
}

static void wire_up(const struct other *giver)
{
    char line[16], pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)giver->pid);
    hear(giver->from, line, sizeof(line));
    ip((char *[]){ "ip", "link", "add", "one", "type", "veth", "peer", "name", "two", "netns", pid,
                   NULL });
    bring_up("one", FETCHER "/24");
    say(giver->to, "wired");
}

/*  Bytes a second, from the giver to here; below zero: it could not be measured (yet). */
static double iperf_once(void)
{
    static char text[IPERF_BYTES_MAX];
    char seconds[8];
    int out[2];
    size_t n = 0;
    snprintf(seconds, sizeof(seconds), "%d", IPERF_SECONDS);
    if (pipe(out) != 0) {
        die("cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = start(
        (char *[]){ "iperf3", "--client", GIVER, "--reverse", "--time", seconds, "--json", NULL },
        out[1]);
    close(out[1]);
    for (ssize_t got; (got = read(out[0], text + n, sizeof(text) - n)) > 0;) {
        n += (size_t)got;
    }
    close(out[0]);
    waitpid(pid, NULL, 0);
    json_t *json = json_loadb(text, n, 0, NULL);
    const json_t *rate = json_object_get(
        json_object_get(json_object_get(json, "end"), "sum_received"), "bits_per_second");
    double bytes = json_is_number(rate) ? json_number_value(rate) / 8 : -1;
    json_decref(json);
    return bytes;
}

static double iperf(void)
{
    for (int i = 0; i < TRIES; i++) { /* its server may not listen yet */
        double rate = iperf_once();
        if (rate > 0) {
            return rate;
        }
        spin();
    }
    die("iperf3 measures nothing (install iperf3)");
}

/*  Seconds that one object takes. */
static double fetch(struct carry *carry, struct node_store *store, const char *address,
                    uint32_t index)
{
    const struct pull_source source = { 1, address };
    const struct pull_order order = { TASK, index, OBJECT_BYTES, USER, &source, 1 };
    struct pull_news news;
    uint64_t begun = clock_us();
    carry_pull(carry, &order);
    while (!carry_next(carry, &news)) {
        struct msg_token_check check;
        ensure(!carry_ask(carry, &check)); /* nobody asks this node */
        poll(&(struct pollfd){ carry_fd(carry), POLLIN, 0 }, 1, -1);
    }
    if (news.kind != PULL_DONE) {
        die("object %u has not come: %s", index, news.text);
    }
    double seconds = (double)(clock_us() - begun) / 1e6;
    node_store_drop(store, TASK, index);
    return seconds;
}

static double transfer(const struct run *run, const struct member_key *key)
{
    char address[CARRY_ADDRESS_BYTES];
    double *seconds = calloc(run->tasks, sizeof(*seconds));
    if (!seconds) {
        die("out of memory");
    }
    new_network();
    struct other giver = start_giver(run, key);
    wire_up(&giver);
    hear(giver.from, address, sizeof(address));
    struct node_store *store = open_store(run, "fetcher", STORE_OBJECTS);
    struct carry *carry = open_carry(store, FETCHER, key);
    carry_say_token(carry, "rayc_worker");
    double before = iperf();
    for (uint32_t i = 0; i < run->tasks; i++) {
        seconds[i] = fetch(carry, store, address, i);
    }
    double line = (before + iperf()) / 2, rate = OBJECT_BYTES / median(seconds, run->tasks);
    fprintf(stderr, "transfer: %.2f GB/s; iperf3: %.2f GB/s\n", rate / 1e9, line / 1e9);
    carry_close(&carry);
    node_store_close(&store);
    kill(giver.pid, SIGKILL);
    waitpid(giver.pid, NULL, 0);
    free(seconds);
    return rate / line;
}

double bench_transfer(const struct run *run)
{
    struct member_key key = { 0 };
    key_new(&key.own);
    return transfer(run, &key);
}

double bench_transfer_plain(const struct run *run)
{
    return transfer(run, NULL);
}
