/*  http_ray_jobs.c - Ray's Jobs REST API: version, list, submit, details, stop, delete. */
#include "head/http_ray_inside.h"

#include "head/ray_open.h"

void http_ray_version(struct web_request *request, struct web_reply *reply)
{
    (void)request;
    struct json json = json_new(4096);
    json_raw(&json, "{\"version\": \"" RAY_API_VERSION "\", \"ray_version\": \"" RAY_VERSION
                    "\", \"ray_commit\": \"rayc-" RAYC_VERSION "\", \"session_name\": \"rayc\"}");
    http_ray_json(reply, 200, &json);
}

void http_ray_jobs(struct web_request *request, struct web_reply *reply)
{
    const struct ray_reader reader = http_ray_reader(request);
    struct json json = json_new(RAY_ANSWER_MAX);
    int rc = ray_jobs_put(&reader, &json);
    if (rc == OK) {
        http_ray_json(reply, 200, &json);
        return;
    }
    json_free(&json);
    http_ray_text(reply, 500, "RuntimeError: the jobs cannot be listed: %s", err_text(rc));
}

void http_ray_job(struct web_request *request, struct web_reply *reply)
{
    struct ray_job job;
    if (!http_ray_find(request, reply, NULL, &job)) {
        return;
    }
    const struct ray_reader reader = http_ray_reader(request);
    struct json json = json_new(RAY_ANSWER_MAX);
    int rc = ray_job_put(&reader, job.number, &json);
    if (rc == OK) {
        http_ray_json(reply, 200, &json);
        return;
    }
    json_free(&json);
    http_ray_text(reply, 500, "RuntimeError: job %s cannot be read: %s", job.id, err_text(rc));
}

/* --- submit --------------------------------------------------------------------------------------- */

static int find_package(void *context, const char *uri, char hash[HASH_TEXT_BYTES])
{
    const struct web_request *request = context;
    return ray_package_find(http_ray_reader(request).db, request->who.user, uri, hash);
}

void http_ray_submit(struct web_request *request, struct web_reply *reply)
{
    const struct ray_packages packages = { find_package, request };
    struct ray_open open;
    struct ray_refusal no = { 0 };
    int rc = ray_open_read(&open, request->body, &packages, &no);
    if (rc != OK) {
        http_ray_text(reply, no.status, "%s\n", no.text);
    } else {
        rc = http_ray_change(request, reply, MSG_JOB_OPEN, &open.job);
    }
    if (rc == ERR_CONFLICT) {
        http_ray_text(
            reply, 500,
            "ValueError: Job with submission_id %s already exists. Please use a different "
            "submission_id.\n",
            open.submission);
    } else if (rc == OK) {
        struct json json = json_new(MIB);
        json_raw(&json, "{\"job_id\": ");
        json_text(&json, slice_text(open.submission));
        json_raw(&json, ", \"submission_id\": ");
        json_text(&json, slice_text(open.submission));
        json_raw(&json, "}");
        http_ray_json(reply, 200, &json);
    }
    ray_open_fini(&open);
}

/* --- stop and delete ------------------------------------------------------------------------------ */

static void answer_bool(struct web_reply *reply, const char *name, bool value)
{
    struct json json = json_new(4096);
    json_raw(&json, "{");
    json_name(&json, name);
    json_raw(&json, value ? " true}" : " false}");
    http_ray_json(reply, 200, &json);
}

void http_ray_stop(struct web_request *request, struct web_reply *reply)
{
    struct ray_job job;
    if (!http_ray_find(request, reply, "stop", &job)) {
        return;
    }
    const struct msg_job_stop stop = { .job = job.number };
    if (job.ended || http_ray_change(request, reply, MSG_JOB_STOP, &stop) == OK) {
        answer_bool(reply, "stopped", !job.ended);
    }
}

void http_ray_delete(struct web_request *request, struct web_reply *reply)
{
    struct ray_job job;
    if (!http_ray_find(request, reply, "delete", &job)) {
        return;
    }
    if (!job.ended) {
        http_ray_text(reply, 500,
                      "RuntimeError: Attempted to delete job '%s', but it is in a non-terminal "
                      "state %s.\n",
                      job.id, job.status);
        return;
    }
    const struct msg_job_delete delete = { .job = job.number };
    if (http_ray_change(request, reply, MSG_JOB_DELETE, &delete) == OK) {
        answer_bool(reply, "deleted", true);
    }
}
