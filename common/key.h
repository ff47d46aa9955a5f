/*  key.h - the CURVE keys of a cluster, in files of mode 0600.  The head has a pair of its own, which never leaves it
    (czmq's zcert in cluster.key); all members share another one, and know the public part of the head's.  So a member
    is let in, but cannot pass for the head. */
#ifndef RAYC_KEY_H
#define RAYC_KEY_H
#include "common/base.h"
#include "common/err.h"

enum { KEY_FILE_BYTES_MAX = 4096 };

struct cluster_key {
    char public_text[41]; /* Z85 */
    char secret_text[41];
};

/*  What a member dials the head with. */
struct member_key {
    char server_text[41]; /* the public part of the head's pair */
    struct cluster_key own;
};

/*  A pair.  ERR_NOT_FOUND: no such file.  ERR_KEY: unreadable, not a key, an access file, or readable by others (why
    says which). */
MUST_CHECK int key_load(const char *path, struct cluster_key *out, struct diag *why);
/*  The text of a file that is a good place for a secret; codes as of key_load(). */
MUST_CHECK int key_read(const char *path, char *text, size_t capacity, struct diag *why);
/*  False: these are not the two parts of a key. */
bool key_take(const char *public_text, const char *secret_text, struct cluster_key *out);
void key_new(struct cluster_key *out); /* a new pair, in memory only */
MUST_CHECK int key_make(const char *path,
                        struct cluster_key *out); /* ERR_CONFLICT: the file exists */
#endif
