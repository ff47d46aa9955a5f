/*  sim.h - the simulated world: what its files share.  One thread, virtual time in microseconds, one seed decides all.

    sim.c      time: the queue of events, the trace, the first failure
    world.c    a world made from a seed, its two phases, its end
    net.c      connections and frames between the head and its endpoints
    head.c     the head's process: the production turn on a real store in memory, killed and started again
    disk.c     what survives a power cut: batches, syncs
    node.c     a worker's process: the production worker core and its frames and reports
    exec.c     executors: processes that begin and end attempts, and the log of effects; begins.c what must hold
    client.c   a model of librayc: sessions, go-back-N, polls, cancels; link.c its connection
    nested.c   tasks that submit tasks; actor.c actors, their calls, and what must hold of them
    place.c    where tasks ask to run, and how urgent they are; store.c what nodes have of values
    user.c     users, their tokens, and who hears of what; quota.c what they have; drain.c nodes that are drained
    study.c    of those, the ones that drive a study, and what the rows say of studies
    report.c   what a worker keeps of its trials: reports, until they are decided on
    faults.c   what goes wrong and when
    oracle.c   what the rows say; rules.c what must hold of them, frames.c of what the head says */
#ifndef RAYC_SIM_H
#define RAYC_SIM_H
#include "common/base.h"
#include "common/prng.h"
#include "head/turn.h"
#include "tests/sim/actor.h"
#include "tests/sim/drain.h"
#include "tests/sim/job.h"
#include "tests/sim/names.h"
#include "tests/sim/nested.h"
#include "tests/sim/place.h"
#include "tests/sim/quota.h"
#include "tests/sim/study.h"
#include "worker/core/worker.h"

enum {
    WORKERS_MAX = 6,
    CLIENTS_MAX = 300, /* all that ever live in one world, drivers on the cluster too */
    ENDPOINTS = WORKERS_MAX + CLIENTS_MAX,
    TAIL_LINES = 40,
    LINE_BYTES = 300,
    EXECUTORS_MAX = 24,          /* of one worker */
    SPECS_MAX = 8,               /* of one client; the last two are actors and their calls */
    USERS_MAX = 3 + WORKERS_MAX, /* of clients; each worker is a user, too */
    TOKEN_TEXT = TICKET_BYTES,
    DEPS_FEW = 3,
    AFTER_FEW = 3
};

struct sim;
typedef void sim_fn(struct sim *sim, uint32_t who, uint64_t number, void *data);

/*  What may go wrong: a chance per million, or a mean time between in milliseconds; 0: not in this seed. */
enum fault {
#define FAULT(NAME, kind, on, low, high, text) FAULT_##NAME,
#include "tests/sim/faults.def"
#undef FAULT
    FAULTS
};

struct sim_event {
    uint64_t at_us, order;
    sim_fn *fn;
    uint64_t number;
    void *data; /* malloced, or NULL; the handler frees it */
    uint32_t who;
};

struct bytes { /* malloced whole */
    size_t n;
    uint8_t p[];
};
struct bytes *bytes_new(const void *p, size_t n);

struct options {
    uint64_t seed, seeds;
    uint64_t minutes;
    bool all_bugs, verbose, json;
};

/* --- oracle.c ----------------------------------------------------------------------------------------- */
struct index { /* from a number to a place in an array; places start at 0 */
    uint64_t *keys;
    uint32_t *places;
    uint32_t capacity, count;
};
uint32_t index_find(const struct index *self, uint64_t key); /* NONE */
void index_add(struct index *self, uint64_t key, uint32_t place);
void index_fini(struct index *self);

struct task_seen { /* one row of `task`, as the rows made it */
    uint64_t id, spec;
    uint64_t token; /* of its newest lease; 0: none yet */
    uint64_t fence; /* tokens up to this are void */
    uint64_t node;
    uint64_t not_before_ms; /* head's boot clock of epoch `due_epoch`: backoff */
    uint64_t due_epoch;
    uint64_t commit; /* of the terminal row */
    uint64_t cancel_commit;
    uint32_t state, failure, attempt, charged, returns, leases;
    uint32_t dep_first, dep_count; /* in deps[] */
    int32_t status;
    bool cancelled, deleted, object_owned;
    bool tree; /* cancelled with all that it submits */
    uint64_t parent, parent_token, again_commit;
    uint32_t object, rebuilds;          /* DIRECTORY_...; 0: it has none; runs for it */
    uint64_t object_node, object_epoch; /* where it is, as the head of that epoch knows */
    uint64_t missing_us;                /* since when no node has it; 0: one has */
    uint64_t hash;                      /* of the terminal row */
    uint64_t ready_ms, ready_epoch;     /* when its row was new, if it was ready; 0: it was not */
    uint64_t actor, checkpoint;         /* of a call; of an actor: hash of its newest, 0: none */
    uint64_t kept;                      /* of an actor: the task whose object that has inside */
};

struct spec_seen {
    uint64_t id, session;
    uint32_t idx, kind, crash_limit, backoff_ms, backoff_ms_max, retry_mode;
    int32_t max_retries;
    bool detached;
    uint64_t owner; /* from its name */
    struct place_seen place;
};

struct session_seen {
    uint64_t id, job, last, low, high;
    uint64_t root; /* the detached actor that it is of */
    bool closed;
};

struct job_seen {
    uint64_t id;
    char submission[64];
    uint64_t digest;
    uint32_t kind, durability, detached, state;
    uint64_t total, finished, failed; /* as the row says */
    uint64_t tasks, done, bad;        /* counted */
    bool deleted, counts_written;
    uint64_t commit;
    uint32_t after_count; /* as it was opened */
    struct after_seen {
        uint64_t job;
        uint32_t condition;
    } after[AFTER_MAX];
};

struct lease_seen {
    uint64_t token, node, first, count;
    bool ended;
};

struct study_seen {
    uint64_t id, session, commit;
    char name[24];
    uint32_t state, trials, reports;
};

struct trial_seen {
    uint64_t study, tag;
    uint32_t number;
};

struct report_seen {
    uint64_t token, study, commit;
    uint32_t number;
};

struct studies_seen {
    struct index trial_index, report_index, saved_index;
    struct study_seen *studies;
    struct trial_seen *trials;
    struct report_seen *reports;
    uint64_t *saved; /* commits of TRIALS */
    uint32_t study_count, trial_count, report_count, saved_count;
    uint32_t study_room, trial_room, report_room, saved_room;
    uint64_t id_max; /* of reports, lost ones, too */
};

struct oracle {
    struct index task_index, spec_index, lease_index, job_index, session_index, good_index;
    struct task_seen *tasks;
    struct spec_seen *specs;
    struct lease_seen *leases;
    struct job_seen *jobs;
    struct session_seen *sessions;
    uint32_t task_count, spec_count, lease_count, job_count, session_count, dep_count;
    uint32_t task_room, spec_room, lease_room, job_room, session_room, dep_room;
    uint64_t *deps;
    uint64_t token_max, epoch, node_max;
    uint64_t commit;
    uint64_t quotas[USERS_MAX]; /* of object bytes */
    bool replaying;             /* rows are read again after a power cut: nothing is checked */
    struct studies_seen studies;
    struct nodes_seen nodes;
    struct names_seen names;
};
void oracle_fini(struct oracle *self);
void oracle_reset(struct oracle *self);
void oracle_batch(struct sim *sim, const struct batch *batch); /* just committed */
struct task_seen *oracle_task(struct sim *sim, uint64_t id);   /* NULL: no row */
struct spec_seen *oracle_spec(struct sim *sim, uint64_t id);
struct session_seen *oracle_session(struct sim *sim, uint64_t id);
struct job_seen *oracle_job(struct sim *sim, uint64_t id);
struct job_seen *oracle_job_of(struct sim *sim, uint64_t task);
void oracle_end(struct sim *sim); /* after healing: everything has ended */

/* --- rules.c, frames.c -------------------------------------------------------------------------------- */
void rule_task_new(struct sim *sim, const struct task_seen *task);
void rule_lease(struct sim *sim, struct task_seen *task, uint64_t token, uint64_t node);
void rule_again(struct sim *sim, const struct task_seen *task, const struct row_task_again *row);
void rule_done(struct sim *sim, const struct task_seen *task, const struct row_task_done *row);
void rule_failed(struct sim *sim, const struct task_seen *task, const struct row_task_failed *row);
void rule_job(struct sim *sim, const struct job_seen *job, const struct row_job_state *row);
void rule_counts(struct sim *sim);
void rule_node_dead(struct sim *sim, const struct row_node_state *row);
/*  A frame that leaves the head: nothing is said that is not committed (synced). */
void rule_sent(struct sim *sim, uint32_t peer, const struct msg *msg);
/*  A worker is about to forget a report. */
void rule_acked(struct sim *sim, const struct msg *done);

/* --- exec.c ------------------------------------------------------------------------------------------- */
struct effect { /* the log of effects, outside of rayc: one run of one attempt */
    uint64_t task, token, value_hash;
    uint64_t checkpoint; /* hash of what a call committed; 0: nothing */
    uint32_t attempt, worker;
    uint32_t outcome;
    int32_t status;
    bool ended;
};

struct item {
    uint64_t task, token;
    uint64_t owner; /* client * 10 + spec */
    uint32_t attempt;
    const struct spec_view *spec;
};

struct executor {
    bool live, up, running, ending;
    bool resident;
    uint32_t generation;
    uint32_t given, begun; /* numbers, as in channel.h */
    struct item now;       /* what runs */
    uint32_t now_number;
    uint32_t room;
    uint32_t effect;            /* of it, in the log */
    uint32_t driver;            /* client index, of a driver or nested; NONE */
    bool blocked;               /* what runs has waited for others */
    struct item *items;         /* [number % room] */
    uint64_t note_us;           /* what it says keeps its order */
    uint32_t reports, reported; /* of the run */
    uint64_t slice_us;          /* between two of them */
    uint64_t actor;             /* whose process it is; 0: of none */
    uint32_t life;              /* of an actor that is alive: its effect; NONE */
    struct item lives;          /* likewise */
};

struct ask { /* a report that is not decided on */
    uint64_t task, token, place;
    uint32_t attempt, number;
};

struct kept { /* a DONE frame */
    uint64_t seq;
    struct bytes *frame;
};

struct node {
    bool alive, stopping;
    uint32_t index, incarnation;
    void *memory;
    struct worker *core;
    uint64_t boot_ms; /* its clock at virtual time 0 */
    int64_t wall_ms;  /* its wall clock is off by so much */
    uint64_t paused_us;
    uint64_t wake, wake_us;    /* number and time of the newest timer */
    uint64_t heard_us;         /* when a frame of it last reached the head */
    uint32_t beat_peer, steps; /* the connection on which it last said that it is a node */
    struct bytes **frames;
    uint32_t frame_count, frame_room;
    struct kept *kept;
    uint32_t kept_count, kept_room;
    struct executor *executors;
    struct ask *asks;
    uint32_t ask_count, ask_room;
    struct node_store *store;
    struct stock *stock;
    uint64_t capacity[3]; /* CPU, memory, GPU */
    struct wire report;   /* DONE records of the report being made */
    uint32_t report_records;
    uint64_t report_seq;
    bool report_send;
    char key[24];
};
void node_open(struct sim *sim, uint32_t index);
void node_start(struct sim *sim, uint32_t who, uint64_t number, void *data);
void node_crash(struct sim *sim, uint32_t index);
void node_close(struct sim *sim, uint32_t index);
void node_stop(struct sim *sim, uint32_t index);
void worker_tell(struct sim *sim, uint32_t index, struct worker_event *event);
void node_connected(struct sim *sim, uint32_t index, bool up);
void node_frame(struct sim *sim, uint32_t index, struct bytes *frame);
void node_check(struct sim *sim, uint32_t index);

void exec_spawn(struct sim *sim, uint32_t node, const struct act *act);
void exec_give(struct sim *sim, uint32_t node, const struct act *act);
void exec_take_back(struct sim *sim, uint32_t node, const struct act *act);
void exec_kill(struct sim *sim, uint32_t node, const struct act *act);
void exec_die(struct sim *sim, uint32_t node, uint32_t executor, int32_t status, uint64_t after_us);
void exec_power_cut(struct sim *sim); /* the id of a task without a row may be another's */
void exec_all_gone(struct sim *sim, uint32_t node); /* the worker's process died */
void exec_driver_ends(struct sim *sim, uint32_t client, int32_t status);
/*  The report of a run that waits for it was decided on; false: no such run is there. */
bool exec_waits(struct sim *sim, uint32_t node, uint64_t place, uint64_t token);
void exec_decided(struct sim *sim, uint32_t node, uint64_t place, uint32_t decision);
struct effect *effect_of(struct sim *sim, uint64_t token);
void value_put(uint64_t task, uint64_t token, uint8_t out[24]);

/* --- net.c -------------------------------------------------------------------------------------------- */
struct connection {
    bool dials; /* its process lives */
    bool up;
    uint32_t peer, generation;
    uint64_t dial;
    uint64_t cut_to_head_us, cut_from_head_us; /* partition, until then */
    uint64_t to_head_us, from_head_us;         /* arrival of the newest frame */
};
void net_dial(struct sim *sim, uint32_t endpoint, uint64_t after_us);
void net_hang_up(struct sim *sim, uint32_t endpoint); /* its process ended */
void net_reset(struct sim *sim, uint32_t endpoint, uint64_t head_hears_us);
void net_head_down(struct sim *sim);
void net_to_head(struct sim *sim, uint32_t endpoint, enum msg_kind kind, const void *value);
void net_frame_to_head(struct sim *sim, uint32_t endpoint, struct slice frame);
void net_from_head(struct sim *sim, uint32_t peer, struct slice frame);
uint32_t net_endpoint(const struct sim *sim, uint32_t peer); /* NONE: gone */

/* --- head.c, disk.c ----------------------------------------------------------------------------------- */
enum doom { DOOM_NONE, DOOM_BEFORE_COMMIT, DOOM_AFTER_COMMIT, DOOM_MID_SEND };

struct saved { /* a batch that was committed */
    uint8_t *rows;
    size_t row_bytes;
    uint32_t row_count;
};

struct inbox_item {
    struct bytes *frame; /* NULL: the connection broke */
    uint32_t peer;
};

struct head {
    struct turn *turn;
    struct store *store;
    struct limits limits;
    struct config config;
    bool up, dead, turn_due, after_sync;
    uint64_t boot_ms;
    int64_t wall_ms;
    uint64_t paused_us;
    uint32_t incarnation, peers, starts;
    uint64_t started_us;
    uint64_t wake, wake_us;
    enum doom doom;
    uint32_t sends_left;
    struct inbox_item *inbox;
    uint32_t inbox_first, inbox_count, inbox_room;
    uint64_t wanted, syncing, synced; /* commits */
    uint64_t slow_until_us;
    uint32_t crashes, power_cuts;
    uint64_t turns;
    struct saved *saved;
    uint32_t saved_count, saved_room;
    uint64_t epoch_seen;
};
void head_open(struct sim *sim);
void head_close(struct sim *sim);
void head_start(struct sim *sim, uint32_t who, uint64_t number, void *data);
void head_crash(struct sim *sim, bool power_cut);
void head_gone(struct sim *sim, uint32_t peer);
void head_frame(struct sim *sim, uint32_t peer, struct bytes *frame);
void head_pause(struct sim *sim, uint64_t for_us);
uint64_t head_now_ms(const struct sim *sim);
uint64_t head_wall_ms(const struct sim *sim);
void head_check(struct sim *sim);
void head_after_sync(struct sim *sim);
void disk_close(struct sim *sim);
void disk_power_cut(struct sim *sim);
void disk_forget_sync(struct sim *sim); /* the process that waited for it is gone */
bool disk_is_synced(const struct sim *sim, uint64_t commit);

/* --- client.c, link.c ---------------------------------------------------------------------------------- */
enum client_kind {
    CLIENT_NONE = 0,
    CLIENT_ATTACHED,
    CLIENT_ARRAY,
    CLIENT_SUBMITTER,
    CLIENT_DRIVER,
    CLIENT_NESTED /* an executor, for what its task submits */
};
enum phase { PHASE_DOWN = 0, PHASE_GREETING, PHASE_OPENING, PHASE_READY };

struct plan { /* of a spec */
    uint32_t kind;
    uint32_t run_us;
    uint32_t app_error, death, odd; /* chances per 1000 */
    bool too_long;
    uint64_t demand[3]; /* CPU, memory, GPU */
    uint32_t reports;   /* of a run */
    uint32_t running_max;
    bool nests;     /* its attempts submit tasks */
    uint64_t where; /* hash of strategy and labels */
};

#define SEQ_SESSION (1ull << 62) /* of a request that only an open session may make */
struct call {
    uint32_t spec, dep_count;
    uint32_t inside;              /* counter of what its arguments have inside; 0: nothing */
    uint64_t deps[DEPS_FEW];      /* counters, or ids of others' */
    uint64_t stored_at;           /* of a value: the node whose store has it; 0: it is inline */
    bool told, cancel, cancelled; /* told: its result was seen */
    uint32_t failure, attempt;
    uint64_t hash;  /* of the result */
    bool maybe;     /* a power cut may have taken it */
    uint32_t actor; /* of a call of an actor: its counter */
};

struct client {
    enum client_kind kind;
    uint32_t index;
    bool alive, finished;
    uint32_t seat; /* who begins the next program; NONE */
    enum phase phase;
    uint64_t seq, opening_seq, beat_seq, epoch, session, job;
    uint64_t greeted_ms, beat_at_ms, asked_ms, polled_ms;
    uint64_t results_seen, poll_next, beat_below;
    uint32_t stalled, missed;
    uint64_t resend_at_ms, stop_at_ms;
    uint32_t user;
    uint64_t token, driver;  /* of a driver, or nested: the token of its attempt, and its task */
    uint32_t node, executor; /* likewise */
    uint32_t depth;          /* of a nested one: from 1 */
    bool blocked;            /* it waits for what it has submitted */
    bool slow;               /* of an actor, which does now this and now that */
    uint64_t beat_sent_ms, heard_ms; /* of the newest beat; of the newest that was answered */
    uint32_t spec_count;
    struct plan plans[SPECS_MAX];
    struct bytes *specs[SPECS_MAX]; /* encoded SPEC records */
    uint32_t spec_first[SPECS_MAX]; /* counter of the call that used it first; 0: none yet */
    uint32_t durability;
    uint64_t array_count;
    uint32_t planned, made;               /* calls */
    uint64_t below, kept, unsent;         /* as librayc's outbox: counters */
    uint64_t drops, dropped_ms;           /* REFS that were taken; when the newest was said */
    uint64_t borrowed, asked_us;          /* another's task, of which it has a reference; for it */
    uint64_t late, late_ms, late_waiters; /* a value that is said then; calls that name it */
    bool asks_borrowed, knows_borrowed;   /* the head is to be asked; has told how it ended */
    uint64_t told_count, cancels;         /* cancels: wanted and not yet acknowledged */
    struct call *calls;                   /* [counter] */
    uint32_t actors[3], actor_count;      /* counters */
    uint64_t actors_until_ms;             /* they are kept so long; 0: not drawn yet */
    bool detaches;                        /* they are detached */
    struct naming naming;
    uint64_t wake, wake_us;
    bool linger; /* waits for results; false: submits and leaves */
    char submission[48];
    struct driven study;
    uint32_t after_count;
    struct {
        uint32_t client, condition;
    } after[AFTER_FEW];
    bool deletes, deletes_early, deleted; /* its job, when it has ended, or before that */
    uint64_t delete_seq;
};
void clients_open(struct sim *sim);
void clients_close(struct sim *sim);
uint32_t client_driver_new(struct sim *sim, uint32_t node, uint32_t executor, uint64_t job,
                           uint64_t token);
void client_die(struct sim *sim, uint32_t index);
void client_leave(struct sim *sim, struct client *self, int32_t status);
void client_connected(struct sim *sim, uint32_t index, bool up);
void client_frame(struct sim *sim, uint32_t index, struct bytes *frame);
void client_wake_at(struct sim *sim, struct client *self, uint64_t at_us);
void client_say(struct sim *sim, struct client *self, enum msg_kind kind, const void *value);
uint64_t client_now_ms(const struct sim *sim);
void client_specs(struct sim *sim, struct client *self);
void client_make_calls(struct sim *sim, struct client *self, uint32_t count);
void client_push(struct sim *sim, struct client *self);
void client_hello(struct sim *sim, struct client *self);
void client_on_message(struct sim *sim, struct client *self, const struct msg *msg);
void client_tick(struct sim *sim, struct client *self);
void client_power_cut(struct sim *sim); /* results that were not synced may be lost */
/*  A program that runs in an executor: `as` has its kind, and whose it is. */
uint32_t client_inside(struct sim *sim, const struct client *as);
const struct plan *client_plan(struct sim *sim, uint64_t owner);

/* --- user.c ------------------------------------------------------------------------------------------- */
#define SEQ_PRIES (1ull << 60) /* a request for what is another user's; its answer means nothing */
void users_draw(struct sim *sim);
void users_make(struct sim *sim);
void users_heal(struct sim *sim);
void user_revoke(struct sim *sim);
void user_pries(struct sim *sim, struct client *self);
uint32_t user_of_job(struct sim *sim, uint64_t job); /* NONE: unknown */
void token_text(const struct sim *sim, uint32_t endpoint, char out[TOKEN_TEXT]);
void proof_of(struct slice token, struct proof *out);
bool task_is_foreign(struct sim *sim, uint32_t peer,
                     uint64_t task); /* another user's than the peer's */
void rule_owner(struct sim *sim, const struct row_job_new *row);
void rule_heard(struct sim *sim, uint32_t peer, const struct msg *msg);

/* --- faults.c ----------------------------------------------------------------------------------------- */
void faults_open(struct sim *sim);
void faults_heal(struct sim *sim);
bool fault_strikes(struct sim *sim, enum fault fault); /* of a chance */

/* --- the world ---------------------------------------------------------------------------------------- */
struct sim {
    uint64_t seed;
    uint64_t now_us, heal_us, end_us;
    bool healed, verbose;
    bool nests; /* tasks submit tasks */
    struct prng world, net, fate, run, tune, kin, jobs, users, values, places, quota,
        actors; /* generators of their own, so that one part does not disturb another */
    struct sim_event *queue;
    uint32_t queue_count, queue_room;
    uint64_t order;

    uint64_t trace; /* hash of everything that happened */
    bool record;
    uint32_t line;
    char lines[TAIL_LINES][LINE_BYTES];
    void *escape; /* jmp_buf */
    bool failed;
    int invariant;
    char why[400];
    uint64_t failed_us;

    uint32_t faults[FAULTS];
    uint32_t latency_us, jitter_us;
    struct head head;
    uint32_t worker_count, client_count;
    struct node nodes[WORKERS_MAX];
    struct client clients[CLIENTS_MAX];
    struct connection connections[ENDPOINTS];
    struct oracle oracle;
    struct effect *effects;
    uint32_t effect_count, effect_room;
    struct index effect_index;
    struct index died;    /* tasks whose objects a node had that was lost */
    struct index started; /* task id: starts of it */
    uint32_t *started_count;
    uint32_t started_room;
    struct wire wire, elements, extra; /* scratch */
    bool studies;                      /* in this world */
    bool ranks;                        /* priorities */
    uint32_t user_count;               /* that clients belong to */
    bool disabled[USERS_MAX];
    uint64_t *answered; /* reports of level full that were decided on: token, number, in turn */
    uint32_t answered_count, answered_room;
    struct lanes_seen lanes;
    uint64_t frames, tasks_done, steps;
};

void sim_at(struct sim *sim, uint64_t at_us, sim_fn *fn, uint32_t who, uint64_t number, void *data);
bool sim_step(struct sim *sim); /* false: nothing is left to happen */
void sim_fini(struct sim *sim);
void sim_mix(struct sim *sim, const void *p, size_t n);
void sim_mix_u64(struct sim *sim, uint64_t value);
__attribute__((format(printf, 2, 3))) void sim_note(struct sim *sim, const char *format, ...);
void sim_note_msg(struct sim *sim, const char *from, const char *to, const struct msg *msg);
_Noreturn __attribute__((format(printf, 3, 4))) void sim_fail(struct sim *sim, int invariant,
                                                              const char *format, ...);
#define SIM_NOTE(sim, ...)                                                                         \
    do {                                                                                           \
        if ((sim)->record) {                                                                       \
            sim_note(sim, __VA_ARGS__);                                                            \
        }                                                                                          \
    } while (0)
uint64_t hash_bytes_of(uint64_t hash, const void *p, size_t n);
void *grown(void *array, uint32_t *room, uint32_t count, size_t each); /* room for one more */
static inline bool chance(struct prng *rng, uint32_t per_mille)
{
    return prng_below(rng, 1000) < per_mille;
}
static inline uint64_t between(struct prng *rng, uint64_t low, uint64_t high)
{
    return low + prng_below(rng, high - low + 1);
}

struct outcome_of_seed {
    bool failed;
    int invariant;
    char why[400];
    uint64_t failed_us, virtual_us, trace;
    uint64_t head_crashes, power_cuts, tasks, effects, frames;
};
/*  Runs one world.  `sim` is zeroed by the callee and too large for the stack. */
void world_run(struct sim *sim, uint64_t seed, const struct options *options, bool record,
               struct outcome_of_seed *out);
extern struct sim *sim_now; /* the one that runs: for what the linker wraps */
#endif
