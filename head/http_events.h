/*  http_events.h - events as they happen, over HTTP (text/event-stream).  One thread reads what is new for all who
    listen; it sleeps while nobody does.  Who comes back with Last-Event-ID misses nothing and hears nothing twice. */
#ifndef RAYC_HTTP_EVENTS_H
#define RAYC_HTTP_EVENTS_H
#include "common/web/web.h"

struct feed;

MUST_CHECK int feed_open(struct feed **out, const char *database);
void feed_close(struct feed **self); /* after the server; NULL-safe */

web_handler http_events_stream;
#endif
