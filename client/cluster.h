/*  cluster.h - which head to talk to: the address and key of a running cluster, or a private one
    started now. An embedded cluster is a head and a worker of this user's state folder.  Whoever
    starts them holds `start.lock` meanwhile, so that two programs that begin together end up
    with one cluster. */
#ifndef RAYC_CLUSTER_H
#define RAYC_CLUSTER_H
#include "common/base.h"
#include "common/err.h"
#include "common/file.h"
#include "common/key.h"

enum { ADDRESS_BYTES_MAX = PATH_BYTES + 16 };

/*  `given`, else $RAYC_ADDRESS, else $RAY_ADDRESS if it is one of http, which Ray's client of jobs has, too (its other
    meanings are not ours); NULL: nobody wants any. */
const char *cluster_wanted(const char *given);

/*  cluster_wanted(), else that of the state folder if its head runs.  ERR_NOT_FOUND:
    there is none. Every failure is described by rayc_error(). */
MUST_CHECK int cluster_find(const char *given, char address[ADDRESS_BYTES_MAX],
                            struct member_key *key, bool *has_key);

/*  Starts head and worker in the state folder, or finds that others just did.  Returns when the
    head listens. */
MUST_CHECK int cluster_start_embedded(char address[ADDRESS_BYTES_MAX]);

/*  Starts again what is no longer there of an embedded cluster; cheap when all is well.  Call it
    while the head does not answer, and each second or so.  A failure: the head does not come up,
    and will hardly do so next time. */
int cluster_revive(void);
bool cluster_is_embedded(const char *address); /* is it where this user's embedded head listens? */
#endif
