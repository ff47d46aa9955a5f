/*  parse.c - checked reading of short texts. */
#include "client/cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "common/err.h"

enum { STATUS_MAX = 255 };

int time_parse(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = { { "", 1000 },  { "s", 1000 },   { "ms", 1 },
                  { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 } };
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0)) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcmp(end, units[i].unit) == 0 && value * units[i].ms <= UINT32_MAX) {
            *out_ms = (int64_t)(value * units[i].ms);
            return OK;
        }
    }
    return ERR_INVALID;
}

int array_parse(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0])) {
        return ERR_INVALID;
    }
    *first = strtoull(text, &end, 10);
    if (*end != '-' || !isdigit((unsigned char)end[1])) {
        return ERR_INVALID;
    }
    *last = strtoull(end + 1, &end, 10);
    return *end == 0 && errno == 0 && *first <= *last ? OK : ERR_INVALID;
}

int codes_parse(const char *text, int *codes, size_t capacity, size_t *count, bool *any)
{
    *any = strcmp(text, "any") == 0;
    *count = 0;
    for (const char *p = text; !*any;) {
        char *end;
        long value = strtol(p, &end, 10);
        if (!isdigit((unsigned char)*p) || value < 1 || value > STATUS_MAX || *count == capacity) {
            return ERR_INVALID;
        }
        codes[(*count)++] = (int)value;
        if (*end == 0) {
            return OK;
        }
        if (*end != ',') {
            return ERR_INVALID;
        }
        p = end + 1;
    }
    return OK;
}

int bytes_parse(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0) || !isfinite(value)) {
        return ERR_INVALID;
    }
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        value = ldexp(value, 10 * (int)(unit - units + 1));
        end++;
        end += *end == 'i' && end[1] == 'B' ? 2 : *end == 'B';
    }
    if (*end || value > 0x1p62) {
        return ERR_INVALID;
    }
    *out = (uint64_t)value;
    return OK;
}
