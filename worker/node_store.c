/*  node_store.c - what is asked of the store: a table of objects under one lock, which is never held while the disk or
    much memory is waited for.  Such work is the mover's. */
#include "worker/node_store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "common/reserve.h"
#include "common/tree.h"
#include "worker/node_store_state.h"

enum { DESCRIPTORS_LEFT = 1024, SEGMENTS_LEAST = 64, SEGMENTS_MOST = NODE_STORE_COPIES_MAX };
#define OBJECT_BYTES_MAX (1ull << 46)

/* --- places ----------------------------------------------------------------------------------------------- */

static uint32_t number_of(const struct node_store *self, const struct object *object)
{
    return (uint32_t)(((const uint8_t *)object - self->objects.memory) / sizeof(*object));
}

void node_store_place(struct node_store *self, struct object *object, enum object_place place)
{
    uint32_t number = number_of(self, object);
    uint32_t offset = offsetof(struct object, links);
    if (object->place != PLACE_NONE) {
        chain_remove(&self->places[object->place], &self->objects, offset, number);
    }
    object->place = (uint8_t)place;
    if (place != PLACE_NONE) {
        chain_append(&self->places[place], &self->objects, offset, number);
    }
    if (place == PLACE_WAITING || place == PLACE_OVER) {
        pthread_cond_signal(&self->work);
    }
}

static void free_slot(struct node_store *self, struct object *object)
{
    node_store_place(self, object, PLACE_NONE);
    node_store_news(self, object, false);
    object->state = 0;
    pool_give(&self->objects, number_of(self, object));
}

/*  Nobody wants it any more. */
static void end(struct node_store *self, struct object *object)
{
    if (object->segment != NONE && !node_store_segment(self, object)->disk) {
        segments_free(&self->segments, object->segment);
        object->segment = NONE;
    }
    if (object->segment != NONE || object->file) {
        node_store_place(self, object, PLACE_OVER);
    } else if (object->state == OBJECT_GONE) {
        node_store_place(self, object, PLACE_GONE);
        node_store_tell(self);
    } else {
        free_slot(self, object);
    }
}

void node_store_settle(struct node_store *self, struct object *object)
{
    if (object->place == PLACE_MOVING) {
        return; /* the mover does it, when it is done */
    }
    bool memory = object->segment != NONE;
    if (object->pins > 0) {
        bool wants = !memory && object->failed == OK;
        if (!wants || object->place != PLACE_WAITING) {
            node_store_place(self, object, wants ? PLACE_WAITING : PLACE_NONE);
        }
        return;
    }
    object->failed = OK;
    if (object->state != OBJECT_SEALED) {
        end(self, object);
    } else if (!memory || node_store_segment(self, object)->disk) {
        node_store_place(self, object, PLACE_NONE);
    } else {
        node_store_place(self, object,
                         object->primary && !object->file ? PLACE_PRIMARIES : PLACE_COPIES);
    }
}

void node_store_forget(struct node_store *self, struct object *object, enum object_state state)
{
    ensure(object->state == OBJECT_SEALED);
    map_remove(&self->by_task, number_of(self, object));
    object->state = (uint8_t)state;
}

void node_store_tell(struct node_store *self)
{
    for (uint32_t i = 0; i < self->watcher_count; i++) {
        (void)!write(self->watchers[i], &(uint64_t){ 1 }, sizeof(uint64_t));
    }
}

void node_store_news(struct node_store *self, struct object *object, bool is_news)
{
    uint32_t number = number_of(self, object);
    if (is_news && !object->is_news) {
        chain_append(&self->news, &self->objects, offsetof(struct object, news), number);
    } else if (!is_news && object->is_news) {
        chain_remove(&self->news, &self->objects, offsetof(struct object, news), number);
    }
    object->is_news = is_news;
}

/* --- opening ---------------------------------------------------------------------------------------------- */

static uint32_t segments_limit(const struct node_store_config *config)
{
    struct rlimit limit = { 0 };
    if (config->segments_max > 0) {
        return config->segments_max;
    }
    bool known = getrlimit(RLIMIT_NOFILE, &limit) == 0;
    return !known || limit.rlim_cur < DESCRIPTORS_LEFT + SEGMENTS_LEAST ? SEGMENTS_LEAST
           : limit.rlim_cur > SEGMENTS_MOST                             ? SEGMENTS_MOST
                                            : (uint32_t)limit.rlim_cur - DESCRIPTORS_LEFT;
}

/*  Empty, whatever an earlier worker left. */
static int open_folder(const char *dir)
{
    int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
        remove_tree(parent, "spill");
    }
    int fd = parent >= 0 && mkdirat(parent, "spill", 0700) == 0
                 ? openat(parent, "spill", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                 : -1;
    if (fd < 0) {
        log_error("store.open", "path=%s/spill error=\"%s\"", dir, strerror(errno));
    }
    if (parent >= 0) {
        close(parent);
    }
    return fd;
}

static void make_tables(struct node_store *self, const struct node_store_config *config)
{
    uint32_t segments_max = segments_limit(config);
    size_t bytes[3] = { pool_bytes(NODE_STORE_COPIES_MAX, sizeof(struct object)),
                        map_bytes(NODE_STORE_COPIES_MAX), segments_bytes(segments_max) };
    self->memory_bytes = bytes[0] + bytes[1] + bytes[2];
    uint8_t *memory = reserve_memory(self->memory_bytes);
    self->memory = memory;
    pool_init(&self->objects, memory, NODE_STORE_COPIES_MAX, sizeof(struct object));
    map_init(&self->by_task, memory + bytes[0], NODE_STORE_COPIES_MAX, &self->objects,
             offsetof(struct object, task), offsetof(struct object, same));
    segments_init(&self->segments, memory + bytes[0] + bytes[1], segments_max, config->bytes);
    for (uint32_t i = 0; i < PLACES; i++) {
        chain_init(&self->places[i]);
    }
    chain_init(&self->news);
}

int node_store_open(struct node_store **out, const struct node_store_config *config)
{
    struct node_store *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->spill_bytes = config->spill_bytes;
    self->folder = open_folder(config->dir);
    if (self->folder < 0) {
        free(self);
        return ERR_SYSTEM;
    }
    make_tables(self, config);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, NULL);
    ensure(pthread_create(&self->mover, NULL, node_store_mover, self) == 0);
    *out = self;
    return OK;
}

/*  Whoever has mapped a value keeps it. */
static void close_segments(struct node_store *self)
{
    for (uint32_t i = 0; i < self->objects.fresh; i++) {
        const struct object *object = node_store_at(self, i);
        if (object->state != 0 && object->segment != NONE) {
            close(node_store_segment(self, object)->fd);
        }
    }
    for (uint32_t index; (index = segments_oldest(&self->segments)) != NONE;) {
        close(segments_at(&self->segments, index)->fd);
    }
}

void node_store_close(struct node_store **self_p)
{
    struct node_store *self = *self_p;
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->mover, NULL);
    close_segments(self);
    for (uint32_t i = 0; i < self->watcher_count; i++) {
        close(self->watchers[i]);
    }
    close(self->folder);
    pthread_cond_destroy(&self->work);
    pthread_mutex_destroy(&self->lock);
    reserve_free(self->memory, self->memory_bytes);
    free(self);
    *self_p = NULL;
}

int node_store_watch(struct node_store *self)
{
    pthread_mutex_lock(&self->lock);
    int fd =
        self->watcher_count < NODE_STORE_WATCHERS_MAX ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fd >= 0) {
        self->watchers[self->watcher_count++] = fd;
    }
    pthread_mutex_unlock(&self->lock);
    return fd;
}

/* --- writing ---------------------------------------------------------------------------------------------- */

int node_store_create(struct node_store *self, uint64_t user, uint64_t bytes, uint32_t *buffer)
{
    if (bytes > OBJECT_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    pthread_mutex_lock(&self->lock);
    uint32_t number = pool_take(&self->objects);
    if (number == NONE) {
        pthread_mutex_unlock(&self->lock);
        return ERR_BUSY;
    }
    struct object *object = node_store_at(self, number);
    *object = (struct object){ .user = user,
                               .size = bytes,
                               .serial = ++self->serial,
                               .segment = NONE,
                               .pins = 1,
                               .state = OBJECT_WRITTEN };
    if (self->places[PLACE_WAITING].count + self->places[PLACE_MOVING].count == 0) {
        object->segment = segments_take(&self->segments, user, object_bytes(object));
    }
    node_store_settle(self, object);
    int rc = object->segment != NONE ? OK : NODE_STORE_LATER;
    pthread_mutex_unlock(&self->lock);
    *buffer = number;
    return rc;
}

/*  Whoever has it gives it back. */
static void give(struct node_store *self, struct object *object)
{
    ensure(object->pins > 0);
    if (object->state == OBJECT_WRITTEN) {
        object->state = OBJECT_DROPPED;
    } else if (object->pins == 1) {
        self->pinned--;
    }
    object->pins--;
    node_store_settle(self, object);
}

static bool is_there(const struct object *object)
{
    return object->segment != NONE && !object->loading;
}

int node_store_ready(struct node_store *self, uint32_t number)
{
    pthread_mutex_lock(&self->lock);
    struct object *object = node_store_at(self, number);
    int rc = object->failed ? object->failed : is_there(object) ? OK : NODE_STORE_LATER;
    if (rc < 0) {
        give(self, object);
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

/*  The descriptor stays open while somebody has the object. */
static int descriptor(struct node_store *self, uint32_t number, uint64_t *size)
{
    pthread_mutex_lock(&self->lock);
    const struct object *object = node_store_at(self, number);
    ensure(object->pins > 0 && object->segment != NONE);
    int fd = node_store_segment(self, object)->fd;
    *size = object->size;
    pthread_mutex_unlock(&self->lock);
    return fd;
}

int node_store_write(struct node_store *self, uint32_t buffer, uint64_t offset, struct slice bytes)
{
    uint64_t size;
    int fd = descriptor(self, buffer, &size);
    if (offset > size || bytes.n > size - offset) {
        return ERR_TOO_LARGE;
    }
    while (bytes.n > 0) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)(STORED_LEAD + offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            log_error("store.write", "error=\"%s\"", strerror(errno));
            return ERR_SYSTEM;
        }
        bytes = slice_of(bytes.p + n, bytes.n - (size_t)n);
        offset += (uint64_t)n;
    }
    return OK;
}

static struct object *find(const struct node_store *self, uint64_t user, uint64_t task,
                           uint32_t index)
{
    for (uint32_t at = map_find(&self->by_task, task); at != NONE;
         at = map_next(&self->by_task, at)) {
        struct object *object = node_store_at(self, at);
        if (object->index == index && (user == NODE_STORE_ANYBODY || user == object->user)) {
            return object;
        }
    }
    return NULL;
}

static void forget(struct node_store *self, struct object *object)
{
    node_store_forget(self, object, OBJECT_DROPPED);
    node_store_settle(self, object);
}

int node_store_seal(struct node_store *self, uint32_t buffer, uint64_t task, uint32_t index,
                    bool primary)
{
    uint64_t size;
    int fd = descriptor(self, buffer, &size);
    if (pwrite(fd, "", 1, (off_t)(STORED_LEAD + size)) != 1) {
        log_error("store.seal", "error=\"%s\"", strerror(errno));
        node_store_abort(self, buffer);
        return ERR_SYSTEM;
    }
    pthread_mutex_lock(&self->lock);
    struct object *object = node_store_at(self, buffer);
    ensure(object->state == OBJECT_WRITTEN);
    struct object *other = find(self, object->user, task, index);
    object->pins = 0;
    if (other && !primary) {
        object->state = OBJECT_DROPPED;
    } else {
        if (other) {
            forget(self, other);
        }
        object->state = OBJECT_SEALED;
        object->task = task;
        object->index = index;
        object->primary = primary;
        map_add(&self->by_task, buffer);
    }
    node_store_settle(self, object);
    pthread_mutex_unlock(&self->lock);
    return OK;
}

void node_store_abort(struct node_store *self, uint32_t buffer)
{
    pthread_mutex_lock(&self->lock);
    ensure(node_store_at(self, buffer)->state == OBJECT_WRITTEN);
    give(self, node_store_at(self, buffer));
    pthread_mutex_unlock(&self->lock);
}

/* --- reading ---------------------------------------------------------------------------------------------- */

int node_store_get(struct node_store *self, uint64_t user, uint64_t task, uint32_t index,
                   uint32_t *pin)
{
    pthread_mutex_lock(&self->lock);
    struct object *object = find(self, user, task, index);
    int rc = ERR_NOT_FOUND;
    if (object) {
        self->pinned += object->pins++ == 0;
        node_store_settle(self, object);
        rc = is_there(object) ? OK : NODE_STORE_LATER;
        *pin = number_of(self, object);
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

int node_store_read(struct node_store *self, uint32_t pin, uint64_t offset, void *to, size_t n)
{
    uint64_t size;
    int fd = descriptor(self, pin, &size);
    if (offset > size || n > size - offset) {
        return ERR_TOO_LARGE;
    }
    for (uint8_t *at = to; n > 0;) {
        ssize_t got = pread(fd, at, n, (off_t)(STORED_LEAD + offset));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_error("store.read", "error=\"%s\"", got < 0 ? strerror(errno) : "it is cut off");
            return ERR_SYSTEM;
        }
        at += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return OK;
}

void node_store_unpin(struct node_store *self, uint32_t pin)
{
    pthread_mutex_lock(&self->lock);
    ensure(node_store_at(self, pin)->state != OBJECT_WRITTEN);
    give(self, node_store_at(self, pin));
    pthread_mutex_unlock(&self->lock);
}

/*  A reader may not open its descriptor for more, so it gets one of its own. */
int node_store_map(struct node_store *self, uint32_t number, struct node_mapping *out)
{
    char path[32];
    pthread_mutex_lock(&self->lock);
    const struct object *object = node_store_at(self, number);
    ensure(object->pins > 0 && object->segment != NONE);
    const struct segment *segment = node_store_segment(self, object);
    *out = (struct node_mapping){ segment->number, segment->bytes, object->size };
    snprintf(path, sizeof(path), "/proc/self/fd/%d", segment->fd);
    int fd = object->state == OBJECT_WRITTEN ? fcntl(segment->fd, F_DUPFD_CLOEXEC, 0)
                                             : open(path, O_RDONLY | O_CLOEXEC);
    pthread_mutex_unlock(&self->lock);
    if (fd < 0) {
        log_error("store.map", "error=\"%s\"", strerror(errno));
    }
    return fd;
}

/* --- copies ----------------------------------------------------------------------------------------------- */

static struct node_copy copy_of(const struct object *object)
{
    return (struct node_copy){ .id = { object->task, object->index, object->size },
                               .user = object->user,
                               .primary = object->primary,
                               .disk = object->file };
}

bool node_store_has(struct node_store *self, uint64_t task, uint32_t index, struct node_copy *out)
{
    pthread_mutex_lock(&self->lock);
    const struct object *object = find(self, NODE_STORE_ANYBODY, task, index);
    if (object) {
        *out = copy_of(object);
    }
    pthread_mutex_unlock(&self->lock);
    return object != NULL;
}

void node_store_set_primary(struct node_store *self, uint64_t task, uint32_t index, bool primary)
{
    pthread_mutex_lock(&self->lock);
    struct object *object = find(self, NODE_STORE_ANYBODY, task, index);
    if (object) {
        object->primary = primary;
        node_store_settle(self, object);
    }
    pthread_mutex_unlock(&self->lock);
}

void node_store_drop(struct node_store *self, uint64_t task, uint32_t index)
{
    pthread_mutex_lock(&self->lock);
    for (struct object *object; (object = find(self, NODE_STORE_ANYBODY, task, index)) != NULL;) {
        forget(self, object);
    }
    pthread_mutex_unlock(&self->lock);
}

void node_store_drop_task(struct node_store *self, uint64_t task)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t at; (at = map_find(&self->by_task, task)) != NONE;) {
        forget(self, node_store_at(self, at));
    }
    pthread_mutex_unlock(&self->lock);
}

bool node_store_next(struct node_store *self, uint32_t *at, struct node_copy *out)
{
    bool found = false;
    pthread_mutex_lock(&self->lock);
    while (!found && *at < self->objects.fresh) {
        const struct object *object = node_store_at(self, (*at)++);
        found = object->state == OBJECT_SEALED;
        *out = copy_of(object);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

bool node_store_gone(struct node_store *self, struct node_copy *out)
{
    pthread_mutex_lock(&self->lock);
    uint32_t first = self->places[PLACE_GONE].first;
    if (first != NONE) {
        *out = copy_of(node_store_at(self, first));
        free_slot(self, node_store_at(self, first));
    }
    pthread_mutex_unlock(&self->lock);
    return first != NONE;
}

bool node_store_spilled(struct node_store *self, struct node_copy *out)
{
    bool found = false;
    pthread_mutex_lock(&self->lock);
    while (!found && self->news.count > 0) {
        struct object *object = node_store_at(self, self->news.first);
        node_store_news(self, object, false);
        found = object->state == OBJECT_SEALED; /* else it goes, and that is told */
        *out = copy_of(object);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

struct node_store_stats node_store_stats(struct node_store *self)
{
    pthread_mutex_lock(&self->lock);
    struct node_store_stats stats = { .capacity = self->segments.capacity,
                                      .used = self->segments.used,
                                      .disk = self->disk,
                                      .copies = self->by_task.count,
                                      .pinned = self->pinned,
                                      .spilled = self->spilled,
                                      .evicted = self->evicted };
    for (uint32_t at = self->segments.age.first; at != NONE;) {
        const struct segment *segment = segments_at(&self->segments, at);
        stats.free += segment->bytes;
        at = segment->age.next;
    }
    pthread_mutex_unlock(&self->lock);
    return stats;
}
