/*  json_shallow.h - JSON of strangers.  jansson goes into what is nested by calling itself, some 2000 deep, which is more
    than the stack of a thread that answers HTTP holds: such a text is refused before. */
#ifndef RAYC_JSON_SHALLOW_H
#define RAYC_JSON_SHALLOW_H
#include <jansson.h>
#include "common/base.h"

enum { JSON_DEPTH_MAX = 64 };

/*  As json_loadb().  NULL: `error` says where it is wrong, and why. */
json_t *json_shallow(struct slice text, size_t flags, json_error_t *error);
#endif
