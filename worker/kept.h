/*  kept.h - bytes that the loop keeps for the core: frames that attempts borrow from, until ACT_FREE_FRAME, and DONE
    frames until ACT_FORGET. */
#ifndef RAYC_KEPT_H
#define RAYC_KEPT_H
#include "common/link.h"
#include "common/map.h"

struct kept_frames {
    struct pool slots;
    size_t bytes;
};

void kept_frames_init(struct kept_frames *self, uint32_t capacity);
void kept_frames_fini(struct kept_frames *self);
uint32_t kept_frames_add(struct kept_frames *self,
                         const struct link_frame *frame); /* takes it; its number */
void kept_frames_free(struct kept_frames *self, uint32_t number);

struct kept_reports {
    struct pool slots;
    struct map by_seq;
    size_t bytes;
};

void kept_reports_init(struct kept_reports *self, uint32_t capacity);
void kept_reports_fini(struct kept_reports *self);
void kept_reports_add(struct kept_reports *self, uint64_t seq, struct slice frame); /* copies it */
struct slice kept_reports_find(const struct kept_reports *self,
                               uint64_t seq); /* empty: there is none */
void kept_reports_free(struct kept_reports *self, uint64_t seq);
#endif
