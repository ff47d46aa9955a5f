/*  http_ray.c - what Ray's handlers have in common. */
#include "head/http_ray_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include "head/door.h"
#include "head/http.h"

struct ray_reader http_ray_reader(const struct web_request *request)
{
    return (struct ray_reader){ http_db(request), http_log_files(request), http_owner(request) };
}

void http_ray_text(struct web_reply *reply, uint32_t status, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    web_reply_copy(reply, status, "text/plain; charset=utf-8", slice_text(text));
}

void http_ray_json(struct web_reply *reply, uint32_t status, struct json *json)
{
    if (json->full) {
        json_free(json);
        http_ray_text(reply, 500, "RuntimeError: the answer is too large, or there is no memory\n");
        return;
    }
    web_reply_own(reply, status, NULL, json->p, json->n);
    *json = (struct json){ 0 };
}

bool http_ray_find(struct web_request *request, struct web_reply *reply, const char *word,
                   struct ray_job *out)
{
    const struct slice id = request->params[0];
    const struct ray_reader reader = http_ray_reader(request);
    int rc = ray_job_find(&reader, id, out);
    if (rc == ERR_NOT_FOUND) {
        http_ray_text(reply, 404, "Job %.*s does not exist", (int)id.n, (const char *)id.p);
    } else if (rc != OK) {
        http_ray_text(reply, 500, "RuntimeError: jobs cannot be read: %s\n", err_text(rc));
    } else if (word != NULL && !out->submission) {
        http_ray_text(reply, 400, "Can only %s submission type jobs", word);
        rc = ERR_INVALID;
    }
    return rc == OK;
}

int http_ray_change(struct web_request *request, struct web_reply *reply, uint32_t kind,
                    const void *msg)
{
    struct door_answer answer;
    int rc = door_ask(http_door(request), request->bearer, (enum msg_kind)kind, msg, &answer);
    if (rc == OK) {
        return OK;
    }
    const char *why = answer.text[0] ? answer.text : err_text(rc);
    uint32_t status = rc == ERR_CONFLICT ? 500 : web_status(rc);
    http_ray_text(reply, status, "%s: %s\n", rc == ERR_INVALID ? "ValueError" : "RuntimeError",
                  why);
    return rc;
}
