/*  stock.c - frames in order, each kept until the head has it, and said again when it does not say so.  At the end of a
    connection all is forgotten: what is there is told anew then. */
#include "worker/stock.h"
#include <stdlib.h>
#include <sys/eventfd.h>

enum { COPIES_PER_FRAME = 1024, COPY_BYTES = 32, AGAIN_MS = 5000 };

struct stock_frame {
    struct stock_frame *next;
    uint64_t number;
    uint64_t sent_ms;
    bool all, last, sent;
    uint32_t count;
    struct wire copies;
    uint8_t bytes[COPIES_PER_FRAME * COPY_BYTES];
};

struct stock {
    struct node_store *store;
    int news;
    uint64_t node; /* 0: the head is away */
    uint64_t number;
    uint64_t drop_seq; /* of the newest OBJECT_DROP */
    struct stock_frame *first, *newest;
};

int stock_open(struct stock **out, struct node_store *store)
{
    struct stock *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->store = store;
    self->news = node_store_watch(store);
    *out = self;
    return self->news < 0 ? ERR_SYSTEM : OK;
}

static void forget(struct stock *self, uint64_t below)
{
    while (self->first != NULL && self->first->number < below) {
        struct stock_frame *next = self->first->next;
        free(self->first);
        self->first = next;
    }
    self->newest = self->first != NULL ? self->newest : NULL;
}

void stock_close(struct stock **self_p)
{
    if (*self_p != NULL) {
        forget(*self_p, UINT64_MAX);
        free(*self_p);
        *self_p = NULL;
    }
}

int stock_fd(const struct stock *self)
{
    return self->news;
}

static struct stock_frame *add_frame(struct stock *self, bool all)
{
    struct stock_frame *frame = calloc(1, sizeof(*frame));
    ensure(frame != NULL);
    frame->number = ++self->number;
    frame->all = all;
    frame->copies = (struct wire){ frame->bytes, 0, sizeof(frame->bytes), false };
    if (self->newest != NULL) {
        self->newest->next = frame;
    } else {
        self->first = frame;
    }
    self->newest = frame;
    return frame;
}

/*  What happens while the head is away is in what it is told when it is back. */
static void tell(struct stock *self, const struct rec_copy *copy, bool all)
{
    if (self->node == 0) {
        return;
    }
    struct stock_frame *frame = self->newest;
    if (frame == NULL || frame->sent || frame->all != all || frame->count == COPIES_PER_FRAME) {
        frame = add_frame(self, all);
    }
    proto_put_record(&frame->copies, REC_COPY, copy);
    ensure(!frame->copies.full);
    frame->count++;
}

static void tell_copy(struct stock *self, const struct node_copy *copy, bool all)
{
    tell(self,
         &(struct rec_copy){ .task = copy->id.task,
                             .index = copy->id.index,
                             .size = copy->id.size,
                             .how = !copy->primary ? COPY_SECONDARY
                                    : copy->disk   ? COPY_SPILLED
                                                   : COPY_PRIMARY },
         all);
}

static void list_all(struct stock *self)
{
    struct node_copy copy;
    uint32_t at = 0;
    while (node_store_next(self->store, &at, &copy)) {
        tell_copy(self, &copy, true);
    }
    struct stock_frame *frame = self->newest != NULL ? self->newest : add_frame(self, true);
    frame->last = true;
}

void stock_tell(struct stock *self, uint64_t task, uint32_t index)
{
    struct node_copy copy;
    if (node_store_has(self->store, task, index, &copy)) {
        tell_copy(self, &copy, false);
    }
}

void stock_joined(struct stock *self, uint64_t node)
{
    forget(self, UINT64_MAX);
    self->node = node;
    self->number = self->drop_seq = 0;
    if (node != 0) {
        list_all(self);
    }
}

static void tell_gone(struct stock *self, uint64_t task, uint32_t index)
{
    tell(self, &(struct rec_copy){ .task = task, .index = index, .how = COPY_GONE }, false);
}

void stock_look(struct stock *self)
{
    struct node_copy copy;
    eventfd_t news;
    (void)eventfd_read(self->news, &news);
    while (node_store_gone(self->store, &copy)) {
        uint64_t task = copy.id.task;
        uint32_t index = copy.id.index;
        if (node_store_has(self->store, task, index, &copy)) {
            tell_copy(self, &copy,
                      false); /* it has come again meanwhile, and was told before this */
        } else {
            tell_gone(self, task, index);
        }
    }
    while (node_store_spilled(self->store, &copy)) {
        tell_copy(self, &copy, false);
    }
}

void stock_on_drop(struct stock *self, const struct msg_object_drop *msg)
{
    struct list objects = msg->objects;
    struct rec_object object;
    if (msg->seq < self->drop_seq) {
        return;
    }
    self->drop_seq = msg->seq;
    while (next_object(&objects, &object)) {
        node_store_drop(self->store, object.task, object.index);
        tell_gone(self, object.task, object.index);
    }
}

void stock_on_keep(struct stock *self, const struct msg_object_keep *msg)
{
    struct list objects = msg->objects;
    struct rec_object object;
    while (next_object(&objects, &object)) {
        node_store_set_primary(self->store, object.task, object.index, true);
    }
}

void stock_on_ack(struct stock *self, const struct msg_stock_ack *msg)
{
    forget(self, msg->number + 1);
}

bool stock_next(struct stock *self, uint64_t now_ms, struct msg_stock *out)
{
    struct stock_frame *frame = self->node != 0 ? self->first : NULL;
    while (frame != NULL && frame->sent && now_ms < frame->sent_ms + AGAIN_MS) {
        frame = frame->next;
    }
    if (frame == NULL) {
        return false;
    }
    frame->sent = true;
    frame->sent_ms = now_ms;
    *out = (struct msg_stock){ .seq = frame->number,
                               .node = self->node,
                               .number = frame->number,
                               .all = frame->all,
                               .last = frame->last,
                               .copies = wire_list(&frame->copies, frame->count) };
    return true;
}
