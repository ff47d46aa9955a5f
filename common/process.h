/*  process.h - what /proc says of this process, and how it is shown: process_* and component_* of metrics.def.
    And what others may see of it. */
#ifndef RAYC_PROCESS_H
#define RAYC_PROCESS_H
#include "common/exposition.h"

/*  For component_cpu_percentage, between two scrapes; zeroed at first, kept by the caller. */
struct process_before {
    double cpu_seconds;
    uint64_t at_us;
};

/*  `component`: head or worker; `node`: label NodeId, empty: none. */
void process_expose(struct exposition *out, const char *component, struct slice node,
                    struct process_before *before);
/*  Others of the same user may not read this process's memory, environment or descriptors. */
void process_hide(void);
#endif
