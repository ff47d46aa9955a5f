/*  hash.h - content hashes: BLAKE2b-256 (libsodium), as 64 hex digits. */
#ifndef RAYC_HASH_H
#define RAYC_HASH_H
#include "common/base.h"

enum { HASH_TEXT_BYTES = 64 + 1 };
struct hash {
    _Alignas(64) uint8_t state[512];
};
void hash_begin(struct hash *self);
void hash_add(struct hash *self, const void *p, size_t n);
void hash_end(struct hash *self, char *out65);
bool hash_is_text(struct slice text);        /* 64 lower-case hex digits? */
void random_bytes(void *p, size_t n);        /* from the kernel: keys, ids */
void random_text(char *out, size_t letters); /* [a-zA-Z0-9], and a NUL: out has letters + 1 bytes */
#endif
