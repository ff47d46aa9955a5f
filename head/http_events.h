/*  http_events.h - events as they happen, over HTTP (text/event-stream).  Who comes back with Last-Event-ID misses nothing
    and hears nothing twice: neither of events nor of the bytes of logs. */
#ifndef RAYC_HTTP_EVENTS_H
#define RAYC_HTTP_EVENTS_H
#include "common/web/web.h"

web_handler http_events_stream;
#endif
