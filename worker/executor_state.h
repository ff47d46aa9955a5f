/*  executor_state.h - one executor, as executor.c (its life) and executor_start.c (its start) know it. */
#ifndef RAYC_EXECUTOR_STATE_H
#define RAYC_EXECUTOR_STATE_H
#include "worker/arena.h"
#include "worker/command.h"
#include "worker/encoder.h"
#include "worker/executor.h"
#include "worker/output.h"
#include "worker/resident.h"
#include "worker/scratch.h"
#include "worker/secrets.h"

struct executor {
    bool made; /* `out` and `err` are set, and may be open from an earlier executor of this id */
    bool live; /* from ACT_SPAWN to WEV_EXITED or WEV_SPAWN_FAILED */
    bool queued;
    bool borrowed; /* events of this turn point into resident's buffer */
    bool killed;
    /* what is to be told: */
    bool failed, started, taken, ended;
    bool unwanted; /* a driver that was killed: its output must not hold up its end */
    uint32_t kind; /* enum spec_kind */
    uint32_t pid;
    uint32_t uid; /* of its own; 0: the worker's */
    uint64_t started_us;
    uint64_t task, token, job;
    uint32_t attempt;
    struct secrets secrets; /* of its environment */
    struct held streamed; /* the attempt whose output goes to the head as it comes; token 0: none */
    uint32_t streamed_number;
    uint64_t streamed_last; /* token of the last task of a resident one that was */
    bool streams;           /* now or before: others still read its files when it has ended */
    uint32_t begun;         /* of its tasks, when it was looked at last */
    uint64_t begun_ms;      /* since when it is so many */
    int32_t error;
    char problem[320];
    struct spawn_event exited;
    struct resident resident;
    struct output out, err;
    uint64_t peek_ms; /* look at its page then */
    uint32_t peek_pause_ms;
    uint32_t samples; /* its number as a source of metrics; 0: none */
};

struct executors {
    struct executors_config config;
    struct executor *all; /* by id */
    uint32_t high;        /* ids below have been used */
    uint32_t *busy;       /* ids that have something to tell */
    uint32_t busy_count, busy_at;
    uint32_t *lenders; /* ids that events of this turn borrow from */
    uint32_t lender_count;
    struct rec_ran ran; /* of the event that was told last */
    uint64_t now_ms, peek_due_ms;
    uint64_t look_ms; /* of the next look at what runs for long */
    uint32_t live_count;
    uint64_t mark; /* of the next executor, for the spawner */
    uint64_t node; /* 0: not yet; and its key of tickets */
    uint8_t ticket_key[TICKET_KEY_BYTES];
    struct environment base, env;
    struct scratch *scratch;
    struct arena arena;
    struct encoder runs; /* the RUN frame that is being joined, for `runs_to` */
    uint32_t runs_to;
};

/*  executor_start.c: an errno, with self->problem; or 0. */
int32_t executor_start(struct executors *all, struct executor *self, const struct act *act,
                       uint64_t node);
/*  executor_results.c: into the event of a task that has ended, of an executor that has. */
void executor_put_ran(struct executors *all, struct executor *self, struct rec_ran *ran,
                      struct worker_event *out);
void executor_put_results(struct executors *all, struct executor *self, struct worker_event *out);
/*  executor_ticket.c: a task of a resident one asks for its ticket. */
void executor_ticket(struct executors *all, uint32_t id, const struct msg_ask *ask);
/*  executor_stream.c: output that goes to the head while its attempt runs. */
void executors_look(struct executors *all); /* for what runs for long; when all->look_ms is over */
/*  The whole output of a command that has ended, if it is too large for its DONE; what `stream` said before is done. */
void executor_stream_rest(struct executors *all, struct executor *self);
/*  A task of a resident executor has ended: where the head keeps its output; empty: it was not streamed. */
struct slice executor_stream_end(struct executors *all, struct executor *self,
                                 const struct rec_ran *ran);
/*  "logs/job-J/TASK.ATTEMPT.log" of the head's state folder. */
struct slice executor_head_log(struct executors *all, const struct held *held);
/*  "DIR/logs/TASK.ATTEMPT.suffix" */
void executor_log_path(const struct executors *all, const struct executor *self, const char *suffix,
                       char *out, size_t capacity);
#endif
