/*  metrics_doc_test.c - docs/metrics.md has a line for each line of metrics.def, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/exposition.h"

static void every_metric_is_told(void **state)
{
    static char text[1 << 18];
    static const char *const types[] = { "counter", "gauge", "histogram" };
    (void)state;
    FILE *file = fopen(TUNE_FILES "/../../docs/metrics.md", "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    for (int id = 0; id < METRICS; id++) {
        const struct metric_row *row = metric_at((enum metric_id)id);
        char line[1024];
        snprintf(line, sizeof(line), "| `%s%s%s` | %s | %s | %s |\n",
                 strncmp(row->name, "process_", 8) == 0 ? "" : "rayc_", row->name,
                 row->type == FAMILY_COUNTER ? "_total" : "", types[row->type], row->labels,
                 row->help);
        if (!strstr(text, line)) {
            fail_msg("docs/metrics.md lacks: %s", line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_metric_is_told) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
