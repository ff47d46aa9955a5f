/*  main.c - rayc-sim: runs worlds by their seeds, says what failed and how to see it again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/bug.h"
#include "common/log.h"
#include "tests/sim/sim.h"

enum { TWICE_EVERY = 50, SEEDS_FOR_BUG = 2000 };

enum bug rayc_bug;

static const struct {
    const char *name, *text;
} bugs[BUGS] = {
    [BUG_NONE] = { "", "" },
#define BUG(NAME, text) [BUG_##NAME] = { #NAME, text },
#include "tests/sim/bugs.def"
#undef BUG
};

static struct sim world; /* too large for the stack */

struct sums {
    uint64_t seeds, failed, crashes, cuts, tasks, effects, frames, virtual_us, trace;
    struct timespec begin;
};

static void usage(FILE *to)
{
    fputs("usage: rayc-sim [--seed S] [--seeds N] [--minutes M] [--bug NAME | --bugs] "
          "[--regressions FILE]\n"
          "                [--verbose] [--json]\n"
          "Runs the head, workers and clients of rayc in one thread and virtual time, under faults "
          "drawn from the seed,\n"
          "and checks the project's invariants.  The same seed does the same.\n"
          "  --seed S       the first seed (default 1)\n"
          "  --seeds N      how many (default 1)\n"
          "  --minutes M    virtual minutes of each (default 10)\n"
          "  --bug NAME     with this bug planted: it should be found\n"
          "  --bugs         every planted bug in turn, up to 2000 seeds each\n"
          "  --regressions FILE  seeds that once failed, first: lines of `SEED [MINUTES] what it "
          "found`\n"
          "  --verbose      prints every event and message\n"
          "  --json         the summary as one JSON object\n"
          "Bugs: ",
          to);
    for (int i = 1; i < BUGS; i++) {
        fprintf(to, "%s%s", bugs[i].name, i + 1 < BUGS ? " " : "\n");
    }
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/*  The same seed again, this time keeping its last lines. */
static void tell_failure(const struct options *options, const struct outcome_of_seed *outcome,
                         uint64_t seed)
{
    struct outcome_of_seed again;
    world_run(&world, seed, options, true, &again);
    printf("seed %" PRIu64 " fails at %.3f s, invariant %d: %s\n", seed,
           (double)outcome->failed_us / 1e6, outcome->invariant, outcome->why);
    if (again.trace != outcome->trace) {
        printf("and it does not repeat: the second run says at %.3f s: %s\n",
               (double)again.failed_us / 1e6, again.why);
    }
    for (uint32_t i = world.line > TAIL_LINES ? world.line - TAIL_LINES : 0;
         i < world.line && !options->verbose; i++) {
        printf("  %s\n", world.lines[i % TAIL_LINES]);
    }
    printf("replay: rayc-sim --seed %" PRIu64 " --minutes %" PRIu64 "%s%s --verbose\n", seed,
           options->minutes, rayc_bug != BUG_NONE ? " --bug " : "", bugs[rayc_bug].name);
    fflush(stdout);
}

static void run_seed(const struct options *options, uint64_t seed, struct sums *sums)
{
    struct outcome_of_seed outcome;
    world_run(&world, seed, options, false, &outcome);
    sums->seeds++;
    if (seed % TWICE_EVERY == 0 && !outcome.failed && rayc_bug == BUG_NONE) {
        struct outcome_of_seed again;
        world_run(&world, seed, options, false, &again);
        if (again.trace != outcome.trace) {
            outcome.failed = true;
            outcome.invariant = 40;
            snprintf(outcome.why, sizeof(outcome.why),
                     "the same seed gives another trace the second time");
        }
    }
    sums->failed += outcome.failed;
    sums->crashes += outcome.head_crashes;
    sums->cuts += outcome.power_cuts;
    sums->tasks += outcome.tasks;
    sums->effects += outcome.effects;
    sums->frames += outcome.frames;
    sums->virtual_us += outcome.virtual_us;
    sums->trace = outcome.trace;
    if (outcome.failed) {
        tell_failure(options, &outcome, seed);
    }
}

static void tell_sums(const struct options *options, const struct sums *sums)
{
    double virtual_s = (double)sums->virtual_us / 1e6, real_s = seconds_since(&sums->begin);
    if (options->json) {
        printf("{\"seeds\":%" PRIu64 ",\"failed\":%" PRIu64
               ",\"virtual_hours\":%.2f,\"head_crashes\":%" PRIu64 ",\"power_cuts\":%" PRIu64
               ",\"tasks\":%" PRIu64 ",\"effects\":%" PRIu64 ",\"frames\":%" PRIu64
               ",\"seconds\":%.2f,\"speed\":%.0f,\"trace\":\"%016" PRIx64 "\"}\n",
               sums->seeds, sums->failed, virtual_s / 3600, sums->crashes, sums->cuts, sums->tasks,
               sums->effects, sums->frames, real_s, virtual_s / real_s, sums->trace);
    } else {
        printf("%" PRIu64 " seeds, %.1f virtual hours, %" PRIu64 " head crashes (%" PRIu64
               " of them power cuts), %" PRIu64 " tasks, %" PRIu64 " starts, %" PRIu64
               " frames, %.1f s, %.0f times real time, last trace %016" PRIx64 "\n",
               sums->seeds, virtual_s / 3600, sums->crashes, sums->cuts, sums->tasks, sums->effects,
               sums->frames, real_s, virtual_s / real_s, sums->trace);
    }
}

/*  Does the seed fail with the bug, and pass without it? */
static bool reveals(const struct options *options, uint64_t seed, enum bug bug, char *why)
{
    struct outcome_of_seed with, without = { 0 };
    rayc_bug = bug;
    world_run(&world, seed, options, false, &with);
    rayc_bug = BUG_NONE;
    if (with.failed) {
        world_run(&world, seed, options, false, &without);
    }
    snprintf(why, sizeof(with.why), "%s", with.why);
    return with.failed && !without.failed;
}

static bool find_bug(const struct options *options, enum bug bug)
{
    char why[sizeof(((struct outcome_of_seed *)0)->why)];
    uint64_t most = options->seeds > 1 ? options->seeds : SEEDS_FOR_BUG, seeds = 0;
    bool found = false;
    while (!found && seeds < most) {
        found = reveals(options, options->seed + seeds++, bug, why);
    }
    printf("bug %-14s %s after %" PRIu64 " seeds: %s\n", bugs[bug].name,
           found ? "found" : "NOT FOUND", seeds, found ? why : bugs[bug].text);
    fflush(stdout);
    return found;
}

/*  Each planted bug must be found; a bug that is not counts as failed.  A process for each core takes its share. */
static int run_bugs(const struct options *options)
{
    int processes = (int)sysconf(_SC_NPROCESSORS_ONLN), missed = 0, status;
    for (int process = 0; process < processes; process++) {
        pid_t pid = fork();
        ensure(pid >= 0);
        if (pid == 0) {
            for (int bug = 1 + process; bug < BUGS; bug += processes) {
                missed += !find_bug(options, (enum bug)bug);
            }
            _exit(missed);
        }
    }
    while (wait(&status) > 0) {
        ensure(WIFEXITED(status));
        missed += WEXITSTATUS(status);
    }
    printf("%d passed, %d failed\n", BUGS - 1 - missed, missed);
    return missed > 0;
}

static void run_regressions(const struct options *options, const char *path, struct sums *sums)
{
    FILE *file = fopen(path, "r");
    char line[300];
    if (file == NULL) {
        fprintf(stderr, "rayc-sim: cannot read %s\n", path);
        exit(2);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct options own = *options;
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line) {
            continue;
        }
        uint64_t minutes = strtoull(end, NULL, 10);
        own.minutes = minutes > 0 ? minutes : options->minutes;
        run_seed(&own, seed, sums);
    }
    fclose(file);
}

static int bug_named(const char *name)
{
    for (int i = 1; i < BUGS; i++) {
        if (strcmp(bugs[i].name, name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "rayc-sim: there is no bug '%s'; rayc-sim --help lists them\n", name);
    exit(2);
}

static uint64_t number_of(const char *option, const char *text)
{
    char *end;
    uint64_t value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *text == 0 || *end != 0) {
        fprintf(stderr, "rayc-sim: %s needs a number\n", option);
        exit(2);
    }
    return value;
}

struct request {
    struct options options;
    int bug;
    const char *regressions;
};

static void read_options(int argc, char **argv, struct request *out)
{
    out->options = (struct options){ .seed = 1, .seeds = 1, .minutes = 10 };
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(option, "--help") == 0) {
            usage(stdout);
            exit(0);
        } else if (strcmp(option, "--verbose") == 0) {
            out->options.verbose = true;
        } else if (strcmp(option, "--json") == 0) {
            out->options.json = true;
        } else if (strcmp(option, "--bugs") == 0) {
            out->options.all_bugs = true;
        } else if (strcmp(option, "--seed") == 0) {
            out->options.seed = number_of(option, value);
            i++;
        } else if (strcmp(option, "--seeds") == 0) {
            out->options.seeds = number_of(option, value);
            i++;
        } else if (strcmp(option, "--minutes") == 0) {
            out->options.minutes = number_of(option, value);
            i++;
        } else if (strcmp(option, "--bug") == 0 && value != NULL) {
            out->bug = bug_named(value);
            i++;
        } else if (strcmp(option, "--regressions") == 0 && value != NULL) {
            out->regressions = value;
            i++;
        } else {
            fprintf(stderr, "rayc-sim: unknown option '%s'\n", option);
            usage(stderr);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct request request = { 0 };
    read_options(argc, argv, &request);
    log_level_set(LOG_LEVEL_ERROR);
    struct options *options = &request.options;
    if (options->all_bugs) {
        return run_bugs(options);
    }
    if (request.bug != 0 && !options->verbose) {
        return !find_bug(options, (enum bug)request.bug);
    }
    rayc_bug = (enum bug)request.bug;
    struct sums sums = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &sums.begin);
    if (request.regressions != NULL) {
        run_regressions(options, request.regressions, &sums);
    }
    for (uint64_t seed = options->seed; seed < options->seed + options->seeds; seed++) {
        run_seed(options, seed, &sums);
    }
    tell_sums(options, &sums);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", sums.seeds - sums.failed, sums.failed);
    return sums.failed > 0;
}
