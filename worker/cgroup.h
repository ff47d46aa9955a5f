/*  cgroup.h - a control group for each executor whose task demands memory, where the machine lets the worker make some
    (v1 or v2): its limits count for an attempt and all that it starts, and tell who was killed because memory ran out.

    The worker finds out before it starts the spawner, which makes and removes them.  They are folders NUMBER in
    `rayc-PID`, which is made in the worker's own group or in one that somebody has delegated. */
#ifndef RAYC_CGROUP_H
#define RAYC_CGROUP_H
#include "common/err.h"
#include "common/file.h"

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };
enum { CGROUP_MEMORY = 1, CGROUP_PIDS = 2, CGROUP_FOLDERS = 2 };

struct cgroups {
    enum cgroup_kind kind;
    /*  v2: the worker has a leaf of its own, for no group has both processes and limits for others */
    bool moved;
    uint32_t count;
    struct cgroup_folder {
        uint32_t controllers;    /* CGROUP_MEMORY, CGROUP_PIDS */
        char parent[PATH_BYTES]; /* where `path` was made */
        char path[PATH_BYTES];
    } folders[CGROUP_FOLDERS]; /* v1: one for each controller; v2: one */
};

struct cgroup_limits {
    uint64_t memory_bytes; /* 0: none */
    uint64_t processes;
};

/*  What a kernel says of itself: /proc/self/mountinfo and /proc/self/cgroup. */
struct cgroup_world {
    const char *mounts, *own;
};

/*  `group`: as in /proc/PID/cgroup, NULL: that of this process.  ERR_NOT_FOUND, ERR_FORBIDDEN: there is none, or none may
    be made there (why); nothing is left behind. */
MUST_CHECK int cgroups_open(struct cgroups *self, const struct cgroup_world *world,
                            const char *group, struct diag *why);
/*  By whoever makes groups, before the first one. */
MUST_CHECK int cgroups_begin(const struct cgroups *self);
/*  Removes what no process is in any more, and goes back to where this process came from. */
void cgroups_close(const struct cgroups *self);

/*  Who writes "0" into `procs` (as many as folders, the others -1; to be closed) is in the group.  ERR_SYSTEM: errno. */
MUST_CHECK int cgroup_make(const struct cgroups *self, uint64_t number,
                           const struct cgroup_limits *limits, int procs[CGROUP_FOLDERS]);
/*  Its processes have ended.  True: the kernel had to kill some of them because memory ran out. */
bool cgroup_end(const struct cgroups *self, uint64_t number);
#endif
