/*  hash.c - BLAKE2b-256 of libsodium, and random bytes of the kernel. */
#include "common/hash.h"

#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

enum { DIGEST_BYTES = (HASH_TEXT_BYTES - 1) / 2 };
_Static_assert(sizeof(struct hash) >= sizeof(crypto_generichash_blake2b_state), "hash.h is small");
_Static_assert(_Alignof(struct hash) >= _Alignof(crypto_generichash_blake2b_state), "alignment");

static crypto_generichash_blake2b_state *state_of(struct hash *self)
{
    return (crypto_generichash_blake2b_state *)(void *)self->state;
}

void hash_begin(struct hash *self)
{
    ensure(sodium_init() >= 0); /* chooses the code for this processor, once */
    ensure(crypto_generichash_blake2b_init(state_of(self), NULL, 0, DIGEST_BYTES) == 0);
}

void hash_add(struct hash *self, const void *p, size_t n)
{
    ensure(crypto_generichash_blake2b_update(state_of(self), p, n) == 0);
}

void hash_end(struct hash *self, char *out65)
{
    uint8_t digest[DIGEST_BYTES];
    ensure(crypto_generichash_blake2b_final(state_of(self), digest, sizeof(digest)) == 0);
    sodium_bin2hex(out65, HASH_TEXT_BYTES, digest, sizeof(digest));
}

bool hash_is_text(struct slice text)
{
    if (text.n != HASH_TEXT_BYTES - 1) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

void random_bytes(void *p, size_t n)
{
    uint8_t *to = p;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0) {
            ensure(errno == EINTR);
            continue;
        }
        to += got;
        n -= (size_t)got;
    }
}

void random_text(char *out, size_t letters)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { LETTERS = sizeof(alphabet) - 1, FAIR = 256 / LETTERS * LETTERS };
    for (size_t i = 0; i < letters;) {
        uint8_t random[32];
        random_bytes(random, sizeof(random));
        for (size_t k = 0; k < sizeof(random) && i < letters; k++) {
            if (random[k] < FAIR) { /* the rest would make the first letters likelier */
                out[i++] = alphabet[random[k] % LETTERS];
            }
        }
    }
    out[letters] = 0;
}
