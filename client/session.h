/*  session.h - one connection to a head and one submitter session, shared by all threads of a
    program.

    A thread of its own (session_io.c) owns the link: it greets, opens the job, sends batches,
    takes results, dials again and sends again, so that the head may die and come back while
    callers wait.  All functions here may be called from any thread; failures are codes of
    rayc.h, described by rayc_error(). */
#ifndef RAYC_SESSION_H
#define RAYC_SESSION_H
#include "client/rayc.h"
#include "common/err.h"
#include "common/hash.h"
#include "common/key.h"
#include "proto/value.h"

struct session;
struct local_buffer;

struct session_config {
    const char *address;
    const struct member_key *key; /* NULL: none */
    uint64_t attach_job;          /* not 0: the driver's session of this job, */
    uint64_t attach_token;      /* by the token of its attempt; else a job of its own is opened, */
    enum durability durability; /* at this level */
    /*  of an executor, for what its tasks submit: HELLO is said with it; or NULL */
    const char *ticket;
    uint32_t first_ms_max;     /* give up when no head has answered by then */
    uint32_t reconnect_ms_max; /* likewise, once one had */
    int (*revive)(
        void); /* called by the session's thread when the head is gone, and now and then; or NULL */
};

/*  Returns when the job is open.  *out is valid until the process ends, whatever is called on
    it. */
MUST_CHECK int session_open(struct session **out, const struct session_config *config);
/*  Everything accepted is synced, the session ends, all memory but the struct itself goes. */
void session_close(struct session *self);

/*  Of an executor: its references end with its attempt, which is over when the head has all that it has submitted; nothing
    is said from then on, until another attempt takes the session up with its ticket. */
void session_park(struct session *self);
/*  Likewise of a call of an actor, which goes on: the head knows what it has read before the call is over, for then nobody
    else may hold that. */
void session_settle(struct session *self);
MUST_CHECK int session_rejoin(struct session *self, const char *ticket);

/*  The program whose functions session_submit() runs from now on: its hash, and its file; NULL: the head has it. */
void session_set_program(struct session *self, const char *path, const char *hash);

struct submission {
    const rayc_function *function;
    const rayc_options *options;
    const rayc_arg *args;
    size_t count;
    uint32_t returns; /* references that are wanted: as many as the options say */
};
void session_submit(struct session *self, const struct submission *what, rayc_ref *refs);
/*  `body` is the map of SPEC.body. */
rayc_ref session_command(struct session *self, const rayc_options *options, const char *name,
                         struct slice body);
rayc_ref session_put(struct session *self, const rayc_value *value);
rayc_ref session_put_buffer(struct session *self,
                            struct local_buffer *buffer); /* it is used up, or left if closed */
/*  References that say this thread's rayc_error(). */
void session_born_failed(struct session *self, uint32_t returns, rayc_ref *refs);
int session_get(struct session *self, rayc_ref ref, double seconds, rayc_value *out);
struct ref_list {
    const rayc_ref *refs;
    size_t count;
};
int session_get_all(struct session *self, const struct ref_list *list, double seconds,
                    rayc_value *values);
int session_wait(struct session *self, rayc_ref *refs, size_t count, size_t wanted, double seconds);
int session_drop(struct session *self, rayc_ref ref);
int session_free(struct session *self, const rayc_ref *refs, size_t count);
/*  Of a task that another session has submitted? */
bool session_is_foreign(const struct session *self, rayc_ref ref);
void session_met(struct session *self,
                 rayc_ref ref); /* read in a value: held until it is dropped */
/*  A task of this executor is going to return a value with this reference inside. */
void session_returns(struct session *self, uint64_t task, const struct reference *inside);
/*  OK: it is a task that the head has, which is waited for; 1: it never will have it; RAYC_ENOTFOUND. */
int session_known(struct session *self, rayc_ref ref);

/*  The session that rayc_init() made; NULL with rayc_error(): none. */
struct session *rayc_session_(void);
/*  The program has read this reference in a value: it is held from now on.  What a task has read in its arguments is held
    as long as it runs, with no session; an actor may keep it. */
void rayc_met_(rayc_ref ref);

/*  A request and its reply, which has the same seq; sent again after a reconnect, so it must be
    idempotent. A refusal is its code.  `seconds` as in rayc_get().  The reply owns its bytes:
    reply_free(). */
struct reply {
    struct msg msg;
    uint8_t *bytes;
};
MUST_CHECK int session_ask(struct session *self, enum msg_kind kind, void *request, double seconds,
                           struct reply *out);
void reply_free(struct reply *reply);
#endif
