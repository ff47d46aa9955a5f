/*  store_socket_state.h - what store_socket.c (who asks, and what each has), store_socket_absent.c (what is not on this
    node) and store_socket_left.c (what is to outlive its client) share. */
#ifndef RAYC_STORE_SOCKET_STATE_H
#define RAYC_STORE_SOCKET_STATE_H
#include <pthread.h>
#include "common/file.h"
#include "worker/store_socket.h"

/*  What a client has.  Its number is its place in client.holds. */
struct hold {
    uint32_t number; /* of the store */
    uint32_t next;   /* free ones: the next */
    uint64_t seq;    /* of the request that waits for it; 0: none does */
    bool used, buffer;
    bool absent; /* it is fetched from another node: nothing is pinned yet */
    uint64_t task;
    uint32_t index;
};

/*  A value that a client wants and this node does not have. */
struct absent {
    struct absent *next;
    struct store_want it;
    int code; /* what came of it */
};

struct client {
    int fd; /* -1: the slot is free */
    uint64_t serial;
    uint64_t user;     /* 0: not known yet */
    uint64_t open_seq; /* of its STORE_OPEN */
    uint8_t hash[TOKEN_HASH_BYTES];
    bool asks;              /* the head is to say whose `hash` is */
    bool asked, answered;   /* the loop's: it was, and has said */
    uint64_t user_answered; /* 0: nobody's */
    struct hold *holds;
    uint32_t hold_count, hold_free; /* slots there are; the first that is free */
    uint32_t held, buffers, waiting;
    struct left *sealed; /* NULL: nothing yet */
};

struct user_key {
    uint64_t user;
    char key[STORE_KEY_BYTES];
};

struct store_socket {
    struct node_store *store;
    pthread_t thread;
    bool runs; /* there is a thread */
    char path[PATH_BYTES];
    int listener, epoll, news, loop_fd, wake_fd;
    pthread_mutex_t lock; /* of what follows */
    bool ending;
    struct client *clients; /* the thread's own, but for what the loop asks and answers */
    uint32_t client_count;
    uint64_t serial;
    struct user_key *keys;
    uint32_t key_count;
    struct absent *wants, *fetched; /* for the loop, and its answers */
    struct left *left;              /* of clients that are gone */
    uint64_t node;
    char cluster[HASH_TEXT + 1];
};

/*  store_socket.c, on the socket's thread. */
uint32_t store_take_hold(struct client *client);
void store_free_hold(struct client *client, uint32_t index);
void store_refuse(struct client *client, uint64_t seq, int code);
void store_get(struct store_socket *self, struct client *client, uint64_t task, uint32_t index,
               uint64_t seq);

/*  store_socket_absent.c */
void store_want(struct store_socket *self, struct client *client, uint64_t task, uint32_t index,
                uint64_t seq);
void store_take_fetched(struct store_socket *self);
void store_free_absent(struct store_socket *self);

/*  store_socket_left.c */
void store_sealed(struct client *client, uint64_t task, uint32_t index);
void store_leaves(struct store_socket *self, struct client *client); /* with the lock */
void store_free_left(struct store_socket *self);
#endif
