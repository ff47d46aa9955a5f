/*  ray_body.h - what a client of Ray's Jobs API sends to make a job, checked as Ray's JobSubmitRequest checks it; and
    how Ray says no: a status and a text, the last line of the traceback that Ray sends. */
#ifndef RAYC_RAY_BODY_H
#define RAYC_RAY_BODY_H
#include <jansson.h>
#include "common/base.h"
#include "common/err.h"

struct ray_refusal {
    bool plain;      /* set before: in rayc's words, not in Python's */
    uint32_t status; /* of HTTP */
    char text[1024];
};

/*  Returns ERR_INVALID, for callers to return.  Plain, without the name of Python's exception before ": ". */
int ray_refuse(struct ray_refusal *no, uint32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*  400: Ray's words with Python's name of the value's type at their end, or ours with JSON's. */
int ray_refuse_type(struct ray_refusal *no, const char *rays, const char *ours,
                    const json_t *value);

/*  *out: an object with known fields only, of the right types, without nulls; the caller's to json_decref(). */
MUST_CHECK int ray_body_read(struct slice body, json_t **out, struct ray_refusal *no);
#endif
