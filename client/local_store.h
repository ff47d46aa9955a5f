/*  local_store.h - the object store of this node, as executors and drivers use it: values are written and read in memory
    that is shared with its worker, which passes descriptors over DIR/store.sock (proto/messages_store.def).

    What was mapped stays mapped for a while after its use, so that memory which the worker uses again costs no page
    faults.  Thread-safe.  Failures are codes of err.def; local_store_why() is the sentence for people. */
#ifndef RAYC_LOCAL_STORE_H
#define RAYC_LOCAL_STORE_H
#include "common/err.h"
#include "proto/stored.h"

struct local_store;

struct local_store_config {
    const char *path;    /* of the socket */
    const char *key;     /* $RAYC_STORE_KEY; "": `token` counts */
    const char *token;   /* of the user; its hash is shown */
    const char *cluster; /* it must be this one's; "": whichever it is */
};

/*  ERR_NOT_FOUND: this machine has no worker there, or one of another cluster. */
MUST_CHECK int local_store_open(struct local_store **out, const struct local_store_config *config);
/*  Memory that is still used stays mapped until its last local_store_release() or _abort().  NULL-safe. */
void local_store_close(struct local_store **self);
/*  For a thread that uses it while another may close it. */
void local_store_take(struct local_store *self);
void local_store_give(struct local_store *self);
/*  on which node it is; 0: it was not known */
uint64_t local_store_node(const struct local_store *self);
bool local_store_broken(struct local_store *self); /* its worker has gone */
const char *local_store_why(int code);

/*  Memory for a value, which the caller writes.  After local_store_seal() it can be read only. */
struct local_buffer {
    struct local_store *store; /* NULL: it is none */
    uint8_t *bytes;
    uint64_t size;
    uint32_t hold;
    struct mapping *mapping;
};
MUST_CHECK int local_store_create(struct local_store *self, uint64_t size,
                                  struct local_buffer *out);
/*  The buffer is used up, also when it fails. */
MUST_CHECK int local_store_seal(struct local_buffer *buffer, uint64_t task, uint32_t index);
void local_store_abort(struct local_buffer *buffer); /* one that is none, too */

/*  A value to be read, mapped where it is; each needs its local_store_release().  ERR_TIMEOUT: it is fetched from another
    node, and has not come by `until_us` of clock_us(); it goes on coming. */
struct local_view {
    struct local_store *store;
    struct slice value; /* in msgpack; a 0 follows */
    uint32_t hold;
    struct mapping *mapping;
};
MUST_CHECK int local_store_view(struct local_store *self, uint64_t task, uint32_t index,
                                uint64_t until_us, struct local_view *out);
void local_store_release(struct local_view *view);
#endif
