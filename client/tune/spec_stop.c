/*  spec_stop.c - `stop:`: "val_loss > 10" and "plateau(val_loss, 5, 0.001)" of a trial; of the study its keys. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "client/tune/spec_options.h"

enum { STOPS_MAX = 64 };

static const char *skip(const char *at)
{
    return at + strspn(at, " \t");
}

/*  The name at `*at`, moved behind it; NULL: there is none. */
static const char *take_name(struct reader *self, const char **at)
{
    size_t n = 0;
    const char *begin = *at = skip(*at);
    while (isalnum((unsigned char)begin[n]) || (begin[n] && strchr("_./-@", begin[n]))) {
        n++;
    }
    *at = skip(begin + n);
    bool word = isalpha((unsigned char)*begin) || *begin == '_';
    return word ? arena_text(self->arena, slice_of(begin, n)) : NULL;
}

static bool take_number(const char **at, double *out)
{
    char *end = NULL;
    *at = skip(*at);
    *out = strtod(*at, &end);
    bool taken = end != *at && isfinite(*out);
    *at = skip(end);
    return taken;
}

static bool take(const char **at, char c)
{
    *at = skip(*at);
    bool taken = **at == c;
    *at = skip(*at + taken);
    return taken;
}

static bool plateau_read(struct reader *self, const char *at, struct stop_rule *out)
{
    double count = 4; /* Ray's TrialPlateauStopper */
    *out = (struct stop_rule){ .kind = STOP_PLATEAU, .number = 0.01 };
    out->metric = take_name(self, &at);
    bool good = out->metric != NULL;
    if (good && take(&at, ',')) {
        good = take_number(&at, &count);
        if (good && take(&at, ',')) {
            good = take_number(&at, &out->number);
        }
    }
    good = good && take(&at, ')') && *at == 0 && count == trunc(count) && count >= 2 &&
           count <= 1e6 && out->number >= 0;
    out->count = good ? (uint32_t)count : 0;
    return good;
}

static bool compare_read(const char *name, const char *at, struct stop_rule *out)
{
    *out = (struct stop_rule){ .kind = STOP_COMPARE, .metric = name };
    bool equal = *at != 0 && at[1] == '=';
    out->operator= * at == '<' ? (equal ? LESS_EQUAL : LESS)
    : * at == '>'              ? (equal ? MORE_EQUAL : MORE)
                               : EQUAL;
    if (!strchr("<>=", *at) || *at == 0 || (*at == '=' && !equal)) {
        return false;
    }
    at += 1 + equal;
    return take_number(&at, &out->number) && *at == 0;
}

static int rule_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    struct study_spec *spec = self->spec;
    const char *text = NULL;
    int code = read_text(self, node, field, &text);
    if (code != OK) {
        return code;
    }
    if (spec->stop_count == STOPS_MAX) {
        return spec_refuse(self, node, field, "more than %d rules", STOPS_MAX);
    }
    struct stop_rule *rules = arena_take(self->arena, (spec->stop_count + 1) * sizeof(*rules));
    if (spec->stop_count > 0) {
        memcpy(rules, spec->stops, spec->stop_count * sizeof(*rules));
    }
    struct stop_rule *rule = &rules[spec->stop_count];
    const char *at = text;
    const char *name = take_name(self, &at);
    bool call = name && strcmp(name, "plateau") == 0 && take(&at, '(');
    bool good = call ? plateau_read(self, at, rule) : name && compare_read(name, at, rule);
    if (!good) {
        return spec_refuse(
            self, node, field,
            "\"%.80s\" must be like \"val_loss > 10\" or \"plateau(val_loss, 5, 0.001)\"", text);
    }
    rule->text = text;
    spec->stops = rules;
    spec->stop_count++;
    return OK;
}

int stop_trial_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_each(self, node, field, rule_read);
}

int stop_study_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_section(self, SECTION_stop_study, node, field);
}

int stop_read(struct reader *self, const struct yaml_node *node, const char *field)
{
    return read_section(self, SECTION_stop, node, field);
}
