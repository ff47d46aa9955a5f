/*  wanted.c - one entry for each value and user, from the question to the head until it is here. */
#include "worker/wanted.h"

#include <stdlib.h>
#include "common/log.h"

enum { MISSING_MAX = 64, ADDRESS_BYTES = 300 };

/*  Of our questions to the head. */
#define SEQ_OURS (1ull << 61)

enum want_state {
    WANT_NEW = 1, /* the head is to be asked */
    WANT_ASKED,
    WANT_COMES,
    WANT_WAITS /* another user's fetch of the same id has to end first */
};

struct want {
    struct want *next;
    struct store_want it;
    enum want_state state;
    uint64_t seq; /* of the question */
};

struct wanted {
    struct carry *carry;
    struct store_socket *socket;
    struct want *first;
    uint64_t seq, node;
    struct rec_missing missing[MISSING_MAX];
    uint32_t missing_count;
    uint8_t bytes[128]; /* of the record in what was returned last */
};

int wanted_open(struct wanted **out, struct carry *carry, struct store_socket *socket)
{
    struct wanted *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->carry = carry;
    self->socket = socket;
    return OK;
}

void wanted_close(struct wanted **self_p)
{
    struct wanted *self = *self_p;
    *self_p = NULL;
    for (struct want *want; self && (want = self->first) != NULL;) {
        self->first = want->next;
        free(want);
    }
    free(self);
}

static bool same_id(const struct want *want, uint64_t task, uint32_t index)
{
    return want->it.task == task && want->it.index == index;
}

/*  It is over: its clients are told. */
static void end(struct wanted *self, struct want *want, int code)
{
    struct want **at = &self->first;
    while (*at != want) {
        at = &(*at)->next;
    }
    *at = want->next;
    store_socket_fetched(self->socket, &want->it, code);
    for (struct want *other = self->first; other; other = other->next) {
        if (other->state == WANT_WAITS && same_id(other, want->it.task, want->it.index)) {
            other->state = WANT_NEW;
        }
    }
    free(want);
}

static void add(struct wanted *self, const struct store_want *it)
{
    enum want_state state = WANT_NEW;
    for (const struct want *want = self->first; want; want = want->next) {
        if (same_id(want, it->task, it->index)) {
            if (want->it.user == it->user) {
                return; /* it is on its way */
            }
            state = WANT_WAITS;
        }
    }
    struct want *want = calloc(1, sizeof(*want));
    ensure(want != NULL);
    *want = (struct want){ .next = self->first, .it = *it, .state = state };
    self->first = want;
}

static void on_news(struct wanted *self, const struct pull_news *news)
{
    struct want *want = self->first;
    if (news->kind == PULL_MISSING) {
        if (self->missing_count < MISSING_MAX) {
            self->missing[self->missing_count++] =
                (struct rec_missing){ news->task, news->index, news->node };
        }
        return;
    }
    while (want && !(want->state == WANT_COMES && same_id(want, news->task, news->index))) {
        want = want->next;
    }
    if (want) {
        if (news->kind == PULL_FAILED) {
            log_warn("object.fetch", "task=%016llx index=%u code=%s text=\"%s\"",
                     (unsigned long long)news->task, news->index, err_name(news->code), news->text);
        }
        end(self, want, news->kind == PULL_DONE ? OK : news->code);
    }
}

void wanted_turn(struct wanted *self)
{
    struct store_want it;
    struct pull_news news;
    while (store_socket_wants(self->socket, &it)) {
        add(self, &it);
    }
    while (carry_next(self->carry, &news)) {
        on_news(self, &news);
    }
}

void wanted_joined(struct wanted *self, uint64_t node)
{
    self->node = node;
    for (struct want *want = self->first; want; want = want->next) {
        want->state = want->state == WANT_ASKED ? WANT_NEW : want->state;
    }
}

static struct list one(struct wanted *self, enum record_kind kind, const void *record)
{
    struct wire wire = { self->bytes, 0, sizeof(self->bytes), false };
    proto_put_record(&wire, kind, record);
    ensure(!wire.full);
    return wire_list(&wire, 1);
}

bool wanted_ask(struct wanted *self, struct msg_where *out)
{
    struct want *want = self->first;
    while (want && want->state != WANT_NEW) {
        want = want->next;
    }
    if (!want || self->node == 0) {
        return false;
    }
    const struct rec_object object = { want->it.task, want->it.index };
    want->state = WANT_ASKED;
    want->seq = SEQ_OURS | ++self->seq;
    *out = (struct msg_where){ .seq = want->seq, .objects = one(self, REC_OBJECT, &object) };
    return true;
}

bool wanted_missing(struct wanted *self, struct msg_fetch_failed *out)
{
    if (self->missing_count == 0 || self->node == 0) {
        return false;
    }
    const struct rec_missing missing = self->missing[--self->missing_count];
    *out = (struct msg_fetch_failed){ .seq = SEQ_OURS | ++self->seq,
                                      .node = self->node,
                                      .missing = one(self, REC_MISSING, &missing) };
    return true;
}

/*  From all that have it, but this node itself. */
static void fetch(struct wanted *self, struct want *want, const struct rec_source *source)
{
    static char addresses[PULL_SOURCES_MAX][ADDRESS_BYTES];
    struct pull_source sources[PULL_SOURCES_MAX];
    struct list places = source->places;
    struct rec_keeper place;
    uint32_t count = 0;
    while (next_keeper(&places, &place) && count < PULL_SOURCES_MAX) {
        if (place.node != self->node && place.address.n > 0 &&
            slice_copy_text(place.address, addresses[count], ADDRESS_BYTES)) {
            sources[count] = (struct pull_source){ place.node, addresses[count] };
            count++;
        }
    }
    if (count == 0) {
        end(self, want, ERR_NOT_FOUND);
        return;
    }
    want->state = WANT_COMES;
    carry_pull(self->carry, &(struct pull_order){ want->it.task, want->it.index, source->size,
                                                  want->it.user, sources, count });
}

void wanted_places(struct wanted *self, const struct msg_places *msg)
{
    struct list sources = msg->sources;
    struct rec_source source;
    while (next_source(&sources, &source)) {
        for (struct want *want = self->first, *next; want; want = next) {
            next = want->next;
            if (want->state != WANT_ASKED || !same_id(want, source.task, source.index)) {
                continue;
            }
            if (source.state == DIRECTORY_STORED) {
                fetch(self, want, &source);
            } else if (source.state != DIRECTORY_AWAITED && source.state != DIRECTORY_REBUILDING) {
                end(self, want, ERR_NOT_FOUND);
            } /* else PLACES of seq 0 follows */
        }
    }
}

void wanted_refused(struct wanted *self, const struct msg_refused *msg)
{
    for (struct want *want = self->first, *next; want; want = next) {
        next = want->next;
        if (want->state == WANT_ASKED && want->seq == msg->seq) {
            end(self, want, ERR_NOT_FOUND);
        }
    }
}
