/*  metric.c - metrics of the user's own: a sample becomes a datagram to the worker on this machine, which folds it.

    Nothing is gathered here, so nothing is lost when the process is killed.  A send waits when the worker is behind. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/metric.h"
#include "client/metrics.h"
#include "proto/sample.h"

enum { SEND_S = 5 };

struct rayc_meter {
    uint32_t kind; /* enum metric_kind */
    uint32_t label_count;
    char *name, *help;
    char *bounds; /* of a histogram, as text; else NULL */
    char *labels[SAMPLE_LABELS_MAX];
    uint32_t order[SAMPLE_LABELS_MAX]; /* of the labels, sorted: as a sample has them */
};

/*  --- to the worker ---------------------------------------------------------------------------------------- */

static int connect_to(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t n = strlen(name);
    if (name[0] != '@' || n >= sizeof(address.sun_path)) {
        return failure_say(RAYC_EINVALID, "RAYC_METRICS is not what the worker sets");
    }
    memcpy(address.sun_path + 1, name + 1, n - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval most = { .tv_sec = SEND_S };
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) ||
        connect(fd, (const struct sockaddr *)&address, bytes)) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return failure_say(RAYC_ESYSTEM, "the worker does not take metrics: %s", strerror(error));
    }
    return fd;
}

static int send_frame(struct slice frame)
{
    const char *name = getenv("RAYC_METRICS");
    if (!name || !name[0]) {
        return failure_say(RAYC_ENOTFOUND, "this process was not started by a rayc worker: "
                                           "RAYC_METRICS is not set");
    }
    int fd = connect_to(name);
    if (fd < 0) {
        return fd;
    }
    ssize_t n;
    do {
        n = send(fd, frame.p, frame.n, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    int error = errno;
    close(fd);
    if (n >= 0) {
        return RAYC_OK;
    }
    return error == EAGAIN
               ? failure_say(RAYC_ETIMEOUT, "the worker took no metric for %d s", SEND_S)
               : failure_say(RAYC_ESYSTEM, "the metric cannot be sent: %s", strerror(error));
}

int metric_send(const struct rec_sample *sample)
{
    struct diag why;
    if (sample_check(sample, &why)) {
        return failure_say(RAYC_EINVALID, "%s", why.text);
    }
    const char *key = getenv("RAYC_METRICS_KEY");
    uint8_t *memory = malloc(2 * SAMPLE_BYTES_MAX);
    if (!memory) {
        return failure_say(RAYC_EMEMORY, "no memory for a metric");
    }
    struct wire list = { memory, 0, SAMPLE_BYTES_MAX - 256, false };
    struct wire frame = { memory + SAMPLE_BYTES_MAX, 0, SAMPLE_BYTES_MAX, false };
    proto_put_record(&list, REC_SAMPLE, sample);
    int rc = failure_say(RAYC_ETOOLARGE, "the labels and the help of a metric are too long");
    if (!list.full) {
        struct msg_samples msg = { .key = slice_text(key), .samples = wire_list(&list, 1) };
        proto_put(&frame, MSG_SAMPLES, &msg);
        rc = frame.full ? rc : send_frame(slice_of(frame.p, frame.n));
    }
    free(memory);
    return rc;
}

/*  --- one metric ------------------------------------------------------------------------------------------- */

static void meter_free(struct rayc_meter *self)
{
    for (uint32_t i = 0; i < SAMPLE_LABELS_MAX; i++) {
        free(self->labels[i]);
    }
    free(self->name);
    free(self->help);
    free(self->bounds);
    free(self);
}

/*  Are name and labels good?  Asked with values that are. */
static int check(const struct rayc_meter *self)
{
    char labels[SAMPLE_LABELS_MAX * (NAME_MAX_BYTES + 4)];
    size_t n = 0;
    struct diag why;
    for (uint32_t i = 0; i < self->label_count; i++) {
        if (strlen(self->labels[self->order[i]]) > NAME_MAX_BYTES) {
            return failure_say(RAYC_EINVALID, "a label of '%s' is too long", self->name);
        }
        n += (size_t)snprintf(labels + n, sizeof(labels) - n, "%s=x\n",
                              self->labels[self->order[i]]);
    }
    struct rec_sample sample = { .kind = self->kind,
                                 .name = slice_text(self->name),
                                 .labels = slice_of(labels, n ? n - 1 : 0),
                                 .help = slice_text(self->help),
                                 .value = 1 };
    return sample_check(&sample, &why) ? failure_say(RAYC_EINVALID, "%s", why.text) : RAYC_OK;
}

static void sort(struct rayc_meter *self)
{
    for (uint32_t i = 0; i < self->label_count; i++) {
        uint32_t at = i;
        for (; at > 0 && strcmp(self->labels[self->order[at - 1]], self->labels[i]) > 0; at--) {
            self->order[at] = self->order[at - 1];
        }
        self->order[at] = i;
    }
}

static rayc_meter *meter_new(uint32_t kind, const char *name, const char *help,
                             const char *const *labels)
{
    struct rayc_meter *self = calloc(1, sizeof(*self));
    bool good = self && (self->name = strdup(name ? name : "")) != NULL &&
                (self->help = strdup(help ? help : "")) != NULL;
    for (uint32_t i = 0; good && labels && labels[i]; i++) {
        if (i == SAMPLE_LABELS_MAX) {
            failure_say(RAYC_EINVALID, "'%s': more than %d labels", name, SAMPLE_LABELS_MAX);
            meter_free(self);
            return NULL;
        }
        good = (self->labels[i] = strdup(labels[i])) != NULL;
        self->label_count++;
    }
    if (!good) {
        failure_say(RAYC_EMEMORY, "no memory for a metric");
    } else {
        self->kind = kind;
        sort(self);
    }
    if (self && (!good || check(self))) {
        meter_free(self);
        self = NULL;
    }
    return self;
}

rayc_meter *rayc_counter_new(const char *name, const char *help, const char *const *labels)
{
    return meter_new(METRIC_COUNTER, name, help, labels);
}

rayc_meter *rayc_gauge_new(const char *name, const char *help, const char *const *labels)
{
    return meter_new(METRIC_GAUGE, name, help, labels);
}

rayc_meter *rayc_histogram_new(const char *name, const char *help, const char *const *labels,
                               const double *bounds, size_t count)
{
    if (count == 0 || count > SAMPLE_BOUNDS_MAX) {
        failure_say(RAYC_EINVALID, "'%s': a histogram has 1 to %d bounds", name ? name : "",
                    SAMPLE_BOUNDS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) {
            failure_say(RAYC_EINVALID, "'%s': bound %zu is not above the one before it",
                        name ? name : "", i + 1);
            return NULL;
        }
    }
    rayc_meter *self = meter_new(METRIC_HISTOGRAM, name, help, labels);
    if (self && (self->bounds = calloc(count, NUMBER_TEXT_BYTES + 1)) == NULL) {
        failure_say(RAYC_EMEMORY, "no memory for a metric");
        meter_free(self);
        return NULL;
    }
    for (size_t i = 0; self && i < count; i++) {
        char number[NUMBER_TEXT_BYTES];
        strcat(self->bounds, i ? "," : "");
        strcat(self->bounds, number_text(bounds[i], number));
    }
    return self;
}

void rayc_meter_free(rayc_meter *self)
{
    if (self) {
        meter_free(self);
    }
}

static int record(const rayc_meter *self, uint32_t kind, double value, const char *const *values)
{
    static const char *const words[] = { "", "counter", "gauge", "histogram" };
    if (!self || self->kind != kind) {
        return failure_say(RAYC_EINVALID, "%s is no %s", self ? self->name : "NULL", words[kind]);
    }
    size_t bytes = 1, n = 0;
    for (uint32_t i = 0; i < self->label_count; i++) {
        if (!values || !values[i] || !values[i][0] || strchr(values[i], '\n')) {
            return failure_say(RAYC_EINVALID, "'%s': label '%s' has no value of one line",
                               self->name, self->labels[i]);
        }
        bytes += strlen(self->labels[i]) + strlen(values[i]) + 2;
    }
    char *labels = malloc(bytes);
    if (!labels) {
        return failure_say(RAYC_EMEMORY, "no memory for a metric");
    }
    for (uint32_t i = 0; i < self->label_count; i++) {
        uint32_t k = self->order[i];
        n += (size_t)snprintf(labels + n, bytes - n, "%s=%s\n", self->labels[k], values[k]);
    }
    struct rec_sample sample = { .kind = kind,
                                 .name = slice_text(self->name),
                                 .labels = slice_of(labels, n ? n - 1 : 0),
                                 .help = slice_text(self->help),
                                 .bounds = slice_text(self->bounds),
                                 .value = value };
    int rc = metric_send(&sample);
    free(labels);
    return rc;
}

int rayc_counter_inc(const rayc_meter *self, double by, const char *const *values)
{
    return record(self, METRIC_COUNTER, by, values);
}

int rayc_gauge_set(const rayc_meter *self, double value, const char *const *values)
{
    return record(self, METRIC_GAUGE, value, values);
}

int rayc_histogram_observe(const rayc_meter *self, double value, const char *const *values)
{
    return record(self, METRIC_HISTOGRAM, value, values);
}
