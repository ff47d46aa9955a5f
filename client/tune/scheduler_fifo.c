/*  scheduler_fifo.c - every trial runs to its end. */
#include "client/tune/scheduler_inside.h"

#include "common/err.h"

static int fifo_open(struct scheduler *self, struct diag *why)
{
    (void)self;
    (void)why;
    return OK;
}

static void fifo_close(struct scheduler *self)
{
    (void)self;
}

static void fifo_added(struct scheduler *self, uint32_t trial, const double *x)
{
    (void)self;
    (void)trial;
    (void)x;
}

static enum decision fifo_reported(struct scheduler *self, uint32_t trial, double step,
                                   double value, bool resumable)
{
    (void)self;
    (void)trial;
    (void)step;
    (void)value;
    (void)resumable;
    return DECISION_GO_ON;
}

static void fifo_ended(struct scheduler *self, uint32_t trial, bool failed)
{
    (void)self;
    (void)trial;
    (void)failed;
}

static bool fifo_resume(struct scheduler *self, struct resumption *out)
{
    (void)self;
    (void)out;
    return false;
}

const struct scheduler_type scheduler_fifo = {
    .name = "fifo",
    .summary = "every trial runs to its end",
    .open = fifo_open,
    .close = fifo_close,
    .added = fifo_added,
    .reported = fifo_reported,
    .ended = fifo_ended,
    .resume = fifo_resume,
};
