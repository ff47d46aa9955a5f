/*  command.h - a command as the body of a SPEC: the msgpack map {argv, env, vars, cwd, stdin}. */
#ifndef RAYC_CLIENT_COMMAND_H
#define RAYC_CLIENT_COMMAND_H
#include "common/base.h"
#include "proto/proto.h"

struct command_line {
    const char *const *argv; /* ends with NULL */
    const char *const *env;  /* likewise, "K=V"; NULL: none */
    const char *const *vars; /* of a runtime environment: likewise, expanded on the node */
    const char *cwd;         /* NULL: none */
    struct slice input;      /* for stdin */
};

/*  out->p is malloced.  RAYC_EINVALID, RAYC_ETOOLARGE; rayc_error() says what is wrong. */
int command_encode(const struct command_line *line, struct wire *out);
#endif
