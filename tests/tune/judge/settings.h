/*  settings.h - the command line of rayc-judge.  Apart, for <getopt.h> and client/tune/space.h both have an option. */
#ifndef RAYC_JUDGE_SETTINGS_H
#define RAYC_JUDGE_SETTINGS_H
#include "tests/tune/judge/functions.h"

enum { JUDGE_FLAGS_MAX = 16, JUDGE_TRIALS_MAX = 1000, NAMES_MAX = 64, PROCESSES_MAX = 64 };

struct settings {
    const char *algos[NAMES_MAX];
    uint32_t algo_count;
    const struct judged *functions[NAMES_MAX];
    uint32_t function_count;
    const char *flags[JUDGE_FLAGS_MAX]; /* of --set */
    uint32_t flag_count;
    const char *spaces, *out, *curves, *trace, *name;
    uint32_t seeds, first_seed, trials, processes;
};

/*  Reads the options over what is set; a wrong one ends the program with a message. */
void settings_read(struct settings *self, int argc, char **argv);
#endif
