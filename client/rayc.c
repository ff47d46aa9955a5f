/*  rayc.c - the functions of rayc.h outside of tasks: one session for the process, found and
    opened by rayc_init(). */
#include "client/rayc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "client/actor.h"
#include "client/cluster.h"
#include "client/command.h"
#include "client/failure.h"
#include "client/history.h"
#include "client/nested.h"
#include "client/options.h"
#include "client/program.h"
#include "client/serve.h"
#include "client/study_link.h"
#include "common/log.h"
#include "proto/value.h"

enum {
    RECONNECT_MS = 600 * 1000, /* RAYC_RECONNECT_MS */
    FIRST_MS = 30 * 1000       /* until a head must have answered at all */
};

#define OWN_PROGRAM "/proc/self/exe"

static struct session *_Atomic current;
static _Atomic bool forked; /* current was that of the parent process */
static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- joining and leaving ---------------------------------------------------------------------- */

/*  In the child of a fork: it has neither our thread nor a right to the connection. */
static void after_fork(void)
{
    forked = atomic_exchange(&current, NULL) != NULL || forked;
}

static struct session *session(void)
{
    struct session *self = atomic_load_explicit(&current, memory_order_acquire);
    if (self == NULL && serve_page() != NULL) {
        return nested_session();
    }
    if (self == NULL) {
        failure_say(RAYC_ECLOSED, "%s",
                    forked ? "this process is a fork of the one that called rayc_init(): it must "
                             "call that, too"
                           : "rayc_init() has not been called, or rayc_shutdown() has");
    }
    return self;
}

struct session *rayc_session_(void)
{
    return session();
}

void rayc_met_(rayc_ref ref)
{
    struct session *self = atomic_load_explicit(&current, memory_order_acquire);
    if (self == NULL && serve_page() != NULL) {
        self = actor_is() ? nested_session() : nested_reader(ref);
    }
    if (self != NULL) {
        session_met(self, ref);
    }
}

/*  A reference that says this thread's rayc_error(). */
static rayc_ref born_failed(struct session *self)
{
    rayc_ref ref = { 0 };
    session_born_failed(self, 1, &ref);
    return ref;
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/*  $RAYC_DURABILITY, of a job that this program opens itself. */
static int read_durability(enum durability *out)
{
    const char *text = getenv("RAYC_DURABILITY");
    *out = text != NULL && strcmp(text, "full") == 0 ? DURABLE_FULL : DURABLE_PROCESS;
    if (text != NULL && text[0] != 0 && *out != DURABLE_FULL && strcmp(text, "process") != 0) {
        return failure_say(RAYC_EINVALID, "RAYC_DURABILITY is \"%s\": write process or full", text);
    }
    return RAYC_OK;
}

/*  Where to go: an address, or a cluster of our own that is started now. */
static int find_or_start(const char *given, char *address, struct session_config *config,
                         struct member_key *key)
{
    bool has_key = false;
    int rc = cluster_find(given, address, key, &has_key);
    if (rc == ERR_NOT_FOUND) {
        rc = cluster_start_embedded(address);
    }
    config->address = address;
    config->key = has_key ? key : NULL;
    config->revive = rc == OK && cluster_is_embedded(address) ? cluster_revive : NULL;
    return rc;
}

static int join(const char *given)
{
    char address[ADDRESS_BYTES_MAX], hash[HASH_TEXT_BYTES] = "";
    struct member_key key;
    uint64_t patience_ms = number_of("RAYC_RECONNECT_MS");
    bool is_driver = getenv("RAYC_DRIVER") != NULL && getenv("RAYC_JOB_ID") != NULL &&
                     getenv("RAYC_FENCE") != NULL;
    struct session_config config = { 0 };
    config.reconnect_ms_max =
        patience_ms > 0 && patience_ms <= UINT32_MAX ? (uint32_t)patience_ms : RECONNECT_MS;
    config.first_ms_max = patience_ms > 0 || is_driver ? config.reconnect_ms_max : FIRST_MS;
    if (is_driver) {
        config.attach_job = number_of("RAYC_JOB_ID");
        config.attach_token = number_of("RAYC_FENCE");
    }
    int rc = read_durability(&config.durability);
    if (rc == RAYC_OK) {
        rc = find_or_start(given, address, &config, &key);
    }
    if (rc == RAYC_OK && function_count() > 0) {
        rc = program_hash(OWN_PROGRAM, hash); /* while a new cluster is starting */
    }
    struct session *self = NULL;
    if (rc == RAYC_OK) {
        rc = session_open(&self, &config);
    }
    if (rc != RAYC_OK) {
        return rc;
    }
    rc = hash[0] != 0 ? program_use(self, OWN_PROGRAM, hash) : RAYC_OK;
    if (rc != RAYC_OK) {
        rayc_failure why = *rayc_error();
        session_close(self);
        return failure_set(why.code, slice_text(why.text));
    }
    atomic_store_explicit(&current, self, memory_order_release);
    return RAYC_OK;
}

int rayc_init(const char *address)
{
    const char *executor = getenv("RAYC_EXECUTOR");
    if (executor != NULL && strcmp(executor, "1") == 0) {
        serve_tasks();
    }
    if (serve_page() != NULL) {
        return failure_say(RAYC_ECONFLICT,
                           "this process runs tasks: they can use rayc without rayc_init()");
    }
    static bool prepared;
    pthread_mutex_lock(&init_lock);
    if (!prepared) {
        prepared = true;
        log_level_set(LOG_LEVEL_WARN);
        pthread_atfork(NULL, NULL, after_fork);
    }
    int rc = atomic_load(&current) != NULL
                 ? failure_say(RAYC_ECONFLICT,
                               "rayc_init() was called before: a process has one cluster at a time")
                 : join(address);
    pthread_mutex_unlock(&init_lock);
    return rc;
}

void rayc_shutdown(void)
{
    struct session *self = atomic_exchange(&current, NULL);
    if (self != NULL) {
        session_close(self);
    }
}

const char *rayc_version(void)
{
    return RAYC_VERSION;
}

/* --- values ----------------------------------------------------------------------------------- */

rayc_arg rayc_nil(void)
{
    return (rayc_arg){ .value = { .kind = RAYC_NIL } };
}

rayc_arg rayc_bool(int value)
{
    return (rayc_arg){ .value = { RAYC_BOOL, { .i = value != 0 } } };
}

rayc_arg rayc_int(int64_t value)
{
    return (rayc_arg){ .value = { RAYC_INT, { .i = value } } };
}

rayc_arg rayc_float(double value)
{
    return (rayc_arg){ .value = { RAYC_FLOAT, { .f = value } } };
}

rayc_arg rayc_string(const char *text)
{
    if (text == NULL) {
        return rayc_nil();
    }
    return (rayc_arg){ .value = { RAYC_STRING, { .raw = { text, strlen(text) } } } };
}

rayc_arg rayc_bytes(const void *data, size_t size)
{
    return (rayc_arg){ .value = { RAYC_BYTES, { .raw = { data, size } } } };
}

rayc_arg rayc_packed(const void *msgpack, size_t size)
{
    return (rayc_arg){ .value = { RAYC_ARRAY, { .raw = { msgpack, size } } } };
}

rayc_arg rayc_of(rayc_ref ref)
{
    /* a zero reference must not look like a value: it fails where it is used */
    bool zero = ref.job == 0 && ref.number == 0;
    return (rayc_arg){ .ref = zero ? (rayc_ref){ UINT64_MAX, UINT32_MAX, UINT32_MAX } : ref };
}

rayc_arg rayc_nested(rayc_ref ref)
{
    return (rayc_arg){ .value = { RAYC_REF, { .ref = ref } } };
}

void rayc_pack_ref(rayc_ref ref, void *to)
{
    struct wire wire = { to, 0, RAYC_REF_BYTES, false };
    reference_put(&wire, REFERENCE_EXT, &(struct reference){ ref.number, ref.index, ref.job });
}

rayc_ref rayc_unpack_ref(const void *inside, size_t size)
{
    if (inside == NULL || size != REFERENCE_BYTES) {
        return (rayc_ref){ 0 };
    }
    struct reference reference = reference_inside(inside);
    rayc_ref ref = { reference.task, reference.index, reference.job };
    rayc_met_(ref);
    return ref;
}

/* --- tasks ------------------------------------------------------------------------------------ */

rayc_ref rayc_submit(const rayc_function *function, const rayc_options *options,
                     const rayc_arg *args, size_t count)
{
    struct session *self = session();
    if (self == NULL) {
        return (rayc_ref){ 0 };
    }
    if (function == NULL || (args == NULL && count > 0)) {
        failure_say(RAYC_EINVALID, "%s is NULL",
                    function == NULL ? "the function" : "the list of arguments");
        return born_failed(self);
    }
    rayc_ref ref = { 0 };
    session_submit(self, &(struct submission){ function, options, args, count, 1 }, &ref);
    return ref;
}

void rayc_submit_n(const rayc_function *function, const rayc_options *options, const rayc_arg *args,
                   size_t count, rayc_ref *refs)
{
    struct session *self = session();
    rayc_options complete;
    if (refs == NULL) {
        failure_say(RAYC_EINVALID, "there is no room for the references: refs is NULL");
        return;
    }
    uint32_t returns = options_complete(&complete, options) == RAYC_OK && complete.returns > 0
                           ? complete.returns
                           : 1;
    memset(refs, 0, returns * sizeof(*refs));
    if (self == NULL) {
        return;
    }
    if (function == NULL || (args == NULL && count > 0)) {
        failure_say(RAYC_EINVALID, "%s is NULL",
                    function == NULL ? "the function" : "the list of arguments");
        session_born_failed(self, returns, refs);
        return;
    }
    session_submit(self, &(struct submission){ function, options, args, count, returns }, refs);
}

rayc_ref rayc_put(rayc_arg arg)
{
    struct session *self = session();
    if (self == NULL) {
        return (rayc_ref){ 0 };
    }
    if (arg.ref.job != 0 || arg.ref.number != 0 || arg.value.kind == RAYC_REF) {
        failure_say(RAYC_EINVALID, "a reference cannot be put: it stands for a value already; "
                                   "wrap it in an array");
        return born_failed(self);
    }
    return session_put(self, &arg.value);
}

rayc_ref rayc_command(const rayc_options *options, const char *const *argv, const char *const *env,
                      const char *cwd, const void *input, size_t input_size)
{
    struct session *self = session();
    if (self == NULL) {
        return (rayc_ref){ 0 };
    }
    struct wire body = { 0 };
    const struct command_line line = {
        .argv = argv, .env = env, .cwd = cwd, .input = slice_of(input, input_size)
    };
    if (command_encode(&line, &body) != RAYC_OK) {
        return born_failed(self);
    }
    rayc_ref ref = session_command(self, options, argv[0], slice_of(body.p, body.n));
    free(body.p);
    return ref;
}

int rayc_get(rayc_ref ref, double seconds, rayc_value *out)
{
    struct session *self = session();
    return self != NULL ? session_get(self, ref, seconds, out) : RAYC_ECLOSED;
}

int rayc_get_all(const rayc_ref *refs, size_t count, double seconds, rayc_value *values)
{
    struct session *self = session();
    struct ref_list list = { refs, count };
    return self != NULL ? session_get_all(self, &list, seconds, values) : RAYC_ECLOSED;
}

int rayc_wait(rayc_ref *refs, size_t count, size_t wanted, double seconds)
{
    struct session *self = session();
    return self != NULL ? session_wait(self, refs, count, wanted, seconds) : RAYC_ECLOSED;
}

int rayc_cancel(rayc_ref ref, int how)
{
    struct session *self = session();
    int rc = self != NULL ? session_known(self, ref) : RAYC_ECLOSED;
    if ((how & ~(RAYC_FORCE | RAYC_ALONE)) != 0) {
        return failure_say(RAYC_EINVALID, "how is %d: it must be 0, RAYC_FORCE, RAYC_ALONE or both",
                           how);
    }
    if (rc != RAYC_OK) {
        return rc > 0 ? RAYC_OK : rc; /* it was never submitted: it has ended */
    }
    struct msg_cancel cancel = { .task = ref.number,
                                 .force = (how & RAYC_FORCE) != 0,
                                 .recursive = (how & RAYC_ALONE) == 0 };
    struct reply reply;
    rc = session_ask(self, MSG_CANCEL, &cancel, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        reply_free(&reply);
    }
    return rc;
}

int rayc_history(rayc_ref ref, void (*each)(void *context, const rayc_attempt_record *),
                 void *context)
{
    struct session *self = session();
    int rc = self != NULL ? session_known(self, ref) : RAYC_ECLOSED;
    if (rc == RAYC_OK && each == NULL) {
        return failure_say(RAYC_EINVALID,
                           "there is no function to tell the attempts to: it is NULL");
    }
    if (rc != RAYC_OK) {
        return rc > 0 ? 0 : rc; /* it was never submitted: there is no attempt */
    }
    return history_read(self, ref.number, &(struct listener){ each, context });
}

int rayc_free(const rayc_ref *refs, size_t count)
{
    struct session *self = session();
    return self != NULL ? session_free(self, refs, count) : RAYC_ECLOSED;
}

void rayc_drop(rayc_ref *ref)
{
    struct session *self = atomic_load_explicit(&current, memory_order_acquire);
    self = self == NULL ? nested_current() : self;
    if (ref == NULL || (ref->job == 0 && ref->number == 0)) {
        return;
    }
    if (self != NULL) {
        (void)session_drop(self, *ref);
    }
    *ref = (rayc_ref){ 0 };
}
