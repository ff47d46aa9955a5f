/*  credentials.h - what `rayc login` has saved: for addresses of clusters a token, and the key if their connections are
    encrypted.  One file of the user's (0600), $XDG_CONFIG_HOME/rayc/credentials, else ~/.config/rayc/credentials; it is
    always whole, and two that change it at a time exclude each other.

    An address is compared as link_address() writes it.  ERR_KEY: the file is unreadable, damaged, or others may read it;
    `why` says which. */
#ifndef RAYC_CREDENTIALS_H
#define RAYC_CREDENTIALS_H
#include "common/access.h"

enum { CREDENTIALS_MAX = 50 };

MUST_CHECK int credentials_path(char *out, size_t capacity); /* ERR_NOT_FOUND: there is no HOME */
/*  ERR_NOT_FOUND: nothing is saved for this address. */
MUST_CHECK int credentials_find(const char *address, struct access *out, struct diag *why);
/*  In place of what was saved for it.  ERR_LOCKED: another process changes the file.  ERR_TOO_LARGE: CREDENTIALS_MAX. */
MUST_CHECK int credentials_put(const char *address, const struct access *from, struct diag *why);
/*  `address` NULL: all.  *dropped: how many there were. */
MUST_CHECK int credentials_drop(const char *address, uint32_t *dropped, struct diag *why);
#endif
