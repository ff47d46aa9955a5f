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

/*  The attempt that runs: its token, and *task; 0: none does.  Any thread may ask. */
uint64_t serve_running(uint64_t *task);
/*  Gets its ticket from the worker, as text of at most CHANNEL_TICKET bytes. */
int serve_ticket(uint64_t task, uint64_t token, char *out);
/*  A thread of it waits for other tasks, in rayc_get() (NEED_GET) or rayc_wait(): its CPUs are free until none does. */
void serve_waits(enum need how);
void serve_goes_on(void);
bool serve_cancelled(void);
/*  Of an executor that is an actor which runs one call at a time: its task; else 0. */
uint64_t serve_actor(void);

/*  Serves tasks over the descriptors of proto/channel.h until the worker closes the socket. */
_Noreturn void serve_tasks(void);
#endif
