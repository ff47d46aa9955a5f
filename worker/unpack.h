/*  unpack.h - packages are unpacked by a program of its own, rayc-unpack (worker/unpack/main.c): whoever made an archive
    meets a process without keys and privileges, which ends with it.  Where executors have uids, it runs as one that is
    nobody's, alone.  And a worker needs none of the libraries that read archives. */
#ifndef RAYC_WORKER_UNPACK_H
#define RAYC_WORKER_UNPACK_H
#include "common/archive/unpack.h"

/*  How the program is started: its descriptors, and its one argument, the uid in decimal (0: stays). */
enum { UNPACK_ARCHIVE, UNPACK_WHY, UNPACK_LOG, UNPACK_ROOT };

/*  2 GiB take some seconds of a processor, and a slow disk two minutes: the packages of all users wait meanwhile. */
enum { UNPACK_CPU_S_MAX = 120, UNPACK_MS_MAX = 300000 };

struct unpack_job {
    const char *program;
    const char *archive; /* a file */
    const char *dir;     /* dir/name is made */
    const char *name;
    uint32_t uid;    /* whose it is then; 0: of this process */
    uint32_t ms_max; /* how long it may take; 0: UNPACK_MS_MAX */
};

/*  All is made in a folder beside, which gets its name when everything is there: the folder, or nothing.  OK, too, if it
    is there already.  Else ERR_INVALID: a bad archive, ERR_TOO_LARGE, ERR_TIMEOUT, ERR_SYSTEM; `why` (UNPACK_WHY_BYTES)
    says more.
    Waits; for a thread that lives as long as the process. */
MUST_CHECK int unpack_run(const struct unpack_job *job, char *why);
#endif
