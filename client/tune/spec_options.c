/*  spec_options.c - keys that are more than one scalar: metric, search, scheduler, resources, env, loggers. */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/metrics.h"
#include "client/tune/spec_options.h"
#include "common/text.h"
#include "proto/where.h"

enum { STUDY_NAME_MAX = 100 };

static bool one_of(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* --- what the study is ------------------------------------------------------------------------ */

int version_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    double version = 0;
    int code = read_integer(self, node, field, 1, 1e9, &version);
    return code == OK && version != 1
               ? spec_refuse(self, node, field, "must be 1: this rayc reads no newer files")
               : code;
}

int study_name_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    int code = read_text(self, node, field, &self->spec->name);
    const char *name = code == OK ? self->spec->name : "";
    if (strlen(name) > STUDY_NAME_MAX) {
        return spec_refuse(self, node, field, "may have %d bytes", STUDY_NAME_MAX);
    }
    bool good = *name != '.' && *name != '-';
    for (const char *at = name; *at && good; at++) {
        good = isalnum((unsigned char)*at) || strchr("._-", *at);
    }
    return good ? code
                : spec_refuse(self, node, field,
                              "must be letters, digits, . _ and -, and begin with a letter, a "
                              "digit or _: folders are named after it");
}

int mode_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    const char *text = NULL;
    if (node->kind == NODE_LIST) {
        return spec_refuse(self, node, field, "a list (several objectives) is not due yet");
    }
    int code = read_text(self, node, field, &text);
    if (code != OK) {
        return code;
    }
    self->mode_given = true;
    self->spec->maximize = text[0] == 'm' && text[1] == 'a';
    static const char *const modes[] = { "min", "max", "minimize", "maximize" };
    return one_of(text, modes, COUNT(modes))
               ? OK
               : spec_refuse(self, node, field, "must be min or max, not \"%.40s\"", text);
}

int goal_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    self->spec->has_goal = true;
    return read_number(self, node, field, -1e308, 1e308, &self->spec->goal);
}

/*  loss; W&B's {name: loss, goal: minimize, target: 0.1}. */
int metric_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    if (node->kind == NODE_LIST) {
        return spec_refuse(self, node, field, "a list (several objectives) is not due yet");
    }
    if (node->kind == NODE_SCALAR) {
        int code = read_text(self, node, field, &self->spec->metric);
        return code != OK || metric_name_ok(slice_text(self->spec->metric))
                   ? code
                   : spec_refuse(self, node, field,
                                 "cannot be reported: a metric's name has letters, digits, "
                                 "_ - . / : ( ) @ %% and at most %d bytes",
                                 METRIC_NAME_MAX);
    }
    int code = OK;
    for (uint32_t i = 0; i < node->count && code == OK; i++) {
        const char *key = node->keys[i]->text;
        const char *place = field_join(self, field, key);
        const struct yaml_node *item = node->items[i];
        if (strcmp(key, "name") == 0) {
            code = item->kind == NODE_MAP
                       ? spec_refuse(self, item, place, "must be a text, not a map")
                       : metric_read(self, item, place);
        } else if (strcmp(key, "goal") == 0) {
            code = mode_read(self, item, place);
        } else if (strcmp(key, "target") == 0) {
            code = goal_read(self, item, place);
        } else {
            code = spec_refuse(self, node->keys[i], field,
                               "unknown key \"%.40s\": it has name, goal and target", key);
        }
    }
    return code;
}

static int regex_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    regex_t compiled;
    int code = read_text(self, node, field, &self->spec->stdout_regex);
    if (code != OK) {
        return code;
    }
    int failed = regcomp(&compiled, self->spec->stdout_regex, REG_EXTENDED);
    if (failed) {
        char why[100];
        (void)regerror(failed, NULL, why, sizeof(why));
        return spec_refuse(self, node, field, "is not a POSIX extended expression: %s", why);
    }
    size_t groups = compiled.re_nsub;
    regfree(&compiled);
    return groups >= 2
               ? OK
               : spec_refuse(self, node, field,
                             "needs two groups: (name) and (value), like ([a-z]+)=([0-9.]+)");
}

/*  stdout; {from: stdout, regex: "(name)=(value)"}; {from: report}. */
int metrics_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    const struct yaml_node *from = node->kind == NODE_MAP ? yaml_find(node, "from") : node;
    const struct yaml_node *regex = node->kind == NODE_MAP ? yaml_find(node, "regex") : NULL;
    const char *text = "stdout";
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->count; i++) {
        if (node->items[i] != from && node->items[i] != regex) {
            return spec_refuse(self, node->keys[i], field,
                               "unknown key \"%.40s\": it has from and regex", node->keys[i]->text);
        }
    }
    int code = from ? read_text(self, from, field_join(self, field, "from"), &text) : OK;
    bool lines = strcmp(text, "stdout") == 0;
    if (code == OK && !lines && strcmp(text, "report") != 0) {
        return spec_refuse(self, from, field, "must be from stdout or report, not \"%.40s\"", text);
    }
    if (code == OK && regex) {
        return lines ? regex_read(self, regex, field_join(self, field, "regex"))
                     : spec_refuse(self, regex, field, "a regex is for stdout only");
    }
    self->spec->stdout_lines = lines;
    return code;
}

int num_samples_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    double number = 0;
    int code = read_integer(self, node, field, 1, 1e9, &number);
    self->num_samples = code == OK ? (uint32_t)number : 0;
    return code;
}

int seed_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    bool digits = node->kind == NODE_SCALAR && *node->text &&
                  node->text[strspn(node->text, "0123456789")] == 0;
    char *end = NULL;
    errno = 0;
    self->spec->seed = digits ? strtoull(node->text, &end, 10) : 0;
    self->spec->has_seed = true;
    return digits && errno == 0 ? OK
                                : spec_refuse(self, node, field,
                                              "must be an integer from 0 to 18446744073709551615");
}

/* --- search and scheduler --------------------------------------------------------------------- */

int algo_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    static const char *const later[] = { "gp", "bohb", "nsga2" };
    struct near near;
    const char *name = NULL;
    int code = read_text(self, node, field, &name);
    if (code != OK) {
        return code;
    }
    if (one_of(name, later, COUNT(later))) {
        return spec_refuse(self, node, field, "the search %s is not due yet; take tpe", name);
    }
    self->search_wanted = self->spec->search.algo = name;
    const struct search_algorithm *algorithm = search_find(name);
    if (algorithm) {
        self->spec->search.algo = algorithm->name;
        return OK;
    }
    near_begin(&near, name);
    char all[300];
    struct text list = text_in(all, sizeof(all));
    for (uint32_t i = 0; search_at(i); i++) {
        near_offer(&near, search_at(i)->name);
        text_add(&list, i > 0 ? ", " : "");
        text_add(&list, search_at(i)->name);
    }
    return near_found(&near) ? spec_unknown(self, node, field, "search", &near)
                             : spec_refuse(self, node, field,
                                           "unknown search \"%.40s\": there are %s", name, all);
}

int search_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return node->kind == NODE_SCALAR ? algo_read(self, node, field)
                                     : read_section(self, SECTION_search, node, field);
}

int search_command_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    if (node->kind != NODE_LIST || node->count == 0) {
        return spec_refuse(self, node, field, "must be a list of words: [python3, ask.py]");
    }
    const char **words = arena_take(self->arena, (node->count + 1) * sizeof(*words));
    for (uint32_t i = 0; i < node->count; i++) {
        int code = read_text(self, node->items[i], field_item(self, field, i), &words[i]);
        if (code != OK) {
            return code;
        }
    }
    self->spec->search.command = words;
    return OK;
}

/*  Ray's class names for them. */
static const char *scheduler_ours(const char *name)
{
    static const char *const others[][2] = {
        { "async_hyperband", "asha" },         { "asynchyperband", "asha" },
        { "AsyncHyperBandScheduler", "asha" }, { "ASHAScheduler", "asha" },
        { "HyperBandScheduler", "hyperband" }, { "medianstopping", "median" },
        { "median_stopping_rule", "median" },  { "MedianStoppingRule", "median" },
        { "PopulationBasedTraining", "pbt" },  { "FIFOScheduler", "fifo" }
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        if (strcmp(others[i][0], name) == 0) {
            return others[i][1];
        }
    }
    return name;
}

int type_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    struct near near;
    const char *name = NULL;
    int code = read_text(self, node, field, &name);
    if (code != OK) {
        return code;
    }
    if (strcmp(name, "pb2") == 0) {
        return spec_refuse(self, node, field, "the scheduler pb2 is not due yet; take pbt");
    }
    const struct scheduler_type *type = scheduler_find(scheduler_ours(name));
    if (type) {
        self->spec->scheduler.type = type->name;
        return OK;
    }
    near_begin(&near, name);
    char all[300];
    struct text list = text_in(all, sizeof(all));
    for (uint32_t i = 0; scheduler_at(i); i++) {
        near_offer(&near, scheduler_at(i)->name);
        text_add(&list, i > 0 ? ", " : "");
        text_add(&list, scheduler_at(i)->name);
    }
    return near_found(&near) ? spec_unknown(self, node, field, "scheduler", &near)
                             : spec_refuse(self, node, field,
                                           "unknown scheduler \"%.40s\": there are %s", name, all);
}

int scheduler_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    const struct yaml_node *type = node->kind == NODE_MAP ? yaml_find(node, "type") : node;
    if (!type) {
        return spec_refuse(self, node, field, "needs a type: fifo, asha, hyperband, median, pbt");
    }
    int code = type_read(self, type, node == type ? field : field_join(self, field, "type"));
    if (code != OK) {
        return code;
    }
    struct scheduler_options *options = &self->spec->scheduler;
    *options = scheduler_defaults(options->type);
    if (node->kind == NODE_MAP) {
        code = read_section(self, SECTION_scheduler, node, field);
    }
    if (code == OK && options->max > 0 && options->min > options->max) {
        return spec_refuse(self, node, field, "min %g is above max %g", options->min, options->max);
    }
    return code;
}

int variant_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    static const char *const variants[] = { "promote", "stop" };
    const char *text = NULL;
    int code = read_text(self, node, field, &text);
    if (code != OK) {
        return code;
    }
    self->spec->scheduler.promote = strcmp(text, "promote") == 0;
    return one_of(text, variants, COUNT(variants))
               ? OK
               : spec_refuse(self, node, field, "must be promote or stop, not \"%.40s\"", text);
}

/*  Ray's: of ASHA the first rung, of the median rule the time before which nothing is stopped. */
int grace_period_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    struct scheduler_options *options = &self->spec->scheduler;
    int code = read_number(self, node, field, 1e-9, 1e15, &options->grace);
    options->min = options->grace;
    return code;
}

int factors_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    struct scheduler_options *options = &self->spec->scheduler;
    if (node->kind != NODE_LIST || node->count != 2) {
        return spec_refuse(self, node, field, "must be two numbers: [1.2, 0.8]");
    }
    double factors[2] = { 0 };
    int code =
        read_number(self, node->items[0], field_item(self, field, 0), 1e-9, 1e9, &factors[0]);
    if (code == OK) {
        code =
            read_number(self, node->items[1], field_item(self, field, 1), 1e-9, 1e9, &factors[1]);
    }
    bool up = factors[0] > factors[1];
    options->factor_up = factors[up ? 0 : 1];
    options->factor_down = factors[up ? 1 : 0];
    return code;
}

/* --- what a trial gets ------------------------------------------------------------------------ */

int resources_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_section(self, SECTION_resources, node, field);
}

int resource_other_read(struct reader *self, const struct yaml_node *key,
                        const struct yaml_node *node, const char *field)
{
    double amount = 0;
    char number[40];
    char all[1000];
    for (const char *at = key->text; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("_-.", *at)) {
            return spec_refuse(self, key, field, "\"%.40s\" cannot be a resource's name",
                               key->text);
        }
    }
    int code = read_number(self, node, field, 0, 1e6, &amount);
    if (code != OK) {
        return code;
    }
    (void)number_print(amount, number, sizeof(number));
    const char *before = self->spec->resources;
    int n = snprintf(all, sizeof(all), "%s%s%s=%s", before ? before : "", before ? "," : "",
                     key->text, number);
    if (n >= (int)sizeof(all)) {
        return spec_refuse(self, key, field, "too many resources");
    }
    self->spec->resources = arena_text(self->arena, slice_text(all));
    return OK;
}

int where_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    struct strategy strategy;
    struct diag why;
    int code = read_text(self, node, field, &self->spec->strategy);
    return code != OK ? code
           : strategy_read(slice_text(self->spec->strategy), &strategy, &why)
               ? OK
               : spec_refuse(self, node, field, "%s", why.text);
}

/*  One condition more, on a line of its own. */
static int label_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    char all[SELECTOR_MAX + 1];
    struct diag why;
    const char *text = NULL, *before = self->spec->labels;
    int code = read_text(self, node, field, &text);
    if (code != OK) {
        return code;
    }
    int n = snprintf(all, sizeof(all), "%s%s%s", before ? before : "", before ? "\n" : "", text);
    if (n >= (int)sizeof(all)) {
        return spec_refuse(self, node, field, "all labels together are longer than %d bytes",
                           SELECTOR_MAX);
    }
    self->spec->labels = arena_text(self->arena, slice_text(all));
    return selector_check(slice_text(text), &why) ? OK
                                                  : spec_refuse(self, node, field, "%s", why.text);
}

int labels_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_each(self, node, field, label_read);
}

int retry_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_section(self, SECTION_retry, node, field);
}

int checkpoint_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    bool on = true;
    if (node->kind == NODE_SCALAR) {
        int code = read_bool(self, node, field, &on);
        self->spec->has_checkpoint = on;
        return code;
    }
    self->spec->has_checkpoint = true;
    return read_section(self, SECTION_checkpoint, node, field);
}

int best_by_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    const struct yaml_node *metric = spec_node(self, "metric");
    const struct yaml_node *name =
        metric && metric->kind == NODE_MAP ? yaml_find(metric, "name") : metric;
    const char *text = NULL;
    int code = read_text(self, node, field, &text);
    const char *known = name && name->kind == NODE_SCALAR ? name->text : "value";
    if (code == OK && strcmp(text, known) != 0) {
        return spec_refuse(self, node, field, "must be the metric, %.80s: others are not due yet",
                           known);
    }
    self->spec->checkpoint_best = true;
    return code;
}

int on_preempt_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    bool on = false;
    int code = read_bool(self, node, field, &on);
    return code == OK && !on
               ? spec_refuse(self, node, field,
                             "must be true: a trial is always told before it is preempted")
               : code;
}

int env_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    if (node->kind != NODE_MAP) {
        return spec_refuse(self, node, field, "must be a map: {NAME: value}");
    }
    const char **all = arena_take(self->arena, (node->count + 1) * sizeof(*all));
    for (uint32_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text;
        const struct yaml_node *value = node->items[i];
        const char *place = field_join(self, field, name);
        if (*name == 0 || strchr(name, '=') || strncmp(name, "RAYC_", 5) == 0) {
            return spec_refuse(self, node->keys[i], place,
                               strncmp(name, "RAYC_", 5) == 0 ? "names with RAYC_ are rayc's own"
                                                              : "cannot be a variable's name");
        }
        if (value->kind != NODE_SCALAR) {
            return spec_refuse(self, value, place, "must be a text, not %s", yaml_what(value));
        }
        size_t n = strlen(name) + strlen(value->text) + 2;
        char *pair = arena_take(self->arena, n);
        (void)snprintf(pair, n, "%s=%s", name, value->text);
        all[i] = pair;
    }
    self->spec->env = all;
    return OK;
}

static int logger_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    const char *name = NULL;
    int code = read_text(self, node, field, &name);
    if (code != OK) {
        return code;
    }
    static const char *const later[] = { "mlflow", "wandb", "prometheus", "tensorboard", "tbx" };
    for (size_t i = 0; i < COUNT(later); i++) {
        size_t n = strlen(later[i]);
        if (strncmp(name, later[i], n) == 0 && (name[n] == 0 || name[n] == ':')) {
            return spec_refuse(self, node, field,
                               "the logger %s is not due yet; there are json and csv", later[i]);
        }
    }
    self->spec->log_json = self->spec->log_json || strcmp(name, "json") == 0;
    self->spec->log_csv = self->spec->log_csv || strcmp(name, "csv") == 0;
    return strcmp(name, "json") == 0 || strcmp(name, "csv") == 0
               ? OK
               : spec_refuse(self, node, field, "unknown logger \"%.40s\": there are json and csv",
                             name);
}

int loggers_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_each(self, node, field, logger_read);
}
