/*  tune_scenario_stop.h - words of a line, and the lines about stoppers of a golden file:

        rule val_loss > 10                  or `rule plateau val_loss 5 0.001`
        stopper goal=0.9 maximize no_improvement=3 trials=10 budget=60000
        metrics 0 value=0.5 val_loss=11     -> STOP val_loss > 10: val_loss is 11 | GO_ON
        over 0 value=0.5 failed             the trial has ended
        study made=3 spent=100              -> none | wait: TEXT | now: TEXT */
#ifndef RAYC_TESTS_TUNE_SCENARIO_STOP_H
#define RAYC_TESTS_TUNE_SCENARIO_STOP_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/tune/stop.h"

struct words {
    char text[1024];
    const char *at[64];
    uint32_t count;
};

static char *text_trim(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]); n--) {
        text[n - 1] = 0;
    }
    return text;
}

static void words_split(struct words *self, const char *line)
{
    self->count = 0;
    (void)snprintf(self->text, sizeof(self->text), "%s", line);
    char *rest = NULL;
    for (char *word = strtok_r(self->text, " \t", &rest); word;
         word = strtok_r(NULL, " \t", &rest)) {
        ensure(self->count < COUNT(self->at));
        self->at[self->count++] = word;
    }
}

/*  The text behind NAME=, or `other`. */
static const char *words_text(const struct words *self, const char *name, const char *other)
{
    size_t n = strlen(name);
    for (uint32_t i = 1; i < self->count; i++) {
        if (strncmp(self->at[i], name, n) == 0 && self->at[i][n] == '=') {
            return self->at[i] + n + 1;
        }
    }
    return other;
}

static double words_number(const struct words *self, const char *name, double other)
{
    const char *text = words_text(self, name, NULL);
    return text ? strtod(text, NULL) : other;
}

static bool words_has(const struct words *self, const char *word)
{
    for (uint32_t i = 1; i < self->count; i++) {
        if (strcmp(self->at[i], word) == 0) {
            return true;
        }
    }
    return false;
}

struct stop_scenario {
    struct stop_rule rules[8];
    char texts[8][128], metrics[8][32];
    uint32_t rule_count;
    struct stopper *stopper;
};

static void stop_scenario_rule(struct stop_scenario *self, struct words *words, const char *line)
{
    static const char *const operators[] = { "<", "<=", ">", ">=", "==" };
    ensure(self->rule_count < COUNT(self->rules) && words->count >= 4);
    uint32_t i = self->rule_count++;
    struct stop_rule *rule = &self->rules[i];
    *rule = (struct stop_rule){ .kind = STOP_COMPARE };
    (void)snprintf(self->texts[i], sizeof(self->texts[i]), "%s", line + strlen("rule "));
    rule->text = self->texts[i];
    bool plateau = strcmp(words->at[1], "plateau") == 0;
    (void)snprintf(self->metrics[i], sizeof(self->metrics[i]), "%s", words->at[plateau ? 2 : 1]);
    rule->metric = self->metrics[i];
    if (plateau) {
        ensure(words->count == 5);
        rule->kind = STOP_PLATEAU;
        rule->count = (uint32_t)strtoul(words->at[3], NULL, 10);
        rule->number = strtod(words->at[4], NULL);
        return;
    }
    for (uint32_t k = 0; k < COUNT(operators); k++) {
        if (strcmp(words->at[2], operators[k]) == 0) {
            rule->operator= LESS + k;
        }
    }
    rule->number = strtod(words->at[3], NULL);
}

static double stop_scenario_find(const void *context, const char *metric)
{
    return words_number(context, metric, NAN);
}

/*  False: it is no line about stoppers. */
static bool stop_scenario_do(struct stop_scenario *self, struct words *words, const char *line,
                             char *out, size_t capacity)
{
    const char *verb = words->at[0];
    uint32_t trial = words->count > 1 ? (uint32_t)strtoul(words->at[1], NULL, 10) : 0;
    if (strcmp(verb, "rule") == 0) {
        stop_scenario_rule(self, words, line);
    } else if (strcmp(verb, "stopper") == 0) {
        stopper_destroy(&self->stopper);
        struct stop_options options = {
            .rules = self->rules,
            .rule_count = self->rule_count,
            .maximize = words_has(words, "maximize"),
            .has_goal = words_text(words, "goal", NULL) != NULL,
            .goal = words_number(words, "goal", 0),
            .no_improvement = (uint32_t)words_number(words, "no_improvement", 0),
            .trials_max = (uint32_t)words_number(words, "trials", 0),
            .time_budget_ms = (uint64_t)words_number(words, "budget", 0),
        };
        self->stopper = stopper_new(&options);
    } else if (strcmp(verb, "metrics") == 0) {
        struct stop_metrics metrics = { stop_scenario_find, words };
        double value = words_number(words, "value", NAN);
        const char *why = stopper_reported(self->stopper, trial, value, &metrics);
        (void)snprintf(out, capacity, "%s%s", why ? "STOP " : "GO_ON", why ? why : "");
    } else if (strcmp(verb, "over") == 0) {
        stopper_ended(self->stopper, trial, words_number(words, "value", NAN),
                      words_has(words, "failed"));
    } else if (strcmp(verb, "study") == 0) {
        bool at_once = false;
        const char *why = stopper_study(self->stopper, (uint32_t)words_number(words, "made", 0),
                                        (uint64_t)words_number(words, "spent", 0), &at_once);
        (void)snprintf(out, capacity, "%s%s",
                       !why      ? "none"
                       : at_once ? "now: "
                                 : "wait: ",
                       why ? why : "");
    } else {
        return false;
    }
    return true;
}
#endif
