/*  shell_state.h - what the files of the shell share: all that it owns, and who wakes it. */
#ifndef RAYC_SHELL_STATE_H
#define RAYC_SHELL_STATE_H
#include "worker/asks.h"
#include "worker/carry.h"
#include "worker/encoder.h"
#include "worker/executor.h"
#include "worker/kept.h"
#include "worker/node_store.h"
#include "worker/node_http.h"
#include "worker/packages.h"
#include "worker/programs.h"
#include "worker/samples.h"
#include "worker/shell.h"
#include "worker/stock.h"
#include "worker/store_socket.h"
#include "worker/tails.h"
#include "worker/wanted.h"

/*  data.u64 of epoll; smaller ones are ids of executors. */
enum {
    FROM_LINK = 1u << 30,
    FROM_SPAWNER,
    FROM_SIGNAL,
    FROM_PACKAGES,
    FROM_HTTP,
    FROM_SAMPLES,
    FROM_STORE,
    FROM_CARRY,
    FROM_STOCK
};

struct shell {
    const struct shell_config *config;
    struct spawner *spawner;
    struct link *link;
    struct executors *executors;
    struct fetches *fetches;
    struct packages *packages;
    struct tails *tails;
    struct asks *asks;
    struct samples *samples;
    struct node_store *store;
    struct store_socket *store_socket;
    struct carry *carry;
    struct stock *stock;
    struct wanted *wanted;
    struct node_http *http; /* NULL: it has no port */
    struct worker *core;
    size_t core_bytes;
    int epoll, signals;
    uint64_t now_ms, wall_ms;
    uint64_t deadline_ms; /* of the core */
    uint32_t steps;       /* since settle() */
    bool link_waits;      /* it may have more, or was sent to: ask it before sleeping */
    bool stopping;        /* a signal has asked for it */
    bool ended;
    int exit_code;
    struct kept_frames frames;
    struct kept_reports reports;
    struct encoder sends; /* ACT_SEND and LOG; of reports, the frame that is being joined */
    uint64_t report;      /* its seq, 0: none */
    bool report_now;      /* it is to be sent, too */
};

/*  All of it, in the order in which each needs another.  After a failure, shell_close() all the same. */
MUST_CHECK int shell_open(struct shell *self);
void shell_close(struct shell *self);
#endif
