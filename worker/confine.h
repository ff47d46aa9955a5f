/*  confine.h - what no executor may do.  Nearly all of it is given up once, by the spawner, from whom executors inherit
    it: gaining privileges by a program's owner (no_new_privs), capabilities, core files, more than so many descriptors
    or bytes in a file. */
#ifndef RAYC_CONFINE_H
#define RAYC_CONFINE_H
#include "common/base.h"

struct cgroups;

struct confine {
    uint64_t files;      /* descriptors of one process */
    uint64_t file_bytes; /* of one file */
    uint64_t processes;  /* of one user; of executors that have a uid of their own */
    uint32_t niceness;   /* of executors: head, worker and people get the processors first */
    uint32_t uid_base;   /* executors of user N run as uid and gid uid_base + N; 0: as the worker */
    bool uid_wanted;     /* somebody asked for it: not to have it is an error */
    bool memory;         /* an attempt's address space is limited to the memory that it demands */
    const struct cgroups *cgroups; /* for limits of whole attempts; NULL: none */
    bool as_user; /* of an embedded cluster: executors are the user's own, with umask and secrets */
};

struct confine confine_defaults(void);
/*  0: as the worker; UINT32_MAX: the user's number is beyond the range of uids. */
uint32_t confine_uid(const struct confine *limits, uint64_t user);
/*  Of the spawner, before it starts anything. */
void confine_self(const struct confine *limits);
#endif
