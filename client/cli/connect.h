/*  connect.h - from options to a connection: which head, and what to do when there is none. */
#ifndef RAYC_CLI_CONNECT_H
#define RAYC_CLI_CONNECT_H
#include "client/cli/ask.h"
#include "client/cli/cli.h"

enum connect_mode {
    CONNECT_RUNNING, /* a cluster that runs, or fail */
    CONNECT_READ,    /* else start a head that only answers from the state folder */
    CONNECT_WORK     /* else start an embedded cluster */
};

/*  Sets self->ask.  0, or the exit code of what was said.  CONNECT_READ with a state folder that holds no database
    is 0 with self->ask NULL: there is nothing yet. */
int cli_connect(struct cli *self, enum connect_mode mode);
/*  Says why a call of ask.h failed; returns the exit code. */
int fail_ask(const struct cli *self, int code);
/*  For cmd/login.c: a running head at `address`, with this token and key (NULL: none) and no others. */
int cli_connect_as(struct cli *self, const char *address, const char *token,
                   const struct member_key *key);
/*  Is there a cluster to talk to, without starting one?  It may turn out not to answer. */
bool cluster_runs(const struct cli *self);
/*  The options that librayc and the daemons read from the environment. */
void cli_export(const struct cli *self);
#endif
