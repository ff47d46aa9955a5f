/*  nested.c - one session at most, under a lock; between two attempts it is silent, for no ticket is good then. */
#include "client/nested.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "client/cluster.h"
#include "client/failure.h"
#include "client/program.h"
#include "client/serve.h"

enum { RECONNECT_MS = 600 * 1000 /* RAYC_RECONNECT_MS */ };

static struct {
    pthread_mutex_t lock;
    struct session *_Atomic session;
    _Atomic uint64_t token; /* of the attempt that it is open for; 0: none */
    bool forked;
} nested = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*  In the child of a fork: it has neither our thread nor a right to the connection, nor is it the task. */
static void after_fork(void)
{
    nested.forked = true;
    nested.token = 0;
}

void nested_prepare(void)
{
    pthread_atfork(NULL, NULL, after_fork);
}

struct session *nested_current(void)
{
    uint64_t token = serve_running(NULL);
    return token != 0 && atomic_load_explicit(&nested.token, memory_order_acquire) == token
               ? nested.session
               : NULL;
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static int open_session(uint64_t token, const char *ticket)
{
    char address[ADDRESS_BYTES_MAX], hash[HASH_TEXT_BYTES];
    struct member_key key;
    bool has_key = false;
    uint64_t patience_ms = number_of("RAYC_RECONNECT_MS");
    uint32_t lost_ms_max =
        patience_ms > 0 && patience_ms <= UINT32_MAX ? (uint32_t)patience_ms : RECONNECT_MS;
    struct session_config config = { .address = address,
                                     .attach_job = number_of("RAYC_JOB_ID"),
                                     .attach_token = token,
                                     .durability = DURABLE_PROCESS,
                                     .ticket = ticket,
                                     .first_ms_max = lost_ms_max,
                                     .reconnect_ms_max = lost_ms_max };
    int rc = cluster_find(NULL, address, &key, &has_key);
    config.key = has_key ? &key : NULL;
    rc = rc == RAYC_OK ? program_hash("/proc/self/exe", hash) : rc;
    struct session *session = NULL;
    rc = rc == RAYC_OK ? session_open(&session, &config) : rc;
    if (rc == RAYC_OK) {
        session_set_program(session, NULL, hash); /* the head has it: it has started us */
        nested.session = session;
    }
    return rc;
}

/*  Under the lock: the session is for this attempt from now on. */
static int take_up(uint64_t task, uint64_t token)
{
    char ticket[CHANNEL_TICKET];
    int rc = serve_ticket(task, token, ticket);
    if (rc != RAYC_OK) {
        return rc;
    }
    if (nested.session != NULL && session_rejoin(nested.session, ticket) != RAYC_OK) {
        session_close(nested.session); /* the head has given it up: a new one has no references */
        nested.session = NULL;
    }
    if (nested.session == NULL) {
        rc = open_session(token, ticket);
    }
    explicit_bzero(ticket, sizeof(ticket));
    return rc;
}

struct session *nested_session(void)
{
    uint64_t task, token = serve_running(&task);
    struct session *session = nested_current();
    if (session != NULL) {
        return session;
    }
    if (token == 0 || nested.forked) {
        failure_say(RAYC_ECLOSED, "%s",
                    nested.forked
                        ? "this process is a fork of an executor: only that one can use rayc"
                        : "no task runs in this executor: rayc is for its tasks only");
        return NULL;
    }
    pthread_mutex_lock(&nested.lock);
    if (nested.token != token && take_up(task, token) == RAYC_OK) {
        nested.token = token;
    }
    session = nested.token == token ? nested.session : NULL;
    pthread_mutex_unlock(&nested.lock);
    return session;
}

/*  What an earlier task of this process has made, and dropped, is there again for one that has read it. */
struct session *nested_reader(rayc_ref ref)
{
    struct session *session = nested_current();
    if (session == NULL) {
        pthread_mutex_lock(&nested.lock);
        bool own = nested.session != NULL && !session_is_foreign(nested.session, ref);
        pthread_mutex_unlock(&nested.lock);
        session = own ? nested_session() : NULL;
    }
    return session;
}

void nested_settle(void)
{
    if (nested.token != 0) {
        pthread_mutex_lock(&nested.lock);
        nested.token = 0;
        session_park(nested.session);
        pthread_mutex_unlock(&nested.lock);
    }
}

void nested_keep(void)
{
    struct session *session = nested_current();
    if (session != NULL) {
        session_settle(session);
    }
}
