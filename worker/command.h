/*  command.h - what a spec's body asks for ({argv, env, vars, cwd, stdin}, a msgpack map), the environment that an executor
    starts with, and the value that a command results in ({status, stdout, stderr}). */
#ifndef RAYC_COMMAND_H
#define RAYC_COMMAND_H
#include "common/err.h"
#include "proto/proto.h"

struct command {
    const char **argv; /* NULL-terminated; empty when the body has none */
    const char **env;
    /*  of a runtime environment: as env, but $NAME and ${NAME} in values are replaced */
    const char **vars;
    const char *cwd;    /* NULL: none */
    struct slice input; /* borrowed from the body */
    bool has_input;
    char *texts; /* what the pointers point to */
};

/*  An empty body is an empty command.  ERR_INVALID: `why` says what is wrong. */
MUST_CHECK int command_read(struct command *self, struct slice body, struct diag *why);
void command_fini(struct command *self);

/*  Entries "K=V", of which a later one replaces an earlier one. */
struct environment {
    const char **entries; /* NULL-terminated */
    uint32_t count, capacity;
    char **owned; /* of environment_expand() */
    uint32_t owned_count;
    size_t text_n;
    char text[12 * 1024]; /* of environment_print(); a path is at most 4 KiB */
};

/*  The worker's own environment without what is meant for the worker (RAYC_*, but RAYC_LOG) and, unless asked for, what
    is named like a secret. */
void environment_inherit(struct environment *self, const char *const *own, bool secrets);
void environment_fini(struct environment *self);
void environment_clear(struct environment *self,
                       const struct environment *base);            /* as `base` again */
void environment_put(struct environment *self, const char *entry); /* borrowed */
/*  By Ray's rule: a variable that is not set stays as it is written, but ${NAME} becomes nothing. */
void environment_expand(struct environment *self, const char *entry);
/*  NAME=TEXT, of any length. */
void environment_copy(struct environment *self, const char *name, const char *text);
const char *environment_get(const struct environment *self, const char *name); /* "": not set */
bool environment_has(const struct environment *self, const char *name);
__attribute__((format(printf, 2, 3))) void environment_print(struct environment *self,
                                                             const char *format, ...);

enum { COMMAND_VALUE_OVERHEAD = 64 };
void command_value(struct wire *to, int32_t status, struct slice out, struct slice err);
#endif
