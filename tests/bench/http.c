/*  http.c - what people who look cost and wait for: lists and event streams over HTTP, under load. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "tests/bench/bench.h"

enum {
    ANSWER_BYTES = 1 << 20,
    SAMPLES_MAX = 100000,
    LIST_PAUSE_MS = 20,
    CLIENTS = 10,
    POLL_PAUSE_MS = 1000,
    PAIRS = 5,
    STREAMS = 200
};

struct door { /* where and as whom requests are made */
    uint16_t port;
    char token[ACCESS_TOKEN_MAX + 1];
};

static void door_find(const struct run *run, struct door *out)
{
    char path[BENCH_PATH], text[BENCH_PATH];
    struct access access;
    struct diag why;
    snprintf(path, sizeof(path), "%s/head.http", run->state);
    uint64_t until = clock_ms() + 20000;
    while (file_read(path, text, sizeof(text)) < 0) {
        if (clock_ms() > until) {
            die("the head does not answer HTTP");
        }
        spin();
    }
    out->port = (uint16_t)atoi(strrchr(text, ':') + 1);
    snprintf(path, sizeof(path), "%s/admin.key", run->state);
    if (access_load(path, &access, &why) != OK) {
        die("cannot read %s", path);
    }
    snprintf(out->token, sizeof(out->token), "%s", access.token);
}

static int dial(const struct door *door)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(door->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        die("cannot connect to the head's HTTP port %u", door->port);
    }
    return fd;
}

static void say(int fd, const struct door *door, const char *method, const char *path,
                const char *body)
{
    char text[2048];
    int n = snprintf(text, sizeof(text),
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     method, path, door->token, strlen(body), body);
    if (write(fd, text, (size_t)n) != n) {
        die("cannot send a request");
    }
}

/*  Reads a whole answer with a Content-Length into `text`; it must be a 200. */
static void hear(int fd, char *text)
{
    size_t n = 0, wanted = SIZE_MAX;
    while (n < wanted) {
        ssize_t more = read(fd, text + n, ANSWER_BYTES - 1 - n);
        if (more <= 0) {
            die("the head's answer ended early");
        }
        n += (size_t)more;
        text[n] = 0;
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "\nContent-Length:");
        if (wanted == SIZE_MAX && end != NULL && length != NULL) {
            wanted = (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10);
        }
    }
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) {
        die("the head answered: %.200s", text);
    }
}

/* --- lists ---------------------------------------------------------------------------------------- */

struct looker {
    struct door door;
    uint32_t pause_ms;
    atomic_bool ending;
    pthread_t thread;
    double *samples; /* us; NULL: not wanted */
    size_t count;
};

static void *look(void *context)
{
    static const char *const states[] = { "FINISHED", "PENDING_NODE_ASSIGNMENT",
                                          "SUBMITTED_TO_WORKER", "RUNNING", "FAILED" };
    struct looker *self = context;
    char *answer = malloc(ANSWER_BYTES), path[256];
    int fd = dial(&self->door);
    for (size_t i = 0; !atomic_load(&self->ending) && self->count < SAMPLES_MAX; i++) {
        snprintf(path, sizeof(path), "/api/v1/tasks?filter=state%%3D%s&reverse=1&limit=100",
                 states[i % COUNT(states)]);
        uint64_t begun = clock_us();
        say(fd, &self->door, "GET", path, "");
        hear(fd, answer);
        if (self->samples != NULL) {
            self->samples[self->count++] = (double)(clock_us() - begun);
        }
        for (uint32_t ms = 0; ms < self->pause_ms && !atomic_load(&self->ending); ms += 20) {
            poll(NULL, 0, 20);
        }
    }
    close(fd);
    free(answer);
    return NULL;
}

static void look_start(struct looker *self)
{
    self->ending = false;
    if (pthread_create(&self->thread, NULL, look, self) != 0) {
        die("cannot start a thread");
    }
}

static void look_end(struct looker *self)
{
    atomic_store(&self->ending, true);
    pthread_join(self->thread, NULL);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double list_percentile(const struct run *run, double share)
{
    struct cluster cluster;
    struct looker looker = { .pause_ms = LIST_PAUSE_MS };
    cluster_start_http(&cluster, run);
    task_warm();
    door_find(run, &looker.door);
    looker.samples = calloc(SAMPLES_MAX, sizeof(double));
    look_start(&looker);
    task_echo_seconds(run->tasks);
    look_end(&looker);
    if (looker.count == 0) {
        die("no list was read");
    }
    qsort(looker.samples, looker.count, sizeof(double), compare);
    double value = looker.samples[(size_t)((double)(looker.count - 1) * share)];
    free(looker.samples);
    rayc_shutdown();
    cluster_stop(&cluster);
    return value;
}

double bench_http_list(const struct run *run)
{
    return list_percentile(run, 0.5);
}

double bench_http_list_p99(const struct run *run)
{
    return list_percentile(run, 0.99);
}

double bench_http_poll(const struct run *run)
{
    struct cluster cluster;
    struct looker lookers[CLIENTS] = { 0 };
    double alone[PAIRS], watched[PAIRS];
    cluster_start_http(&cluster, run);
    task_warm();
    task_echo_seconds(run->tasks);
    for (int i = 0; i < PAIRS; i++) {
        alone[i] = run->tasks / task_echo_seconds(run->tasks);
        for (int k = 0; k < CLIENTS; k++) {
            door_find(run, &lookers[k].door);
            lookers[k].pause_ms = POLL_PAUSE_MS;
            look_start(&lookers[k]);
        }
        watched[i] = run->tasks / task_echo_seconds(run->tasks);
        for (int k = 0; k < CLIENTS; k++) {
            look_end(&lookers[k]);
        }
    }
    rayc_shutdown();
    cluster_stop(&cluster);
    return median(watched, PAIRS) / median(alone, PAIRS);
}

/* --- streams -------------------------------------------------------------------------------------- */

struct listener {
    int fd;
    char tail[8192]; /* what came last */
    size_t n;
};

/*  Has the stream told of this job? */
static bool listener_read(struct listener *self, const char *word)
{
    ssize_t n =
        recv(self->fd, self->tail + self->n, sizeof(self->tail) - 1 - self->n, MSG_DONTWAIT);
    if (n == 0) {
        die("an event stream has ended");
    }
    self->n += n > 0 ? (size_t)n : 0;
    self->tail[self->n] = 0;
    bool found = strstr(self->tail, word) != NULL;
    if (found || self->n > sizeof(self->tail) / 2) {
        self->n = 0;
    }
    return found;
}

static double stream_ms(const struct door *door, struct listener *all, int number)
{
    char body[128], word[64], *answer = malloc(ANSWER_BYTES);
    bool told[STREAMS] = { 0 };
    snprintf(body, sizeof(body), "{\"entrypoint\": \"true # job%d\"}", number);
    snprintf(word, sizeof(word), "# job%d", number);
    int fd = dial(door);
    uint64_t begun = clock_us();
    say(fd, door, "POST", "/api/v1/jobs", body);
    hear(fd, answer);
    close(fd);
    free(answer);
    for (int left = STREAMS; left > 0;) {
        struct pollfd fds[STREAMS];
        for (int i = 0; i < STREAMS; i++) {
            fds[i] = (struct pollfd){ told[i] ? -1 : all[i].fd, POLLIN, 0 };
        }
        if (poll(fds, STREAMS, 20000) <= 0) {
            die("%d streams have told nothing for 20 s", left);
        }
        for (int i = 0; i < STREAMS; i++) {
            if (fds[i].revents && listener_read(&all[i], word)) {
                told[i] = true;
                left--;
            }
        }
    }
    return (double)(clock_us() - begun) / 1000;
}

double bench_sse_200(const struct run *run)
{
    struct cluster cluster;
    struct door door;
    struct listener *all = calloc(STREAMS, sizeof(*all));
    double *ms = calloc(run->tasks, sizeof(*ms));
    cluster_start_http(&cluster, run);
    task_warm();
    door_find(run, &door);
    for (int i = 0; i < STREAMS; i++) {
        all[i].fd = dial(&door);
        say(all[i].fd, &door, "GET", "/api/v1/events/stream", "");
    }
    poll(NULL, 0, 2000); /* all are listening */
    for (uint32_t i = 0; i < run->tasks; i++) {
        ms[i] = stream_ms(&door, all, (int)i);
    }
    for (int i = 0; i < STREAMS; i++) {
        close(all[i].fd);
    }
    double value = median(ms, run->tasks);
    free(all);
    free(ms);
    rayc_shutdown();
    cluster_stop(&cluster);
    return value;
}
