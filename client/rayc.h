/*  rayc.h - run this program's functions as tasks on a rayc cluster.

    One executable is both the program and the code of its tasks: RAYC_TASK() registers a function, and when a
    worker starts the same executable, rayc_init() serves tasks there and does not return.  So call rayc_init()
    first in main().

    One process, one cluster.  Every function is thread-safe.  Functions that return int or a count: zero or more
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
    RAYC_ECONFLICT = -12,
    RAYC_EINVALID = -13,    /* a wrong argument of yours; the text says which */
    RAYC_EKEY = -14,        /* the cluster's key is missing or was refused */
    RAYC_EBUSY = -15,       /* a limit of the head is reached */
    RAYC_ECLOSED = -16,     /* before rayc_init() or after rayc_shutdown() */
    RAYC_EINFEASIBLE = -18, /* no node can ever meet the demand */
    RAYC_ETASK = -30,       /* the task failed: app_code is its own code, or its exit status */
    RAYC_EDIED = -31,       /* its process or node died more often than retries allow */
    RAYC_ECANCELLED = -32,  /* it was cancelled, or its job was stopped */
    RAYC_EARG = -33,        /* it read an argument as another kind */
    RAYC_EUPSTREAM = -34,   /* an argument is the result of a failed task */
    RAYC_EUNKNOWN =
        -35, /* contact was lost; whether it ran is not known (only with max_retries 0) */
    RAYC_EACTORDIED = -36, /* the actor is dead: it will never answer */
    RAYC_EACTORUNAVAILABLE =
        -37,                /* the actor died in the call, which may have run; it starts again */
    RAYC_EFULL = -38,       /* the node's object store and its disk have no room for the value */
    RAYC_EOBJECTLOST = -39, /* all copies of the value are lost, and it cannot be made again */
    RAYC_EOBJECTFREED = -40 /* nothing held the value any more: it is gone */
};

/*  Bytes of one task's argument list.  Values over 100 KiB that are put or returned are in the object store of their node,
    where they may have up to 4 GiB; where there is none, this much. */
#define RAYC_VALUE_MAX (8u << 20)
#define RAYC_FOREVER   (-1.0)

/*  A value that is, or will be.  All zero: none. */
typedef struct {
    uint64_t job, number;
} rayc_ref;

typedef enum {
    RAYC_NIL,
    RAYC_BOOL,
    RAYC_INT,
    RAYC_FLOAT,
    RAYC_STRING,
    RAYC_BYTES,
    RAYC_ARRAY,
    RAYC_MAP
} rayc_kind;

/*  RAYC_BOOL and RAYC_INT: as.i.  RAYC_FLOAT: as.f.  RAYC_STRING (ends with a NUL that size does not count),
    RAYC_BYTES: as.raw.  RAYC_ARRAY, RAYC_MAP: as.raw is the whole value in msgpack, for msgpack-c to read. */
typedef struct {
    rayc_kind kind;
    union {
        int64_t i;
        double f;
        struct {
            const void *data;
            size_t size;
        } raw;
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
    int32_t
        priority; /* -100 to 100, default 0: of your tasks that wait, the higher goes first; a minute of
                     waiting outweighs one level, so that nothing starves */
    uint32_t
        run_ms_max; /* an attempt that runs longer is killed and retried; 0 (default): no limit */
    uint32_t queue_ms_max; /* a task that waits longer fails; 0 (default): no limit */
    const int *
        retry_codes; /* application errors to retry, too: NULL (default) none, rayc_any_error, or your codes */
    size_t retry_code_count; /* of your codes */
    const char *name;        /* for people; default: the function's name */
    const char *
        strategy; /* NULL or "DEFAULT"; "SPREAD": one node after the other; "node:3": on node 3 or not at all;
                     "node:3:soft": there while that node lives */
    const char *resources; /* your own: "moon=1,licence=0.5"; NULL: none */
    uint32_t backoff_ms; /* of the second retry (the first comes at once), doubling; default 100 */
    uint32_t backoff_ms_max; /* default 30000 */
    uint32_t
        crash_limit; /* deaths of its process in a row until it is quarantined; default 10; 0: never */
    uint32_t
        running_max; /* of this program's tasks with the same demand, strategy, labels and running_max, so
                             many run at a time; default 0: as many as the cluster has room for */
    const char *
        labels; /* what the node's labels must be, one per line: "zone=a", "zone!=a", "zone in (a|b)",
                   "zone not in (a|b)"; NULL: any */
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

/*  Submits a task; `options` NULL: defaults.  Returns at once, without waiting for the head. */
RAYC_API rayc_ref rayc_submit(const rayc_function *, const rayc_options *, const rayc_arg *,
                              size_t count);

#define RAYC_ARGS_(...)    ((const rayc_arg[]){ __VA_ARGS__ })
#define rayc_call(fn, ...) rayc_call_with((const rayc_options *)0, fn, __VA_ARGS__)
#define rayc_call_with(options, fn, ...)                                                           \
    rayc_submit(&fn, (options), RAYC_ARGS_(__VA_ARGS__),                                           \
                sizeof(RAYC_ARGS_(__VA_ARGS__)) / sizeof(rayc_arg))

/*  Puts a value where every task of this user can use it: one reference for many tasks, and its bytes travel once.  It is
    durable as a task is, and never changes.  As rayc_submit(), it never fails: rayc_get() tells.  A reference cannot be
    put: RAYC_EINVALID. */
RAYC_API rayc_ref rayc_put(rayc_arg);

/*  Memory for bytes that are put or returned without a copy: over 100 KiB it is that of this node's object store, which
    whoever gets the value here maps, read-only.  Up to 4 GiB - 1.  NULL: rayc_error() says RAYC_EFULL, RAYC_ETOOLARGE or
    RAYC_ENOTFOUND (over RAYC_VALUE_MAX, and this machine has no worker). */
typedef struct rayc_buffer rayc_buffer;
RAYC_API rayc_buffer *rayc_buffer_new(size_t size);
RAYC_API void *rayc_buffer_data(rayc_buffer *); /* aligned to 64 if it is in the store */
/*  Puts the bytes, as rayc_put() does; or returns them from a task, as rayc_return().  The buffer is used up and zeroed;
    whoever still writes to its data gets SIGSEGV if they are in the store. */
RAYC_API rayc_ref rayc_put_buffer(rayc_buffer **);
RAYC_API int rayc_return_buffer(rayc_task *, rayc_buffer **);
RAYC_API void rayc_buffer_free(rayc_buffer **); /* one that was not put or returned */

/*  A command as a task: argv ends with NULL.  Its result is a map: status, stdout, stderr.  An exit status other
    than 0 is an application error (RAYC_ETASK, app_code).  `env` NULL or "K=V" strings up to NULL, added to the
    job's; `cwd` NULL: as the job; `input` what it reads from stdin. */
RAYC_API rayc_ref rayc_command(const rayc_options *, const char *const *argv,
                               const char *const *env, const char *cwd, const void *input,
                               size_t input_size);

/*  Waits for a result.  `seconds` RAYC_FOREVER, or 0 to only look.  0; RAYC_ETIMEOUT; or how the task failed. */
RAYC_API int rayc_get(rayc_ref, double seconds, rayc_value *out);

/*  Waits until `wanted` of `count` references have ended, well or not; moves those to the front, both parts in
    their old order, and returns how many have (at most `wanted`).  On time-out: as many as have. */
RAYC_API int rayc_wait(rayc_ref *, size_t count, size_t wanted, double seconds);

/*  Ends a task, and all that it has submitted, and what they have, and never retries any of it.  `how`: 0, or
    RAYC_FORCE: its process is killed at once; else a running function is only told (rayc_cancelled(); rayc_get() and
    rayc_wait() in it return RAYC_ECANCELLED instead of waiting), a running command gets SIGTERM and 3 s later SIGKILL.
    RAYC_ALONE: what it has submitted goes on.  0 also when it had ended. */
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
    as long as the call.  Returns how many there were. */
RAYC_API int rayc_history(rayc_ref, void (*each)(void *context, const rayc_attempt_record *),
                          void *context);

RAYC_API void rayc_drop(rayc_ref *); /* gives the reference up and zeroes it; its values die */
RAYC_API const rayc_failure *rayc_error(void);
RAYC_API const char *rayc_version(void);

/*  Inside a task's function.  All of the above can be used there, too, but for rayc_init() and rayc_shutdown(): what is
    submitted belongs to the task.  While one of its threads waits in rayc_get() or rayc_wait(), its CPUs are free for
    others, its GPUs, memory and other resources are not.  Its references end with it, and its result comes after the
    head has accepted all that it has submitted.  When its attempt fails, what it has submitted and has not ended is
    given up; when it succeeds, that goes on by itself. */
RAYC_API size_t rayc_arg_count(const rayc_task *);
RAYC_API const rayc_value *
rayc_arg_at(rayc_task *, size_t index); /* any kind; NULL beyond the last: RAYC_EARG */
RAYC_API int64_t
rayc_arg_int(rayc_task *, size_t index); /* another kind: 0, and the attempt ends in RAYC_EARG */
RAYC_API double rayc_arg_float(rayc_task *, size_t index); /* takes an integer, too */
RAYC_API const char *rayc_arg_string(rayc_task *, size_t index);
RAYC_API const void *rayc_arg_bytes(rayc_task *, size_t index, size_t *size);
RAYC_API uint32_t rayc_attempt(const rayc_task *); /* from 1 */
RAYC_API uint64_t
rayc_fence(const rayc_task *); /* grows with each attempt: outside systems refuse lower ones */
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
RAYC_API int rayc_fail(rayc_task *, int app_code, const char *format, ...)
    RAYC_PRINTF(3, 4); /* returns app_code, never 0 */

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
