/*  main.c - `rayc-trial`: an executor whose one function is a trial of `rayc tune` that runs a command.  The command
    finds its parameters in its environment, reports by lines (docs/tune.md), and is made to end when it is to. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "client/checkpoint.h"
#include "client/trial.h"
#include "client/trial/run.h"

enum {
    EXIT_USAGE = 2,
    CODE_CANCELLED = 130,
    CODE_NO_VALUE = 1,
    CODE_SIGNAL = 128,
    TAIL_LINES = 10
};

/*  The last lines of its output, for people. */
static struct slice last_lines(const struct run *self)
{
    size_t n = self->tail_n, lines = 0;
    while (n > 0 && (self->tail[n - 1] == '\n' || self->tail[n - 1] == ' ')) {
        n--;
    }
    size_t from = n;
    while (from > 0 && (lines += self->tail[from - 1] == '\n') < TAIL_LINES) {
        from--;
    }
    return slice_of(self->tail + from, n - from);
}

static int fail_exit(struct run *self)
{
    struct slice lines = last_lines(self);
    const char *before = lines.n > 0 ? "; last lines of its output:\n" : "; it printed nothing";
    int signal = WIFSIGNALED(self->status) ? WTERMSIG(self->status) : 0;
    if (signal != 0) {
        return rayc_fail(self->task, CODE_SIGNAL + signal, "trial %u: %s was killed by SIG%s%s%.*s",
                         self->number, self->argv[0], sigabbrev_np(signal), before, (int)lines.n,
                         (const char *)lines.p);
    }
    int code = WEXITSTATUS(self->status);
    return rayc_fail(self->task, code, "trial %u: %s exited with %d%s%.*s", self->number,
                     self->argv[0], code, before, (int)lines.n, (const char *)lines.p);
}

/*  A trial must have said its value. */
static int check_value(struct run *self)
{
    if (self->told != RAYC_GO_ON || self->has_value) {
        return RAYC_OK;
    }
    if (rayc_checkpoint(self->task) != NULL) {
        return RAYC_OK; /* the study knows what it had said before it was started again */
    }
    if (trial_progress(self->task).reports > 0) {
        return rayc_fail(self->task, CODE_NO_VALUE, "trial %u ended without %s (last report: %s)",
                         self->number, self->metric, self->last_report);
    }
    if (run_tell_last(self)) {
        return trial_progress(self->task).reports > 0
                   ? RAYC_OK
                   : rayc_fail(self->task, CODE_NO_VALUE, "trial %u: %s", self->number,
                               rayc_error()->text);
    }
    return self->last_line[0] != 0
               ? rayc_fail(self->task, CODE_NO_VALUE,
                           "trial %u ended without %s: it reported nothing, and its last line is "
                           "not a number: \"%s\"",
                           self->number, self->metric, self->last_line)
               : rayc_fail(self->task, CODE_NO_VALUE,
                           "trial %u ended without %s: it reported nothing, and printed nothing",
                           self->number, self->metric);
}

/*  What it wrote last, if it had the time to. */
static int keep_checkpoint(struct run *self)
{
    if (!WIFEXITED(self->status) || self->told == RAYC_STOP ||
        checkpoint_is_empty(self->checkpoint_dir)) {
        return RAYC_OK;
    }
    return trial_checkpoint_keep(self->task) == RAYC_OK
               ? RAYC_OK
               : rayc_fail(self->task, CODE_NO_VALUE, "trial %u: %s", self->number,
                           rayc_error()->text);
}

static int return_result(struct run *self)
{
    char step[NUMBER_TEXT_BYTES];
    struct trial_progress progress = trial_progress(self->task);
    json_t *path = json_string(progress.checkpoint != NULL ? progress.checkpoint : "");
    char *quoted = json_dumps(path, JSON_ENCODE_ANY);
    char *text = NULL;
    ensure(asprintf(&text, "{\"reports\":%u,\"step\":%s,\"checkpoint\":%s}", progress.reports,
                    number_text(progress.step, step), quoted != NULL ? quoted : "\"\"") > 0);
    int rc = rayc_return(self->task, rayc_string(text));
    json_decref(path);
    free(quoted);
    free(text);
    return rc;
}

static int end_run(struct run *self)
{
    if (rayc_cancelled(self->task)) {
        return rayc_fail(self->task, CODE_CANCELLED, "trial %u was cancelled", self->number);
    }
    bool well = WIFEXITED(self->status) && WEXITSTATUS(self->status) == 0;
    if (!well && self->told == RAYC_GO_ON) {
        return fail_exit(self);
    }
    int rc = check_value(self);
    rc = rc == RAYC_OK ? keep_checkpoint(self) : rc;
    return rc == RAYC_OK ? return_result(self) : rc;
}

RAYC_TASK(trial_command, task)
{
    struct run *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    int rc = run_prepare(self, task);
    bool over = rc == RAYC_OK && self->told != RAYC_GO_ON; /* as the attempt before was to end */
    if (rc == RAYC_OK && !over) {
        rc = run_start(self);
    }
    if (rc == RAYC_OK) {
        bool goes_on = over || run_pump(self);
        rc = end_run(self);
        if (!goes_on) {
            run_clean(self);
            raise(SIGTERM);
        }
    }
    run_clean(self);
    free(self);
    return rc;
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR") == NULL) {
        fputs("rayc-trial: a worker starts this program, for `rayc tune`\n", stderr);
        return EXIT_USAGE;
    }
    return rayc_init(NULL) == RAYC_OK ? 0 : EXIT_USAGE; /* it serves tasks, and does not return */
}
