/*  store_socket_absent.c - requests for values that are not on this node: they wait until the loop has had them fetched. */
#include "worker/store_socket_state.h"

#include <stdlib.h>
#include <sys/eventfd.h>

static struct absent *absent_new(const struct store_want *want, int code)
{
    struct absent *absent = calloc(1, sizeof(*absent));
    ensure(absent != NULL);
    absent->it = *want;
    absent->code = code;
    return absent;
}

/*  The oldest of a list whose newest is first: others are asked for meanwhile. */
static struct absent *take_oldest(struct absent **list)
{
    while (*list && (*list)->next) {
        list = &(*list)->next;
    }
    struct absent *oldest = *list;
    *list = NULL;
    return oldest;
}

/*  While the head is away, too: it will say where the value is. */
void store_want(struct store_socket *self, struct client *client, uint64_t task, uint32_t index,
                uint64_t seq)
{
    struct absent *absent = absent_new(&(struct store_want){ task, client->user, index }, OK);
    pthread_mutex_lock(&self->lock);
    absent->next = self->wants;
    self->wants = absent;
    pthread_mutex_unlock(&self->lock);
    uint32_t at = store_take_hold(client);
    client->holds[at] =
        (struct hold){ .seq = seq, .used = true, .absent = true, .task = task, .index = index };
    client->waiting++;
    (void)eventfd_write(self->loop_fd, 1);
}

bool store_socket_wants(struct store_socket *self, struct store_want *out)
{
    pthread_mutex_lock(&self->lock);
    struct absent *absent = take_oldest(&self->wants);
    pthread_mutex_unlock(&self->lock);
    if (absent) {
        *out = absent->it;
    }
    free(absent);
    return absent != NULL;
}

void store_socket_fetched(struct store_socket *self, const struct store_want *want, int code)
{
    struct absent *absent = absent_new(want, code);
    pthread_mutex_lock(&self->lock);
    absent->next = self->fetched;
    self->fetched = absent;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake_fd, 1);
}

/*  A client that has this user, and waits for it, gets it; or is told why not. */
static void answer(struct store_socket *self, struct client *client, const struct absent *absent)
{
    for (uint32_t i = 0; i < client->hold_count; i++) {
        const struct hold *hold = &client->holds[i];
        if (hold->used && hold->absent && hold->task == absent->it.task &&
            hold->index == absent->it.index) {
            uint64_t seq = hold->seq;
            store_free_hold(client, i);
            if (absent->code == OK) {
                store_get(self, client, absent->it.task, absent->it.index, seq);
            } else {
                store_refuse(client, seq, absent->code);
            }
        }
    }
}

void store_take_fetched(struct store_socket *self)
{
    for (;;) {
        pthread_mutex_lock(&self->lock);
        struct absent *absent = take_oldest(&self->fetched);
        pthread_mutex_unlock(&self->lock);
        if (!absent) {
            return;
        }
        for (uint32_t i = 0; i < self->client_count; i++) {
            struct client *client = &self->clients[i];
            if (client->fd >= 0 && client->user == absent->it.user && client->waiting > 0) {
                answer(self, client, absent);
            }
        }
        free(absent);
    }
}

void store_free_absent(struct store_socket *self)
{
    for (struct absent *absent; (absent = take_oldest(&self->wants)) != NULL;) {
        free(absent);
    }
    for (struct absent *absent; (absent = take_oldest(&self->fetched)) != NULL;) {
        free(absent);
    }
}
