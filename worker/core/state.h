/*  state.h - what the worker's core remembers: one struct per noun, linked by index, and who owns which file.
    Private to worker/core.

    attempt   one START: waits in its lane, is given to an executor, has ended, is in a report until DONE_ACK
    lane      attempts that any executor of one kind may run: same job, program and demand; first come, first served
    executor  a process: resident (runs many attempts of its lane) or one-shot (a command or driver); or an actor's, which
              runs one attempt of its lane, and calls of that actor
    report    a DONE frame that the shell keeps until it is acknowledged
    frame     a START frame that attempts and specs borrow bytes from */
#ifndef RAYC_WORKER_STATE_H
#define RAYC_WORKER_STATE_H
#include "common/heap.h"
#include "common/list.h"
#include "common/map.h"
#include "common/pool.h"
#include "worker/core/worker.h"

enum {
    ACTS_MAX = 1024,                        /* of one worker_ready() */
    REFUSALS_MAX = 2 * CALLS_PER_FRAME_MAX, /* reports about attempts that are not held */
    HELD_BYTES = 40,                        /* of an encoded HELD record, at most */
    SCRATCH_BYTES = CALLS_PER_FRAME_MAX * HELD_BYTES,
    REPORT_BYTES = 4 * MIB,
    GPUS_MAX = 64,
    BATCH_MAX = 256,
    BATCH_US = 1000,        /* of work in one batch */
    LONG_US = 5000,         /* attempts of this mean are given one at a time */
    BACKLOG_US = 2000,      /* of waiting work that is worth another executor */
    BALANCE_MS = 5,         /* given and not begun for this long: another executor may have it */
    PASSED_MAX = 64,        /* admissions that may overtake a demand that does not fit */
    START_FAILURES_MAX = 3, /* processes of a lane that died in their start-up, in a row */
    SPAWN_AGAIN_MS = 100,
    DRAIN_SEQ = 1 << 30, /* of NODE_DRAIN: nothing else that a worker asks counts so far */
    GREET_MS = 2000      /* HELLO or NODE_JOIN without an answer is said again */
};

enum attempt_state {
    ATTEMPT_FREE = 0,
    ATTEMPT_PULLING, /* its stored arguments are not on this node */
    ATTEMPT_WAITING,
    ATTEMPT_GIVEN,
    ATTEMPT_ENDED,
    ATTEMPT_REPORTED
};

/*  What somebody wants of an attempt that was given; a greater one includes the smaller ones. */
enum want {
    WANT_NOTHING = 0,
    WANT_RETURN,    /* RECALL_IF_WAITING */
    WANT_GIVE_BACK, /* RECALL_GIVE_BACK, or the worker ends */
    WANT_TERM,      /* RECALL_TERM */
    WANT_KILL,      /* RECALL_KILL */
    WANT_DROP       /* a newer attempt of the same task is here: this one is never reported */
};

struct attempt {
    uint64_t task; /* key of the map */
    uint64_t token;
    uint64_t arrival;    /* order of arrival, over all lanes */
    uint64_t started_ms; /* wall clock; 0: has not begun, as far as is known */
    uint64_t run_us;
    struct link_pair place; /* in the chain that its state names */
    uint32_t link;
    uint32_t spec, frame, owner; /* owner: executor of a given one, report of a reported one */
    uint32_t attempt;
    /*  among all that was given to its executor; NONE: an actor's, which has not been told of it */
    uint32_t number;
    int32_t status;
    uint8_t state, want, outcome;
    uint8_t how;   /* of one that runs, or pulls: enum held_state; 0: it has not said */
    bool tell_how; /* that is news for the head */
    bool timed_out;
    bool asked; /* of a pulling one: the shell */
    union {
        struct {
            struct slice args, ticket, checkpoint;
            struct list deps, sources;
        } in; /* until it has ended; borrowed from its frame */
        struct {
            struct slice value, text, output, log, checkpoint;
            struct list sealed;
        } out; /* from then until it is in a report; borrowed from an event */
    } as;
};

struct frame {
    uint32_t id; /* the shell's */
    uint32_t refs;
    struct link_pair place; /* in `loose`, when nothing refers to it */
};

struct spec {
    struct spec_view view; /* view.id is the key of the map */
    uint32_t link;
    uint32_t lane, frame; /* lane NONE: the slot is free */
    uint32_t mean_us16;   /* mean run time in 1/16 us */
    bool known;           /* at least one attempt has run */
    bool used;            /* while specs_forget() looks */
};

enum program_state { PROGRAM_ABSENT = 0, PROGRAM_WANTED, PROGRAM_FETCHING, PROGRAM_HERE };

struct program {
    uint64_t key;
    uint32_t link;
    bool known;   /* the slot is in use */
    bool package; /* of `user` */
    uint64_t user;
    uint32_t state;
    uint32_t lanes;         /* that need it */
    struct link_pair place; /* in `fetches`, until ACT_FETCH */
    char hash[HASH_TEXT + 1];
};

struct lane {
    uint64_t key;   /* hash of what its attempts have in common */
    uint64_t front; /* arrival of the first that waits; in the heap of lanes */
    uint32_t link, in_heap;
    uint64_t job;
    uint32_t specs;
    uint32_t needs[1 + PACKAGES_MAX]; /* programs and packages to be fetched first */
    uint32_t need_count;
    bool resident;   /* its executors run many attempts */
    bool actor;      /* its attempts are actors */
    bool infeasible; /* `why` says what this node lacks */
    uint32_t demand_count;
    struct {
        uint32_t resource; /* index in config.amounts */
        uint64_t units;
    } demand[RESOURCES_MAX];
    uint64_t gpu_units;
    struct chain waiting;
    struct chain idle;   /* executors that have nothing, the hottest first */
    struct chain hungry; /* that would take another batch */
    struct chain busy;   /* all others */
    uint32_t spawning;   /* of busy */
    uint32_t stuck;      /* of busy: what they are in takes longer than was expected */
    uint32_t start_failures;
    uint32_t passed;  /* attempts of other lanes that overtook its front */
    uint64_t missing; /* bits of resources: what it lacked when it was looked at last */
    uint64_t mark;
    struct link_pair aside;
    char why[96 + RESOURCE_NAME_MAX];
};

enum executor_state { EXECUTOR_FREE = 0, EXECUTOR_SPAWNING, EXECUTOR_READY, EXECUTOR_ENDING };
enum executor_place { PLACE_NONE = 0, PLACE_IDLE, PLACE_HUNGRY, PLACE_BUSY };

struct executor {
    uint64_t timer; /* not later than anything that is due; in the heap of executors */
    uint32_t in_heap;
    uint32_t lane;
    uint32_t pid;
    uint32_t next_number;
    uint8_t state, place;
    bool holds;    /* its demand is taken from the free resources */
    bool reported; /* it has ended at least one attempt */
    bool taking;   /* ACT_TAKE_BACK is not answered yet */
    bool stuck;
    bool waits; /* the first waits for others: its CPUs are given back */
    bool evicted;
    bool killed; /* SIGKILL was sent */
    bool acting; /* in `acting`: an act is due */
    bool take_due;
    bool alive;     /* an actor's whose constructor has returned */
    bool alive_due; /* the head is to be told so */
    bool calling;   /* in `calling` */
    bool quiet;     /* an actor's: told of nothing more before the call that it is in has ended */
    bool lapsed;    /* an actor's that was killed because the head may have given this node up */
    int signal_due;
    struct link_pair in_lane; /* in the chain that `place` names */
    struct link_pair in_idle; /* in `idlers`, the longest idle first */
    struct link_pair in_acting;
    struct link_pair in_calling; /* in `calling`: an actor's, which is to be told of attempts */
    /*  attempts, in order; the first is the one that runs.  Of an actor: its own, then calls */
    struct chain given;
    /*  the first of them that an actor has not been told of; NONE: it has been of all */
    uint32_t untold;
    uint64_t began_ms; /* when the first of them began */
    uint64_t idle_ms;  /* since when it is idle */
    uint64_t balance_ms;
    uint64_t kill_ms; /* SIGKILL then; 0: never */
    uint64_t gpu_mask, gpu_each;
};

struct report {
    uint64_t seq;
    uint64_t sent_ms;
    uint32_t link;
    struct chain attempts;
    struct link_pair place; /* in `sent`, the longest unsent first, or in `forgotten` */
};

struct
    refusal { /* kept until its report is acknowledged: a START of it that was sent before that is dropped */
    uint64_t task, token; /* token 0: acknowledged, behind one that is not */
    uint64_t report;      /* seq; 0: not reported yet */
    uint64_t actor;       /* of a call: no later one of its lane may begin before the head knows */
    uint32_t outcome;
};

enum membership { LINK_DOWN = 0, LINK_GREETING, LINK_JOINING, LINK_JOINED };

struct worker {
    struct worker_limits limits;
    struct worker_config config;
    uint64_t now_ms, wall_ms;
    bool started;  /* the first event has told the time */
    bool stopping; /* WEV_STOP */
    bool exiting;  /* kill all, then ACT_EXIT */
    bool gone;     /* ACT_EXIT was given out */
    int exit_how;
    uint64_t stop_ms; /* when what runs is given back */
    /*  until then, a head that is away is waited for, though there is nothing to tell */
    uint64_t bye_ms;
    uint64_t last_ms; /* when the worker ends, whatever is left */
    bool giving_back; /* that has been begun */
    bool streams;     /* the shell still sends output */
    bool drain_due,
        drain_told; /* NODE_DRAIN is to be said; was answered, by the head of this connection */

    /* membership.c */
    enum membership link;
    uint64_t link_ms; /* since when */
    uint64_t epoch, node, node_lost;
    char cluster[HASH_TEXT + 1];
    uint32_t beat_ms, lease_ms, orphan_ms, embedded;
    uint64_t heard_ms, beat_at_ms, beat_acked_ms;
    uint64_t join_ms,
        sure_ms; /* NODE_JOIN was said; the newest of what was said that a head has surely heard */
    uint64_t start_seen, start_newest; /* without a gap; at all */
    uint64_t behind_seen;
    uint32_t behind;    /* beats in a row that told of STARTs which have not come */
    uint32_t beat_from; /* executor that the next beat begins with */
    uint32_t inventory_from;
    uint64_t inventory_seq, inventory_newest;
    /*  calls are taken from STARTs that were said with knowledge of this INVENTORY */
    uint64_t calls_from;
    bool bye_due, hello_due, join_due, inventory_due, inventory_open;

    struct pool attempts, frames, specs, programs, lanes, executors, reports;
    struct map attempt_map, spec_map, program_map, lane_map, report_map;
    struct heap lane_heap, executor_heap;
    uint32_t frame_now;     /* of the message being handled */
    struct chain loose;     /* frames to free */
    struct chain fetches;   /* programs to fetch */
    struct chain idlers;    /* executors */
    struct chain acting;    /* executors */
    struct chain calling;   /* executors of actors */
    struct chain pulls;     /* attempts that need objects: not said yet */
    struct chain pulling;   /* and said */
    struct chain ended;     /* attempts to report */
    struct chain sent;      /* reports */
    struct chain forgotten; /* reports */
    uint64_t arrivals, admissions, report_next;
    uint64_t spawn_again_ms; /* no resident executors before this */
    uint32_t waiting, running, evicting;
    uint32_t actors;    /* executors of actors */
    uint32_t alive_due; /* executors with that flag */
    bool admit;         /* something changed that may let an attempt start */

    uint64_t free[RESOURCES_MAX];
    uint64_t cpu_owed;
    uint64_t gpu_free[GPUS_MAX];
    uint32_t cpu;            /* index in config.amounts, or NONE */
    uint32_t gpu, gpu_count; /* likewise */
    bool tell_how;           /* some attempt has news of that kind */
    bool tell_pulls;         /* likewise, one that pulls, or has pulled */
    uint32_t pulls_told;     /* attempts whose CPUs are free for others, as the head knows */

    struct refusal *refusals;
    uint32_t refusal_first, refusal_count,
        refusals_told; /* those that are in a report come first */
    struct act *acts;
    uint32_t act_count;
    struct wire scratch;
};

/*  The links of each kind of chain. */
#define ATTEMPT_PLACE    offsetof(struct attempt, place)
#define FRAME_PLACE      offsetof(struct frame, place)
#define PROGRAM_PLACE    offsetof(struct program, place)
#define LANE_ASIDE       offsetof(struct lane, aside)
#define EXECUTOR_LANE    offsetof(struct executor, in_lane)
#define EXECUTOR_IDLE    offsetof(struct executor, in_idle)
#define EXECUTOR_ACTING  offsetof(struct executor, in_acting)
#define EXECUTOR_CALLING offsetof(struct executor, in_calling)
#define REPORT_PLACE     offsetof(struct report, place)

static inline struct attempt *attempt_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->attempts, index);
}

static inline struct spec *spec_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->specs, index);
}

static inline struct lane *lane_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->lanes, index);
}

static inline struct executor *executor_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->executors, index);
}

static inline struct report *report_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->reports, index);
}

static inline struct program *program_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->programs, index);
}

/* worker.c */
struct act *act_new(struct worker *self, enum act_kind kind); /* there is room: act_room() */
static inline bool act_room(const struct worker *self)
{
    return self->act_count < ACTS_MAX;
}
void worker_end(struct worker *self, int how); /* kill all, then ACT_EXIT */
void worker_drop_all(struct worker *self); /* attempts, executors, reports: the node was given up */

/* frames.c: bytes that are borrowed */
uint32_t frame_take(struct worker *self, uint32_t id); /* with one reference, the caller's */
void frame_hold(struct worker *self, uint32_t frame);
void frame_release(struct worker *self, uint32_t frame);
void frames_emit(struct worker *self);

/* specs.c: specs, lanes, programs */
uint32_t spec_index(const struct worker *self, uint64_t id);
void spec_learn(struct worker *self, const struct rec_spec_info *info, uint32_t frame);
void specs_forget(struct worker *self); /* forget.c */
void spec_ran(struct spec *spec, uint64_t run_us);
void lane_touch(struct worker *self,
                uint32_t lane); /* its front changed: keep the heap of lanes right */
bool lane_can_start(const struct worker *self, const struct lane *lane);
void on_program(struct worker *self, const struct worker_event *event);
void programs_emit(struct worker *self);

/* pulls.c: attempts whose stored arguments are on other nodes */
bool pull_needed(const struct worker *self, const struct rec_start *start);
void pull_add(struct worker *self, uint32_t attempt);
void pull_remove(struct worker *self, uint32_t attempt);
void on_pulled(struct worker *self, const struct worker_event *event);
void pulls_emit(struct worker *self);
uint32_t pulls_count(const struct worker *self);

/* attempts.c */
void on_start(struct worker *self, const struct worker_event *event);
void on_recall(struct worker *self, const struct worker_event *event);
uint32_t attempt_find(const struct worker *self, uint64_t task, uint64_t token);
uint32_t attempt_new(struct worker *self, const struct rec_start *start, uint32_t spec,
                     uint32_t frame);
void attempt_queue(struct worker *self, uint32_t index); /* a new one, or one that was pulling */
void attempt_requeue(struct worker *self,
                     uint32_t index); /* given: back to the front of its lane */
/*  It ends as `how` says (outcome, status, times, bytes), or as its `want` says. */
void attempt_end(struct worker *self, uint32_t index, const struct rec_done *how);
void attempt_drop(struct worker *self, uint32_t index); /* without a report */
void attempt_end_as(struct worker *self, uint32_t index, enum outcome outcome, const char *text);
void attempt_want(struct worker *self, uint32_t index, enum want want); /* a given one */
struct held attempt_held(const struct worker *self, uint32_t index);

/* executors.c */
uint32_t executor_spawn(struct worker *self,
                        uint32_t lane); /* for its front; NONE: no room for a process */
void executor_give(struct worker *self, uint32_t index); /* a batch from its lane */
void executor_place(struct worker *self, uint32_t index);
void executor_end(struct worker *self, uint32_t index, int signal);
void executor_signal(struct worker *self, uint32_t index, int signal);
void executor_take_back(struct worker *self, uint32_t index);
void executor_stick(struct worker *self, uint32_t index);  /* it gets nothing more for now */
void executor_timer(struct worker *self, uint32_t index);  /* after a change: wake early enough */
void executor_begins(struct worker *self, uint32_t index); /* the first of what it was given */
void executors_tick(struct worker *self);
void executors_emit(struct worker *self);

/* actors.c: executors of actors, and the calls of their methods */
void on_call(struct worker *self, const struct rec_start *start, uint32_t spec, uint32_t frame);
void actor_gone(struct worker *self, uint32_t index); /* its executor is being freed */
void actor_spawned(struct worker *self, uint32_t index);
void actor_ran(struct worker *self, const struct worker_event *event);
void actor_taken(struct worker *self, const struct worker_event *event);
void actor_exited(struct worker *self, const struct worker_event *event);
void actor_want(struct worker *self, uint32_t attempt, enum want want); /* of a given one */
void actor_loses(struct worker *self,
                 uint32_t attempt);          /* before it leaves the chain of its executor */
void actors_tell_again(struct worker *self); /* which are alive */
void actors_tick(struct worker *self);
void actors_emit(struct worker *self);
/*  HELDs of ACTOR_ALIVE into the scratch; how many */
uint32_t actors_put_alive(struct worker *self);
uint32_t actor_call_now(const struct worker *self,
                        const struct executor *executor); /* that runs; NONE */
uint64_t actors_deadline(const struct worker *self);

/* outcomes.c: what executors report */
void executor_free(struct worker *self, uint32_t index);
uint32_t outcome_told(uint32_t outcome);
enum outcome outcome_of_death(const struct worker_event *event);
void on_spawned(struct worker *self, const struct worker_event *event);
void on_spawn_failed(struct worker *self, const struct worker_event *event);
void on_ran(struct worker *self, const struct worker_event *event);
void on_taken(struct worker *self, const struct worker_event *event);
void on_exited(struct worker *self, const struct worker_event *event);

/* waits.c: who waits for others */
void on_waits(struct worker *self, const struct worker_event *event);
void executor_goes_on(struct worker *self, uint32_t index);
uint64_t lane_cpus(const struct worker *self, const struct lane *lane);
void cpus_give(struct worker *self, uint64_t units);

/* admission.c: resources, and who is next */
bool resources_fit(struct worker *self, struct lane *lane); /* else lane->missing says what lacks */
void resources_take(struct worker *self, uint32_t executor);
void resources_give(struct worker *self, uint32_t executor);
bool lane_wants_executor(const struct worker *self, const struct lane *lane);
void admission_run(struct worker *self);

/* drain.c: the end in order */
void on_stop(struct worker *self, const struct worker_event *event);
void on_drain_answer(struct worker *self, const struct worker_event *event);
void drain_joined(struct worker *self);
void drain_tick(struct worker *self);
uint64_t drain_deadline(const struct worker *self);

/* reports.c */
void report_refusal(struct worker *self, uint64_t task, uint64_t token, enum outcome outcome);
void report_refusal_of_call(struct worker *self, const struct rec_start *start);
bool report_holds_up(struct worker *self,
                     const struct rec_start *call); /* an earlier refusal does */
bool report_refused(const struct worker *self, uint64_t task,
                    uint64_t token); /* and not acknowledged */
void on_done_ack(struct worker *self, const struct worker_event *event);
void reports_resend_all(struct worker *self);
void reports_forget_all(struct worker *self);
bool reports_full(const struct worker *self);
bool reports_told(const struct worker *self); /* all that has ended is acknowledged */
bool reports_made(const struct worker *self); /* or at least in a report */
bool reports_resending(const struct worker *self);
uint64_t reports_deadline(const struct worker *self);
void reports_emit(struct worker *self);

/* membership.c: the head, as the worker knows it */
void on_connected(struct worker *self, const struct worker_event *event);
void on_disconnected(struct worker *self, const struct worker_event *event);
void on_welcome(struct worker *self, const struct worker_event *event);
void on_who(struct worker *self, const struct worker_event *event);
void on_node_joined(struct worker *self, const struct worker_event *event);
void on_node_beat_ack(struct worker *self, const struct worker_event *event);
void on_node_stop(struct worker *self, const struct worker_event *event);
void membership_rejoin(
    struct worker *self); /* say NODE_JOIN again: the head must tell its specs again */
void held_put(struct worker *self, const struct attempt *attempt); /* into the scratch */
void membership_tick(struct worker *self);
void membership_emit(struct worker *self);
uint64_t membership_deadline(const struct worker *self);
#endif
