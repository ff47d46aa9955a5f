/*  scratch.h - a folder of its own for each executor, DIR/N, which is empty when the executor starts and gone, with all
    that is in it, when it has ended.  Large ones are removed by a thread; nothing waits for that. */
#ifndef RAYC_SCRATCH_H
#define RAYC_SCRATCH_H
#include <sys/types.h>
#include "common/err.h"

struct scratch;

/*  `dir` exists; what an earlier worker has left in it is removed. */
MUST_CHECK int scratch_open(struct scratch **out, const char *dir, uint32_t capacity);
void scratch_close(struct scratch **self); /* NULL-safe */
/*  The folder of executor `id`, below the capacity: 0700, of that owner.  ERR_SYSTEM: errno says why. */
MUST_CHECK int scratch_take(struct scratch *self, uint32_t id, uid_t owner);
void scratch_give(struct scratch *self, uint32_t id); /* its executor has ended */
#endif
