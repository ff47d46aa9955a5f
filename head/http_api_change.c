/*  http_api_change.c - what /api/v1 changes: each is one message through the door, answered when it is durable. */
#include "head/http_api_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "common/clock.h"
#include "common/access.h"
#include "common/hash.h"
#include "head/json_shallow.h"
#include "head/query_view.h"
#include "head/ray_job.h"
#include "head/ray_open.h"

enum { RETRY_LETTERS = 16 }; /* of the id of a job that is submitted again */

/*  Says it; what is refused is answered, in our words. */
static bool change(struct web_request *request, struct web_reply *reply, enum msg_kind kind,
                   const void *msg, struct door_answer *answer)
{
    int rc = door_ask(http_door(request), request->bearer, kind, msg, answer);
    if (rc != OK) {
        web_reply_error(reply, rc, "%s", answer->text[0] ? answer->text : err_text(rc));
    }
    return rc == OK;
}

/*  What these requests take is in their query; a body that says something is not to be taken for understood. */
static bool no_body(const struct web_request *request, struct web_reply *reply)
{
    json_t *root = json_loadb((const char *)request->body.p, request->body.n, 0, NULL);
    bool none = request->body.n == 0 || (json_is_object(root) && json_object_size(root) == 0);
    const char *takes = request->route->query;
    json_decref(root);
    if (!none) {
        web_reply_error(reply, ERR_INVALID, "this request takes no body%s%s",
                        takes[0] ? "; what it takes are query parameters: " : "", takes);
    }
    return none;
}

static void reply_changed(struct web_reply *reply, const char *key, uint64_t id)
{
    json_t *root = json_pack("{s:s, s:s, s:I}", "apiVersion", "rayc/v1", "kind", "Changed", key,
                             (json_int_t)id);
    api_reply_json(reply, 200, root);
    json_decref(root);
}

static void reply_hex(struct web_reply *reply, const char *key, int digits, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof(text), "%0*llx", digits, (unsigned long long)id);
    json_t *root =
        json_pack("{s:s, s:s, s:s}", "apiVersion", "rayc/v1", "kind", "Changed", key, text);
    api_reply_json(reply, 200, root);
    json_decref(root);
}

/* --- bodies --------------------------------------------------------------------------------------- */

#define SECONDS_MAX (100ull * 366 * 24 * 3600)

enum part_kind { PART_TEXT, PART_COUNT, PART_FLAG, PART_ROLE };

struct part {
    const char *name;
    enum part_kind kind;
    void *out; /* const char **, uint64_t *, uint32_t * (1 true, 2 false), uint32_t * */
};

static uint32_t role_of(const char *name)
{
    for (uint32_t role = 1; role < ROLES; role++) {
        if (strcasecmp(role_name(role), name) == 0) {
            return role;
        }
    }
    return 0;
}

static const char *take_part(const struct part *part, const json_t *value)
{
    const char *text = json_string_value(value);
    switch (part->kind) {
    case PART_TEXT:
        *(const char **)part->out = text;
        return text ? NULL : "is not a string";
    case PART_COUNT:
        *(uint64_t *)part->out = (uint64_t)json_integer_value(value);
        return json_is_integer(value) && json_integer_value(value) >= 0
                   ? NULL
                   : "is not a whole number, 0 or more";
    case PART_FLAG:
        *(uint32_t *)part->out = json_is_true(value) ? 1 : 2;
        return json_is_boolean(value) ? NULL : "is neither true nor false";
    case PART_ROLE:
        *(uint32_t *)part->out = text ? role_of(text) : 0;
        return text && role_of(text) ? NULL : "is not one of ADMIN, USER, VIEWER, WORKER, METRICS";
    }
    return NULL;
}

/*  The body as one object of these parts; NULL: `reply` says what is wrong.  What is read borrows from it. */
static json_t *read_body(const struct web_request *request, const struct part *parts, size_t count,
                         struct web_reply *reply)
{
    json_error_t error;
    json_t *root = json_shallow(request->body, JSON_REJECT_DUPLICATES, &error);
    const char *key, *wrong = NULL;
    json_t *value;
    if (!json_is_object(root)) {
        web_reply_error(reply, ERR_INVALID, "the body is not a JSON object: line %d, column %d: %s",
                        root ? 1 : error.line, root ? 1 : error.column,
                        root ? "something else" : error.text);
        json_decref(root);
        return NULL;
    }
    json_object_foreach(root, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(parts[i].name, key) != 0) {
            i++;
        }
        wrong = i < count ? take_part(&parts[i], value) : "is not a field of this request";
        if (wrong) {
            web_reply_error(reply, ERR_INVALID, "%.100s: %s", key, wrong);
            json_decref(root);
            return NULL;
        }
    }
    return root;
}

/* --- jobs ----------------------------------------------------------------------------------------- */

static int find_package(void *context, const char *uri, char hash[HASH_TEXT_BYTES])
{
    const struct web_request *request = context;
    return ray_package_find(http_db(request), request->who.user, uri, hash);
}

/*  A job that was made; `retry_of` NULL: of none. */
static void reply_made(struct web_reply *reply, const char *submission, uint64_t job,
                       json_t *retry_of)
{
    char id[24];
    snprintf(id, sizeof(id), "%08llx", (unsigned long long)job);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:O*}", "apiVersion", "rayc/v1", "kind", "JobSubmission",
                  "submission_id", submission, "job_id", id, "retry_of", retry_of);
    api_reply_json(reply, 200, root);
    json_decref(root);
}

void api_submit(struct web_request *request, struct web_reply *reply)
{
    const struct ray_packages packages = { find_package, request };
    struct ray_open open;
    struct ray_refusal no = { .plain = true };
    struct door_answer answer;
    if (ray_open_read(&open, request->body, &packages, &no) != OK) {
        web_reply_error(reply, ERR_INVALID, "%s", no.text);
    } else if (change(request, reply, MSG_JOB_OPEN, &open.job, &answer)) {
        reply_made(reply, open.submission, answer.id, NULL);
    }
    ray_open_fini(&open);
}

void api_job_stop(struct web_request *request, struct web_reply *reply)
{
    struct msg_job_stop stop = { 0 };
    struct door_answer answer;
    if (no_body(request, reply) && api_number(request, "job", "job_id", &stop.job, reply) &&
        change(request, reply, MSG_JOB_STOP, &stop, &answer)) {
        reply_hex(reply, "job_id", 8, stop.job);
    }
}

/*  The body may be empty, or name the new job: then the request can be said again. */
void api_job_retry(struct web_request *request, struct web_reply *reply)
{
    const char *name = NULL;
    const struct part parts[] = { { "submission_id", PART_TEXT, &name } };
    char random[RETRY_LETTERS + 1], made[RETRY_LETTERS + sizeof("rayc_")];
    json_t *body =
        request->body.n > 0 ? read_body(request, parts, COUNT(parts), reply) : json_object();
    if (body == NULL) {
        return;
    }
    random_text(random, RETRY_LETTERS);
    snprintf(made, sizeof(made), "rayc_%s", random);
    name = name ? name : made;
    json_t *row = NULL;
    if (proto_is_submission(name)) {
        row = api_row(request, "job", reply);
    } else {
        web_reply_error(reply, ERR_INVALID,
                        "submission_id: it is not a letter or digit and then letters, digits or "
                        "._:- (at most %d)",
                        NAME_MAX_BYTES);
    }
    const char *digits = json_string_value(json_object_get(row, "job_id"));
    const struct msg_job_retry retry = { .job = strtoull(digits ? digits : "", NULL, 16),
                                         .submission = slice_text(name) };
    struct door_answer answer;
    if (row && change(request, reply, MSG_JOB_RETRY, &retry, &answer)) {
        reply_made(reply, name, answer.id, json_object_get(row, "submission_id"));
    }
    json_decref(row);
    json_decref(body);
}

void api_job_delete(struct web_request *request, struct web_reply *reply)
{
    struct msg_job_delete delete = { 0 };
    struct door_answer answer;
    if (api_number(request, "job", "job_id", &delete.job, reply) &&
        change(request, reply, MSG_JOB_DELETE, &delete, &answer)) {
        reply_hex(reply, "job_id", 8, delete.job);
    }
}

/* --- tasks ---------------------------------------------------------------------------------------- */

void api_task_cancel(struct web_request *request, struct web_reply *reply)
{
    struct msg_cancel cancel = { 0 };
    struct door_answer answer;
    uint64_t force, alone;
    if (!no_body(request, reply) || !web_query_u64(request, "force", 0, &force, reply) ||
        !web_query_u64(request, "alone", 0, &alone, reply) ||
        !api_number(request, "task", "task_id", &cancel.task, reply)) {
        return;
    }
    cancel.force = force > 0;
    cancel.recursive = alone == 0;
    if (change(request, reply, MSG_CANCEL, &cancel, &answer)) {
        reply_hex(reply, "task_id", 16, cancel.task);
    }
}

void api_task_retry(struct web_request *request, struct web_reply *reply)
{
    struct msg_retry retry = { 0 };
    struct door_answer answer;
    if (no_body(request, reply) && api_number(request, "task", "task_id", &retry.task, reply) &&
        change(request, reply, MSG_RETRY, &retry, &answer)) {
        reply_hex(reply, "task_id", 16, answer.id);
    }
}

void api_actor_kill(struct web_request *request, struct web_reply *reply)
{
    struct msg_actor_kill kill = { 0 };
    struct door_answer answer;
    uint64_t restart;
    if (no_body(request, reply) && web_query_u64(request, "restart", 0, &restart, reply) &&
        api_number(request, "actor", "actor_id", &kill.actor, reply)) {
        kill.restart = restart > 0;
        if (change(request, reply, MSG_ACTOR_KILL, &kill, &answer)) {
            reply_hex(reply, "actor_id", 16, kill.actor);
        }
    }
}

/* --- nodes ---------------------------------------------------------------------------------------- */

static void put_drain(struct web_request *request, struct web_reply *reply, enum drain drain)
{
    struct msg_node_drain msg = { .drain = drain };
    struct door_answer answer;
    json_t *row = NULL;
    if (no_body(request, reply) &&
        web_query_u64(request, "grace_ms", 30000, &msg.grace_ms, reply)) {
        row = api_row(request, "nodes", reply);
    }
    msg.node = (uint64_t)json_integer_value(json_object_get(row, "node_id"));
    if (row && change(request, reply, MSG_NODE_DRAIN, &msg, &answer)) {
        reply_changed(reply, "node_id", answer.id);
    }
    json_decref(row);
}

void api_node_drain(struct web_request *request, struct web_reply *reply)
{
    put_drain(request, reply, DRAIN_ASKED);
}

void api_node_undrain(struct web_request *request, struct web_reply *reply)
{
    put_drain(request, reply, DRAIN_NONE);
}

/* --- users and tokens ----------------------------------------------------------------------------- */

static void put_user(struct web_request *request, struct web_reply *reply, bool make)
{
    struct msg_user_put user = { .make = make };
    const char *name = NULL;
    const struct part parts[] = { { "role", PART_ROLE, &user.role },
                                  { "disabled", PART_FLAG, &user.disabled },
                                  { "jobs_max", PART_COUNT, &user.jobs_max },
                                  { "tasks_max", PART_COUNT, &user.tasks_max },
                                  { "object_bytes_max", PART_COUNT, &user.object_bytes_max },
                                  { "name", PART_TEXT, &name } };
    struct door_answer answer;
    json_t *body = read_body(request, parts, COUNT(parts) - !make, reply);
    if (body == NULL) {
        return;
    }
    user.name = make ? slice_text(name ? name : "") : request->params[0];
    if (change(request, reply, MSG_USER_PUT, &user, &answer)) {
        reply_changed(reply, "user_id", answer.id);
    }
    json_decref(body);
}

void api_user_make(struct web_request *request, struct web_reply *reply)
{
    put_user(request, reply, true);
}

void api_user_change(struct web_request *request, struct web_reply *reply)
{
    put_user(request, reply, false);
}

/*  The secret is in the answer, and nowhere else: only its hash goes on from here. */
void api_token_make(struct web_request *request, struct web_reply *reply)
{
    const char *user = NULL, *name = NULL;
    struct msg_token_put token = { 0 };
    uint64_t seconds = 0;
    const struct part parts[] = { { "user", PART_TEXT, &user },
                                  { "name", PART_TEXT, &name },
                                  { "role", PART_ROLE, &token.role },
                                  { "expires_in_seconds", PART_COUNT, &seconds } };
    char secret[ACCESS_TOKEN_MAX + 1];
    uint8_t hash[32];
    struct door_answer answer;
    json_t *body = read_body(request, parts, COUNT(parts), reply);
    if (body == NULL) {
        return;
    }
    token_make(secret);
    token_hash(secret, hash);
    token.user = slice_text(user ? user : "");
    token.name = slice_text(name ? name : "");
    token.hash = slice_of(hash, sizeof(hash));
    token.expires_ms = seconds > 0 ? clock_wall_ms() + seconds * 1000 : 0;
    if (seconds > SECONDS_MAX) {
        web_reply_error(reply, ERR_INVALID, "expires_in_seconds: more than a hundred years");
    } else if (change(request, reply, MSG_TOKEN_PUT, &token, &answer)) {
        json_t *root = json_pack("{s:s, s:s, s:I, s:s}", "apiVersion", "rayc/v1", "kind", "Token",
                                 "token_id", (json_int_t)answer.id, "token", secret);
        api_reply_json(reply, 200, root);
        json_decref(root);
    }
    explicit_bzero(secret, sizeof(secret));
    json_decref(body);
}

void api_token_end(struct web_request *request, struct web_reply *reply)
{
    char digits[24], *end;
    struct msg_token_end token = { 0 };
    struct door_answer answer;
    bool fits = slice_copy_text(request->params[0], digits, sizeof(digits));
    token.token = strtoull(digits, &end, 10);
    if (!fits || *end != 0 || digits[0] < '0' || digits[0] > '9') {
        web_reply_error(reply, ERR_NOT_FOUND, "there is no such token");
    } else if (change(request, reply, MSG_TOKEN_END, &token, &answer)) {
        reply_changed(reply, "token_id", token.token);
    }
}
