/*  secrets.h - values that may not leave the worker in what a task prints: each is replaced by ***, also where it was
    printed in pieces.  They are those of environment variables that are named like a secret, the lines of them, and what the
    worker itself has given the task to come in with.
    What is printed gets shorter, never longer, so it is done in place. */
#ifndef RAYC_SECRETS_H
#define RAYC_SECRETS_H
#include "common/base.h"
#include "common/secret.h"

enum {
    SECRET_BYTES_MIN = 8, /* a shorter one would hide more than it protects */
    SECRET_BYTES_MAX = 16 * 1024
};

struct secrets {
    struct slice *values; /* the longest first; borrowed from `texts` */
    uint32_t count;
    uint8_t *texts;
    size_t bytes;     /* of texts */
    bool begins[256]; /* with this byte */
};

/*  Of an environment, NULL-terminated, and others.  Without any, all that follows is free. */
void secrets_open(struct secrets *self, const char *const *env, const struct slice *others,
                  uint32_t count);
void secrets_copy(struct secrets *self, const struct secrets *from);
void secrets_close(struct secrets *self);

/*  What stands before and after a piece of text: it may begin or end within a secret. */
enum { SECRET_CUT_FRONT = 1, SECRET_CUT_BACK = 2 };
/*  Of a piece that is whole but for its cuts; returns how many bytes are left. */
size_t secrets_hide(const struct secrets *self, uint8_t *p, size_t n, int cuts);
/*  How many bytes at the start may be the end of a secret. */
size_t secrets_cut_front(const struct secrets *self, const uint8_t *p, size_t n);
/*  Of a stream: *n bytes are left and may go; of the bytes that were there, the last so many (as returned) may be the
    beginning of a secret, stand unchanged at p + *n, and must be given again, before what follows.  `last`: nothing
    follows. */
size_t secrets_hide_some(const struct secrets *self, uint8_t *p, size_t *n, bool last);
#endif
