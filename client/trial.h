/*  trial.h - what a trial is given: the first argument of its task, one JSON object as a string.

    {"study": "yolo", "trial": 7, "run": 1, "seed": 4711, "metric": "mAP50", "resource": "epoch" or null,
     "resource_max": 81, "step": 0, "dir": "/abs/yolo/trial_00007", "checkpoint": "/abs/... or empty",
     "checkpoint_every": 0, "keep": 1, "params": {"lr0": 0.01, "opt": "adam"},
     of a command, run by the program rayc-trial:
     "argv": ["python", "train.py"], "env": ["K=V"], "cwd": "/abs", "stdout": null, true, or {"regex": "..."}}

    run: how often the driver has started this trial.  step: of its last report that is recorded; checkpoint: where the
    run starts from.  A further attempt of the same task (its process died) starts from the newest checkpoint that this
    run has committed itself: DIR/latest says "RUN PATH".  Checkpoints are folders DIR/checkpoint_NNNNNN, written as
    DIR/tmp_NNNNNN and renamed (all of it synced) before their report leaves.  Numbers are read as doubles, so that a
    parameter is exactly what the search chose. */
#ifndef RAYC_TRIAL_H
#define RAYC_TRIAL_H
#include "client/rayc.h"

/*  The name of the function that rayc-trial registers, and of the program. */
#define TRIAL_FUNCTION "trial_command"
#define TRIAL_PROGRAM  "rayc-trial"
#endif
