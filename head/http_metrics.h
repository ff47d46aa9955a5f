/*  http_metrics.h - the handler of GET /metrics. */
#ifndef RAYC_HTTP_METRICS_H
#define RAYC_HTTP_METRICS_H
#include "common/web/web.h"

void http_metrics(struct web_request *request, struct web_reply *reply);
#endif
