/*  services.c - PROGRAM_PUT and PROGRAM_GET, LOG and WATCH, QUERY and STUDY_READ, JOB_RETRY. */
#include "head/services.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "head/again.h"
#include "head/followers.h"
#include "head/logs.h"
#include "head/programs.h"
#include "head/query.h"
#include "head/wires.h"

enum { SWEEP_MS = 60 * 1000 };

struct hold { /* a client that has put a program may name it much later */
    uint32_t peer;
    char hash[HASH_TEXT_BYTES];
};

struct services {
    const struct core *core;
    turn_send *send;
    void *context; /* of send */
    struct store *store;
    struct programs *programs;
    struct hold *holds;
    uint32_t hold_count;
    uint64_t keep_ms, sweep_ms; /* how long a file without a name stays; when to look again */
    struct logs *logs;
    struct query *query;
    struct wire frame, data;
    struct followers *followers;
    struct again again;
};

static void say(void *context, uint32_t peer, enum msg_kind kind, const void *msg)
{
    struct services *self = context;
    if (!core_knows(self->core, peer)) {
        return; /* its token was revoked meanwhile */
    }
    proto_put(&self->frame, kind, msg);
    ensure(!self->frame.full);
    self->send(self->context, peer, slice_of(self->frame.p, self->frame.n));
    wire_clear(&self->frame);
}

/*  Logs of jobs that were deleted since go with the next start of a head. */
static void logs_sweep(struct services *self, const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        unsigned long long job;
        if (sscanf(entry->d_name, "job-%llu.log", &job) != 1) {
            continue;
        }
        if (core_job_owner(self->core, job) == 0) {
            logs_remove(self->logs, job);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

int services_open(struct services **out, const struct services_options *options)
{
    const char *state_dir = options->state_dir;
    char path[PATH_BYTES];
    *out = NULL;
    struct services *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->core = options->core;
    self->store = options->store;
    self->keep_ms = (uint64_t)options->package_keep_s * 1000;
    self->send = options->send;
    self->context = options->context;
    int code = wire_reserve(&self->frame) && wire_reserve(&self->data) ? OK : ERR_MEMORY;
    self->data.capacity = CHUNK_MAX;
    code = code == OK ? file_path(path, sizeof(path), state_dir, "programs") : code;
    code = code == OK ? programs_open(&self->programs, path) : code;
    code = code == OK ? file_path(path, sizeof(path), state_dir, "logs") : code;
    code = code == OK ? logs_open(&self->logs, path, (struct logs_limits){ 0 }) : code;
    if (code == OK) {
        logs_sweep(self, path);
        struct followers_to to = { say, self, self->core, logs_files(self->logs) };
        code = followers_open(&self->followers, &to);
    }
    code = code == OK ? query_open(&self->query, store_path(options->store)) : code;
    if (code != OK) {
        services_close(&self);
    }
    *out = self;
    return code;
}

void services_close(struct services **self)
{
    struct services *services = *self;
    *self = NULL;
    if (services) {
        query_close(&services->query);
        followers_close(&services->followers);
        logs_close(&services->logs);
        programs_close(&services->programs);
        again_clear(&services->again);
        free(services->holds);
        wire_free(&services->frame);
        wire_free(&services->data);
        free(services);
    }
}

static void refuse_as(struct services *self, uint32_t peer, uint64_t seq, int code,
                      const char *text)
{
    say(self, peer, MSG_REFUSED, &(struct msg_refused){ seq, code, slice_text(text) });
}

static void refuse(struct services *self, uint32_t peer, uint64_t seq, int code)
{
    refuse_as(self, peer, seq, code, err_text(code));
}

/* --- the content store ---------------------------------------------------------------------------- */

static void hold_add(struct services *self, uint32_t peer, struct slice hash)
{
    struct hold hold = { .peer = peer };
    slice_copy_text(hash, hold.hash, sizeof(hold.hash));
    for (uint32_t i = 0; i < self->hold_count; i++) {
        if (memcmp(&self->holds[i], &hold, sizeof(hold)) == 0) {
            return;
        }
    }
    self->holds = realloc(self->holds, (self->hold_count + 1) * sizeof(hold));
    ensure(self->holds != NULL);
    self->holds[self->hold_count++] = hold;
}

static void holds_of_the_gone(struct services *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->hold_count; i++) {
        if (core_knows(self->core, self->holds[i].peer)) {
            self->holds[count++] = self->holds[i];
        }
    }
    self->hold_count = count;
}

static int is_named(void *context, const char *hash, bool *named)
{
    struct services *self = context;
    for (uint32_t i = 0; i < self->hold_count; i++) {
        if (strcmp(self->holds[i].hash, hash) == 0) {
            *named = true;
            return OK;
        }
    }
    return store_file_named(self->store, hash, named);
}

void services_sweep(struct services *self, uint64_t now_ms, uint64_t wall_ms)
{
    if (now_ms < self->sweep_ms || wall_ms < self->keep_ms) {
        return;
    }
    holds_of_the_gone(self);
    if (!programs_sweep(self->programs, wall_ms - self->keep_ms, is_named, self)) {
        self->sweep_ms = now_ms + (self->keep_ms < SWEEP_MS ? self->keep_ms : SWEEP_MS);
    }
}

struct asked { /* who named a file */
    uint32_t peer;
    uint64_t seq;
    const char *advice; /* if it is not there */
};

/*  False: it is not in the content store, and that was said. */
static bool is_here(struct services *self, const struct asked *by, struct slice hash)
{
    uint64_t bytes;
    char text[160];
    if (programs_size(self->programs, hash, &bytes) != ERR_NOT_FOUND) {
        return true;
    }
    snprintf(text, sizeof(text), "the head has no file %.*s (any more): %s",
             (int)(hash.n < 12 ? hash.n : 12), (const char *)hash.p, by->advice);
    refuse_as(self, by->peer, by->seq, ERR_NOT_FOUND, text);
    return false;
}

/*  No job begins that names what is not here; what it names stays until it is forgotten. */
static bool files_are_here(struct services *self, uint32_t peer, const struct msg_job_open *msg,
                           const char *advice)
{
    const struct asked by = { peer, msg->seq, advice };
    struct list specs = msg->specs;
    struct rec_spec spec;
    struct rec_package package;
    while (next_spec(&specs, &spec)) {
        if (spec.program.n > 0 && !is_here(self, &by, spec.program)) {
            return false;
        }
        while (next_package(&spec.packages, &package)) {
            if (!is_here(self, &by, package.hash)) {
                return false;
            }
        }
    }
    return true;
}

static const char *const send_it = "send it first";

/*  True: it was refused, and changes nothing.  False: the message is the JOB_OPEN that it stands for. */
static bool on_job_retry(struct services *self, uint32_t peer, struct msg *msg)
{
    uint64_t seq = msg->as.seq;
    const char *why = NULL;
    int code = core_job_again(self->core, peer, &msg->as.job_retry, &why);
    if (code == OK) {
        code = again_read(&self->again, self->store, &msg->as.job_retry, msg);
        code = code == ERR_NOT_FOUND ? ERR_BUSY : code; /* it ended in this very turn */
    }
    if (code != OK) {
        refuse_as(self, peer, seq, code, why ? why : err_text(code));
        return true;
    }
    return !files_are_here(self, peer, &msg->as.job_open, "submit the job anew, with its files");
}

static void on_program_put(struct services *self, uint32_t peer, const struct msg_program_put *msg)
{
    struct msg_program_has has = { 0 };
    int code = programs_put(self->programs, msg, &has);
    if (code != OK) {
        refuse(self, peer, msg->seq, code);
        return;
    }
    if (has.complete) {
        hold_add(self, peer, msg->hash);
    }
    has.seq = msg->seq;
    has.hash = msg->hash;
    say(self, peer, MSG_PROGRAM_HAS, &has);
}

static void on_program_get(struct services *self, uint32_t peer, const struct msg_program_get *msg)
{
    struct msg_program_data reply = { .seq = msg->seq, .hash = msg->hash, .offset = msg->offset };
    int code = programs_read(self->programs, msg->hash, msg->offset, &self->data, &reply.total);
    if (code != OK && code != ERR_NOT_FOUND) {
        refuse(self, peer, msg->seq, code);
        return;
    }
    reply.data = slice_of(self->data.p, self->data.n);
    say(self, peer, MSG_PROGRAM_DATA, &reply);
    wire_clear(&self->data);
}

/*  False: a log of an attempt has begun, which the core is to know. */
static bool on_log(struct services *self, uint32_t peer, const struct msg_log *msg)
{
    uint64_t next = msg->offset + msg->data.n; /* what nobody wants is taken, and dropped */
    bool wanted = core_attempt_ok(self->core, msg) && core_runs_task(self->core, peer, msg->task);
    if (logs_append(self->logs, msg, wanted, &next) == ERR_SYSTEM) {
        next = msg->offset; /* the disk: it is sent again */
    }
    say(self, peer, MSG_LOG_ACK, &(struct msg_log_ack){ msg->seq, msg->token, next });
    struct log_name name = { msg->job, msg->attempt ? msg->task : 0, msg->attempt };
    followers_grew(self->followers, &name);
    return !(wanted && msg->attempt != 0 && msg->offset == 0 && next > 0);
}

/*  True: it is answered when its output was sent: of a task here, of a job by services_late(). */
static bool on_watch(struct services *self, uint32_t peer, const struct msg_watch *msg)
{
    bool answers;
    if (followers_watch(self->followers, peer, msg, &answers) != OK) {
        refuse(self, peer, msg->seq, ERR_BUSY);
        return true;
    }
    return answers;
}

bool services_take(struct services *self, uint32_t peer, struct msg *msg)
{
    if (core_may(self->core, peer, msg->kind) != OK) {
        return false; /* the core asks it who it is, or refuses */
    }
    struct reader reader = core_reader(self->core, peer);
    switch (msg->kind) {
    case MSG_PROGRAM_PUT:
        on_program_put(self, peer, &msg->as.program_put);
        return true;
    case MSG_PROGRAM_GET:
        on_program_get(self, peer, &msg->as.program_get);
        return true;
    case MSG_JOB_OPEN:
        return !files_are_here(self, peer, &msg->as.job_open, send_it);
    case MSG_JOB_RETRY:
        return on_job_retry(self, peer, msg);
    case MSG_PACKAGE_PUT: {
        const struct asked by = { peer, msg->as.seq, send_it };
        return hash_is_text(msg->as.package_put.hash) &&
               !is_here(self, &by, msg->as.package_put.hash);
    }
    case MSG_LOG:
        return on_log(self, peer, &msg->as.log);
    case MSG_QUERY: {
        int code = query_ask(self->query, peer, &reader, &msg->as.query);
        if (code != OK) {
            refuse(self, peer, msg->as.seq, code);
        }
        return true;
    }
    case MSG_STUDY_READ: {
        int code = query_ask_study(self->query, peer, &reader, &msg->as.study_read);
        if (code != OK) {
            refuse(self, peer, msg->as.seq, code);
        }
        return true;
    }
    case MSG_WATCH:
        return core_sees_job(self->core, peer, msg->as.watch.job) &&
               on_watch(self, peer, &msg->as.watch);
    default:
        return false;
    }
}

void services_rest(struct services *self)
{
    wire_rest(&self->frame);
    wire_rest(&self->data);
}

bool services_begin(struct services *self)
{
    again_clear(&self->again);
    query_begin(self->query);
    return followers_turn(self->followers);
}

bool services_late(struct services *self, uint32_t *peer, struct msg *out)
{
    out->kind = MSG_WATCH;
    return followers_next(self->followers, peer, &out->as.watch);
}

void services_forget(struct services *self, uint64_t job)
{
    logs_remove(self->logs, job);
}

void services_peer_gone(struct services *self, uint32_t peer)
{
    followers_gone(self->followers, peer);
}

int services_fd(const struct services *self)
{
    return query_fd(self->query);
}

void services_answer(struct services *self)
{
    struct query_reply reply;
    while (query_next(self->query, &reply)) {
        if (!core_knows(self->core, reply.peer)) {
            continue;
        }
        if (reply.code == OK && reply.frame.n > 0) {
            self->send(self->context, reply.peer, reply.frame);
        } else if (reply.code == OK) {
            say(self, reply.peer, MSG_ANSWER, &(struct msg_answer){ reply.seq, reply.json });
        } else {
            say(self, reply.peer, MSG_REFUSED,
                &(struct msg_refused){ reply.seq, reply.code, slice_text(reply.text) });
        }
    }
}
