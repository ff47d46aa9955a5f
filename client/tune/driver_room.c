/*  driver_room.c - asks the head for its nodes, and counts what each can hold. */
#include "client/tune/driver_room.h"

#include <jansson.h>
#include <math.h>

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

uint32_t cluster_room(struct session *session, const struct study_spec *spec)
{
    struct msg_query query = { .view = slice_text("nodes") };
    struct reply reply;
    double room = 0;
    if (session_ask(session, MSG_QUERY, &query, RAYC_FOREVER, &reply) != RAYC_OK) {
        return 1; /* a broken session says so elsewhere */
    }
    struct slice text = reply.msg.as.answer.json;
    json_t *answer = json_loadb((const char *)text.p, text.n, 0, NULL);
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(answer, "items"), i, node)
    {
        room += room_of(node, spec);
    }
    json_decref(answer);
    reply_free(&reply);
    return room < 1 ? 1 : room > ROOM_MAX ? ROOM_MAX : (uint32_t)room;
}
