/*  rayc.h - run this program's functions as tasks on a rayc cluster.

    One executable is both the program and the code of its tasks: RAYC_TASK() registers a function, and when a
    worker starts the same executable, rayc_init() serves tasks there and does not return.  So call rayc_init()
    first in main().

    One process, one cluster; after a fork() the child has none, and may call rayc_init() itself.  Every function is
    thread-safe, and none may be called in a signal handler.  Functions that return int or a count: zero or more
    is success, a code below zero (enum below) is not, and rayc_error() describes this thread's last failure.
    rayc_submit() never fails: rayc_get() tells.  Arguments are copied.  A reference is yours until rayc_drop();
    a value is read-only and lives as long as its reference. */
#ifndef RAYC_H
#define RAYC_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RAYC_API          __attribute__((visibility("default")))
#define RAYC_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define RAYC_API
#define RAYC_PRINTF(f, a)
#endif

/*  Failures.  The numbers are for ever. */
enum {
    RAYC_OK = 0,
    RAYC_EMEMORY = -1,   /* out of memory */
    RAYC_ESYSTEM = -2,   /* a system call failed */
    RAYC_ETOOLARGE = -7, /* arguments over RAYC_VALUE_MAX; or a value that no store can have */
    RAYC_EVERSION = -8,  /* the head speaks another version of the protocol */
    RAYC_EUNREACHABLE =
        -9, /* no head answered for as long as RAYC_RECONNECT_MS (default 10 minutes) */
    RAYC_ETIMEOUT = -10,  /* not ready in time; the task goes on */
    RAYC_ENOTFOUND = -11, /* no such reference, program or cluster */
    RAYC_ECONFLICT = -12, /* it exists already: an actor of this name, a cluster of this process */
    RAYC_EINVALID = -13,  /* a wrong argument of yours; the text says which */
    RAYC_EKEY = -14,      /* the access file is missing or has no key, or that was refused */
    RAYC_EBUSY = -15,     /* a limit of the head is reached */
    RAYC_ECLOSED = -16,   /* before rayc_init() or after rayc_shutdown() */
    RAYC_ESTALE = -17,    /* this attempt was given up: another one has its place */
    RAYC_EINFEASIBLE = -18, /* no node can ever meet the demand */
    RAYC_EFORBIDDEN = -19,  /* the role of your token may not do that */
    RAYC_ETOKEN = -20,      /* your token is missing, wrong, expired or revoked */
    RAYC_EQUOTA = -21,      /* the user has as many jobs, tasks or bytes of values as it may */
    RAYC_ETASK = -30,       /* the task failed: app_code is its own code, or its exit status */
    RAYC_EDIED = -31,       /* its process or node died more often than retries allow */
    RAYC_ECANCELLED = -32,  /* it was cancelled, or its job was stopped */
    RAYC_EARG = -33,        /* it read an argument as another kind, or one that there is not */
    RAYC_EUPSTREAM = -34,   /* an argument is the result of a failed task */
    RAYC_EUNKNOWN =
        -35, /* contact was lost; whether it ran is not known (only with max_retries 0) */
    RAYC_EACTORDIED = -36, /* the actor is dead: it will never answer */
    RAYC_EACTORUNAVAILABLE =
        -37,                /* the actor died in the call, which may have run; it starts again */
    RAYC_EFULL = -38,       /* the node's object store and its disk have no room for the value */
    RAYC_EOBJECTLOST = -39, /* all copies of the value are lost, and it cannot be made again */
    RAYC_EOBJECTFREED = -40 /* nothing held the value any more, or rayc_free() took it away */
};

/*  Bytes of one task's argument list.  Values over 100 KiB that are put or returned are in the object store of their node,
    where they may have up to 4 GiB; where there is none, this much. */
#define RAYC_VALUE_MAX (8u << 20)
#define RAYC_FOREVER   (-1.0)

/*  A value that is, or will be.  All zero: none. */
typedef struct {
    uint64_t number; /* of its task */
    uint32_t index;  /* which of the values that the task returns, from 0 */
    uint32_t job;
} rayc_ref;

typedef enum {
    RAYC_NIL,
    RAYC_BOOL,
    RAYC_INT,
    RAYC_FLOAT,
    RAYC_STRING,
    RAYC_BYTES,
    RAYC_ARRAY,
    RAYC_MAP,
    RAYC_ACTOR_REF,
    RAYC_REF
} rayc_kind;

/*  An actor, or the actor that will be: a handle.  All zero: none. */
typedef struct {
    uint64_t number;
    int32_t max_task_retries; /* of calls that do not say */
    uint32_t slot;            /* of this program; 0: somebody gave it */
} rayc_actor;

/*  RAYC_BOOL and RAYC_INT: as.i.  RAYC_FLOAT: as.f.  RAYC_ACTOR_REF: as.actor.  RAYC_STRING (ends with a NUL that size does not count),
    RAYC_BYTES: as.raw.  RAYC_ARRAY, RAYC_MAP: as.raw is the whole value in msgpack, for msgpack-c to read.
    RAYC_REF: as.ref, a reference inside a value. */
typedef struct {
    rayc_kind kind;
    union {
        int64_t i;
        double f;
        struct {
            const void *data;
            size_t size;
        } raw;
        rayc_actor actor;
        rayc_ref ref;
    } as;
} rayc_value;

/*  An argument: a value, or (ref not zero) a task's result that the task waits for and sees as a value. */
typedef struct {
    rayc_ref ref;
    rayc_value value;
} rayc_arg;

/*  Why the last call of this thread failed.  Valid until this thread's next rayc call. */
typedef struct {
    int code;         /* enum above */
    int app_code;     /* of RAYC_ETASK: from rayc_fail(), or a command's exit status */
    int attempt;      /* the attempt that decided; 0: not about a task */
    int signal;       /* that ended the process; 0: none */
    const char *text; /* one sentence, for people: what happened */
    const char *log;  /* the task's id, for `rayc task logs`; "" if not about a task */
} rayc_failure;

/*  The running attempt, inside a task's function. */
typedef struct rayc_task rayc_task;

typedef struct {
    const char *name;
    int (*run)(
        rayc_task
            *); /* 0: it has called rayc_return(), or returns nil; else the code of rayc_fail() */
} rayc_function;

/*  Options of a task.  Start from rayc_defaults(). */
typedef struct {
    size_t size;       /* sizeof(rayc_options): programs built with an older rayc.h keep working */
    double cpus, gpus; /* default 1 and 0; in steps of 0.0001; over 1, GPUs must be whole */
    uint64_t memory_bytes; /* admission only; default 0 */
    int32_t max_retries;   /* default 3; -1: without end; 0: it starts at most once */
    /*  -100 to 100, default 0: of your tasks that wait, the higher goes first; a minute of
        waiting outweighs one level, so that nothing starves */
    int32_t priority;
    /*  an attempt that runs longer is killed and retried; 0 (default): no limit */
    uint32_t run_ms_max;
    uint32_t queue_ms_max; /* a task that waits longer fails; 0 (default): no limit */
    /*  application errors to retry, too: NULL (default) none, rayc_any_error, or your codes */
    const int *retry_codes;
    size_t retry_code_count; /* of your codes */
    const char *name;        /* for people; default: the function's name */
    /*  NULL or "DEFAULT"; "SPREAD": one node after the other; "node:3": on node 3 or not at all;
        "node:3:soft": there while that node lives */
    const char *strategy;
    const char *resources; /* your own: "moon=1,licence=0.5"; NULL: none */
    uint32_t backoff_ms; /* of the second retry (the first comes at once), doubling; default 100 */
    uint32_t backoff_ms_max; /* default 30000 */
    /*  deaths of its process in a row until it is quarantined; default 10; 0: never */
    uint32_t crash_limit;
    /*  of this program's tasks with the same demand, strategy, labels and running_max, so
        many run at a time; default 0: as many as the cluster has room for */
    uint32_t running_max;
    /*  what the node's labels must be, one per line: "zone=a", "zone!=a", "zone in (a|b)",
        "zone not in (a|b)"; NULL: any */
    const char *labels;
    /*  values that it returns, at most 1024; 0 and 1 (default 0): one.  More: rayc_submit_n() */
    uint32_t returns;
} rayc_options;

RAYC_API extern const int rayc_any_error[1];

RAYC_API rayc_options rayc_defaults(void);

/*  Joins a cluster: `address` ("host:port", "tcp://host:port", "ipc://path" or "http://host:port"), else
    $RAYC_ADDRESS, else an http:// one in $RAY_ADDRESS, else the one of this user's state folder, else starts a private
    one that ends with the program.  In an executor it serves tasks and never returns.
    Environment: RAYC_ADDRESS; RAYC_KEY_FILE, an access file; RAYC_STATE_DIR; RAYC_DURABILITY, process (default) or
    full; RAYC_RECONNECT_MS, how long a head may be away.  */
RAYC_API int rayc_init(const char *address);

/*  Waits until everything accepted is on the disk, and leaves.  Tasks that are unfinished end: get or wait first. */
RAYC_API void rayc_shutdown(void);

RAYC_API rayc_arg rayc_nil(void);
RAYC_API rayc_arg rayc_bool(int);
RAYC_API rayc_arg rayc_int(int64_t);
RAYC_API rayc_arg rayc_float(double);
RAYC_API rayc_arg rayc_string(const char *);        /* UTF-8; borrowed until the call returns */
RAYC_API rayc_arg rayc_bytes(const void *, size_t); /* likewise */
RAYC_API rayc_arg rayc_packed(const void *msgpack,
                              size_t size); /* one whole msgpack value, of any kind */
RAYC_API rayc_arg rayc_of(rayc_ref);        /* the result of a task, when it is there */
/*  The reference itself: nobody waits for what it stands for. */
RAYC_API rayc_arg rayc_nested(rayc_ref);

/*  Submits a task; `options` NULL: defaults.  Returns at once, without waiting for the head. */
RAYC_API rayc_ref rayc_submit(const rayc_function *, const rayc_options *, const rayc_arg *,
                              size_t count);

#define RAYC_ARGS_(...)    ((const rayc_arg[]){ __VA_ARGS__ })
#define rayc_call(fn, ...) rayc_call_with((const rayc_options *)0, fn, __VA_ARGS__)
#define rayc_call_with(options, fn, ...)                                                           \
    rayc_submit(&fn, (options), RAYC_ARGS_(__VA_ARGS__),                                           \
                sizeof(RAYC_ARGS_(__VA_ARGS__)) / sizeof(rayc_arg))

/*  A task that returns several values, options.returns of them: refs[0] to refs[returns - 1].  It must set each with
    rayc_return_at(), else it fails; how it failed, each reference says. */
RAYC_API void rayc_submit_n(const rayc_function *, const rayc_options *, const rayc_arg *,
                            size_t count, rayc_ref *refs);
#define rayc_call_n(refs, options, fn, ...)                                                        \
    rayc_submit_n(&fn, (options), RAYC_ARGS_(__VA_ARGS__),                                         \
                  sizeof(RAYC_ARGS_(__VA_ARGS__)) / sizeof(rayc_arg), (refs))

/*  A reference inside an array or a map, in msgpack: an extension of type RAYC_REF_EXT.  Whoever reads it, in a task or
    not, may get it, wait for it and pass it on, if it is of a task of the same user.  rayc_pack_ref() writes the whole
    value, RAYC_REF_BYTES bytes; rayc_unpack_ref() reads what is inside the extension, 16 bytes; zero: it is none.

    What a reference names lives as long as anything has the reference: a program until rayc_drop(), whether its task made
    it or it has read it (with rayc_unpack_ref(), rayc_arg_ref(), or as the value that it got), once for each program,
    however often it reads it; a value or a list of arguments that it is inside of, at most 1024 in each.  Read it
    while you have the value that it is in. */
enum { RAYC_REF_EXT = 1, RAYC_REF_BYTES = 18 };
RAYC_API void rayc_pack_ref(rayc_ref, void *to);
RAYC_API rayc_ref rayc_unpack_ref(const void *inside, size_t size);

/*  Puts a value where every task of this user can use it: one reference for many tasks, and its bytes travel once.  It is
    durable as a task is, and never changes.  As rayc_submit(), it never fails: rayc_get() tells.  A reference, or what is
    not one whole value, cannot be put: RAYC_EINVALID; RAYC_EFULL: there is no room; RAYC_ENOTFOUND: it is over
    RAYC_VALUE_MAX, and no node of the cluster has a store.  If the user has a quota of object bytes, the head is asked
    about what is over 100 KiB, and it is not kept beyond that: RAYC_EQUOTA. */
RAYC_API rayc_ref rayc_put(rayc_arg);

/*  Memory for bytes that are put or returned without a copy: over 100 KiB it is that of this node's object store, which
    whoever gets the value here maps, read-only.  Up to 4 GiB - 1.  NULL: rayc_error() says RAYC_EFULL or
    RAYC_ETOOLARGE.  On a machine without a worker it is this process's own; when it is put, its bytes go to a node, or
    with at most RAYC_VALUE_MAX to the head. */
typedef struct rayc_buffer rayc_buffer;
RAYC_API rayc_buffer *rayc_buffer_new(size_t size);
RAYC_API void *rayc_buffer_data(rayc_buffer *); /* aligned to 64 if it is in the store */
/*  Puts the bytes, as rayc_put() does; or returns them from a task, as rayc_return(), 0.  The buffer is used up and
    zeroed, one that is put or returned twice is RAYC_EINVALID; whoever still writes to its data gets SIGSEGV if they are
    in the store.  One thread at a time has a buffer. */
RAYC_API rayc_ref rayc_put_buffer(rayc_buffer **);
RAYC_API int rayc_return_buffer(rayc_task *, rayc_buffer **);
RAYC_API int rayc_return_buffer_at(rayc_task *, size_t index, rayc_buffer **); /* one of several */
RAYC_API void rayc_buffer_free(rayc_buffer **); /* one that was not put or returned; NULL-safe */

/*  A command as a task: argv ends with NULL.  Its result is a map: status, stdout, stderr.  An exit status other
    than 0 is an application error (RAYC_ETASK, app_code).  `env` NULL or "K=V" strings up to NULL, added to the
    job's; `cwd` NULL: as the job; `input` what it reads from stdin. */
RAYC_API rayc_ref rayc_command(const rayc_options *, const char *const *argv,
                               const char *const *env, const char *cwd, const void *input,
                               size_t input_size);

/*  Waits for a result.  `seconds` RAYC_FOREVER, or from 0 on; 0: only looks.  0; RAYC_ETIMEOUT: the task goes on, and so
    does a large value that is on its way, for a later call; how the task failed; or RAYC_ENOTFOUND: the reference was
    dropped, or came in a value and is of another user's task, or of none. */
RAYC_API int rayc_get(rayc_ref, double seconds, rayc_value *out);

/*  Waits for all of them: values[i] is that of refs[i].  As soon as one has failed, how that one did, without waiting for
    the rest; on a failure, RAYC_ETIMEOUT, too, no value is valid.  `seconds` and the rest as for rayc_get().  `values` may be
    NULL. */
RAYC_API int rayc_get_all(const rayc_ref *refs, size_t count, double seconds, rayc_value *values);

/*  Waits until `wanted` of `count` references have ended, well or not; moves those to the front, both parts in
    their old order, and returns how many have (at most `wanted`).  On time-out: as many as have.  Each may be in the
    list once; `wanted` is 1 to count; of an empty list 0 have.  Below zero: RAYC_EINVALID, RAYC_ENOTFOUND as rayc_get(), and
    the list is as it was. */
RAYC_API int rayc_wait(rayc_ref *, size_t count, size_t wanted, double seconds);

/*  Ends a task, and all that it has submitted, and what they have, and never retries any of it.  `how`: 0, or
    RAYC_FORCE: its process is killed at once; else a running function is only told (rayc_cancelled(); rayc_get() and
    rayc_wait() in it return RAYC_ECANCELLED instead of waiting), a running command gets SIGTERM and 3 s later SIGKILL.
    RAYC_ALONE: what it has submitted goes on.  0 also when it had ended, and then it does nothing.  A call of an actor that
    runs is only told; by force RAYC_EINVALID: rayc_kill() its actor.  RAYC_ENOTFOUND as rayc_get(). */
enum { RAYC_FORCE = 1, RAYC_ALONE = 2 };
RAYC_API int rayc_cancel(rayc_ref, int how);

/*  One attempt of a task, as the head has it in its database. */
typedef struct {
    int attempt;         /* from 1 */
    const char *outcome; /* FINISHED, APP_ERROR, EXIT, SIGNAL, NODE_DIED, ... */
    int status;          /* exit status or application code; 0: none */
    int signal;          /* that ended its process; 0: none */
    const char *text;    /* why it failed; "" */
    int64_t run_us;      /* how long it ran */
} rayc_attempt_record;

/*  Tells each attempt of a task that has ended, the first one first, also those that were retried.  The record lives
    as long as the call.  Returns how many there were; RAYC_ENOTFOUND as rayc_get(), RAYC_EINVALID: no `each`. */
RAYC_API int rayc_history(rayc_ref, void (*each)(void *context, const rayc_attempt_record *),
                          void *context);

/*  Takes values away whoever still has a reference of them: their copies in stores go at once, and whoever gets one of them
    from now on, or has it for an argument, gets RAYC_EOBJECTFREED or RAYC_EOBJECTLOST; this program also if it is small.
    For values that no one needs any more while references are still about.  What has not ended is left as it is.  The
    references are still to be dropped.  0 when that is durable; RAYC_ENOTFOUND: one was dropped, or is zero. */
RAYC_API int rayc_free(const rayc_ref *, size_t count);

RAYC_API void rayc_drop(rayc_ref *); /* gives the reference up and zeroes it; its values die */
RAYC_API const rayc_failure *rayc_error(void);
RAYC_API const char *rayc_version(void);

/*  Inside a task's function.  All of the above can be used there, too, but for rayc_init() and rayc_shutdown(): what is
    submitted belongs to the task.  While one of its threads waits in rayc_get() or rayc_wait(), its CPUs are free for
    others, its GPUs, memory and other resources are not.  Its references end with it, and its result comes after the
    head has accepted all that it has submitted.  When its attempt fails, what it has submitted and has not ended is
    given up; when it succeeds, that goes on by itself. */
RAYC_API size_t rayc_arg_count(const rayc_task *);
/*  any kind; NULL beyond the last: RAYC_EARG */
RAYC_API const rayc_value *rayc_arg_at(rayc_task *, size_t index);
/*  another kind: 0, and the attempt ends in RAYC_EARG */
RAYC_API int64_t rayc_arg_int(rayc_task *, size_t index);
RAYC_API double rayc_arg_float(rayc_task *, size_t index); /* takes an integer, too */
RAYC_API const char *rayc_arg_string(rayc_task *, size_t index);
RAYC_API const void *rayc_arg_bytes(rayc_task *, size_t index, size_t *size);
/*  of rayc_nested(); yours until rayc_drop(), or the end of the task, or of the actor */
RAYC_API rayc_ref rayc_arg_ref(rayc_task *, size_t index);
RAYC_API uint32_t rayc_attempt(const rayc_task *); /* from 1 */
/*  grows with each attempt: outside systems refuse lower ones */
RAYC_API uint64_t rayc_fence(const rayc_task *);
RAYC_API const char *rayc_task_id(const rayc_task *);
RAYC_API int rayc_cancelled(const rayc_task *); /* somebody asked it to end */

/*  Inside a trial of `rayc tune`: a task whose study says `program` and `task`.  In any other task, these say
    RAYC_EINVALID, NULL or 0, and the attempt ends in RAYC_EARG, as reading a wrong argument does. */
RAYC_API double rayc_param(rayc_task *, const char *name); /* a number; of a boolean 0 or 1 */
RAYC_API const char *rayc_param_text(rayc_task *,
                                     const char *name); /* any kind, as a command would see it */
RAYC_API int rayc_has_param(rayc_task *,
                            const char *name); /* 0: the space has none, or it is not active */
RAYC_API const char *rayc_trial_json(
    rayc_task *); /* {"study","trial","run","seed","params":{...},...}, see docs/tune.md */
RAYC_API uint32_t rayc_trial(rayc_task *); /* its number in the study, from 0 */
/*  The folder of the checkpoint to start from; NULL: start from the beginning. */
RAYC_API const char *rayc_checkpoint(rayc_task *);
/*  A new, empty folder for the next checkpoint: fill it, then name it in rayc_report().  Valid until then. */
RAYC_API const char *rayc_checkpoint_dir(rayc_task *);

typedef struct {
    const char *name; /* letters, digits, _ - . / : ( ) @ % at most 128 bytes */
    double value;
} rayc_metric;

enum { RAYC_GO_ON = 0, RAYC_STOP = 1, RAYC_PAUSE = 2 };

/*  Reports metrics of one step, durably; `checkpoint`: NULL, or the folder of rayc_checkpoint_dir(), which is then
    committed with it.  The step is the metric that the study names as its resource, else training_iteration, epoch or
    step, else the number of the report; it must rise.  Returns what to do: RAYC_GO_ON; RAYC_STOP: return now;
    RAYC_PAUSE: return now, the trial goes on later from its last checkpoint; or a failure (rayc_error()): RAYC_EINVALID
    for a report that is not valid, which changes nothing. */
RAYC_API int rayc_report(rayc_task *, const rayc_metric *, size_t count, const char *checkpoint);

RAYC_API int rayc_return(rayc_task *, rayc_arg); /* sets the result; returns 0 */
/*  Sets one of several, from 0; returns 0.  One that is set twice has the later value. */
RAYC_API int rayc_return_at(rayc_task *, size_t index, rayc_arg);
RAYC_API int rayc_fail(rayc_task *, int app_code, const char *format, ...)
    RAYC_PRINTF(3, 4); /* returns app_code, never 0 */

/*  Actors.  An actor is a process with a state: `struct CLASS`, all zero when its constructor begins.  Its methods are
    called from anywhere, and run one at a time, those of one caller in the order of the calls, unless max_concurrency
    or groups of its options allow more.  In one program:

        struct counter { int64_t n; };
        RAYC_ACTOR(counter, call, self)              the constructor
        {
            self->n = rayc_arg_int(call, 0);
            return 0;
        }
        RAYC_METHOD(counter, add, call, self)        defines counter_add
        {
            self->n += rayc_arg_int(call, 0);
            return rayc_return(call, rayc_int(self->n));
        }
        ...
        rayc_actor actor = rayc_new(counter, rayc_int(5));
        rayc_ref sum = rayc_tell(actor, counter_add, rayc_int(1));
        rayc_actor_drop(&actor);                     ends it, after the calls

    Constructor and methods are like a task's function: 0, rayc_return() or rayc_fail().  An actor whose constructor
    fails is dead, and not started again.  One whose process dies, or whose node is lost, is started again up to
    max_restarts times: its constructor runs with the same arguments.  A call that had begun then fails
    (RAYC_EACTORUNAVAILABLE, or RAYC_EACTORDIED when there is no restart left) unless max_task_retries allows another
    try; one that had not begun waits for the actor.  An actor runs once: its worker kills it when the head may have
    given its node up.  A method that waits for a call of its own actor, which can only begin when it has ended itself, is
    told RAYC_EINVALID by rayc_get() and rayc_wait(). */
typedef struct {
    const char *name;
    size_t state_bytes;
    int (*construct)(rayc_task *, void *state);
    void (*destroy)(void *state); /* NULL: nothing but freeing the state itself */
} rayc_class;

typedef struct {
    const char *name; /* "counter.add" */
    int (*run)(rayc_task *, void *state);
} rayc_method;

/*  Inside a constructor or a method.  In other tasks they say nothing or 0, or the attempt ends in RAYC_EARG. */
/*  Commits a value with the result of this method, if it succeeds: what the actor gets if it has to start again.  What
    references inside of it name lives as long as it is the last one, though the program drops them (rayc_nested(),
    rayc_pack_ref()).  0. */
RAYC_API int rayc_actor_save(rayc_task *, rayc_arg);
/*  In a constructor: the value that was committed last; NULL: none was. */
RAYC_API const rayc_value *rayc_actor_saved(rayc_task *);
RAYC_API int rayc_was_restarted(const rayc_task *); /* this is not the actor's first process */
/*  The actor ends when this method has returned: as intended, its destructor runs, no restart.  This call and all later
    ones fail with RAYC_EACTORDIED.  0. */
RAYC_API int rayc_exit_actor(rayc_task *);

/*  Options of an actor.  Start from rayc_actor_defaults(). */
typedef struct {
    size_t size; /* sizeof(rayc_actor_options) */
    double cpus,
        gpus; /* held as long as it lives; default 0: it needs a node with a CPU, and holds none */
    uint64_t memory_bytes;
    const char *resources;    /* as in rayc_options */
    int32_t max_restarts;     /* default 0; -1: without end */
    int32_t max_task_retries; /* of its calls; default 0: each runs at most once; -1: without end */
    /*  calls that run at a time, each on a thread; default 1: one after the other */
    uint32_t max_concurrency;
    /*  "io=2,compute=4": so many calls of each group, beside all others; NULL: none */
    const char *groups;
    /*  of this handle: a further call fails with RAYC_EBUSY; default 0: no limit */
    uint32_t max_pending_calls;
    const char *name;  /* others find it by rayc_actor_get(); NULL: none */
    const char *space; /* namespace of the name; NULL: one of this program's job */
    int get_if_exists; /* 1: of a name that is taken, the actor that has it; all else is ignored */
    int detached;      /* 1: it lives on without this program; only rayc_kill() ends it */
    const char *title; /* for people; default: the class's name */
    const char *strategy; /* as in rayc_options; NULL: where there are fewest, or as for tasks */
    const char *labels;   /* as in rayc_options */
} rayc_actor_options;

/*  Options of a call.  Start from rayc_method_defaults(). */
typedef struct {
    size_t size;              /* sizeof(rayc_method_options) */
    int32_t max_task_retries; /* default RAYC_AS_ACTOR: as the actor's options say */
    const int *retry_codes;   /* application errors to retry, too, as in rayc_options */
    size_t retry_code_count;
    const char *group; /* that it runs in; NULL: the default one, max_concurrency */
} rayc_method_options;

#define RAYC_AS_ACTOR (-2)

RAYC_API rayc_actor_options rayc_actor_defaults(void);
RAYC_API rayc_method_options rayc_method_defaults(void);

/*  Makes an actor, and returns at once; with a name, when the head has it.  `options` NULL: defaults.  All zero when
    nothing can be made: rayc_error() says RAYC_EINVALID, an option that is wrong; RAYC_ECONFLICT, an actor that is not
    dead has the name; RAYC_ECLOSED.  The handle may be copied; it is given up once, by rayc_actor_drop().
    The class lives as long as the program. */
RAYC_API rayc_actor rayc_actor_new(const rayc_class *, const rayc_actor_options *, const rayc_arg *,
                                   size_t count);
/*  Calls a method.  As rayc_submit() it never fails and does not wait: rayc_get() tells, RAYC_EBUSY at once when
    max_pending_calls calls have not ended.  The method lives as long as the program. */
RAYC_API rayc_ref rayc_actor_call(rayc_actor, const rayc_method *, const rayc_method_options *,
                                  const rayc_arg *, size_t count);
/*  Finds an actor of this user by its name.  `space` NULL: the namespace of this program's job.  0; RAYC_ENOTFOUND: no actor
    that is not dead has it; RAYC_EINVALID: no name. */
RAYC_API int rayc_actor_get(const char *name, const char *space, rayc_actor *out);
/*  Kills the actor's process at once, also before it has begun: no destructor runs.  `no_restart` 0: as if it had died,
    it starts again if max_restarts allow.  0 also when it is dead; RAYC_ENOTFOUND: there is no such actor of this
    user's. */
RAYC_API int rayc_kill(rayc_actor, int no_restart);
/*  Gives the handle up and zeroes it.  The one that rayc_actor_new() returned ends the actor, after the calls of this
    program, unless it is detached, has a name, or was an argument. */
RAYC_API void rayc_actor_drop(rayc_actor *);
RAYC_API rayc_arg rayc_handle(rayc_actor); /* as an argument: who reads it may call the actor */
RAYC_API rayc_actor rayc_arg_actor(rayc_task *, size_t index); /* need not be dropped */

#define rayc_new(class, ...) rayc_new_with((const rayc_actor_options *)0, class, __VA_ARGS__)
#define rayc_new_with(options, class, ...)                                                         \
    rayc_actor_new(&class, (options), RAYC_ARGS_(__VA_ARGS__),                                     \
                   sizeof(RAYC_ARGS_(__VA_ARGS__)) / sizeof(rayc_arg))
#define rayc_tell(actor, method, ...)                                                              \
    rayc_tell_with((const rayc_method_options *)0, actor, method, __VA_ARGS__)
#define rayc_tell_with(options, actor, method, ...)                                                \
    rayc_actor_call((actor), &method, (options), RAYC_ARGS_(__VA_ARGS__),                          \
                    sizeof(RAYC_ARGS_(__VA_ARGS__)) / sizeof(rayc_arg))

RAYC_API void rayc_register_class_(const rayc_class *);
RAYC_API void rayc_register_method_(const rayc_method *);

/*  Defines the class `class` with the state `struct class`, and opens the body of its constructor. */
#define RAYC_ACTOR(class, call, self)                                                              \
    static int class##_construct_(rayc_task *call, struct class *self);                            \
    static int class##_construct_any_(rayc_task *call, void *state)                                \
    {                                                                                              \
        return class##_construct_(call, (struct class *)state);                                    \
    }                                                                                              \
    static rayc_class class = { #class, sizeof(struct class), class##_construct_any_, 0 };         \
    __attribute__((section("rayc_tasks"), used)) static const rayc_class *const class##_entry_ =   \
        &class;                                                                                    \
    __attribute__((constructor)) static void class##_register_(void)                               \
    {                                                                                              \
        rayc_register_class_(&class);                                                              \
    }                                                                                              \
    static int class##_construct_(rayc_task *call, struct class *self)

/*  Defines the method `class_name`, and opens its body. */
#define RAYC_METHOD(class, name, call, self)                                                       \
    static int class##_##name##_run_(rayc_task *call, struct class *self);                         \
    static int class##_##name##_any_(rayc_task *call, void *state)                                 \
    {                                                                                              \
        return class##_##name##_run_(call, (struct class *)state);                                 \
    }                                                                                              \
    static const rayc_method class##_##name = { #class "." #name, class##_##name##_any_ };         \
    __attribute__((constructor)) static void class##_##name##_register_(void)                      \
    {                                                                                              \
        rayc_register_method_(&class##_##name);                                                    \
    }                                                                                              \
    static int class##_##name##_run_(rayc_task *call, struct class *self)

/*  Opens the body of the destructor: it runs when the actor ends in order, not when its process is killed, and for 30 s
    at most. */
#define RAYC_DESTRUCTOR(class, self)                                                               \
    static void class##_destroy_(struct class *self);                                              \
    static void class##_destroy_any_(void *state)                                                  \
    {                                                                                              \
        class##_destroy_((struct class *)state);                                                   \
    }                                                                                              \
    __attribute__((constructor)) static void class##_register_destroy_(void)                       \
    {                                                                                              \
        class.destroy = class##_destroy_any_;                                                      \
    }                                                                                              \
    static void class##_destroy_(struct class *self)

/*  Metrics of your own, which /metrics of the worker on this node shows as rayc_NAME, a counter as rayc_NAME_total,
    with the label JobId.  Counters and histograms are sums over all processes of a job on the node, and stay when
    one dies, so that a retry goes on with them; a gauge goes a minute after the process that set it last.

    A meter is yours until rayc_meter_free(), which comes after its last use; until then any thread may use it.
    _new copies its arguments and asks nobody; when it returns NULL, rayc_error() says RAYC_EINVALID or
    RAYC_EMEMORY.  `name`: [a-zA-Z_:][a-zA-Z0-9_:]*, at most 256 bytes, the unit last ("step_seconds"), none of
    rayc's own.  `help`: a sentence for people in UTF-8, or NULL.  `labels`: at most 16 names,
    [a-zA-Z_][a-zA-Z0-9_]*, up to NULL; or NULL.  A worker takes 500 names and 10000 series, and for a name one kind
    and one list of bounds; what it does not take, rayc_samples_dropped_total counts. */
typedef struct rayc_meter rayc_meter;

RAYC_API rayc_meter *rayc_counter_new(const char *name, const char *help,
                                      const char *const *labels);
RAYC_API rayc_meter *rayc_gauge_new(const char *name, const char *help, const char *const *labels);
/*  `bounds`: upper ends of the buckets, which hold what is equal to them, in the metric's unit; 1 to 64 finite numbers,
    rising.  There is one more bucket for what is above the last. */
RAYC_API rayc_meter *rayc_histogram_new(const char *name, const char *help,
                                        const char *const *labels, const double *bounds,
                                        size_t count);
/*  Record; also before rayc_init() and after rayc_shutdown().  The value is finite, a counter's more than 0.
    `values`: for each label a line of UTF-8 that is not empty, in the order of the labels; NULL if there are none.
    0: it is at the worker, also when this process is killed now.  Else a code: RAYC_EINVALID, a wrong value or a
    meter of another kind; RAYC_ETOOLARGE, labels and help of more than about 64 KiB; RAYC_ENOTFOUND, no worker has
    started this process, which a program may ignore; RAYC_ETIMEOUT, the worker has taken nothing for 5 s;
    RAYC_ESYSTEM, it has ended; RAYC_EMEMORY. */
RAYC_API int rayc_counter_inc(const rayc_meter *, double by, const char *const *values);
RAYC_API int rayc_gauge_set(const rayc_meter *, double value, const char *const *values);
RAYC_API int rayc_histogram_observe(const rayc_meter *, double value, const char *const *values);
RAYC_API void rayc_meter_free(rayc_meter *); /* NULL-safe */

RAYC_API void rayc_register_(const rayc_function *);

/*  Defines the task `fn` (also the name of its rayc_function) and opens its body; `task` names the parameter. */
#define RAYC_TASK(fn, task)                                                                        \
    static int fn##_run_(rayc_task *task);                                                         \
    static const rayc_function fn = { #fn, fn##_run_ };                                            \
    __attribute__((section("rayc_tasks"), used)) static const rayc_function *const fn##_entry_ =   \
        &fn;                                                                                       \
    __attribute__((constructor)) static void fn##_register_(void)                                  \
    {                                                                                              \
        rayc_register_(&fn);                                                                       \
    }                                                                                              \
    static int fn##_run_(rayc_task *task)

#ifdef __cplusplus
}
#endif
#endif
