/*  node_http.c - routes, and what their handlers read. */
#include "worker/node_http.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/process.h"
#include "common/web/web.h"
#include "worker/bearers.h"
#include "worker/machine.h"
#include "worker/node_store.h"

#define WATCHES (1u << ROLE_ADMIN | 1u << ROLE_VIEWER | 1u << ROLE_METRICS)

enum { DEAD_MS = 10000 }; /* a loop that does not turn for so long does not live */

struct node_http {
    struct web *web;
    struct bearers *bearers;
    struct samples *samples;
    struct node_store *store;
    char dir[PATH_BYTES], file[PATH_BYTES];
    _Atomic uint64_t node;      /* 0: not joined */
    _Atomic uint64_t pinged_ms; /* since when the loop owes an answer; 0: it does not */
    atomic_bool was_joined;
    pthread_mutex_t lock;        /* of what follows */
    char cluster[HASH_TEXT + 1]; /* empty: not joined yet */
    struct process_before process;
    struct machine_before machine;
};

static web_handler on_metrics, on_startup, on_ready, on_live;

static const struct web_route routes[] = {
    { WEB_GET, "/metrics", WATCHES, NULL, 0, on_metrics, NULL, NULL, "what the node measures" },
    { WEB_GET, "/healthz/startup", 0, NULL, 0, on_startup, NULL, NULL, "has it joined once?" },
    { WEB_GET, "/healthz/ready", 0, NULL, 0, on_ready, NULL, NULL, "is it joined?" },
    { WEB_GET, "/healthz/live", 0, NULL, 0, on_live, NULL, NULL, "does its loop turn?" },
};

/*  --- handlers ------------------------------------------------------------------------------------------- */

static void put_requests(const struct node_http *self, struct exposition *out)
{
    static const char *const codes[] = { "broken", "1xx", "2xx", "3xx", "4xx", "5xx" };
    exposition_metric(out, METRIC_HTTP_REQUESTS);
    for (uint32_t i = 0; i < COUNT(routes); i++) {
        struct web_count count = web_count(self->web, i);
        for (uint32_t k = 0; k < COUNT(count.replies); k++) {
            if (count.replies[k] > 0) {
                EXPOSE(out, (double)count.replies[k], slice_text(routes[i].path),
                       slice_text(codes[k]));
            }
        }
    }
}

static void put_store(struct node_store *store, struct slice node, struct exposition *out)
{
    const struct node_store_stats stats = node_store_stats(store);
    const uint64_t used = stats.used - stats.free;
    const struct {
        enum metric_id id;
        uint64_t value;
    } rows[] = {
        { METRIC_STORE_USED, used },
        { METRIC_STORE_AVAILABLE, stats.capacity > used ? stats.capacity - used : 0 },
        { METRIC_STORE_OBJECTS, stats.copies },
        { METRIC_STORE_SPILLED, stats.spilled },
        { METRIC_STORE_EVICTED, stats.evicted },
    };
    exposition_metric(out, METRIC_STORE_MEMORY);
    EXPOSE(out, (double)used, slice_text("MMAP_SHM"), node);
    EXPOSE(out, (double)stats.disk, slice_text("SPILLED"), node);
    for (uint32_t i = 0; i < COUNT(rows); i++) {
        exposition_metric(out, rows[i].id);
        EXPOSE(out, (double)rows[i].value, node);
    }
}

static void on_metrics(struct web_request *request, struct web_reply *reply)
{
    struct node_http *self = request->context;
    struct exposition page;
    char id[24], cluster[HASH_TEXT + 1];
    snprintf(id, sizeof(id), "%" PRIu64, atomic_load(&self->node));
    pthread_mutex_lock(&self->lock);
    memcpy(cluster, self->cluster, sizeof(cluster));
    pthread_mutex_unlock(&self->lock);
    exposition_init(&page, web_header(request, "Accept"));
    page.session = cluster[0] ? cluster : NULL;
    exposition_metric(&page, METRIC_BUILD_INFO);
    EXPOSE(&page, 1, slice_text(RAYC_VERSION), slice_text("worker"));
    put_requests(self, &page);
    put_store(self->store, slice_text(id), &page);
    pthread_mutex_lock(&self->lock);
    machine_expose(&page, self->dir, slice_text(id), &self->machine);
    process_expose(&page, "worker", slice_text(id), &self->process);
    pthread_mutex_unlock(&self->lock);
    samples_expose(self->samples, &page);
    if (!exposition_end(&page)) {
        exposition_fini(&page);
        web_reply_error(reply, ERR_MEMORY, "no memory for the page");
        return;
    }
    web_reply_own(reply, 200, exposition_content_type(&page), page.p, page.n);
}

static void say(struct web_reply *reply, bool good, const char *otherwise)
{
    const char *text = good ? "ok\n" : otherwise;
    web_reply_copy(reply, good ? 200 : 503, "text/plain; charset=utf-8", slice_text(text));
}

static void on_startup(struct web_request *request, struct web_reply *reply)
{
    const struct node_http *self = request->context;
    say(reply, atomic_load(&self->was_joined), "it has not joined a head yet\n");
}

static void on_ready(struct web_request *request, struct web_reply *reply)
{
    const struct node_http *self = request->context;
    say(reply, atomic_load(&self->node) != 0, "the head is away\n");
}

/*  It must not wait: each asks the loop for a sign, for those who come later. */
static void on_live(struct web_request *request, struct web_reply *reply)
{
    struct node_http *self = request->context;
    uint64_t since = 0, now = clock_ms();
    if (atomic_compare_exchange_strong(&self->pinged_ms, &since, now)) {
        (void)eventfd_write(bearers_fd(self->bearers), 1);
        since = now;
    }
    say(reply, now - since < DEAD_MS, "its loop does not turn\n");
}

static int auth(void *context, void *local, const char *token, struct web_principal *out)
{
    const struct node_http *self = context;
    (void)local;
    *out = (struct web_principal){ 0 };
    return bearers_role(self->bearers, token, &out->role);
}

/*  --- open and close --------------------------------------------------------------------------------------- */

static int tell_address(struct node_http *self)
{
    char text[300];
    int n = snprintf(text, sizeof(text), "%s\n", web_address(self->web));
    log_info("http.open", "address=%s", web_address(self->web));
    return file_write(self->file, text, (size_t)n, 0644);
}

int node_http_open(struct node_http **out, const struct node_http_options *options,
                   struct diag *why)
{
    *out = NULL;
    struct node_http *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->samples = options->samples;
    self->store = options->store;
    int e = bearers_open(&self->bearers);
    e = e ? e : file_path(self->dir, PATH_BYTES, options->dir, ".");
    e = e ? e : file_path(self->file, PATH_BYTES, options->dir, "http.address");
    const struct web_options web = { .host = options->host,
                                     .port = options->port,
                                     .routes = routes,
                                     .route_count = COUNT(routes),
                                     .auth = auth,
                                     .context = self };
    e = e ? e : web_open(&self->web, &web, why);
    e = e ? e : tell_address(self);
    if (e) {
        node_http_close(&self);
        return e;
    }
    *out = self;
    return OK;
}

void node_http_close(struct node_http **self_p)
{
    struct node_http *self = *self_p;
    if (self) {
        if (self->web) {
            (void)unlink(self->file);
        }
        web_close(&self->web);
        bearers_close(&self->bearers);
        pthread_mutex_destroy(&self->lock);
        free(self);
        *self_p = NULL;
    }
}

/*  --- the loop --------------------------------------------------------------------------------------------- */

int node_http_fd(const struct node_http *self)
{
    return self ? bearers_fd(self->bearers) : -1;
}

void node_http_joined(struct node_http *self, uint64_t node, const char *cluster)
{
    if (self) {
        pthread_mutex_lock(&self->lock);
        slice_copy_text(slice_text(cluster), self->cluster, sizeof(self->cluster));
        pthread_mutex_unlock(&self->lock);
        atomic_store(&self->node, node);
        if (node != 0) {
            atomic_store(&self->was_joined, true);
        }
        bearers_lost(self->bearers);
    }
}

bool node_http_ask(struct node_http *self, struct msg_token_check *out)
{
    if (!self) {
        return false;
    }
    atomic_store(&self->pinged_ms, 0);
    return bearers_next(self->bearers, out) && atomic_load(&self->node) != 0;
}

void node_http_answer(struct node_http *self, const struct msg_token_may *msg)
{
    if (self) {
        bearers_answer(self->bearers, msg);
    }
}
