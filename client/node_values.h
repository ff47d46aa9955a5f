/*  node_values.h - the large values of this process: in the object store of its node, if it has one.

    The store is opened when it is first needed, and again when its worker came back.  A value that is read is mapped
    once, however often it is asked for, until those who hold it have let it go.  Thread-safe.  Failures are codes of
    rayc.h, described by rayc_error(). */
#ifndef RAYC_NODE_VALUES_H
#define RAYC_NODE_VALUES_H
#include "client/local_store.h"
#include "client/rayc.h"
#include "common/access.h"

/*  Who a driver is.  An executor need not say it: its environment does.  `starting`: its cluster may be starting now, and
    its worker is waited for. */
void node_values_join(const char *token, struct slice cluster, bool starting);
/*  What references hold is let go, and so is the store. */
void node_values_leave(void);

/*  Memory for a value of `size` bytes in msgpack.  RAYC_ENOTFOUND: this machine has no worker of the cluster; and gets
    none, if the value can be `nowhere` else.  RAYC_EFULL. */
MUST_CHECK int node_values_create(uint64_t size, bool nowhere, struct local_buffer *out);
/*  Likewise, with the value in it, which value_check() has found good. */
MUST_CHECK int node_values_write(const rayc_value *value, struct local_buffer *out);
/*  Under its id from now on; the node that has it. */
MUST_CHECK int node_values_seal(struct local_buffer *buffer, uint64_t task, uint32_t index,
                                uint64_t *node);

/*  Who holds it: references do once, running tasks each for itself. */
enum viewer { VIEWER_REFERENCE, VIEWER_TASK };
/*  The value in msgpack, with a 0 behind it.  RAYC_ENOTFOUND: it is not on this node.  RAYC_ETIMEOUT: it is on its way to it,
    and has not come by `until_us` of clock_us(). */
MUST_CHECK int node_values_view(const struct stored *id, enum viewer viewer, uint64_t until_us,
                                struct slice *value);
/*  The same of one that has come from elsewhere, for this machine has no store: malloced, and owned from now on. */
MUST_CHECK int node_values_keep(const struct stored *id, uint8_t *bytes, struct slice *value);
bool node_values_here(void); /* there is a store, or was when it was last needed */
void node_values_token(char token[ACCESS_TOKEN_MAX + 1]);
void node_values_release(const struct stored *id, enum viewer viewer); /* what is not held, too */
#endif
