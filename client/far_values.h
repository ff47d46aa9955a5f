/*  far_values.h - large values for a driver on a machine without a node: they come over the network from the nodes that
    have them, into memory of the process. */
#ifndef RAYC_FAR_VALUES_H
#define RAYC_FAR_VALUES_H
#include "client/session.h"
#include "proto/push.h"
#include "proto/stored.h"

/*  Waits until it has come: *bytes is malloced, with a 0 behind it.  RAYC_ETIMEOUT at `until_us` of clock_us(): what has
    come by then is kept for some minutes, and the next call goes on from there.  RAYC_EOBJECTLOST, RAYC_EOBJECTFREED. */
MUST_CHECK int far_values_get(struct session *session, const struct stored *id, uint64_t until_us,
                              uint8_t **bytes);
void far_values_forget(const struct stored *id); /* what is kept of it; NULL: of all */
void far_values_tidy(uint64_t now_ms); /* what was kept for long goes; to be called now and then */
/*  This node's store could not get such a value, as rayc_error() says: why, if the head knows better. */
int far_values_why(struct session *session, const struct stored *id);

/*  A value on its way into the store of some node, which has it when far_values_put() returns; then it is sealed there,
    which waits for one answer. */
struct far_put {
    struct push *push; /* NULL: it is none */
    uint64_t node, size;
    uint8_t *bytes;
};
MUST_CHECK int far_values_put(struct session *session, const rayc_value *value,
                              struct far_put *out);
MUST_CHECK int far_values_seal(struct far_put *put, uint64_t task, uint32_t index);
void far_values_abort(struct far_put *put); /* one that is none, or was sealed, too */
#endif
