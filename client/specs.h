/*  specs.h - what a session's tasks have in common, told to the head once: functions with their
    options, commands. */
#ifndef RAYC_SPECS_H
#define RAYC_SPECS_H
#include "client/rayc.h"
#include "common/hash.h"
#include "proto/proto.h"

/*  Indexes are 1 to SPECS_PER_SESSION_MAX - 1. */
enum { SPEC_BUCKETS = 1024, SPECS_FULL = 0 };

struct spec_entry {
    const rayc_function *function; /* NULL: a command, known by its digest */
    rayc_options options;          /* complete; its strings and codes are our own, in `texts` */
    void *texts;
    char digest[HASH_TEXT_BYTES];
    uint32_t next; /* of its bucket */
};

struct specs {
    struct spec_entry *entries; /* [0] is unused */
    uint32_t count, capacity;
    uint32_t last; /* the newest that was found: mostly it is the next, too */
    uint32_t buckets[SPEC_BUCKETS];
};

void specs_init(struct specs *self);
void specs_fini(struct specs *self);

/*  The index, or NONE. */
uint32_t specs_find(struct specs *self, const rayc_function *function,
                    const rayc_options *complete);
uint32_t specs_find_command(struct specs *self, const char *digest);
/*  Remembers a new one: its index, or SPECS_FULL. */
uint32_t specs_add(struct specs *self, const rayc_function *function, const rayc_options *complete);
/*  They are another program's from now on: none is found any more. */
void specs_forget_functions(struct specs *self);
uint32_t specs_add_command(struct specs *self, const char *digest);
#endif
