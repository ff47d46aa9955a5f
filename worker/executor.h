/*  executor.h - all executors of the worker, as processes: started by the spawner, given tasks, listened to, ended.
    A source of events: what happens is noted by the executors_on_*() and told, one event at a time, by
    executors_next().  What events borrow is valid until executors_settled(). */
#ifndef RAYC_EXECUTOR_H
#define RAYC_EXECUTOR_H
#include "common/err.h"
#include "common/key.h"
#include "worker/asks.h"
#include "worker/core/worker.h"
#include "worker/samples.h"
#include "worker/spawn.h"
#include "worker/store_socket.h"
#include "worker/tails.h"

struct executors;

/*  What the core knows: the attempt that an executor is in, as task `number` of those that it was given. */
struct executors_runs {
    bool (*find)(const void *core, uint32_t executor, struct held *out, uint32_t *number);
    const void *core;
};

struct executors_config {
    const char *dir;              /* of the worker: scratch, logs and programs are in it */
    const char *address;          /* of the head, for RAYC_ADDRESS */
    const struct member_key *key; /* for the access files of drivers; NULL: none */
    uint32_t capacity;            /* ids are below */
    int epoll;                    /* sockets are added to it with data.u64 = id */
    struct spawner *spawner;
    const struct confine *confine;
    struct tails *tails;
    struct samples *samples;
    struct store_socket *store;
    struct executors_runs runs;
    struct asks *asks; /* of trials */
};

MUST_CHECK int executors_open(struct executors **out, const struct executors_config *config);
void executors_close(struct executors **self); /* the spawner has ended them */

/*  Acts.  executors_give() joins neighbours; executors_give_end() sends what was joined. */
void executors_spawn(struct executors *self, const struct act *act, uint64_t node);
void executors_give(struct executors *self, const struct act *act);
void executors_give_end(struct executors *self);
void executors_take_back(struct executors *self, uint32_t id);
void executors_kill(struct executors *self, uint32_t id, int signal);

void executors_joined(struct executors *self, const struct msg_node_joined *msg);
/*  News.  executors_on_time() looks at those that have been silent; call it when executors_due() is over. */
void executors_on_spawner(struct executors *self, const struct spawn_event *event);
void executors_on_socket(struct executors *self, uint32_t id, uint32_t events);
void executors_on_tails(
    struct executors *self); /* some output has gone: drivers that wait for it may end */
void executors_on_time(struct executors *self, uint64_t now_ms);
/*  on the clock of now_ms; UINT64_MAX: never */
uint64_t executors_due(const struct executors *self);

enum next {
    NEXT_NOTHING = 0,
    NEXT_EVENT,
    NEXT_LATER /* there is more, after executors_settled() */
};
enum next executors_next(struct executors *self, struct worker_event *out);
void executors_settled(struct executors *self);
#endif
