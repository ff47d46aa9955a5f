/*  shell_open.c - makes what the shell owns, and ends it again in the opposite order. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "worker/carry_store.h"
#include "worker/shell_state.h"

enum { FAREWELL_MS = 20 /* for ZeroMQ's thread to send NODE_BYE */ };

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before there are threads */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool add_fd(const struct shell *self, int fd, uint64_t from)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = from };
    return fd >= 0 && epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*  Does the executor run this attempt, as far as the core knows? */
static bool runs(const void *core, uint32_t executor, uint64_t task, uint64_t token)
{
    return worker_gave(core, executor, task, token);
}

/*  What the executor is in, as far as the core knows. */
static bool runs_now(const void *core, uint32_t executor, struct held *out, uint32_t *number)
{
    return worker_runs(core, executor, out, number);
}

static int open_http(struct shell *self)
{
    const struct shell_config *config = self->config;
    struct diag why = { 0 };
    struct node_http_options options = { config->http_host, config->http_port, config->dir,
                                         self->samples, self->store };
    int e = config->http_host ? node_http_open(&self->http, &options, &why) : OK;
    if (e) {
        log_error("http.open", "host=%s port=%u why=\"%s\"", config->http_host, config->http_port,
                  why.text[0] ? why.text : err_text(e));
    } else if (self->http && !add_fd(self, node_http_fd(self->http), FROM_HTTP)) {
        e = ERR_SYSTEM;
    }
    return e;
}

/*  The store, and the ways into it; the core tells the head where that of other nodes is. */
static int open_store(struct shell *self, struct worker_config *core)
{
    const struct shell_config *config = self->config;
    const struct carry_place place = { config->address, config->carry_host, config->carry_port,
                                       config->dir, config->key != NULL };
    char endpoint[CARRY_ADDRESS_BYTES];
    int e = node_store_open(&self->store, &config->store);
    e = e ? e : stock_open(&self->stock, self->store);
    e = e ? e : store_socket_open(&self->store_socket, self->store, config->dir);
    e = e ? e : carry_endpoint(&place, endpoint);
    if (e) {
        return e;
    }
    e = carry_open(&self->carry, &(struct carry_options){ .endpoint = endpoint,
                                                          .key = config->key,
                                                          .store = carry_store(self->store),
                                                          .pulls = pulls_defaults() });
    if (!e) {
        core->store_bytes = config->store.bytes;
        e = wanted_open(&self->wanted, &(struct wanted_parts){ self->store, self->stock,
                                                               self->store_socket, self->carry });
        snprintf(core->objects, sizeof(core->objects), "%s", carry_address(self->carry));
    }
    return e;
}

int shell_open(struct shell *self)
{
    const struct shell_config *config = self->config;
    struct worker_config core = config->core;
    struct worker_limits limits = worker_limits();
    self->signals = open_signals();
    int e = open_store(self, &core);
    self->core_bytes = worker_bytes(&limits);
    self->core = worker_init(reserve_memory(self->core_bytes), &limits, &core);
    kept_frames_init(&self->frames, limits.attempts + limits.specs + 2 * WORKER_EVENTS_PER_TURN);
    kept_reports_init(&self->reports, limits.reports + limits.attempts);
    encoder_init(&self->sends);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    e = e ? e : tails_open(&self->tails);
    e = e ? e : asks_open(&self->asks, limits.executors, &(struct asks_runs){ runs, self->core });
    e = e ? e : fetches_open(&self->fetches, config->dir);
    e = e ? e : samples_open(&self->samples, config->dir);
    e = e ? e
          : packages_open(&self->packages, &(struct packages_options){ .dir = config->dir,
                                                                       .confine = &config->confine,
                                                                       .unpack = config->unpack });
    struct executors_config executors = { .dir = config->dir,
                                          .address = config->address,
                                          .key = config->key,
                                          .capacity = limits.executors,
                                          .epoll = self->epoll,
                                          .spawner = self->spawner,
                                          .confine = &config->confine,
                                          .tails = self->tails,
                                          .samples = self->samples,
                                          .store = self->store_socket,
                                          .runs = { runs_now, self->core },
                                          .asks = self->asks };
    e = e ? e : executors_open(&self->executors, &executors);
    e = e ? e : link_open(&self->link, config->address, config->key);
    if (!e && (!add_fd(self, spawner_fd(self->spawner), FROM_SPAWNER) ||
               !add_fd(self, self->signals, FROM_SIGNAL) ||
               !add_fd(self, packages_fd(self->packages), FROM_PACKAGES) ||
               !add_fd(self, samples_fd(self->samples), FROM_SAMPLES) ||
               !add_fd(self, stock_fd(self->stock), FROM_STOCK) ||
               !add_fd(self, store_socket_fd(self->store_socket), FROM_STORE) ||
               !add_fd(self, carry_fd(self->carry), FROM_CARRY) ||
               !add_fd(self, link_fd(self->link), FROM_LINK))) {
        log_error("worker.epoll", "error=\"%s\"", strerror(errno));
        e = ERR_SYSTEM;
    }
    return e ? e : open_http(self);
}

void shell_close(struct shell *self)
{
    node_http_close(&self->http);
    spawner_stop(&self->spawner);
    if (self->link) {
        usleep(FAREWELL_MS * 1000);
    }
    samples_take(self->samples, clock_ms());
    executors_close(&self->executors);
    wanted_close(&self->wanted);
    carry_close(&self->carry);
    store_socket_close(&self->store_socket);
    stock_close(&self->stock);
    node_store_close(&self->store);
    samples_close(&self->samples);
    packages_close(&self->packages);
    fetches_close(&self->fetches);
    tails_close(&self->tails);
    asks_close(&self->asks);
    kept_reports_fini(&self->reports);
    kept_frames_fini(&self->frames);
    link_close(&self->link);
    encoder_fini(&self->sends);
    munmap(self->core, self->core_bytes);
    close(self->signals);
    close(self->epoll);
}
