/*  actor_options.h - options of actors and of calls, checked and written as SPECs. */
#ifndef RAYC_ACTOR_OPTIONS_H
#define RAYC_ACTOR_OPTIONS_H
#include "client/options.h"

enum { GROUPS_MAX = 64 };

/*  A SPEC of an actor; `groups` is what its record borrows. */
struct actor_draft {
    struct spec_draft spec;
    char groups[4096];
};

/*  With every field set, as options_complete(). */
int actor_options_complete(rayc_actor_options *out, const rayc_actor_options *given);
int method_options_complete(rayc_method_options *out, const rayc_method_options *given);
/*  RAYC_EINVALID: rayc_error() names the option. */
int actor_options_draft(struct actor_draft *out, const rayc_class *class,
                        const rayc_actor_options *complete);
int method_options_draft(struct spec_draft *out, const rayc_method *method,
                         const rayc_method_options *complete, int32_t retries_of_actor);
#endif
