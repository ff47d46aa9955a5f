/*  driver.c - one loop: start what the study wants, save rows, wait, tell the study what happened. */
#include "client/tune/driver.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/study_link.h"
#include "client/tune/driver_room.h"
#include "client/tune/driver_outside.h"
#include "client/tune/driver_keep.h"
#include "client/tune/driver_wait.h"
#include "client/tune/trial_text.h"
#include "common/clock.h"

enum {
    AHEAD = 64, /* trials made ahead of their time, when nothing that happens can change them */
    NEWS_PER_TURN = 256, /* between two looks at what may start */
    ROOM_MS = 2000,      /* the cluster's size is asked again this often */
    WAIT_MS = 250,       /* the longest sleep: time budgets, the table on the terminal */
    QUIET_MS = 2000,     /* without news, before it is asked whether any trial runs */
    LOOKED_MAX = 32,     /* trials that are asked about */
    FLUSH_S = 600
};

/*  A trial that was submitted and has not ended. */
struct run {
    uint32_t trial;
    bool cancelled;
    bool settled;     /* it has a checkpoint of its own */
    char *checkpoint; /* it started from; NULL */
    rayc_ref ref;
};

struct driver {
    struct driver_config config;
    struct trial_common common;
    char *common_text;
    struct session *session;
    struct study_link *link;
    struct study *study;
    struct outside *outside; /* of an external search; NULL */
    struct keeper *keeper;
    rayc_function function;
    rayc_options options;
    struct run *runs;
    uint32_t run_count, run_capacity;
    uint32_t room; /* trials at a time */
    uint64_t room_ms, news_ms;
    enum why waits; /* what was said last about trials that wait; 0 */
    bool stopped;   /* a user asked: what runs is cancelled */
    bool restoring_failed;
};

const struct study *driver_study(const struct driver *self)
{
    return self->study;
}

uint64_t driver_seed(const struct driver *self)
{
    return self->common.seed;
}

enum study_state driver_state(const struct driver *self, const char **why)
{
    return study_verdict(self->study, why);
}

/* --- starting trials --------------------------------------------------------------------------------------- */

static rayc_options options_of(const struct driver *self)
{
    const struct study_spec *spec = self->config.spec;
    rayc_options options = rayc_defaults();
    options.cpus = spec->cpus;
    options.gpus = spec->gpus;
    options.memory_bytes = spec->memory_bytes;
    options.resources = spec->resources;
    options.strategy = spec->strategy;
    options.labels = spec->labels;
    options.priority = spec->priority;
    if (spec->max_failures !=
        0) { /* else what its worker or its process died of is no failure of it */
        options.max_retries = spec->max_failures;
        options.retry_codes = rayc_any_error;
    }
    options.backoff_ms = spec->backoff_ms ? spec->backoff_ms : options.backoff_ms;
    options.running_max = spec->concurrency;
    options.name = self->config.name;
    return options;
}

static void save_rows(struct driver *self)
{
    struct rec_trial row;
    while (study_dirty(self->study, &row)) {
        study_link_save(self->link, &row);
    }
}

static struct run *run_of(struct driver *self, uint64_t task)
{
    for (uint32_t i = 0; i < self->run_count; i++) {
        if (self->runs[i].ref.number == task) {
            return &self->runs[i];
        }
    }
    return NULL;
}

static void remember(struct driver *self, uint32_t trial, const char *checkpoint, rayc_ref ref)
{
    if (self->run_count == self->run_capacity) {
        self->run_capacity = self->run_capacity ? 2 * self->run_capacity : AHEAD;
        self->runs = realloc(self->runs, self->run_capacity * sizeof(*self->runs));
        ensure(self->runs != NULL);
    }
    self->runs[self->run_count++] = (struct run){
        .trial = trial, .checkpoint = checkpoint ? strdup(checkpoint) : NULL, .ref = ref
    };
}

/*  The row, with the task's number in it, is older than the task. */
static void start(struct driver *self, uint32_t number)
{
    const struct study_trial *trial = study_trial(self->study, number);
    const struct study_trial *from =
        trial->donor != NONE ? study_trial(self->study, trial->donor) : trial;
    char *dir = trial_dir(&self->common, number);
    char *text = trial_text(self->config.spec, self->common_text, dir, trial, from);
    study_started(self->study, number, study_link_next_task(self->link));
    save_rows(self);
    rayc_ref ref =
        rayc_submit(&self->function, &self->options, (rayc_arg[]){ rayc_string(text) }, 1);
    ensure(ref.number == 0 || ref.number == study_trial(self->study, number)->task);
    remember(self, number, from->checkpoint, ref);
    study_link_watch(self->link, ref);
    free(text);
    free(dir);
    self->config.changed(self->config.context, self->study, number);
}

static uint32_t window(struct driver *self, uint64_t now_ms)
{
    const struct study_spec *spec = self->config.spec;
    uint32_t ahead = study_plain(self->study) ? AHEAD : 0;
    if (spec->concurrency > 0) {
        return ahead + spec->concurrency;
    }
    if (self->room == 0 || now_ms - self->room_ms >= ROOM_MS) {
        self->room = cluster_room(self->session, spec);
        self->room_ms = now_ms;
    }
    return ahead + self->room;
}

/*  True: nothing will come any more. */
static bool fill(struct driver *self, uint64_t now_ms)
{
    while (self->run_count < window(self, now_ms)) {
        uint32_t trial = NONE;
        switch (study_next(self->study, &trial, now_ms)) {
        case STUDY_START:
            start(self, trial);
            break;
        case STUDY_ASK:
            if (!outside_ask(self->outside, self->study, trial, now_ms)) {
                return false;
            }
            break;
        case STUDY_WAIT:
            return false;
        case STUDY_DONE:
            return self->run_count == 0;
        }
    }
    return false;
}

/* --- news ---------------------------------------------------------------------------------------------------- */

/*  A trial that has no checkpoint of its own yet would start again from the one that it was given. */
static bool checkpoint_used(void *context, const char *path)
{
    const struct driver *self = context;
    for (uint32_t i = 0; i < self->run_count; i++) {
        const struct run *run = &self->runs[i];
        if (!run->settled && run->checkpoint && strcmp(run->checkpoint, path) == 0) {
            return true;
        }
    }
    return false;
}

static void on_report(struct driver *self, const struct rec_report *report, uint64_t now_ms)
{
    if (report->trial >= study_count(self->study)) {
        study_link_decide(self->link, report, DECISION_REFUSED, "the study has no such trial");
        return;
    }
    uint64_t before = study_trial(self->study, report->trial)->reports;
    const char *why = "";
    enum decision decision = study_report(self->study, report, now_ms, &why);
    if (study_decides(self->study) || decision != DECISION_GO_ON) {
        study_link_decide(self->link, report, decision, why);
    }
    if (study_trial(self->study, report->trial)->reports > before) {
        struct run *run = run_of(self, report->task);
        if (run && report->checkpoint.n > 0) {
            run->settled = true;
        }
        keeper_report(self->keeper, study_trial(self->study, report->trial), report);
        outside_report(self->outside, report);
    }
    self->config.changed(self->config.context, self->study, report->trial);
}

/*  The result of a trial's task says whether it left a checkpoint when it paused. */
static void take_result(struct driver *self, uint32_t trial, struct slice text)
{
    json_t *result = text.n > 0 ? json_loadb((const char *)text.p, text.n, 0, NULL) : NULL;
    const char *checkpoint = json_string_value(json_object_get(result, "checkpoint"));
    if (checkpoint && checkpoint[0]) {
        study_checkpointed(self->study, trial, checkpoint);
        keeper_checkpoint(self->keeper, study_trial(self->study, trial), checkpoint);
    }
    json_decref(result);
}

static void on_ended(struct driver *self, rayc_ref ref, uint64_t now_ms)
{
    struct run *run = run_of(self, ref.number);
    if (run == NULL) {
        return;
    }
    uint32_t trial = run->trial;
    rayc_value value;
    int rc = rayc_get(ref, 0, &value);
    if (rc == RAYC_OK) {
        take_result(self, trial,
                    value.kind == RAYC_STRING ? slice_of(value.as.raw.data, value.as.raw.size)
                                              : slice_text(NULL));
        study_ended(self->study, trial, 0, NULL, now_ms);
    } else {
        enum failure failure = rc == RAYC_ECANCELLED ? FAILURE_CANCELLED : FAILURE_APP;
        study_ended(self->study, trial, failure, rayc_error()->text, now_ms);
    }
    rayc_drop(&run->ref);
    free(run->checkpoint);
    *run = self->runs[--self->run_count];
    outside_tell(self->outside, self->study, trial);
    self->config.changed(self->config.context, self->study, trial);
}

/*  All news there are; a code of rayc.h. */
static int take_news(struct driver *self, double seconds)
{
    for (int n = 0; n < NEWS_PER_TURN; n++) {
        struct rec_report report;
        rayc_ref task;
        int news = study_link_wait(self->link, n == 0 ? seconds : 0, &report, &task);
        uint64_t now_ms = clock_wall_ms();
        self->news_ms = news == STUDY_NOTHING ? self->news_ms : now_ms;
        switch (news) {
        case STUDY_NOTHING:
            return RAYC_OK;
        case STUDY_REPORT:
            on_report(self, &report, now_ms);
            break;
        case STUDY_TASK_ENDED:
            on_ended(self, task, now_ms);
            break;
        case STUDY_ASKED_TO_STOP:
            study_stop(self->study, "stopped by a user", now_ms);
            self->stopped = true;
            break;
        default:
            return news;
        }
    }
    return RAYC_OK;
}

/*  Ends what still runs, once, when the study stops. */
static void cancel_all(struct driver *self)
{
    for (uint32_t i = 0; i < self->run_count; i++) {
        if (!self->runs[i].cancelled) {
            self->runs[i].cancelled = true;
            rayc_cancel(self->runs[i].ref, 0);
        }
    }
}

/*  Says once why nothing runs: on a cluster that lasts, a demand that no node meets waits for ever. */
static void look_at_waiting(struct driver *self, uint64_t now_ms)
{
    char text[WAIT_TEXT_BYTES];
    enum why why = 0;
    if (self->run_count == 0 || now_ms < self->news_ms + QUIET_MS) {
        return;
    }
    self->news_ms = now_ms;
    for (uint32_t i = 0; i < self->run_count && i < LOOKED_MAX; i++) {
        enum why here = task_waits(self->session, self->runs[i].ref.number);
        why = i == 0 ? here : why;
        if (here == WHY_RUNNING || here == WHY_LEASED || here == WHY_ENDED) {
            self->waits = 0;
            return;
        }
    }
    if (why != self->waits && wait_text(self->config.spec, why, text)) {
        self->config.warn(self->config.context, text);
    }
    self->waits = why;
}

/* --- one study ----------------------------------------------------------------------------------------------- */

static void restore_trial(void *context, const struct rec_trial *row)
{
    struct driver *self = context;
    self->restoring_failed |= study_restore_trial(self->study, row) != OK;
}

static void restore_report(void *context, const struct rec_report *row)
{
    struct driver *self = context;
    const struct study_trial *trial =
        row->trial < study_count(self->study) ? study_trial(self->study, row->trial) : NULL;
    uint64_t before = trial ? trial->reports : 0;
    study_restore_report(self->study, row);
    if (trial && trial->reports > before) {
        keeper_report(self->keeper, trial, row);
    }
}

/*  A trial whose task ended well after its driver was killed is not run again. */
static void restore_ends(struct driver *self)
{
    for (uint32_t i = 0; i < study_count(self->study); i++) {
        const struct study_trial *trial = study_trial(self->study, i);
        char *result = NULL;
        if (trial->base.state == TRIAL_RUNNING && trial->task != 0 &&
            cluster_finished(self->session, trial->task, &result)) {
            study_restore_finished(self->study, i);
            take_result(self, i, slice_text(result));
        }
        free(result);
    }
}

static int restore(struct driver *self)
{
    int rc = study_link_read(self->link, restore_trial, restore_report, self);
    if (rc == RAYC_OK && self->restoring_failed) {
        rc = failure_say(RAYC_EINVALID, "study %s has rows that do not fit its search.yaml",
                         self->config.name);
    }
    if (rc == RAYC_OK) {
        restore_ends(self);
        study_restored(self->study);
    }
    return rc;
}

static int open_all(struct driver *self)
{
    const struct driver_config *config = &self->config;
    const struct study_spec *spec = config->spec;
    struct diag why = { 0 };
    if (strlen(config->settings) > TEXT_MAX) {
        return failure_say(RAYC_ETOOLARGE,
                           "the options and the command of a study may have %d bytes", TEXT_MAX);
    }
    if (study_new(&self->study, spec, config->seed, &why) != OK) {
        return failure_say(RAYC_EINVALID, "%s", why.text);
    }
    self->common =
        (struct trial_common){ config->name, config->storage, config->env, config->seed };
    self->keeper = keeper_new(spec, config->storage, config->name);
    self->common_text = trial_text_common(spec, &self->common);
    self->function = (rayc_function){ config->function, NULL };
    self->options = options_of(self);
    self->session = rayc_session_();
    int rc = study_link_program(self->session, config->program);
    if (rc != RAYC_OK) {
        return rc;
    }
    struct study_open open = { .name = config->name,
                               .resume = config->resume,
                               .decides = study_decides(self->study),
                               .maximize = spec->maximize,
                               .metric = spec->metric,
                               .seed = config->seed,
                               .trials_max = spec->trials_max,
                               .definition = spec->text,
                               .settings = config->settings };
    rc = study_link_open(&self->link, self->session, &open);
    if (rc == RAYC_OK && config->opened) {
        config->opened(config->context);
    }
    if (rc == RAYC_OK && config->resume) {
        rc = restore(self);
    }
    return rc == RAYC_OK ? outside_open(&self->outside, spec, self->study, config->seed) : rc;
}

static int run(struct driver *self)
{
    self->news_ms = clock_wall_ms();
    for (;;) {
        uint64_t now_ms = clock_wall_ms();
        if (study_tick(self->study, now_ms) || self->stopped) {
            cancel_all(self);
        }
        bool done = fill(self, now_ms);
        save_rows(self);
        if (done) {
            return RAYC_OK;
        }
        if (outside_error(self->outside)) {
            return failure_say(RAYC_EINVALID, "%s", outside_error(self->outside));
        }
        if (*self->config.interrupted) {
            return failure_say(RAYC_ECANCELLED, "interrupted");
        }
        int rc = take_news(self, WAIT_MS / 1000.0);
        if (rc != RAYC_OK) {
            return rc;
        }
        keeper_sweep(self->keeper, checkpoint_used, self);
        look_at_waiting(self, now_ms);
        self->config.changed(self->config.context, self->study, NONE);
    }
}

int driver_run(struct driver **out, const struct driver_config *config)
{
    struct driver *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->config = *config;
    int rc = open_all(self);
    if (rc != RAYC_OK) {
        driver_close(&self);
        *out = NULL;
        return rc;
    }
    *out = self;
    rc = run(self);
    if (rc == RAYC_OK) {
        rc = study_link_flush(self->link, FLUSH_S);
    }
    if (rc == RAYC_OK) {
        const char *why = "";
        enum study_state state = study_verdict(self->study, &why);
        rc = study_link_end(self->link, state, why);
    }
    return rc;
}

void driver_close(struct driver **self_p)
{
    struct driver *self = *self_p;
    if (self == NULL) {
        return;
    }
    outside_close(&self->outside);
    study_link_close(&self->link);
    study_destroy(&self->study);
    keeper_destroy(&self->keeper);
    for (uint32_t i = 0; i < self->run_count; i++) {
        free(self->runs[i].checkpoint);
    }
    free(self->common_text);
    free(self->runs);
    free(self);
    *self_p = NULL;
}
