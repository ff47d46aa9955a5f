/*  near.c - Damerau's distance (optimal string alignment) over short words. */
#include "common/near.h"

#include <stdbool.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned near_distance(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > NEAR_LETTERS_MAX || m > NEAR_LETTERS_MAX) {
        return NEAR_FAR;
    }
    unsigned rows[3][NEAR_LETTERS_MAX + 1]; /* the row before the last, the last, and this one */
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++) {
        last[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(replace, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[m];
}

void near_begin(struct near *self, const char *typed)
{
    *self = (struct near){ typed, NULL, NEAR_FAR };
}

void near_offer(struct near *self, const char *candidate)
{
    unsigned distance = near_distance(self->typed, candidate);
    size_t n = strlen(self->typed);
    if (n >= 3 && strncmp(self->typed, candidate, n) == 0) {
        distance = 1; /* the beginning of it */
    }
    if (distance < self->distance) {
        self->distance = distance;
        self->best = candidate;
    }
}

const char *near_found(const struct near *self)
{
    unsigned n = (unsigned)strlen(self->typed);
    bool shared = self->distance < n; /* of a letter or two, not all are wrong */
    return self->best && shared && self->distance <= least(n / 3 + 1, 3) ? self->best : NULL;
}
