/*  actor_threads.c - queues and threads, under one lock.  A thread starts when a call finds none of its group idle. */
#include "client/actor_threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { GROUPS_MAX = 64 };

struct call {
    struct call *next;
    struct rec_run run;
    uint32_t number;
    uint8_t bytes[]; /* that `run` points into */
};

struct group {
    struct slice name;
    uint32_t limit, threads, idle, queued;
    struct call *first, *last;
    pthread_cond_t more;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct group groups[GROUPS_MAX];
    uint32_t group_count;
    char *names; /* of the groups */
    struct channel_page *page;
    actor_runner runner;
    bool stops;
    uint32_t running, open; /* calls that run; that have not ended */
    uint32_t oldest,
        next; /* numbers: all below `oldest` have ended; the next one is not below `next` */
    uint8_t has_ended[CHANNEL_WINDOW / 8]; /* from `oldest` on: bit n % CHANNEL_WINDOW */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

static void add_group(struct slice name, uint32_t limit)
{
    if (pool.group_count < GROUPS_MAX) {
        struct group *group = &pool.groups[pool.group_count++];
        *group = (struct group){ .name = name, .limit = limit };
        pthread_cond_init(&group->more, NULL);
    }
}

/*  "io=2\ncompute=4": checked by whoever made the actor. */
static void add_groups(char *text)
{
    for (char *line = text; *line != 0;) {
        size_t n = strcspn(line, "\n");
        size_t name = strcspn(line, "=");
        uint32_t limit = name < n ? (uint32_t)strtoul(line + name + 1, NULL, 10) : 1;
        add_group(slice_of(line, name), limit < 1 ? 1 : limit);
        line += n + (line[n] == '\n');
    }
}

bool actor_threads_open(const struct rec_run *constructor, struct channel_page *page,
                        actor_runner runner)
{
    if (constructor->concurrency <= 1 && constructor->groups.n == 0) {
        return false;
    }
    pool.names = calloc(1, constructor->groups.n + 1);
    ensure(pool.names != NULL);
    slice_copy_text(constructor->groups, pool.names, constructor->groups.n + 1);
    pool.page = page;
    pool.runner = runner;
    pool.oldest = pool.next = 1; /* 0 is the constructor */
    add_group(slice_text(""), constructor->concurrency < 1 ? 1 : constructor->concurrency);
    add_groups(pool.names);
    return true;
}

static struct group *group_find(struct slice name)
{
    for (uint32_t i = 0; i < pool.group_count; i++) {
        if (slice_same(pool.groups[i].name, name)) {
            return &pool.groups[i];
        }
    }
    return NULL;
}

/* --- threads ------------------------------------------------------------------------------------------ */

/*  Under the lock: a number has ended, or never was one of ours. */
static void number_ends(uint32_t number)
{
    pool.has_ended[number % CHANNEL_WINDOW / 8] |= (uint8_t)(1u << number % 8);
    while (pool.oldest < pool.next &&
           (pool.has_ended[pool.oldest % CHANNEL_WINDOW / 8] >> pool.oldest % 8 & 1)) {
        pool.has_ended[pool.oldest % CHANNEL_WINDOW / 8] &= (uint8_t) ~(1u << pool.oldest % 8);
        pool.oldest++;
    }
}

static struct call *call_take(struct group *group)
{
    group->idle++;
    while (group->first == NULL || pool.stops) {
        pthread_cond_wait(&group->more, &pool.lock);
    }
    group->idle--;
    struct call *call = group->first;
    group->first = call->next;
    group->queued--;
    pool.running++;
    return call;
}

static void *thread_run(void *context)
{
    struct group *group = context;
    struct rayc_task *task = calloc(1, sizeof(*task));
    ensure(task != NULL);
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        struct call *call = call_take(group);
        channel_set_begun(pool.page, call->number, true);
        pthread_mutex_unlock(&pool.lock);
        pool.runner(task, &call->run, call->number);
        pthread_mutex_lock(&pool.lock);
        pool.running--;
        pool.open--;
        number_ends(call->number);
        pthread_cond_broadcast(&pool.ended);
        free(call);
    }
    return NULL;
}

static void start_thread(struct group *group)
{
    pthread_t thread;
    sigset_t all, before; /* signals are for the thread that reads from the worker */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, thread_run, group);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        pthread_detach(thread);
        group->threads++;
    }
    ensure(group->threads > 0); /* else nobody would ever run what is queued */
}

/* --- queues ------------------------------------------------------------------------------------------- */

static void number_begins(uint32_t number)
{
    while (number - pool.oldest >= CHANNEL_WINDOW) {
        pthread_cond_wait(&pool.ended, &pool.lock);
    }
    pool.next = number + 1;
}

static struct slice copy_into(uint8_t **to, struct slice from)
{
    struct slice copy = slice_of(*to, from.n);
    if (from.n > 0) {
        memcpy(*to, from.p, from.n);
    }
    *to += from.n;
    return copy;
}

static struct call *copy_call(const struct rec_run *run, uint32_t number)
{
    struct call *call =
        malloc(sizeof(*call) + run->name.n + run->args.n + run->deps.bytes.n + run->group.n);
    ensure(call != NULL);
    *call = (struct call){ .run = *run, .number = number };
    uint8_t *to = call->bytes;
    call->run.name = copy_into(&to, run->name);
    call->run.args = copy_into(&to, run->args);
    call->run.deps.bytes = copy_into(&to, run->deps.bytes);
    call->run.group = copy_into(&to, run->group);
    call->run.checkpoint = call->run.groups = slice_of(NULL, 0);
    return call;
}

bool actor_threads_has(struct slice group)
{
    return group.n == 0 || group_find(group) != NULL; /* they never change */
}

void actor_threads_add(const struct rec_run *run, uint32_t number)
{
    pthread_mutex_lock(&pool.lock);
    struct group *group = group_find(run->group);
    group = group != NULL ? group : &pool.groups[0]; /* its runner says what is wrong */
    while (pool.next < number) {                     /* those were taken back */
        number_begins(pool.next);
        number_ends(pool.next - 1);
    }
    number_begins(number);
    channel_set_begun(pool.page, number, false);
    struct call *call = copy_call(run, number);
    if (group->first != NULL) {
        group->last->next = call;
    } else {
        group->first = call;
    }
    group->last = call;
    pool.open++;
    if (++group->queued > group->idle && group->threads < group->limit) {
        start_thread(group);
    } else {
        pthread_cond_signal(&group->more);
    }
    pthread_mutex_unlock(&pool.lock);
}

void actor_threads_drain(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.open > 0) {
        pthread_cond_wait(&pool.ended, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
}

void actor_threads_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stops = true;
    while (pool.running > 1) { /* the caller's own is one */
        pthread_cond_wait(&pool.ended, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
}
