/*  spawn.h - the spawner: a small process, forked from the worker before anything else, that is the parent of
    every executor.  It is a child subreaper: what an executor leaves behind, even by double fork and setsid,
    becomes its child and is killed with the executor.  When the worker dies, by any signal, it kills every
    executor with all descendants and exits; when it dies itself, the kernel kills its children (PDEATHSIG).

    Not thread-safe: one thread of the worker uses it. */
#ifndef RAYC_SPAWN_H
#define RAYC_SPAWN_H
#include "common/base.h"
#include "common/err.h"
#include "worker/confine.h"

struct spawner;

enum { SPAWN_FDS_MAX = 8 };

struct spawn_request {
    uint32_t id; /* the caller's; free again after SPAWN_EXITED or SPAWN_FAILED */
    /*  absolute: executed as it is; without a slash: found in PATH of env, else of the worker */
    const char *path;
    const char *const *argv;
    const char *const *env;
    const char *cwd; /* NULL: as the worker */
    int fds
        [SPAWN_FDS_MAX]; /* become 0, 1, 2, ... of the child; -1: /dev/null for 0 to 2, closed else.  Still the caller's. */
    uint64_t memory_bytes; /* limit of its address space; 0: none */
    uint64_t group_bytes; /* of the memory of its cgroup, if the worker has some; 0: it gets none */
    uint32_t uid;         /* its user, and group; 0: as the worker */
    /*  of this executor alone, not 0; also in env as RAYC_SPAWN: known by it, descendants are found */
    uint64_t mark;
};

enum spawn_event_kind { SPAWN_STARTED = 1, SPAWN_FAILED, SPAWN_EXITED };
struct spawn_event {
    enum spawn_event_kind kind;
    uint32_t id;
    uint32_t pid;  /* STARTED */
    int32_t error; /* FAILED: errno of chdir or execve */
    /*  EXITED: exit status, or -signal; its process group and descendants are gone */
    int32_t status;
    bool out_of_memory; /* likewise: the kernel killed one of its processes for that */
    uint64_t max_rss_bytes, cpu_us;
};

/*  Before any thread exists. */
MUST_CHECK int spawner_start(struct spawner **out, const struct confine *confine);
void spawner_stop(struct spawner **self);   /* kills everything; NULL-safe */
int spawner_fd(const struct spawner *self); /* readable: call spawner_next() */
MUST_CHECK int spawner_spawn(struct spawner *self, const struct spawn_request *request);
/*  Signals the process group; with SIGKILL also every descendant.  Unknown ids are ignored. */
MUST_CHECK int spawner_kill(struct spawner *self, uint32_t id, int signal);
bool spawner_next(struct spawner *self, struct spawn_event *out); /* false: nothing now */
bool spawner_dead(const struct spawner *self);
#endif
