/*  base.h - what every file of rayc may use: fixed-width types, borrowed bytes, ensure().
    A failed ensure() is a bug of ours: it prints one line and aborts, in release builds too, because
    a supervised daemon that restarts and replays is better than one that goes on wrongly. */
#ifndef RAYC_BASE_H
#define RAYC_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MUST_CHECK   __attribute__((warn_unused_result))
#define NONE         UINT32_MAX /* no index: the end of a list, an empty link */

#define ensure(condition) ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

/*  Borrowed bytes: they belong to a frame, a row or a literal, and die with it. */
struct slice {
    const uint8_t *p;
    size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){ p, n };
}

static inline struct slice slice_text(const char *text)
{
    return (struct slice){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool slice_same(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/*  Copies into a fixed array as a C string, cut to fit; returns whether all of it fitted. */
bool slice_copy_text(struct slice from, char *to, size_t capacity);

/*  What is wrong with an input, for its author: where (a line or field, 0 or NULL if unknown) and why. */
struct diag {
    uint32_t line;
    const char *field; /* static */
    char text[160];
};
#endif
