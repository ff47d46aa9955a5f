/*  failure.c - one record per thread, of a fixed size: to describe a failure needs no memory. */
#include "client/failure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "common/ids.h"

enum { FAILURE_TEXT_MAX = 4096 }; /* all of a longer one is in the task's log */

static _Thread_local struct {
    rayc_failure failure;
    char text[FAILURE_TEXT_MAX];
    char log[TASK_ID_TEXT];
} last;

static int set(const rayc_failure *failure, const char *log)
{
    last.failure = *failure;
    last.failure.text = last.text;
    last.failure.log = last.log;
    snprintf(last.log, sizeof(last.log), "%s", log);
    return failure->code;
}

int failure_say(int code, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(last.text, sizeof(last.text), format, values);
    va_end(values);
    return set(&(rayc_failure){ .code = code }, "");
}

int failure_set(int code, struct slice text)
{
    slice_copy_text(text, last.text, sizeof(last.text));
    return set(&(rayc_failure){ .code = code }, "");
}

int failure_task(const rayc_failure *failure, struct slice text, uint64_t task)
{
    char log[TASK_ID_TEXT];
    snprintf(log, sizeof(log), "%016" PRIx64, task);
    slice_copy_text(text, last.text, sizeof(last.text));
    return set(failure, log);
}

const rayc_failure *rayc_error(void)
{
    if (last.failure.text == NULL) {
        set(&(rayc_failure){ 0 }, "");
    }
    return &last.failure;
}
