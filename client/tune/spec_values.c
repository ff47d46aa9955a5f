/*  spec_values.c - errors with their place, and scalars of one kind: numbers, durations, bytes. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/spec_inside.h"

int spec_refuse(struct reader *self, const struct yaml_node *node, const char *field,
                const char *format, ...)
{
    struct spec_error *error = self->error;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    bool flag = node && node->line == 0;
    (void)snprintf(error->field, sizeof(error->field), "%s%s", flag ? "--" : "", field);
    error->line = node ? node->line : 0;
    error->column = node ? node->column : 0;
    return ERR_INVALID;
}

int spec_unknown(struct reader *self, const struct yaml_node *node, const char *field,
                 const char *what, const struct near *near)
{
    const char *meant = near_found(near);
    return spec_refuse(self, node, field, "unknown %s \"%.80s\"%s%.80s%s", what, near->typed,
                       meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
}

const char *field_join(struct reader *self, const char *parent, const char *name)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s%s%s", parent, *parent ? "." : "", name);
    return arena_text(self->arena, slice_text(text));
}

const char *field_item(struct reader *self, const char *parent, uint32_t i)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s[%u]", parent, i);
    return arena_text(self->arena, slice_text(text));
}

int read_text(struct reader *self, const struct yaml_node *node, const char *field,
              const char **out)
{
    if (node->kind != NODE_SCALAR || yaml_null(node) || *node->text == 0) {
        return spec_refuse(self, node, field, "must be a text, not %s",
                           *yaml_what(node) == 'a' && node->kind == NODE_SCALAR ? "an empty one"
                                                                                : yaml_what(node));
    }
    *out = node->text;
    return OK;
}

static void range_print(double low, double high, char *out, size_t capacity)
{
    char a[40];
    char b[40];
    (void)number_print(low, a, sizeof(a));
    (void)number_print(high, b, sizeof(b));
    if (high >= UINT32_MAX) {
        (void)snprintf(out, capacity, "at least %s", a);
    } else {
        (void)snprintf(out, capacity, "from %s to %s", a, b);
    }
}

int read_number(struct reader *self, const struct yaml_node *node, const char *field, double low,
                double high, double *out)
{
    if (!yaml_number(node, out, NULL)) {
        const char *quoted = node->kind == NODE_SCALAR && !node->plain ? " (quoted)" : "";
        return spec_refuse(self, node, field, "must be a number, not %s%s", yaml_what(node),
                           quoted);
    }
    if (!isfinite(*out)) {
        return spec_refuse(self, node, field, "must be a finite number, not %.40s", node->text);
    }
    if (*out < low || *out > high) {
        char range[100];
        range_print(low, high, range, sizeof(range));
        return spec_refuse(self, node, field, "must be %s, not %.40s", range, node->text);
    }
    return OK;
}

int read_integer(struct reader *self, const struct yaml_node *node, const char *field, double low,
                 double high, double *out)
{
    int code = read_number(self, node, field, low, high, out);
    if (code == OK && *out != trunc(*out)) {
        return spec_refuse(self, node, field, "must be an integer, not %.40s", node->text);
    }
    return code;
}

int read_bool(struct reader *self, const struct yaml_node *node, const char *field, bool *out)
{
    if (!yaml_bool(node, out)) {
        return spec_refuse(self, node, field, "must be true or false, not %s%s%.40s%s",
                           yaml_what(node), node->kind == NODE_SCALAR ? " (" : "",
                           node->kind == NODE_SCALAR ? node->text : "",
                           node->kind == NODE_SCALAR ? ")" : "");
    }
    return OK;
}

/*  A number and a unit; -1: it is none. */
static double read_units(const struct yaml_node *node, const char *const units[],
                         const double factors[], size_t count)
{
    if (node->kind != NODE_SCALAR || strspn(node->text, "0123456789.") == 0) {
        return -1;
    }
    char *end = NULL;
    double value = strtod(node->text, &end);
    for (size_t i = 0; i < count; i++) {
        if (end != node->text && strcmp(end, units[i]) == 0) {
            return value * factors[i];
        }
    }
    return -1;
}

int read_duration(struct reader *self, const struct yaml_node *node, const char *field,
                  uint64_t *out_ms)
{
    static const char *const units[] = { "", "ms", "s", "m", "h", "d" };
    static const double factors[] = { 1000, 1, 1000, 60e3, 3600e3, 86400e3 };
    double ms = read_units(node, units, factors, COUNT(units));
    if (!(ms >= 0) || ms > 1e14) {
        return spec_refuse(self, node, field,
                           "must be a duration such as 90s, 1.5m, 2h, or a number of seconds");
    }
    *out_ms = (uint64_t)round(ms);
    return OK;
}

int read_bytes(struct reader *self, const struct yaml_node *node, const char *field, uint64_t *out)
{
    static const char *const units[] = { "",  "K",  "Ki",  "KiB", "KB", "M",  "Mi",  "MiB", "MB",
                                         "G", "Gi", "GiB", "GB",  "T",  "Ti", "TiB", "TB" };
    static const double factors[] = { 1,      0x1p10, 0x1p10, 0x1p10, 0x1p10, 0x1p20,
                                      0x1p20, 0x1p20, 0x1p20, 0x1p30, 0x1p30, 0x1p30,
                                      0x1p30, 0x1p40, 0x1p40, 0x1p40, 0x1p40 };
    double bytes = read_units(node, units, factors, COUNT(units));
    if (!(bytes >= 0) || bytes > 0x1p62) {
        return spec_refuse(self, node, field,
                           "must be a number of bytes such as 512M, 2Gi, or 1073741824");
    }
    *out = (uint64_t)bytes;
    return OK;
}

int read_each(struct reader *self, const struct yaml_node *node, const char *field,
              int (*each)(struct reader *self, const struct yaml_node *item, const char *field))
{
    if (node->kind == NODE_SCALAR) {
        return each(self, node, field);
    }
    if (node->kind != NODE_LIST) {
        return spec_refuse(self, node, field, "must be a list, not a map");
    }
    int code = OK;
    for (uint32_t i = 0; i < node->count && code == OK; i++) {
        code = each(self, node->items[i], field_item(self, field, i));
    }
    return code;
}
