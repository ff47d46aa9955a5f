/*  samples.c - keys and jobs, and how a sample changes its series. */
#include "worker/samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/hash.h"
#include "common/log.h"
#include "worker/samples_state.h"

enum {
    TAKES_PER_TURN = 256,
    KEY_LETTERS = 32,
    LATE_MS = 5000 /* what was sent before an executor's end arrives within */
};

/*  --- open and close --------------------------------------------------------------------------------------- */

/*  In the abstract namespace: executors with a uid of their own reach it, and nothing is left behind. */
static int open_socket(struct samples *self)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char letters[KEY_LETTERS + 1];
    random_text(letters, KEY_LETTERS);
    snprintf(self->address, sizeof(self->address), "@rayc-%s", letters);
    size_t n = strlen(self->address);
    memcpy(address.sun_path + 1, self->address + 1, n - 1);
    self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (self->fd < 0 || bind(self->fd, (const struct sockaddr *)&address, bytes)) {
        log_error("samples.socket", "error=\"%s\"", strerror(errno));
        return ERR_SYSTEM;
    }
    return OK;
}

int samples_open(struct samples **out, const char *dir)
{
    struct samples *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    self->fd = -1;
    self->due_ms = UINT64_MAX;
    pthread_mutex_init(&self->lock, NULL);
    int e = file_path(self->file, sizeof(self->file), dir, "metrics");
    e = e ? e : open_socket(self);
    if (e) {
        self->file[0] = 0;
        samples_close(&self);
        return e;
    }
    samples_load(self);
    *out = self;
    return OK;
}

static void free_series(struct samples *self, struct series *series)
{
    self->series_count--;
    free(series->job);
    free(series->labels);
    free(series->counts);
    free(series);
}

static void free_family(struct samples *self, struct family *family)
{
    self->family_count--;
    free(family->name);
    free(family->help);
    free(family);
}

void samples_close(struct samples **self_p)
{
    struct samples *self = *self_p;
    if (!self) {
        return;
    }
    if (self->file[0]) {
        samples_save(self);
    }
    for (struct family *family; (family = self->families) != NULL;) {
        self->families = family->next;
        for (struct series *series; (series = family->series) != NULL;) {
            family->series = series->next;
            free_series(self, series);
        }
        free_family(self, family);
    }
    for (uint32_t i = 0; i < self->source_count; i++) {
        free(self->sources[i].job);
    }
    free(self->sources);
    if (self->fd >= 0) {
        close(self->fd);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

const char *samples_address(const struct samples *self)
{
    return self->address;
}

int samples_fd(const struct samples *self)
{
    return self->fd;
}

/*  --- who says it ------------------------------------------------------------------------------------------ */

static struct source *new_source(struct samples *self)
{
    for (uint32_t i = self->free_hint; i < self->source_count; i++) {
        if (!self->sources[i].key[0]) {
            self->free_hint = i + 1;
            return &self->sources[i];
        }
    }
    uint32_t count = self->source_count ? 2 * self->source_count : 64;
    struct source *grown = realloc(self->sources, count * sizeof(*grown));
    ensure(grown != NULL);
    memset(grown + self->source_count, 0, (count - self->source_count) * sizeof(*grown));
    self->sources = grown;
    self->free_hint = self->source_count + 1;
    self->source_count = count;
    return &grown[self->free_hint - 1];
}

uint32_t samples_begin(struct samples *self, const char *submission, char key[SAMPLES_KEY_BYTES])
{
    char letters[KEY_LETTERS + 1];
    struct source *source = new_source(self);
    uint32_t number = (uint32_t)(source - self->sources) + 1;
    random_text(letters, KEY_LETTERS);
    *source = (struct source){ .job = strdup(submission), .over_ms = UINT64_MAX };
    ensure(source->job != NULL);
    snprintf(source->key, sizeof(source->key), "%u-%s", number, letters);
    memcpy(key, source->key, SAMPLES_KEY_BYTES);
    return number;
}

void samples_end(struct samples *self, uint32_t number, uint64_t now_ms)
{
    if (number > 0) {
        struct source *source = &self->sources[number - 1];
        source->over_ms = now_ms + (source->gauges ? SAMPLES_GAUGE_MS : LATE_MS);
        self->due_ms = source->over_ms < self->due_ms ? source->over_ms : self->due_ms;
    }
}

/*  Its number, 0: nobody has this key. */
static uint32_t source_of(const struct samples *self, struct slice key)
{
    char text[SAMPLES_KEY_BYTES];
    if (key.n == 0 || !slice_copy_text(key, text, sizeof(text))) {
        return 0;
    }
    unsigned long number = strtoul(text, NULL, 10);
    bool known = number > 0 && number <= self->source_count &&
                 strcmp(self->sources[number - 1].key, text) == 0;
    return known ? (uint32_t)number : 0;
}

/*  The gauges of a source, or with 0 what else nobody has said since then.  A name that nothing has any more may be used
    for another kind. */
static void end_series(struct samples *self, uint32_t source, uint64_t since_ms)
{
    for (struct family **at = &self->families; *at;) {
        struct family *family = *at;
        for (struct series **to = &family->series; *to;) {
            struct series *series = *to;
            if (series->source == source && series->said_ms <= since_ms) {
                *to = series->next;
                free_series(self, series);
            } else {
                to = &series->next;
            }
        }
        if (!family->series) {
            *at = family->next;
            free_family(self, family);
        } else {
            at = &family->next;
        }
    }
}

static void end_sources(struct samples *self, uint64_t now_ms)
{
    pthread_mutex_lock(&self->lock);
    self->due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < self->source_count; i++) {
        struct source *source = &self->sources[i];
        if (!source->key[0]) {
            continue;
        }
        if (source->over_ms <= now_ms) {
            if (source->gauges) {
                end_series(self, i + 1, UINT64_MAX);
            }
            free(source->job);
            *source = (struct source){ 0 };
            self->free_hint = i < self->free_hint ? i : self->free_hint;
        } else if (source->over_ms < self->due_ms) {
            self->due_ms = source->over_ms;
        }
    }
    pthread_mutex_unlock(&self->lock);
}

/*  --- what is said ----------------------------------------------------------------------------------------- */

static struct family *find_family(const struct samples *self, struct slice name)
{
    struct family *family = self->families;
    while (family && !slice_same(slice_text(family->name), name)) {
        family = family->next;
    }
    return family;
}

/*  Would a series of it be shown under the name of another family's? */
static bool clashes(const struct samples *self, struct slice name, uint32_t kind)
{
    for (const struct family *family = self->families; family; family = family->next) {
        struct slice its = slice_text(family->name);
        if ((family->kind == METRIC_HISTOGRAM && sample_is_part(name, its)) ||
            (kind == METRIC_HISTOGRAM && sample_is_part(its, name))) {
            return true;
        }
    }
    return false;
}

static struct family *new_family(struct samples *self, struct slice name,
                                 const struct rec_sample *sample)
{
    struct family *family = calloc(1, sizeof(*family));
    ensure(family != NULL);
    family->kind = sample->kind;
    family->name = strndup((const char *)name.p, name.n);
    family->help = strndup((const char *)sample->help.p, sample->help.n);
    ensure(family->name && family->help);
    if (sample->kind == METRIC_HISTOGRAM) {
        family->bound_count = sample_bounds(sample->bounds, family->bounds);
    }
    family->next = self->families;
    self->families = family;
    self->family_count++;
    return family;
}

static bool same_kind(const struct family *family, const struct rec_sample *sample)
{
    double bounds[SAMPLE_BOUNDS_MAX];
    if (family->kind != sample->kind || sample->kind != METRIC_HISTOGRAM) {
        return family->kind == sample->kind;
    }
    uint32_t count = sample_bounds(sample->bounds, bounds);
    return count == family->bound_count &&
           memcmp(bounds, family->bounds, count * sizeof(*bounds)) == 0;
}

/*  To the front: it will be asked for again. */
static struct series *find_series(struct family *family, struct slice labels, const char *job)
{
    for (struct series **at = &family->series; *at; at = &(*at)->next) {
        struct series *series = *at;
        if (strcmp(series->job, job) == 0 && slice_same(slice_text(series->labels), labels)) {
            *at = series->next;
            series->next = family->series;
            family->series = series;
            return series;
        }
    }
    return NULL;
}

static struct series *new_series(struct samples *self, struct family *family, struct slice labels,
                                 const char *job)
{
    struct series *series = calloc(1, sizeof(*series));
    ensure(series != NULL);
    series->job = strdup(job);
    series->labels = strndup((const char *)labels.p, labels.n);
    series->counts = calloc(family->bound_count + 1, sizeof(*series->counts));
    ensure(series->job && series->labels && series->counts);
    series->next = family->series;
    family->series = series;
    self->series_count++;
    return series;
}

/*  Is there room for one more?  The jobs of months would leave none. */
static bool make_room(struct samples *self)
{
    bool full =
        self->series_count >= SAMPLES_SERIES_MAX || self->family_count >= SAMPLES_FAMILIES_MAX;
    if (full && self->now_ms >= self->room_ms && self->now_ms > SAMPLES_KEPT_MS) {
        self->room_ms = self->now_ms + SAMPLES_SAVE_MS;
        end_series(self, 0, self->now_ms - SAMPLES_KEPT_MS);
        full =
            self->series_count >= SAMPLES_SERIES_MAX || self->family_count >= SAMPLES_FAMILIES_MAX;
    }
    return !full;
}

struct series *samples_find(struct samples *self, const struct rec_sample *sample, const char *job,
                            enum drop *why_not)
{
    struct slice name = sample->name;
    if (sample->kind == METRIC_COUNTER && name.n > 6 &&
        memcmp(name.p + name.n - 6, "_total", 6) == 0) {
        name.n -= 6;
    }
    struct family *family = find_family(self, name);
    *why_not = DROP_CONFLICT;
    if (family ? !same_kind(family, sample) : clashes(self, name, sample->kind)) {
        return NULL;
    }
    struct series *series = family ? find_series(family, sample->labels, job) : NULL;
    *why_not = DROP_LIMIT;
    if (series || !make_room(self)) {
        return series;
    }
    family = find_family(self, name); /* it may be one that made room */
    family = family ? family : new_family(self, name, sample);
    return new_series(self, family, sample->labels, job);
}

static void drop(struct samples *self, enum drop why, const struct source *source, const char *text)
{
    if (self->dropped[why]++ == 0) {
        log_warn("samples.drop", "job=%s text=\"%s\"", source ? source->job : "?", text);
    }
}

static void fold_one(struct samples *self, const struct rec_sample *sample, uint32_t number)
{
    struct source *source = &self->sources[number - 1];
    double bounds[SAMPLE_BOUNDS_MAX];
    struct diag why;
    enum drop why_not;
    uint32_t count = sample->kind == METRIC_HISTOGRAM ? sample_bounds(sample->bounds, bounds) : 0;
    if (sample_check(sample, &why) || (sample->kind == METRIC_HISTOGRAM && count == 0)) {
        drop(self, DROP_INVALID, source, why.text[0] ? why.text : "bounds do not rise");
        return;
    }
    struct series *series = samples_find(self, sample, source->job, &why_not);
    if (!series) {
        drop(self, why_not, source,
             why_not == DROP_CONFLICT ? "one name, two kinds or bounds, or a part of a histogram's"
                                      : "too many metrics");
        return;
    }
    series->said_ms = self->now_ms;
    if (sample->kind == METRIC_GAUGE) {
        series->value = sample->value;
        series->source = number;
        if (!source->gauges && source->over_ms != UINT64_MAX) {
            source->over_ms += SAMPLES_GAUGE_MS - LATE_MS; /* its first, and it has ended */
        }
        source->gauges = true;
        return;
    }
    series->value += sample->value;
    if (sample->kind == METRIC_HISTOGRAM) {
        uint32_t i = 0;
        while (i < count && sample->value > bounds[i]) {
            i++;
        }
        series->counts[i]++;
    }
    self->changed = true;
}

void samples_fold(struct samples *self, struct slice frame, uint64_t now_ms)
{
    static struct msg msg; /* of the loop's thread */
    struct rec_sample sample;
    struct diag why;
    pthread_mutex_lock(&self->lock);
    self->now_ms = now_ms;
    if (proto_decode(frame, &msg, &why) || msg.kind != MSG_SAMPLES) {
        drop(self, DROP_INVALID, NULL, "no SAMPLES message");
    } else {
        uint32_t number = source_of(self, msg.as.samples.key);
        struct list list = msg.as.samples.samples;
        if (number == 0) {
            drop(self, DROP_KEY, NULL, "a key that nobody has");
        }
        while (number > 0 && next_sample(&list, &sample)) {
            fold_one(self, &sample, number);
        }
    }
    uint64_t save_ms = self->saved_ms + SAMPLES_SAVE_MS;
    if (self->changed && save_ms < self->due_ms) {
        self->due_ms = save_ms > now_ms ? save_ms : now_ms;
    }
    pthread_mutex_unlock(&self->lock);
}

void samples_take(struct samples *self, uint64_t now_ms)
{
    static uint8_t bytes[SAMPLE_BYTES_MAX];
    for (int i = 0; i < TAKES_PER_TURN; i++) {
        ssize_t n = recv(self->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0) {
            return;
        }
        samples_fold(self, slice_of(bytes, (size_t)n <= sizeof(bytes) ? (size_t)n : 0), now_ms);
    }
}

uint64_t samples_due(const struct samples *self)
{
    return self->due_ms;
}

void samples_on_time(struct samples *self, uint64_t now_ms)
{
    if (now_ms < self->due_ms) {
        return;
    }
    end_sources(self, now_ms);
    if (self->changed && now_ms >= self->saved_ms + SAMPLES_SAVE_MS) {
        samples_save(self);
        self->saved_ms = now_ms;
    }
    uint64_t save_ms = self->changed ? self->saved_ms + SAMPLES_SAVE_MS : UINT64_MAX;
    self->due_ms = save_ms < self->due_ms ? save_ms : self->due_ms;
}
