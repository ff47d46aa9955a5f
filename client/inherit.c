/*  inherit.c - a body is a msgpack map with few entries: one more goes to its end. */
#include "client/inherit.h"

#include <pthread.h>
#include <stdlib.h>

enum { FIXMAP = 0x80, FIXMAP_ENTRIES = 15 };

static struct {
    pthread_once_t once;
    uint8_t *bytes;
    bool any;
    struct rec_spec spec; /* its packages, and a body {vars} or none */
} inherited = { .once = PTHREAD_ONCE_INIT };

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_environment(void)
{
    const char *text = getenv("RAYC_RUNTIME_ENV");
    size_t n = text != NULL ? strlen(text) / 2 : 0;
    if (n == 0) {
        return;
    }
    inherited.bytes = malloc(n);
    ensure(inherited.bytes != NULL);
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return;
        }
        inherited.bytes[i] = (uint8_t)(high << 4 | low);
    }
    struct list one = { slice_of(inherited.bytes, n), 1 };
    inherited.any = next_spec(&one, &inherited.spec);
}

void inherit_into(struct rec_spec *spec, uint8_t **body)
{
    *body = NULL;
    pthread_once(&inherited.once, read_environment);
    if (!inherited.any) {
        return;
    }
    spec->packages = inherited.spec.packages;
    struct slice vars = inherited.spec.body, own = spec->body;
    bool is_map = own.n == 0 || (own.p[0] >= FIXMAP && own.p[0] < FIXMAP + FIXMAP_ENTRIES);
    if (vars.n == 0 || !is_map) {
        return;
    }
    size_t n = own.n > 0 ? own.n - 1 : 0;
    *body = malloc(1 + n + vars.n);
    ensure(*body != NULL);
    (*body)[0] = (uint8_t)((own.n > 0 ? own.p[0] : FIXMAP) + 1);
    if (n > 0) {
        memcpy(*body + 1, own.p + 1, n);
    }
    memcpy(*body + 1 + n, vars.p + 1, vars.n - 1); /* without the head of its map */
    spec->body = slice_of(*body, n + vars.n);
}
