/*  job_env.h - the environment that a job is given: --env, --env-file, and a few of the submitter's own. */
#ifndef RAYC_CLI_JOB_ENV_H
#define RAYC_CLI_JOB_ENV_H
#include "client/cli/job_open.h"

/*  Reads --env-file and --env into job->env.  0, or an exit code. */
int env_check(struct job *job, const struct cli *cli);
/*  Puts PATH, HOME, USER, LANG, LC_*, TERM and TZ before them, if the cluster is on this machine. */
void env_inherit(struct job *job, bool local);
#endif
