/*  job_words.h - what a job says beside what it runs: metadata, jobs to wait for, packages. */
#ifndef RAYC_CLI_JOB_WORDS_H
#define RAYC_CLI_JOB_WORDS_H
#include "client/cli/job_open.h"

int job_words_check(struct job *job, const struct cli *cli); /* 0, or an exit code */
struct list job_packages(struct job *job);                   /* borrowed from the job */
#endif
