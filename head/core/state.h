/*  state.h - the core's memory: one struct per noun, linked by index.  Private to head/core. */
#ifndef RAYC_CORE_STATE_H
#define RAYC_CORE_STATE_H
#include "common/heap.h"
#include "common/list.h"
#include "common/map.h"
#include "common/pool.h"
#include "common/prng.h"
#include "head/core/actor.h"
#include "head/core/core.h"
#include "head/core/kin.h"
#include "head/core/demand.h"
#include "head/core/node.h"
#include "head/core/object.h"
#include "head/core/study.h"
#include "head/core/user.h"
#include "head/core/value.h"
#include "head/core/survey.h"
#include "head/policy/policy.h"

enum {
    RETRY_CODES_MAX = 64,
    SWEEP = 4096,           /* entities that one core_ready() handles of a long piece of work */
    AHEAD_MAX = 1024,       /* leases per slot beyond the one that runs */
    AHEAD_US = 10 * 1000,   /* of work that waits at a worker */
    ATTEMPTS_USUAL = 65536, /* of a worker that does not say how many it can hold */
    PROCESSES_USUAL = 1024, /* likewise, how many can have begun */
    FREE_SLOTS_MAX = 64,    /* of a demand of nothing (drivers), per node */
    RUN_MAX = 512,          /* tasks in one lease row: a START frame stays below some 100 KiB */
    ACK_MS = 5,             /* acknowledgements wait for company this long: nobody waits for them */
    ACK_TASKS = 1024,       /* or for so many tasks */
    TELL_MS = 100,          /* watchers hear of progress at most this often */
    AWAY_MS =
        1000,      /* between two events, while there is anybody to look at: the head stood still */
    SCAN_MS = 250, /* nodes, sessions and peers are looked at this often */
    SPEC_EPOCH_SHIFT = 24,   /* numbers of specs begin at the head's epoch, shifted so */
    REPORT_EPOCH_SHIFT = 32, /* ids of reports, too */
    RETRIES_ASKED_MAX = 64,
    CHILDREN_SHARE =
        8, /* one of so many places is for what tasks submit, half of it for deeper ones */
    FORGOTTEN_MAX = 64
};

/*  The column job.stopping: a flag, and the state in which an ending job will end. */
enum { JOB_ROW_STOPPING = 1, JOB_ROW_FINAL_SHIFT = 4 };

/*  Flags of a task. */
enum {
    TASK_HAS_WAITERS = 1, /* an edge names it */
    TASK_IS_DRIVER = 2,
    TASK_CANCEL = 4, /* asked to end; never retried */
    TASK_CANCEL_FORCE = 8,
    TASK_HAS_DEPS = 16,
    TASK_SEEN = 32,    /* by the inventory being read */
    TASK_BACKOFF = 64, /* READY, but not in a queue before due_ms */
    TASK_IN_QUEUE = 128,
    TASK_CANCEL_TREE = 256, /* TASK_CANCEL, and all that it has submitted */
    TASK_WAITS = 512,       /* for others: its CPUs are free */
    TASK_REBUILD = 1024,    /* it has ended, and makes its objects again */
    TASK_HOLDS = 2048       /* what is in its arguments, or what it will return: rows say it */
};

struct task {
    uint64_t id;
    union {
        uint64_t token;    /* of the current or the last attempt */
        uint64_t argument; /* of one that is doomed for it: the failed task */
    };
    uint64_t due_ms; /* of the backoff or the queue time-out */
    /*  READY: in its queue; LEASED, RUNNING: in its node's leases; doomed: in that list */
    struct link_pair place;
    struct link_pair family; /* in its session's unfinished tasks, in order of id */
    uint32_t link;           /* in the map of ids */
    uint32_t spec;
    uint32_t node;
    uint32_t run; /* the lease row that covers it */
    uint32_t timer;
    uint32_t attempt; /* the current one, or the next */
    uint32_t charged; /* failures that count against max_retries */
    uint16_t deps_left;
    uint16_t crashes; /* in a row */
    uint16_t flags;
    uint8_t state;
    uint8_t failure;    /* of a doomed one */
    uint8_t args_class; /* its arguments have at most 2^args_class bytes */
    uint32_t ready_ms;  /* when it became ready: as now_ms, the low half */
    uint32_t actor;     /* of an actor: index of it; of a method: of its lane; else NONE */
};
_Static_assert(sizeof(struct task) <= 88,
               "a queued task must stay small: 1M of them are promised to fit");

struct run { /* a lease row: `count` tasks from `first`, leased together */
    uint64_t token;
    uint32_t left;
};

struct spec {
    uint64_t id;
    uint64_t key; /* session and index */
    uint32_t by_id, by_key;
    uint32_t session, job;
    uint32_t kind, demand, queue; /* what takes no resources has neither demand nor queue: NONE */
    uint32_t tally;               /* of its name */
    uint64_t in[TASK_STATES]; /* its tasks by state; those that ended: since the head has started */
    int32_t max_retries;
    uint32_t retry_mode, retry_code_count;
    uint32_t backoff_ms, backoff_ms_max;
    uint32_t queue_ms_max, crash_limit;
    bool ordered;   /* of an actor: its methods run one at a time, in order */
    bool detached;  /* likewise: it lives on without its job */
    uint64_t group; /* of a method: its concurrency group, hashed */
    struct link_pair in_session;
    uint64_t told[NODES_MAX / 64]; /* nodes that know it */
    int32_t retry_codes[RETRY_CODES_MAX];
};

/*  Positions of a stream of frames to one receiver.  What fits into one frame has the same position. */
struct stream {
    uint64_t seq;   /* of the newest frame */
    uint64_t batch; /* the batch it is in */
    uint32_t count;
    size_t bytes;
};

struct session {
    uint64_t id;
    uint32_t link;
    uint32_t job;
    uint32_t peer;   /* NONE: nobody is connected */
    bool open;       /* may submit */
    bool internal;   /* of the head itself: the driver's, an array's */
    uint32_t nested; /* of an executor, for what its tasks submit: how deep it is; 0: it is not */
    uint64_t root;   /* the detached actor that it is of, or whose tasks it serves; 0: its job's */
    bool closing;    /* its tasks are being given up */
    bool low_dirty;
    bool awaited;          /* somebody waits for a task that it has still to submit */
    uint32_t awaits_count; /* what its executor waits for, in this attempt: circle.c */
    uint64_t awaits[AWAITS_MAX], awaits_task, awaits_token;
    bool ack_due, ack_now; /* SUBMITTED is to be said: soon, in this turn */
    uint64_t acked;        /* the counter it said last */
    bool is_due;
    struct link_pair due; /* in the list of sessions to acknowledge or to write `low` of */
    uint64_t below;       /* next counter to accept */
    uint64_t low;         /* as in the database */
    uint64_t high;        /* likewise: no task from this counter on was ever leased */
    uint64_t synced;
    uint64_t mark_number,
        mark_below; /* when batch mark_number is synced, so is everything below mark_below */
    struct stream results;
    uint64_t heard_ms, gone_ms; /* gone_ms: when its connection broke; 0: it has not */
    /*  of the attempt that opened it; 0: the job has no driver, or a restart has forgotten */
    uint64_t token;
    uint32_t study;              /* that it drives; NONE */
    uint64_t study_id;           /* and its number, also of the last one; 0: it never did */
    uint64_t saved, saved_batch; /* newest TRIALS that is committed, with which batch */
    uint64_t saved_synced;       /* newest TRIALS that is on the disk: acknowledged */
    uint64_t saved_mark,
        saved_below; /* when this batch is synced, so are TRIALS up to that; 0: nothing is to be synced */
    uint64_t refs_next; /* number of its next REFS */
    uint64_t bye_seq;
    bool bye;           /* asked to end: told when it has */
    uint32_t detached;  /* of its tasks: detached actors, which outlive it and its job */
    struct chain tasks; /* unfinished */
    struct chain specs;
    struct link_pair in_job;
};

struct job_waits { /* the jobs that one waits for */
    struct job_wait {
        uint64_t job;
        uint32_t condition; /* enum after */
    } of[AFTER_MAX];
    uint32_t count;
};

struct job {
    uint64_t id;
    uint64_t hash; /* of its submission id */
    uint32_t by_id, by_hash;
    uint32_t kind, durability, detached;
    uint32_t if_infeasible;
    uint32_t state;
    bool stopping; /* a user stopped it */
    bool ending;   /* its driver has ended: the rest goes, then it is `final` */
    bool counts_dirty;
    bool tell_now; /* its state has changed */
    uint32_t final;
    int32_t exit_code;
    uint64_t created_ms, started_ms, ended_ms;
    uint64_t total, finished, failed, leased;
    uint64_t array_first, array_last;
    uint64_t owner;          /* a user */
    uint32_t user;           /* index of it */
    uint32_t error;          /* of a FAILED one: enum job_error */
    uint64_t driver;         /* task id; 0: none */
    uint64_t attached_token; /* of the driver's attempt that has opened a session */
    uint64_t attached_session;
    /*  a forgotten job's tasks are deleted up to this counter of its first session */
    uint64_t erased;
    bool forgetting;      /* its rows are being deleted: */
    uint32_t forget_peer; /* who asked for that, 0: nobody; and with which request */
    uint64_t forget_seq;
    struct job_waits waits;
    bool held; /* until they have ended */
    struct link_pair in_held;
    uint64_t told_ms;
    uint32_t first_session; /* index; internal, or the ATTACHED client's */
    struct chain sessions;
    struct chain watchers;
    /*  in the list of jobs to tell about, or whose counts are to be written */
    struct link_pair changed;
    bool is_changed;
    struct link_pair age;  /* all jobs, oldest first */
    struct link_pair busy; /* in the list of jobs with long work: expanding, stopping, ending */
    bool is_busy;
    bool rooted; /* a session of it has a root: it may go on when the job has ended */
    struct {
        uint32_t n;
        uint8_t bytes[64];
    } digest;
    char message[400]; /* the longest reason why an executor did not start fits */
    char submission[NAME_MAX_BYTES + 1];
};

struct watcher {
    uint32_t peer;
    uint32_t job;
    struct link_pair in_job;
};

struct study { /* all are kept, for their names; rows of trials and reports are in the store only */
    uint64_t id;
    uint64_t hash; /* of its name */
    uint32_t by_id, by_hash;
    uint32_t session;    /* index of who drives it; NONE: nobody */
    uint64_t session_id; /* and its id, also of the last one */
    uint32_t state;
    uint32_t was;   /* when its session took it */
    uint64_t owner; /* a user */
    bool decides;   /* its driver answers reports */
    bool stopping;
    char name[NAME_MAX_BYTES + 1];
};

struct node {
    uint64_t id;
    uint32_t link;
    uint32_t peer;
    /*  id of the token that its worker has come with; 0: not yet, to this head */
    uint64_t credential;
    uint32_t state;
    bool bye;              /* it ended in order: what it had is not charged */
    uint32_t draining;     /* enum drain */
    bool drain_over;       /* its grace has passed: what it has is asked back */
    uint64_t drain_ms;     /* when that passes */
    uint64_t unknown_ms;   /* DEAD: until then, attempts that may not start twice wait for news */
    uint64_t exclusive_ms; /* DEAD: from then on its worker has killed its actors, wherever it is */
    uint64_t inventory;    /* seq of the INVENTORY being read */
    uint64_t inventory_whole; /* and of the newest that was read to its end */
    uint32_t ack_count;       /* DONEs that are committed and not acknowledged yet */
    bool acks_synced;         /* one of them must be on the disk first */
    uint64_t acks[ACKS_PER_FRAME_MAX];
    bool doubt;  /* ask for an inventory with the next beat */
    bool resend; /* an inventory is whole: what it lacks is to be said again */
    struct amounts total, free;
    struct amounts owed; /* in use beyond `total`: blocked.c */
    uint64_t heard_ms, gone_ms;
    struct stream starts;
    uint64_t start_seq_at_beat; /* and when the last beat was answered */
    struct chain leases;
    uint32_t calls; /* of them: of methods, which take no resources */
    uint32_t slots; /* of all demands: each is a process, also while what runs in it waits */
    uint32_t attempts_max, processes_max; /* what its worker can hold, and have begun */
    struct node_objects objects;
    struct link_pair all;
    char key[HASH_TEXT + 1];
    char name[NAME_MAX_BYTES + 1];
    char labels[NODE_LABELS_MAX + 1]; /* one per line, the head's own, too */
};

struct core {
    struct limits limits;
    struct config config;
    struct prng rng;
    uint64_t now_ms, wall_ms;
    uint64_t epoch, token_next;
    uint64_t job_last, session_last, spec_last, node_last, study_last, report_last;
    uint64_t user_last, token_last;
    uint64_t packages_ms;    /* when names of packages are looked at; UINT64_MAX: when a job goes */
    uint64_t package_put_ms; /* the newest of them is of then */
    uint64_t expiry_ms; /* when the next token expires, by the wall clock; UINT64_MAX: none does */
    bool admin_kept;    /* the first user has its row */
    bool restoring;

    struct pool parents, children;
    struct map parent_map, parent_tasks, child_map;
    struct chain fated; /* parents whose children are to share their fate */
    struct pool tasks, edges, runs, queues, specs, sessions, jobs, watchers, peers, nodes, studies,
        users, tokens, actors, lanes;
    struct map task_map, edge_map, queue_map, spec_ids, spec_keys, session_map, job_ids, job_hashes,
        peer_map, node_map, study_ids, study_hashes, user_ids, user_hashes, token_ids, token_hashes,
        actor_ids, actor_names, lane_map;
    struct object_directory objects;
    struct heap timers;
    struct demand *demands;
    struct slots *slots; /* [node][demand] */
    uint32_t kind_count;
    char kinds[KINDS_MAX][RESOURCE_NAME_MAX + 1];

    struct chain rebuilds; /* tasks that make lost objects again, by `family` */
    struct chain doomed;   /* tasks that will fail: their argument failed */
    uint32_t borrows; /* edges of sessions that are to be told, by `link`, the newest first; NONE */
    struct chain changed; /* jobs to write counts of and to tell about */
    struct chain busy;    /* jobs with long work */
    struct chain ages;    /* jobs */
    struct chain held;    /* jobs that wait for others */
    struct chain due;     /* sessions */
    struct chain all_peers, all_nodes, all_tokens;
    struct chain actors_due;  /* something is to be done for their calls */
    struct chain actors_dead; /* those that are still remembered, the oldest first */
    struct chain claims;      /* actors that have a name, and are not made yet */
    uint32_t demand_count;    /* demands[] in use, or free for use again, below this */
    uint32_t demand_turn;     /* who is first in the next round */
    uint32_t ranked;          /* queues of another priority than 0 */
    char refusal[160]; /* why a spec was refused just now, for people; empty: its code says it */
    uint32_t nodes_alive;
    bool schedule; /* something changed that may let a task be leased */
    uint64_t scan_ms;
    uint64_t synced_number; /* batches up to this one are on the disk; 0: not even the epoch */
    uint64_t ack_ms;        /* when acknowledgements that wait are said; UINT64_MAX: none waits */
    struct core_stats stats;
    struct tally *tallies; /* survey.h */
    uint32_t tally_count;
    uint64_t retries_by[FAILURES];
    uint64_t nodes_lost;

    struct {
        uint32_t peer;
        uint64_t seq, task;
    } retries[RETRIES_ASKED_MAX];
    uint32_t retry_count;
    uint32_t forgetting; /* jobs that are being deleted because somebody asked */
    uint64_t forgotten[FORGOTTEN_MAX];
    uint32_t forgotten_count;

    /* Effects of this turn; emptied when core_ready() has given them out. */
    uint64_t batch_number;
    uint8_t *rows;
    size_t row_bytes, row_capacity;
    uint32_t row_count;
    struct send *sends;
    uint32_t send_count, send_capacity;
    struct start_send *starts;
    uint32_t start_count, start_capacity;
    struct result_send *results;
    uint32_t result_count, result_capacity;
    struct lease_send *leases;
    uint32_t lease_count, lease_capacity;
    struct decision_send *decisions;
    uint32_t decision_count, decision_capacity;
    struct report_send *reports;
    uint32_t report_count, report_capacity;
    uint64_t *lookups;
    uint32_t lookup_count, lookup_capacity;
    uint8_t *scratch; /* bytes that rows and sends of this turn borrow */
    size_t scratch_bytes, scratch_capacity;
    bool given; /* the last batch was given out: empty it first */
};

/*  The links of each kind of list. */
#define TASK_PLACE   offsetof(struct task, place)
#define TASK_FAMILY  offsetof(struct task, family)
#define QUEUE_DEMAND offsetof(struct queue, in_demand)
#define SPEC_SESSION offsetof(struct spec, in_session)
#define SESSION_JOB  offsetof(struct session, in_job)
#define SESSION_DUE  offsetof(struct session, due)
#define WATCHER_JOB  offsetof(struct watcher, in_job)
#define JOB_CHANGED  offsetof(struct job, changed)
#define JOB_AGE      offsetof(struct job, age)
#define JOB_BUSY     offsetof(struct job, busy)
#define JOB_HELD     offsetof(struct job, in_held)
#define PEER_ALL     offsetof(struct peer, all)
#define TOKEN_ALL    offsetof(struct token, all)
#define NODE_ALL     offsetof(struct node, all)

static inline struct task *task_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->tasks, index);
}
static inline struct spec *spec_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->specs, index);
}
static inline struct queue *queue_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->queues, index);
}
static inline struct session *session_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->sessions, index);
}
static inline struct job *job_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->jobs, index);
}
static inline struct peer *peer_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->peers, index);
}
static inline struct node *node_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->nodes, index);
}
static inline struct actor *actor_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->actors, index);
}
static inline struct lane *lane_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->lanes, index);
}
static inline struct study *study_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->studies, index);
}
static inline struct user *user_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->users, index);
}
static inline struct token *token_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->tokens, index);
}
static inline struct slots *slots_at(const struct core *core, uint32_t node, uint32_t demand)
{
    return &core->slots[(size_t)node * DEMANDS_MAX + demand];
}
static inline struct job *task_job(const struct core *core, const struct task *task)
{
    return job_at(core, spec_at(core, task->spec)->job);
}
static inline uint32_t task_kind(const struct core *core, const struct task *task)
{
    return spec_at(core, task->spec)->kind;
}
static inline bool job_ended(const struct job *job)
{
    return job->state >= JOB_SUCCEEDED;
}

/*  batch.c: effects. */
void emit_row(struct core *core, enum row_kind kind, const void *row, size_t bytes);
#define EMIT(core, name, ...)                                                                      \
    emit_row(core, ROW_##name, &(struct row_##name){ __VA_ARGS__ }, sizeof(struct row_##name))
struct msg *emit_send(struct core *core, uint32_t peer, enum msg_kind kind,
                      bool synced); /* zeroed, kind set */
struct start_send *emit_start(struct core *core);
struct result_send *emit_result(struct core *core);
void emit_lease(struct core *core, uint32_t peer, uint64_t task, uint64_t token, enum recall force);
void emit_decision(struct core *core, uint32_t peer, bool synced,
                   const struct rec_decision *decision);
void emit_report(struct core *core, uint32_t peer, bool synced, uint64_t study,
                 const struct rec_report *report);
void emit_lookup(struct core *core, uint64_t task);
void emit_refused(struct core *core, uint32_t peer, uint64_t seq, int code, const char *text);
struct slice scratch_put(struct core *core, const void *p, size_t n);
void emit_event(struct core *core, const char *kind, uint64_t job, uint64_t node, uint64_t task,
                struct slice text);
bool effects_nearly_full(const struct core *core);
uint64_t stream_place(const struct core *core, struct stream *stream, size_t bytes, bool alone);

/*  task.c: a task from acceptance to its end. */
uint32_t task_unended(const struct core *core, uint64_t id); /* not one that makes objects again */
void task_unready(struct core *core, struct task *task);     /* an argument is lost: WAITING */
void task_attempt_row(struct core *core, const struct task *task, const struct ending *how);
uint32_t task_find(const struct core *core, uint64_t id); /* index, or NONE: ended or unknown */
/*  No room for another one that is so deep.  Tasks wait for those that they submit: of `limit` places some are kept for
    all that are deeper. */
bool tasks_full(const struct core *core, uint32_t depth);
uint32_t children_kept(uint32_t limit, uint32_t depth);

uint32_t task_new(struct core *core, uint32_t session, uint32_t spec, uint64_t id);
void task_args(struct task *task, size_t bytes); /* how large its arguments are */
void task_ready(struct core *core, uint32_t index, bool first);
void task_unqueue(struct core *core, uint32_t index);
struct ending {
    uint32_t failure; /* 0: FINISHED */
    int32_t status;
    uint32_t outcome;
    uint64_t started_ms, run_us, memory_bytes; /* the last: of OUT_OF_MEMORY, what it demands */
    struct slice value, text, output, log;
    struct list sealed;
    uint64_t node;
    uint64_t argument; /* of UPSTREAM: the task that failed; 0: not known */
};
void task_end(struct core *core, uint32_t index, const struct ending *how);
struct slice task_sentence(struct core *core, const struct ending *how); /* of a failure */
void task_attempt_failed(struct core *core, uint32_t index, const struct ending *how, bool system,
                         bool crash);
void task_cancel(struct core *core, uint32_t index, const struct cancel *how);
void task_give_up(struct core *core, uint32_t index,
                  enum failure failure); /* now, wherever it is */
void task_returned(struct core *core, uint32_t index);
void task_restart(struct core *core, uint32_t index, const struct ending *how);
void task_started(struct core *core, uint32_t index, uint64_t started_ms);
void task_leased(struct core *core, struct task *task);
void task_set(struct core *core, struct task *task,
              uint32_t state); /* not by an edge: when it is new */
void task_args_ready(struct core *core, uint32_t index);
void task_timers(struct core *core);
void task_sweep_doomed(struct core *core);
void on_submit(struct core *core, uint32_t peer, const struct msg_submit *msg);
void on_poll(struct core *core, uint32_t peer, const struct msg_poll *msg);
void on_cancel(struct core *core, uint32_t peer, const struct msg_cancel *msg);
void on_retry(struct core *core, uint32_t peer, const struct msg_retry *msg);
void on_looked_up(struct core *core, const struct event *event);
void on_explain(struct core *core, uint32_t peer, const struct msg_explain *msg);
void edge_add(struct core *core, uint64_t dep, uint64_t waiter);
void task_doom(struct core *core, uint32_t index,
               enum failure failure); /* a waiting one: what it waits for will never be there */
void edges_wake(struct core *core, uint64_t dep,
                bool failed); /* the result of `dep` is there, or never will be */

/*  survey.c: counts for people who watch. */
uint32_t tally_find(struct core *core, struct slice name);
void tally_attempt(struct core *core, const struct task *task, uint64_t started_ms,
                   uint64_t run_us);
void tally_ended(struct core *core, const struct task *task, bool failed);
void spec_states(const struct core *core, uint64_t in[TASK_STATES]);

/*  job*.c, session.c, watch.c: jobs, sessions, specs, watchers. */
void on_job_open(struct core *core, uint32_t peer, const struct msg_job_open *msg);
void on_job_attach(struct core *core, uint32_t peer, const struct msg_job_attach *msg);
void on_resume(struct core *core, uint32_t peer, const struct msg_resume *msg);
void on_client_beat(struct core *core, uint32_t peer, const struct msg_client_beat *msg);
void on_bye(struct core *core, uint32_t peer, const struct msg_bye *msg);
void on_job_stop(struct core *core, uint32_t peer, const struct msg_job_stop *msg);
void on_job_delete(struct core *core, uint32_t peer, const struct msg_job_delete *msg);
void on_watch(struct core *core, uint32_t peer, const struct msg_watch *msg);
void on_log(struct core *core, uint32_t peer, const struct msg_log *msg);
uint32_t job_find(const struct core *core, uint64_t id);
uint32_t job_new(struct core *core, uint64_t id, struct slice submission, uint32_t user);
/*  Tasks of an array that are not made yet; what is run again takes numbers after theirs, so only when there are none. */
uint64_t array_left(const struct core *core, const struct job *job);
/*  May the user have so many more unfinished tasks?  Those that its arrays are still to make count. */
bool tasks_allowed(const struct core *core, uint32_t user, uint64_t more);
uint32_t session_new(struct core *core, uint32_t job, uint64_t id);
uint32_t session_find(const struct core *core, uint64_t id);
/*  Of whom a request comes, and whether it may still submit if that is needed; NONE: it is refused. */
uint32_t session_of_request(struct core *core, uint32_t peer, uint64_t seq, uint64_t id, bool open);
void session_due(struct core *core, uint32_t index);
void session_bind(struct core *core, uint32_t index, uint32_t peer);
void session_unbind(struct core *core, uint32_t index); /* no peer refers to it any more */
void session_close(struct core *core, uint32_t index);
void session_closed(struct core *core, uint32_t index);
/*  Those of a detached actor that is dead. */
void sessions_root_ended(struct core *core, uint32_t job, uint64_t root);
void sessions_restored(struct core *core);
/*  May what has this spec start, and start again?  Its job goes on; or it is a detached actor; or one that lives has
    submitted it. */
bool spec_goes_on(const struct core *core, const struct spec *spec);
void session_tell(struct core *core); /* acknowledgements */
void node_tell(struct core *core);    /* likewise */
void ack_soon(struct core *core);
uint32_t spec_new(struct core *core, uint32_t session, uint64_t id, const struct rec_spec *record,
                  int *code);
/*  Its rows.  `bytes`: the record as it was sent. */
void spec_save(struct core *core, uint32_t spec, const struct rec_spec *record, struct slice bytes);
uint32_t spec_find(const struct core *core, const struct session *session, uint32_t index);
void spec_free(struct core *core, uint32_t index);
struct slice job_message(struct core *core, const struct job *job); /* for the turn */
void job_changed(struct core *core, uint32_t index, bool now);
void job_task_ended(struct core *core, uint32_t job, const struct task *task,
                    const struct ending *how);
void job_driver_again(struct core *core, uint32_t job, const struct ending *how);
void job_driver_ended(struct core *core, uint32_t job, const struct ending *how);
void job_work(struct core *core); /* expand, stop, end */
void job_tell(struct core *core); /* counts, watchers */
void job_forget_old(struct core *core);
void session_scan(struct core *core);
void session_synced(struct core *core, uint64_t number);
void watchers_drop(struct core *core, uint32_t peer);
void watcher_drop(struct core *core, uint32_t index);
void tell_state(struct core *core, uint32_t peer, uint64_t seq, uint32_t job, bool synced);
void job_busy(struct core *core, uint32_t index);
void job_specs_free(struct core *core, const struct job *job); /* those without tasks */
void job_end(struct core *core, uint32_t index, enum job_state final, int32_t exit_code);

uint64_t text_hash(struct slice text);

/*  restore.c: rows back into memory. */
void restore_row(struct core *core, const struct restored *row);
void restore_end(struct core *core);
#endif
