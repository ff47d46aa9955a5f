/*  driver.h - the shell around study.h: runs a study on the cluster that rayc_init() joined.

    It saves each trial's row before the task that runs it, answers reports, and waits.  What it keeps is in the study
    and in the rows: when it is killed, `resume` goes on from the rows. */
#ifndef RAYC_TUNE_DRIVER_H
#define RAYC_TUNE_DRIVER_H
#include <signal.h>
#include "client/tune/study.h"

struct driver;

struct driver_config {
    const struct study_spec *spec;
    const char *name;
    bool resume;
    uint64_t seed;        /* of a new study */
    const char *settings; /* JSON: what spec_read() was given besides the file */
    const char *storage;  /* absolute; the trials' folders are STORAGE/NAME/trial_NNNNN */
    const char *program;  /* executable that holds `function` */
    const char *function;
    const char *const
        *env; /* "K=V" of the submitter for commands, up to NULL; the spec's own come after */
    volatile sig_atomic_t *interrupted; /* not 0: leave the study as it is, INTERRUPTED */
    void (*opened)(
        void *context); /* the study is made, or taken up: nothing runs yet; NULL: none */
    /*  Something is to be shown: about this trial, or (NONE) only time has passed. */
    void (*changed)(void *context, const struct study *study, uint32_t trial);
    void (*warn)(void *context, const char *text);
    void *context;
};

/*  Runs it to its end.  A code of rayc.h, with rayc_error(): RAYC_ECONFLICT (the name is taken), RAYC_ENOTFOUND,
    RAYC_EBUSY (another drives it), RAYC_ECANCELLED (interrupted), or what broke.  *out is set once the study is open,
    for driver_study(); driver_close(). */
MUST_CHECK int driver_run(struct driver **out, const struct driver_config *config);
void driver_close(struct driver **self);
const struct study *driver_study(const struct driver *self);
enum study_state driver_state(const struct driver *self, const char **why);
uint64_t driver_seed(const struct driver *self);
#endif
