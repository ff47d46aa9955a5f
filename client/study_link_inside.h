/*  study_link_inside.h - struct study_link, for study_link.c (the driver's thread) and study_link_io.c (whoever has the
    session's link).  All of it is under the session's lock. */
#ifndef RAYC_STUDY_LINK_INSIDE_H
#define RAYC_STUDY_LINK_INSIDE_H
#include "client/session_inside.h"
#include "client/study_link.h"

enum { RUN_BUCKETS = 1024, LINK_WHY_MAX = 512 };

/*  Rows on their way: a TRIALS message, kept until TRIALS_SAVED. */
struct rows {
    struct rows *next;
    uint64_t seq;
    uint32_t count;
    struct wire wire;
};

/*  What study_link_wait() tells: the reports of one message, or one task that has ended. */
struct news {
    struct news *next;
    uint64_t task; /* that has ended; 0: reports */
    struct list reports;
    uint8_t *bytes; /* that they borrow from */
};

struct news_queue {
    struct news *first, *last;
};

/*  A task that has reported and not ended. */
struct run {
    struct run *next;
    uint64_t task, token;
    uint32_t number; /* of its newest report that was given out */
    bool decided;    /* that one was answered: */
    uint32_t decision;
    char why[LINK_WHY_MAX];
};

struct study_link {
    struct session *session;
    uint64_t id;
    char name[NAME_MAX_BYTES + 1];
    bool stop_asked;
    /*  there was another connection: reports may be in the database that nobody told us */
    bool missed;
    int broken; /* the head refused rows */
    char broken_text[BROKEN_TEXT_MAX];

    struct rows *oldest, *newest, *unsent;
    bool open;              /* the newest one takes more rows, and was not sent */
    uint32_t stalled_beats; /* without a row saved, while some are sent */

    struct wire decisions; /* to be sent */
    uint32_t decision_count;
    struct run *runs[RUN_BUCKETS];

    struct news_queue queue;
    struct news *at; /* what the last report borrows from */
    uint64_t seen;   /* id of the newest report that was given out, or read */
};

/*  study_link_io.c, for the session. */
bool study_link_unsent(const struct study_link *self);
void study_link_push(
    struct study_link *self); /* rows and decisions leave: before any later SUBMIT */
void study_link_on_ready(struct study_link *self);
void study_link_on_beat(struct study_link *self);
void study_link_on_reported(struct study_link *self, const struct msg_reported *msg);
void study_link_on_saved(struct study_link *self, uint64_t seq);
void study_link_on_state(struct study_link *self, const struct msg_study_state *msg);
void study_link_on_ended(struct study_link *self, uint64_t task);
/*  True: it refused rows. */
bool study_link_on_refused(struct study_link *self, const struct msg_refused *msg);

/*  study_link_io.c, for study_link.c. */
void news_add(struct news_queue *queue, struct news *news);
struct news *news_take(struct news_queue *queue);
void news_free(struct news **news);
struct news *news_of_reports(struct list reports);
void study_link_put_decision(struct study_link *self, const struct rec_decision *decision);
#endif
