/*  query.c - the thread that answers questions. */
#include "head/query.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log.h"
#include "head/query_study.h"
#include "head/query_view.h"

/*  On its way through the ring: asked, answered, taken. */
struct asking {
    uint32_t peer;
    uint64_t seq;
    struct reader reader;
    bool of_study; /* a STUDY_READ; else a QUERY */
    struct msg_query ask;
    struct msg_study_read read;
    uint8_t *texts;     /* of ask or read */
    struct slice frame; /* malloced */
    int code;
    struct json json;
    char text[1024];
};

struct query {
    sqlite3 *db; /* the thread's */
    int event_fd;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards the three counts */
    pthread_cond_t asked_more;
    uint64_t asked, answered,
        taken;                /* taken <= answered <= asked <= queued <= taken + QUESTIONS_MAX */
    uint64_t queued;          /* the caller's: what was asked, with what waits for query_begin() */
    struct study_pages pages; /* the thread's */
    atomic_bool ending;
    uint64_t until_ms; /* of the question being answered */
    struct asking ring[QUESTIONS_MAX];
    struct asking *given; /* whose answer the caller reads; NULL: none */
};

/*  Every few thousand steps of SQLite: a long question must not hold up the end, or the others
    for ever. */
static int on_progress(void *context)
{
    const struct query *self = context;
    return atomic_load(&self->ending) || clock_ms() > self->until_ms;
}

static void answer(struct query *self, struct asking *asking)
{
    self->until_ms = clock_ms() + QUERY_MS_MAX;
    if (asking->of_study && !query_study_seen(self->db, &asking->reader, asking->read.name)) {
        asking->read.name = (struct slice){ 0 }; /* there is none of this name */
    }
    struct text why = text_in(asking->text, sizeof(asking->text));
    asking->code = asking->of_study
                       ? query_study(self->db, &asking->read, &self->pages, &asking->frame)
                       : query_answer(self->db, &asking->reader, &asking->ask, &asking->json, &why);
    free(asking->texts);
    asking->texts = NULL;
    sqlite3_db_release_memory(self->db);
}

static void *query_main(void *context)
{
    struct query *self = context;
    pthread_mutex_lock(&self->lock);
    while (!atomic_load(&self->ending)) {
        if (self->answered == self->asked) {
            pthread_cond_wait(&self->asked_more, &self->lock);
            continue;
        }
        struct asking *asking = &self->ring[self->answered % QUESTIONS_MAX];
        pthread_mutex_unlock(&self->lock);
        answer(self, asking);
        pthread_mutex_lock(&self->lock);
        self->answered++;
        uint64_t one = 1;
        ssize_t n = write(self->event_fd, &one, sizeof(one));
        ensure(n == sizeof(one) || errno == EAGAIN);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int query_open(struct query **out, const char *path)
{
    *out = NULL;
    struct query *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->asked_more, NULL);
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = self->event_fd >= 0 ? query_database(path, &self->db) : ERR_SYSTEM;
    if (rc == OK) {
        sqlite3_progress_handler(self->db, 10000, on_progress, self);
        self->running = pthread_create(&self->thread, NULL, query_main, self) == 0;
        rc = self->running ? OK : ERR_SYSTEM;
    }
    if (rc != OK) {
        log_error("query.failed", "path=\"%s\" code=%s", path, err_name(rc));
        query_close(&self);
        return rc;
    }
    *out = self;
    return OK;
}

void query_close(struct query **query)
{
    struct query *self = *query;
    if (self == NULL) {
        return;
    }
    if (self->running) {
        atomic_store(&self->ending, true);
        pthread_mutex_lock(&self->lock);
        pthread_cond_signal(&self->asked_more);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
    }
    sqlite3_close(self->db);
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        free(self->ring[i].texts);
        json_free(&self->ring[i].json);
        free((void *)(uintptr_t)self->ring[i].frame.p);
    }
    study_pages_free(&self->pages);
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_cond_destroy(&self->asked_more);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *query = NULL;
}

/*  The texts of a question, joined in one allocation. */
static int copy(struct asking *asking, struct slice *const *texts, size_t count)
{
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) {
        bytes += texts[i]->n;
    }
    asking->texts = malloc(bytes);
    if (asking->texts == NULL) {
        return ERR_MEMORY;
    }
    uint8_t *to = asking->texts;
    for (size_t i = 0; i < count; i++) {
        if (texts[i]->n > 0) {
            memcpy(to, texts[i]->p, texts[i]->n);
        }
        texts[i]->p = to;
        to += texts[i]->n;
    }
    return OK;
}

/*  The place of the next question; NULL: there is none. */
static struct asking *place(struct query *self)
{
    pthread_mutex_lock(&self->lock);
    bool full = self->queued - self->taken == QUESTIONS_MAX;
    pthread_mutex_unlock(&self->lock);
    return full ? NULL : &self->ring[self->queued % QUESTIONS_MAX];
}

int query_ask(struct query *self, uint32_t peer, const struct reader *reader,
              const struct msg_query *ask)
{
    struct asking *asking = place(self);
    if (asking == NULL) {
        return ERR_BUSY;
    }
    asking->peer = peer;
    asking->seq = ask->seq;
    asking->reader = *reader;
    asking->of_study = false;
    asking->ask = *ask;
    struct slice *const texts[] = { &asking->ask.view, &asking->ask.id, &asking->ask.job,
                                    &asking->ask.filter, &asking->ask.sort };
    int rc = copy(asking, texts, COUNT(texts));
    self->queued += rc == OK;
    return rc;
}

int query_ask_study(struct query *self, uint32_t peer, const struct reader *reader,
                    const struct msg_study_read *ask)
{
    struct asking *asking = place(self);
    if (asking == NULL) {
        return ERR_BUSY;
    }
    asking->peer = peer;
    asking->seq = ask->seq;
    asking->reader = *reader;
    asking->of_study = true;
    asking->read = *ask;
    struct slice *const texts[] = { &asking->read.name };
    int rc = copy(asking, texts, COUNT(texts));
    self->queued += rc == OK;
    return rc;
}

void query_begin(struct query *self)
{
    if (self->queued == self->asked) { /* which nobody else changes */
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->asked = self->queued;
    pthread_cond_signal(&self->asked_more);
    pthread_mutex_unlock(&self->lock);
}

int query_fd(const struct query *self)
{
    return self->event_fd;
}

bool query_next(struct query *self, struct query_reply *out)
{
    uint64_t count = 0;
    if (read(self->event_fd, &count, sizeof(count)) < 0) {
        ensure(errno == EAGAIN || errno == EINTR);
    }
    pthread_mutex_lock(&self->lock);
    if (self->given != NULL) {
        json_free(&self->given->json);
        free((void *)(uintptr_t)self->given->frame.p);
        self->given->frame = (struct slice){ 0 };
        self->given = NULL;
        self->taken++;
    }
    bool more = self->taken < self->answered;
    pthread_mutex_unlock(&self->lock);
    if (more) {
        self->given = &self->ring[self->taken % QUESTIONS_MAX];
        *out = (struct query_reply){ .peer = self->given->peer,
                                     .seq = self->given->seq,
                                     .code = self->given->code,
                                     .json = slice_of(self->given->json.p, self->given->json.n),
                                     .frame = self->given->frame,
                                     .text = self->given->of_study ? err_text(self->given->code)
                                                                   : self->given->text };
    }
    return more;
}
