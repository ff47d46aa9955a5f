/*  wanted.c - one entry for each value and user, from when it is first needed until it is here, or cannot be had.  While it
    is on its way the head is asked now and then where it is: nodes die, others get a copy, it is lost. */
#include "worker/wanted.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/log.h"

enum {
    BUCKETS = 4096,
    ASK_AGAIN_MS = 1000,
    TRIES_MAX = 3, /* pulls that fail, of one value */
    OBJECTS_PER_ASK = 64,
    OBJECT_BYTES = 48, /* of an encoded OBJECT or MISSING, at most */
    MISSING_MAX = 64,
    ADDRESS_BYTES = 300
};

/*  Of our questions to the head. */
#define SEQ_OURS (1ull << 61)

/*  An attempt that needs some. */
struct arrival {
    struct arrival *next; /* of those to be told */
    uint64_t task, token;
    uint32_t left; /* wants that have not ended */
    enum { ARRIVAL_WAITS, ARRIVAL_QUEUED, ARRIVAL_TOLD } state;
    int code;
    char text[200];
};

struct waiter {
    struct waiter *next;
    struct arrival *arrival;
};

struct want {
    struct want *next; /* of its bucket */
    struct store_want it;
    bool client;            /* of the store's waits for it */
    bool ask, asked;        /* the head is to be asked, and is */
    bool comes;             /* carry fetches it */
    uint32_t orders, tries; /* at carry, of this fetch; fetches that failed */
    uint64_t nodes[PULL_SOURCES_MAX];
    uint32_t node_count; /* from which it is fetched */
    struct waiter *waiters;
};

struct wanted {
    struct wanted_parts parts;
    struct want *buckets[BUCKETS];
    uint32_t count, ask_count;
    struct arrival *told, **told_end;
    uint64_t seq, node, again_ms;
    struct rec_missing missing[MISSING_MAX];
    uint32_t missing_count;
    char text[200];                                /* of the event that was returned last */
    uint8_t bytes[OBJECTS_PER_ASK * OBJECT_BYTES]; /* of what was returned last */
};

int wanted_open(struct wanted **out, const struct wanted_parts *parts)
{
    struct wanted *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->parts = *parts;
    self->told_end = &self->told;
    return OK;
}

static struct want **bucket_of(struct wanted *self, uint64_t task)
{
    return &self->buckets[(task * 0x9e3779b97f4a7c15ull) >> 52];
}
_Static_assert(BUCKETS == 1 << (64 - 52), "the upper bits are the bucket");

/* --- who waits -------------------------------------------------------------------------------------------- */

static void arrival_end(struct wanted *self, struct arrival *arrival, int code, const char *text)
{
    arrival->left--;
    if (arrival->state == ARRIVAL_WAITS && (code != OK || arrival->left == 0)) {
        arrival->code = code;
        snprintf(arrival->text, sizeof(arrival->text), "%s", text);
        arrival->state = ARRIVAL_QUEUED;
        *self->told_end = arrival;
        self->told_end = &arrival->next;
    } else if (arrival->state == ARRIVAL_TOLD && arrival->left == 0) {
        free(arrival); /* one of its objects failed before */
    }
}

bool wanted_next(struct wanted *self, struct worker_event *event)
{
    struct arrival *arrival = self->told;
    if (!arrival) {
        return false;
    }
    self->told = arrival->next;
    self->told_end = arrival->next ? self->told_end : &self->told;
    arrival->state = ARRIVAL_TOLD;
    *event = (struct worker_event){
        .kind = WEV_PULLED, .task = arrival->task, .token = arrival->token, .code = arrival->code
    };
    slice_copy_text(slice_text(arrival->text), self->text, sizeof(self->text));
    event->text = slice_text(self->text);
    if (arrival->left == 0) {
        free(arrival);
    }
    return true;
}

/*  It is over: who waits is told. */
static void end(struct wanted *self, struct want *want, int code, const char *text)
{
    struct want **at = bucket_of(self, want->it.task);
    while (*at != want) {
        at = &(*at)->next;
    }
    *at = want->next;
    self->count--;
    self->ask_count -= want->ask;
    if (want->client) {
        store_socket_fetched(self->parts.socket, &want->it, code);
    }
    struct waiter *next = want->waiters;
    for (struct waiter *waiter; (waiter = next) != NULL;) {
        next = waiter->next;
        arrival_end(self, waiter->arrival, code, text);
        free(waiter);
    }
    free(want);
}

static void fail(struct wanted *self, struct want *want, int code, const char *text)
{
    log_warn("object.fetch", "task=%016llx index=%u code=%s text=\"%s\"",
             (unsigned long long)want->it.task, want->it.index, err_name(code), text);
    end(self, want, code, text);
}

static void ask_about(struct wanted *self, struct want *want)
{
    self->ask_count += !want->ask;
    want->ask = true;
    want->asked = false;
}

/*  Somebody else's: to carry both would be one transfer, and it is of one user. */
static bool other_comes(struct wanted *self, const struct want *want)
{
    const struct want *other = *bucket_of(self, want->it.task);
    while (other && !(other != want && other->comes && other->it.task == want->it.task &&
                      other->it.index == want->it.index)) {
        other = other->next;
    }
    return other != NULL;
}

/*  NULL: it is here. */
static struct want *want_of(struct wanted *self, const struct store_want *it)
{
    struct node_copy copy;
    struct want **bucket = bucket_of(self, it->task), *want = *bucket;
    if (node_store_has(self->parts.store, it->task, it->index, &copy)) {
        return NULL;
    }
    while (want && !(want->it.task == it->task && want->it.index == it->index &&
                     want->it.user == it->user)) {
        want = want->next;
    }
    if (!want) {
        want = calloc(1, sizeof(*want));
        ensure(want != NULL);
        *want = (struct want){ .next = *bucket, .it = *it };
        *bucket = want;
        self->count++;
    }
    return want;
}

/* --- from where ------------------------------------------------------------------------------------------- */

static void say_missing(struct wanted *self, uint64_t task, uint32_t index, uint64_t node)
{
    if (self->missing_count < MISSING_MAX) {
        self->missing[self->missing_count++] = (struct rec_missing){ task, index, node };
    }
}

static bool is_source(const struct want *want, uint64_t node)
{
    bool found = false;
    for (uint32_t i = 0; i < want->node_count; i++) {
        found = found || want->nodes[i] == node;
    }
    return found;
}

/*  From all that have it, and from which it does not come already.  This node is not one of them: it has lost it. */
static void fetch(struct wanted *self, struct want *want, const struct rec_source *source)
{
    static char addresses[PULL_SOURCES_MAX][ADDRESS_BYTES];
    struct pull_source sources[PULL_SOURCES_MAX];
    struct list places = source->places;
    struct rec_keeper place;
    uint32_t count = 0;
    while (next_keeper(&places, &place)) {
        if (place.node == self->node) {
            say_missing(self, source->task, source->index, place.node);
        } else if (want->node_count < PULL_SOURCES_MAX && !is_source(want, place.node) &&
                   place.address.n > 0 &&
                   slice_copy_text(place.address, addresses[count], ADDRESS_BYTES)) {
            sources[count] = (struct pull_source){ place.node, addresses[count] };
            want->nodes[want->node_count++] = place.node;
            count++;
        }
    }
    if (count > 0) {
        want->comes = true;
        want->orders++;
        carry_pull(self->parts.carry,
                   &(struct pull_order){ want->it.task, want->it.index, source->size, want->it.user,
                                         sources, count });
    }
}

static void take_back(struct wanted *self, struct want *want)
{
    for (; want->orders > 0; want->orders--) {
        carry_cancel(self->parts.carry, want->it.task, want->it.index);
    }
}

static void lost(struct wanted *self, struct want *want, const struct rec_source *source)
{
    uint32_t reason = source->state == DIRECTORY_FREED ? REASON_OBJECT_FREED : source->reason;
    take_back(self, want);
    fail(self, want, ERR_NOT_FOUND, object_reason_text(reason));
}

static void on_source(struct wanted *self, struct want *want, const struct rec_source *source)
{
    struct node_copy copy;
    want->asked = false;
    if (node_store_has(self->parts.store, want->it.task, want->it.index, &copy)) {
        take_back(self, want); /* it was made here */
        end(self, want, OK, "");
    } else if (source->state == DIRECTORY_LOST || source->state == DIRECTORY_FREED) {
        lost(self, want, source);
    } else if (source->state == DIRECTORY_STORED && !other_comes(self, want)) {
        fetch(self, want, source);
    } /* else it is asked for again: it is still made, or made again */
}

void wanted_places(struct wanted *self, const struct msg_places *msg)
{
    struct list sources = msg->sources;
    struct rec_source source;
    while (next_source(&sources, &source)) {
        struct want *next = *bucket_of(self, source.task);
        for (struct want *want; (want = next) != NULL;) {
            next = want->next;
            if (want->asked && want->it.task == source.task && want->it.index == source.index) {
                on_source(self, want, &source);
            }
        }
    }
}

/* --- news ------------------------------------------------------------------------------------------------- */

void wanted_pull(struct wanted *self, const struct act *act)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));
    struct list sources = act->held.sources;
    struct rec_source source;
    ensure(arrival != NULL);
    arrival->task = act->held.task;
    arrival->token = act->held.token;
    arrival->left = 1; /* until all of them are known */
    while (next_source(&sources, &source)) {
        const struct store_want it = { source.task, act->user, source.index };
        struct want *want = want_of(self, &it);
        if (!want) {
            continue;
        }
        struct waiter *waiter = malloc(sizeof(*waiter));
        ensure(waiter != NULL);
        *waiter = (struct waiter){ want->waiters, arrival };
        want->waiters = waiter;
        arrival->left++;
        if (!want->comes && source.state == DIRECTORY_STORED && !other_comes(self, want)) {
            fetch(self, want, &source);
        }
        if (!want->comes) {
            ask_about(self, want);
        }
    }
    arrival_end(self, arrival, OK, "");
}

static void failed(struct wanted *self, struct want *want, const struct pull_news *news)
{
    want->comes = false;
    want->orders = want->node_count = 0;
    want->tries += news->code != ERR_CANCELLED; /* that was of a want before this one */
    if (want->tries == TRIES_MAX || news->code == ERR_FULL || news->code == ERR_TOO_LARGE) {
        fail(self, want, news->code, news->text);
    } else {
        ask_about(self, want);
    }
}

static struct want *find(struct wanted *self, const struct pull_news *news)
{
    struct want *want = *bucket_of(self, news->task);
    while (want && (want->it.task != news->task || want->it.index != news->index ||
                    (news->kind == PULL_FAILED && !want->comes))) {
        want = want->next;
    }
    return want;
}

static void on_news(struct wanted *self, const struct pull_news *news)
{
    struct want *want;
    if (news->kind == PULL_MISSING) {
        say_missing(self, news->task, news->index, news->node);
    } else if (news->kind == PULL_FAILED && (want = find(self, news)) != NULL) {
        failed(self, want, news);
    } else if (news->kind == PULL_DONE) {
        stock_tell(self->parts.stock, news->task, news->index);
        while ((want = find(self, news)) != NULL) {
            end(self, want, OK, "");
        }
    }
}

static void each(struct wanted *self, void (*act)(struct wanted *self, struct want *want))
{
    for (uint32_t i = 0; self->count > 0 && i < BUCKETS; i++) {
        for (struct want *want = self->buckets[i]; want; want = want->next) {
            act(self, want);
        }
    }
}

void wanted_turn(struct wanted *self, uint64_t now_ms)
{
    struct store_want it;
    struct pull_news news;
    while (store_socket_wants(self->parts.socket, &it)) {
        struct want *want = want_of(self, &it);
        if (!want) {
            store_socket_fetched(self->parts.socket, &it, OK);
        } else {
            want->client = true;
            if (!want->comes) {
                ask_about(self, want);
            }
        }
    }
    while (carry_next(self->parts.carry, &news)) {
        on_news(self, &news);
    }
    if (self->count > 0 && now_ms >= self->again_ms) {
        self->again_ms = now_ms + ASK_AGAIN_MS;
        each(self, ask_about);
    }
}

uint64_t wanted_due(const struct wanted *self)
{
    return self->count > 0 ? self->again_ms : UINT64_MAX;
}

void wanted_joined(struct wanted *self, uint64_t node)
{
    self->node = node;
    self->missing_count = 0;
    each(self, ask_about);
}

/* --- to the head ------------------------------------------------------------------------------------------ */

static struct wire room(struct wanted *self)
{
    return (struct wire){ self->bytes, 0, sizeof(self->bytes), false };
}

bool wanted_missing(struct wanted *self, struct msg_fetch_failed *out)
{
    struct wire wire = room(self);
    uint32_t count = self->missing_count;
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&wire, REC_MISSING, &self->missing[i]);
    }
    ensure(!wire.full);
    *out = (struct msg_fetch_failed){ SEQ_OURS | ++self->seq, self->node, wire_list(&wire, count) };
    self->missing_count = 0;
    return count > 0 && self->node != 0;
}

bool wanted_ask(struct wanted *self, struct msg_where *out)
{
    struct wire wire = room(self);
    uint32_t count = 0;
    if (self->node == 0) {
        return false;
    }
    for (uint32_t i = 0; self->ask_count > 0 && i < BUCKETS; i++) {
        for (struct want *want = self->buckets[i]; want && count < OBJECTS_PER_ASK;
             want = want->next) {
            if (want->ask) {
                proto_put_record(&wire, REC_OBJECT,
                                 &(struct rec_object){ want->it.task, want->it.index });
                want->ask = false;
                want->asked = true;
                self->ask_count--;
                count++;
            }
        }
    }
    ensure(!wire.full);
    *out = (struct msg_where){ .seq = SEQ_OURS | ++self->seq, .objects = wire_list(&wire, count) };
    return count > 0;
}

/* --- the end ---------------------------------------------------------------------------------------------- */

void wanted_close(struct wanted **self_p)
{
    struct wanted *self = *self_p;
    struct worker_event event;
    *self_p = NULL;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (self->buckets[i]) {
            end(self, self->buckets[i], ERR_CLOSED, "");
        }
    }
    while (wanted_next(self, &event)) {}
    free(self);
}
