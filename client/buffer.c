/*  buffer.c - large values that the program writes in place: memory of the node's store, or the process's own when the
    value is small or there is no store. */
#include <endian.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/node_values.h"
#include "client/study_link.h"
#include "client/task.h"

enum { HEAD_BYTES = 5, BIN32 = 0xC6 };

struct rayc_buffer {
    struct local_buffer local; /* store NULL: the bytes are in `own` */
    uint8_t *own;
    size_t size;
};

/*  In the store, after the head of its value. */
static int take_stored(rayc_buffer *self)
{
    bool large = self->size > RAYC_VALUE_MAX - HEAD_BYTES;
    int rc = node_values_create(self->size + HEAD_BYTES, large, &self->local);
    if (rc == RAYC_OK) {
        uint32_t size = htobe32((uint32_t)self->size);
        self->local.bytes[0] = BIN32;
        memcpy(self->local.bytes + 1, &size, sizeof(size));
    }
    return rc == RAYC_ENOTFOUND ? RAYC_OK : rc;
}

rayc_buffer *rayc_buffer_new(size_t size)
{
    if (size > UINT32_MAX) {
        failure_say(RAYC_ETOOLARGE, "a buffer of %zu bytes: 4 GiB - 1 are the most", size);
        return NULL;
    }
    rayc_buffer *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->size = size;
    if (size + HEAD_BYTES >= STORED_BYTES_MIN && take_stored(self) != RAYC_OK) {
        free(self);
        return NULL;
    }
    if (self->local.store == NULL) {
        self->own = calloc(1, size + 1);
        ensure(self->own != NULL);
    }
    return self;
}

void *rayc_buffer_data(rayc_buffer *self)
{
    if (self == NULL) {
        return NULL;
    }
    return self->local.store != NULL ? self->local.bytes + HEAD_BYTES : self->own;
}

void rayc_buffer_free(rayc_buffer **self)
{
    if (self != NULL && *self != NULL) {
        local_store_abort(&(*self)->local);
        free((*self)->own);
        free(*self);
        *self = NULL;
    }
}

rayc_ref rayc_put_buffer(rayc_buffer **buffer)
{
    rayc_ref ref = { 0 };
    struct session *session = rayc_session_();
    if (session != NULL && (buffer == NULL || *buffer == NULL)) {
        failure_say(RAYC_EINVALID, "there is no buffer: it was put or returned before");
        session_born_failed(session, 1, &ref);
    } else if (session != NULL && (*buffer)->local.store != NULL) {
        ref = session_put_buffer(session, &(*buffer)->local);
    } else if (session != NULL) {
        ref = rayc_put(rayc_bytes((*buffer)->own, (*buffer)->size));
    }
    rayc_buffer_free(buffer);
    return ref;
}

int rayc_return_buffer(rayc_task *task, rayc_buffer **buffer)
{
    if (returns_one(task, "rayc_return_buffer_at")) {
        return rayc_return_buffer_at(task, 0, buffer);
    }
    rayc_buffer_free(buffer);
    return 0;
}

int rayc_return_buffer_at(rayc_task *task, size_t index, rayc_buffer **buffer)
{
    if (buffer == NULL || *buffer == NULL) {
        task_mistake(task, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: its result is no buffer: it was put or returned before",
                     (int)task->run.name.n, (const char *)task->run.name.p);
    } else if ((*buffer)->local.store != NULL) {
        returns_set_kept(task, index, &(*buffer)->local);
    } else {
        rayc_return_at(task, index, rayc_bytes((*buffer)->own, (*buffer)->size));
    }
    rayc_buffer_free(buffer);
    return 0;
}
