/*  output.h - what an executor prints: one file in the scratch folder, appended to by the executor and everything it
    starts, read by the worker when a task has ended.  The file is used again by the next executor of its slot. */
#ifndef RAYC_OUTPUT_H
#define RAYC_OUTPUT_H
#include "common/base.h"
#include "common/err.h"
#include "worker/arena.h"

struct output {
    int fd;         /* -1: not open */
    uint64_t taken; /* what is before belongs to tasks that were reported */
    uint64_t freed; /* what is before has been given back to the disk */
    char *path;     /* malloc'd */
};

/*  An empty file: opened, or emptied when it is open already. */
MUST_CHECK int output_open(struct output *self, const char *path);
void output_close(struct output *self, bool remove);
uint64_t output_size(const struct output *self);
/*  Bytes from..to, the first `max` of them.  A range beyond the file is cut. */
struct slice output_read(const struct output *self, struct arena *arena, uint64_t from, uint64_t to,
                         size_t max);
/*  The last lines from `from` on, as a text: no NUL, and not more than `max` bytes. */
struct slice output_tail(const struct output *self, struct arena *arena, uint64_t from, size_t max);
/*  Writes a range to a new file of its own. */
MUST_CHECK int output_copy(const struct output *self, uint64_t from, uint64_t to, const char *path);
/*  Renames the file and closes it: the next output_open() makes a new one. */
MUST_CHECK int output_keep(struct output *self, const char *path);
/*  All before `to` has been taken; if nobody else reads it, disk space is given back now and then. */
void output_taken(struct output *self, uint64_t to, bool give_back);
#endif
