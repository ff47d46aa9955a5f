/*  ids.h - the names of things.  Each is a struct of its own, so that mixing two does not compile.

    A task id is (session, counter): a session is granted by the head to one submitter, which counts its
    own tasks from 1.  So a resent task has the same id, and rows are appended in order.
    A token is (epoch of the head, counter): it fences one attempt of one task; never reused. */
#ifndef RAYC_IDS_H
#define RAYC_IDS_H
#include "common/base.h"

typedef struct {
    uint64_t v;
} task_id;
typedef struct {
    uint64_t v;
} token_id;

enum {
    TASK_COUNTER_BITS = 40,
    TOKEN_COUNTER_BITS = 40,
    TASK_ID_TEXT = 16 + 1 /* 6 hex digits of session, 10 of counter */
};
#define TASK_COUNTER_MAX ((1ull << TASK_COUNTER_BITS) - 1)
#define SESSION_MAX      ((1ull << 23) - 1) /* a row id of SQLite is signed */

static inline task_id task_id_of(uint64_t session, uint64_t counter)
{
    return (task_id){ session << TASK_COUNTER_BITS | counter };
}

static inline uint64_t task_session(task_id id)
{
    return id.v >> TASK_COUNTER_BITS;
}

static inline uint64_t task_counter(task_id id)
{
    return id.v & TASK_COUNTER_MAX;
}

static inline token_id token_of(uint64_t epoch, uint64_t counter)
{
    return (token_id){ epoch << TOKEN_COUNTER_BITS | counter };
}

static inline uint64_t token_epoch(token_id token)
{
    return token.v >> TOKEN_COUNTER_BITS;
}
#endif
