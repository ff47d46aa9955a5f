/*  request.c - libFuzzer: any bytes as the target and the headers of a request.  What is taken as a path or a parameter
    is whole and harmless, and within the memory that it was given. */
#include "common/web/web_rules.h"

#include <stdlib.h>

enum { TEXT_BYTES = 4096 };

static const struct web_route routes[] = {
    { WEB_GET, "/api/jobs/", 0, NULL, 0, NULL, NULL, NULL, "" },
    { WEB_GET, "/api/jobs/{id}", 0, NULL, 0, NULL, NULL, NULL, "" },
    { WEB_GET, "/api/v1/jobs/{id}/logs", 0, "offset tail", 0, NULL, NULL, NULL, "" },
    { WEB_POST, "/api/v1/jobs/{id}/stop", 0, "", 0, NULL, NULL, NULL, "" },
    { WEB_GET, "/api/packages/{protocol}/{name}", 0, NULL, 0, NULL, NULL, NULL, "" },
};

static void check_text(const char *text, const struct web_decoder *whole)
{
    ensure(text >= whole->at && text < whole->end);
    ensure(text + strlen(text) < whole->end);
}

static void find(const char *target)
{
    static const struct web_options options = { .routes = routes, .route_count = COUNT(routes) };
    char *texts = malloc(2 * strlen(target) + 64), buffer[512];
    ensure(texts != NULL);
    struct text why = text_in(buffer, sizeof(buffer));
    const struct web_decoder whole = { texts, texts + 2 * strlen(target) + 64 };
    struct web_decoder decoder = whole;
    struct web_request request = { .method = WEB_GET };
    uint32_t allowed;
    size_t n = strcspn(target, "?");
    enum web_match match =
        web_route_find(&options, slice_of(target, n), &request, &decoder, &allowed);
    ensure((match == WEB_MATCH) == (request.route != NULL));
    ensure((match == WEB_NO_METHOD) == (allowed != 0 && request.route == NULL));
    for (uint32_t i = 0; match == WEB_MATCH && i < request.param_count; i++) {
        const char *param = (const char *)request.params[i].p;
        check_text(param, &whole);
        ensure(param[0] != 0 && strcmp(param, ".") != 0 && strcmp(param, "..") != 0);
        ensure(strpbrk(param, "/\\") == NULL && strlen(param) == request.params[i].n);
    }
    bool good =
        web_query_read(&request, slice_text(target[n] ? target + n + 1 : ""), &decoder, &why);
    ensure(good || buffer[0] != 0);
    for (uint32_t i = 0; i < request.query_count; i++) {
        check_text(request.query[i].name, &whole);
        check_text(request.query[i].value, &whole);
    }
    ensure(request.query_count <= WEB_QUERY_MAX && decoder.at <= whole.end);
    free(texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "rayc.example" };
    char text[TEXT_BYTES];
    size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, data, n);
    text[n] = 0;
    find(text);
    bool ok = web_host_ok(text, names, COUNT(names));
    ensure(!ok || strpbrk(text, "/@ \t\r\n") == NULL);
    ensure(!web_origin_ok(text, "localhost") || strstr(text, "://") != NULL);
    const char *token = web_bearer(text);
    ensure(!token || (token[0] != 0 && token[0] != ' '));
    return 0;
}
