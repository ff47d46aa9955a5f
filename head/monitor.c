/*  monitor.c - one copy of the loop's numbers, behind a lock that the loop never waits for. */
#include "head/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log.h"

struct monitor {
    struct loop_counts counts; /* of the loop's thread */
    int fd;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t told;
    struct monitor_view view;
};

int monitor_open(struct monitor **out)
{
    *out = NULL;
    struct monitor *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->told, &clock);
    pthread_condattr_destroy(&clock);
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        log_error("monitor.open", "error=\"%s\"", strerror(errno));
        monitor_close(&self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

void monitor_close(struct monitor **self)
{
    struct monitor *monitor = *self;
    *self = NULL;
    if (monitor) {
        if (monitor->fd >= 0) {
            close(monitor->fd);
        }
        pthread_cond_destroy(&monitor->told);
        pthread_mutex_destroy(&monitor->lock);
        free(monitor);
    }
}

struct loop_counts *monitor_counts(struct monitor *self)
{
    return &self->counts;
}

int monitor_fd(const struct monitor *self)
{
    return self->fd;
}

/*  A reader that holds the lock is writing its page, for milliseconds: the descriptor stays readable until then. */
void monitor_tell(struct monitor *self, const struct core *core)
{
    uint64_t asked;
    if (pthread_mutex_trylock(&self->lock) != 0) {
        return;
    }
    if (read(self->fd, &asked, sizeof(asked)) == (ssize_t)sizeof(asked)) {
        core_survey(core, &self->view.core);
        self->view.loop = self->counts;
        self->view.at_ms = clock_ms();
        pthread_cond_broadcast(&self->told);
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_fresh(const struct monitor *self)
{
    return self->view.at_ms != 0 && clock_ms() < self->view.at_ms + MONITOR_FRESH_MS;
}

const struct monitor_view *monitor_look(struct monitor *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MONITOR_WAIT_MS / 1000;
    pthread_mutex_lock(&self->lock);
    const uint64_t one = 1;
    int waited = 0;
    if (!is_fresh(self) && write(self->fd, &one, sizeof(one)) < 0) {
        waited = ETIMEDOUT;
    }
    while (waited == 0 && !is_fresh(self)) {
        waited = pthread_cond_timedwait(&self->told, &self->lock, &until);
    }
    if (waited != 0) {
        pthread_mutex_unlock(&self->lock);
        return NULL;
    }
    return &self->view;
}

void monitor_done(struct monitor *self)
{
    pthread_mutex_unlock(&self->lock);
}
