/*  access.h - access files (mode 0600): a token, and for encrypted connections a key.  And where a program finds the
    token that it says HELLO with.  A token is `rayc_` and 43 random letters; heads keep its hash only. */
#ifndef RAYC_ACCESS_H
#define RAYC_ACCESS_H
#include <sys/types.h>
#include "common/base.h"
#include "common/err.h"
#include "common/key.h"

enum { ACCESS_TOKEN_MAX = 256 };

struct access {
    char token[ACCESS_TOKEN_MAX + 1]; /* "": none */
    struct member_key key;
    bool has_key;
};

/*  ERR_NOT_FOUND: no such file.  ERR_KEY: as key_load(), or it has neither a token nor a key. */
MUST_CHECK int access_load(const char *path, struct access *out, struct diag *why);
MUST_CHECK int access_save(const char *path, const struct access *from); /* whole and synced */
/*  A new file, for a process of another user that starts now; not synced.  ERR_SYSTEM: errno says why. */
MUST_CHECK int access_give(const char *path, const struct access *from, uid_t owner);
void token_make(char out[ACCESS_TOKEN_MAX + 1]);
void token_hash(const char *token, uint8_t out[32]); /* BLAKE2b-256, what a head keeps */
/*  The token that is all of `text`, but for blanks around it.  False: it is none. */
bool token_from_text(const char *text, char out[ACCESS_TOKEN_MAX + 1]);
/*  An access file, or a file with nothing but a token in it, as Kubernetes mounts secrets; as access_load(). */
MUST_CHECK int access_find(const char *path, struct access *out, struct diag *why);
/*  What to say HELLO with to the head at `address` (NULL: the one of the state folder), in this order: $RAYC_TOKEN; the
    file of $RAYC_TOKEN_FILE; that of $RAYC_KEY_FILE; NAME in the state folder, if its head listens at the address; what
    `rayc login` has saved for the address.  So nobody else is ever told a token of this cluster, nor whoever listens
    at another port of this machine: that may be a forwarded one.  "" : there is none. */
void token_find(const char *name, const char *address, char out[ACCESS_TOKEN_MAX + 1]);
/*  As token_find(), to say HELLO again; `token` stays as it is if there is none now: a head that starts listens before
    it has written where.  True: it is another one.  So who is refused may ask this: the head that refuses has written
    where it listens. */
bool token_renew(const char *name, const char *address, char token[ACCESS_TOKEN_MAX + 1]);
/*  ERR_KEY: the file of $RAYC_TOKEN_FILE counts, and gives no token; `why` says what is wrong with it. */
MUST_CHECK int token_file_check(struct diag *why);
#endif
