/*  machine.h - what /proc says of the whole machine: node_* of metrics.def. */
#ifndef RAYC_MACHINE_H
#define RAYC_MACHINE_H
#include "common/exposition.h"

/*  For node_cpu_utilization, between two scrapes; zeroed at first, kept by the caller. */
struct machine_before {
    uint64_t busy, all; /* ticks */
};

/*  `dir`: on the disk that is told of; `node`: label NodeId. */
void machine_expose(struct exposition *out, const char *dir, struct slice node,
                    struct machine_before *before);
#endif
