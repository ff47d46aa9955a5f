/*  core.h - the head as a function.  core_step() changes memory only; core_ready() says what must happen now,
    in this order: write the rows in one transaction, then send, then wake at the deadline.

    It has no I/O, clock, allocation, thread, log or global.  Time arrives in events, randomness is a seeded
    generator in the state, memory is the caller's: core_bytes() of address space, touched only as it is used.
    Entities link by index.  Bytes of arguments and results pass through as borrowed slices that are valid
    from core_step() to the end of the core_ready() loop after it, and are never looked into. */
#ifndef RAYC_CORE_H
#define RAYC_CORE_H
#include "common/base.h"
#include "head/rows.h"
#include "proto/proto.h"

struct core;

/*  Every capacity.  core_limits() gives the defaults for a memory budget. */
struct limits {
    uint32_t tasks;  /* unfinished tasks */
    uint32_t edges;  /* arguments that unfinished tasks wait for */
    uint32_t leases; /* lease rows: runs of tasks leased together */
    uint32_t specs;
    uint32_t jobs; /* kept, ended ones included: the oldest ended job makes room */
    uint32_t sessions;
    uint32_t nodes;
    uint32_t peers;   /* watchers */
    uint32_t studies; /* all that ever were: their names stay taken */
    uint32_t users;   /* all that ever were */
    uint32_t tokens;  /* revoked and expired ones included: the oldest of those makes room */
    uint32_t actors;  /* dead ones included: the oldest of those makes room */
    uint32_t lanes;   /* (actor, session) with calls that have not ended */
    uint32_t objects; /* stored, or with references inside */
    uint32_t holds;   /* on objects, by tasks, borrowers and values that they are inside of */
    uint32_t copies;  /* of objects, in nodes */
};
struct limits core_limits(void);

struct config {
    uint32_t beat_ms;
    uint32_t suspect_ms; /* a silent worker gets nothing new */
    uint32_t lease_ms;   /* a silent worker is given up, 2 s later its tasks are leased again */
    /*  how long a task with max_retries=0 waits for its lost worker before UNKNOWN_OUTCOME */
    uint32_t orphan_ms;
    /*  a peer whose connection broke and did not come back is given up this soon */
    uint32_t gone_ms;
    uint32_t priority_step_ms; /* waiting that outweighs one level of priority */
    uint32_t fail_infeasible;  /* 1: a demand that no node can meet fails at once */
    uint32_t embedded;
    uint32_t job_days_max;   /* an ended job is deleted after so many days */
    uint32_t package_keep_s; /* what no job needs stays in the content store so long, or longer */
    char version[32];
    char cluster[HASH_TEXT + 1];
    char place[HASH_TEXT + 1]; /* common/place.h */
};
struct config core_config(void);

enum event_kind {
    EV_TICK = 1,  /* time has passed */
    EV_MESSAGE,   /* `msg` from `peer` */
    EV_PEER_GONE, /* the connection of `peer` broke; it may come back as another peer */
    EV_SYNCED,    /* the rows of batches up to `number` are on the disk */
    EV_LOOKED_UP, /* answer to a lookup: task `number` of spec `spec` has ended in `state`, or is unknown (0) */
    EV_OWN,      /* `msg` of the head itself: no reply, everything is allowed */
    EV_RESTORE,  /* a row from the store, before EV_RESTORED */
    EV_RESTORED, /* all rows were given; the head opens */
    EV_END       /* the cluster ends: nodes that hold nothing are gone */
};

/*  Rows as they are read back (head/store_restore.c fills them, in this order: epoch, users, tokens, jobs, sessions, studies, specs, nodes, actors, objects, tasks, leases, holds). */
struct restored {
    enum {
        RESTORE_EPOCH,
        RESTORE_USER,
        RESTORE_TOKEN,
        RESTORE_JOB,
        RESTORE_SESSION,
        RESTORE_STUDY,
        RESTORE_SPEC,
        RESTORE_NODE,
        RESTORE_ACTOR,
        RESTORE_OBJECT,
        RESTORE_TASK,
        RESTORE_LEASE,
        RESTORE_HOLD,  /* of a session, on an object of another one */
        RESTORE_INSIDE /* references inside of a value or of arguments */
    } table;
    uint64_t epoch; /* EPOCH: of the last head; the next serials of rows ever used */
    uint64_t node_last, report_last, job_last, session_last;
    struct row_user_put user;
    struct {
        struct row_token_new row;
        bool revoked;
    } token;
    struct {
        uint64_t id;
        struct slice submission, digest, entrypoint, message;
        uint32_t kind, durability, detached, state, stopping;
        uint64_t array_first, array_last, created_ms, started_ms, ended_ms, total, finished, failed;
        uint64_t owner;
        uint32_t error;
        struct slice waits;
        int32_t exit_code;
    } job;
    struct {
        uint64_t id, job, low, high, refs, root;
        uint64_t last; /* greatest counter of a row; 0: none */
        uint32_t closed, nested;
    } session;
    struct {
        uint64_t id, session, saved, owner;
        struct slice name;
        uint32_t state, decides, stopping;
    } study;
    struct {
        uint64_t id, session;
        uint32_t idx;
        struct slice record;
    } spec;
    struct {
        uint64_t id;
        struct slice key, name, capacity, labels;
        uint32_t dead, draining;
        uint64_t drain_ms, drain_until_ms; /* its grace; the end of it, wall clock */
    } node; /* those that were not DEAD, or still have leases; `dead` says which */
    struct {
        uint64_t id, owner;
        struct slice space, name, text;
        uint32_t alive, killed, cause, made;
        bool checkpoint;
    } actor; /* those that are not DEAD, and the newest of those that are; in order of id */
    struct {
        uint64_t id, spec, fence, submitted_ms, actor;
        uint32_t state, attempt, charged, crashes, cancelled, args_bytes;
        uint64_t parent, parent_fence;
        struct slice deps;
    } task; /* those that have not ended, in order of id; then those with an object that is REBUILDING */
    struct row_lease_new lease;
    struct {
        uint64_t task, session, size;
        uint32_t index, state, reason, owned, rebuilds;
        struct slice inside;
    } object; /* and HOLD, INSIDE */
};

/*  What a HELLO has for a proof of who says it, as the shell has made it from the secret: the core never sees one. */
enum proof_kind {
    PROOF_NONE,
    PROOF_TOKEN, /* `hash` of a secret */
    PROOF_TICKET /* of an attempt; the shell has seen that the head made it */
};
struct proof {
    enum proof_kind kind;
    uint8_t hash[TOKEN_HASH_BYTES];
    uint64_t job, task, fence;
    uint64_t node; /* of a ticket that a node's worker has made: that node; else 0 */
};

struct event {
    enum event_kind kind;
    uint32_t peer;
    uint64_t now_ms;  /* CLOCK_BOOTTIME: leases and timers */
    uint64_t wall_ms; /* for people only */
    uint64_t number;
    uint64_t spec;
    uint32_t state;
    uint32_t attempt, charged, args_bytes; /* of LOOKED_UP, as `deps` */
    struct slice deps;
    bool cancelled; /* likewise */
    const struct msg *msg;
    const struct proof *proof; /* of a HELLO; NULL: none */
    const struct restored *row;
};

/*  What to send after the rows are committed, in this order: messages, starts, reports, results, leases, decisions.
    `synced`: only after the rows are on the disk, too. */
struct send {
    uint32_t peer;
    bool synced;
    struct msg msg;
};
struct
    start_send { /* neighbours for one peer and stream are joined into one START with seq = stream */
    uint64_t inventory;
    uint32_t peer;
    uint32_t attempt;
    uint64_t stream;
    uint64_t task, token, spec;
    /*  not 0: its processes act for the owner of this job; give them a ticket */
    uint64_t ticket_job;
    struct slice args; /* of this turn; p NULL: the shell reads them from the store */
    bool synced;
    bool new_spec;  /* the peer has not been told this spec: put its SPEC_INFO in */
    bool has_deps;  /* the shell reads deps from the store, and the results they name */
    uint64_t actor; /* of a method: task id of its actor */
    /*  of an actor that starts again: the shell reads what it has committed; with has_deps */
    bool checkpoint;
    struct list sources; /* SOURCE records: where its stored arguments are */
};
struct result_send { /* likewise into one RESULTS */
    uint32_t peer;
    bool synced;
    bool stored;      /* only result.task is set: the shell reads the rest from the store */
    bool text_stored; /* its text is the store's */
    uint64_t stream;
    struct rec_result result;
};
struct lease_send { /* likewise into one RECALL */
    uint32_t peer;
    struct rec_lease lease;
};
struct decision_send { /* likewise into one DECIDED */
    uint32_t peer;
    bool synced;
    struct rec_decision decision;
};
struct report_send { /* likewise into one REPORTED */
    uint32_t peer;
    bool synced;
    uint64_t study;
    struct rec_report report;
};

struct batch {
    const uint8_t *rows; /* packed: see row_next() */
    size_t row_bytes;
    uint32_t row_count;
    const struct send *sends;
    uint32_t send_count;
    const struct start_send *starts;
    uint32_t start_count;
    const struct result_send *results;
    uint32_t result_count;
    const struct lease_send *leases;
    uint32_t lease_count;
    const struct decision_send *decisions;
    uint32_t decision_count;
    const struct report_send *reports;
    uint32_t report_count;
    const uint64_t *lookups; /* task ids; answer each with EV_LOOKED_UP */
    uint32_t lookup_count;
    uint64_t number;      /* of this batch, for EV_SYNCED: 1, 2, 3, ... */
    uint64_t deadline_ms; /* in now_ms; UINT64_MAX: nothing is due */
};

size_t core_bytes(const struct limits *limits);
struct core *core_init(void *memory, const struct limits *limits, const struct config *config,
                       uint64_t seed);
void core_step(struct core *self, const struct event *event);

/*  True: do what `out` says, then call again.  False when quiet; out->deadline_ms is set in both cases.
    Call at least once per CORE_EVENTS_PER_TURN events: the room for rows and sends is bounded. */
enum { CORE_EVENTS_PER_TURN = 16 };
bool core_ready(struct core *self, struct batch *out);

/*  After each EV_RESTORE: task ids to answer with EV_LOOKED_UP before the next row, so that what has ended is not
    remembered for all rows together. */
uint32_t core_restore_lookups(struct core *self, const uint64_t **out);

/*  Walks a batch's rows: false at the end. */
bool row_next(const struct batch *batch, size_t *cursor, enum row_kind *kind, const void **row);

/*  True if every invariant holds; O(everything).  For tests and the simulator. */
bool core_check(const struct core *self, struct diag *why);

/*  Questions of the shell. */
uint64_t core_epoch(const struct core *self);
uint32_t core_worker_peer(const struct core *self,
                          uint32_t i); /* peer of the i-th connected worker; 0: no more */
bool core_knows(const struct core *self, uint32_t peer); /* has it said HELLO? */
bool core_idle(
    const struct core *self); /* embedded: no client is attached and no job is unfinished */
uint64_t core_forgotten(struct core *self); /* a job deleted since the last call; 0: no more */
bool core_job_driver_ok(const struct core *self, uint64_t job, uint64_t task,
                        uint64_t token); /* is this its driver's attempt? */
uint64_t core_job_owner(const struct core *self,
                        uint64_t job); /* number of a user; 0: no such job */
/*  OK, or why a JOB_RETRY of this peer is refused, and a text. */
int core_job_again(const struct core *self, uint32_t peer, const struct msg_job_retry *msg,
                   const char **why);
/*  Is this attempt of a task of this job the current one?  Attempt 0: as core_job_driver_ok(). */
bool core_attempt_ok(const struct core *self, const struct msg_log *of);
struct core_task {
    uint64_t job;
    uint32_t state, attempt;
};
bool core_task_find(const struct core *self, uint64_t task,
                    struct core_task *out); /* false: unknown, or ended */

/*  Who a peer is, and what it may do.  `user` 0: nobody. */
struct reader {
    uint64_t user;
    uint32_t may; /* enum role */
};
struct reader core_reader(const struct core *self, uint32_t peer);
/*  OK, or why the peer may not say this: give the message to the core then, which refuses it. */
int core_may(const struct core *self, uint32_t peer, enum msg_kind kind);
bool core_sees_job(const struct core *self, uint32_t peer, uint64_t job);
/*  False: the task is leased to another worker than the peer. */
bool core_runs_task(const struct core *self, uint32_t peer, uint64_t task);

struct core_stats {
    uint64_t tasks_waiting, tasks_ready, tasks_leased, accepted, finished, failed, retries;
    uint32_t nodes_alive, jobs_open, sessions_open;
};
struct core_stats core_stats(const struct core *self);
#endif
