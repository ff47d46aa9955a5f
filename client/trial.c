/*  trial.c - a task that is a trial of a study: its parameters, its checkpoints, its reports.  The argument is parsed
    when something of it is asked for, once. */
#include "client/trial.h"

#include <errno.h>
#include <jansson.h>
#include <linux/futex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "client/checkpoint.h"
#include "client/failure.h"
#include "client/metrics.h"
#include "client/serve.h"
#include "client/task.h"
#include "proto/channel.h"

enum { LOOK_NS = 50 * 1000 * 1000 /* how often one that sleeps looks whether it was cancelled */ };

struct trial {
    json_t *root;
    json_t *texts; /* what rayc_param_text() has given out, by name */
    uint32_t reports;
    double step, base; /* of the last report; of the checkpoint that it started from */
    int told;          /* RAYC_STOP, RAYC_PAUSE; else it goes on */
    uint32_t again;    /* reports that were said for an attempt before */
    bool looked;       /* for that checkpoint */
    bool begun;        /* a folder for a checkpoint was asked for */
    char *from;        /* that checkpoint; NULL: none */
    char *next;        /* folder of the next one; NULL: none */
    char *committed;   /* the newest of this attempt; NULL: none */
};

void trial_forget(struct trial **trial)
{
    struct trial *self = *trial;
    if (self != NULL) {
        json_decref(self->root);
        json_decref(self->texts);
        free(self->from);
        free(self->next);
        free(self->committed);
        free(self);
        *trial = NULL;
    }
}

/* --- its argument ----------------------------------------------------------------------------- */

static json_t *parse(const char *text)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) { /* an integer beyond 64 bits is a number, too */
        root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    }
    bool ok = json_is_object(json_object_get(root, "params")) &&
              json_is_number(json_object_get(root, "trial")) &&
              json_is_string(json_object_get(root, "study")) &&
              json_is_string(json_object_get(root, "dir"));
    if (!ok) {
        json_decref(root);
    }
    return ok ? root : NULL;
}

/*  NULL: the task is no trial, and its attempt is over. */
static struct trial *trial_of(rayc_task *task)
{
    if (task->trial != NULL) {
        return task->trial;
    }
    bool has_text = task->count > 0 && task->values[0].kind == RAYC_STRING;
    json_t *root = has_text ? parse(task->values[0].as.raw.data) : NULL;
    if (root == NULL) {
        task_mistake(task, OUTCOME_BAD_ARGUMENT, 0,
                     "task %.*s: it is no trial of rayc tune, which this function is made for",
                     (int)task->run.name.n, (const char *)task->run.name.p);
        failure_say(RAYC_EINVALID, "this task is no trial of rayc tune");
        return NULL;
    }
    task->trial = calloc(1, sizeof(*task->trial));
    ensure(task->trial != NULL);
    task->trial->root = root;
    task->trial->texts = json_object();
    return task->trial;
}

static const char *text_of(const struct trial *self, const char *key)
{
    const char *text = json_string_value(json_object_get(self->root, key));
    return text != NULL ? text : "";
}

static double number_of(const struct trial *self, const char *key)
{
    return json_number_value(json_object_get(self->root, key));
}

static uint32_t trial_number(const struct trial *self)
{
    double number = number_of(self, "trial");
    return number >= 0 && number < UINT32_MAX ? (uint32_t)number : 0;
}

const json_t *trial_root(rayc_task *task)
{
    const struct trial *self = trial_of(task);
    return self != NULL ? self->root : NULL;
}

const char *rayc_trial_json(rayc_task *task)
{
    return trial_of(task) != NULL ? task->values[0].as.raw.data : NULL;
}

uint32_t rayc_trial(rayc_task *task)
{
    const struct trial *self = trial_of(task);
    return self != NULL ? trial_number(self) : 0;
}

/* --- its parameters --------------------------------------------------------------------------- */

int rayc_has_param(rayc_task *task, const char *name)
{
    const struct trial *self = trial_of(task);
    const json_t *value =
        self != NULL ? json_object_get(json_object_get(self->root, "params"), name) : NULL;
    return value != NULL && !json_is_null(value);
}

/*  NULL: there is none, and the attempt is over. */
static const json_t *param_of(rayc_task *task, const char *name)
{
    if (rayc_has_param(task, name)) {
        return json_object_get(json_object_get(task->trial->root, "params"), name);
    }
    if (task->trial != NULL) {
        task_mistake(task, OUTCOME_BAD_ARGUMENT, 0,
                     "trial %u has no parameter %.128s: the space has none of this name, or it is "
                     "not active (rayc_has_param)",
                     trial_number(task->trial), name);
    }
    return NULL;
}

double rayc_param(rayc_task *task, const char *name)
{
    const json_t *value = param_of(task, name);
    if (value == NULL || json_is_number(value)) {
        return json_number_value(value);
    }
    if (!json_is_boolean(value)) {
        task_mistake(task, OUTCOME_BAD_ARGUMENT, 0,
                     "trial %u: parameter %.128s is no number (rayc_param_text)",
                     trial_number(task->trial), name);
    }
    return json_is_true(value);
}

const char *rayc_param_text(rayc_task *task, const char *name)
{
    const json_t *value = param_of(task, name);
    if (value == NULL || json_is_string(value)) {
        return json_string_value(value);
    }
    json_t *texts = task->trial->texts;
    if (json_object_get(texts, name) == NULL) {
        char number[NUMBER_TEXT_BYTES];
        char *dump = json_is_number(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        json_object_set_new(
            texts, name,
            json_string(dump != NULL ? dump : number_text(json_number_value(value), number)));
        free(dump);
    }
    return json_string_value(json_object_get(texts, name));
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static int tell(rayc_task *task, struct trial *self, struct rec_report *report);

/*  The attempt before may have died between its checkpoint and the answer to its report.  The study takes a report that
    it knows as nothing new, and answers as before. */
static void say_again(rayc_task *task, struct trial *self, const struct checkpoint_latest *latest)
{
    struct rec_report report = { .step = latest->step,
                                 .value = latest->value,
                                 .checkpoint = slice_text(latest->path),
                                 .metrics = slice_text(latest->metrics) };
    if (tell(task, self, &report) < 0) {
        task_mistake(task, OUTCOME_APP_ERROR, 1, "trial %u: %s", trial_number(self),
                     rayc_error()->text);
    }
    self->again = self->reports;
    self->base = latest->step - self->reports; /* the next one is above it */
}

/*  Where it starts from: what an attempt of this run before has committed, else what it was given. */
static void look_for_checkpoint(rayc_task *task, struct trial *self)
{
    struct checkpoint_latest latest;
    bool own = task->run.attempt > 1 && checkpoint_get_latest(text_of(self, "dir"), &latest) &&
               latest.run == (uint32_t)number_of(self, "run") && latest.task == task->run.task;
    self->looked = true;
    if (own) {
        self->from = strdup(latest.path);
        self->base = latest.step;
    } else if (text_of(self, "checkpoint")[0] != 0) {
        self->from = strdup(text_of(self, "checkpoint"));
        self->base = number_of(self, "step");
    }
    if (self->from != NULL && !checkpoint_is_there(self->from)) {
        task_mistake(task, OUTCOME_APP_ERROR, 1,
                     "checkpoint %.3000s is not on this node: give --storage a folder that all "
                     "nodes share",
                     self->from);
        free(self->from);
        self->from = NULL;
        self->base = 0;
    } else if (own && latest.untold && serve_page() != NULL) {
        say_again(task, self, &latest);
    }
}

const char *rayc_checkpoint(rayc_task *task)
{
    struct trial *self = trial_of(task);
    if (self != NULL && !self->looked) {
        look_for_checkpoint(task, self);
    }
    return self != NULL ? self->from : NULL;
}

const char *rayc_checkpoint_dir(rayc_task *task)
{
    struct trial *self = trial_of(task);
    if (self == NULL || self->next != NULL) {
        return self != NULL ? self->next : NULL;
    }
    char path[PATH_BYTES];
    bool fresh = !self->begun && (task->run.attempt > 1 || number_of(self, "run") > 1);
    if (checkpoint_begin(text_of(self, "dir"), fresh, path) != RAYC_OK) {
        task_mistake(task, OUTCOME_APP_ERROR, 1, "trial %u: %s", trial_number(self),
                     rayc_error()->text);
        return NULL;
    }
    self->begun = true;
    self->next = strdup(path);
    ensure(self->next != NULL);
    return self->next;
}

static bool is_same_folder(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

/*  Is it the folder that was given out, with something in it? */
static int check_checkpoint(const struct trial *self, const char *path)
{
    if (self->next == NULL || !is_same_folder(path, self->next)) {
        return failure_say(
            RAYC_EINVALID,
            "checkpoint %.1000s is not the folder that was given out for it%s%.1000s", path,
            self->next != NULL ? ": " : "", self->next != NULL ? self->next : "");
    }
    return checkpoint_is_empty(self->next)
               ? failure_say(RAYC_EINVALID, "checkpoint %.1000s is empty", self->next)
               : RAYC_OK;
}

/*  Commits the folder as a checkpoint of this step, and remembers its report; metrics: NULL if it has none. */
static int commit(const rayc_task *task, struct trial *self, double step, double value,
                  const char *metrics)
{
    struct checkpoint_latest latest = { .run = (uint32_t)number_of(self, "run"),
                                        .task = task->run.task,
                                        .step = step,
                                        .untold = metrics != NULL,
                                        .value = value };
    (void)slice_copy_text(slice_text(metrics), latest.metrics, sizeof(latest.metrics));
    int rc = checkpoint_commit(text_of(self, "dir"), self->next, latest.path);
    if (rc != RAYC_OK) {
        return rc;
    }
    free(self->next);
    free(self->committed);
    self->next = NULL;
    self->committed = strdup(latest.path);
    return checkpoint_put_latest(text_of(self, "dir"), &latest);
}

int trial_checkpoint_again(rayc_task *task, const char *dir)
{
    struct trial *self = task->trial;
    if (self->next == NULL) {
        if (file_make_dir(dir, 0755) != OK) {
            return failure_say(RAYC_ESYSTEM, "cannot make the folder %s: %s", dir, strerror(errno));
        }
        self->next = strdup(dir);
    }
    return RAYC_OK;
}

int trial_checkpoint_keep(rayc_task *task)
{
    return commit(task, task->trial, task->trial->step, NAN, NULL);
}

struct trial_progress trial_progress(const rayc_task *task)
{
    const struct trial *self = task->trial;
    return (struct trial_progress){ self->reports - self->again, self->step, self->told,
                                    self->committed };
}

/* --- reports ---------------------------------------------------------------------------------- */

/*  The step of a report: what counts the resource, else how many reports there were. */
static double step_of(const struct trial *self, const struct metric *metrics, size_t count)
{
    const char *names[] = { text_of(self, "resource"), "training_iteration", "epoch", "step" };
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct metric *metric = metrics_find(metrics, count, names[i]);
        if (metric != NULL && metric->text == NULL && isfinite(metric->value)) {
            return metric->value;
        }
    }
    return self->base + self->reports + 1;
}

static int check_step(const struct trial *self, double step)
{
    if (self->reports > 0 && step <= self->step) {
        char now[NUMBER_TEXT_BYTES], before[NUMBER_TEXT_BYTES];
        return failure_say(RAYC_EINVALID, "step %s comes after step %s: it must rise",
                           number_text(step, now), number_text(self->step, before));
    }
    return RAYC_OK;
}

/*  The study's metric; NaN, with a line for people, when it is not a finite number. */
static double value_of(const struct trial *self, const struct metric *metrics, size_t count,
                       double step)
{
    char number[NUMBER_TEXT_BYTES], at[NUMBER_TEXT_BYTES];
    double value = NAN;
    for (size_t i = 0; i < count; i++) {
        const struct metric *metric = &metrics[i];
        if (metric->text == NULL && !isfinite(metric->value)) {
            fprintf(stderr, "rayc: trial %u: %s is %s at step %s: it counts as no value\n",
                    trial_number(self), metric->name, number_text(metric->value, number),
                    number_text(step, at));
        } else if (metric->text == NULL && strcmp(metric->name, text_of(self, "metric")) == 0) {
            value = metric->value;
        }
    }
    return value;
}

/*  Sleeps until the report is answered, or the task is cancelled. */
static int wait_for_answer(const rayc_task *task, struct channel_page *page, uint32_t number)
{
    const struct timespec look = { .tv_nsec = LOOK_NS };
    uint64_t token = task->run.token;
    while (!channel_answered(page, token, number)) {
        uint32_t seen = atomic_load(&page->answered);
        if (task->cancelled) {
            return RAYC_STOP;
        }
        if (!channel_answered(page, token, number)) {
            (void)syscall(SYS_futex, &page->answered, FUTEX_WAIT, seen, &look, NULL, 0);
        }
    }
    static const int answers[] = {
        [DECISION_GO_ON] = RAYC_GO_ON, [DECISION_STOP] = RAYC_STOP, [DECISION_PAUSE] = RAYC_PAUSE
    };
    uint32_t decision = page->decision;
    page->why[CHANNEL_WHY - 1] = 0;
    return decision < COUNT(answers)
               ? answers[decision]
               : failure_say(RAYC_EINVALID, "the head refused the report: %s", page->why);
}

static int tell(rayc_task *task, struct trial *self, struct rec_report *report)
{
    struct channel_page *page = serve_page();
    report->task = task->run.task;
    report->token = task->run.token;
    report->attempt = task->run.attempt;
    report->number = ++self->reports;
    report->trial = trial_number(self);
    self->step = report->step;
    atomic_store(&page->answered, 0); /* an earlier one's answer */
    serve_tell(report);
    int rc = wait_for_answer(task, page, report->number);
    if (rc == RAYC_GO_ON && report->checkpoint.n > 0) {
        checkpoint_told(text_of(self, "dir"));
    }
    self->told = rc > RAYC_GO_ON ? rc : self->told;
    return rc;
}

static int check_report(rayc_task *task, const struct metric *metrics, size_t count,
                        const char *checkpoint)
{
    struct trial *self = trial_of(task);
    struct diag why;
    if (self == NULL) {
        return RAYC_EINVALID;
    }
    if (serve_page() == NULL) {
        return failure_say(RAYC_EINVALID, "this program is no executor of a worker");
    }
    if (task->outcome != OUTCOME_OK) {
        return failure_say(RAYC_EINVALID, "the attempt has failed already: %.*s",
                           (int)task->text_bytes, task->text);
    }
    if (count == 0 && checkpoint == NULL) {
        return failure_say(RAYC_EINVALID, "a report of nothing");
    }
    int rc = metrics_check(metrics, count, &why) == OK ? RAYC_OK
                                                       : failure_say(RAYC_EINVALID, "%s", why.text);
    return rc == RAYC_OK && checkpoint != NULL ? check_checkpoint(self, checkpoint) : rc;
}

int trial_report(rayc_task *task, const struct metric *metrics, size_t count,
                 const char *checkpoint)
{
    char json[METRICS_MAX + 1];
    struct diag why;
    int rc = check_report(task, metrics, count, checkpoint);
    if (rc != RAYC_OK) {
        return rc;
    }
    struct trial *self = task->trial;
    if (self->told > RAYC_GO_ON) {
        return self->told; /* what it still says counts no more */
    }
    struct rec_report report = { .step = step_of(self, metrics, count) };
    if (metrics_json(metrics, count, json, &why) != OK) {
        return failure_say(RAYC_EINVALID, "%s", why.text);
    }
    rc = check_step(self, report.step);
    if (rc == RAYC_OK) {
        report.value = value_of(self, metrics, count, report.step);
    }
    if (rc == RAYC_OK && checkpoint != NULL) {
        rc = commit(task, self, report.step, report.value, json);
    }
    if (rc == RAYC_OK) {
        report.checkpoint = slice_text(checkpoint != NULL ? self->committed : NULL);
        report.metrics = slice_text(json);
        rc = tell(task, self, &report);
    }
    return rc;
}

int rayc_report(rayc_task *task, const rayc_metric *metrics, size_t count, const char *checkpoint)
{
    if (count > METRIC_COUNT_MAX || (metrics == NULL && count > 0)) {
        return failure_say(RAYC_EINVALID, "%zu metrics in one report: the limit is %d", count,
                           METRIC_COUNT_MAX);
    }
    struct metric list[METRIC_COUNT_MAX];
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct metric){ .name = metrics[i].name, .value = metrics[i].value };
    }
    return trial_report(task, list, count, checkpoint);
}
