/*  task.h - the attempt that an executor runs: its arguments, and what becomes of it. One object
    serves all attempts of the process, one after the other; a task's function sees it as
    rayc_task. */
#ifndef RAYC_TASK_H
#define RAYC_TASK_H
#include <signal.h>
#include "client/local_store.h"
#include "client/rayc.h"
#include "client/sealing.h"
#include "common/ids.h"
#include "proto/proto.h"

struct trial;

/*  Its large arguments, which are mapped (task_values.c). */
struct task_mapped {
    struct stored *ids;
    size_t count, capacity;
};

/*  A value that it returns (task_returns.c): encoded, or in the store and not sealed yet. */
struct returned {
    struct wire bytes; /* grows */
    struct local_buffer kept;
};

struct rayc_task {
    struct rec_run run; /* borrowed from its frame */
    rayc_value *values; /* its arguments */
    size_t count, capacity;
    struct returned *returned; /* a place for each value that it returns, or more */
    uint32_t returned_count;
    struct wire joined;     /* of several: all that it returned; grows */
    struct slice result;    /* when it has ended well: what it returned, encoded */
    struct sealing sealing; /* what the head is told of that */
    enum outcome outcome;
    int32_t status; /* application code */
    char *text;     /* TEXT_MAX bytes: why it failed */
    size_t text_bytes;
    char id[TASK_ID_TEXT]; /* made when it is asked for */
    struct wire saved;     /* of a method: what rayc_actor_save() was given, encoded; grows */
    bool has_checkpoint;
    rayc_value checkpoint; /* of a constructor: what rayc_actor_saved() returns */
    volatile sig_atomic_t cancelled;
    struct task_mapped mapped;
    struct trial *trial; /* trial.c: what is known of the trial that it is; NULL: was not asked */
};

/*  Reads the arguments of `run`.  Strings are moved by one byte in their frame, to end with a
    NUL: the frame is the executor's own, and this is called once for each record. */
void task_begin(struct rayc_task *self, const struct rec_run *run);
/*  Takes what the function returned. */
void task_end(struct rayc_task *self, int returned);
void task_fini(struct rayc_task *self);
/*  Encodes into `saved`, or is a mistake. */
void task_save(struct rayc_task *self, rayc_arg arg);
/*  What `run.checkpoint` says; NULL: nothing. */
const rayc_value *task_checkpoint(struct rayc_task *self);
/*  The first mistake of an attempt decides how it ends. */
void task_mistake(struct rayc_task *self, enum outcome outcome, int32_t status, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/*  task_values.c: of a value of the arguments, the bytes that a placeholder stands for; false: it has ended in a mistake.
    What is mapped goes at the end of the task. */
bool task_map(struct rayc_task *self, struct slice *value, bool *stored);
void task_unmap(struct rayc_task *self);
/*  task_returns.c */
void returns_begin(struct rayc_task *self);
void returns_end(struct rayc_task *self); /* of a task that has ended well: `result`, `sealing` */
void returns_fini(struct rayc_task *self);
/*  The value is what a buffer has; else the buffer is left. */
void returns_set_kept(struct rayc_task *self, size_t index, struct local_buffer *buffer);
/*  Does it return one value?  If not, it is a mistake, and what it should have called `instead`. */
bool returns_one(struct rayc_task *self, const char *instead);
/*  trial.c: forgets the trial of the attempt before. */
void trial_forget(struct trial **trial);
#endif
