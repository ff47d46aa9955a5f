/*  settings.c - the command line of rayc-judge. */
#include "tests/tune/judge/settings.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void usage(FILE *to)
{
    fputs("usage: rayc-judge [OPTION...]       runs studies, prints CSV: function,sampler,seed,\n"
          "                                    r10,...,r200 (true regret), secs, dups\n"
          "  --algos A,B       algorithms (random,tpe,cmaes,auto)\n"
          "  --functions F,G   names, or public, or holdout (public)\n"
          "  --seeds N         seeds 0 to N - 1 (20)     --first-seed K  from K on\n"
          "  --trials N        of a study (200)          --processes N   side by side (2)\n"
          "  --set KEY=VALUE   a key of search.yaml, as search.startup=5\n"
          "  --name NAME       the sampler's name in the CSV (the algorithm's)\n"
          "  --out FILE        instead of standard output\n"
          "  --curves FILE     also the regret after 1, 2, 5, 10, 15, ... trials\n"
          "  --trace FILE      also every trial: function,sampler,seed,trial,value\n"
          "  --spaces DIR      folder of the search spaces\n"
          "       rayc-judge eval NAME key=value... [seed=S trial=T] [--true] [--steps N]\n"
          "       rayc-judge serve             the same, a line of standard input each\n"
          "       rayc-judge space NAME        its search space as JSON\n"
          "       rayc-judge list [SET]        the functions\n",
          to);
}

static uint32_t number(const char *text, uint32_t min, uint32_t max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min || value > max) {
        fprintf(stderr, "rayc-judge: \"%s\" is not a number from %u to %u\n", text, min, max);
        exit(2);
    }
    return (uint32_t)value;
}

static void add_function(struct settings *self, const char *name)
{
    uint32_t before = self->function_count;
    const struct judged *function;
    for (uint32_t i = 0; (function = judged_at(i)); i++) {
        if ((strcmp(name, function->name) == 0 ||
             strcmp(name, judge_set_name(function->set)) == 0) &&
            self->function_count < NAMES_MAX) {
            self->functions[self->function_count++] = function;
        }
    }
    if (self->function_count == before) {
        fprintf(stderr, "rayc-judge: unknown function \"%s\"; see rayc-judge list\n", name);
        exit(2);
    }
}

static void add_algo(struct settings *self, const char *name)
{
    ensure(self->algo_count < NAMES_MAX);
    self->algos[self->algo_count++] = name;
}

static void add_names(struct settings *self, char *list,
                      void (*add)(struct settings *self, const char *name))
{
    char *rest = NULL;
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        add(self, name);
    }
}

void settings_read(struct settings *self, int argc, char **argv)
{
    static const struct option options[] = {
        { "algos", required_argument, NULL, 'a' },  { "functions", required_argument, NULL, 'f' },
        { "seeds", required_argument, NULL, 's' },  { "first-seed", required_argument, NULL, 'k' },
        { "trials", required_argument, NULL, 't' }, { "processes", required_argument, NULL, 'p' },
        { "set", required_argument, NULL, 'S' },    { "name", required_argument, NULL, 'n' },
        { "out", required_argument, NULL, 'o' },    { "curves", required_argument, NULL, 'c' },
        { "trace", required_argument, NULL, 'T' },  { "spaces", required_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 }
    };
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        const char **text = c == 'n'   ? &self->name
                            : c == 'o' ? &self->out
                            : c == 'c' ? &self->curves
                            : c == 'T' ? &self->trace
                            : c == 'd' ? &self->spaces
                                       : NULL;
        uint32_t *amount = c == 's'   ? &self->seeds
                           : c == 'k' ? &self->first_seed
                           : c == 't' ? &self->trials
                           : c == 'p' ? &self->processes
                                      : NULL;
        if (text) {
            *text = optarg;
        } else if (amount) {
            uint32_t max = c == 't' ? JUDGE_TRIALS_MAX : c == 'p' ? PROCESSES_MAX : 100000;
            *amount = number(optarg, c == 'k' ? 0 : 1, max);
        } else if (c == 'a') {
            add_names(self, optarg, add_algo);
        } else if (c == 'f') {
            add_names(self, optarg, add_function);
        } else if (c == 'S' && self->flag_count < JUDGE_FLAGS_MAX) {
            self->flags[self->flag_count++] = optarg;
        } else {
            usage(c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (optind < argc) {
        usage(stderr);
        exit(2);
    }
    if (!self->algo_count) {
        add_names(self, strdup("random,tpe,cmaes,auto"),
                  add_algo); /* lives as long as the program */
    }
    if (!self->function_count) {
        add_function(self, "public");
    }
}
