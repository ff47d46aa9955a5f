/*  samples.h - the users' metrics on this node: what processes of attempts say, folded.

    They say it in datagrams to one socket, each a SAMPLES message with the key of its executor, which only that
    executor's environment has: whose job it is, is not theirs to claim.  What has been said survives who said it:
    counters and histograms of a process that was killed stay, and outlive the worker in DIR/metrics, until there is no
    room.  Gauges end SAMPLES_GAUGE_MS after the executor that set them. */
#ifndef RAYC_SAMPLES_H
#define RAYC_SAMPLES_H
#include "common/err.h"
#include "common/exposition.h"

enum {
    SAMPLES_KEY_BYTES = 48,
    SAMPLES_GAUGE_MS = 60000,
    SAMPLES_SAVE_MS = 1000,    /* DIR/metrics is at most so old */
    SAMPLES_KEPT_MS = 3600000, /* what nobody has said for so long makes room */
    SAMPLES_FAMILIES_MAX = 500,
    SAMPLES_SERIES_MAX = 10000
};

struct samples;

MUST_CHECK int samples_open(struct samples **out, const char *dir);
void samples_close(struct samples **self); /* NULL-safe */

/*  The loop's side.  `address` is for RAYC_METRICS, the key for RAYC_METRICS_KEY of one executor. */
const char *samples_address(const struct samples *self);
uint32_t samples_begin(struct samples *self, const char *submission, char key[SAMPLES_KEY_BYTES]);
void samples_end(struct samples *self, uint32_t source, uint64_t now_ms); /* 0: none */
int samples_fd(const struct samples *self);
void samples_take(struct samples *self, uint64_t now_ms);
void samples_on_time(struct samples *self, uint64_t now_ms);
uint64_t samples_due(const struct samples *self); /* of samples_on_time(); UINT64_MAX: never */

/*  One datagram's bytes; what is wrong in it is counted, and dropped. */
void samples_fold(struct samples *self, struct slice frame, uint64_t now_ms);

/*  Any thread. */
void samples_expose(struct samples *self, struct exposition *out);
#endif
