/*  carry_take.c - objects that drivers on machines without a node put: chunk by chunk, checked, and sealed when all of them
    are here.  What is not gone on with is given up. */
#include "worker/carry_state.h"

#include <sodium.h>
#include <stdlib.h>
#include "common/log.h"

enum {
    UPLOADS_MAX = 64,
    ROOM_MS = 10000,   /* it waits so long for room in memory or on disk */
    UNUSED_MS = 60000, /* and its sender may be silent for so long */
};

static void free_upload(struct carry *self, struct upload *upload)
{
    struct upload **at = &self->uploads;
    while (*at != upload) {
        at = &(*at)->next;
    }
    *at = upload->next;
    self->upload_count--;
    free(upload->known);
    free(upload);
}

static void give_up(struct carry *self, struct upload *upload)
{
    const struct pulls_sink *sink = &self->options.store.sink;
    sink->abort(sink->context, upload->buffer);
    free_upload(self, upload);
}

static struct upload *find(struct carry *self, uint64_t number, uint64_t user)
{
    struct upload *upload = self->uploads;
    while (upload && (upload->number != number || upload->user != user)) {
        upload = upload->next;
    }
    return upload;
}

/*  OK or PULLS_LATER: *out is one. */
static int begin(struct carry *self, const struct msg_carry_put *put, uint64_t user,
                 struct upload **out)
{
    const struct pulls_sink *sink = &self->options.store.sink;
    uint32_t buffer;
    if (self->upload_count == UPLOADS_MAX) {
        return ERR_BUSY;
    }
    if (put->size == 0 || put->size / CARRY_CHUNK >= UINT32_MAX) {
        return ERR_INVALID;
    }
    int code = sink->create(sink->context, user, put->size, &buffer);
    if (code < 0) {
        return code;
    }
    struct upload *upload = calloc(1, sizeof(*upload));
    ensure(upload != NULL);
    *upload = (struct upload){ .next = self->uploads,
                               .number = put->upload,
                               .user = user,
                               .size = put->size,
                               .buffer = buffer,
                               .ready = code == OK,
                               .known = calloc(chunk_count(put->size), 1),
                               .chunks = chunk_count(put->size),
                               .begun_ms = self->now_ms,
                               .used_ms = self->now_ms };
    ensure(upload->known != NULL);
    self->uploads = upload;
    self->upload_count++;
    *out = upload;
    return code;
}

/*  Is there room for it?  Below zero: it is no more. */
static int make_ready(struct carry *self, struct upload *upload)
{
    const struct pulls_sink *sink = &self->options.store.sink;
    int code = upload->ready ? OK : sink->ready(sink->context, upload->buffer);
    upload->ready = code == OK;
    if (code < 0) {
        free_upload(self, upload); /* the buffer is not ours any more */
    } else if (code != OK && self->now_ms >= upload->begun_ms + ROOM_MS) {
        give_up(self, upload);
        code = ERR_FULL;
    }
    return code;
}

static int put_chunk(struct carry *self, struct upload *upload, const struct msg_carry_put *put,
                     struct slice bytes)
{
    const struct pulls_sink *sink = &self->options.store.sink;
    uint32_t chunk = (uint32_t)(put->offset / CARRY_CHUNK);
    if (put->offset % CARRY_CHUNK != 0 || bytes.n != chunk_bytes(upload->size, chunk)) {
        return ERR_INVALID;
    }
    struct chunk_hash hash = chunk_hash(bytes);
    if (!chunk_hash_is(&hash, put->hash)) {
        return PULLS_LATER; /* it is wanted again */
    }
    int code = sink->write(sink->context, upload->buffer, put->offset, bytes);
    upload->known_count += code == OK && !upload->known[chunk];
    upload->known[chunk] = code == OK;
    return code;
}

static int seal(struct carry *self, struct upload *upload, const struct msg_carry_put *put)
{
    const struct carry_store *store = &self->options.store;
    if (upload->known_count < upload->chunks) {
        return ERR_INVALID;
    }
    int code = store->seal(store->context, upload->buffer, put->task, put->index);
    free_upload(self, upload);
    return code;
}

int take_chunk(struct carry *self, const struct msg_carry_put *put, struct slice bytes,
               const char **text)
{
    uint8_t token[TOKEN_HASH_BYTES];
    uint32_t role = 0;
    uint64_t user = 0;
    *text = "";
    crypto_generichash(token, sizeof(token), put->token.p, put->token.n, NULL, 0);
    int code = carry_bearer(self, token, &role, &user);
    if (code != OK || (role != ROLE_ADMIN && role != ROLE_USER)) {
        *text = code == PULLS_LATER ? "" : "this token gives no right to put objects";
        return code != OK ? code : ERR_FORBIDDEN;
    }
    struct upload *upload = find(self, put->upload, user);
    code = upload ? OK : begin(self, put, user, &upload);
    code = code < 0 ? code : make_ready(self, upload);
    if (code != OK) {
        *text = code == ERR_FULL ? "the object store of that node has no room for it" : "";
        return code;
    }
    upload->used_ms = self->now_ms;
    return put->size != upload->size    ? ERR_INVALID
           : put->offset < upload->size ? put_chunk(self, upload, put, bytes)
                                        : seal(self, upload, put);
}

void take_turn(struct carry *self)
{
    for (struct upload *upload = self->uploads, *next; upload; upload = next) {
        next = upload->next;
        if (self->now_ms >= upload->used_ms + UNUSED_MS) {
            log_warn("carry.upload", "user=%llu bytes=%llu text=\"its sender is silent\"",
                     (unsigned long long)upload->user, (unsigned long long)upload->size);
            give_up(self, upload);
        }
    }
}

void take_close(struct carry *self)
{
    while (self->uploads) {
        give_up(self, self->uploads);
    }
}
