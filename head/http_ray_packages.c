/*  http_ray_packages.c - archives of working folders and modules: is it there? and its upload, to the disk as it comes. */
#include "head/http_ray_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include "head/http.h"
#include "head/package_file.h"

static bool uri_of(const struct web_request *request, struct web_reply *reply,
                   char out[NAME_MAX_BYTES + 1])
{
    struct slice protocol = request->params[0], name = request->params[1];
    int n = snprintf(out, NAME_MAX_BYTES + 1, "%.*s://%.*s", (int)protocol.n,
                     (const char *)protocol.p, (int)name.n, (const char *)name.p);
    if (!slice_same(protocol, slice_text("gcs"))) {
        http_ray_text(reply, 500,
                      "ValueError: Invalid protocol for runtime_env URI \"%.200s\". Supported "
                      "protocols: ['GCS']\n",
                      out);
        return false;
    }
    if (name.n == 0 || n > NAME_MAX_BYTES) {
        http_ray_text(reply, 400, "ValueError: a package's URI has up to %d bytes\n",
                      NAME_MAX_BYTES);
        return false;
    }
    return true;
}

static void name_package(struct web_request *request, struct web_reply *reply, const char *uri,
                         const char *hash, uint64_t bytes)
{
    const struct msg_package_put put = { .uri = slice_text(uri),
                                         .hash = slice_text(hash),
                                         .bytes = bytes };
    if (http_ray_change(request, reply, MSG_PACKAGE_PUT, &put) == OK) {
        http_ray_text(reply, 200, "%s", "");
    }
}

void http_ray_package(struct web_request *request, struct web_reply *reply)
{
    char uri[NAME_MAX_BYTES + 1], hash[HASH_TEXT_BYTES];
    uint64_t bytes = 0;
    if (!uri_of(request, reply, uri)) {
        return;
    }
    int rc = ray_package_find(http_ray_reader(request).db, request->who.user, uri, hash);
    rc = rc == OK ? package_file_bytes(http_programs(request), hash, &bytes) : rc;
    if (rc == OK && request->who.role == ROLE_VIEWER) {
        http_ray_text(reply, 200, "%s", "");
    } else if (rc == OK) {
        name_package(request, reply, uri, hash, bytes); /* anew: its time begins again */
    } else if (rc == ERR_NOT_FOUND) {
        http_ray_text(reply, 404, "Package %s does not exist", uri);
    } else {
        http_ray_text(reply, 500, "RuntimeError: packages cannot be read: %s\n", err_text(rc));
    }
}

bool http_ray_package_take(struct web_request *request, struct slice piece, struct web_reply *reply)
{
    struct package_file *file = request->state;
    int rc = OK;
    if (file == NULL) {
        rc = package_file_open(&file, http_programs(request));
        request->state = file;
    }
    if (rc == OK) {
        rc = package_file_add(file, piece);
    }
    if (rc != OK) {
        http_ray_text(reply, 500, "RuntimeError: the package cannot be kept: %s\n", err_text(rc));
    }
    return rc == OK;
}

void http_ray_package_drop(struct web_request *request)
{
    struct package_file *file = request->state;
    package_file_close(&file);
    request->state = NULL;
}

void http_ray_package_put(struct web_request *request, struct web_reply *reply)
{
    char uri[NAME_MAX_BYTES + 1], hash[HASH_TEXT_BYTES];
    uint64_t bytes = 0;
    if (!uri_of(request, reply, uri)) {
        return;
    }
    if (request->state == NULL) {
        http_ray_text(reply, 400, "ValueError: the package is empty\n");
        return;
    }
    int rc = package_file_keep(request->state, hash, &bytes);
    if (rc != OK) {
        http_ray_text(reply, 500, "RuntimeError: the package cannot be kept: %s\n", err_text(rc));
        return;
    }
    name_package(request, reply, uri, hash, bytes);
}
