/*  key.h - the key of a cluster: one CURVE key pair (czmq's zcert in a file of mode 0600) that head, workers and
    clients share.  Whoever has it is a member. */
#ifndef RAYC_KEY_H
#define RAYC_KEY_H
#include "common/base.h"
#include "common/err.h"

enum { KEY_FILE_BYTES_MAX = 4096 };

struct cluster_key {
    char public_text[41]; /* Z85 */
    char secret_text[41];
};

/*  ERR_NOT_FOUND: no such file.  ERR_KEY: unreadable, not a key, or readable by others (why says which). */
MUST_CHECK int key_load(const char *path, struct cluster_key *out, struct diag *why);
/*  The text of a file that is a good place for a secret; codes as of key_load(). */
MUST_CHECK int key_read(const char *path, char *text, size_t capacity, struct diag *why);
/*  False: these are not the two parts of a key. */
bool key_take(const char *public_text, const char *secret_text, struct cluster_key *out);
MUST_CHECK int key_make(const char *path,
                        struct cluster_key *out); /* ERR_CONFLICT: the file exists */
#endif
