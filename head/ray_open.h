/*  ray_open.h - the body of Ray's POST /api/jobs/ as a JOB_OPEN.  The entrypoint is a command of its owner's shell, by
    Ray's contract; what rayc does not have (pip, conda, containers, labels) is refused and named, and nothing is made.

    The digest covers all that was asked, so that the same submission id with the same content is the same job. */
#ifndef RAYC_RAY_OPEN_H
#define RAYC_RAY_OPEN_H
#include "common/hash.h"
#include "head/ray_body.h"
#include "proto/proto.h"

struct ray_packages { /* of the user that asks */
    /*  The content hash of the package of this URI.  ERR_NOT_FOUND: there is none.  ERR_STORE. */
    int (*find)(void *context, const char *uri, char hash[HASH_TEXT_BYTES]);
    void *context;
};

struct ray_open {
    struct msg_job_open job; /* borrows from the rest */
    char submission[NAME_MAX_BYTES + 1];
    /* the rest is the module's own */
    char digest[HASH_TEXT_BYTES];
    json_t *asked;
    char *metadata, *runtime_env;
    struct wire command, specs, packages, demand;
    uint32_t package_count, amount_count;
    char labels[SELECTOR_MAX + 2];
    struct slice amounts[RESOURCES_MAX]; /* their names */
};

/*  ERR_INVALID: `no` says why.  `self` is to be ray_open_fini()ed either way. */
MUST_CHECK int ray_open_read(struct ray_open *self, struct slice body,
                             const struct ray_packages *packages, struct ray_refusal *no);
void ray_open_fini(struct ray_open *self);
#endif
