/*  study_link_io.c - a study on the session's link: rows and decisions leave, what the head says is noted.  After a
    reconnect rows that are not saved leave again, and so does the last decision of each task that runs. */
#include <stdlib.h>
#include "client/study_link_inside.h"

enum {
    DECISION_BYTES = 64,   /* of an encoded DECISION without its text */
    STALLED_BEATS_MAX = 3, /* then rows are sent again */
    DECIDE_BYTES = 1 * MIB /* of one DECIDE message */
};

/* --- news ------------------------------------------------------------------------------------- */

void news_add(struct news_queue *queue, struct news *news)
{
    news->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = news;
    } else {
        queue->first = news;
    }
    queue->last = news;
}

struct news *news_take(struct news_queue *queue)
{
    struct news *news = queue->first;
    queue->first = news->next;
    queue->last = queue->first != NULL ? queue->last : NULL;
    return news;
}

void news_free(struct news **news)
{
    if (*news != NULL) {
        free((*news)->bytes);
        free(*news);
        *news = NULL;
    }
}

struct news *news_of_reports(struct list reports)
{
    struct news *news = calloc(1, sizeof(*news));
    ensure(news != NULL);
    news->bytes = malloc(reports.bytes.n + 1);
    ensure(news->bytes != NULL);
    memcpy(news->bytes, reports.bytes.p, reports.bytes.n);
    news->reports = (struct list){ slice_of(news->bytes, reports.bytes.n), reports.count };
    return news;
}

void study_link_on_reported(struct study_link *self, const struct msg_reported *msg)
{
    if (msg->study == self->id && msg->reports.count > 0) {
        news_add(&self->queue, news_of_reports(msg->reports));
        session_tell(self->session, 1);
    }
}

void study_link_on_ended(struct study_link *self, uint64_t task)
{
    struct news *news = calloc(1, sizeof(*news));
    ensure(news != NULL);
    news->task = task;
    news_add(&self->queue, news);
}

void study_link_on_state(struct study_link *self, const struct msg_study_state *msg)
{
    if (msg->study == self->id && msg->stopping) {
        self->stop_asked = true;
        session_tell(self->session, 1);
    }
}

/* --- rows and decisions ------------------------------------------------------------------------- */

bool study_link_unsent(const struct study_link *self)
{
    return self != NULL && (self->unsent != NULL || self->decision_count > 0);
}

/*  As many of the decisions as one message holds. */
static void send_some(struct session *session, struct list *decisions)
{
    struct rec_decision decision;
    struct list some = *decisions;
    for (some.count = 0; some.count < TRIALS_PER_FRAME_MAX; some.count++) {
        size_t bytes = (size_t)(decisions->bytes.p - some.bytes.p);
        if (bytes > DECIDE_BYTES || !next_decision(decisions, &decision)) {
            break;
        }
    }
    some.bytes.n = (size_t)(decisions->bytes.p - some.bytes.p);
    struct msg_decide decide = { .seq = SEQ_SESSION | ++session->seq,
                                 .session = session->id,
                                 .decisions = some };
    session_say(session, MSG_DECIDE, &decide, SMALL_BYTES + some.bytes.n);
}

void study_link_push(struct study_link *self)
{
    struct session *session = self->session;
    struct list decisions = wire_list(&self->decisions, self->decision_count);
    while (decisions.count > 0) {
        send_some(session, &decisions);
    }
    self->decisions.n = 0;
    self->decision_count = 0;
    for (; self->unsent != NULL; self->unsent = self->unsent->next) {
        const struct rows *rows = self->unsent;
        struct msg_trials msg = { .seq = rows->seq,
                                  .session = session->id,
                                  .study = self->id,
                                  .trials = wire_list(&rows->wire, rows->count) };
        session_say(session, MSG_TRIALS, &msg, SMALL_BYTES + rows->wire.n);
        self->open = false;
    }
}

void study_link_put_decision(struct study_link *self, const struct rec_decision *decision)
{
    struct wire *wire = &self->decisions;
    size_t bytes = DECISION_BYTES + decision->text.n;
    if (bytes > wire->capacity - wire->n) {
        wire->capacity = 2 * wire->capacity + bytes;
        wire->p = realloc(wire->p, wire->capacity);
        ensure(wire->p != NULL);
    }
    proto_put_record(wire, REC_DECISION, decision);
    ensure(!wire->full);
    self->decision_count++;
}

void study_link_on_ready(struct study_link *self)
{
    self->unsent = self->oldest;
    self->stalled_beats = 0;
    self->decisions.n = 0;
    self->decision_count = 0;
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        for (const struct run *run = self->runs[i]; run != NULL; run = run->next) {
            if (run->decided) {
                study_link_put_decision(self, &(struct rec_decision){ run->task, run->token,
                                                                      run->number, run->decision,
                                                                      slice_text(run->why) });
            }
        }
    }
    self->missed = true;
    session_tell(self->session, 1);
}

void study_link_on_saved(struct study_link *self, uint64_t seq)
{
    while (self->oldest != NULL && self->oldest->seq <= seq) {
        struct rows *rows = self->oldest;
        self->unsent = self->unsent == rows ? rows->next : self->unsent;
        self->oldest = rows->next;
        if (self->oldest == NULL) {
            self->newest = NULL;
            self->open = false;
        }
        free(rows->wire.p);
        free(rows);
        self->stalled_beats = 0;
    }
    pthread_cond_broadcast(&self->session->changed); /* study_link_flush() */
}

/*  Rows that were sent and are not saved for long were lost on the way. */
void study_link_on_beat(struct study_link *self)
{
    bool waits = self->oldest != NULL && self->oldest != self->unsent;
    self->stalled_beats = waits ? self->stalled_beats + 1 : 0;
    if (self->stalled_beats >= STALLED_BEATS_MAX) {
        self->stalled_beats = 0;
        self->unsent = self->oldest;
    }
}

bool study_link_on_refused(struct study_link *self, const struct msg_refused *msg)
{
    bool ours =
        self->oldest != NULL && msg->seq >= self->oldest->seq && msg->seq <= self->newest->seq;
    if (ours && self->broken == 0) {
        self->broken = msg->code < 0 ? msg->code : RAYC_EINVALID;
        slice_copy_text(msg->text, self->broken_text, sizeof(self->broken_text));
        session_tell(self->session, 1);
        pthread_cond_broadcast(&self->session->changed);
    }
    return ours;
}
