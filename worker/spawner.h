/*  spawner.h - what travels between spawn.c (in the worker) and spawner.c (the spawner process), both of one build.
    Requests are frames: the header, then texts, each with its NUL: path, cwd (if any), argv, env.  File descriptors
    ride on the first byte of their frame (SCM_RIGHTS).  Events are struct spawn_event, one after the other. */
#ifndef RAYC_SPAWNER_H
#define RAYC_SPAWNER_H
#include "worker/spawn.h"

enum { SPAWN_FRAME_MAX = 16 << 20 };

enum spawn_frame_kind { FRAME_SPAWN = 1, FRAME_KILL };

struct spawn_frame {
    uint32_t bytes; /* of the whole frame, this header included */
    uint32_t kind;
    uint32_t id;
    int32_t signal;
    uint64_t mark;
    uint32_t fd_mask; /* bit n: what becomes descriptor n of the child was sent along */
    uint32_t argc;
    uint32_t envc;
    uint32_t has_cwd;
    uint64_t memory_bytes, group_bytes; /* 0: no limit */
    uint32_t uid, padding;
};

/*  Runs the spawner on its end of the socket pair until the worker is gone.  `socket` is its only descriptor
    besides stderr. */
_Noreturn void spawner_run(int socket, const struct confine *confine);
#endif
