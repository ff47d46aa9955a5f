/*  task.h - the attempt that an executor runs: its arguments, and what becomes of it. One object
    serves all attempts of the process, one after the other; a task's function sees it as
    rayc_task. */
#ifndef RAYC_TASK_H
#define RAYC_TASK_H
#include <signal.h>
#include "client/rayc.h"
#include "common/ids.h"
#include "proto/proto.h"

struct trial;

struct rayc_task {
    struct rec_run run; /* borrowed from its frame */
    rayc_value *values; /* its arguments */
    size_t count, capacity;
    struct wire result; /* what rayc_return() was given, encoded; grows */
    struct wire *parts; /* likewise rayc_return_at(), of a task that returns several */
    uint32_t part_count;
    enum outcome outcome;
    int32_t status; /* application code */
    char *text;     /* TEXT_MAX bytes: why it failed */
    size_t text_bytes;
    char id[TASK_ID_TEXT]; /* made when it is asked for */
    volatile sig_atomic_t cancelled;
    struct trial *trial; /* trial.c: what is known of the trial that it is; NULL: was not asked */
};

/*  Reads the arguments of `run`.  Strings are moved by one byte in their frame, to end with a
    NUL: the frame is the executor's own, and this is called once for each record. */
void task_begin(struct rayc_task *self, const struct rec_run *run);
/*  Takes what the function returned. */
void task_end(struct rayc_task *self, int returned);
void task_fini(struct rayc_task *self);
/*  The first mistake of an attempt decides how it ends. */
void task_mistake(struct rayc_task *self, enum outcome outcome, int32_t status, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/*  trial.c: forgets the trial of the attempt before. */
void trial_forget(struct trial **trial);
#endif
