/*  ray_world.h - a database with jobs as Ray's client asks for them, for the tests of Ray's API. */
#ifndef RAYC_RAY_WORLD_H
#define RAYC_RAY_WORLD_H
#include "head/ray_open.h"
#include "head/ray_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "head/query_view.h"
#include "head/store.h"
#include "tests/unit/rows_put.h"

#define FIRST_TASK(session) ((uint64_t)(session) << TASK_COUNTER_BITS | 1)
#define PACKAGE_HASH        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct ray_world {
    char dir[64];
    char path[128];
    struct store *store;
    struct rows rows;
    sqlite3 *db;
    struct log_files logs;
    uint64_t jobs;
};

static inline void ray_world_open(struct ray_world *self)
{
    struct diag why;
    folder_new(self->dir);
    snprintf(self->path, sizeof(self->path), "%s/rayc.db", self->dir);
    assert_int_equal(store_open(&self->store, self->path, &why), OK);
    assert_int_equal(query_database(self->path, &self->db), OK);
    assert_int_equal(log_files_init(&self->logs, self->dir, 0), OK);
}

static inline void ray_world_close(struct ray_world *self)
{
    assert_int_equal(sqlite3_close(self->db), SQLITE_OK);
    store_close(&self->store);
    rows_free(&self->rows);
    folder_remove(self->dir);
    *self = (struct ray_world){ 0 };
}

static inline void ray_world_apply(struct ray_world *self)
{
    assert_int_equal(store_apply(self->store, &self->rows.batch), OK);
    rows_clear(&self->rows);
}

static inline struct ray_reader ray_reader_of(const struct ray_world *self, uint64_t owner)
{
    return (struct ray_reader){ self->db, &self->logs, owner };
}

/*  The one package that there is. */
static inline int package_find(void *context, const char *uri, char hash[HASH_TEXT_BYTES])
{
    (void)context;
    memcpy(hash, PACKAGE_HASH, HASH_TEXT_BYTES);
    return strcmp(uri, "gcs://_ray_pkg_one.zip") == 0 ? OK : ERR_NOT_FOUND;
}

static inline int ray_asked(struct ray_open *out, const char *body, struct ray_refusal *no)
{
    const struct ray_packages packages = { package_find, NULL };
    return ray_open_read(out, slice_text(body), &packages, no);
}

/*  The rows that the core writes for it: job N has session N, spec N and the driver's task. */
static inline uint64_t ray_world_job(struct ray_world *self, const char *body, uint64_t owner,
                                     uint64_t created_ms)
{
    struct ray_open open;
    struct ray_refusal no = { 0 };
    if (ray_asked(&open, body, &no) != OK) {
        fail_msg("%s", no.text);
    }
    uint64_t id = ++self->jobs;
    PUT(&self->rows, job_new, .id = id, .submission = open.job.submission, .kind = JOB_DRIVER,
        .state = JOB_PENDING, .entrypoint = open.job.entrypoint, .created_ms = created_ms,
        .owner = owner, .metadata = open.job.metadata, .runtime_env = open.job.runtime_env);
    PUT(&self->rows, session_new, .id = id, .job = id);
    PUT(&self->rows, spec_new, .id = id, .session = id, .kind = SPEC_DRIVER,
        .name = slice_text("sh"), .record = open.job.specs.bytes);
    PUT(&self->rows, task_new, .id = FIRST_TASK(id), .spec = id, .state = TASK_READY,
        .submitted_ms = created_ms);
    ray_world_apply(self);
    ray_open_fini(&open);
    return id;
}

/*  Parses and frees it. */
static inline json_t *ray_json(struct json *text)
{
    json_error_t error;
    json_t *value = json_loadb(text->p, text->n, 0, &error);
    if (value == NULL) {
        fail_msg("%s in %.*s", error.text, (int)text->n, text->p);
    }
    json_free(text);
    return value;
}
#endif
