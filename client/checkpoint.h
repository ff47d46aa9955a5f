/*  checkpoint.h - the folders that a trial writes its checkpoints to; see trial.h.  Failures are codes of rayc.h,
    described by rayc_error(). */
#ifndef RAYC_CHECKPOINT_H
#define RAYC_CHECKPOINT_H
#include "common/base.h"
#include "common/file.h"
#include "proto/proto.h"

/*  Makes a new, empty folder DIR/tmp_NNNNNN.  fresh: what earlier attempts left unfinished goes first. */
MUST_CHECK int checkpoint_begin(const char *dir, bool fresh, char out[PATH_BYTES]);
/*  `tmp`, with all that is in it, becomes the new folder DIR/checkpoint_NNNNNN, on the disk. */
MUST_CHECK int checkpoint_commit(const char *dir, const char *tmp, char out[PATH_BYTES]);

/*  DIR/latest: the newest checkpoint that a run of a trial has committed itself, the step it is of, and the report that
    came with it until that was answered: who goes on from the checkpoint says it again. */
struct checkpoint_latest {
    uint32_t run;
    uint64_t task;
    double step;
    char path[PATH_BYTES];
    bool untold;
    double value;
    char metrics[METRICS_MAX + 1];
};
MUST_CHECK int checkpoint_put_latest(const char *dir, const struct checkpoint_latest *latest);
/*  Its report was answered.  Not synced: at worst it is said twice. */
void checkpoint_told(const char *dir);
bool checkpoint_get_latest(const char *dir, struct checkpoint_latest *out); /* false: none */

bool checkpoint_is_there(const char *path);
bool checkpoint_is_empty(const char *path);
#endif
