/*  ray_state.h - what `ray list`, `ray get` and `ray summary` read: GET /api/v0/RESOURCE.  Rows of our views under Ray's
    column names; what rayc does not have (actors, objects, placement groups, ...) is an empty list with a warning that
    says so.  Any thread may ask, with a connection of its own. */
#ifndef RAYC_RAY_STATE_H
#define RAYC_RAY_STATE_H
#include "head/ray_body.h"
#include "head/ray_job.h"

enum { RAY_FILTERS_MAX = 16, RAY_LIMIT_DEFAULT = 100, RAY_LIMIT_MAX = 10000 };

struct ray_filter {
    const char *key, *predicate, *value;
};

struct ray_ask {
    const char *resource;
    bool summary;
    bool detail;
    bool with_driver; /* tasks: those of kind DRIVER_TASK, too */
    uint64_t limit;
    struct ray_filter filters[RAY_FILTERS_MAX];
    uint32_t filter_count;
};

bool ray_state_known(const char *resource, bool summary);
/*  The whole answer: {"result": true, "msg": "", "data": {...}}.  ERR_INVALID: `no` says why; ERR_STORE, ERR_TOO_LARGE. */
MUST_CHECK int ray_state_put(const struct ray_reader *self, const struct ray_ask *ask,
                             struct json *to, struct ray_refusal *no);
/*  The answer that refuses. */
void ray_state_refusal(struct json *to, const char *text);
#endif
