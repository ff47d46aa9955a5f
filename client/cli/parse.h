/*  parse.h - the small languages of option values.  Pure; ERR_INVALID for anything else. */
#ifndef RAYC_CLI_PARSE_H
#define RAYC_CLI_PARSE_H
#include "common/base.h"

/*  "90", "90s", "1.5m", "2h", "250ms": milliseconds, that fit u32. */
MUST_CHECK int time_parse(const char *text, int64_t *out_ms);
/*  "1-1000", the first not above the last. */
MUST_CHECK int array_parse(const char *text, uint64_t *first, uint64_t *last);
/*  "any", or exit statuses from 1 to 255 such as "1,75". */
MUST_CHECK int codes_parse(const char *text, int *codes, size_t capacity, size_t *count, bool *any);
/*  "512", "512M", "2G", "2GiB": bytes. */
MUST_CHECK int bytes_parse(const char *text, uint64_t *out);
#endif
