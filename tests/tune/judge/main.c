/*  main.c - rayc-judge: search algorithms of rayc on functions with a known optimum, in this process.

    Every study is a job; processes take jobs from a shared counter and put judgements into shared memory, so that the
    files do not depend on who was faster. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/tune/judge/judge.h"
#include "tests/tune/judge/settings.h"

struct board {
    atomic_uint next;
    struct judgement judgements[];
};

static void take_jobs(const struct settings *self, struct board *board, uint32_t jobs)
{
    for (uint32_t job; (job = atomic_fetch_add(&board->next, 1)) < jobs;) {
        uint32_t seed = job % self->seeds, rest = job / self->seeds;
        char algo[128], trials[32];
        const char *flags[JUDGE_FLAGS_MAX + 2] = { algo, trials };
        memcpy(flags + 2, self->flags, self->flag_count * sizeof(flags[0]));
        snprintf(algo, sizeof(algo), "search=%s", self->algos[rest / self->function_count]);
        snprintf(trials, sizeof(trials), "trials=%u", self->trials);
        struct order order = { .function = self->functions[rest % self->function_count],
                               .spaces = self->spaces,
                               .flags = flags,
                               .flag_count = self->flag_count + 2,
                               .seed = self->first_seed + seed,
                               .trials = self->trials };
        if (!study_judge(&order, &board->judgements[job])) {
            exit(1);
        }
    }
}

/*  True if every process did well. */
static bool run_jobs(const struct settings *self, struct board *board, uint32_t jobs)
{
    pid_t pids[PROCESSES_MAX], parent = getpid();
    bool well = true;
    fflush(NULL);
    for (uint32_t i = 0; i < self->processes; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent) {
                take_jobs(self, board, jobs);
            }
            exit(0);
        }
    }
    for (uint32_t i = 0; i < self->processes; i++) {
        int status = 1;
        well &= pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && status == 0;
    }
    return well;
}

static uint32_t jobs_of(const struct settings *self)
{
    return self->algo_count * self->function_count * self->seeds;
}

/*  Which study: the first columns. */
static void write_study(const struct settings *self, FILE *to, uint32_t job)
{
    uint32_t seed = job % self->seeds, rest = job / self->seeds;
    fprintf(to, "%s,%s,%u", self->functions[rest % self->function_count]->name,
            self->name ? self->name : self->algos[rest / self->function_count],
            self->first_seed + seed);
}

/*  Regret columns after the trials that are given; "" for those that did not run. */
static void write_row(const struct settings *self, FILE *to, uint32_t job,
                      const struct judgement *judgement, bool curve)
{
    static const uint32_t points[] = { 10, 25, 50, 100, 200 };
    write_study(self, to, job);
    for (uint32_t n = 1; curve && n <= self->trials; n = n == 1 ? 2 : n == 2 ? 5 : n + 5) {
        fprintf(to, ",%.6g", judgement->regret[n - 1]);
    }
    for (size_t i = 0; !curve && i < COUNT(points); i++) {
        if (points[i] <= self->trials) {
            fprintf(to, ",%.6g", judgement->regret[points[i] - 1]);
        } else {
            fputc(',', to);
        }
    }
    if (curve) {
        fputc('\n', to);
    } else {
        fprintf(to, ",%.3f,%u\n", judgement->seconds, judgement->repeats);
    }
}

static FILE *file_open(const char *path)
{
    FILE *to = path ? fopen(path, "we") : stdout;
    if (!to) {
        fprintf(stderr, "rayc-judge: cannot write %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return to;
}

static void file_close(FILE *file)
{
    bool well = ferror(file) == 0;
    well &= (file == stdout ? fflush(file) : fclose(file)) == 0;
    if (!well) {
        fprintf(stderr, "rayc-judge: cannot write: %s\n", strerror(errno));
        exit(1);
    }
}

static void write_table(const struct settings *self, const char *path, const struct board *board,
                        bool curve)
{
    FILE *to = file_open(path);
    fputs("function,sampler,seed", to);
    for (uint32_t n = 1; curve && n <= self->trials; n = n == 1 ? 2 : n == 2 ? 5 : n + 5) {
        fprintf(to, ",r%u", n);
    }
    fputs(curve ? "\n" : ",r10,r25,r50,r100,r200,secs,dups\n", to);
    for (uint32_t i = 0; i < jobs_of(self); i++) {
        write_row(self, to, i, &board->judgements[i], curve);
    }
    file_close(to);
}

static void write_trace(const struct settings *self, const char *path, const struct board *board)
{
    FILE *to = file_open(path);
    fputs("function,sampler,seed,trial,value\n", to);
    for (uint32_t i = 0; i < jobs_of(self); i++) {
        for (uint32_t k = 0; k < board->judgements[i].trials; k++) {
            write_study(self, to, i);
            fprintf(to, ",%u,%.17g\n", k, board->judgements[i].value[k]);
        }
    }
    file_close(to);
}

static int judge(const struct settings *self)
{
    uint32_t jobs = jobs_of(self);
    size_t bytes = sizeof(struct board) + jobs * sizeof(struct judgement);
    struct board *board =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        fprintf(stderr, "rayc-judge: no memory for %u studies\n", jobs);
        return 1;
    }
    bool well = run_jobs(self, board, jobs);
    for (uint32_t i = 0; i < jobs; i++) {
        well &= board->judgements[i].done;
    }
    if (!well) {
        fputs("rayc-judge: a study has failed\n", stderr);
        return 1;
    }
    write_table(self, self->out, board, false);
    if (self->curves) {
        write_table(self, self->curves, board, true);
    }
    if (self->trace) {
        write_trace(self, self->trace, board);
    }
    return 0;
}

static int list(const char *set)
{
    const struct judged *function;
    for (uint32_t i = 0; (function = judged_at(i)); i++) {
        if (!set || strcmp(set, judge_set_name(function->set)) == 0) {
            puts(function->name);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .spaces = JUDGE_DIR "/spaces", .seeds = 20, .trials = 200, .processes = 2
    };
    if (argc > 1 && strcmp(argv[1], "eval") == 0) {
        return command_eval(argc - 2, argv + 2);
    }
    if (argc == 2 && strcmp(argv[1], "serve") == 0) {
        return command_serve();
    }
    if (argc == 3 && strcmp(argv[1], "space") == 0) {
        return command_space(settings.spaces, argv[2]);
    }
    if (argc > 1 && argc < 4 && strcmp(argv[1], "list") == 0) {
        return list(argc == 3 ? argv[2] : NULL);
    }
    settings_read(&settings, argc, argv);
    for (uint32_t i = 0; i < settings.algo_count; i++) {
        if (!search_find(settings.algos[i])) {
            fprintf(stderr, "rayc-judge: unknown algorithm \"%s\"\n", settings.algos[i]);
            return 2;
        }
    }
    return judge(&settings);
}
