/*  door_link.c - peers that stay: two bounded queues of frames each, and a call that wakes who reads the other end. */
#include "head/door_inside.h"

#include <stdlib.h>

/*  A ring of malloced frames. */
struct frames {
    struct slice at[DOOR_LINK_FRAMES];
    uint32_t first, count;
    size_t bytes;
};

struct door_link {
    struct door *door;
    uint32_t peer;
    /*  its thread has closed it: the loop hears what was said before, and that it is gone */
    bool gone;
    bool broken; /* a frame for it was lost */
    void (*wake)(void *context);
    void *context;
    struct frames in, out; /* to the loop; from it */
};

/*  False: it is full, or all together are.  One frame always fits into an own queue. */
static bool put(struct door *door, struct frames *self, struct slice frame)
{
    bool full = self->count == DOOR_LINK_FRAMES ||
                (self->count > 0 && self->bytes + frame.n > DOOR_LINK_BYTES) ||
                door->link_bytes + frame.n > DOOR_LINKS_BYTES;
    uint8_t *copy = full ? NULL : malloc(frame.n > 0 ? frame.n : 1);
    if (copy == NULL) {
        return false;
    }
    if (frame.n > 0) {
        memcpy(copy, frame.p, frame.n);
    }
    self->at[(self->first + self->count++) % DOOR_LINK_FRAMES] = slice_of(copy, frame.n);
    self->bytes += frame.n;
    door->link_bytes += frame.n;
    return true;
}

static struct slice take(struct door *door, struct frames *self)
{
    struct slice frame = self->at[self->first];
    self->first = (self->first + 1) % DOOR_LINK_FRAMES;
    self->count--;
    self->bytes -= frame.n;
    door->link_bytes -= frame.n;
    return frame;
}

static void drain(struct door *door, struct frames *self)
{
    while (self->count > 0) {
        struct slice frame = take(door, self);
        door_frame_free(&frame);
    }
}

static void link_free(struct door_link *self)
{
    drain(self->door, &self->in);
    drain(self->door, &self->out);
    free(self);
}

/*  When all queues together are full, whoever has left the most unread pays for it: the others go on. */
static void make_room(struct door *self, size_t bytes)
{
    while (self->link_bytes + bytes > DOOR_LINKS_BYTES) {
        struct door_link *most = self->links[0];
        for (uint32_t i = 1; i < self->link_count; i++) {
            most = self->links[i]->out.bytes > most->out.bytes ? self->links[i] : most;
        }
        if (most->out.bytes == 0) {
            return;
        }
        most->broken = true;
        drain(self, &most->out);
        most->wake(most->context);
    }
}

/* --- threads -------------------------------------------------------------------------------------- */

int door_link_open(struct door *door, void (*wake)(void *context), void *context,
                   struct door_link **out)
{
    *out = NULL;
    struct door_link *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->door = door;
    self->wake = wake;
    self->context = context;
    pthread_mutex_lock(&door->lock);
    int code = door->ended ? ERR_CLOSED : door->link_count < DOOR_LINKS_MAX ? OK : ERR_BUSY;
    if (code == OK) {
        self->peer = door_new_peer(door);
        door->links[door->link_count++] = self;
        *out = self;
    }
    pthread_mutex_unlock(&door->lock);
    if (code != OK) {
        free(self);
    }
    return code;
}

int door_link_send(struct door_link *self, struct slice frame)
{
    struct door *door = self->door;
    pthread_mutex_lock(&door->lock);
    int code = door->ended || self->broken ? ERR_CLOSED : OK;
    if (code == OK) {
        make_room(door, frame.n);
        code = put(door, &self->in, frame) ? OK : ERR_BUSY;
    }
    door_wake_loop(door);
    pthread_mutex_unlock(&door->lock);
    return code;
}

int door_link_next(struct door_link *self, struct slice *out)
{
    struct door *door = self->door;
    *out = (struct slice){ 0 };
    pthread_mutex_lock(&door->lock);
    int code = door->ended || self->broken ? ERR_CLOSED : self->out.count > 0 ? OK : ERR_NOT_FOUND;
    if (code == OK) {
        *out = take(door, &self->out);
    }
    pthread_mutex_unlock(&door->lock);
    return code;
}

void door_link_free_frame(struct slice *frame)
{
    door_frame_free(frame);
}

void door_link_close(struct door_link **link)
{
    struct door_link *self = *link;
    if (self == NULL) {
        return;
    }
    struct door *door = self->door;
    pthread_mutex_lock(&door->lock);
    self->gone = true;
    drain(door, &self->out);
    door_wake_loop(door);
    pthread_mutex_unlock(&door->lock);
    *link = NULL;
}

/* --- the loop ------------------------------------------------------------------------------------- */

enum net_news door_links_next(struct door *self, struct net_event *out)
{
    for (uint32_t i = 0; i < self->link_count; i++) {
        uint32_t at = (self->link_turn + i) % self->link_count;
        struct door_link *link = self->links[at];
        if (link->in.count == 0 && !link->gone) {
            continue;
        }
        *out = (struct net_event){ .peer = link->peer };
        self->link_turn = at + 1;
        if (link->in.count > 0) {
            struct slice frame = take(self, &link->in);
            door_give(self, &frame, out);
            return NET_FRAME;
        }
        self->links[at] = self->links[--self->link_count];
        link_free(link);
        return NET_GONE;
    }
    return NET_NOTHING;
}

bool door_links_send(struct door *self, uint32_t peer, struct slice frame)
{
    uint32_t at = 0;
    while (at < self->link_count && self->links[at]->peer != peer) {
        at++;
    }
    if (at == self->link_count) {
        return false;
    }
    struct door_link *link = self->links[at];
    if (!link->gone) {
        if (!link->broken) {
            make_room(self, frame.n);
        }
        link->broken = link->broken || !put(self, &link->out, frame);
        link->wake(link->context);
    }
    return true;
}

void door_links_end(struct door *self)
{
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (!self->links[i]->gone) {
            self->links[i]->wake(self->links[i]->context);
        }
    }
}

void door_links_free(struct door *self)
{
    for (uint32_t i = 0; i < self->link_count; i++) {
        link_free(self->links[i]);
    }
}
