/*  segments.h - memory that processes can share, one value each: made, used again, given back.
    A segment that is free keeps its pages, so that the next value of its user finds them touched; another user never
    gets it, for what was in it is still there.  Not thread-safe. */
#ifndef RAYC_SEGMENTS_H
#define RAYC_SEGMENTS_H
#include "common/list.h"

/*  Eight sizes per doubling: what one value leaves fits others. */
enum { SEGMENT_STEPS = 8, SEGMENT_CLASSES = 64 * SEGMENT_STEPS, SEGMENT_BYTES_MIN = 64 << 10 };

struct segment {
    uint64_t number; /* never used again: whoever has mapped it knows it by that */
    uint64_t user, bytes;
    int fd;
    bool disk; /* a file on a disk: not counted, never free */
    struct link_pair alike, age;
};

struct segments {
    struct pool pool;
    struct chain alike[SEGMENT_CLASSES]; /* free ones by size, the newest last */
    struct chain age;                    /* all that are free, the oldest first */
    uint64_t capacity, used;             /* bytes of memory, with those that are free */
    uint64_t next;
    uint32_t count, count_max; /* of all: each has a descriptor */
};

/*  `memory` of segments_bytes(count_max). */
size_t segments_bytes(uint32_t count_max);
void segments_init(struct segments *self, void *memory, uint32_t count_max, uint64_t capacity);
uint64_t segment_size(uint64_t bytes); /* of the segment for so many bytes */

/*  A free one of this user's, else a new one if there is room; NONE: there is neither. */
uint32_t segments_take(struct segments *self, uint64_t user, uint64_t bytes);
/*  A file that is used as one; it is given over.  NONE: there are too many. */
uint32_t segments_add_file(struct segments *self, int fd, uint64_t bytes);
struct segment *segments_at(const struct segments *self, uint32_t index);
/*  Of memory: it can be taken again. */
void segments_free(struct segments *self, uint32_t index);
/*  Takes the one out that has been free for longest, for segments_end(); NONE: none is free. */
uint32_t segments_oldest(struct segments *self);
/*  Gives its pages back, also of those who have it mapped: it may take long, and needs no lock. */
void segment_close(const struct segment *segment);
void segments_end(struct segments *self, uint32_t index); /* after segment_close() */
#endif
