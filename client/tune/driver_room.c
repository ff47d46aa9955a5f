/*  driver_room.c - asks the head for its nodes, and counts what each can hold; asks it for a task. */
#include "client/tune/driver_room.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_MAX = 1024 };

static double share(const json_t *total, const char *name, double needed)
{
    return needed > 0 ? floor(json_number_value(json_object_get(total, name)) / needed + 1e-9)
                      : ROOM_MAX;
}

static double room_of(const json_t *node, const struct study_spec *spec)
{
    const char *state = json_string_value(json_object_get(node, "state"));
    const json_t *total = json_object_get(node, "resources_total");
    if (state == NULL || strcmp(state, "ALIVE") != 0) {
        return 0;
    }
    double room = fmin(share(total, "CPU", spec->cpus), share(total, "GPU", spec->gpus));
    return fmin(room, share(total, "memory", (double)spec->memory_bytes));
}

/*  NULL: it is not there; a broken session says so elsewhere. */
static json_t *ask(struct session *session, const char *view, const char *id)
{
    struct msg_query query = { .view = slice_text(view), .id = slice_text(id) };
    struct reply reply;
    if (session_ask(session, MSG_QUERY, &query, RAYC_FOREVER, &reply) != RAYC_OK) {
        return NULL;
    }
    struct slice text = reply.msg.as.answer.json;
    json_t *answer = json_loadb((const char *)text.p, text.n, 0, NULL);
    reply_free(&reply);
    return answer;
}

uint32_t cluster_room(struct session *session, const struct study_spec *spec)
{
    double room = 0;
    json_t *answer = ask(session, "nodes", NULL);
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(answer, "items"), i, node)
    {
        room += room_of(node, spec);
    }
    json_decref(answer);
    return room < 1 ? 1 : room > ROOM_MAX ? ROOM_MAX : (uint32_t)room;
}

bool cluster_finished(struct session *session, uint64_t task, char **result)
{
    char id[32];
    snprintf(id, sizeof(id), "%016" PRIx64, task);
    json_t *answer = ask(session, "task", id);
    const json_t *row = json_array_get(json_object_get(answer, "items"), 0);
    const char *state = json_string_value(json_object_get(row, "state"));
    const char *text = json_string_value(json_object_get(row, "result"));
    bool finished = state != NULL && strcmp(state, "FINISHED") == 0;
    *result = finished && text != NULL ? strdup(text) : NULL;
    json_decref(answer);
    return finished;
}
