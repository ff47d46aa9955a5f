/*  report.c - libFuzzer: any bytes as a line that a trial reports; what is read must be written as JSON that reads. */
#include <jansson.h>
#include <stdlib.h>
#include "client/report_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char json[METRICS_MAX + 1];
    struct report_line line;
    struct diag why;
    if (report_line_read(&line, slice_of(data, size), &why) == OK) {
        if (metrics_json(line.metrics, line.count, json, &why) == OK) {
            json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
            ensure(object != NULL && json_object_size(object) == line.count);
            json_decref(object);
        }
        report_line_free(&line);
    }
    if (report_line_scan(&line, slice_of(data, size))) {
        ensure(metrics_check(line.metrics, line.count, &why) == OK);
        report_line_free(&line);
    }
    return 0;
}
