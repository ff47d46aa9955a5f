/*  serve.h - executor mode, and the functions that a program has. */
#ifndef RAYC_SERVE_H
#define RAYC_SERVE_H
#include "client/rayc.h"
#include "common/base.h"

const rayc_function *function_find(struct slice name); /* NULL: none */
size_t function_count(void);

/*  Serves tasks over the descriptors of proto/channel.h until the worker closes the socket. */
_Noreturn void serve_tasks(void);
#endif
