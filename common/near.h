/*  near.h - "did you mean ...?": the word of a list that is nearest to a mistyped one.  Pure. */
#ifndef RAYC_NEAR_H
#define RAYC_NEAR_H
#include <stddef.h>

/*  Letters to insert, delete, replace or swap with their neighbour to make one word of the other.  Words over
    NEAR_LETTERS_MAX letters are infinitely far. */
enum { NEAR_LETTERS_MAX = 63, NEAR_FAR = 1000 };
unsigned near_distance(const char *a, const char *b);

/*  The search for the nearest word: near_begin(), near_offer() for each candidate, near_found(). */
struct near {
    const char *typed;
    const char *best; /* borrowed from near_offer() */
    unsigned distance;
};
void near_begin(struct near *self, const char *typed);
void near_offer(struct near *self, const char *candidate);
const char *near_found(const struct near *self); /* NULL: nothing is near enough to be meant */
#endif
