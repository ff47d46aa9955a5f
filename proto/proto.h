/*  proto.h - messages.def as C: limits, one struct per message and record, and the codec.

    A frame is one ZeroMQ part: a msgpack array [id, seq, fields...].  A missing tail reads as zero and an
    unknown tail is skipped, so that one minor version can talk to the next.  A decoded message borrows its
    strings and lists from the frame.  Lists stay encoded and are read one element at a time with next_NAME();
    proto_decode() has checked every element, so next_NAME() cannot fail.
    Pure: no allocation, no I/O, no globals. */
#ifndef RAYC_PROTO_H
#define RAYC_PROTO_H
#include "common/base.h"
#include "common/err.h"
#include "common/ids.h"
#include "proto/where.h"

enum {
    PROTO_MAJOR = 1,
    PROTO_MINOR = 0,
    MIB = 1 << 20,
    FRAME_MAX = 16 * MIB,
    PAYLOAD_MAX = 8 * MIB, /* one argument list, one result */
    OUTPUT_MAX = 1 * MIB,  /* of one attempt, kept in its row */
    TEXT_MAX = 64 * 1024,  /* one error text, one stderr tail */
    CHUNK_MAX = 1 * MIB,   /* of a program */
    LOG_CHUNK_MAX = 256 * 1024,
    CARRY_CHUNK = 1 * MIB, /* of an object; only the last one is shorter */
    CARRY_HASH_BYTES = 16,
    ANSWER_MAX = 15 * MIB,
    NAME_MAX_BYTES = 256,
    PATH_BYTES_MAX = 4096,
    HASH_TEXT = 64, /* hex digits of 256 bits */
    RESOURCE_NAME_MAX = 64,
    RESOURCES_MAX = 16,
    SPECS_PER_SESSION_MAX = 4096,
    CALLS_PER_FRAME_MAX = 4096,
    RUNNING_PER_BEAT_MAX = 1024,
    ACKS_PER_FRAME_MAX = 64,
    METRICS_MAX = 16 * 1024, /* of one report, as JSON */
    TRIALS_PER_FRAME_MAX = 1024,
    POINT_MAX = 2048,         /* bytes of a point of a search space */
    DEFINITION_MAX = 1 * MIB, /* of a study */
    TOKEN_TEXT_MAX = 256,     /* of a secret */
    TOKEN_HASH_BYTES = 32,    /* BLAKE2b-256 of a secret */
    TICKET_KEY_BYTES = 32,    /* common/ticket.h */
    PACKAGES_MAX = 16,        /* of a job */
    AFTER_MAX = 16,           /* jobs that a job waits for */
    RETURNS_MAX = 1024,
    CONCURRENCY_MAX = 1024, /* methods of an actor at a time */
    DEPS_MAX = 1024,
    SOURCES_MAX = DEPS_MAX,
    AWAITS_MAX = 4, /* references of which one that waits tells */
    PLACES_MAX = 16 /* nodes that are told of an object, however many have it */
};
#define PROGRAM_BYTES_MAX (1ull << 30)
#define UNITS_PER_ONE     10000ull /* a resource is counted in 1/10000 */

enum spec_kind {
    SPEC_FUNCTION = 1,
    SPEC_COMMAND = 2,
    SPEC_DRIVER = 3,
    SPEC_VALUE = 4,
    SPEC_ACTOR = 5,
    SPEC_METHOD = 6
};
enum job_kind { JOB_ATTACHED = 1, JOB_DRIVER = 2, JOB_ARRAY = 3 };
enum durability { DURABLE_PROCESS = 1, DURABLE_FULL = 2 };
enum retry_mode { RETRY_NONE = 0, RETRY_ANY = 1, RETRY_CODES = 2 };
enum infeasible { INFEASIBLE_AS_SET = 0, INFEASIBLE_FAIL = 1, INFEASIBLE_WAIT = 2 };
enum decision { DECISION_GO_ON = 0, DECISION_STOP = 1, DECISION_PAUSE = 2, DECISION_REFUSED = 3 };
enum package_kind { PACKAGE_WORKING_DIR = 1, PACKAGE_PY_MODULE = 2 };
enum after { AFTER_OK = 1, AFTER_ANY = 2 };
enum metric_kind { METRIC_COUNTER = 1, METRIC_GAUGE = 2, METRIC_HISTOGRAM = 3 };
enum recall { RECALL_IF_WAITING = 0, RECALL_TERM = 1, RECALL_KILL = 2, RECALL_GIVE_BACK = 3 };
enum copy_kind { COPY_GONE = 0, COPY_SECONDARY = 1, COPY_PRIMARY = 2, COPY_SPILLED = 3 };
/*  HELD.running. */
enum held_state {
    HELD_WAITS = 0, /* at the worker */
    HELD_RUNS = 1,
    HELD_ENDED = 2,        /* its DONE is not acknowledged yet */
    HELD_ALIVE = 3,        /* an actor whose constructor has returned */
    HELD_BLOCKED_GET = 4,  /* it runs, and waits in rayc_get(): its CPUs are free */
    HELD_BLOCKED_WAIT = 5, /* likewise in rayc_wait() */
};
enum need { NEED_TICKET = 0, NEED_GET, NEED_WAIT, NEED_NOTHING, NEEDS };
enum drain { DRAIN_NONE = 0, DRAIN_ASKED = 1, DRAIN_LEAVING = 2 };

/*  How an attempt ended, as its worker saw it. */
enum outcome {
    OUTCOME_OK = 0,    /* the function returned; the command exited with 0 */
    OUTCOME_APP_ERROR, /* rayc_fail(); status is the application's code */
    OUTCOME_EXIT, /* the process ended by itself with this status: of a command, a result; of an executor, a death */
    OUTCOME_SIGNAL,       /* the process was killed; status is -signal */
    OUTCOME_RUN_TIMEOUT,  /* killed by the worker: run_ms_max */
    OUTCOME_CANCELLED,    /* killed by the worker: the head asked for it */
    OUTCOME_SETUP_FAILED, /* the process could not be started; text says why */
    OUTCOME_BAD_ARGUMENT, /* the function read an argument as another kind */
    OUTCOME_NO_SUCH_TASK, /* the program has no function of this name */
    OUTCOME_TOO_LARGE,    /* the result is over PAYLOAD_MAX */
    OUTCOME_RETURNED, /* it had not started, and will not here; with started_ms: was ended for a drain */
    OUTCOME_ENV_FAILED,    /* its files or environment could not be set up; text says why */
    OUTCOME_OUT_OF_MEMORY, /* as EXIT or SIGNAL, and the kernel has killed for want of memory */
    OUTCOME_OBJECT_LOST,   /* a stored argument is LOST: it has not started; text says why */
    OUTCOME_STORE_FULL,    /* its result fits neither the store of the node nor its disk */
    OUTCOMES
};

struct list {
    struct slice bytes; /* encoded elements, checked by proto_decode() */
    uint32_t count;
};

typedef uint32_t wire_u32;
typedef uint64_t wire_u64;
typedef int32_t wire_i32;
typedef int64_t wire_i64;
typedef double wire_f64;
typedef struct slice wire_str;
typedef struct slice wire_bin;

enum msg_kind {
    MSG_NONE = 0,
#define MSG(id, NAME, name, direction, doc) MSG_##NAME = id,
#define RECORD(NAME, name, doc)
#define FIELD(type, name, bound, doc)
#define LIST(record, name, bound, doc)
#define END
#include "proto/messages.def"
#undef MSG
#undef RECORD
    MSG_KINDS = 128
};

enum record_kind {
#define MSG(id, NAME, name, direction, doc)
#define RECORD(NAME, name, doc) REC_##NAME,
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END
    RECORD_KINDS
};

#define MSG(id, NAME, name, direction, doc)                                                        \
    struct msg_##name {                                                                            \
        uint64_t seq;
#define RECORD(NAME, name, doc)        struct rec_##name {
#define FIELD(type, name, bound, doc)  wire_##type name;
#define LIST(record, name, bound, doc) struct list name;
#define END                                                                                        \
    }                                                                                              \
    ;
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END

/*  Any message.  `kind` says which member is set; every member starts with seq. */
struct msg {
    enum msg_kind kind;
    union {
        uint64_t seq;
#define MSG(id, NAME, name, direction, doc) struct msg_##name name;
#define RECORD(NAME, name, doc)
#define FIELD(type, name, bound, doc)
#define LIST(record, name, bound, doc)
#define END
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END
    } as;
};

/*  A bounded buffer that is written to.  What does not fit sets `full` and writes nothing more. */
struct wire {
    uint8_t *p;
    size_t n;
    size_t capacity;
    bool full;
};

/*  Appends a whole frame / one element of a list.  `value` is the struct of that kind; its lists are
    elements encoded before with proto_put_record() into another wire. */
void proto_put(struct wire *to, enum msg_kind kind, const void *value);
void proto_put_record(struct wire *to, enum record_kind kind, const void *value);

/*  OK, or ERR_FRAME with `why` (may be NULL) saying which field.  An unknown id is ERR_FRAME too. */
MUST_CHECK int proto_decode(struct slice frame, struct msg *out, struct diag *why);

/*  Takes the next element off a decoded list; false at its end.  `out` is a struct of that record. */
bool proto_next(struct list *list, enum record_kind kind, void *out);
#define MSG(id, NAME, name, direction, doc)
#define RECORD(NAME, name, doc)                                                                    \
    static inline bool next_##name(struct list *list, struct rec_##name *out)                      \
    {                                                                                              \
        return proto_next(list, REC_##NAME, out);                                                  \
    }
#define FIELD(type, name, bound, doc)
#define LIST(record, name, bound, doc)
#define END
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END

static inline struct list wire_list(const struct wire *elements, uint32_t count)
{
    return (struct list){ slice_of(elements->p, elements->n), count };
}

/*  One line for people: "SUBMIT seq=7 session=1 first=1 specs=[1] calls=[256]".  Cut to fit; returns text. */
const char *proto_print(const struct msg *msg, char *text, size_t capacity);
const char *proto_name(enum msg_kind kind);   /* "SUBMIT"; "?" */
enum msg_kind proto_kind(struct slice frame); /* MSG_NONE: it is none */
bool proto_is_submission(const char *id);     /* letters, digits and ._:-, the first no sign */
bool proto_to_head(enum msg_kind kind);       /* may a client or worker send it? */
bool proto_same(const struct msg *a, const struct msg *b); /* field by field */

/*  The tables themselves, for fuzz seeds and docs. */
enum field_type { TYPE_U32, TYPE_U64, TYPE_I32, TYPE_I64, TYPE_F64, TYPE_STR, TYPE_BIN, TYPE_LIST };
struct field {
    const char *name;
    enum field_type type;
    uint16_t offset;         /* in the struct */
    enum record_kind record; /* of a list */
    uint64_t bound;
    const char *doc;
};
struct shape {
    const char *name; /* "SUBMIT"; NULL: no such message */
    const char *doc;
    bool to_head;
    uint16_t bytes; /* sizeof the struct */
    uint16_t field_count;
    const struct field *fields;
};
const struct shape *proto_message(enum msg_kind kind); /* NULL if unknown */
const struct shape *proto_record(enum record_kind kind);

#define TASK_STATE(NAME, value, text) TASK_##NAME = value,
enum task_state {
#include "proto/states.def"
    TASK_STATES = 7
};
#undef TASK_STATE
#define JOB_STATE(NAME, value) JOB_##NAME = value,
enum job_state {
#include "proto/states.def"
    JOB_STATES = 6
};
#undef JOB_STATE
#define NODE_STATE(NAME, value) NODE_##NAME = value,
enum node_state {
#include "proto/states.def"
    NODE_STATES = 4
};
#undef NODE_STATE
#define STUDY_STATE(NAME, value) STUDY_##NAME = value,
enum study_state {
#include "proto/states.def"
    STUDY_STATES = 6
};
#undef STUDY_STATE
#define TRIAL_STATE(NAME, value) TRIAL_##NAME = value,
enum trial_state {
#include "proto/states.def"
    TRIAL_STATES = 6
};
#undef TRIAL_STATE
#define ACTOR_STATE(NAME, value) ACTOR_##NAME = value,
enum actor_state {
#include "proto/states.def"
    ACTOR_STATES = 6
};
#undef ACTOR_STATE
/*  Why an actor is DEAD. */
#define ACTOR_CAUSE(NAME, value, text) DEATH_##NAME = value,
enum death {
    DEATH_NONE = 0,
#include "proto/states.def"
    DEATHS = 7
};
#undef ACTOR_CAUSE
#define OBJECT_STATE(NAME, value) DIRECTORY_##NAME = value,
enum directory_state {
#include "proto/states.def"
    DIRECTORY_STATES = 7
};
#undef OBJECT_STATE
/*  Why an object is LOST: Ray's error types. */
#define OBJECT_REASON(NAME, value, text) REASON_##NAME = value,
enum object_reason {
    REASON_NONE = 0,
#include "proto/states.def"
    OBJECT_REASONS = 11
};
#undef OBJECT_REASON
#define ROLE(NAME, value, text) ROLE_##NAME = value,
enum role {
#include "proto/states.def"
    ROLES = 6
};
#undef ROLE
/*  Why a task is not running (EXPLAINED). */
#define WHY(NAME, value, text) WHY_##NAME = value,
enum why {
#include "proto/states.def"
    WHYS = 18
};
#undef WHY
#define JOB_ERROR(NAME, value, text) ERROR_##NAME = value,
enum job_error {
    JOB_ERROR_NONE = 0,
#include "proto/states.def"
    JOB_ERRORS = 7
};
#undef JOB_ERROR
#define FAILURE(NAME, value, code, type, text) FAILURE_##NAME = value,
enum failure {
    FAILURE_NONE = 0,
#include "proto/states.def"
    FAILURES
};
#undef FAILURE

const char *task_state_name(uint32_t state); /* Ray's name; "?" */
const char *job_state_name(uint32_t state);
const char *node_state_name(uint32_t state);
const char *study_state_name(uint32_t state);
const char *trial_state_name(uint32_t state);
const char *actor_state_name(uint32_t state);
const char *death_name(uint32_t death); /* "RAY_KILL"; "" for none */
const char *death_text(uint32_t death); /* "it was killed" */
const char *role_name(uint32_t role);   /* "ADMIN" */
const char *object_state_name(uint32_t state);
const char *object_reason_name(uint32_t reason); /* "OBJECT_UNRECONSTRUCTABLE_PUT" */
const char *object_reason_text(uint32_t reason);
uint32_t role_within(uint32_t user,
                     uint32_t token);       /* what a token gives to such a user; 0: nothing */
const char *job_error_name(uint32_t error); /* Ray's error type; "" for none */
const char *why_name(uint32_t why);         /* "BACKOFF" */
const char *why_text(uint32_t why);         /* "It failed, and waits for its next try." */
const char *failure_type(uint32_t failure); /* "WORKER_DIED" */
const char *failure_text(uint32_t failure); /* "the process of the task died" */
int failure_code(uint32_t failure);         /* of err.def; 0 for FAILURE_NONE */
#endif
