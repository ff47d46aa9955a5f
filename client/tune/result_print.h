/*  result_print.h - JSON and CSV with each number in the fewest digits that read back as the same number. */
#ifndef RAYC_TUNE_RESULT_PRINT_H
#define RAYC_TUNE_RESULT_PRINT_H
#include <jansson.h>
#include <stdio.h>
#include "common/base.h"

/*  Bytes that should be JSON; integers beyond 64 bits become doubles.  NULL: they are not, or there are none. */
json_t *json_read(struct slice text);
/*  `indent` 0: on one line, without spaces. */
void json_put(FILE *to, const json_t *value, unsigned indent);

/*  One cell of RFC 4180: quoted if it must be.  Null and NULL are an empty cell. */
void csv_text(FILE *to, const char *text);
void csv_value(FILE *to, const json_t *value, const char *true_text, const char *false_text);
#endif
