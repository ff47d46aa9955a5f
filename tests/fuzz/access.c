/*  access.c - libFuzzer: any bytes as an access file.  What is taken from one is the same when it is written and read
    again. */
#include "common/access_inside.h"

#include <stdlib.h>

static const char *take(const char *text, struct access *out)
{
    zconfig_t *root = zconfig_str_load(text);
    const char *problem = root != NULL ? access_take(root, out) : "it is none";
    zconfig_destroy(&root);
    return problem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct access first = { 0 }, second = { 0 };
    char written[ACCESS_BYTES_MAX], *text = malloc(size + 1);
    ensure(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    if (take(text, &first) == NULL) {
        ensure(first.has_key || first.token[0] != 0);
        size_t n = access_text(&first, "", written);
        ensure(n < sizeof(written));
        ensure(strpbrk(first.token, "\"\n") != NULL || take(written, &second) == NULL);
        ensure(strpbrk(first.token, "\"\n") != NULL || strcmp(first.token, second.token) == 0);
    }
    free(text);
    return 0;
}
