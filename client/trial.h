/*  trial.h - what a trial is given: the first argument of its task, one JSON object as a string.

    {"study": "yolo", "trial": 7, "run": 1, "seed": 4711, "metric": "mAP50", "resource": "epoch" or null,
     "resource_max": 81, "step": 0, "dir": "/abs/yolo/trial_00007", "checkpoint": "/abs/... or empty",
     "checkpoint_every": 0, "keep": 1, "params": {"lr0": 0.01, "opt": "adam"},
     of a command, run by the program rayc-trial:
     "argv": ["python", "train.py"], "env": ["K=V"], "cwd": "/abs", "stdout": null, true, or {"regex": "..."}}

    run: how often the driver has started this trial.  checkpoint: where the run starts from; step: that it is of.  A
    further attempt of the same task (its process died) starts from the newest checkpoint that this run has committed
    itself: DIR/latest says "RUN PATH", and the report that came with it until it was answered, which that attempt says
    again before anything else.  Checkpoints are folders DIR/checkpoint_NNNNNN, written as
    DIR/tmp_NNNNNN and renamed (all of it synced) before their report leaves.  Numbers are read as doubles, so that a
    parameter is exactly what the search chose. */
#ifndef RAYC_TRIAL_H
#define RAYC_TRIAL_H
#include "client/rayc.h"

/*  The name of the function that rayc-trial registers, and of the program. */
#define TRIAL_FUNCTION "trial_command"
#define TRIAL_PROGRAM  "rayc-trial"

struct metric;
struct json_t;

/*  For rayc-trial, which is a trial that runs a command. */

/*  The argument, parsed; NULL: the task is no trial, and its attempt is over. */
const struct json_t *trial_root(rayc_task *task);
/*  rayc_report() of metrics that need not be numbers. */
int trial_report(rayc_task *task, const struct metric *metrics, size_t count,
                 const char *checkpoint);
/*  Makes the folder of rayc_checkpoint_dir() again, by the same name, after it was committed. */
int trial_checkpoint_again(rayc_task *task, const char *dir);
/*  Commits that folder, of the last step, without a report. */
int trial_checkpoint_keep(rayc_task *task);

struct trial_progress {
    uint32_t reports;       /* of this attempt */
    double step;            /* of the last one */
    int told;               /* RAYC_STOP, RAYC_PAUSE; else it goes on */
    const char *checkpoint; /* that it has committed last; NULL: none */
};
struct trial_progress trial_progress(const rayc_task *task);
#endif
