/*  session_inside.h - struct session, for session.c, submit.c, results.c (callers' threads)
    and session_io.c (its own thread). */
#ifndef RAYC_SESSION_INSIDE_H
#define RAYC_SESSION_INSIDE_H
#include <pthread.h>
#include "client/borrowed.h"
#include "client/handles.h"
#include "client/outbox.h"
#include "client/ref_changes.h"
#include "client/refs.h"
#include "client/sealing.h"
#include "client/session.h"
#include "client/specs.h"
#include "common/access.h"
#include "common/link.h"

enum { BROKEN_TEXT_MAX = 1024, SMALL_BYTES = 1024 /* bounds a message without lists */ };
#define BORN_FAILED (1ull << 63) /* in rayc_ref.number: of session.born, unknown to the head */
#define SEQ_FIRST   (1ull << 40) /* of requests: rows of trials count from 1 (study_link.h) */
#define SEQ_SESSION                                                                                \
    (1ull << 62) /* in the seq of what is no session_ask(): its refusal ends the session */

enum phase {
    PHASE_DOWN = 0, /* no connection */
    PHASE_GREETING, /* HELLO is sent */
    PHASE_OPENING,  /* JOB_OPEN, JOB_ATTACH or RESUME is sent */
    PHASE_OFFERING, /* the session is there again; its program is sent: offer.h */
    PHASE_READY
};

/*  Of a caller that waits for a reply. */
struct request {
    struct request *next;
    uint64_t seq;
    struct wire frame;
    bool sent; /* on this connection */
    bool done;
    int code;       /* OK, or why there is no reply */
    uint8_t *reply; /* malloced */
    size_t reply_bytes;
};

struct study_link;

struct session {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int wake_fd; /* eventfd: the thread has something to do */
    pthread_t thread;
    struct session *closed_before;
    struct session_config config;
    char *address;
    struct member_key key;
    char program[HASH_TEXT_BYTES];
    char *program_path; /* the file of that hash; NULL: none */
    /*  bytes of it that the head had at the last answer, and one; 0: not known yet */
    uint64_t offered;

    /*  Under the lock. */
    bool asleep; /* the thread sleeps: write to wake_fd */
    bool closing;
    uint32_t leaving; /* callers that wait until the head has everything */
    uint32_t callers; /* that wait for `changed` */
    int broken;       /* not 0: nothing more can come; with its text */
    char broken_text[BROKEN_TEXT_MAX];
    uint64_t job, id; /* of the session; 0: not open yet */
    enum phase phase;
    uint64_t seq;
    struct refs refs;           /* by counter */
    struct ref_changes changes; /* of what it holds, that the head is told of */
    struct refs born;           /* failed at birth: by number without BORN_FAILED */
    struct borrowed borrowed;
    uint64_t dropped; /* counter below which session_drop_all() has dropped all */
    struct specs specs;
    struct outbox outbox;
    struct request *requests;
    struct handles handles;   /* of actors */
    bool naming;              /* the next counter is being given a name: submit.h */
    bool quota;               /* the head decides whether a stored value may be there */
    struct wire args, deps;   /* scratch */
    struct sealing sealing;   /* likewise */
    uint32_t waiters;         /* callers that wait for results: what was submitted must leave */
    uint64_t watched_ended;   /* watched references that have ended, ever */
    uint64_t wake_at;         /* wake the waiters when watched_ended gets there */
    struct study_link *study; /* that this session drives; NULL: none */
    uint64_t rows_seq;        /* of its newest TRIALS */

    bool parked; /* of an executor that runs no task: nothing is said */
    bool rejoin; /* HELLO is to be said, with another ticket */

    bool standby;    /* the thread keeps out of the way: a caller that waits does its work */
    bool driven;     /* one does so now */
    bool needed;     /* the thread is to come back: there is something that only it does */
    uint32_t drives; /* times that a caller has done so */
    int standby_ms;  /* how long the thread sleeps between two looks */

    /*  Of the thread alone, or of the caller that does its work. */
    struct link *link;
    struct wire frame;                /* what is being sent */
    char token[ACCESS_TOKEN_MAX + 1]; /* what HELLO was said with last */
    bool congested;                   /* the head took only a part of what was sent: it is full */
    bool said;                        /* something was sent since the link was read */
    char submission[32];
    uint64_t epoch; /* the highest met */
    uint32_t beat_ms;
    uint64_t lost_ms; /* since when no head answers; 0: one does */
    uint64_t greeted_ms, beat_at_ms, revive_at_ms, resend_at_ms;
    uint32_t revive_failures; /* in a row */
    bool warned;
    uint64_t opening_seq;
    bool beat_open;        /* a beat was sent and not answered yet */
    uint64_t results_seen; /* seq of the newest RESULTS without a gap before it */
    uint64_t poll_next;    /* counter from which to ask again; 0: nothing to ask */
    uint64_t beat_below;   /* what the last answer to a beat said */
    uint32_t stalled_beats, missed_beats;
};

void *session_run(void *session);                                      /* the thread */
void session_break(struct session *self, int code, struct slice text); /* under the lock */

void session_break_as(struct session *self, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*  For whoever has the link: under the lock, except session_take_news().  `bytes` bounds the
    encoded message.  What cannot be sent now is said again after the reconnect. */
void session_say(struct session *self, enum msg_kind kind, const void *message, size_t bytes);
void session_say_hello(struct session *self, uint64_t now_ms);
void session_say_beat(struct session *self, uint64_t now_ms);
bool session_take_news(struct session *self); /* true: there was something */

/*  Under the lock: something that callers sleep for has happened. */
void session_tell(struct session *self, uint64_t ended);

/*  Under the lock, for callers. */
struct ref_slot *session_find_slot(const struct session *self, rayc_ref ref); /* NULL: not there */
int session_unknown(rayc_ref ref); /* RAYC_ENOTFOUND with rayc_error() */
/*  The slot of a reference, or NULL with rayc_error(); that of another session's task is made when
    it is not there, and the head is asked. */
struct ref_slot *session_slot(struct session *self, rayc_ref ref);
void session_drop_all(struct session *self);  /* that it has got since the last time */
void session_ask_again(struct session *self); /* how everything that is pending has ended */
void session_send(struct session *self);      /* what waits to be sent leaves now */
void session_wake(struct session *self);
void session_send_all(struct session *self); /* by the thread, which comes back for it */
/*  Waits for a change until `until_us` of clock_us() (UINT64_MAX: for ever).  RAYC_ETIMEOUT;
    RAYC_ECLOSED. */
int session_sleep(struct session *self, uint64_t until_us);
/*  Until the head has the task, if it is this session's: it cannot end what it does not know. */
int session_wait_accepted(struct session *self, task_id id);
int session_usable(const struct session *self);         /* RAYC_OK, RAYC_ECLOSED */
void session_tell_drops(struct session *self);          /* until the head knows of all so far */
void session_await(struct session *self, rayc_ref ref); /* until it has ended, or never can */
uint64_t session_deadline(double seconds);
/*  As session_sleep(), until `target` watched references have ended.  While the thread keeps out
    of the way, the caller does its work: a result then wakes one thread, not two. */
int session_sleep_for(struct session *self, uint64_t target, uint64_t until_us);
#endif
