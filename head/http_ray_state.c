/*  http_ray_state.c - Ray's state API: the query of a path becomes a question to ray_state.h. */
#include "head/http_ray_inside.h"

#include <stdlib.h>
#include <strings.h>
#include "head/ray_state.h"

static void refuse(struct web_reply *reply, uint32_t status, const char *text)
{
    struct json json = json_new(64 * 1024);
    ray_state_refusal(&json, text);
    http_ray_json(reply, status, &json);
}

static int read_limit(const char *text, uint64_t *limit, struct ray_refusal *no)
{
    *limit = RAY_LIMIT_DEFAULT;
    if (text == NULL) {
        return OK;
    }
    char *end;
    long long value = strtoll(text, &end, 10);
    if (text[0] == 0 || *end != 0) {
        return ray_refuse(no, 400, "invalid literal for int() with base 10: '%.100s'", text);
    }
    if (value < 0) {
        return ray_refuse(no, 400, "limit must be 0 or more, got %lld", value);
    }
    if (value > RAY_LIMIT_MAX) {
        return ray_refuse(no, 400,
                          "Given limit %lld exceeds the supported limit %d. Use a lower limit.",
                          value, RAY_LIMIT_MAX);
    }
    *limit = (uint64_t)value;
    return OK;
}

static int read_bool(const char *name, const char *text, bool otherwise, bool *out,
                     struct ray_refusal *no)
{
    *out = otherwise;
    if (text == NULL) {
        return OK;
    }
    *out = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!*out && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0) {
        return ray_refuse(no, 400, "%s: '%.100s' is not true or false", name, text);
    }
    return OK;
}

/*  The n-th keys, predicates and values belong together. */
static int read_filters(const struct web_request *request, struct ray_ask *ask,
                        struct ray_refusal *no)
{
    static const char *const names[] = { "filter_keys", "filter_predicates", "filter_values" };
    uint32_t counts[COUNT(names)] = { 0 };
    for (uint32_t i = 0; i < request->query_count; i++) {
        for (size_t k = 0; k < COUNT(names); k++) {
            if (strcmp(request->query[i].name, names[k]) != 0) {
                continue;
            }
            if (counts[k] == RAY_FILTERS_MAX) {
                return ray_refuse(no, 400, "more than %d filters", RAY_FILTERS_MAX);
            }
            struct ray_filter *filter = &ask->filters[counts[k]++];
            const char **to = k == 0 ? &filter->key : k == 1 ? &filter->predicate : &filter->value;
            *to = request->query[i].value;
        }
    }
    if (counts[0] != counts[1] || counts[0] != counts[2]) {
        return ray_refuse(no, 400,
                          "a filter has a key, a predicate and a value; there are %u, %u and %u",
                          counts[0], counts[1], counts[2]);
    }
    ask->filter_count = counts[0];
    return OK;
}

static int read_ask(const struct web_request *request, struct ray_ask *ask, struct ray_refusal *no)
{
    bool without_driver = true;
    int rc = read_limit(web_query(request, "limit"), &ask->limit, no);
    if (rc == OK) {
        rc = read_bool("detail", web_query(request, "detail"), false, &ask->detail, no);
    }
    if (rc == OK) {
        rc = read_bool("exclude_driver", web_query(request, "exclude_driver"), true,
                       &without_driver, no);
    }
    const char *by = web_query(request, "summary_by");
    if (rc == OK && by != NULL && strcmp(by, "lineage") == 0) {
        rc = ray_refuse(no, 400, "summary_by: rayc summarizes by func_name only");
    }
    ask->with_driver = !without_driver;
    return rc == OK ? read_filters(request, ask, no) : rc;
}

static void answer(struct web_request *request, struct web_reply *reply, bool summary)
{
    char resource[64];
    struct ray_ask ask = { .resource = resource, .summary = summary };
    if (!slice_copy_text(request->params[0], resource, sizeof(resource)) ||
        !ray_state_known(resource, summary)) {
        http_ray_text(reply, 404, "404: Not Found");
        return;
    }
    struct ray_refusal no = { 0 };
    struct json json = json_new(RAY_ANSWER_MAX);
    int rc = read_ask(request, &ask, &no);
    if (rc == OK) {
        const struct ray_reader reader = http_ray_reader(request);
        rc = ray_state_put(&reader, &ask, &json, &no);
    }
    if (rc == OK) {
        http_ray_json(reply, 200, &json);
        return;
    }
    json_free(&json);
    if (rc == ERR_INVALID) {
        refuse(reply, no.status, no.text);
    } else {
        refuse(reply, 500, err_text(rc));
    }
}

void http_ray_state(struct web_request *request, struct web_reply *reply)
{
    answer(request, reply, false);
}

void http_ray_summary(struct web_request *request, struct web_reply *reply)
{
    answer(request, reply, true);
}
