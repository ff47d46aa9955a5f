/*  far_values.c - the head says where a value is, proto/pulls.h fetches it; asked again while it lasts, for nodes die and
    values are made again. */
#include "client/far_values.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/node_values.h"
#include "client/session_inside.h"
#include "client/values.h"
#include "common/clock.h"
#include "proto/pulls.h"

enum {
    ASK_AGAIN_MS = 500,
    TRIES_MAX = 3,
    ADDRESS_BYTES = 300,
    KEPT_MS = 5 * 60 * 1000,
    ANSWER_MS = 50
};

/*  The one buffer of the sink. */
struct fetched {
    uint8_t *bytes;
    bool sealed;
};

/*  A value on its way. */
struct far {
    struct far *next; /* of those that nobody waits for */
    struct stored id;
    uint64_t left_ms; /* since when nobody does */
    struct pulls *pulls;
    struct fetched to;
    bool comes;
    uint64_t ask_ms; /* when the head is to be asked where it is */
    uint32_t tries;
};

/*  Those whose callers have run out of time: what has come of them is kept for the next one who asks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct far *left;

/* --- the sink --------------------------------------------------------------------------------------------- */

static int create(void *context, uint64_t user, uint64_t bytes, uint32_t *buffer)
{
    struct fetched *self = context;
    (void)user;
    *buffer = 0;
    self->bytes = malloc(bytes + 1);
    if (!self->bytes) {
        return ERR_MEMORY;
    }
    self->bytes[bytes] = 0;
    return OK;
}

static int ready(void *context, uint32_t buffer)
{
    (void)context;
    (void)buffer;
    return OK;
}

static int put(void *context, uint32_t buffer, uint64_t offset, struct slice bytes)
{
    const struct fetched *self = context;
    (void)buffer;
    memcpy(self->bytes + offset, bytes.p, bytes.n);
    return OK;
}

static int seal(void *context, uint32_t buffer, uint64_t task, uint32_t index)
{
    struct fetched *self = context;
    (void)buffer;
    (void)task;
    (void)index;
    self->sealed = true;
    return OK;
}

static void give_up(void *context, uint32_t buffer)
{
    struct fetched *self = context;
    (void)buffer;
    free(self->bytes);
    self->bytes = NULL;
}

/* --- those that are left ------------------------------------------------------------------------------------ */

static void far_close(struct far **self_p)
{
    struct far *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    pulls_close(&self->pulls); /* what has not come is given up */
    free(self->to.bytes);
    free(self);
}

static int far_open(struct far **out, const struct session *session, const struct stored *id)
{
    struct far *self = calloc(1, sizeof(*self));
    struct pulls_options options = pulls_defaults();
    char token[ACCESS_TOKEN_MAX + 1];
    ensure(self != NULL);
    self->id = *id;
    options.sink = (struct pulls_sink){ &self->to, create, ready, put, seal, give_up };
    options.key = session->config.key;
    int rc = pulls_open(&self->pulls, &options);
    *out = self;
    if (rc != OK) {
        far_close(out);
        return failure_say(rc, "%s", err_text(rc));
    }
    node_values_token(token);
    pulls_say_token(self->pulls, token);
    explicit_bzero(token, sizeof(token));
    return RAYC_OK;
}

/*  One that is left; NULL: none of this value, or of any, if `id` is NULL, that was left before `before_ms`. */
static struct far *take_left(const struct stored *id, uint64_t before_ms)
{
    pthread_mutex_lock(&lock);
    struct far **at = &left;
    while (*at && ((id && ((*at)->id.task != id->task || (*at)->id.index != id->index)) ||
                   (*at)->left_ms >= before_ms)) {
        at = &(*at)->next;
    }
    struct far *found = *at;
    if (found) {
        *at = found->next;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void leave(struct far *self)
{
    self->left_ms = clock_ms();
    pthread_mutex_lock(&lock);
    self->next = left;
    left = self;
    pthread_mutex_unlock(&lock);
}

static void forget(const struct stored *id, uint64_t before_ms)
{
    for (struct far *self; (self = take_left(id, before_ms)) != NULL;) {
        far_close(&self);
    }
}

void far_values_forget(const struct stored *id)
{
    forget(id, UINT64_MAX);
}

void far_values_tidy(uint64_t now_ms)
{
    forget(NULL, now_ms > KEPT_MS ? now_ms - KEPT_MS : 0);
}

/* --- from where ------------------------------------------------------------------------------------------- */

static int order(struct far *self, const struct rec_source *source)
{
    static _Thread_local char addresses[PULL_SOURCES_MAX][ADDRESS_BYTES];
    struct pull_source sources[PULL_SOURCES_MAX];
    struct list places = source->places;
    struct rec_keeper place;
    uint32_t count = 0;
    while (count < PULL_SOURCES_MAX && next_keeper(&places, &place)) {
        if (place.address.n > 0 &&
            slice_copy_text(place.address, addresses[count], ADDRESS_BYTES)) {
            sources[count] = (struct pull_source){ place.node, addresses[count] };
            count++;
        }
    }
    if (count == 0) {
        return RAYC_OK; /* no node that has it is there now */
    }
    self->comes = true;
    int rc = pulls_add(self->pulls, &(struct pull_order){ self->id.task, self->id.index,
                                                          source->size, 0, sources, count });
    return rc == OK ? RAYC_OK : failure_say(rc, "%s", err_text(rc));
}

/*  Asks the head, which mostly answers at once: not for longer than `until_us`, but for that long.  What is lost fails.
    The reply is to be freed. */
static int ask(struct session *session, const struct stored *id, uint64_t until_us,
               struct rec_source *source, struct reply *reply)
{
    uint8_t bytes[64];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ id->task, id->index });
    struct msg_where where = { .session = session->id, .objects = wire_list(&wire, 1) };
    uint64_t now_us = clock_us(), left_ms = until_us > now_us ? (until_us - now_us) / 1000 : 0;
    left_ms = left_ms < ANSWER_MS ? ANSWER_MS : left_ms < ASK_AGAIN_MS ? left_ms : ASK_AGAIN_MS;
    int rc = session_ask(session, MSG_WHERE, &where, (double)left_ms / 1000, reply);
    if (rc != RAYC_OK) {
        return rc;
    }
    struct list sources = reply->msg.as.places.sources;
    if (reply->msg.kind != MSG_PLACES || !next_source(&sources, source)) {
        return failure_say(RAYC_EVERSION, "the head does not say where a value is");
    }
    bool lost = source->state == DIRECTORY_LOST && source->reason != REASON_OBJECT_FREED;
    if (lost || source->state == DIRECTORY_LOST || source->state == DIRECTORY_FREED) {
        return failure_say(lost ? RAYC_EOBJECTLOST : RAYC_EOBJECTFREED, "%s",
                           object_reason_text(lost ? source->reason : REASON_OBJECT_FREED));
    }
    return RAYC_OK;
}

/*  What is not there yet is asked for again, and so is a head that does not answer: what is on its way comes without it. */
static int locate(struct far *self, struct session *session, uint64_t until_us)
{
    struct reply reply = { 0 };
    struct rec_source source;
    int rc = ask(session, &self->id, until_us, &source, &reply);
    self->ask_ms = clock_ms() + ASK_AGAIN_MS;
    if (rc == RAYC_OK && source.state == DIRECTORY_STORED && !self->comes) {
        rc = order(self, &source);
    }
    reply_free(&reply);
    return rc == RAYC_ETIMEOUT ? RAYC_OK : rc;
}

int far_values_why(struct session *session, const struct stored *id)
{
    rayc_failure here = *rayc_error();
    char text[BROKEN_TEXT_MAX];
    struct reply reply = { 0 };
    struct rec_source source;
    (void)slice_copy_text(slice_text(here.text), text, sizeof(text));
    int rc = ask(session, id, UINT64_MAX, &source, &reply);
    reply_free(&reply);
    return rc != RAYC_OK && rc != RAYC_ETIMEOUT ? rc : failure_say(here.code, "%s", text);
}

/* --- until it is here ------------------------------------------------------------------------------------- */

static int take_news(struct far *self)
{
    struct pull_news news;
    while (pulls_next(self->pulls, &news)) {
        if (news.kind == PULL_FAILED && ++self->tries == TRIES_MAX) {
            return failure_say(news.code, "a value of %llu bytes does not come: %s",
                               (unsigned long long)self->id.size, news.text);
        }
        self->comes = self->comes && news.kind != PULL_FAILED;
    }
    return RAYC_OK;
}

static void sleep_until(const struct far *self, uint64_t until_us)
{
    uint64_t now_us = clock_us(), now_ms = clock_ms(), due_ms = pulls_due(self->pulls);
    due_ms = due_ms < self->ask_ms ? due_ms : self->ask_ms;
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
    struct pollfd news = { pulls_fd(self->pulls), POLLIN, 0 };
    poll(&news, 1, (int)(left_us / 1000 < left_ms ? left_us / 1000 + 1 : left_ms));
}

/*  Takes what comes, until it is here, or it is time to ask or to give up. */
static int await(struct far *self, uint64_t until_us)
{
    for (;;) {
        pulls_turn(self->pulls);
        int rc = take_news(self);
        if (rc != RAYC_OK || self->to.sealed) {
            return rc;
        }
        if (clock_us() >= until_us) {
            return failure_say(RAYC_ETIMEOUT, "a value of %llu bytes has not come yet",
                               (unsigned long long)self->id.size);
        }
        if (clock_ms() >= self->ask_ms) {
            return RAYC_OK;
        }
        sleep_until(self, until_us);
    }
}

int far_values_get(struct session *session, const struct stored *id, uint64_t until_us,
                   uint8_t **bytes)
{
    struct far *self = take_left(id, UINT64_MAX);
    int rc = self ? RAYC_OK : far_open(&self, session, id);
    while (rc == RAYC_OK && !self->to.sealed) {
        rc = clock_ms() >= self->ask_ms ? locate(self, session, until_us) : RAYC_OK;
        rc = rc == RAYC_OK ? await(self, until_us) : rc;
    }
    if (rc == RAYC_ETIMEOUT) {
        leave(self);
        return rc;
    }
    if (rc == RAYC_OK) {
        *bytes = self->to.bytes;
        self->to.bytes = NULL;
    }
    far_close(&self);
    return rc;
}

/* --- putting ---------------------------------------------------------------------------------------------- */

/*  To the first of these nodes that takes it. */
static int push_to(struct session *session, struct list places, struct far_put *out)
{
    char token[ACCESS_TOKEN_MAX + 1], address[ADDRESS_BYTES];
    struct rec_keeper place;
    int code = ERR_NOT_FOUND;
    node_values_token(token);
    failure_say(RAYC_ENOTFOUND, "no node of the cluster is there that keeps large values");
    while (code != OK && next_keeper(&places, &place)) {
        if (!slice_copy_text(place.address, address, sizeof(address))) {
            continue;
        }
        const struct push_to to = { address, session->config.key, token };
        code = push_open(&out->push, &to, slice_of(out->bytes, out->size));
        out->node = place.node;
        if (code != OK) {
            failure_say(code, "a value of %llu bytes cannot be put at node %llu: %s",
                        (unsigned long long)out->size, (unsigned long long)place.node,
                        push_why(out->push)[0] ? push_why(out->push) : err_text(code));
            push_close(&out->push);
        }
    }
    explicit_bzero(token, sizeof(token));
    return code == ERR_NOT_FOUND ? RAYC_ENOTFOUND : code;
}

int far_values_put(struct session *session, const rayc_value *value, struct far_put *out)
{
    struct msg_where where = { .session = session->id };
    struct reply reply;
    struct rec_source source;
    int rc = session_ask(session, MSG_WHERE, &where, RAYC_FOREVER, &reply);
    if (rc != RAYC_OK) {
        return rc;
    }
    out->size = value_size(value);
    out->bytes = malloc(out->size);
    ensure(out->bytes != NULL);
    struct wire to = { out->bytes, 0, out->size, false };
    value_put(&to, value);
    ensure(!to.full && to.n == out->size);
    struct list sources = reply.msg.as.places.sources;
    bool told = reply.msg.kind == MSG_PLACES && next_source(&sources, &source);
    rc = told ? push_to(session, source.places, out)
              : failure_say(RAYC_EVERSION, "the head does not say where values can be put");
    reply_free(&reply);
    return rc;
}

int far_values_seal(struct far_put *put, uint64_t task, uint32_t index)
{
    int code = push_seal(put->push, task, index);
    return code == OK ? RAYC_OK
                      : failure_say(code, "a value of %llu bytes cannot be put at node %llu: %s",
                                    (unsigned long long)put->size, (unsigned long long)put->node,
                                    push_why(put->push)[0] ? push_why(put->push) : err_text(code));
}

void far_values_abort(struct far_put *put)
{
    push_close(&put->push);
    free(put->bytes);
    put->bytes = NULL;
}
