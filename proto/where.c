/*  where.c - reading strategies, labels and selectors. */
#include "proto/where.h"

#include "common/text.h"

struct term {                 /* one line of a selector */
    struct slice key, values; /* values: with | between them */
    bool negated;
};

/*  "label 'x y': ..." */
static bool fault(struct diag *why, const char *what, struct slice text, const char *rule)
{
    struct text to = text_in(why->text, sizeof(why->text));
    enum { SHOWN = 48 };
    text_add(&to, what);
    text_add(&to, " '");
    text_slice(&to, slice_of(text.p, text.n < SHOWN ? text.n : SHOWN));
    text_add(&to, text.n < SHOWN ? "' " : "...' ");
    text_add(&to, rule);
    return false;
}

bool line_next(struct slice *text, struct slice *line)
{
    if (text->n == 0) {
        return false;
    }
    size_t n = 0;
    while (n < text->n && text->p[n] != '\n') {
        n++;
    }
    *line = slice_of(text->p, n);
    size_t taken = n < text->n ? n + 1 : n;
    *text = slice_of(text->p + taken, text->n - taken);
    return true;
}

static bool starts(struct slice text, const char *with)
{
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

static struct slice after(struct slice text, size_t n)
{
    return slice_of(text.p + n, text.n - n);
}

/* --- strategies --------------------------------------------------------------------------------- */

static bool number_read(struct slice text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *out > (UINT64_MAX - 9) / 10) {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text.p[i] - '0');
    }
    return *out > 0;
}

bool strategy_read(struct slice text, struct strategy *out, struct diag *why)
{
    *out = (struct strategy){ 0 };
    if (text.n == 0 || slice_same(text, slice_text("DEFAULT"))) {
        return true;
    }
    if (slice_same(text, slice_text("SPREAD"))) {
        out->kind = STRATEGY_SPREAD;
        return true;
    }
    if (starts(text, "node:")) {
        struct slice node = after(text, strlen("node:"));
        size_t soft = strlen(":soft");
        out->soft = node.n > soft && starts(after(node, node.n - soft), ":soft");
        node.n -= out->soft ? soft : 0;
        out->kind = STRATEGY_NODE;
        if (number_read(node, &out->node)) {
            return true;
        }
    }
    return fault(
        why, "strategy", text,
        "must be DEFAULT, SPREAD, node:NODE or node:NODE:soft (NODE: a number of 'rayc node "
        "list')");
}

bool priority_check(int64_t priority, struct diag *why)
{
    if (priority >= -PRIORITY_MAX && priority <= PRIORITY_MAX) {
        return true;
    }
    char digits[24];
    struct text number = text_in(digits, sizeof(digits));
    text_add(&number, priority < 0 ? "-" : "");
    text_u64(&number, priority < 0 ? 0 - (uint64_t)priority : (uint64_t)priority);
    return fault(why, "priority", slice_text(digits), "must be from -100 to 100");
}

/* --- labels ------------------------------------------------------------------------------------- */

static bool in_key(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
}

/*  Keys and values: letters, digits and -_./ ; a value may be empty. */
static bool part_valid(struct slice part, bool may_be_empty)
{
    for (size_t i = 0; i < part.n; i++) {
        if (!in_key(part.p[i])) {
            return false;
        }
    }
    return part.n <= LABEL_PART_MAX && (part.n > 0 || may_be_empty);
}

/*  Splits at the first '='; false: there is none. */
static bool label_split(struct slice line, struct slice *key, struct slice *value)
{
    size_t n = 0;
    while (n < line.n && line.p[n] != '=') {
        n++;
    }
    if (n == line.n) {
        return false;
    }
    *key = slice_of(line.p, n);
    *value = after(line, n + 1);
    return true;
}

static bool label_find(struct slice labels, struct slice key, struct slice *value)
{
    struct slice line, its;
    while (line_next(&labels, &line)) {
        if (label_split(line, &its, value) && slice_same(its, key)) {
            return true;
        }
    }
    return false;
}

bool labels_check(struct slice labels, struct diag *why)
{
    if (labels.n > LABELS_MAX) {
        return fault(why, "labels", labels, "are longer than 1024 bytes together");
    }
    struct slice rest = labels, line, key, value, other;
    while (line_next(&rest, &line)) {
        if (!label_split(line, &key, &value) || !part_valid(key, false) ||
            !part_valid(value, true)) {
            return fault(why, "label", line,
                         "must be KEY=VALUE, of letters, digits and -_./, at most 128 each");
        }
        if (label_find(rest, key, &other)) {
            return fault(why, "label", key, "is given twice");
        }
    }
    return true;
}

/* --- selectors ---------------------------------------------------------------------------------- */

/*  "(A|B)" */
static bool values_split(struct slice text, struct slice *values)
{
    if (text.n < 2 || text.p[0] != '(' || text.p[text.n - 1] != ')') {
        return false;
    }
    *values = slice_of(text.p + 1, text.n - 2);
    return true;
}

static bool term_read(struct slice line, struct term *out)
{
    size_t n = 0;
    while (n < line.n && in_key(line.p[n])) {
        n++;
    }
    *out = (struct term){ .key = slice_of(line.p, n) };
    struct slice rest = after(line, n);
    if (starts(rest, "=")) {
        out->values = after(rest, 1);
        return true;
    }
    if (starts(rest, "!=")) {
        out->values = after(rest, 2);
        out->negated = true;
        return true;
    }
    if (starts(rest, " in ")) {
        return values_split(after(rest, 4), &out->values);
    }
    out->negated = true;
    return starts(rest, " not in ") && values_split(after(rest, 8), &out->values);
}

static bool value_next(struct slice *values, struct slice *value, bool *end)
{
    if (*end) {
        return false;
    }
    size_t n = 0;
    while (n < values->n && values->p[n] != '|') {
        n++;
    }
    *value = slice_of(values->p, n);
    *end = n == values->n;
    *values = *end ? slice_of(values->p + n, 0) : after(*values, n + 1);
    return true;
}

static bool term_valid(const struct term *term)
{
    struct slice values = term->values, value;
    bool end = false, valid = part_valid(term->key, false);
    while (valid && value_next(&values, &value, &end)) {
        valid = part_valid(value, true);
    }
    return valid;
}

bool selector_check(struct slice selector, struct diag *why)
{
    if (selector.n > SELECTOR_MAX) {
        return fault(why, "labels", selector, "are longer than 512 bytes together");
    }
    struct slice rest = selector, line;
    struct term term;
    while (line_next(&rest, &line)) {
        if (!term_read(line, &term) || !term_valid(&term)) {
            return fault(why, "label", line,
                         "must be KEY=VALUE, KEY!=VALUE, KEY in (A|B) or KEY not in (A|B)");
        }
    }
    return true;
}

static bool term_holds(const struct term *term, struct slice labels)
{
    struct slice has, values = term->values, value;
    bool end = false, found = false;
    if (label_find(labels, term->key, &has)) {
        while (!found && value_next(&values, &value, &end)) {
            found = slice_same(value, has);
        }
    }
    return found != term->negated;
}

bool selector_holds(struct slice selector, struct slice labels)
{
    struct slice line;
    struct term term;
    bool holds = true;
    while (holds && line_next(&selector, &line)) {
        holds = term_read(line, &term) && term_holds(&term, labels);
    }
    return holds;
}
