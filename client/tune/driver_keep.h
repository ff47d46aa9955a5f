/*  driver_keep.h - the trials' folders: which checkpoints stay (checkpoint.keep, best_by), and Ray's files while trials
    run (loggers).  Only what lies under the study's storage is ever removed. */
#ifndef RAYC_TUNE_DRIVER_KEEP_H
#define RAYC_TUNE_DRIVER_KEEP_H
#include "client/tune/study.h"

struct keeper;

struct keeper *keeper_new(const struct study_spec *spec, const char *storage, const char *name);
void keeper_destroy(struct keeper **self);
/*  A report was folded.  `used` tells whether a running trial may still start again from a folder.  `live` false: it is
    read back at a resume, nothing is written for it. */
void keeper_report(struct keeper *self, const struct study_trial *trial, const struct rec_report *report, bool live);
/*  Removes what has to go. */
void keeper_sweep(struct keeper *self, bool (*used)(void *context, const char *path), void *context);
#endif
