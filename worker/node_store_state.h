/*  node_store_state.h - what node_store.c (what is asked) and node_store_mover.c (what takes time) share. */
#ifndef RAYC_NODE_STORE_STATE_H
#define RAYC_NODE_STORE_STATE_H
#include <pthread.h>
#include "common/file.h"
#include "common/map.h"
#include "worker/node_store.h"
#include "worker/segments.h"

enum object_state {
    OBJECT_WRITTEN = 1, /* a buffer */
    OBJECT_SEALED,      /* a copy: only these are found */
    OBJECT_DROPPED,     /* somebody may still have it */
    OBJECT_GONE         /* likewise, and node_store_gone() is to tell it */
};

/*  An object is in one place: */
enum object_place {
    PLACE_NONE = 0,  /* somebody has it, or it is on the disk only */
    PLACE_WAITING,   /* somebody wants memory for it */
    PLACE_COPIES,    /* nobody has it, and it can go at once; the one used last is the last */
    PLACE_PRIMARIES, /* nobody has it, and it can be spilled; likewise */
    PLACE_MOVING,    /* the mover has it */
    PLACE_OVER,      /* its file or descriptor is to be closed by the mover */
    PLACE_GONE,      /* for node_store_gone() */
    PLACES
};

/*  A buffer, then a copy.  Its number is its slot of the pool. */
struct object {
    uint64_t task; /* key of the map */
    uint32_t same; /* link of the map */
    uint32_t index;
    uint64_t user, size;
    uint64_t serial; /* names its file */
    struct link_pair links;
    struct link_pair news; /* among those to be told by node_store_spilled() */
    uint32_t segment;      /* NONE: it has no memory */
    uint32_t pins;         /* of readers; of a buffer 1 */
    int32_t failed;        /* why there is no memory for those who have it */
    uint8_t state;         /* enum object_state; 0: the slot is free */
    uint8_t place;         /* enum object_place */
    bool primary;
    bool file;    /* it is in DIR/spill */
    bool loading; /* its memory is not what it will be: it comes from there */
    bool is_news;
};

struct node_store {
    pthread_mutex_t lock;
    pthread_cond_t work; /* for the mover */
    pthread_t mover;
    bool ending;
    int folder; /* DIR/spill */
    uint64_t spill_bytes;
    void *memory; /* of the pools and the map */
    size_t memory_bytes;
    struct pool objects;
    struct map by_task;
    struct segments segments;
    struct chain places[PLACES]; /* PLACE_NONE has none */
    struct chain news;
    uint64_t serial, disk;
    uint64_t spilled, evicted, pinned;
    int watchers[NODE_STORE_WATCHERS_MAX];
    uint32_t watcher_count;
};

static inline struct object *node_store_at(const struct node_store *self, uint32_t number)
{
    return pool_at(&self->objects, number);
}

static inline struct segment *node_store_segment(const struct node_store *self,
                                                 const struct object *object)
{
    return segments_at(&self->segments, object->segment);
}

/*  Bytes of a segment for it: the lead, the value, and a 0. */
static inline uint64_t object_bytes(const struct object *object)
{
    return STORED_LEAD + object->size + 1;
}

/*  With the lock: */
void node_store_place(struct node_store *self, struct object *object, enum object_place place);
/*  After a change of it: it goes where it belongs now, and its slot may be free. */
void node_store_settle(struct node_store *self, struct object *object);
/*  A copy is not found any more; `state` is OBJECT_DROPPED or OBJECT_GONE. */
void node_store_forget(struct node_store *self, struct object *object, enum object_state state);
/*  Whether node_store_spilled() is to tell it. */
void node_store_news(struct node_store *self, struct object *object, bool is_news);
void node_store_tell(struct node_store *self); /* the watchers */

/*  The thread that makes room, spills and reads again. */
void *node_store_mover(void *store);
#endif
