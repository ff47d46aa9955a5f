/*  text.h - sentences put together in a fixed buffer, without stdio: for code that must stay pure.
    What does not fit is cut.  The text always ends with a NUL. */
#ifndef RAYC_TEXT_H
#define RAYC_TEXT_H
#include "common/base.h"

struct text {
    char *p;
    size_t n;
    size_t capacity;
};

static inline struct text text_in(char *p, size_t capacity)
{
    p[0] = 0;
    return (struct text){ p, 0, capacity };
}

static inline void text_slice(struct text *self, struct slice from)
{
    size_t room = self->capacity - 1 - self->n;
    size_t n = from.n < room ? from.n : room;
    if (n > 0) {
        memcpy(self->p + self->n, from.p, n);
    }
    self->n += n;
    self->p[self->n] = 0;
}

static inline void text_add(struct text *self, const char *from)
{
    text_slice(self, slice_text(from));
}

static inline void text_u64(struct text *self, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_slice(self, slice_of(digits + n, sizeof(digits) - n));
}

/*  As ids of tasks are written: 16 hex digits. */
static inline void text_id(struct text *self, uint64_t id)
{
    char digits[16];
    for (int i = 0; i < 16; i++) {
        digits[i] = "0123456789abcdef"[id >> (60 - 4 * i) & 15];
    }
    text_slice(self, slice_of(digits, sizeof(digits)));
}

/*  In 1/10000: "2", "0.5". */
static inline void text_units(struct text *self, uint64_t units)
{
    text_u64(self, units / 10000);
    uint64_t rest = units % 10000;
    if (rest > 0) {
        char digits[5] = { '.', (char)('0' + rest / 1000), (char)('0' + rest / 100 % 10),
                           (char)('0' + rest / 10 % 10), (char)('0' + rest % 10) };
        size_t n = sizeof(digits);
        while (digits[n - 1] == '0') {
            n--;
        }
        text_slice(self, slice_of(digits, n));
    }
}
#endif
