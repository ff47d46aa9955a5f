/*  failure.h - what rayc_error() says: the last failure of each thread. */
#ifndef RAYC_FAILURE_H
#define RAYC_FAILURE_H
#include "client/rayc.h"
#include "common/base.h"

/*  Each returns its code, for `return failure_say(...)`.  Long texts are cut. */
int failure_say(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int failure_set(int code, struct slice text);

/*  Of a task: `failure` has code, app_code, attempt and signal; text and id are copied. */
int failure_task(const rayc_failure *failure, struct slice text, uint64_t task);
#endif
