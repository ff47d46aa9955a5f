/*  base.c - the two functions of base.h that are too large to be inline. */
#include "common/base.h"

#include <stdio.h>
#include <stdlib.h>

void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "bug: %s:%d: ensure(%s) failed\n", file, line, condition);
    abort();
}

bool slice_copy_text(struct slice from, char *to, size_t capacity)
{
    size_t n = from.n < capacity - 1 ? from.n : capacity - 1;
    if (n > 0) {
        memcpy(to, from.p, n);
    }
    to[n] = 0;
    return n == from.n;
}
