/*  segments.c - each is a memfd: counted where its pages are touched, gone with its last descriptor.  It is sealed
    against changes of its size, so that nobody who maps it can be made to read beyond its end. */
#include "worker/segments.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"

/*  Of sizes (9 to 16) x 2^n. */
static uint32_t class_of(uint64_t bytes, uint64_t *rounded)
{
    uint64_t wanted = bytes < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN : bytes;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(wanted - 1) - 3u;
    uint64_t steps = ((wanted - 1) >> shift) + 1;
    *rounded = steps << shift;
    return shift * SEGMENT_STEPS + (uint32_t)(steps - SEGMENT_STEPS - 1);
}

uint64_t segment_size(uint64_t bytes)
{
    uint64_t rounded;
    (void)class_of(bytes, &rounded);
    return rounded;
}

size_t segments_bytes(uint32_t count_max)
{
    return pool_bytes(count_max, sizeof(struct segment));
}

void segments_init(struct segments *self, void *memory, uint32_t count_max, uint64_t capacity)
{
    *self = (struct segments){ .capacity = capacity, .count_max = count_max, .next = 1 };
    pool_init(&self->pool, memory, count_max, sizeof(struct segment));
    for (uint32_t i = 0; i < SEGMENT_CLASSES; i++) {
        chain_init(&self->alike[i]);
    }
    chain_init(&self->age);
}

struct segment *segments_at(const struct segments *self, uint32_t index)
{
    return pool_at(&self->pool, index);
}

static void unlink_free(struct segments *self, uint32_t index)
{
    uint64_t rounded;
    uint32_t class = class_of(segments_at(self, index)->bytes, &rounded);
    chain_remove(&self->alike[class], &self->pool, offsetof(struct segment, alike), index);
    chain_remove(&self->age, &self->pool, offsetof(struct segment, age), index);
}

static uint32_t find_free(struct segments *self, uint64_t user, uint32_t class)
{
    uint32_t index = self->alike[class].last;
    while (index != NONE && segments_at(self, index)->user != user) {
        index = segments_at(self, index)->alike.previous;
    }
    if (index != NONE) {
        unlink_free(self, index);
    }
    return index;
}

/*  Only this process may open it for writing. */
static int make_memory(uint64_t bytes)
{
    int fd = memfd_create("rayc-object", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, (off_t)bytes) || fchmod(fd, 0600) ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        log_warn("store.memory", "bytes=%llu error=\"%s\"", (unsigned long long)bytes,
                 strerror(errno));
    }
    return fd;
}

static uint32_t add(struct segments *self, const struct segment *segment)
{
    uint32_t index = pool_take(&self->pool);
    ensure(index != NONE);
    struct segment *added = segments_at(self, index);
    *added = *segment;
    added->number = self->next++;
    self->count++;
    self->used += added->disk ? 0 : added->bytes;
    return index;
}

uint32_t segments_take(struct segments *self, uint64_t user, uint64_t bytes)
{
    uint64_t rounded;
    uint32_t index = find_free(self, user, class_of(bytes, &rounded));
    if (index != NONE) {
        return index;
    }
    if (self->count == self->count_max || rounded > self->capacity - self->used) {
        return NONE;
    }
    int fd = make_memory(rounded);
    return fd < 0 ? NONE : add(self, &(struct segment){ .user = user, .bytes = rounded, .fd = fd });
}

uint32_t segments_add_file(struct segments *self, int fd, uint64_t bytes)
{
    return self->count == self->count_max
               ? NONE
               : add(self, &(struct segment){ .bytes = bytes, .fd = fd, .disk = true });
}

void segments_free(struct segments *self, uint32_t index)
{
    uint64_t rounded;
    const struct segment *segment = segments_at(self, index);
    ensure(!segment->disk);
    uint32_t class = class_of(segment->bytes, &rounded);
    chain_append(&self->alike[class], &self->pool, offsetof(struct segment, alike), index);
    chain_append(&self->age, &self->pool, offsetof(struct segment, age), index);
}

uint32_t segments_oldest(struct segments *self)
{
    uint32_t index = self->age.first;
    if (index != NONE) {
        unlink_free(self, index);
    }
    return index;
}

void segment_close(const struct segment *segment)
{
    if (!segment->disk) { /* those who map it would keep its pages otherwise */
        (void)fallocate(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                        (off_t)segment->bytes);
    }
    close(segment->fd);
}

void segments_end(struct segments *self, uint32_t index)
{
    const struct segment *segment = segments_at(self, index);
    self->used -= segment->disk ? 0 : segment->bytes;
    self->count--;
    pool_give(&self->pool, index);
}
