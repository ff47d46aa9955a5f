/*  secret.c - words in a name. */
#include "common/secret.h"

#include <strings.h>

bool secret_named(const char *entry)
{
    static const char *const words[] = { "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL" };
    size_t n = strcspn(entry, "=");
    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; i < COUNT(words); i++) {
            size_t length = strlen(words[i]);
            if (n - at >= length && strncasecmp(entry + at, words[i], length) == 0) {
                return true;
            }
        }
    }
    return n >= 4 && strncasecmp(entry + n - 4, "_KEY", 4) == 0;
}
