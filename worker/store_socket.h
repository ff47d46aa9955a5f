/*  store_socket.h - how executors and drivers of this machine get to the node's store: DIR/store.sock, and a thread of
    its own that answers there (proto/messages_store.def).

    An executor says the key of its user, which is in its environment; any other program the hash of a token, and the
    head says whose that is.  A user's programs see that user's values only.  Memory is passed as a descriptor, and what
    a client has is released when its connection ends, however it ends. */
#ifndef RAYC_STORE_SOCKET_H
#define RAYC_STORE_SOCKET_H
#include "proto/proto.h"
#include "worker/node_store.h"

enum {
    STORE_KEY_BYTES = 64,
    STORE_CLIENTS_MAX = 4096,
    STORE_BUFFERS_MAX = 256,  /* of a client, at a time */
    STORE_HOLDS_MAX = 1 << 16 /* likewise, with what it reads */
};

struct store_socket;

MUST_CHECK int store_socket_open(struct store_socket **out, struct node_store *store,
                                 const char *dir);
void store_socket_close(struct store_socket **self); /* NULL-safe */

/*  For the loop.  RAYC_STORE and RAYC_STORE_KEY of an executor of this user's. */
const char *store_socket_path(const struct store_socket *self);
void store_socket_key(struct store_socket *self, uint64_t user, char key[STORE_KEY_BYTES]);
/*  The node that this is, in which cluster; node 0: in none. */
void store_socket_joined(struct store_socket *self, uint64_t node, const char *cluster);
/*  Readable when there is a question for the head; the question; its answer, if it is ours. */
int store_socket_fd(const struct store_socket *self);
bool store_socket_ask(struct store_socket *self, struct msg_token_check *out);
void store_socket_answer(struct store_socket *self, const struct msg_token_may *msg);

/*  What clients want and this node does not have: the next one, and what came of it; OK: the store has it now. */
struct store_want {
    uint64_t task, user;
    uint32_t index;
};
bool store_socket_wants(struct store_socket *self, struct store_want *out);
void store_socket_fetched(struct store_socket *self, const struct store_want *want, int code);

/*  What clients that are gone have sealed, and the head may not know of: the next that it is to be told of now. */
bool store_socket_left(struct store_socket *self, uint64_t now_ms, struct rec_object *out);
#endif
