/*  tune_result_test.c - rows of a study read back page by page, and what people take away: JSON, CSV, Ray's files, SVG;
    which checkpoints stay; what a trial is given.  TUNE_PLOTS=DIR keeps the plots to look at. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tune/driver_keep.h"
#include "client/tune/result.h"
#include "client/tune/trial_text.h"
#include "common/file.h"
#include "rows_put.h"

#define NAME "st\xc3\xbc" "dy"

enum { TRIALS_MAX = 6000, REPORTS_MAX = 32, PAGE = 3 };

/* --- a head ----------------------------------------------------------------------------------- */

struct head {
    const char *definition;
    char *settings;
    struct rec_trial trials[TRIALS_MAX];
    double points[TRIALS_MAX][8];
    uint32_t trial_count;
    struct rec_report reports[REPORTS_MAX];
    uint32_t report_count;
    uint8_t memory[64 * 1024];
    struct msg reply;
    uint32_t questions, page;
    int fails;    /* instead of the n-th answer */
    bool endless; /* says that there is more when there is not */
};

static const char plain[] = "metric: loss\nmode: min\ncommand: train {x}\ntrials: 9\nspace:\n"
                            "  x: {uniform: [0, 1]}\n"
                            "  opt: {choice: [sgd, \"a,\\\"d\\\"\", null, true]}\n"
                            "  m: {int: [1, 9], when: {opt: sgd}}\n";

static struct head *head_new(const char *definition)
{
    struct head *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    struct spec_source source = { .dir = "/tmp" };
    self->definition = definition;
    self->settings = settings_text(&source, "/tmp/storage");
    self->page = PAGE;
    return self;
}

static void head_free(struct head **self)
{
    free((*self)->settings);
    free(*self);
    *self = NULL;
}

/*  The answer is encoded, and what it was made of is overwritten by the next one. */
static int ask_head(void *context, struct msg_study_read *request, struct msg_study_rows *out)
{
    struct head *self = context;
    static const char *const none = "";
    if (++self->questions == (uint32_t)self->fails) {
        return ERR_TIMEOUT;
    }
    uint8_t *elements = malloc(sizeof(self->memory));
    assert_non_null(elements);
    struct wire list = { elements, 0, sizeof(self->memory), false };
    uint32_t count = 0, i = (uint32_t)request->after;
    struct msg_study_rows rows = { .study = 7, .state = STUDY_COMPLETED, .seed = 11 };
    for (; request->what == 1 && count < self->page && i < self->trial_count; i++, count++) {
        proto_put_record(&list, REC_TRIAL, &self->trials[i]);
    }
    if (request->what == 1) {
        rows.trials = wire_list(&list, count);
        rows.more = i < self->trial_count || self->endless;
    }
    for (i = 0; request->what == 2 && i < self->report_count; i++) {
        if (self->reports[i].id > request->after && count < self->page) {
            proto_put_record(&list, REC_REPORT, &self->reports[i]);
            count++;
        }
    }
    if (request->what == 2) {
        rows.reports = wire_list(&list, count);
        rows.more = count == self->page;
    }
    rows.definition = slice_text(request->what == 0 ? self->definition : none);
    rows.settings = slice_text(request->what == 0 ? self->settings : none);
    struct wire frame = { self->memory, 0, sizeof(self->memory), false };
    proto_put(&frame, MSG_STUDY_ROWS, &rows);
    free(elements);
    assert_false(list.full || frame.full);
    assert_int_equal(proto_decode(slice_of(frame.p, frame.n), &self->reply, NULL), OK);
    *out = self->reply.as.study_rows;
    return OK;
}

/*  TERMINATED in the order in which they are added, unless changed. */
static struct rec_trial *add(struct head *self, const char *params, const char *metrics,
                             double value)
{
    assert_true(self->trial_count < TRIALS_MAX);
    uint32_t i = self->trial_count++;
    self->trials[i] = (struct rec_trial){ .number = i,
                                          .state = TRIAL_TERMINATED,
                                          .ended = i + 1,
                                          .value = value,
                                          .step = 3,
                                          .created_ms = 1000,
                                          .ended_ms = 9000,
                                          .point = slice_of(self->points[i], 3 * sizeof(double)),
                                          .params = slice_text(params),
                                          .metrics = slice_text(metrics) };
    return &self->trials[i];
}

static void add_report(struct head *self, uint32_t trial, double step, const char *metrics)
{
    uint32_t i = self->report_count++;
    assert_true(i < REPORTS_MAX);
    self->reports[i] = (struct rec_report){ .id = 10 * (i + 1),
                                            .task = 5,
                                            .attempt = 1,
                                            .number = i + 1,
                                            .trial = trial,
                                            .step = step,
                                            .value = 1,
                                            .metrics = slice_text(metrics),
                                            .at_ms = 2000 + 500 * i };
}

static struct study_rows load(struct head *head)
{
    struct study_rows rows;
    struct spec_error error;
    int rc = study_rows_load(&rows, NAME, true, ask_head, head, &error);
    if (rc != OK) {
        print_message("%s: %s\n", error.field, error.text);
    }
    assert_int_equal(rc, OK);
    return rows;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void pages_become_rows(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    for (int i = 0; i < 8; i++) {
        add(head, "{\"x\": 0.5}", "{\"loss\": 1}", 10 - i);
        add_report(head, (uint32_t)i, 1, "{\"loss\": 1}");
    }
    struct study_rows rows = load(head);
    assert_int_equal(head->questions, 1 + 3 + 3);
    assert_int_equal(rows.id, 7);
    assert_int_equal(rows.seed, 11);
    assert_string_equal(rows.spec->metric, "loss");
    assert_string_equal(rows.spec->dir, "/tmp");
    assert_int_equal(rows.trial_count, 8);
    assert_int_equal(rows.report_count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(slice_same(rows.trials[i].params, slice_text("{\"x\": 0.5}")));
        assert_int_equal(rows.reports[i].trial, i);
    }
    assert_int_equal(rows_best(&rows), 7);
    study_rows_free(&rows);
    head_free(&head);
}

static int load_fails(struct head *head, struct spec_error *error)
{
    struct study_rows rows;
    int rc = study_rows_load(&rows, NAME, true, ask_head, head, error);
    assert_null(rows.trials);
    head_free(&head);
    return rc;
}

static void what_the_head_says_wrongly(void **state)
{
    (void)state;
    struct spec_error error;
    for (int i = 1; i <= 3; i++) {
        struct head *head = head_new(plain);
        head->fails = i;
        assert_int_equal(load_fails(head, &error), ERR_TIMEOUT);
    }
    struct head *head = head_new(plain);
    head->endless = true;
    add(head, "{}", "", NAN);
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    head = head_new(plain);
    add(head, "{}", "", NAN)->number = 4;
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "rows"));
    head = head_new("metric: [\n");
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    head = head_new(plain);
    free(head->settings);
    head->settings = strdup("{\"flags\": [1], \"command\": null}");
    assert_int_equal(load_fails(head, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "settings"));
}

static void settings_come_back(void **state)
{
    (void)state;
    const char *const flags[] = { "trials=5", "env.K=\xe2\x82\xac \"'\n\\", "" };
    char *command[] = { "train me", "\xc3\xbc", "", "{x}", NULL };
    struct spec_source source = { .path = "s\xc3\xb6/search.yaml",
                                  .dir = "/d/\xe6\xbc\xa2",
                                  .flags = flags,
                                  .flag_count = COUNT(flags),
                                  .command = command };
    char *text = settings_text(&source, "/st\xc3\xb6rage");
    struct settings back;
    assert_int_equal(settings_read(&back, slice_text(text), slice_text("file")), OK);
    assert_string_equal(back.storage, "/st\xc3\xb6rage");
    assert_string_equal(back.source.path, source.path);
    assert_string_equal(back.source.dir, source.dir);
    assert_true(slice_same(back.source.text, slice_text("file")));
    assert_int_equal(back.source.flag_count, COUNT(flags));
    for (size_t i = 0; i < COUNT(flags); i++) {
        assert_string_equal(back.source.flags[i], flags[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_string_equal(back.source.command[i], command[i]);
    }
    assert_null(back.source.command[4]);
    settings_free(&back);
    free(text);
    text = settings_text(&(struct spec_source){ 0 }, NULL);
    assert_int_equal(settings_read(&back, slice_text(text), slice_text("file")), OK);
    assert_null(back.source.command);
    assert_null(back.storage);
    assert_null(back.source.dir);
    settings_free(&back);
    free(text);
    static const char *const wrong[] = { "", "[]", "{", "{\"flags\": 1}", "{\"flags\": []}",
                                         "{\"flags\": [], \"command\": [null]}" };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(settings_read(&back, slice_text(wrong[i]), slice_text("")), ERR_INVALID);
        settings_free(&back);
    }
}

/* --- JSON and CSV ----------------------------------------------------------------------------- */

static void json_has_best_and_all(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.5}", 0.5);
    struct rec_trial *failed = add(head, "{\"x\": 0.2}", "{\"loss\": 0.01}", 0.01);
    failed->state = TRIAL_ERROR;
    failed->text = slice_text("exited with 3");
    add(head, "{\"x\": 123456789012345678901234567890}", "", NAN)->state = TRIAL_RUNNING;
    head->trials[2].ended = head->trials[2].ended_ms = 0;
    add(head, "{\"x\": 0.3}", "{\"loss\": 0.25}", 0.25)->task = 0xabc;
    struct study_rows rows = load(head);
    json_t *all = result_json(&rows);
    const json_t *best = json_object_get(all, "best"), *study = json_object_get(all, "study");
    const json_t *trials = json_object_get(all, "trials");
    assert_int_equal(json_integer_value(json_object_get(best, "trial")), 3);
    assert_string_equal(json_string_value(json_object_get(best, "task_id")), "0000000000000abc");
    assert_string_equal(json_string_value(json_object_get(study, "name")), NAME);
    assert_string_equal(json_string_value(json_object_get(study, "mode")), "min");
    assert_int_equal(json_integer_value(json_object_get(study, "trials")), 4);
    assert_int_equal(json_array_size(trials), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(trials, 1), "text")),
                        "exited with 3");
    assert_true(json_is_null(json_object_get(json_array_get(trials, 2), "value")));
    assert_true(json_is_object(json_object_get(json_array_get(trials, 2), "params")));
    json_decref(all);
    study_rows_free(&rows);
    head->trial_count = 0;
    rows = load(head);
    all = result_json(&rows);
    assert_true(json_is_null(json_object_get(all, "best")));
    assert_int_equal(json_array_size(json_object_get(all, "trials")), 0);
    json_decref(all);
    study_rows_free(&rows);
    head_free(&head);
}

static char *printed(const struct study_rows *rows, void (*print)(const struct study_rows *, FILE *))
{
    char *text;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    print(rows, to);
    fclose(to);
    return text;
}

static void check_csv(struct head *head, const char *wanted)
{
    struct study_rows rows = load(head);
    char *text = printed(&rows, result_csv);
    assert_string_equal(text, wanted);
    free(text);
    study_rows_free(&rows);
}

static void csv_in_order_of_completion(void **state)
{
    (void)state;
    struct head *head = head_new(plain);
    check_csv(head, "x,opt,m,loss\n");
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.5, \"x\": 7}", 0.5);
    head->trials[0].ended = 4;
    add(head, "{\"x\": 1e-05, \"opt\": \"a,\\\"d\\\"\"}", "{\"n,o\": 2, \"loss\": 1}", 1);
    add(head, "{\"x\": 0.3, \"opt\": null}", "", NAN)->state = TRIAL_ERROR;
    add(head, "{\"x\": 0.9}", "{\"loss\": 1}", 1)->ended = 0;
    add(head, "{\"x\": 0.25, \"opt\": true}", "", 0.125)->given = 1;
    head->trials[4].ended = 1;
    add(head, "{\"x\": 2, \"opt\": \"l\\nine\"}",
        "{\"loss\": null, \"note\": \"h\xc3\xa9, you\", \"ok\": false}", NAN);
    check_csv(head, "x,opt,m,loss,\"n,o\",note,ok\n"
                    "0.25,true,,0.125,,,\n"
                    "1e-05,\"a,\"\"d\"\"\",,1,2,,\n"
                    "0.3,null,,,,,\n"
                    "0.1,sgd,3,0.5,,,\n"
                    "2,\"l\nine\",,,,\"h\xc3\xa9, you\",false\n");
    head_free(&head);
}

/* --- Ray's files ------------------------------------------------------------------------------ */

static char *content(const char *dir, const char *name)
{
    char path[512];
    static char text[64 * 1024];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        return NULL;
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return text;
}

static json_t *line_of(const char *text, int n)
{
    while (n-- > 0) {
        text = strchr(text, '\n') + 1;
    }
    json_t *line = json_loadb(text, strcspn(text, "\n"), 0, NULL);
    assert_non_null(line);
    return line;
}

static uint32_t lines_in(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

/*  The keys of Ray 2.60, but those of its own processes: pid, hostname, node_ip. */
static const char *const ray_keys[] = {
    "loss",        "timestamp", "checkpoint_dir_name", "done",
    "trial_id",    "date",      "training_iteration",  "time_this_iter_s",
    "time_total_s", "config",    "time_since_restore",  "iterations_since_restore"
};

static void check_ray_lines(const char *dir)
{
    char *text = content(dir, "trial_00000/result.json");
    assert_int_equal(lines_in(text), 3);
    json_t *first = line_of(text, 0), *last = line_of(text, 2);
    for (size_t i = 0; i < COUNT(ray_keys); i++) {
        assert_non_null(json_object_get(first, ray_keys[i]));
    }
    assert_string_equal(json_string_value(json_object_get(first, "trial_id")), NAME "/0");
    assert_true(json_number_value(json_object_get(first, "time_total_s")) == 1);
    assert_true(json_is_false(json_object_get(first, "done")));
    assert_true(json_is_true(json_object_get(last, "done")));
    assert_int_equal(json_integer_value(json_object_get(last, "training_iteration")), 3);
    assert_string_equal(json_string_value(json_object_get(last, "checkpoint_dir_name")),
                        "checkpoint_000002");
    assert_true(json_number_value(json_object_get(json_object_get(last, "config"), "x")) == 0.1);
    json_decref(first);
    json_decref(last);
}

static void rays_files(void **state)
{
    (void)state;
    char dir[64];
    folder_new(dir);
    struct head *head = head_new(plain);
    add(head, "{\"x\": 0.1, \"opt\": \"sgd\", \"m\": 3}", "{\"loss\": 0.1}", 0.1);
    struct rec_trial *failed = add(head, "{\"x\": 0.2}", "", NAN);
    failed->state = TRIAL_ERROR;
    failed->text = slice_text("exited with 3");
    add_report(head, 0, 1, "{\"loss\": 0.3, \"a,b\": \"q\\\"\"}");
    add_report(head, 0, 2, "{\"loss\": 0.2, \"late\": 1}");
    add_report(head, 0, 2, "{\"loss\": 9}"); /* an attempt says it again */
    add_report(head, 9, 1, "{\"loss\": 9}"); /* of a trial that was made since */
    add_report(head, 0, 3, "{\"loss\": 0.1}");
    head->reports[4].checkpoint = slice_text("/s/trial_00000/checkpoint_000002");
    add_report(head, 0, 4, "{\"loss\": 9}"); /* after it was told to end */
    struct study_rows rows = load(head);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(result_ray(&rows, dir), OK);
        check_ray_lines(dir);
        char *text = content(dir, "trial_00000/progress.csv");
        assert_int_equal(lines_in(text), 4);
        assert_int_equal(strncmp(text, "loss,\"a,b\",timestamp,checkpoint_dir_name,done,", 40), 0);
        assert_non_null(strstr(text, "\n0.3,\"q\"\"\",2,,False,1," NAME "/0,"));
        assert_null(strstr(text, "config"));
        assert_string_equal(content(dir, "trial_00000/params.json"),
                            "{\n  \"x\": 0.1,\n  \"opt\": \"sgd\",\n  \"m\": 3\n}");
        assert_null(content(dir, "trial_00000/error.txt"));
        assert_string_equal(content(dir, "trial_00001/error.txt"), "exited with 3");
        assert_string_equal(content(dir, "trial_00001/result.json"), "");
        assert_null(content(dir, "trial_00001/progress.csv"));
    }
    study_rows_free(&rows);
    head_free(&head);
    if (!getenv("TUNE_PLOTS")) {
        folder_remove(dir);
    }
}

/* --- plots ------------------------------------------------------------------------------------ */

/*  Tags that close each other in order, attributes in quotes, and no number that is none. */
static void check_svg(const char *text)
{
    const char *open[16];
    size_t depth = 0, tags = 0;
    assert_int_equal(strncmp(text, "<svg ", 5), 0);
    for (const char *at = text; *at; at++) {
        if (*at == '&') {
            assert_true(strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                        strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&quot;", 6) == 0 ||
                        strncmp(at, "&apos;", 6) == 0);
        }
        if (*at != '<') {
            assert_true((unsigned char)*at >= 0x20 || *at == '\n');
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes, *end = name;
        for (char quote = 0; *end != '>' || quote; end++) {
            assert_true(*end && (!quote || *end != '<'));
            quote = !quote && *end == '\'' ? '\'' : quote && *end == quote ? 0 : quote;
        }
        for (const char *p = name; p < end; p++) {
            assert_false(strncmp(p, "nan", 3) == 0 || strncmp(p, "inf", 3) == 0);
        }
        size_t n = strcspn(name, " >");
        if (closes) {
            assert_true(depth > 0 && strncmp(open[--depth], name, n) == 0);
        } else if (end[-1] != '/') {
            assert_true(depth < COUNT(open));
            open[depth++] = name;
        }
        tags++;
        at = end;
    }
    assert_int_equal(depth, 0);
    assert_true(tags > 5);
}

static void check_plots(struct head *head, const char *name)
{
    static void (*const plots[])(const struct study_rows *, FILE *) = { plot_history,
                                                                        plot_parallel };
    static const char *const names[] = { "history", "parallel" };
    head->page = 100;
    struct study_rows rows = load(head);
    for (size_t i = 0; i < COUNT(plots); i++) {
        char *text = printed(&rows, plots[i]), path[256];
        check_svg(text);
        const char *dir = getenv("TUNE_PLOTS");
        snprintf(path, sizeof(path), "%s/%s_%s.svg", dir, name, names[i]);
        FILE *file = dir ? fopen(path, "w") : NULL;
        if (file) {
            fputs(text, file);
            fclose(file);
        }
        free(text);
    }
    study_rows_free(&rows);
    head_free(&head);
}

static const char numbers[] =
    "metric: \"l<o&'s\"\nmode: max\ncommand: train\ntrials: 9\nspace:\n"
    "  learning_rate_of_the_encoder: {loguniform: [0.00001, 1]}\n"
    "  layers: {int: [1, 6]}\n"
    "  opt: {choice: [\"<sgd> & 'co' \\\"x\\\"\", adam, rmsprop]}\n"
    "  momentum: {uniform: [0, 1], when: {opt: adam}}\n";

/*  A draw of trial i; a tenth fails, every third one is stopped early. */
static void add_drawn(struct head *head, uint32_t i)
{
    double *x = head->points[i];
    for (uint32_t k = 0; k < 4; k++) {
        x[k] = draw_uniform(1, i, k, 0);
    }
    double value = 1 - pow(x[0] - 0.4, 2) - 0.3 * fabs(x[1] - 0.5) - 0.2 * x[3];
    x[0] = pow(10, -5 * x[0]);
    x[1] = 1 + floor(x[1] * 6);
    x[2] = floor(x[2] * 3);
    x[3] = x[2] == 1 ? x[3] : NAN;
    struct rec_trial *trial = add(head, "{}", "", value);
    trial->point.n = 4 * sizeof(double);
    trial->pruned = i % 3 == 2;
    trial->state = i % 10 == 9 ? TRIAL_ERROR : TRIAL_TERMINATED;
    trial->value = i % 10 == 9 ? NAN : i % 20 == 8 ? -1000 : value;
}

static void plots_of_many(void **state)
{
    (void)state;
    static const uint32_t counts[] = { 0, 1, 2, 3, 60, 5500 };
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct head *head = head_new(numbers);
        char name[32];
        for (uint32_t k = 0; k < counts[i]; k++) {
            add_drawn(head, k);
        }
        snprintf(name, sizeof(name), "many_%u", counts[i]);
        check_plots(head, name);
    }
}

/*  Values that are hard on an axis: the same, huge, tiny, far from zero, over many powers of ten. */
static void plots_of_odd_values(void **state)
{
    (void)state;
    static const double odd[][3] = { { 0.3, 0.3, 0.3 },
                                     { 0, 0, 0 },
                                     { -1e308, 1e308, 1.7e308 },
                                     { 5e-324, 1e-320, 1e-310 },
                                     { 1e17, 1e17 + 16, 1e17 + 32 },
                                     { 1e-300, 1, 1e300 },
                                     { -1e17, -1e17, -1e17 },
                                     { 1000000.1, 1000000.2, 1000000.3 },
                                     { 1e-9, 0.1, 1 } };
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct head *head = head_new(numbers);
        char name[32];
        for (uint32_t k = 0; k < 3; k++) {
            add_drawn(head, k);
            head->trials[k].value = head->points[k][0] = odd[i][k];
        }
        snprintf(name, sizeof(name), "odd_%zu", i);
        check_plots(head, name);
    }
}

static void plots_of_many_options(void **state)
{
    (void)state;
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "command: train\ntrials: 9\nspace:\n  only: {choice: [one]}\n"
                                "  many: {choice: [");
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "a_long_name_of_an_option_%d, ", i);
    }
    snprintf(text + n, sizeof(text) - n, "z]}\n");
    struct head *head = head_new(text);
    for (uint32_t i = 0; i < 30; i++) {
        add(head, "{}", "", 1.0 / (i + 1));
        head->points[i][0] = 0;
        head->points[i][1] = (i * 37) % 101;
    }
    check_plots(head, "options");
}

/* --- which checkpoints stay ------------------------------------------------------------------- */

struct folders {
    char dir[64];
    struct study_spec spec;
    struct study_trial trial;
    char params[16];
    struct keeper *keeper;
    uint64_t ids;
    const char *used;
};

static void folders_open(struct folders *self, uint32_t keep, bool best)
{
    *self = (struct folders){ .spec = { .metric = "loss" }, .params = "{\"x\": 1}" };
    self->spec.checkpoint_keep = keep;
    self->spec.checkpoint_best = best;
    self->trial.params = self->params;
    self->trial.base.number = 3;
    self->trial.value = NAN;
    folder_new(self->dir);
    self->keeper = keeper_new(&self->spec, self->dir, "s");
}

static void folders_close(struct folders *self)
{
    keeper_destroy(&self->keeper);
    folder_remove(self->dir);
}

static char *path_of(const struct folders *self, const char *name)
{
    static char paths[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(paths[i], sizeof(paths[i]), "%s/%s", self->dir, name);
    return paths[i];
}

static void make_checkpoint(const struct folders *self, const char *name)
{
    char *path = path_of(self, name);
    assert_int_equal(file_make_dir(path, 0777), OK);
    char file[300];
    snprintf(file, sizeof(file), "%s/weights", path);
    assert_int_equal(file_write(file, "w", 1, 0666), OK);
}

static void tell(struct folders *self, const char *name, double value)
{
    struct rec_report report = { .id = ++self->ids,
                                 .task = 1,
                                 .attempt = 1,
                                 .number = (uint32_t)self->ids,
                                 .step = (double)self->ids,
                                 .value = value,
                                 .at_ms = 1000 * self->ids,
                                 .metrics = slice_text("{\"loss\": 1}"),
                                 .checkpoint = slice_text(name ? path_of(self, name) : NULL) };
    keeper_report(self->keeper, &self->trial, &report);
}

static bool is_used(void *context, const char *path)
{
    const struct folders *self = context;
    return self->used && strcmp(path, path_of(self, self->used)) == 0;
}

static bool is_there(const struct folders *self, const char *name)
{
    struct stat status;
    return lstat(path_of(self, name), &status) == 0;
}

#define C(n) "s/trial_00003/checkpoint_00000" #n

static void the_newest_stays(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    make_checkpoint(&world, C(1));
    make_checkpoint(&world, C(2));
    make_checkpoint(&world, C(3));
    tell(&world, C(1), 1);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(1)));
    tell(&world, C(2), 2);
    tell(&world, NULL, 2);
    tell(&world, C(3), 3);
    keeper_sweep(world.keeper, is_used, &world);
    assert_false(is_there(&world, C(1)) || is_there(&world, C(2)));
    assert_true(is_there(&world, C(3) "/weights"));
    make_checkpoint(&world, C(4)); /* left at a pause; then an attempt writes 3 again */
    keeper_checkpoint(world.keeper, &world.trial, path_of(&world, C(4)));
    tell(&world, C(3), 3);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(3)));
    assert_false(is_there(&world, C(4)));
    folders_close(&world);
}

static void the_best_stays_too(void **state)
{
    (void)state;
    for (int maximize = 0; maximize < 2; maximize++) {
        struct folders world;
        folders_open(&world, 2, true);
        world.spec.maximize = maximize;
        static const double values[] = { 5, 1, NAN, 9, 6, 7 };
        static const char *const names[] = { C(1), C(2), C(3), C(4), C(5), C(6) };
        for (size_t i = 0; i < COUNT(names); i++) {
            make_checkpoint(&world, names[i]);
            tell(&world, names[i], values[i]);
            keeper_sweep(world.keeper, is_used, &world);
        }
        assert_true(is_there(&world, C(5)) && is_there(&world, C(6)));
        assert_true(is_there(&world, maximize ? C(4) : C(2)));
        assert_false(is_there(&world, maximize ? C(2) : C(4)));
        assert_false(is_there(&world, C(1)) || is_there(&world, C(3)));
        folders_close(&world);
    }
}

static void one_in_use_goes_later(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    make_checkpoint(&world, C(1));
    make_checkpoint(&world, C(2));
    world.used = C(1);
    tell(&world, C(1), 1);
    tell(&world, C(2), 1);
    keeper_sweep(world.keeper, is_used, &world);
    assert_true(is_there(&world, C(1)));
    world.used = NULL;
    keeper_sweep(world.keeper, is_used, &world);
    assert_false(is_there(&world, C(1)));
    assert_true(is_there(&world, C(2)));
    folders_close(&world);
}

static void what_is_not_ours_stays(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    static const char *const others[] = {
        "checkpoint_000001",                  /* outside of the study */
        "s/checkpoint_000001",                /* of no trial */
        "s/trial_00004/checkpoint_000001",    /* of another one */
        "s/trial_00003/weights",              /* no checkpoint */
        "s/trial_00003/checkpoint_1/deep",    /* within one */
        "t/trial_00003/checkpoint_000001",    /* of another study */
        "s/trial_00003/../../checkpoint_back" /* outside, from inside */
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        make_checkpoint(&world, others[i]);
        tell(&world, others[i], 1);
    }
    assert_int_equal(symlink(path_of(&world, "t/trial_00003/checkpoint_000001"),
                             path_of(&world, C(8))),
                     0);
    tell(&world, C(8), 1);
    tell(&world, "gone/checkpoint_000001", 1);
    make_checkpoint(&world, C(9));
    tell(&world, C(9), 1);
    keeper_sweep(world.keeper, is_used, &world);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_true(is_there(&world, others[i]));
    }
    assert_true(is_there(&world, "t/trial_00003/checkpoint_000001/weights"));
    assert_false(is_there(&world, C(8))); /* the link itself is ours */
    folders_close(&world);
}

static void a_resumed_study_goes_on_with_its_files(void **state)
{
    (void)state;
    struct folders world;
    folders_open(&world, 1, false);
    world.spec.log_json = world.spec.log_csv = true;
    for (int i = 0; i < 3; i++) {
        tell(&world, NULL, 1);
    }
    keeper_destroy(&world.keeper); /* the driver is killed: a line is not written, one is cut */
    char *path = path_of(&world, "s/trial_00003/result.json");
    assert_int_equal(truncate(path, (off_t)strlen(content(world.dir, "s/trial_00003/result.json")) - 9), 0);
    assert_int_equal(file_write(path_of(&world, "s/trial_00003/params.json"), "own", 3, 0666), OK);
    world.keeper = keeper_new(&world.spec, world.dir, "s");
    world.ids = 0;
    for (int i = 0; i < 5; i++) { /* four of them read back */
        tell(&world, NULL, 1);
    }
    const char *text = content(world.dir, "s/trial_00003/result.json");
    assert_int_equal(lines_in(text), 5);
    for (int i = 0; i < 5; i++) {
        json_t *line = line_of(text, i);
        assert_int_equal(json_integer_value(json_object_get(line, "training_iteration")), i + 1);
        json_decref(line);
    }
    text = content(world.dir, "s/trial_00003/progress.csv");
    assert_int_equal(lines_in(text), 6);
    assert_int_equal(strncmp(text, "loss,timestamp,", 15), 0);
    assert_string_equal(content(world.dir, "s/trial_00003/params.json"), "own");
    keeper_destroy(&world.keeper);
    world.keeper = keeper_new(&world.spec, world.dir, "s");
    world.trial.base.ended = 1; /* all of it is there already */
    tell(&world, NULL, 1);
    assert_int_equal(lines_in(content(world.dir, "s/trial_00003/result.json")), 5);
    folders_close(&world);
}

/* --- what a trial is given -------------------------------------------------------------------- */

static void a_trial_is_given_json(void **state)
{
    (void)state;
    static const char hostile[] = "q\" b\\ n\n t\t e\x1b c\xc3\xa9 [x]";
    struct study_spec *spec;
    struct spec_error error;
    const char *words[] = { hostile, "{params_file}", "{x}", NULL };
    struct spec_source source = { .path = "search.yaml",
                                  .text = slice_text(plain),
                                  .dir = hostile,
                                  .command = (char *const *)(uintptr_t)words };
    if (spec_read(&spec, &source, &error) != OK) {
        fail_msg("%s: %s", error.field, error.text);
    }
    const char *env[] = { hostile, NULL };
    struct trial_common common = { hostile, hostile, env, UINT64_MAX };
    double x[] = { 0.1, 1, NAN };
    struct study_trial trial = { .base = { .number = 7, .x = x }, .run = 2, .params = NULL };
    trial.params = (char[]){ "{\"x\": 0.1}" };
    char *start = trial_text_common(spec, &common), *dir = trial_dir(&common, 7);
    for (int with = 0; with < 2; with++) {
        char *text = trial_text(spec, start, dir, &trial, with ? hostile : NULL);
        json_t *all = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(all);
        assert_string_equal(json_string_value(json_object_get(all, "study")), hostile);
        assert_string_equal(json_string_value(json_object_get(all, "cwd")), hostile);
        assert_string_equal(json_string_value(json_object_get(all, "dir")), dir);
        assert_string_equal(json_string_value(json_object_get(all, "checkpoint")),
                            with ? hostile : "");
        const json_t *argv = json_object_get(all, "argv");
        assert_int_equal(json_array_size(argv), 3);
        assert_string_equal(json_string_value(json_array_get(argv, 2)), "0.1");
        assert_string_equal(
            json_string_value(json_array_get(json_object_get(all, "env"), 0)), hostile);
        assert_true(json_number_value(json_object_get(json_object_get(all, "params"), "x")) == 0.1);
        json_decref(all);
        free(text);
    }
    free(start);
    free(dir);
    spec_close(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_become_rows),
        cmocka_unit_test(what_the_head_says_wrongly),
        cmocka_unit_test(settings_come_back),
        cmocka_unit_test(json_has_best_and_all),
        cmocka_unit_test(csv_in_order_of_completion),
        cmocka_unit_test(rays_files),
        cmocka_unit_test(plots_of_many),
        cmocka_unit_test(plots_of_odd_values),
        cmocka_unit_test(plots_of_many_options),
        cmocka_unit_test(the_newest_stays),
        cmocka_unit_test(the_best_stays_too),
        cmocka_unit_test(one_in_use_goes_later),
        cmocka_unit_test(what_is_not_ours_stays),
        cmocka_unit_test(a_resumed_study_goes_on_with_its_files),
        cmocka_unit_test(a_trial_is_given_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
