/*  task.h - the attempt that an executor runs: its arguments, and what becomes of it. One object
    serves all attempts of the process, one after the other; a task's function sees it as
    rayc_task. */
#ifndef RAYC_TASK_H
#define RAYC_TASK_H
#include <signal.h>
#include "client/local_store.h"
#include "client/rayc.h"
#include "common/ids.h"
#include "proto/proto.h"

struct trial;

/*  Its large values (task_values.c): those of its arguments that are mapped, and what it returns. */
struct task_values {
    struct stored *mapped;
    size_t count, capacity;
    struct local_buffer kept; /* the result, not sealed yet; store NULL: it is in `result` */
    uint8_t sealed_bytes[32];
    struct wire sealed; /* a SEALED record of the result; empty: it is in no store */
};

struct rayc_task {
    struct rec_run run; /* borrowed from its frame */
    rayc_value *values; /* its arguments */
    size_t count, capacity;
    struct wire result; /* what rayc_return() was given, encoded; grows */
    enum outcome outcome;
    int32_t status; /* application code */
    char *text;     /* TEXT_MAX bytes: why it failed */
    size_t text_bytes;
    char id[TASK_ID_TEXT]; /* made when it is asked for */
    volatile sig_atomic_t cancelled;
    struct task_values large;
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
/*  task_values.c: of a value of the arguments, the bytes that a placeholder stands for; false: it has ended in a mistake.
    And what is kept goes: at the end of the task, or when it returns something else. */
bool task_map(struct rayc_task *self, struct slice *value, bool *stored);
void task_unmap(struct rayc_task *self);
/*  The result, if it is large enough for the store of the node, and there is one.  False: it is not kept. */
bool task_keep(struct rayc_task *self, const rayc_value *value);
void task_drop_kept(struct rayc_task *self);
/*  Others can read what was kept from now on; `result` is its placeholder. */
void task_seal(struct rayc_task *self);
/*  Makes `result` so large. */
void task_reserve(struct rayc_task *self, size_t bytes);
/*  trial.c: forgets the trial of the attempt before. */
void trial_forget(struct trial **trial);
#endif
