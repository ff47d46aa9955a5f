/*  worker.h - the worker as a function: leases, executors, resources, reports, reconnects.
    worker_step() changes memory only; worker_ready() says what must now happen, in order.
    Same rules as head/core/core.h: no I/O, clock, allocation, thread, log or global. */
#ifndef RAYC_WORKER_H
#define RAYC_WORKER_H
#include "common/base.h"
#include "proto/proto.h"

struct worker;

struct worker_limits {
    uint32_t attempts;  /* held at a time: running, waiting, or ended and not yet acknowledged */
    uint32_t executors; /* processes at a time */
    uint32_t specs;
    uint32_t reports; /* DONE frames not yet acknowledged */
};
struct worker_limits worker_limits(void);

struct worker_config {
    char key[HASH_TEXT + 1];        /* of the worker's folder */
    char token[TOKEN_TEXT_MAX + 1]; /* of the worker, for HELLO */
    char name[NAME_MAX_BYTES];
    char labels[LABELS_MAX + 1]; /* KEY=VALUE, one per line */
    char version[32];
    char objects[NAME_MAX_BYTES]; /* where the node gives objects to others, for NODE_JOIN */
    uint64_t store_bytes;         /* of its store */
    uint32_t pid;
    uint32_t idle_ms;  /* an executor without work ends after this long */
    uint32_t grace_ms; /* between SIGTERM and SIGKILL */
    uint32_t amount_count;
    struct {
        char name[RESOURCE_NAME_MAX + 1];
        uint64_t units;
    } amounts[RESOURCES_MAX];
    char gpus[64][8]; /* names for CUDA_VISIBLE_DEVICES, one per whole GPU */
};

enum worker_event_kind {
    WEV_TICK = 1,
    WEV_CONNECTED, /* to a head, maybe another one: say HELLO; `text`: with this token, if there is one */
    WEV_DISCONNECTED,
    WEV_MESSAGE,      /* `msg`; its slices stay valid until ACT_FREE_FRAME of `frame` */
    WEV_PROGRAM,      /* the program of `hash` is here (code OK) or cannot be had (code, text) */
    WEV_SPAWNED,      /* executor `executor` runs as `pid` */
    WEV_SPAWN_FAILED, /* it could not be started: code is errno, text says what */
    WEV_RAN, /* executor `executor` reports one task: `ran`, with its `output` and `log` as in rec_done */
    WEV_TAKEN, /* answer to ACT_TAKE_BACK, told before WEV_EXITED if it can be told at all: of the tasks given,
                            those from `number` on have not begun and never will */
    WEV_EXITED, /* its process group is gone; `status` >= 0 exit status, < 0 -signal; tasks below `number` had begun,
                            of an actor with threads, those of them whose bits are set in `begun`;
                            `text` last lines of its stderr; `value`, `output`, `log`: of a command, see rec_done */
    WEV_WAITS, /* the attempt of `token`, the one that runs in `executor`, waits for others or goes on: `code`, enum held_state */
    WEV_PULLED, /* what the attempt of `task` and `token` needs is here (code OK), or cannot be had (code, text) */
    WEV_STOP /* begin nothing more, let what runs end until `until_ms`, give the rest back, and exit; said again: a new limit */
};

/*  What an event borrows (`msg` of a WEV_MESSAGE apart) stays valid until worker_ready() has said false. */
struct worker_event {
    enum worker_event_kind kind;
    uint64_t now_ms; /* CLOCK_BOOTTIME */
    uint64_t wall_ms;
    const struct msg *msg;
    uint32_t frame;
    struct slice hash;  /* hex digits, as in spec_view.program */
    bool out_of_memory; /* WEV_EXITED: the kernel killed one of its processes for that */
    bool package;       /* WEV_PROGRAM: not a program, but a package of `user`, unpacked */
    uint64_t user;
    uint32_t executor;
    uint32_t number;
    uint32_t pid;
    uint64_t task, token;
    int32_t status;
    int32_t code;
    uint64_t run_us;   /* of a one-shot that exited: since it was started */
    uint64_t until_ms; /* of WEV_STOP: as now_ms */
    bool streams;      /* of a WEV_TICK: the shell still sends output, which a WEV_STOP waits for */
    struct slice text, value, output, log;
    struct slice begun; /* bit n % (8 * begun.n): number n; empty: all below `number` */
    const struct rec_ran *ran;
};

enum act_kind {
    ACT_SEND = 1, /* msg to the head */
    ACT_REPORT, /* one DONE record; neighbours with the same `report` are joined into one DONE frame with seq = report,
                        kept until ACT_FORGET; how 1: send it now, 0: only keep it, ACT_RESEND comes after the next join.
                        `refusal`: of an attempt that is not here, and maybe has ended well */
    ACT_RESEND, /* send the kept DONE frame of seq `report` again */
    ACT_FORGET, /* drop it: acknowledged */
    ACT_FETCH,  /* `hash` is needed, a program, or a package of `user`: answer with WEV_PROGRAM */
    ACT_PULL,   /* `held.sources` are to be on this node, for `user`: answer with WEV_PULLED */
    ACT_SPAWN, /* its id is free again after WEV_EXITED or WEV_SPAWN_FAILED; resident: spec_is_resident().
                        start executor `executor` for spec `spec`; of a command, driver or actor: for attempt `held` */
    ACT_GIVE, /* hand `held` to executor `executor`; neighbours are joined into one RUN.  To an actor's: first its own
                        attempt, which is its constructor, then calls of its methods */
    ACT_TAKE_BACK, /* let the executor claim no more of what was given: answer with WEV_TAKEN */
    ACT_KILL, /* end executor `executor` with all its descendants; how = SIGTERM, SIGINT or SIGKILL */
    ACT_FREE_FRAME, /* nothing refers to frame `frame` any more */
    ACT_EXIT        /* the worker ends; how: 0 in order, 1 come back as a new node */
};

/*  An attempt as the shell needs it to run it; borrowed from the START frame. */
struct held {
    uint64_t task, token;
    uint32_t attempt;
    uint64_t job;
    struct slice args, ticket; /* ticket: of a driver or command, for HELLO */
    struct slice checkpoint;   /* of an actor that starts again */
    struct list deps, sources;
};

struct act {
    enum act_kind kind;
    uint32_t executor;
    uint32_t frame;
    int how;
    uint64_t report;
    /*  ACT_REPORT: what the attempt has sealed is nobody's.  Of one that has not begun, what there is stays: an earlier
        attempt has sealed it. */
    bool unseal;
    const struct spec_view *spec; /* valid while the worker lives */
    struct held held;
    char gpus[256];   /* ACT_SPAWN: CUDA_VISIBLE_DEVICES; "" none */
    const char *hash; /* ACT_FETCH: valid while the worker lives */
    bool package;
    uint64_t user;
    union {
        struct msg msg;
        struct rec_done done;
    } as;
};

/*  A spec, copied from its SPEC_INFO.  Only `body` stays in its frame. */
struct spec_view {
    uint64_t id, job;
    uint32_t kind;
    uint32_t run_ms_max;
    uint32_t cpus_units;   /* for OMP_NUM_THREADS */
    uint64_t user;         /* whose job it is */
    uint64_t memory_bytes; /* that it demands; 0: it does not say */
    char name[NAME_MAX_BYTES + 1];
    char program[HASH_TEXT + 1];
    char submission[NAME_MAX_BYTES + 1];
    uint32_t package_count;
    struct package_view {
        char hash[HASH_TEXT + 1];
        uint32_t kind; /* enum package_kind */
    } packages[PACKAGES_MAX];
    uint32_t concurrency, returns;
    struct slice body, groups,
        group; /* borrowed from its frame, which is never freed before the spec */
};

/*  Its executors speak proto/channel.h. */
static inline bool spec_is_resident(uint32_t kind)
{
    return kind == SPEC_FUNCTION || kind == SPEC_ACTOR;
}

struct worker_batch {
    const struct act *acts;
    uint32_t act_count;
    uint64_t deadline_ms;
};

size_t worker_bytes(const struct worker_limits *limits);
struct worker *worker_init(void *memory, const struct worker_limits *limits,
                           const struct worker_config *config);
void worker_step(struct worker *self, const struct worker_event *event);
/*  As core_ready(): true: do what `out` says, in order, then call again.  What `out` points to is valid until the next
    call.  Call it until it says false at least once per WORKER_EVENTS_PER_TURN events. */
enum { WORKER_EVENTS_PER_TURN = 256 };
bool worker_ready(struct worker *self, struct worker_batch *out);
bool worker_check(const struct worker *self, struct diag *why);

/*  Order after a reconnect: HELLO, WELCOME, then every unacknowledged DONE again, NODE_JOIN, NODE_JOINED, INVENTORY
    (with the unacknowledged ones as ended).  The head resends the START of a lease that the INVENTORY lacks, with the
    same token, in a START frame of its own position: so a START whose token is held, or in an unacknowledged report, is
    dropped, and so is a whole START frame whose position was counted before or covered by an INVENTORY.
    A START of a spec that was never told (its frame was lost) makes the worker say NODE_JOIN again: the head then tells
    every spec again. */
struct worker_stats {
    uint32_t waiting, running, executors, unreported;
    uint64_t node, epoch;
    const char *cluster; /* its id; empty before the first WELCOME */
};
struct worker_stats worker_stats(const struct worker *self);
/*  It waits for NODE_JOINED: one that comes at another time is an answer that was said twice. */
bool worker_joins(const struct worker *self);
/*  Does anything that waits or runs need this package of the user's, or with user 0 this program?  If not, it can go: say so
    with a WEV_PROGRAM whose code is ERR_CLOSED. */
bool worker_needs(const struct worker *self, struct slice hash, uint64_t user);
/*  Was this attempt given to this executor, and has it not ended? */
bool worker_gave(const struct worker *self, uint32_t executor, uint64_t task, uint64_t token);
/*  The attempt that an executor is in, without its arguments; false: it is in none. */
bool worker_runs(const struct worker *self, uint32_t executor, struct held *out, uint32_t *number);
#endif
