/*  study.c - libFuzzer: any rows as those of a study that is resumed.  They are refused, or the study goes on from them
    and comes to an end.  The input is read field by field: mostly what a database may hold, else any bytes. */
#include "client/tune/study.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/external.h"
#include "common/err.h"
#include "common/text.h"

enum { ROWS_MAX = 24, REPORTS_MAX = 64, TURNS_MAX = 600, LINEAGE = 512 };

static const char definition[] =
    "metric: v\nmode: max\ncommand: x {params}\ntrials: 16\nconcurrency: 4\n"
    "space:\n  m: {choice: [svm, mlp, 7]}\n  lr: {loguniform: [1e-5, 0.1], when: {m: mlp}}\n"
    "  n: {int: [1, 9]}\n  q: {quniform: [0, 1, 0.25]}\n  z: {randn: [0, 1]}\n"
    "  c: 5\n  e: {expr: \"n * 2\"}\n  w: {int: [1, 4], when: \"n >= 5\"}\n"
    "constraints: [\"n <= 8\", \"m != 'svm' or q < 1\"]\n"
    "stop: {trial: [\"v > 90\", \"plateau(v, 3, 0.01)\"]}\ngoal: 1000\n";
static const char *const schedulers[] = { "scheduler={type: fifo}",
                                          "scheduler={type: asha, max: 9, variant: promote}",
                                          "scheduler={type: asha, max: 9, variant: stop}",
                                          "scheduler={type: hyperband, max: 9}",
                                          "scheduler={type: median}",
                                          "scheduler={type: pbt, interval: 2}" };
static const char *const searches[] = { "search={algo: random}",
                                        "search={algo: tpe, startup: 2}",
                                        "search={algo: cmaes, startup: 2}",
                                        "search={algo: auto}",
                                        "search={algo: sobol}",
                                        "search={algo: external, command: [x]}" };

/*  Read once for each pair. */
static const struct study_spec *spec_of(uint32_t scheduler, uint32_t search)
{
    static struct study_spec *specs[COUNT(schedulers)][COUNT(searches)];
    struct study_spec **spec = &specs[scheduler][search];
    if (!*spec) {
        const char *const flags[] = { schedulers[scheduler], searches[search] };
        struct spec_source source = { "search.yaml", slice_text(definition), "/", flags, 2, NULL };
        struct spec_error error;
        ensure(spec_read(spec, &source, &error) == OK);
    }
    return *spec;
}

/* --- the input -------------------------------------------------------------------------------- */

struct input {
    const uint8_t *p;
    size_t n;
};

/*  0 at the end. */
static uint8_t take(struct input *self)
{
    if (self->n == 0) {
        return 0;
    }
    self->n--;
    return *self->p++;
}

static struct slice take_bytes(struct input *self, size_t n)
{
    n = n < self->n ? n : self->n;
    struct slice bytes = slice_of(self->p, n);
    self->p += n;
    self->n -= n;
    return bytes;
}

static uint64_t take_u64(struct input *self)
{
    uint64_t value = 0;
    struct slice bytes = take_bytes(self, 8);
    if (bytes.n > 0) {
        memcpy(&value, bytes.p, bytes.n);
    }
    return value;
}

/*  Small, or anything. */
static uint64_t take_number(struct input *self)
{
    uint8_t first = take(self);
    return first < 250 ? first % 32 : take_u64(self);
}

static double take_double(struct input *self)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, 0, -1, 1e300, 0x1p63, 5e-324 };
    uint8_t first = take(self);
    double value = first < 240 ? first % 16 : odd[first % COUNT(odd)];
    if (first == 239) {
        uint64_t bits = take_u64(self);
        memcpy(&value, &bits, sizeof(value));
    }
    return value;
}

/* --- rows ------------------------------------------------------------------------------------- */

static void add_field(struct text *text, const char *name, uint64_t number)
{
    text_add(text, name);
    text_u64(text, number);
}

/*  A journal, or any bytes. */
static struct slice take_lineage(struct input *self, char out[LINEAGE])
{
    uint8_t kind = take(self);
    if (kind < 16) {
        return take_bytes(self, kind * 4u);
    }
    struct text text = text_in(out, LINEAGE);
    for (uint8_t i = 0; i < kind % 5; i++) {
        uint8_t what = take(self);
        add_field(&text, i == 0 ? "[{\"at\":[" : ",{\"at\":[", take_number(self));
        add_field(&text, ",", take_number(self));
        text_add(&text, "]");
        if (what & 1) {
            add_field(&text, ",\"step\":", take_number(self));
        }
        if (what & 2) {
            add_field(&text, ",\"donor\":", take_number(self));
        }
        if (what & 4) {
            add_field(&text, ",\"from\":[", take_number(self));
            add_field(&text, ",null,", take_number(self));
            text_add(&text, ",0.5,1,0]");
        }
        text_add(&text, what & 8 ? ",\"end\":true}" : "}");
        text_add(&text, what & 16 ? "]" : "");
    }
    text_add(&text, text.n > 0 ? "]" : "");
    return slice_of(text.p, text.n);
}

static struct slice take_point(struct input *self, const struct space *space, uint64_t number,
                               uint8_t out[PARAMS_MAX * 8])
{
    double x[PARAMS_MAX];
    uint8_t kind = take(self);
    space_draw(space, kind, number, 0, x);
    for (uint32_t i = 0; i < space->count; i++) {
        if (kind >= 200 && take(self) < 64) {
            x[i] = take_double(self);
        }
    }
    memcpy(out, x, space->count * sizeof(*x)); /* as stored on the machines that are fuzzed */
    return slice_of(out, kind == 255 ? take(self) : space->count * sizeof(*x));
}

static int restore_trial(struct input *self, struct study *study, const struct space *space)
{
    uint8_t point[PARAMS_MAX * 8] = { 0 };
    char lineage[LINEAGE];
    struct rec_trial row = {
        .number = study_count(study),
        .state = 1 + take(self) % (TRIAL_STATES - 1),
        .pruned = take(self) & 1,
        .run = (uint32_t)take_number(self),
        .task = take_number(self),
        .value = take_double(self),
        .step = take_double(self),
        .created_ms = take_number(self),
        .ended_ms = take_number(self),
        .params = slice_text("{\"n\": 3}"),
        .metrics = take_bytes(self, take(self) % 8),
        .checkpoint = take_bytes(self, take(self) % 4),
    };
    bool ended = row.state == TRIAL_TERMINATED || row.state == TRIAL_ERROR;
    row.ended = ended || take(self) > 250 ? take_number(self) : 0;
    row.given = take(self) > 240;
    if (take(self) == 255) {
        row.number = (uint32_t)take_u64(self);
        row.state = take(self);
    }
    row.point = take_point(self, space, row.number, point);
    row.lineage = take_lineage(self, lineage);
    return study_restore_trial(study, &row);
}

static struct rec_report take_report(struct input *self, uint64_t id, uint32_t trials)
{
    uint8_t which = take(self);
    return (struct rec_report){
        .id = which < 250 ? id : take_number(self),
        .trial = trials > 0 && which < 250 ? which % trials : which,
        .task = take_number(self),
        .attempt = 1,
        .number = (uint32_t)take_number(self),
        .step = take_double(self),
        .value = take_double(self),
        .checkpoint = slice_text(take(self) & 1 ? "/c" : ""),
        .metrics = take(self) & 1 ? slice_text("{\"v\":3}") : take_bytes(self, take(self) % 8),
        .at_ms = take_number(self),
    };
}

/*  False: they are refused. */
static bool restore(struct input *self, struct study *study, const struct space *space)
{
    for (uint32_t n = take(self) % ROWS_MAX; n > 0; n--) {
        if (restore_trial(self, study, space) != OK) {
            return false;
        }
    }
    uint64_t id = 0;
    for (uint32_t n = take(self) % REPORTS_MAX; n > 0; n--) {
        struct rec_report report = take_report(self, ++id, study_count(study));
        study_restore_report(study, &report);
    }
    study_restored(study);
    return true;
}

/* --- going on --------------------------------------------------------------------------------- */

struct run {
    const struct study_spec *spec;
    struct study *study;
    uint32_t trials[4], count;
    uint64_t id, task;
};

static void drain(struct run *self)
{
    struct rec_trial row;
    while (study_dirty(self->study, &row)) {
        const struct study_trial *trial = study_trial(self->study, row.number);
        ensure(row.state > 0 && row.state < TRIAL_STATES && trial != NULL);
        free(external_tell(&self->spec->space, &trial->base, trial->value));
    }
}

static void start(struct run *self, uint32_t trial)
{
    const struct study_trial *it = study_trial(self->study, trial);
    ensure(it->donor == NONE || study_trial(self->study, it->donor) != NULL);
    ensure(isfinite(it->base.step) && self->count < COUNT(self->trials));
    self->trials[self->count++] = trial;
    study_started(self->study, trial, ++self->task);
}

/*  One of those that run reports, or ends. */
static void happen(struct run *self, struct input *input)
{
    ensure(self->count > 0);
    uint32_t at = take(input) % self->count;
    const struct study_trial *trial = study_trial(self->study, self->trials[at]);
    const char *why;
    struct rec_report report = { .id = ++self->id,
                                 .trial = self->trials[at],
                                 .task = trial->task,
                                 .step = fmax(trial->base.step, 0) + 1,
                                 .value = take_double(input),
                                 .metrics = slice_text("{\"v\":3}"),
                                 .checkpoint = slice_text(take(input) & 1 ? "/d" : "") };
    enum decision told = study_report(self->study, &report, self->id, &why);
    if (told != DECISION_GO_ON || !(report.step < 12)) {
        study_ended(self->study, self->trials[at], 0, NULL, self->id);
        self->trials[at] = self->trials[--self->count];
    }
}

static void go_on(struct run *self, struct input *input)
{
    uint32_t turns = 0;
    for (bool done = false; !done; turns++) {
        uint32_t trial = NONE;
        if (turns == TURNS_MAX) {
            study_stop(self->study, "enough", self->id);
        }
        ensure(turns < 2 * TURNS_MAX);
        enum study_next next =
            self->count < COUNT(self->trials) ? study_next(self->study, &trial, 1) : STUDY_WAIT;
        switch (next) {
        case STUDY_START:
            start(self, trial);
            break;
        case STUDY_WAIT:
            happen(self, input);
            break;
        case STUDY_ASK:
            study_no_point(self->study);
            break;
        case STUDY_DONE:
            done = true;
            break;
        }
        drain(self);
    }
    ensure(self->count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    uint32_t scheduler = take(&input) % COUNT(schedulers), search = take(&input) % COUNT(searches);
    struct run run = { .spec = spec_of(scheduler, search), .id = 1000, .task = 1000 };
    struct diag why;
    ensure(study_new(&run.study, run.spec, 7, &why) == OK);
    if (restore(&input, run.study, &run.spec->space)) {
        drain(&run);
        go_on(&run, &input);
    }
    study_destroy(&run.study);
    return 0;
}
