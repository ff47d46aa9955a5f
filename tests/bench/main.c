/*  main.c - rayc-bench: measures one figure of rayc on a cluster of its own.

    Each run is a process of its own with a state folder of its own, because a process joins one cluster in its life;
    the value is the median of the runs.  rayc-bench is also the program of its tasks. */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/bench.h"

enum { RUNS_MAX = 100, REMOVALS_MAX = 5000 };

int first_result(void);

static const struct {
    const char *name;
    bench *run;
    const char *unit;
    uint32_t tasks, runs;
    const char *text;
} benches[] = {
#define BENCH(name, function, unit, tasks, runs, text) { name, function, unit, tasks, runs, text },
#include "tests/bench/benches.def"
#undef BENCH
};

static void usage(FILE *to)
{
    fputs("usage: rayc-bench NAME [--json] [--runs N] [--tasks N]\n"
          "       rayc-bench list\n"
          "Starts a cluster of its own (one head, one worker of 2 CPUs, in a new folder of "
          "$TMPDIR, else /var/tmp)\n"
          "and measures:\n",
          to);
    for (size_t i = 0; i < COUNT(benches); i++) {
        fprintf(to, "  %-16s %-7s %s\n", benches[i].name, benches[i].unit, benches[i].text);
    }
    fputs("--json prints one line: {\"name\", \"value\", \"unit\"}.  The value is the median of "
          "the runs.\n",
          to);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/*  The folder of this program. */
static void find_bin(char *out, size_t capacity)
{
    ssize_t n = readlink("/proc/self/exe", out, capacity - 1);
    if (n < 0) {
        die("cannot read /proc/self/exe: %s", strerror(errno));
    }
    out[n] = 0;
    *strrchr(out, '/') = 0;
}

/*  One run, in a child.  Its folder is kept when it fails: the logs are there. */
static double run_once(bench *function, uint32_t tasks)
{
    char bin[BENCH_PATH], state[BENCH_PATH];
    const char *temporary = getenv("TMPDIR");
    find_bin(bin, sizeof(bin));
    snprintf(state, sizeof(state), "%s/rayc-bench-XXXXXX",
             temporary && *temporary ? temporary : "/var/tmp");
    int out[2];
    if (!mkdtemp(state) || pipe(out) < 0) {
        die("cannot make %s: %s", state, strerror(errno));
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        double value = function(&(struct run){ tasks, bin, state });
        _exit(write(out[1], &value, sizeof(value)) !=
              sizeof(value)); /* the cluster dies with this process */
    }
    close(out[1]);
    double value = 0;
    bool told = pid > 0 && read(out[0], &value, sizeof(value)) == sizeof(value);
    close(out[0]);
    waitpid(pid, NULL, 0);
    if (!told) {
        die("a run has failed; its files are in %s", state);
    }
    for (int i = 0; i < REMOVALS_MAX && nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0;
         i++) {
        spin(); /* the last process of the cluster is still dying */
    }
    return value;
}

static uint32_t number(const char *text, uint32_t max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < 1 || value > max) {
        fprintf(stderr, "rayc-bench: \"%s\" is not a number from 1 to %u\n", text, max);
        exit(2);
    }
    return (uint32_t)value;
}

static int measure(size_t which, uint32_t tasks, uint32_t runs, bool json)
{
    double values[RUNS_MAX];
    tasks = tasks ? tasks : benches[which].tasks;
    runs = runs ? runs : benches[which].runs;
    for (uint32_t i = 0; i < runs; i++) {
        values[i] = run_once(benches[which].run, tasks);
    }
    double value = median(values, runs); /* sorts */
    if (json) {
        printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", benches[which].name, value,
               benches[which].unit);
    } else {
        printf("%s: %.6g %s (%u runs of %u tasks: %.6g to %.6g)\n", benches[which].name, value,
               benches[which].unit, runs, tasks, values[0], values[runs - 1]);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (getenv("RAYC_EXECUTOR")) {
        rayc_init(NULL); /* serves tasks, does not return */
        return 1;
    }
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },         { "runs", required_argument, NULL, 'r' },
        { "tasks", required_argument, NULL, 't' },  { "help", no_argument, NULL, 'h' },
        { "first-result", no_argument, NULL, 'f' }, { NULL, 0, NULL, 0 }
    };
    uint32_t tasks = 0, runs = 0;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case 'j':
            json = true;
            break;
        case 'r':
            runs = number(optarg, RUNS_MAX);
            break;
        case 't':
            tasks = number(optarg, 100000000);
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'f':
            return first_result();
        default:
            usage(stderr);
            return 2;
        }
    }
    const char *name = optind + 1 == argc ? argv[optind] : "";
    for (size_t i = 0; i < COUNT(benches); i++) {
        if (strcmp(name, "list") == 0) {
            puts(benches[i].name);
        } else if (strcmp(name, benches[i].name) == 0) {
            return measure(i, tasks, runs, json);
        }
    }
    if (strcmp(name, "list") == 0) {
        return 0;
    }
    usage(stderr);
    return 2;
}
