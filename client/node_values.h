/*  node_values.h - the large values of this process: in the object store of its node, if it has one.

    The store is opened when it is first needed, and again when its worker came back.  A value that is read is mapped
    once, however often it is asked for, until those who hold it have let it go.  Thread-safe.  Failures are codes of
    rayc.h, described by rayc_error(). */
#ifndef RAYC_NODE_VALUES_H
#define RAYC_NODE_VALUES_H
#include "client/local_store.h"
#include "client/rayc.h"

/*  Who a driver is.  An executor need not say it: its environment does. */
void node_values_join(const char *token, const char *cluster);

/*  Memory for a value of `size` bytes in msgpack.  RAYC_ENOTFOUND: this machine has no worker of the cluster, and got
    none within `wait_ms`.  RAYC_EFULL. */
MUST_CHECK int node_values_create(uint64_t size, uint32_t wait_ms, struct local_buffer *out);
/*  Likewise, with the value in it, which value_check() has found good. */
MUST_CHECK int node_values_write(const rayc_value *value, uint32_t wait_ms,
                                 struct local_buffer *out);
/*  Under its id from now on; the node that has it. */
MUST_CHECK int node_values_seal(struct local_buffer *buffer, uint64_t task, uint32_t index,
                                uint64_t *node);

/*  Who holds it: references do once, running tasks each for itself. */
enum viewer { VIEWER_REFERENCE, VIEWER_TASK };
/*  The value in msgpack, with a 0 behind it.  RAYC_ENOTFOUND: it is not on this node. */
MUST_CHECK int node_values_view(const struct stored *id, enum viewer viewer, struct slice *value);
void node_values_release(const struct stored *id, enum viewer viewer); /* what is not held, too */
#endif
