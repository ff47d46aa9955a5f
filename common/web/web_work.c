/*  web_work.c - the workers of a server: threads that may wait, made when a call finds none idle, ended when idle. */
#include "common/web/web_inside.h"

#include <errno.h>
#include <time.h>
#include "common/log.h"

/*  Waits for a call; NULL: the worker shall end.  The lock is held. */
static struct web_call *next_call(struct web *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WORKER_IDLE_MS / 1000;
    self->idle++;
    int rc = 0;
    while (!self->first && !atomic_load(&self->ending) && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&self->work, &self->lock, &until);
    }
    self->idle--;
    struct web_call *call = self->first;
    if (call) {
        self->first = call->next;
        self->last = self->first ? self->last : NULL;
        self->queued--;
    }
    return call;
}

static void *worker_main(void *context)
{
    struct web *self = context;
    void *local = self->options.local_open ? self->options.local_open(self->options.context) : NULL;
    struct web_call *call;
    pthread_mutex_lock(&self->lock);
    while ((call = next_call(self)) != NULL) {
        pthread_mutex_unlock(&self->lock);
        web_call_work(call, local);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    if (local && self->options.local_close) {
        self->options.local_close(local);
    }
    pthread_mutex_lock(&self->lock);
    self->workers--;
    pthread_cond_signal(&self->gone);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/*  The lock is held. */
static void worker_start(struct web *self)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    self->workers++;
    if (pthread_create(&thread, &attributes, worker_main, self) != 0) {
        self->workers--;
        log_warn("http.worker", "why=\"no thread\" workers=%u", self->workers);
    }
    pthread_attr_destroy(&attributes);
}

bool web_work_add(struct web_call *call)
{
    struct web *self = call->web;
    mhd.suspend_connection(
        call->connection); /* before a worker can resume it; never under our lock */
    pthread_mutex_lock(&self->lock);
    bool ending = atomic_load(&self->ending); /* nobody waits for a worker that is made now */
    if (!ending && self->queued >= self->idle && self->workers < self->options.workers) {
        worker_start(self);
    }
    bool room = !ending && self->queued < QUEUE_MAX && self->workers > 0;
    if (room) {
        call->next = NULL;
        if (self->last) {
            self->last->next = call;
        } else {
            self->first = call;
        }
        self->last = call;
        self->queued++;
        pthread_cond_signal(&self->work);
    }
    pthread_mutex_unlock(&self->lock);
    if (!room) {
        mhd.resume_connection(call->connection);
    }
    return room;
}

void web_work_stop(struct web *self)
{
    pthread_mutex_lock(&self->lock);
    pthread_cond_broadcast(&self->work);
    while (self->workers > 0) {
        pthread_cond_wait(&self->gone, &self->lock);
    }
    ensure(!self->first);
    pthread_mutex_unlock(&self->lock);
}
