/*  metric.h - a sample of a metric of the user's own, to the worker that started this process. */
#ifndef RAYC_METRIC_H
#define RAYC_METRIC_H
#include "common/base.h"
#include "proto/proto.h"

/*  0, or a code of rayc.h, as rayc_error() says. */
int metric_send(const struct rec_sample *sample);
#endif
