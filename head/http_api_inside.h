/*  http_api_inside.h - what the files of http_api.h share. */
#ifndef RAYC_HTTP_API_INSIDE_H
#define RAYC_HTTP_API_INSIDE_H
#include <jansson.h>
#include "head/http_api.h"

void api_reply_json(struct web_reply *reply, uint32_t status, const json_t *root);
/*  The row of `view` that the path's id means, as the bearer sees it; NULL: `reply` says why not. */
json_t *api_row(struct web_request *request, const char *view, struct web_reply *reply);
/*  Its number, which is the field `key` in hexadecimal digits. */
bool api_number(struct web_request *request, const char *view, const char *key, uint64_t *out,
                struct web_reply *reply);
#endif
