/*  pulls_chunks.c - which chunk is asked for next and of whom, and what is done with an answer. */
#include "proto/pulls_state.h"

#include <stdio.h>
#include "common/log.h"

enum { BUSY_MS = 100 /* a source that is busy is left alone for so long */ };

struct source *pull_source_of(struct pull *pull, const struct peer *peer)
{
    for (uint32_t i = 0; i < pull->source_count; i++) {
        if (pull->sources[i].peer == peer) {
            return &pull->sources[i];
        }
    }
    return NULL;
}

/* --- requests --------------------------------------------------------------------------------------------- */

static struct request *free_request(struct pulls *self)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &self->requests[(self->seq + 1 + i) % REQUESTS_MAX];
        if (!request->pull) {
            return request;
        }
    }
    return NULL;
}

/*  Its answer, if there is one yet, is nobody's. */
static void end_request(struct pulls *self, struct request *request)
{
    struct pull *pull = request->pull;
    if (request->chunk != NONE && pull->flights[request->chunk] != CHUNK_HERE) {
        pull->flights[request->chunk]--;
        pull->hint = request->chunk < pull->hint ? request->chunk : pull->hint;
    }
    pull->flying--;
    request->peer->requests--;
    request->peer->bytes -= request->bytes;
    self->flight -= request->bytes;
    self->request_count--;
    *request = (struct request){ 0 };
}

void requests_end_of(struct pulls *self, const struct pull *pull, const struct peer *peer)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &self->requests[i];
        if (request->pull && (!pull || request->pull == pull) && (!peer || request->peer == peer)) {
            end_request(self, request);
        }
    }
}

/*  A node that says nothing at all has stalled; one that is slow has not. */
void requests_on_time(struct pulls *self)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &self->requests[i];
        if (!request->pull) {
            continue;
        }
        struct peer *peer = request->peer;
        uint64_t since = peer->heard_ms > request->asked_ms ? peer->heard_ms : request->asked_ms;
        if (self->now_ms >= since + self->options.stall_ms) {
            peer->pause_ms = self->now_ms + self->options.stall_ms; /* others are asked first */
            self->stats.again++;
            end_request(self, request);
        }
    }
}

static bool has_room(const struct pulls *self, const struct peer *peer, uint64_t bytes)
{
    return peer->up && self->now_ms >= peer->pause_ms && self->request_count < REQUESTS_MAX &&
           peer->requests < PEER_REQUESTS_MAX &&
           (peer->requests == 0 || peer->bytes + bytes <= PEER_BYTES_MAX) &&
           self->flight + bytes <= FLIGHT_BYTES_MAX;
}

/*  Its seq, modulo REQUESTS_MAX, is its place.  With NONE: for the hash of the whole.  False: the source cannot be asked now. */
static bool ask(struct pulls *self, struct pull *pull, struct source *source, uint32_t chunk)
{
    uint64_t offset = chunk == NONE ? pull->size : (uint64_t)chunk * CARRY_CHUNK;
    uint32_t bytes = chunk == NONE ? 0 : (uint32_t)chunk_bytes(pull->size, chunk);
    struct request *request = free_request(self);
    if (source->struck || !request || !has_room(self, source->peer, bytes)) {
        return false;
    }
    self->seq =
        (self->seq / REQUESTS_MAX + 1) * REQUESTS_MAX + (uint64_t)(request - self->requests);
    struct msg_carry_get get = { .seq = self->seq,
                                 .token = slice_text(self->token),
                                 .task = pull->task,
                                 .index = pull->index,
                                 .size = pull->size,
                                 .offset = offset,
                                 .user = pull->user };
    if (!pull_peer_ask(source->peer, &get)) {
        return false;
    }
    *request = (struct request){ pull, source->peer, self->seq, self->now_ms, chunk, bytes };
    if (chunk != NONE) {
        pull->flights[chunk]++;
    }
    pull->flying++;
    source->peer->requests++;
    source->peer->bytes += bytes;
    self->request_count++;
    self->flight += bytes;
    return true;
}

/*  The first chunk that is neither here nor asked for, or NONE. */
static uint32_t wanted_chunk(struct pull *pull)
{
    while (pull->hint < pull->chunks && pull->flights[pull->hint] != 0) {
        pull->hint++;
    }
    return pull->hint < pull->chunks ? pull->hint : NONE;
}

/*  All is asked for: what has been on its way for long may come sooner from a source that has nothing to do. */
static bool ask_again(struct pulls *self, struct pull *pull)
{
    for (uint32_t i = 0; i < REQUESTS_MAX && pull->flying > 0; i++) {
        const struct request *late = &self->requests[i];
        if (late->pull != pull || late->chunk == NONE || pull->flights[late->chunk] != 1 ||
            self->now_ms < late->asked_ms + self->options.again_ms) {
            continue;
        }
        for (uint32_t k = 0; k < pull->source_count; k++) {
            struct source *source = &pull->sources[k];
            if (source->peer != late->peer && source->peer->requests == 0 &&
                ask(self, pull, source, late->chunk)) {
                return true;
            }
        }
    }
    return false;
}

static bool fill_pull(struct pulls *self, struct pull *pull)
{
    bool asked = false;
    uint32_t chunk;
    for (bool again = true; again && (chunk = wanted_chunk(pull)) != NONE;) {
        again = false;
        for (uint32_t i = 0; i < pull->source_count && chunk != NONE; i++) {
            if (ask(self, pull, &pull->sources[i], chunk)) {
                again = asked = true;
                chunk = wanted_chunk(pull);
            }
        }
    }
    bool idle = pull->source_count > 1 && wanted_chunk(pull) == NONE && pull->flying > 0;
    return (idle && ask_again(self, pull)) || asked;
}

/*  Since when a source has been asked for this object; 0: it has not. */
static uint64_t asked_since(const struct pulls *self, const struct pull *pull,
                            const struct peer *peer)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        if (self->requests[i].pull == pull && self->requests[i].peer == peer) {
            return self->requests[i].asked_ms;
        }
    }
    return 0;
}

/*  Of the source that was heard last, and when that takes long, of another one, too. */
static bool ask_whole(struct pulls *self, struct pull *pull)
{
    struct source *best = NULL;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        struct source *source = &pull->sources[i];
        uint64_t since = asked_since(self, pull, source->peer);
        if (since != 0 && self->now_ms < since + self->options.again_ms) {
            return false;
        }
        bool usable = since == 0 && !source->struck && source->peer->up;
        if (usable && (!best || source->peer->heard_ms > best->peer->heard_ms)) {
            best = source;
        }
    }
    return best && ask(self, pull, best, NONE);
}

bool requests_fill(struct pulls *self)
{
    bool asked = false;
    for (struct pull *pull = self->first; pull && self->request_count < REQUESTS_MAX;
         pull = pull->next) {
        if (pull->state == PULL_RUNS) {
            asked = fill_pull(self, pull) || asked;
        } else if (pull->state == PULL_CHECKS) {
            asked = ask_whole(self, pull) || asked;
        }
    }
    return asked;
}

/* --- answers ---------------------------------------------------------------------------------------------- */

/*  The sources have different bytes, or give wrong ones with right hashes: all that came from several is worth nothing.
    It goes on with one of them. */
static void start_over(struct pulls *self, struct pull *pull)
{
    static const char text[] = "its copies differ, or were damaged on the way";
    struct source *only = NULL;
    uint32_t usable = 0;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        struct source *source = &pull->sources[i];
        source->told = false;
        if (!source->struck) {
            usable++;
            only = only ? only : source;
        }
    }
    log_warn("carry.whole", "task=%llu index=%u sources=%u text=\"%s\"",
             (unsigned long long)pull->task, pull->index, usable, text);
    self->stats.wrong += pull->chunks;
    memset(pull->flights, 0, pull->chunks);
    pull->here = pull->hint = 0;
    pull->state = PULL_RUNS;
    for (uint32_t i = 0; i < pull->source_count; i++) { /* the last one that is struck ends it */
        struct source *source = &pull->sources[i];
        if (source != only && !source->struck) {
            pull_strike(self, pull, source, ERR_CONFLICT, text);
        }
    }
    if (usable == 1) {
        pull_strike(self, pull, only, ERR_CONFLICT, text);
    }
}

/*  Everything is here. */
static void check_whole(struct pulls *self, struct pull *pull)
{
    struct chunk_hash whole = chunk_hash_whole(pull->hashes, pull->chunks);
    bool told = false;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        const struct source *source = &pull->sources[i];
        if (source->told && !source->struck) {
            told = true;
            if (memcmp(&source->whole, &whole, sizeof(whole)) != 0) {
                start_over(self, pull);
                return;
            }
        }
    }
    if (!told) {
        pull->state = PULL_CHECKS;
        return;
    }
    pull_end(self, pull, OK, "");
}

static void take_chunk(struct pulls *self, struct pull *pull, struct source *source, uint32_t chunk,
                       struct slice bytes)
{
    struct chunk_hash hash = pull->hashes[chunk];
    pull->hashes[chunk] = chunk_hash(bytes);
    if (bytes.n != chunk_bytes(pull->size, chunk) ||
        memcmp(&hash, &pull->hashes[chunk], sizeof(hash)) != 0) {
        self->stats.wrong++;
        log_warn("carry.wrong", "task=%llu index=%u chunk=%u from=\"%s\"",
                 (unsigned long long)pull->task, pull->index, chunk, source->peer->address);
        pull_strike(self, pull, source, ERR_INVALID, "its bytes do not have the hash that it says");
        return;
    }
    int code = self->options.sink.write(self->options.sink.context, pull->buffer,
                                        (uint64_t)chunk * CARRY_CHUNK, bytes);
    if (code != OK) {
        pull_end(self, pull, code, "it cannot be written into this node's store");
        return;
    }
    pull->flights[chunk] = CHUNK_HERE;
    pull->here++;
    pull->progress_ms = self->now_ms;
    pull->warned = false;
    self->stats.chunks++;
    self->stats.bytes += bytes.n;
    if (pull->here == pull->chunks) {
        requests_end_of(self, pull, NULL); /* of what was asked for twice */
        check_whole(self, pull);
    }
}

static void refuse(struct pulls *self, struct pull *pull, struct source *source,
                   const struct msg_carry_data *data)
{
    char text[160];
    slice_copy_text(data->text, text, sizeof(text));
    if (data->code == ERR_BUSY) {
        source->peer->pause_ms = self->now_ms + BUSY_MS;
        return;
    }
    if (data->code == ERR_NOT_FOUND) {
        pull_tell(self, pull, &(struct pull_news){ .kind = PULL_MISSING, .node = source->node });
    }
    pull_strike(self, pull, source, data->code, text);
}

void requests_answer(struct pulls *self, struct peer *peer, struct slice head, struct slice bytes)
{
    struct msg msg;
    struct diag why;
    peer->heard_ms = self->now_ms;
    if (proto_decode(head, &msg, &why) != OK || msg.kind != MSG_CARRY_DATA) {
        log_warn("carry.frame", "from=\"%s\" why=\"%s\"", peer->address, why.text);
        return;
    }
    const struct msg_carry_data *data = &msg.as.carry_data;
    struct request *request = &self->requests[data->seq % REQUESTS_MAX];
    if (request->seq != data->seq || request->peer != peer || !request->pull) {
        return; /* it was given up */
    }
    struct pull *pull = request->pull;
    struct source *source = pull_source_of(pull, peer);
    uint32_t chunk = request->chunk;
    end_request(self, request);
    if (data->code != OK) {
        refuse(self, pull, source, data);
        return;
    }
    if (data->whole.n == CARRY_HASH_BYTES) {
        source->told = true;
        memcpy(&source->whole, data->whole.p, CARRY_HASH_BYTES);
    }
    if (chunk == NONE) {
        check_whole(self, pull);
    } else if (pull->flights[chunk] != CHUNK_HERE && data->hash.n == CARRY_HASH_BYTES) {
        memcpy(&pull->hashes[chunk], data->hash.p, CARRY_HASH_BYTES);
        take_chunk(self, pull, source, chunk, bytes);
    }
}
