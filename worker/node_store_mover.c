/*  node_store_mover.c - the thread that does what takes time: closing files, and memory for those who wait, in their
    order.  For that, what is free goes first, then what can be read again or fetched, then primaries go to the disk. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "common/log.h"
#include "worker/node_store_state.h"

enum { MOVE_BYTES = 256 << 10, NAME_BYTES = 64, DISK_LEFT_PERCENT = 5 };

static void file_name(const struct object *object, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%016" PRIx64 ".%" PRIu32 ".%" PRIu64, object->task, object->index,
             object->serial);
}

/*  Is there so much room on the disk? */
static bool disk_has(const struct node_store *self, uint64_t bytes)
{
    struct statvfs info;
    if (self->spill_bytes > 0) {
        return self->disk <= self->spill_bytes && bytes <= self->spill_bytes - self->disk;
    }
    if (fstatvfs(self->folder, &info)) {
        return false;
    }
    uint64_t left = (uint64_t)info.f_blocks / 100 * DISK_LEFT_PERCENT * info.f_frsize;
    uint64_t there = (uint64_t)info.f_bavail * info.f_frsize;
    return there >= left && bytes <= there - left;
}

/*  All of a value, as it lies in its segment. */
static int move(int from, int to, uint64_t size)
{
    static uint8_t bytes[MOVE_BYTES]; /* of the one mover at a time */
    uint64_t end = STORED_LEAD + size;
    for (uint64_t at = STORED_LEAD; at < end;) {
        size_t wanted = end - at < MOVE_BYTES ? (size_t)(end - at) : MOVE_BYTES;
        ssize_t n = pread(from, bytes, wanted, (off_t)at);
        if (n == 0) {
            errno = EIO;
        }
        if (n <= 0) {
            return -1;
        }
        for (ssize_t done = 0; done < n;) {
            ssize_t written = pwrite(to, bytes + done, (size_t)(n - done), (off_t)at + done);
            if (written < 0) {
                return -1;
            }
            done += written;
        }
        at += (uint64_t)n;
    }
    return 0;
}

/* --- making room ------------------------------------------------------------------------------------------ */

static void close_oldest(struct node_store *self, uint32_t index)
{
    struct segment segment = *segments_at(&self->segments, index);
    pthread_mutex_unlock(&self->lock);
    segment_close(&segment);
    pthread_mutex_lock(&self->lock);
    segments_end(&self->segments, index);
}

static void evict(struct node_store *self, struct object *object)
{
    if (object->file) {
        segments_free(&self->segments, object->segment);
        object->segment = NONE;
    } else {
        node_store_forget(self, object, OBJECT_GONE);
        self->evicted++;
    }
    node_store_settle(self, object);
}

/*  False: the disk takes no more. */
static bool spill(struct node_store *self, struct object *object)
{
    char name[NAME_BYTES];
    if (!disk_has(self, object->size)) {
        return false;
    }
    file_name(object, name);
    int from = node_store_segment(self, object)->fd;
    uint64_t size = object->size, bytes = object_bytes(object);
    node_store_place(self, object, PLACE_MOVING);
    pthread_mutex_unlock(&self->lock);
    int to = openat(self->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = to >= 0 && move(from, to, size) == 0 && ftruncate(to, (off_t)bytes) == 0;
    if (!done) {
        log_warn("store.spill", "bytes=%" PRIu64 " error=\"%s\"", size, strerror(errno));
        (void)unlinkat(self->folder, name, 0);
    }
    if (to >= 0) {
        close(to);
    }
    pthread_mutex_lock(&self->lock);
    if (done) {
        object->file = true;
        self->disk += size;
        self->spilled++;
        node_store_news(self, object, true);
        node_store_tell(self);
    }
    node_store_place(self, object, PLACE_NONE);
    node_store_settle(self, object);
    return done;
}

/*  One step; false: there is nothing more that could go. */
static bool make_room(struct node_store *self)
{
    uint32_t index = segments_oldest(&self->segments);
    if (index != NONE) {
        close_oldest(self, index);
        return true;
    }
    if (self->places[PLACE_COPIES].count > 0) {
        evict(self, node_store_at(self, self->places[PLACE_COPIES].first));
        return true;
    }
    return self->places[PLACE_PRIMARIES].count > 0 &&
           spill(self, node_store_at(self, self->places[PLACE_PRIMARIES].first));
}

/* --- memory for those who wait ---------------------------------------------------------------------------- */

/*  A file without a name, of the value's size: the disk has that much from now on. */
static int make_file(struct node_store *self, const char *name, uint64_t bytes)
{
    pthread_mutex_unlock(&self->lock);
    int fd = openat(self->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        (void)unlinkat(self->folder, name, 0);
        error = posix_fallocate(fd, 0, (off_t)bytes);
    }
    if (error) {
        log_warn("store.disk", "bytes=%" PRIu64 " error=\"%s\"", bytes, strerror(error));
    }
    if (error && fd >= 0) {
        close(fd);
        fd = -1;
    }
    pthread_mutex_lock(&self->lock);
    return fd;
}

/*  Instead of memory: a new file, or the one that it is in. */
static void take_file(struct node_store *self, struct object *object)
{
    char name[NAME_BYTES];
    uint64_t bytes = object_bytes(object);
    file_name(object, name);
    int fd = object->file            ? openat(self->folder, name, O_RDONLY | O_CLOEXEC)
             : disk_has(self, bytes) ? make_file(self, name, bytes)
                                     : -1;
    object->segment = fd >= 0 ? segments_add_file(&self->segments, fd, bytes) : NONE;
    if (object->segment == NONE) {
        object->failed = ERR_FULL;
        if (fd >= 0) {
            close(fd);
        }
    } else if (!object->file) {
        self->disk += bytes;
    }
}

/*  What cannot be read is lost. */
static void read_again(struct node_store *self, struct object *object)
{
    char name[NAME_BYTES];
    file_name(object, name);
    int to = node_store_segment(self, object)->fd;
    uint64_t size = object->size;
    object->loading = true;
    pthread_mutex_unlock(&self->lock);
    int from = openat(self->folder, name, O_RDONLY | O_CLOEXEC);
    bool done = from >= 0 && move(from, to, size) == 0 &&
                pwrite(to, "", 1, (off_t)(STORED_LEAD + size)) == 1;
    if (!done) {
        log_error("store.restore", "file=%s error=\"%s\"", name, strerror(errno));
    }
    if (from >= 0) {
        close(from);
    }
    pthread_mutex_lock(&self->lock);
    object->loading = false;
    if (!done) {
        object->failed = ERR_SYSTEM;
        segments_free(&self->segments, object->segment);
        object->segment = NONE;
        if (object->state == OBJECT_SEALED) {
            node_store_forget(self, object, OBJECT_GONE);
        }
    }
}

static void serve(struct node_store *self, struct object *object)
{
    uint64_t bytes = object_bytes(object);
    bool fits = segment_size(bytes) <= self->segments.capacity;
    node_store_place(self, object, PLACE_MOVING);
    do {
        object->segment = fits ? segments_take(&self->segments, object->user, bytes) : NONE;
    } while (object->segment == NONE && fits && object->pins > 0 && make_room(self));
    if (object->segment == NONE && object->pins > 0) {
        take_file(self, object);
    } else if (object->file && object->segment != NONE) {
        read_again(self, object);
    }
    node_store_place(self, object, PLACE_NONE);
    node_store_settle(self, object);
    node_store_tell(self);
}

/*  Its descriptor and its file, which nobody wants any more. */
static void finish(struct node_store *self, struct object *object)
{
    char name[NAME_BYTES];
    uint32_t index = object->segment;
    struct segment segment = { .fd = -1 };
    if (index != NONE) {
        segment = *node_store_segment(self, object);
    }
    file_name(object, name);
    bool file = object->file;
    self->disk -= file ? object->size : segment.bytes;
    node_store_place(self, object, PLACE_MOVING);
    pthread_mutex_unlock(&self->lock);
    if (index != NONE) {
        segment_close(&segment);
    }
    if (file) {
        (void)unlinkat(self->folder, name, 0);
    }
    pthread_mutex_lock(&self->lock);
    if (index != NONE) {
        segments_end(&self->segments, index);
    }
    object->segment = NONE;
    object->file = false;
    node_store_place(self, object, PLACE_NONE);
    node_store_settle(self, object);
}

void *node_store_mover(void *store)
{
    struct node_store *self = store;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        if (self->places[PLACE_OVER].count > 0) {
            finish(self, node_store_at(self, self->places[PLACE_OVER].first));
        } else if (self->places[PLACE_WAITING].count > 0) {
            serve(self, node_store_at(self, self->places[PLACE_WAITING].first));
        } else {
            pthread_cond_wait(&self->work, &self->lock);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}
