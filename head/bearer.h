/*  bearer.h - whose token it is, as the database has it now: for threads that only read. */
#ifndef RAYC_BEARER_H
#define RAYC_BEARER_H
#include <sqlite3.h>
#include "common/web/web.h"

/*  False: unknown, expired or revoked, or its user is disabled.  The role is the weaker one of token and user. */
bool bearer_find(sqlite3 *db, const char *token, struct web_principal *out);
/*  Is it still good?  For what goes on after its request: `token` is web_principal.token. */
bool bearer_holds(sqlite3 *db, uint64_t token);
#endif
