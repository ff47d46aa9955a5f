/*  launch.h - one vfork and execve, with the reason when it fails.  Used by the spawner, before which a worker may ask
    what it will be able to do. */
#ifndef RAYC_LAUNCH_H
#define RAYC_LAUNCH_H
#include <sys/types.h>
#include "common/base.h"
#include "worker/spawn.h"

struct launch {
    const char *path; /* without a slash: searched in PATH of env, else of this process */
    const char *const *argv;
    const char *const *env;
    const char *cwd; /* NULL: as this process */
    int fds
        [SPAWN_FDS_MAX]; /* become 0, 1, 2, ...; -1: closed.  All of them >= SPAWN_FDS_MAX or the same number. */
    pid_t parent;          /* this process */
    uint64_t memory_bytes; /* limit of its address space; 0: none */
    uint32_t uid;          /* its user, and group; 0: as this process */
    uint64_t processes;    /* limit of that user's */
    const int *groups;     /* cgroup.procs of those that it joins */
    uint32_t group_count;
    uint32_t niceness;  /* 0: that of this process */
    volatile int error; /* out: errno of vfork, chdir or execve; 0 */
};

/*  Returns when the child runs the program, or has failed and is reaped: then error says why. */
pid_t launch_run(struct launch *self);
/*  Another worker of this machine may have executors of the same user: each executor that runs holds a share of a lock of
    it, a file in /run/rayc.  -1: there is no user, or no such file can be made. */
int launch_share_user(uint32_t uid);
void launch_leave_user(int share);
/*  SIGKILL for every process of a user, at once: one that forks without end has no time to do so.  Not if another share
    is held; what is there is left by this call. */
void launch_kill_user(uint32_t uid, int share);
/*  Does this machine let this process act as that user? */
MUST_CHECK bool launch_can_be(uint32_t uid);
#endif
