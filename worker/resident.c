/*  resident.c - the executor runs the user's code and may write anything into socket and page: whatever comes from
    there is copied, then checked, then used; a number out of order is dropped. */
#include "worker/resident.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/log.h"
#include "proto/wire.h"

enum { PREFIX = 4, IN_BYTES = 32 * 1024, IN_KEPT = 256 * 1024 };

struct outgoing {
    struct outgoing *next;
    uint32_t limit; /* tasks that may begin once it is written */
    size_t n, sent;
    uint8_t bytes[];
};

static uint32_t prefix_of(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int resident_open(struct resident *self, int child[2])
{
    int pair[2] = { -1, -1 };
    *self = (struct resident){ .socket = -1 };
    child[0] = -1;
    child[1] = memfd_create("rayc-channel", MFD_CLOEXEC);
    self->in = malloc(IN_BYTES);
    if (child[1] < 0 || !self->in || ftruncate(child[1], sizeof(struct channel_page)) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        goto fail;
    }
    self->in_capacity = IN_BYTES;
    self->socket = pair[0];
    child[0] = pair[1];
    void *page =
        mmap(NULL, sizeof(struct channel_page), PROT_READ | PROT_WRITE, MAP_SHARED, child[1], 0);
    if (page == MAP_FAILED) {
        goto fail;
    }
    self->page = page;
    return OK;
fail:
    log_error("executor.channel", "error=\"%s\"", strerror(errno));
    for (int i = 0; i < 2; i++) {
        if (child[i] >= 0) {
            close(child[i]);
        }
        child[i] = -1;
    }
    resident_close(self);
    return ERR_SYSTEM;
}

void resident_close(struct resident *self)
{
    if (self->socket >= 0) {
        close(self->socket);
    }
    if (self->page) {
        munmap(self->page, sizeof(*self->page));
    }
    while (self->first) {
        struct outgoing *next = self->first->next;
        free(self->first);
        self->first = next;
    }
    free(self->in);
    free(self->peeked);
    *self = (struct resident){ .socket = -1 };
}

/* --- to the executor -------------------------------------------------------------------------------------- */

static size_t write_some(struct resident *self, const uint8_t *p, size_t n)
{
    size_t sent = 0;
    while (sent < n) {
        ssize_t done = send(self->socket, p + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno != EAGAIN) {
            return n; /* it has died: as good as written, since it will not begin */
        }
        if (done < 0) {
            break;
        }
        sent += (size_t)done;
    }
    return sent;
}

bool resident_give(struct resident *self, const uint8_t *frame, size_t n, uint32_t count)
{
    size_t sent = self->first || self->socket < 0 ? 0 : write_some(self, frame, n);
    self->given += count;
    if (self->socket < 0) {
        return true; /* nobody is there: they will be said never to have begun */
    }
    if (sent == n) {
        channel_allow(self->page, self->given);
        return true;
    }
    struct outgoing *rest = malloc(sizeof(*rest) + n - sent);
    ensure(rest != NULL);
    *rest = (struct outgoing){ .limit = self->given, .n = n - sent };
    memcpy(rest->bytes, frame + sent, n - sent);
    if (self->first) {
        self->last->next = rest;
    } else {
        self->first = rest;
    }
    self->last = rest;
    return false;
}

bool resident_flush(struct resident *self)
{
    while (self->first && self->socket >= 0) {
        struct outgoing *frame = self->first;
        frame->sent += write_some(self, frame->bytes + frame->sent, frame->n - frame->sent);
        if (frame->sent < frame->n) {
            return false;
        }
        channel_allow(self->page, frame->limit);
        self->first = frame->next;
        free(frame);
    }
    return true;
}

/* --- from the executor ------------------------------------------------------------------------------------ */

/*  Room for the rest of the frame that has begun to come; false: no frame is that large. */
static bool make_room(struct resident *self)
{
    memmove(self->in, self->in + self->in_at, self->in_n - self->in_at);
    self->in_n -= self->in_at;
    self->in_at = 0;
    size_t wanted = self->in_n < PREFIX ? 0 : (size_t)prefix_of(self->in) + PREFIX;
    if (wanted > (size_t)FRAME_MAX + PREFIX) {
        return false;
    }
    bool grow = wanted > self->in_capacity, shrink = self->in_n == 0 && self->in_capacity > IN_KEPT;
    if (grow || shrink) {
        size_t capacity = grow ? wanted : IN_BYTES;
        uint8_t *in = realloc(self->in, capacity);
        ensure(in != NULL);
        self->in = in;
        self->in_capacity = capacity;
    }
    return true;
}

int resident_read(struct resident *self)
{
    if (self->socket < 0) {
        return ERR_CLOSED;
    }
    if (self->broken || !make_room(self)) {
        self->broken = true;
        close(self->socket);
        self->socket = -1;
        return ERR_CLOSED;
    }
    if (self->in_n == self->in_capacity) {
        return ERR_BUSY; /* whole frames are waiting to be taken */
    }
    ssize_t n =
        recv(self->socket, self->in + self->in_n, self->in_capacity - self->in_n, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_BUSY;
    }
    if (n <= 0) {
        close(self->socket);
        self->socket = -1;
        return ERR_CLOSED;
    }
    self->in_n += (size_t)n;
    return OK;
}

static bool take_list(struct resident *self, struct slice frame)
{
    struct msg msg;
    struct diag why;
    if (proto_decode(frame, &msg, &why) ||
        (msg.kind != MSG_RAN && msg.kind != MSG_TELL && msg.kind != MSG_ASK)) {
        log_warn("executor.frame", "why=\"%s\"",
                 msg.kind == MSG_NONE ? why.text : proto_name(msg.kind));
        self->broken = true;
        return false;
    }
    if (msg.kind == MSG_RAN) {
        self->ran = msg.as.ran.ran;
    } else if (msg.kind == MSG_ASK) {
        self->asked = msg.as.ask;
        self->asks = true;
    } else {
        self->told = msg.as.tell.reports;
    }
    return true;
}

enum resident_news resident_next(struct resident *self, struct rec_ran *ran,
                                 struct rec_report *told)
{
    for (;;) {
        while (next_ran(&self->ran, ran)) {
            if (ran->number >= self->next && ran->number < self->given) {
                self->next = ran->number + 1;
                self->ended++;
                return RESIDENT_RAN;
            }
        }
        if (next_report(&self->told, told)) {
            return RESIDENT_TOLD;
        }
        if (self->asks) {
            self->asks = false;
            return RESIDENT_ASKED;
        }
        size_t have = self->in_n - self->in_at;
        if (self->broken || have < PREFIX) {
            return RESIDENT_NOTHING;
        }
        uint32_t n = prefix_of(self->in + self->in_at);
        if (n > FRAME_MAX) {
            self->broken = true;
        }
        if (self->broken || have - PREFIX < n ||
            !take_list(self, slice_of(self->in + self->in_at + PREFIX, n))) {
            return RESIDENT_NOTHING;
        }
        self->in_at += PREFIX + n;
    }
}

void resident_settled(struct resident *self)
{
    if (self->ran.count == 0) {
        free(self->peeked);
        self->peeked = NULL;
    }
}

/*  The page's buffer as a RAN frame in `to`, which has room; false: it changed meanwhile, or is no list. */
static bool copy_buffer(const struct resident *self, uint8_t *copy, uint32_t used,
                        uint32_t generation, struct wire *to)
{
    memcpy(copy, self->page->buffer, used);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load(&self->page->generation) != generation) {
        return false;
    }
    struct cursor from = cursor_of(slice_of(copy, used));
    uint32_t count = 0;
    while (cursor_left(&from) > 0) {
        if (!wire_skip(&from)) {
            return false;
        }
        count++;
    }
    struct msg_ran ran = { .ran = { slice_of(copy, used), count } };
    proto_put(to, MSG_RAN, &ran);
    return !to->full;
}

bool resident_peek(struct resident *self)
{
    uint32_t generation = atomic_load(&self->page->generation);
    uint32_t used = atomic_load(&self->page->used);
    used = used < CHANNEL_BUFFER ? used : CHANNEL_BUFFER;
    if (used == 0 || self->ran.count > 0 || self->peeked || self->broken) {
        return false;
    }
    size_t room = (size_t)used + 64;
    self->peeked = malloc(used + room);
    ensure(self->peeked != NULL);
    struct wire frame = { self->peeked + used, 0, room, false };
    uint32_t before = self->next;
    if (!copy_buffer(self, self->peeked, used, generation, &frame) ||
        !take_list(self, slice_of(frame.p, frame.n))) {
        free(self->peeked);
        self->peeked = NULL;
        return false;
    }
    struct list list = self->ran; /* is any of it new? */
    struct rec_ran ran;
    bool any = false;
    while (!any && next_ran(&list, &ran)) {
        any = ran.number >= before;
    }
    if (!any) {
        self->ran.count = 0;
        free(self->peeked);
        self->peeked = NULL;
    }
    return any;
}

uint32_t resident_begun(const struct resident *self)
{
    uint32_t begun = channel_begun(self->page);
    return begun < self->given ? begun : self->given;
}

bool resident_works(const struct resident *self)
{
    return self->ended <
           self->given; /* one that has not begun yet may begin, and end, without a word */
}

uint32_t resident_take_back(struct resident *self)
{
    if (self->first) { /* what still waits to be written is void, too */
        channel_allow(self->page, self->given);
        for (struct outgoing *frame = self->first; frame; frame = frame->next) {
            frame->limit = self->given;
        }
    }
    uint32_t from = channel_take_back(self->page);
    from = from < self->given ? from : self->given;
    from = from > self->next ? from : self->next;
    self->ended += self->given - from;
    return from;
}
