/*  job_open.h - from the options of `rayc submit` to a JOB_OPEN.
    Checked in two steps: job_check() before a cluster is looked for, job_build() when it is known. */
#ifndef RAYC_CLI_JOB_OPEN_H
#define RAYC_CLI_JOB_OPEN_H
#include "client/cli/cli.h"
#include "client/cli/runtime_env.h"
#include "client/options.h"
#include "common/hash.h"
#include "proto/proto.h"

enum { JOB_ENV_MAX = 1024, JOB_ENTRYPOINT_MAX = 4096 };

struct job {
    struct msg_job_open open; /* borrows from the rest */
    char submission[NAME_MAX_BYTES + 1];
    char entrypoint[JOB_ENTRYPOINT_MAX];
    char program[HASH_TEXT_BYTES]; /* content hash; empty: a command */
    char digest[HASH_TEXT_BYTES];
    char cwd[PATH_BYTES]; /* empty: none */
    const char *env[JOB_ENV_MAX + 1];
    uint32_t env_count;
    uint32_t env_inherited; /* the first so many are the submitter's own */
    int retry_codes[RETRY_CODES_MAX];
    char labels[SELECTOR_MAX + 1]; /* one per line */
    rayc_options options;
    struct spec_draft draft;
    struct wire input; /* bytes of --stdin */
    struct wire body;
    struct wire specs;
    struct runtime_env runtime_env;
    struct wire packages, after;
    char *metadata;
};

void job_init(struct job *self);
void job_fini(struct job *self);
/*  What can be said without a cluster.  0, or an exit code. */
int job_check(struct job *self, const struct cli *cli);
/*  `local`: the cluster is on this machine, so that our folder and PATH mean something there. */
int job_build(struct job *self, const struct cli *cli, bool local);
#endif
