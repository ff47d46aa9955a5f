/*  store_sync.c - the helper thread of the store: everything that waits for the disk.

    Commits do not sync.  The helper syncs the WAL through a descriptor of its own: safe, since
    SQLite's locks are on the database and its -shm file, so that closing this descriptor can drop
    none of them, and since the WAL stays the same file as long as the connection is open.  A
    checkpoint needs the connection: the owner lends it and goes on with everything but the
    database. */
#include "head/store_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/log.h"

/*  The kernel forgets what it could not write: a second sync would succeed and lie. */
static void sync_now(struct store *self, uint64_t commit)
{
    if (fdatasync(self->wal_fd) != 0) {
        log_error("store.sync_failed", "path=%s errno=%d", self->path, errno);
        abort();
    }
    atomic_store(&self->synced, commit);
    uint64_t one = 1;
    ssize_t n = write(self->event_fd, &one, sizeof(one));
    ensure(n == sizeof(one) || errno == EAGAIN); /* EAGAIN: it is readable anyway */
}

/*  Takes what readers allow; the next commit starts the WAL anew if that was all.  An I/O error
    while syncing the database is as final as one of the WAL. */
static void checkpoint_now(struct store *self)
{
    int pages = 0;
    int done = 0;
    int rc = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &done);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
        log_error("store.checkpoint_failed", "path=%s error=%s", self->path,
                  sqlite3_errmsg(self->db));
        abort();
    }
    log_debug("store.checkpoint", "pages=%d done=%d", pages, done);
}

static void *helper_main(void *context)
{
    struct store *self = context;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        if (self->sync_wanted > atomic_load(&self->synced)) {
            uint64_t commit = self->sync_wanted;
            pthread_mutex_unlock(&self->lock);
            sync_now(self, commit);
            pthread_mutex_lock(&self->lock);
        } else if (atomic_load(&self->lent)) {
            pthread_mutex_unlock(&self->lock);
            checkpoint_now(self);
            pthread_mutex_lock(&self->lock);
            atomic_store(&self->lent, false);
            pthread_cond_signal(&self->returned);
        } else if (self->ending) {
            break;
        } else {
            pthread_cond_wait(&self->asked, &self->lock);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int store_helper_start(struct store *self)
{
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->event_fd < 0) {
        return ERR_SYSTEM;
    }
    if (pthread_create(&self->helper, NULL, helper_main, self) != 0) {
        return ERR_SYSTEM;
    }
    self->running = true;
    return OK;
}

void store_helper_stop(struct store *self)
{
    if (!self->running) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->asked);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->helper, NULL);
    self->running = false;
}

void store_take(struct store *self)
{
    if (atomic_load(&self->lent)) {
        pthread_mutex_lock(&self->lock);
        while (atomic_load(&self->lent)) {
            pthread_cond_wait(&self->returned, &self->lock);
        }
        pthread_mutex_unlock(&self->lock);
    }
    if (self->lending != NULL) {
        sqlite3_reset(self->lending); /* an open read would hold the WAL back */
        self->lending = NULL;
    }
}

uint64_t store_committed(const struct store *self)
{
    return self->committed;
}

uint64_t store_synced(const struct store *self)
{
    return atomic_load(&self->synced);
}

int store_fd(const struct store *self)
{
    return self->event_fd;
}

void store_sync(struct store *self)
{
    if (!self->running) {
        atomic_store(&self->synced, self->committed);
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->sync_wanted = self->committed;
    pthread_cond_signal(&self->asked);
    pthread_mutex_unlock(&self->lock);
}

void store_checkpoint_if_due(struct store *self)
{
    if (!self->running || self->wal_pages < self->wal_pages_due || atomic_load(&self->lent)) {
        return;
    }
    store_take(self);
    /*  If a reader holds the WAL back it grows on: try again after as much more. */
    self->wal_pages_due = self->wal_pages + WAL_BYTES_MAX / self->page_bytes;
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->lent, true);
    pthread_cond_signal(&self->asked);
    pthread_mutex_unlock(&self->lock);
}
