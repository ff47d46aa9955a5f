/*  shell.c - all the I/O order there is: wait, step, commit, send. */
#include "head/shell.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/place.h"
#include "head/door.h"
#include "head/http.h"
#include "head/keys.h"
#include "head/monitor.h"
#include "head/net.h"
#include "head/services.h"
#include "head/store.h"
#include "head/turn.h"

enum {
    IDLE_MS = 300, /* an embedded head without clients and work ends after this */
    REST_MS = 250, /* a quiet moment, and how much is said in one at most: beats, mostly */
    REST_BYTES = 16 << 10,
    LOCK_TRIES = 50,
    LOCK_WAIT_MS = 20
};

struct shell {
    char dir[PATH_BYTES];
    int lock_fd;
    int signal_fd;
    struct store *store;
    struct turn *turn;
    struct net *net;
    struct door *door;
    struct http *http;
    struct services *services;
    struct monitor *monitor;
    bool embedded;
    bool stop;
    bool used; /* embedded: somebody has been here */
    struct keys keys;
    uint8_t secret[TICKET_SECRET_BYTES]; /* of tickets */
    uint64_t start_ms;
    uint64_t idle_since_ms;
    uint64_t moved; /* bytes of frames, in and out */
    uint64_t tokens_refused;
    struct {
        uint64_t at_ms, moved; /* the last look */
        bool due;              /* the look before saw a burst */
    } rest;
};

static void send_out(void *context, uint32_t peer, struct slice frame)
{
    struct shell *self = context;
    struct loop_counts *counts = monitor_counts(self->monitor);
    struct msg msg;
    counts->out[proto_kind(frame)]++;
    if (proto_kind(frame) == MSG_REFUSED && proto_decode(frame, &msg, NULL) == OK) {
        self->tokens_refused += msg.as.refused.code == ERR_TOKEN;
    }
    self->moved += frame.n;
    if (peer >= DOOR_PEER_FIRST) {
        door_send(self->door, peer, frame);
    } else {
        net_send(self->net, peer, frame);
    }
}

/*  What has come over the network, then what threads of our own ask. */
static enum net_news next_news(struct shell *self, struct net_event *out)
{
    enum net_news news = net_next(self->net, out);
    return news != NET_NOTHING ? news : door_next(self->door, out);
}

/*  What services have kept for the core until now. */
static int take_late(struct shell *self, uint64_t now_ms, uint64_t wall_ms)
{
    int taken = 0;
    struct msg msg;
    struct event event = { .kind = EV_MESSAGE, .msg = &msg, .now_ms = now_ms, .wall_ms = wall_ms };
    while (taken < CORE_EVENTS_PER_TURN && services_late(self->services, &event.peer, &msg)) {
        turn_event(self->turn, &event);
        taken++;
    }
    return taken;
}

/*  Takes what has arrived, at most one turn's worth; false when there was nothing. */
static bool take_events(struct shell *self)
{
    struct net_event net_event;
    enum net_news news = NET_NOTHING;
    uint64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
    int taken = take_late(self, now_ms, wall_ms);
    while (taken < CORE_EVENTS_PER_TURN && (news = next_news(self, &net_event)) != NET_NOTHING) {
        struct event event = {
            .kind = EV_PEER_GONE, .peer = net_event.peer, .now_ms = now_ms, .wall_ms = wall_ms
        };
        struct msg msg;
        struct diag why;
        struct proof proof;
        taken++;
        if (news == NET_GONE) {
            services_peer_gone(self->services, net_event.peer);
            turn_event(self->turn, &event);
            continue;
        }
        if (proto_decode(net_event.bytes, &msg, &why) != OK || !proto_to_head(msg.kind)) {
            log_debug("net.malformed", "peer=%u field=%s why=\"%s\"", net_event.peer,
                      why.field ? why.field : "", why.text);
            continue;
        }
        monitor_counts(self->monitor)->in[msg.kind]++;
        self->moved += net_event.bytes.n;
        if (!services_take(self->services, net_event.peer, &msg)) {
            event.kind = EV_MESSAGE;
            event.msg = &msg;
            event.proof = msg.kind == MSG_HELLO ? &proof : NULL;
            if (msg.kind == MSG_HELLO) {
                proof_read(self->secret, msg.as.hello.token, &proof);
            }
            turn_event(self->turn, &event);
        }
    }
    return taken > 0;
}

static void take_signal(struct shell *self)
{
    struct signalfd_siginfo info;
    if (read(self->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        log_info("head.signal", "signal=%u", info.ssi_signo);
        self->stop = true;
    }
}

/*  Embedded: ends when nobody is there and nothing is to do.  Before the first client, it waits for one for a while. */
static void end_if_idle(struct shell *self, uint64_t now_ms)
{
    enum { FIRST_CLIENT_MS = 10000 };
    if (!self->embedded) {
        return;
    }
    bool idle = core_idle(turn_core(self->turn));
    self->used = self->used || !idle;
    if (!idle || (!self->used && now_ms < self->start_ms + FIRST_CLIENT_MS)) {
        self->idle_since_ms = now_ms;
    }
    self->stop = self->stop || now_ms >= self->idle_since_ms + IDLE_MS;
}

static int wait_ms(const struct shell *self, uint64_t now_ms)
{
    uint64_t deadline = turn_deadline_ms(self->turn);
    if (self->embedded && now_ms + IDLE_MS < deadline) {
        deadline = now_ms + IDLE_MS;
    }
    bool rests = self->rest.due || self->moved - self->rest.moved >= REST_BYTES;
    if (rests && self->rest.at_ms + REST_MS < deadline) {
        deadline = self->rest.at_ms + REST_MS;
    }
    return deadline <= now_ms ? 0 : deadline - now_ms > 60000 ? 60000 : (int)(deadline - now_ms);
}

static void tell_monitor(struct shell *self)
{
    struct loop_counts *counts = monitor_counts(self->monitor);
    counts->logins_refused = self->tokens_refused + net_refusals(self->net);
    counts->placement = *turn_placement(self->turn);
    counts->commit = *store_commits(self->store);
    monitor_tell(self->monitor, turn_core(self->turn));
}

/*  What a burst has used goes back once it is over: a head at rest is small.  In a burst, nothing is given and taken. */
static void rest_if_quiet(struct shell *self, uint64_t now_ms)
{
    if (now_ms < self->rest.at_ms + REST_MS) {
        return;
    }
    bool quiet = self->moved - self->rest.moved < REST_BYTES;
    if (quiet && self->rest.due) {
        turn_rest(self->turn);
        services_rest(self->services);
        malloc_trim(0);
    }
    self->rest.at_ms = now_ms;
    self->rest.moved = self->moved;
    self->rest.due = !quiet;
}

static int loop(struct shell *self)
{
    int net_fd[2];
    net_fds(self->net, net_fd);
    struct pollfd fds[] = { { net_fd[0], POLLIN, 0 },
                            { net_fd[1], POLLIN, 0 },
                            { store_fd(self->store), POLLIN, 0 },
                            { services_fd(self->services), POLLIN, 0 },
                            { self->signal_fd, POLLIN, 0 },
                            { door_fd(self->door), POLLIN, 0 },
                            { monitor_fd(self->monitor), POLLIN, 0 } };
    while (!self->stop) {
        uint64_t begun_us = clock_us();
        bool busy = take_events(self);
        uint64_t now_ms = clock_ms(), commits = store_committed(self->store);
        turn_event(self->turn, &(struct event){
                                   .kind = EV_TICK, .now_ms = now_ms, .wall_ms = clock_wall_ms() });
        int code = turn_flush(self->turn, now_ms, clock_wall_ms());
        net_release(self->net);
        door_release(self->door);
        if (code != OK) {
            return code;
        }
        for (uint64_t job; (job = core_forgotten(turn_core(self->turn))) != 0;) {
            services_forget(self->services, job);
        }
        services_sweep(self->services, now_ms, clock_wall_ms());
        bool more = services_begin(self->services);
        rest_if_quiet(self, now_ms);
        if (busy || store_committed(self->store) != commits) { /* output comes in frames */
            http_pulse(self->http);
        }
        end_if_idle(self, now_ms);
        if (busy) {
            histogram_add(&monitor_counts(self->monitor)->turn, clock_us() - begun_us);
        }
        poll(fds, COUNT(fds), busy || more ? 0 : wait_ms(self, now_ms));
        if (fds[2].revents) {
            uint64_t count;
            code = read(fds[2].fd, &count, sizeof(count)) > 0
                       ? turn_synced(self->turn, clock_ms(), clock_wall_ms())
                       : OK;
            if (code != OK) {
                return code;
            }
        }
        if (fds[3].revents) {
            services_answer(self->services);
        }
        if (fds[4].revents) {
            take_signal(self);
        }
        if (fds[6].revents) {
            tell_monitor(self);
        }
    }
    return OK;
}

static int open_services(struct shell *self, uint32_t package_keep_s)
{
    const struct services_options options = { .state_dir = self->dir,
                                              .store = self->store,
                                              .package_keep_s = package_keep_s,
                                              .core = turn_core(self->turn),
                                              .send = send_out,
                                              .context = self };
    return services_open(&self->services, &options);
}

/*  The workers of an embedded cluster end with it. */
static void say_stop(struct shell *self)
{
    struct core *core = turn_core(self->turn);
    uint8_t bytes[16];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, MSG_NODE_STOP, &(struct msg_node_stop){ 0, 1 });
    for (uint32_t i = 0, peer; (peer = core_worker_peer(core, i)) != 0; i++) {
        net_send(self->net, peer, slice_of(frame.p, frame.n));
    }
}

static bool is_local(const char *address)
{
    return strncmp(address, "ipc://", 6) == 0 || strncmp(address, "tcp://127.", 10) == 0 ||
           strncmp(address, "tcp://localhost:", 16) == 0 ||
           strncmp(address, "tcp://[::1]:", 12) == 0;
}

/*  Without keys it listens on this machine only. */
static int load_keys(struct shell *self, const struct shell_options *options)
{
    if (options->key_file == NULL && !is_local(options->address)) {
        log_error("head.key",
                  "address=%s why=\"without a key the head listens on this machine only\"",
                  options->address);
        return ERR_CONFIG;
    }
    return keys_load(&self->keys, options->key_file, options->access_dir);
}

static int open_net(struct shell *self, const struct shell_options *options)
{
    char members[PATH_BYTES];
    const struct net_keys keys = { &self->keys.own, self->keys.member.public_text, members };
    int code = file_path(members, sizeof(members), self->dir, "members");
    return code == OK ? net_open(&self->net, options->address, self->keys.has_key ? &keys : NULL)
                      : code;
}

static int write_text(const struct shell *self, const char *name, const char *text)
{
    char path[PATH_BYTES];
    int code = name[0] == '/'
                   ? (slice_copy_text(slice_text(name), path, sizeof(path)) ? OK : ERR_TOO_LARGE)
                   : file_path(path, sizeof(path), self->dir, name);
    return code == OK ? file_write(path, text, strlen(text), 0600) : code;
}

static int cluster_id(const struct shell *self, char *out, size_t capacity)
{
    char path[PATH_BYTES];
    int code = file_path(path, sizeof(path), self->dir, "cluster.id");
    if (code == OK && file_read(path, out, capacity) != OK) {
        random_text(out, 20);
        code = file_write(path, out, strlen(out), 0600);
    }
    return code;
}

static int open_store(struct shell *self)
{
    char path[PATH_BYTES];
    struct diag why = { 0 };
    int code = file_path(path, sizeof(path), self->dir, "rayc.db");
    code = code == OK ? store_open(&self->store, path, &why) : code;
    if (code != OK) {
        log_error("head.store", "path=%s why=\"%s\"", path,
                  why.text[0] ? why.text : err_text(code));
    }
    return code;
}

static int take_lock(struct shell *self, const struct shell_options *options)
{
    char path[PATH_BYTES];
    int code = state_dir(options->state_dir, self->dir, sizeof(self->dir));
    code = code == OK ? file_make_dir(self->dir, 0700) : code;
    code = code == OK ? file_path(path, sizeof(path), self->dir, "head.lock") : code;
    if (code != OK) {
        log_error("head.folder", "path=%s why=\"%s\"", self->dir, err_text(code));
        return code;
    }
    /* A head that was killed a moment ago may still hold it while the kernel takes it apart. */
    for (int tries = self->embedded ? 1 : LOCK_TRIES;
         tries > 0 && (self->lock_fd = file_lock(path)) == ERR_LOCKED; tries--) {
        poll(NULL, 0, LOCK_WAIT_MS);
    }
    if (self->lock_fd < 0) {
        bool other = self->lock_fd == ERR_LOCKED;
        log_error("head.lock", "path=%s why=\"%s\"", path,
                  other ? "another head is using this state folder" : err_text(self->lock_fd));
        return self->lock_fd;
    }
    return OK;
}

static int take_signals(struct shell *self)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    self->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return self->signal_fd < 0 ? ERR_SYSTEM : OK;
}

/*  Where others find it: STATE/head.http. */
static int open_http(struct shell *self, const struct shell_options *options)
{
    struct diag why = { 0 };
    bool own_choice = options->http_port == HTTP_PORT_AUTO;
    if (options->http_port == HTTP_PORT_NONE) {
        return OK;
    }
    struct http_options http = { .state_dir = self->dir,
                                 .database = store_path(self->store),
                                 .secret = self->secret,
                                 .monitor = self->monitor,
                                 .prefix = options->metrics_prefix,
                                 .host = options->http_host,
                                 .port = own_choice ? HTTP_PORT_RAYS : (uint16_t)options->http_port,
                                 .names = options->http_names,
                                 .name_count = options->http_name_count,
                                 .door = self->door };
    int code = http_open(&self->http, &http, &why);
    if (code == ERR_CONFLICT && own_choice) {
        log_warn("head.http", "why=\"%s\": any free port is taken instead", why.text);
        http.port = WEB_PORT_ANY;
        code = http_open(&self->http, &http, &why);
    }
    if (code != OK) {
        log_error("head.http", "host=%s port=%d why=\"%s\"", http.host, http.port,
                  why.text[0] ? why.text : err_text(code));
        return code;
    }
    return write_text(self, "head.http", http_address(self->http));
}

static void own_event(struct shell *self, struct msg *msg)
{
    turn_event(self->turn,
               &(struct event){
                   .kind = EV_OWN, .now_ms = clock_ms(), .wall_ms = clock_wall_ms(), .msg = msg });
}

/*  Tokens that earlier starts have taken from a folder that was given end with the file that they were in. */
static int end_replaced(struct shell *self, struct slice name, const uint8_t *hash)
{
    int code;
    struct stored_token token = { 0 };
    while ((code = store_token_named(self->store, name, &token)) == OK) {
        bool same = memcmp(token.hash, hash, sizeof(token.hash)) == 0;
        if (same && token.revoked) {
            log_warn("head.token",
                     "name=%.*s why=\"it was revoked: nobody gets in with this file; "
                     "replace it by one of rayc-head --make-keys DIR\"",
                     (int)name.n, (const char *)name.p);
        } else if (!same && !token.revoked) {
            log_info("head.token", "name=%.*s token=%llu state=replaced", (int)name.n,
                     (const char *)name.p, (unsigned long long)token.id);
            own_event(self, &(struct msg){ .kind = MSG_TOKEN_END,
                                           .as.token_end = { .token = token.id } });
        }
    }
    return code == ERR_NOT_FOUND ? OK : code;
}

/*  From then on the core knows the tokens of the access files; one that was revoked stays so. */
static int take_tokens(struct shell *self)
{
    int code = OK;
    for (uint32_t i = 0; code == OK && i < KEYS_ACCESS; i++) {
        struct proof proof;
        const struct access_file *file = keys_access_file(i);
        bool given = self->keys.access_dir != NULL;
        struct slice name = slice_text(given ? file->given_name : file->name);
        proof_read(self->secret, slice_text(self->keys.access[i].token), &proof);
        code = given ? end_replaced(self, name, proof.hash) : OK;
        own_event(self, &(struct msg){
                            .kind = MSG_TOKEN_PUT,
                            .as.token_put = { .name = name,
                                              .role = file->role,
                                              .hash = slice_of(proof.hash, sizeof(proof.hash)) } });
    }
    keys_forget_access(&self->keys);
    return code;
}

/*  The secret of tickets: those of a head that ended are good for the next one, which adopts their attempts. */
static int load_secret(struct shell *self)
{
    enum { LETTERS = 43 };
    char path[PATH_BYTES], text[LETTERS + 2] = "";
    struct proof proof;
    int code = file_path(path, sizeof(path), self->dir, "head.secret");
    if (code == OK && (file_read(path, text, sizeof(text)) != OK || strlen(text) != LETTERS)) {
        random_text(text, LETTERS);
        code = file_write(path, text, LETTERS, 0600);
    }
    proof_read(self->secret, slice_of(text, LETTERS), &proof); /* its hash */
    memcpy(self->secret, proof.hash, sizeof(self->secret));
    explicit_bzero(text, sizeof(text));
    turn_set_secret(self->turn, self->secret);
    return code;
}

static int open_all(struct shell *self, const struct shell_options *options)
{
    struct config config = options->config;
    struct limits limits = core_limits();
    char pid[24];
    snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    uint64_t seed;
    random_bytes(&seed, sizeof(seed));
    place_find(config.place);
    int code = load_keys(self, options);
    code = code == OK ? take_lock(self, options) : code;
    code = code == OK ? keys_keep(&self->keys, self->dir) : code;
    code = code == OK ? take_signals(self) : code;
    code = code == OK ? cluster_id(self, config.cluster, sizeof(config.cluster)) : code;
    code = code == OK ? open_store(self) : code;
    code = code == OK ? monitor_open(&self->monitor) : code;
    code = code == OK ? turn_open(&self->turn, self->store, &limits, &config, seed, send_out, self)
                      : code;
    code = code == OK ? turn_restore(self->turn, clock_ms(), clock_wall_ms()) : code;
    code = code == OK ? load_secret(self) : code;
    code = code == OK ? take_tokens(self) : code;
    code = code == OK ? open_net(self, options) : code;
    code = code == OK ? door_open(&self->door) : code;
    code = code == OK ? open_services(self, config.package_keep_s) : code;
    code = code == OK && options->pid_file ? write_text(self, options->pid_file, pid) : code;
    code = code == OK ? open_http(self, options) : code;
    return code == OK ? write_text(self, "head.address", net_address(self->net)) : code;
}

/*  What others find a running head by. */
static void forget_files(const struct shell *self, const struct shell_options *options)
{
    char path[PATH_BYTES];
    static const char *const names[] = { "head.address", "head.http" };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (file_path(path, sizeof(path), self->dir, names[i]) == OK) {
            unlink(path);
        }
    }
    if (options->pid_file) {
        unlink(options->pid_file);
    }
}

int shell_run(const struct shell_options *options)
{
    struct shell self = {
        .lock_fd = -1, .signal_fd = -1, .embedded = options->config.embedded, .start_ms = clock_ms()
    };
    self.idle_since_ms = self.start_ms;
    self.rest.at_ms = self.start_ms;
    self.rest.due = true; /* what the start has used */
    int code = open_all(&self, options);
    if (code == OK) {
        log_info("head.listening", "address=%s epoch=%llu", net_address(self.net),
                 (unsigned long long)core_epoch(turn_core(self.turn)));
        code = loop(&self);
        if (code == OK && self.embedded) {
            say_stop(&self);
            turn_event(self.turn, &(struct event){ .kind = EV_END,
                                                   .now_ms = clock_ms(),
                                                   .wall_ms = clock_wall_ms() });
            code = turn_flush(self.turn, clock_ms(), clock_wall_ms());
        }
        if (code == OK) {
            forget_files(&self, options);
        }
    }
    if (self.door != NULL) {
        door_end(self.door);
    }
    http_close(&self.http);
    door_close(&self.door);
    services_close(&self.services);
    net_close(&self.net);
    turn_close(&self.turn);
    store_close(&self.store);
    monitor_close(&self.monitor);
    if (self.signal_fd >= 0) {
        close(self.signal_fd);
    }
    return code;
}
