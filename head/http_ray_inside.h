/*  http_ray_inside.h - what the files of http_ray.h share. */
#ifndef RAYC_HTTP_RAY_INSIDE_H
#define RAYC_HTTP_RAY_INSIDE_H
#include "head/http_ray.h"

enum { RAY_ANSWER_MAX = 256 * MIB };

struct ray_reader http_ray_reader(const struct web_request *request);
/*  A text, as Ray's server sends its refusals. */
void http_ray_text(struct web_reply *reply, uint32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*  Takes the text of `json` over. */
void http_ray_json(struct web_reply *reply, uint32_t status, struct json *json);
/*  The job of the path, one that was submitted if `word` says what is only done with those; false: `reply` is made. */
bool http_ray_find(struct web_request *request, struct web_reply *reply, const char *word,
                   struct ray_job *out);
/*  Sends a message through the door.  What is not OK is answered here. */
int http_ray_change(struct web_request *request, struct web_reply *reply, uint32_t kind,
                    const void *msg);
#endif
