/*  driver_keep.h - the trials' folders: which checkpoints stay (checkpoint.keep, best_by), and Ray's files while trials
    run (loggers).  Only checkpoint_* directly in a trial's own folder of this study is ever removed. */
#ifndef RAYC_TUNE_DRIVER_KEEP_H
#define RAYC_TUNE_DRIVER_KEEP_H
#include "client/tune/study.h"

struct keeper;

struct keeper *keeper_new(const struct study_spec *spec, const char *storage, const char *name);
void keeper_destroy(struct keeper **self);
/*  A report was folded and counted; also those read back at a resume: the files of a trial that has not ended are
    written anew then, so that no line is missing or double, whenever its driver was killed. */
void keeper_report(struct keeper *self, const struct study_trial *trial,
                   const struct rec_report *report);
/*  It left one more when it ended. */
void keeper_checkpoint(struct keeper *self, const struct study_trial *trial, const char *path);
/*  Removes what has to go.  `used`: a running trial may still start again from a folder. */
void keeper_sweep(struct keeper *self, bool (*used)(void *context, const char *path),
                  void *context);
#endif
