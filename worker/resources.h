/*  resources.h - what this machine offers: detected, or as the administrator says. */
#ifndef RAYC_RESOURCES_H
#define RAYC_RESOURCES_H
#include "common/err.h"
#include "worker/core/worker.h"

struct resources_wanted {
    double cpus;           /* below zero: detect */
    int gpus;              /* below zero: detect */
    uint64_t memory_bytes; /* 0: detect */
    const char *custom;    /* "K=V,K=V" or NULL */
};

/*  Fills amounts and gpus of `config`.  ERR_INVALID: `why` names what is wrong. */
MUST_CHECK int resources_find(const struct resources_wanted *wanted, struct worker_config *config,
                              struct diag *why);
#endif
