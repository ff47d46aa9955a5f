/*  serve.h - executor mode, and the functions that a program has. */
#ifndef RAYC_SERVE_H
#define RAYC_SERVE_H
#include "client/rayc.h"
#include "common/base.h"
#include "proto/channel.h"
#include "proto/proto.h"

const rayc_function *function_find(struct slice name); /* NULL: none */
size_t function_count(void);

/*  Of an executor: the page that it shares with its worker; else NULL. */
struct channel_page *serve_page(void);
/*  Sends a report of the running task; the answer comes through the page. */
void serve_tell(const struct rec_report *report);

/*  Serves tasks over the descriptors of proto/channel.h until the worker closes the socket. */
_Noreturn void serve_tasks(void);
#endif
