/*  secrets.c - few values, so each place is compared with those that begin with its byte.  Of several that fit, the
    longest is taken; where one may still become longer, a stream waits for what follows. */
#include "worker/secrets.h"
#include <stdlib.h>

static const char stars[] = "***";
enum { STARS = sizeof(stars) - 1 };

/* --- which ------------------------------------------------------------------------------------------------ */

static bool known(const struct secrets *self, struct slice value)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (slice_same(self->values[i], value)) {
            return true;
        }
    }
    return false;
}

static void add(struct secrets *self, struct slice value)
{
    value.n = value.n < SECRET_BYTES_MAX ? value.n : SECRET_BYTES_MAX;
    if (value.n < SECRET_BYTES_MIN || known(self, value)) {
        return;
    }
    struct slice *values = realloc(self->values, (self->count + 1) * sizeof(*values));
    ensure(values != NULL);
    self->values = values;
    uint32_t at = self->count++;
    for (; at > 0 && values[at - 1].n < value.n; at--) {
        values[at] = values[at - 1];
    }
    values[at] = value;
    self->begins[value.p[0]] = true;
}

/*  A value, and each line of one that has several: whoever prints it line by line prints it, too. */
static void add_value(struct secrets *self, struct slice value)
{
    add(self, value);
    for (size_t at = 0; at < value.n;) {
        const uint8_t *end = memchr(value.p + at, '\n', value.n - at);
        size_t n = end ? (size_t)(end - value.p) - at : value.n - at;
        add(self, slice_of(value.p + at, n));
        at += n + 1;
    }
}

static const char *value_of(const char *entry)
{
    const char *value = entry + strcspn(entry, "=");
    return value + (*value == '=');
}

static void keep(struct secrets *self, uint8_t **at, struct slice value)
{
    memcpy(*at, value.p, value.n);
    add_value(self, slice_of(*at, value.n));
    *at += value.n;
}

void secrets_open(struct secrets *self, const char *const *env, const struct slice *others,
                  uint32_t count)
{
    size_t bytes = 0;
    *self = (struct secrets){ 0 };
    for (uint32_t i = 0; env[i]; i++) {
        bytes += secret_named(env[i]) ? strlen(value_of(env[i])) : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        bytes += others[i].n;
    }
    if (bytes == 0) {
        return;
    }
    self->bytes = bytes;
    self->texts = malloc(bytes);
    ensure(self->texts != NULL);
    uint8_t *at = self->texts;
    for (uint32_t i = 0; env[i]; i++) {
        if (secret_named(env[i])) {
            keep(self, &at, slice_text(value_of(env[i])));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        keep(self, &at, others[i]);
    }
}

void secrets_copy(struct secrets *self, const struct secrets *from)
{
    *self = *from;
    if (from->count == 0) {
        self->texts = NULL;
        self->values = NULL;
        return;
    }
    self->texts = malloc(from->bytes);
    self->values = malloc(from->count * sizeof(*self->values));
    ensure(self->texts && self->values);
    memcpy(self->texts, from->texts, from->bytes);
    for (uint32_t i = 0; i < from->count; i++) {
        self->values[i] =
            slice_of(self->texts + (from->values[i].p - from->texts), from->values[i].n);
    }
}

void secrets_close(struct secrets *self)
{
    free(self->values);
    free(self->texts);
    *self = (struct secrets){ 0 };
}

/* --- hiding ----------------------------------------------------------------------------------------------- */

/*  The longest secret that stands at p; *waits: one that is longer may, but the text ends within it. */
static size_t match(const struct secrets *self, const uint8_t *p, size_t n, bool *waits)
{
    *waits = false;
    for (uint32_t i = 0; i < self->count; i++) {
        struct slice value = self->values[i];
        size_t common = value.n < n ? value.n : n;
        if (memcmp(value.p, p, common) == 0) {
            if (common == value.n) {
                return value.n;
            }
            *waits = true;
        }
    }
    return 0;
}

size_t secrets_hide_some(const struct secrets *self, uint8_t *p, size_t *n, bool last)
{
    size_t from = 0, to = 0, all = *n;
    while (self->count > 0 && from < all) {
        bool waits = false;
        size_t hidden = self->begins[p[from]] ? match(self, p + from, all - from, &waits) : 0;
        if (waits && !last) {
            break;
        }
        if (hidden > 0) {
            memcpy(p + to, stars, STARS);
            to += STARS;
            from += hidden;
        } else {
            p[to++] = p[from++];
        }
    }
    if (self->count == 0) {
        return 0;
    }
    memmove(p + to, p + from, all - from);
    *n = to;
    return all - from;
}

size_t secrets_cut_front(const struct secrets *self, const uint8_t *p, size_t n)
{
    size_t most = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        struct slice value = self->values[i];
        size_t length = value.n - 1 < n ? value.n - 1 : n;
        while (length > most && memcmp(value.p + value.n - length, p, length) != 0) {
            length--;
        }
        most = length > most ? length : most;
    }
    return most;
}

size_t secrets_hide(const struct secrets *self, uint8_t *p, size_t n, int cuts)
{
    if (self->count == 0 || n == 0) {
        return n;
    }
    size_t front = cuts & SECRET_CUT_FRONT ? secrets_cut_front(self, p, n) : 0;
    memmove(p, p + front, n - front);
    n -= front;
    size_t rest = secrets_hide_some(self, p, &n, !(cuts & SECRET_CUT_BACK));
    (void)rest; /* may be the beginning of a secret that goes on behind the cut: it is left out */
    return n;
}
