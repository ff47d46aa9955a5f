/*  study_link.c - the driver's half of a study, on top of a session: opening, reading back, rows, news, decisions. */
#include "client/study_link.h"

#include <stdlib.h>
#include "client/failure.h"
#include "client/program.h"
#include "client/study_link_inside.h"
#include "common/clock.h"

enum {
    ROW_BYTES = 256,     /* of an encoded TRIAL without its texts */
    ROWS_BYTES = 1 * MIB /* of one TRIALS message, but for a single row */
};

/* --- opening and reading ------------------------------------------------------------------------ */

int study_link_program(struct session *session, const char *path)
{
    char hash[HASH_TEXT_BYTES];
    int rc = program_hash(path, hash);
    return rc == OK ? program_use(session, path, hash) : rc;
}

int study_link_open(struct study_link **out, struct session *session, const struct study_open *open)
{
    *out = NULL;
    struct msg_study_open request = { .session = session->id,
                                      .name = slice_text(open->name),
                                      .resume = open->resume,
                                      .decides = open->decides,
                                      .maximize = open->maximize,
                                      .metric = slice_text(open->metric),
                                      .seed = open->seed,
                                      .trials_max = open->trials_max,
                                      .definition = open->definition,
                                      .settings = slice_text(open->settings) };
    struct reply reply;
    if (session->study != NULL) {
        return failure_say(RAYC_ECONFLICT, "this program drives a study already");
    }
    int rc = session_ask(session, MSG_STUDY_OPEN, &request, RAYC_FOREVER, &reply);
    if (rc != RAYC_OK) {
        return rc;
    }
    struct study_link *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->session = session;
    self->id = reply.msg.as.study_opened.study;
    (void)slice_copy_text(request.name, self->name, sizeof(self->name));
    reply_free(&reply);
    pthread_mutex_lock(&session->lock);
    session->study = self;
    pthread_mutex_unlock(&session->lock);
    *out = self;
    return RAYC_OK;
}

void study_link_close(struct study_link **self_p)
{
    struct study_link *self = *self_p;
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->session->lock);
    self->session->study = NULL;
    study_link_on_saved(self, UINT64_MAX);
    pthread_mutex_unlock(&self->session->lock);
    while (self->queue.first != NULL) {
        struct news *news = news_take(&self->queue);
        news_free(&news);
    }
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        while (self->runs[i] != NULL) {
            struct run *run = self->runs[i];
            self->runs[i] = run->next;
            free(run);
        }
    }
    news_free(&self->at);
    free(self->decisions.p);
    free(self);
    *self_p = NULL;
}

int study_link_look(struct session *session, const char *name, struct reply *out)
{
    struct msg_study_read request = { .name = slice_text(name) };
    int rc = session_ask(session, MSG_STUDY_READ, &request, RAYC_FOREVER, out);
    if (rc == RAYC_OK && out->msg.as.study_rows.study == 0) {
        reply_free(out);
        rc = failure_say(RAYC_ENOTFOUND, "there is no study named '%.256s'", name);
    }
    return rc;
}

/*  Reads pages of one kind of rows; each() takes the rows off the page and moves `after` on. */
static int read_pages(struct study_link *self, uint32_t what, uint64_t *after,
                      void (*each)(void *context, struct msg_study_rows *page, uint64_t *after),
                      void *context)
{
    bool more = true;
    while (more) {
        struct msg_study_read request = { .name = slice_text(self->name),
                                          .what = what,
                                          .after = *after };
        struct reply reply;
        int rc = session_ask(self->session, MSG_STUDY_READ, &request, RAYC_FOREVER, &reply);
        if (rc != RAYC_OK) {
            return rc;
        }
        uint64_t before = *after;
        each(context, &reply.msg.as.study_rows, after);
        more = reply.msg.as.study_rows.more != 0 && *after > before;
        reply_free(&reply);
    }
    return RAYC_OK;
}

struct readers {
    void (*trial)(void *context, const struct rec_trial *);
    void (*report)(void *context, const struct rec_report *);
    void *context;
};

static void read_trials(void *context, struct msg_study_rows *page, uint64_t *after)
{
    const struct readers *readers = context;
    struct rec_trial row;
    while (next_trial(&page->trials, &row)) {
        readers->trial(readers->context, &row);
        *after = row.number + 1ull;
    }
}

static void read_reports(void *context, struct msg_study_rows *page, uint64_t *after)
{
    const struct readers *readers = context;
    struct rec_report row;
    while (next_report(&page->reports, &row)) {
        readers->report(readers->context, &row);
        *after = row.id;
    }
}

int study_link_read(struct study_link *self, void (*trial)(void *context, const struct rec_trial *),
                    void (*report)(void *context, const struct rec_report *), void *context)
{
    struct readers readers = { trial, report, context };
    uint64_t after = 0;
    int rc = read_pages(self, 1, &after, read_trials, &readers);
    after = 0;
    rc = rc == RAYC_OK ? read_pages(self, 2, &after, read_reports, &readers) : rc;
    self->seen = after > self->seen ? after : self->seen;
    return rc;
}

/* --- rows ----------------------------------------------------------------------------------------- */

static struct rows *rows_new(struct study_link *self)
{
    struct rows *rows = calloc(1, sizeof(*rows));
    ensure(rows != NULL);
    rows->seq = ++self->session->rows_seq;
    if (self->newest != NULL) {
        self->newest->next = rows;
    } else {
        self->oldest = rows;
    }
    self->newest = rows;
    self->unsent = self->unsent != NULL ? self->unsent : rows;
    self->open = true;
    return rows;
}

void study_link_save(struct study_link *self, const struct rec_trial *row)
{
    size_t bytes = ROW_BYTES + row->point.n + row->params.n + row->metrics.n + row->checkpoint.n +
                   row->text.n + row->lineage.n;
    pthread_mutex_lock(&self->session->lock);
    struct rows *rows = self->newest;
    if (!self->open || rows->count == TRIALS_PER_FRAME_MAX || rows->wire.n + bytes > ROWS_BYTES) {
        rows = rows_new(self);
    }
    struct wire *wire = &rows->wire;
    if (bytes > wire->capacity - wire->n) {
        wire->capacity = 2 * wire->capacity + bytes;
        wire->p = realloc(wire->p, wire->capacity);
        ensure(wire->p != NULL);
    }
    proto_put_record(wire, REC_TRIAL, row);
    ensure(!wire->full);
    rows->count++;
    pthread_mutex_unlock(&self->session->lock);
}

/*  RAYC_OK, or why nothing more can come. */
static int usable(const struct study_link *self)
{
    const struct session *session = self->session;
    int rc = session_usable(session);
    if (rc == RAYC_OK && session->broken != 0) {
        rc = failure_set(session->broken, slice_text(session->broken_text));
    }
    return rc == RAYC_OK && self->broken != 0
               ? failure_set(self->broken, slice_text(self->broken_text))
               : rc;
}

int study_link_flush(struct study_link *self, double seconds)
{
    struct session *session = self->session;
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&session->lock);
    int rc = usable(self);
    session_send(session);
    while (rc == RAYC_OK && self->oldest != NULL) {
        rc = session_sleep(session, until_us);
        rc = rc == RAYC_OK ? usable(self) : rc;
    }
    if (rc == RAYC_ETIMEOUT) {
        failure_say(rc, "the head has not saved all rows of the study in %.1f s", seconds);
    }
    pthread_mutex_unlock(&session->lock);
    return rc;
}

int study_link_end(struct study_link *self, enum study_state state, const char *why)
{
    struct msg_study_end request = {
        .session = self->session->id, .study = self->id, .state = state, .text = slice_text(why)
    };
    struct reply reply;
    int rc = study_link_flush(self, RAYC_FOREVER);
    rc = rc == RAYC_OK ? session_ask(self->session, MSG_STUDY_END, &request, RAYC_FOREVER, &reply)
                       : rc;
    if (rc == RAYC_OK) {
        reply_free(&reply);
    }
    return rc;
}

/* --- runs ----------------------------------------------------------------------------------------- */

static struct run **run_place(struct study_link *self, uint64_t task)
{
    struct run **at = &self->runs[(task * 0x9E3779B97F4A7C15u) >> 54];
    while (*at != NULL && (*at)->task != task) {
        at = &(*at)->next;
    }
    return at;
}

static void run_forget(struct study_link *self, uint64_t task)
{
    struct run **at = run_place(self, task), *run = *at;
    if (run != NULL) {
        *at = run->next;
        free(run);
    }
}

static void say_decision(struct study_link *self, const struct run *run)
{
    study_link_put_decision(self, &(struct rec_decision){ run->task, run->token, run->number,
                                                          run->decision, slice_text(run->why) });
}

/*  Is the report new?  One that was decided on is answered again, as before. */
static bool run_take(struct study_link *self, const struct rec_report *report)
{
    struct run **at = run_place(self, report->task), *run = *at;
    if (run == NULL) {
        run = *at = calloc(1, sizeof(*run));
        ensure(run != NULL);
        run->task = report->task;
    } else if (report->token < run->token ||
               (report->token == run->token && report->number <= run->number)) {
        if (report->token == run->token && report->number == run->number && run->decided) {
            say_decision(self, run);
        }
        return false;
    }
    run->token = report->token;
    run->number = report->number;
    run->decided = false;
    return true;
}

void study_link_decide(struct study_link *self, const struct rec_report *report,
                       enum decision decision, const char *why)
{
    pthread_mutex_lock(&self->session->lock);
    struct run *run = *run_place(self, report->task);
    if (run != NULL && run->token == report->token && run->number == report->number) {
        run->decided = true;
        run->decision = decision;
        (void)slice_copy_text(slice_text(why), run->why, sizeof(run->why));
        say_decision(self, run);
    }
    pthread_mutex_unlock(&self->session->lock);
}

/* --- news ----------------------------------------------------------------------------------------- */

uint64_t study_link_next_task(const struct study_link *self)
{
    struct session *session = self->session;
    pthread_mutex_lock(&session->lock);
    uint64_t task = task_id_of(session->id, session->outbox.next).v;
    pthread_mutex_unlock(&session->lock);
    return task;
}

void study_link_watch(struct study_link *self, rayc_ref ref)
{
    struct session *session = self->session;
    pthread_mutex_lock(&session->lock);
    bool born_failed = (ref.number & BORN_FAILED) != 0;
    struct ref_slot *slot =
        born_failed ? NULL : refs_at(&session->refs, task_counter((task_id){ ref.number }));
    if (slot != NULL && slot->state == REF_PENDING) {
        slot->watched |= WATCHED_BY_STUDY;
    } else {
        study_link_on_ended(self, ref.number);
    }
    pthread_mutex_unlock(&session->lock);
}

static void catch_reports(void *context, struct msg_study_rows *page, uint64_t *after)
{
    struct news_queue *caught = context;
    struct rec_report row;
    if (page->reports.count > 0) {
        news_add(caught, news_of_reports(page->reports));
    }
    while (next_report(&page->reports, &row)) {
        *after = row.id;
    }
}

/*  Under the lock, which is not held meanwhile: what was reported while we were away goes first. */
static int catch_up(struct study_link *self)
{
    struct session *session = self->session;
    struct news_queue caught = { 0 };
    uint64_t after = self->seen;
    self->missed = false;
    pthread_mutex_unlock(&session->lock);
    int rc = read_pages(self, 2, &after, catch_reports, &caught);
    pthread_mutex_lock(&session->lock);
    if (caught.first != NULL) {
        caught.last->next = self->queue.first;
        self->queue.last = self->queue.last != NULL ? self->queue.last : caught.last;
        self->queue.first = caught.first;
    }
    return rc;
}

/*  The next thing that is known already; STUDY_NOTHING: none. */
static enum study_news take_news(struct study_link *self, struct rec_report *report, rayc_ref *task)
{
    if (self->stop_asked) {
        self->stop_asked = false;
        return STUDY_ASKED_TO_STOP;
    }
    for (;;) {
        while (self->at != NULL && next_report(&self->at->reports, report)) {
            if (run_take(self, report)) {
                self->seen = report->id > self->seen ? report->id : self->seen;
                return STUDY_REPORT;
            }
        }
        news_free(&self->at);
        if (self->queue.first == NULL) {
            return STUDY_NOTHING;
        }
        self->at = news_take(&self->queue);
        if (self->at->task != 0) {
            *task = (rayc_ref){ self->at->task, 0, (uint32_t)self->session->job };
            run_forget(self, self->at->task);
            news_free(&self->at);
            return STUDY_TASK_ENDED;
        }
    }
}

static int wait_for_news(struct study_link *self, uint64_t until_us, struct rec_report *report,
                         rayc_ref *task)
{
    struct session *session = self->session;
    for (;;) {
        int rc = usable(self);
        if (rc == RAYC_OK && self->missed) {
            rc = catch_up(self);
            rc = rc == RAYC_OK ? usable(self) : rc;
        }
        if (rc != RAYC_OK) {
            return rc;
        }
        enum study_news news = take_news(self, report, task);
        if (news != STUDY_NOTHING) {
            return (int)news;
        }
        if (until_us == 0 || clock_us() >= until_us) {
            if (study_link_unsent(self)) {
                session_send(session);
            }
            return STUDY_NOTHING;
        }
        uint64_t target = session->watched_ended + 1;
        session->wake_at = target < session->wake_at ? target : session->wake_at;
        session->waiters++;
        rc = session_sleep_for(session, target, until_us);
        session->waiters--;
        if (rc == RAYC_ECLOSED) {
            return rc;
        }
    }
}

int study_link_wait(struct study_link *self, double seconds, struct rec_report *report,
                    rayc_ref *task)
{
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&self->session->lock);
    int rc = wait_for_news(self, until_us, report, task);
    pthread_mutex_unlock(&self->session->lock);
    return rc;
}
