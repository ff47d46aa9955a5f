/*  programs.c - a fetch asks for PIECES_AHEAD pieces at a time and takes them in order; what comes out of order is
    dropped, since it is asked for again after a reconnect.  Few programs are fetched at a time: a list. */
#include "worker/programs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"

enum { PIECES_AHEAD = 4, PATIENCE_MS = 5000, FOLDER_BYTES = PATH_BYTES - HASH_TEXT - 16 };

struct fetch {
    struct fetch *next;
    struct hash sum;
    char hash[HASH_TEXT + 1];
    int fd;
    uint64_t total;    /* 0: not known yet */
    uint64_t have;     /* bytes, without a gap */
    uint64_t asked;    /* up to here */
    uint64_t heard_ms; /* when a piece has come */
    bool ended;
    int code;
    const char *text;
};

struct fetches {
    bool joined;
    uint64_t now_ms;
    struct fetch *fetches;
    char dir[FOLDER_BYTES];
};

static void path_of(const struct fetches *self, const char *hash, const char *suffix, char *out)
{
    snprintf(out, PATH_BYTES, "%s/%s%s", self->dir, hash, suffix);
}

static void remove_parts(const char *dir)
{
    DIR *folder = opendir(dir);
    if (!folder) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".part") == 0) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    closedir(folder);
}

int fetches_open(struct fetches **out, const char *dir)
{
    struct fetches *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    int e = file_path(self->dir, sizeof(self->dir), dir, "programs");
    if (e) {
        free(self);
        return e;
    }
    remove_parts(self->dir);
    *out = self;
    return OK;
}

static void fetch_destroy(struct fetch *fetch)
{
    if (fetch->fd >= 0) {
        close(fetch->fd);
    }
    free(fetch);
}

void fetches_close(struct fetches **self_p)
{
    struct fetches *self = *self_p;
    while (self && self->fetches) {
        struct fetch *next = self->fetches->next;
        fetch_destroy(self->fetches);
        self->fetches = next;
    }
    free(self);
    *self_p = NULL;
}

static void end(struct fetch *fetch, int code, const char *text)
{
    if (code) {
        log_error("program.fetch", "hash=%s why=\"%s\"", fetch->hash, text);
    }
    fetch->ended = true;
    fetch->code = code;
    fetch->text = text;
}

static struct fetch *find(struct fetches *self, struct slice hash)
{
    for (struct fetch *fetch = self->fetches; fetch; fetch = fetch->next) {
        if (!fetch->ended && slice_same(hash, slice_text(fetch->hash))) {
            return fetch;
        }
    }
    return NULL;
}

void fetches_want(struct fetches *self, const char *hash)
{
    if (find(self, slice_text(hash))) {
        return; /* its end will be told once, for all who wait */
    }
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    ensure(fetch != NULL);
    fetch->fd = -1;
    fetch->next = self->fetches;
    self->fetches = fetch;
    if (!hash_is_text(slice_text(hash))) {
        end(fetch, ERR_INVALID, "the name of the program is not a hash");
        return;
    }
    memcpy(fetch->hash, hash, sizeof(fetch->hash));
    char path[PATH_BYTES];
    path_of(self, hash, "", path);
    if (access(path, X_OK) == 0) {
        end(fetch, OK, "");
        return;
    }
    path_of(self, hash, ".part", path);
    fetch->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    if (fetch->fd >= 0) {
        (void)fchmod(fetch->fd, 0755); /* executors may be other users */
    }
    if (fetch->fd < 0) {
        end(fetch, ERR_SYSTEM, "the program cannot be written on this node");
        return;
    }
    fetch->heard_ms = self->now_ms;
    hash_begin(&fetch->sum);
    log_info("program.fetch", "hash=%s", hash);
}

void fetches_joined(struct fetches *self, bool joined)
{
    self->joined = joined;
    for (struct fetch *fetch = self->fetches; fetch; fetch = fetch->next) {
        fetch->asked = fetch->have;
    }
}

bool fetches_busy(const struct fetches *self)
{
    return self->fetches != NULL;
}

void fetches_on_time(struct fetches *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    for (struct fetch *fetch = self->fetches; fetch; fetch = fetch->next) {
        if (now_ms - fetch->heard_ms >= PATIENCE_MS) {
            fetch->heard_ms = now_ms;
            fetch->asked = fetch->have;
        }
    }
}

bool fetches_ask(struct fetches *self, struct msg_program_get *out)
{
    for (struct fetch *fetch = self->fetches; self->joined && fetch; fetch = fetch->next) {
        bool first = fetch->total == 0 && fetch->asked == 0;
        bool more = fetch->asked < fetch->total &&
                    fetch->asked - fetch->have < (uint64_t)PIECES_AHEAD * CHUNK_MAX;
        if (!fetch->ended && (first || more)) {
            *out =
                (struct msg_program_get){ .hash = slice_text(fetch->hash), .offset = fetch->asked };
            fetch->asked += CHUNK_MAX;
            return true;
        }
    }
    return false;
}

/*  All bytes are here: are they the right ones? */
static void finish(struct fetches *self, struct fetch *fetch)
{
    char sum[HASH_TEXT_BYTES], part[PATH_BYTES], path[PATH_BYTES];
    path_of(self, fetch->hash, ".part", part);
    path_of(self, fetch->hash, "", path);
    hash_end(&fetch->sum, sum);
    bool right = strcmp(sum, fetch->hash) == 0;
    bool stored = right && fsync(fetch->fd) == 0;
    close(fetch->fd); /* a file that is open for writing cannot be executed */
    fetch->fd = -1;
    stored = stored && rename(part, path) == 0;
    if (stored) {
        end(fetch, OK, "");
    } else {
        (void)unlink(part);
        end(fetch, right ? ERR_SYSTEM : ERR_CONFLICT,
            right ? "the program cannot be written on this node"
                  : "the program came with another content");
    }
}

void fetches_on_data(struct fetches *self, const struct msg_program_data *data)
{
    struct fetch *fetch = find(self, data->hash);
    if (!fetch) {
        return;
    }
    if (data->total == 0) {
        end(fetch, ERR_NOT_FOUND, "the head does not have the program");
        return;
    }
    if (data->offset != fetch->have || data->data.n == 0) {
        return;
    }
    ssize_t n = pwrite(fetch->fd, data->data.p, data->data.n, (off_t)fetch->have);
    if (n != (ssize_t)data->data.n) {
        end(fetch, ERR_SYSTEM, "the program cannot be written on this node");
        return;
    }
    hash_add(&fetch->sum, data->data.p, data->data.n);
    fetch->total = data->total;
    fetch->have += data->data.n;
    fetch->heard_ms = self->now_ms;
    bool short_piece = data->data.n < CHUNK_MAX;
    if (short_piece || fetch->asked < fetch->have) {
        fetch->asked = fetch->have; /* pieces do not end where we thought */
    }
    if (fetch->have >= fetch->total) {
        finish(self, fetch);
    }
}

bool fetches_next(struct fetches *self, struct program_news *out)
{
    for (struct fetch **at = &self->fetches; *at; at = &(*at)->next) {
        struct fetch *fetch = *at;
        if (fetch->ended) {
            *out = (struct program_news){ .code = fetch->code, .text = fetch->text };
            memcpy(out->hash, fetch->hash, sizeof(out->hash));
            *at = fetch->next;
            fetch_destroy(fetch);
            return true;
        }
    }
    return false;
}
