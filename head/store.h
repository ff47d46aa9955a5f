/*  store.h - the durable memory of the head: one SQLite file, one connection that writes and checkpoints.

    Nobody else writes or checkpoints: SQLite up to 3.51.2 can lose commits when a second connection checkpoints
    during a write.  store_apply() commits (survives kill -9); store_sync() makes the commits before it survive a power
    cut, on a helper thread; store_synced() tells how far it got.  A failed sync is final: the process aborts.
    Used from one thread, but for the helper inside. */
#ifndef RAYC_STORE_H
#define RAYC_STORE_H
#include "common/base.h"
#include "common/err.h"
#include "common/histogram.h"
#include "head/core/core.h"
#include "head/rows.h"

struct store;

/*  `path` NULL: in memory (for the simulator: no helper thread, every commit counts as synced when asked).
    ERR_STORE: damaged; ERR_STORE_NEWER: schema of a newer rayc.  `why` says it for people. */
MUST_CHECK int store_open(struct store **out, const char *path, struct diag *why);
void store_close(struct store **self); /* NULL-safe; checkpoints */

/*  Writes all rows of a batch in one transaction.  On failure nothing is written and the head must end. */
MUST_CHECK int store_apply(struct store *self, const struct batch *batch);

/*  Commits are numbered 1, 2, ...: store_committed() is the newest, store_synced() the newest on the disk. */
uint64_t store_committed(const struct store *self);
const struct histogram *store_commits(const struct store *self); /* how long they took */
void store_sync(struct store *self); /* start syncing what is committed; returns at once */
uint64_t store_synced(const struct store *self);
int store_fd(const struct store
                 *self); /* an eventfd, readable when a sync has ended (read it); -1 in memory */
void store_checkpoint_if_due(
    struct store *self); /* between turns: starts one on the helper thread when the WAL is large */

/*  Calls `each` for every row the core needs, in the order of struct restored, ending with nothing.
    Tasks: unfinished ones of jobs that have not ended.  Slices are valid during the call. */
MUST_CHECK int store_restore(struct store *self,
                             void (*each)(void *context, const struct restored *row),
                             void *context);

/*  Reads what is not in memory.  Slices are valid until the next call on the store (also store_apply()).
    Consecutive ids are read by one running statement. */
MUST_CHECK int store_task_args(struct store *self, uint64_t task, struct slice *args,
                               struct slice *deps);
/*  What an actor has committed last. */
MUST_CHECK int store_actor_checkpoint(struct store *self, uint64_t actor, struct slice *out);
/*  How a task ended: state 5 or 6; 0: unknown, or not ended.  `result` fields are filled, value too. */
MUST_CHECK int store_task_result(struct store *self, uint64_t task, uint32_t *state,
                                 struct rec_result *result);
/*  The same without what it returned, for an event LOOKED_UP, which is zero where there is nothing to say. */
MUST_CHECK int store_task_ended(struct store *self, uint64_t task, struct event *out);
/*  The SPEC record of a spec, decoded, and its job and the job's submission id. */
MUST_CHECK int store_spec(struct store *self, uint64_t spec, struct rec_spec *out, uint64_t *job,
                          struct slice *submission);
/*  The JOB_OPEN that made a job, but for its submission id and the jobs that it followed. */
MUST_CHECK int store_job_open(struct store *self, uint64_t job, struct msg_job_open *out);
/*  What STUDY_OPENED tells of a study beyond what the core knows: its texts, its seed, how many rows there are. */
MUST_CHECK int store_study(struct store *self, uint64_t study, struct msg_study_opened *out);
struct stored_token {
    uint64_t id;
    bool revoked;
    uint8_t hash[TOKEN_HASH_BYTES];
};
/*  The next token of this name after `io->id`.  ERR_NOT_FOUND: there is none. */
MUST_CHECK int store_token_named(struct store *self, struct slice name, struct stored_token *io);
/*  Does a spec or a package name this file of the content store? */
MUST_CHECK int store_file_named(struct store *self, const char *hash, bool *named);
const char *store_path(const struct store *self); /* for read-only connections; NULL in memory */
#endif
