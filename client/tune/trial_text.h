/*  trial_text.h - the argument of a trial's task (client/trial.h) as text. */
#ifndef RAYC_TUNE_TRIAL_TEXT_H
#define RAYC_TUNE_TRIAL_TEXT_H
#include "client/tune/study.h"

/*  What all trials of a study have in common: `{"study":...,` without its end.  malloced. */
struct trial_common {
    const char *name, *storage;
    const char *const *env; /* before the spec's own */
    uint64_t seed;
};
char *trial_text_common(const struct study_spec *spec, const struct trial_common *common);
/*  STORAGE/NAME/trial_NNNNN; malloced. */
char *trial_dir(const struct trial_common *common, uint32_t number);
/*  The whole argument; malloced.  `from`: the trial whose checkpoint it starts from, itself as a rule. */
char *trial_text(const struct study_spec *spec, const char *common, const char *dir,
                 const struct study_trial *trial, const struct study_trial *from);
#endif
