/*  values.h - values of rayc.h as msgpack, and back. Values come from other programs: reading is
    bounded, never recursive, and never trusts a length. */
#ifndef RAYC_VALUES_H
#define RAYC_VALUES_H
#include "client/rayc.h"
#include "common/base.h"
#include "proto/value.h"

enum { ACTOR_EXT = 3 }; /* task id u64, max_task_retries i32, u32 0, big-endian */

/*  What an argument list refers to: the caller says what a reference is.
    1: `value` is its value, to be put in; 0: the task waits for it; below zero: a failure. */
struct resolver {
    int (*resolve)(void *context, rayc_ref ref, struct slice *value);
    void *context;
};

/*  OK, or RAYC_EINVALID for a value that cannot be sent; `why` says what is wrong, without its
    place. */
int value_check(const rayc_value *value, const char **why);
size_t value_bound(const rayc_value *value); /* bytes at most, encoded */
/*  exactly, of one that is large enough to be stored; else 0 */
size_t value_size(const rayc_value *value);
void value_put(struct wire *to, const rayc_value *value); /* checked before */

/*  An argument list, growing `to`: its capacity must hold args_bound().  `deps` gets one ID
    record for each reference that is waited for; returns how many, or a failure that failure.h
    describes. */
size_t args_bound(const rayc_arg *args, size_t count);
int args_put(struct wire *to, struct wire *deps, const rayc_arg *args, size_t count,
             const struct resolver *resolver);

/*  Reads one value; false if it is malformed or cut off.  `reference`: it is one that, at the top
    of a list of arguments, is waited for.  *out is a RAYC_REF then, too. */
bool value_read(struct cursor *from, rayc_value *out, bool *reference);
const char *kind_name(rayc_kind kind); /* "an integer" */
#endif
