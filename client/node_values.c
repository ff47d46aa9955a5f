/*  node_values.c - one connection to the store, and a table of what is mapped. */
#include "client/node_values.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/values.h"
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/map.h"
#include "common/reserve.h"

enum { VIEWS_MAX = 1 << 17, RETRY_MS = 20, STARTING_MS = 10 * 1000 };

/*  Where a value is: in the store of this node, or in memory of this process. */
struct memory {
    struct slice value;
    struct local_view local;
    uint8_t *own;
};

/*  A value that is at hand. */
struct view {
    uint64_t task; /* key of the map */
    uint32_t same; /* link of the map */
    uint32_t index;
    struct memory memory;
    uint32_t tasks; /* that hold it */
    bool reference; /* one does */
    bool used;      /* the slot is */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct local_store *current;
static char token[ACCESS_TOKEN_MAX + 1], cluster[HASH_TEXT_BYTES];
static uint32_t patience_ms; /* for a worker that is starting */
static struct pool views;
static struct map by_task;

void node_values_join(const char *own_token, struct slice own_cluster, bool starting)
{
    pthread_mutex_lock(&lock);
    patience_ms = starting ? STARTING_MS : 0;
    (void)slice_copy_text(slice_text(own_token), token, sizeof(token));
    (void)slice_copy_text(own_cluster, cluster, sizeof(cluster));
    pthread_mutex_unlock(&lock);
}

/* --- the store -------------------------------------------------------------------------------------------- */

/*  $RAYC_STORE, else where a worker of the state folder has it. */
static bool find_path(char path[PATH_BYTES])
{
    char dir[PATH_BYTES];
    const char *given = getenv("RAYC_STORE");
    if (given != NULL && given[0] != 0) {
        return slice_copy_text(slice_text(given), path, PATH_BYTES);
    }
    return state_dir(NULL, dir, sizeof(dir)) == OK &&
           file_path(path, PATH_BYTES, dir, "worker/store.sock") == OK;
}

/*  With the lock. */
static int connect_once(void)
{
    char path[PATH_BYTES];
    const char *key = getenv("RAYC_STORE_KEY");
    if (current != NULL && local_store_broken(current)) {
        local_store_close(&current);
    }
    if (current != NULL) {
        return OK;
    }
    struct local_store_config config = {
        .path = path, .key = key != NULL ? key : "", .token = token, .cluster = cluster
    };
    return find_path(path) ? local_store_open(&current, &config) : ERR_NOT_FOUND;
}

bool node_values_here(void)
{
    pthread_mutex_lock(&lock);
    bool here = current != NULL;
    pthread_mutex_unlock(&lock);
    return here;
}

void node_values_token(char to[ACCESS_TOKEN_MAX + 1])
{
    pthread_mutex_lock(&lock);
    memcpy(to, token, sizeof(token));
    pthread_mutex_unlock(&lock);
}

static int no_store(int rc)
{
    char path[PATH_BYTES] = "";
    (void)find_path(path);
    return failure_say(RAYC_ENOTFOUND, "this machine has no object store of the cluster: %s%s",
                       rc == ERR_NOT_FOUND  ? "no worker of it listens at "
                       : rc == ERR_CONFLICT ? "the worker here is of another cluster: "
                                            : err_text(rc),
                       rc == ERR_NOT_FOUND || rc == ERR_CONFLICT ? path : "");
}

/*  To be given with local_store_give(). */
static int connect_store(bool patient, struct local_store **out)
{
    pthread_mutex_lock(&lock);
    uint64_t begun_ms = clock_ms();
    int rc = connect_once();
    while (rc != OK && patient && /* a worker that is not a node yet soon is one */
           clock_ms() - begun_ms < (rc == ERR_UNREACHABLE ? STARTING_MS : patience_ms)) {
        pthread_mutex_unlock(&lock);
        usleep(RETRY_MS * 1000);
        pthread_mutex_lock(&lock);
        rc = connect_once();
    }
    if (rc == OK) {
        local_store_take(current);
        *out = current;
    }
    pthread_mutex_unlock(&lock);
    return rc == OK ? RAYC_OK : no_store(rc);
}

static int refused(int code, uint64_t size)
{
    return failure_say(code == ERR_CLOSED ? RAYC_ENOTFOUND : code, "a value of %llu bytes: %s",
                       (unsigned long long)size, local_store_why(code));
}

/* --- writing ---------------------------------------------------------------------------------------------- */

int node_values_create(uint64_t size, bool nowhere, struct local_buffer *out)
{
    struct local_store *store;
    int rc = connect_store(nowhere, &store);
    if (rc == RAYC_OK) {
        rc = local_store_create(store, size, out);
        local_store_give(store);
        rc = rc != OK ? refused(rc, size) : RAYC_OK;
    }
    return rc;
}

int node_values_write(const rayc_value *value, struct local_buffer *out)
{
    uint64_t size = value_size(value);
    int rc = node_values_create(size, size > RAYC_VALUE_MAX, out);
    if (rc == RAYC_OK) {
        struct wire to = { out->bytes, 0, size, false };
        value_put(&to, value);
        ensure(!to.full && to.n == size);
    }
    return rc;
}

int node_values_seal(struct local_buffer *buffer, uint64_t task, uint32_t index, uint64_t *node)
{
    uint64_t size = buffer->size;
    *node = local_store_node(buffer->store);
    int rc = local_store_seal(buffer, task, index);
    return rc != OK ? refused(rc, size) : RAYC_OK;
}

/* --- reading ---------------------------------------------------------------------------------------------- */

static void make_table(void)
{
    if (views.memory == NULL) {
        size_t bytes = pool_bytes(VIEWS_MAX, sizeof(struct view));
        uint8_t *memory = reserve_memory(bytes + map_bytes(VIEWS_MAX));
        pool_init(&views, memory, VIEWS_MAX, sizeof(struct view));
        map_init(&by_task, memory + bytes, VIEWS_MAX, &views, offsetof(struct view, task),
                 offsetof(struct view, same));
    }
}

/*  Its slot; NONE: it is not mapped. */
static uint32_t find(const struct stored *id)
{
    uint32_t at = views.memory != NULL ? map_find(&by_task, id->task) : NONE;
    while (at != NONE && ((struct view *)pool_at(&views, at))->index != id->index) {
        at = map_next(&by_task, at);
    }
    return at;
}

static struct slice hold(uint32_t at, enum viewer viewer)
{
    struct view *view = pool_at(&views, at);
    view->tasks += viewer == VIEWER_TASK;
    view->reference = view->reference || viewer == VIEWER_REFERENCE;
    return view->memory.value;
}

static void release(struct memory *memory)
{
    local_store_release(&memory->local);
    free(memory->own);
}

/*  With the lock: `memory`, unless another thread was faster. */
static int add(const struct stored *id, enum viewer viewer, struct memory *memory,
               struct slice *value)
{
    make_table();
    uint32_t at = find(id);
    if (at != NONE) {
        release(memory);
    } else if ((at = pool_take(&views)) != NONE) {
        struct view *view = pool_at(&views, at);
        *view =
            (struct view){ .task = id->task, .index = id->index, .memory = *memory, .used = true };
        map_add(&by_task, at);
    } else {
        release(memory);
        return failure_say(RAYC_EBUSY, "%d large values are held: drop some", VIEWS_MAX);
    }
    *value = hold(at, viewer);
    return RAYC_OK;
}

int node_values_view(const struct stored *id, enum viewer viewer, uint64_t until_us,
                     struct slice *value)
{
    struct local_store *store;
    struct memory memory = { 0 };
    pthread_mutex_lock(&lock);
    uint32_t at = find(id);
    if (at != NONE) {
        *value = hold(at, viewer);
    }
    pthread_mutex_unlock(&lock);
    if (at != NONE) {
        return RAYC_OK;
    }
    int seen = ERR_CLOSED, rc = RAYC_OK;
    for (int tries = 0; seen == ERR_CLOSED && tries < 2 && rc == RAYC_OK; tries++) {
        rc = connect_store(tries > 0, &store); /* its worker may have ended, and be back */
        if (rc == RAYC_OK) {
            seen = local_store_view(store, id->task, id->index, until_us, &memory.local);
            local_store_give(store);
        }
    }
    rc = rc == RAYC_OK && seen != OK ? refused(seen, id->size) : rc;
    if (rc == RAYC_OK) {
        memory.value = memory.local.value;
        pthread_mutex_lock(&lock);
        rc = add(id, viewer, &memory, value);
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

int node_values_keep(const struct stored *id, uint8_t *bytes, struct slice *value)
{
    struct memory memory = { .value = slice_of(bytes, id->size), .own = bytes };
    pthread_mutex_lock(&lock);
    int rc = add(id, VIEWER_REFERENCE, &memory, value);
    pthread_mutex_unlock(&lock);
    return rc;
}

static struct memory take_out(uint32_t at)
{
    struct view *view = pool_at(&views, at);
    struct memory memory = view->memory;
    map_remove(&by_task, at);
    view->used = false;
    pool_give(&views, at);
    return memory;
}

void node_values_release(const struct stored *id, enum viewer viewer)
{
    struct memory memory = { 0 };
    pthread_mutex_lock(&lock);
    uint32_t at = find(id);
    struct view *view = at != NONE ? pool_at(&views, at) : NULL;
    if (view != NULL) {
        view->tasks -= viewer == VIEWER_TASK && view->tasks > 0;
        view->reference = view->reference && viewer != VIEWER_REFERENCE;
        if (view->tasks == 0 && !view->reference) {
            memory = take_out(at);
        }
    }
    pthread_mutex_unlock(&lock);
    release(&memory);
}

void node_values_leave(void)
{
    pthread_mutex_lock(&lock);
    for (uint32_t at = 0; at < views.fresh; at++) {
        struct view *view = pool_at(&views, at);
        view->reference = false;
        if (view->used && view->tasks == 0) {
            struct memory memory = take_out(at);
            release(&memory);
        }
    }
    local_store_close(&current);
    pthread_mutex_unlock(&lock);
}
