/*  ray.c - libFuzzer: any bytes as the body of Ray's POST /api/jobs/: runtime_env, metadata, resources.  It is refused
    with a status and a reason; or it is a JOB_OPEN that the head can decode. */
#include "head/ray_open.h"

#include <stdlib.h>

/*  Pieces of bodies, as the fuzzer does not see into jansson: a byte each. */
static const char *const pieces[] = { "\"entrypoint\":",
                                      "\"submission_id\":",
                                      "\"runtime_env\":{",
                                      "\"env_vars\":{",
                                      "\"working_dir\":",
                                      "\"py_modules\":[",
                                      "\"metadata\":{",
                                      "\"entrypoint_num_cpus\":",
                                      "\"entrypoint_num_gpus\":",
                                      "\"entrypoint_memory\":",
                                      "\"entrypoint_resources\":{",
                                      "\"config\":",
                                      "\"pip\":",
                                      "\"a\":",
                                      "\"b\":",
                                      "\"TOKEN\":",
                                      "\"\"",
                                      "\"x\"",
                                      "\"gcs://_ray_pkg_1.zip\"",
                                      "\"http://x/y.zip\"",
                                      "\"\\u0000\"",
                                      "\"../x\"",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      "null",
                                      "true",
                                      "0",
                                      "1",
                                      "-1",
                                      "0.5",
                                      "1e308",
                                      "1e-9",
                                      "9223372036854775807" };

static int find(void *context, const char *uri, char hash[HASH_TEXT_BYTES])
{
    (void)context;
    memset(hash, 'a', HASH_TEXT_BYTES - 1);
    hash[HASH_TEXT_BYTES - 1] = 0;
    return strcmp(uri, "gcs://_ray_pkg_1.zip") == 0 ? OK : ERR_NOT_FOUND;
}

static void open_body(struct slice body)
{
    static uint8_t frame[4 * MIB];
    const struct ray_packages packages = { find, NULL };
    struct ray_open open;
    struct ray_refusal no = { 0 };
    int code = ray_open_read(&open, body, &packages, &no);
    ensure(code == OK || (no.status >= 400 && no.status < 600 && no.text[0] != 0));
    if (code == OK) {
        struct wire to = { frame, 0, sizeof(frame), false };
        struct msg msg;
        struct diag why;
        proto_put(&to, MSG_JOB_OPEN, &open.job);
        ensure(to.full || proto_decode(slice_of(to.p, to.n), &msg, &why) == OK);
    }
    ray_open_fini(&open);
}

/*  As a whole body, and as pieces behind a good beginning. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(32 * size + 64);
    ensure(text != NULL);
    open_body(slice_of(data, size));
    size_t n = (size_t)(stpcpy(text, "{\"entrypoint\":\"true\",") - text);
    for (size_t i = 0; i < size; i++) {
        n = (size_t)(stpcpy(text + n, pieces[data[i] % COUNT(pieces)]) - text);
    }
    open_body(slice_of(text, n));
    free(text);
    return 0;
}
