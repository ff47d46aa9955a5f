/*  history.c - what became of each attempt of a task: the head's view `attempts`, which is JSON. */
#include "client/history.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include "client/failure.h"
#include "common/ids.h"

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *item, const char *name)
{
    return json_integer_value(json_object_get(item, name));
}

static void tell(const json_t *item, const struct listener *to)
{
    rayc_attempt_record record = { .attempt = (int)number_of(item, "attempt"),
                                   .outcome = text_of(item, "outcome"),
                                   .status = (int)number_of(item, "exit_status"),
                                   .signal = (int)number_of(item, "signal"),
                                   .text = text_of(item, "error_message"),
                                   .run_us = number_of(item, "run_us") };
    to->each(to->context, &record);
}

static int read_answer(struct slice json, const struct listener *to)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)json.p, json.n, 0, &why);
    const json_t *items = json_object_get(root, "items");
    if (!json_is_array(items)) {
        int rc = failure_say(RAYC_EVERSION, "the head's answer is not a list of attempts: %s",
                             root == NULL ? why.text : "it has no items");
        json_decref(root);
        return rc;
    }
    int count = (int)json_array_size(items);
    for (int i = 0; i < count; i++) {
        tell(json_array_get(items, (size_t)i), to);
    }
    json_decref(root);
    return count;
}

int history_read(struct session *session, uint64_t task, const struct listener *to)
{
    char id[TASK_ID_TEXT];
    snprintf(id, sizeof(id), "%016" PRIx64, task);
    struct msg_query query = { .view = slice_text("attempts"), .id = slice_text(id) };
    struct reply reply;
    int rc = session_ask(session, MSG_QUERY, &query, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        rc = reply.msg.kind == MSG_ANSWER ? read_answer(reply.msg.as.answer.json, to) : RAYC_OK;
        reply_free(&reply);
    }
    return rc;
}
