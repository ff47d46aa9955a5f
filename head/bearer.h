/*  bearer.h - whose token or ticket it is, as the database has it now: for threads that only read. */
#ifndef RAYC_BEARER_H
#define RAYC_BEARER_H
#include <sqlite3.h>
#include "common/ids.h"
#include "common/web/web.h"
#include "head/ticket.h"

/*  ERR_TOKEN: unknown, expired or revoked, or its user is disabled.  The role is the weaker one of token and user.  A ticket
    is good while its attempt is current, and acts as USER for the owner of its job; web_principal.token is then the
    attempt's fence, which is greater than the number of any token.  `secret` is that of tickets; NULL: none is taken, and
    those that workers make never are. */
MUST_CHECK int bearer_find(sqlite3 *db, const uint8_t *secret, const char *text,
                           struct web_principal *out);
/*  Is it still good?  For what goes on after its request: `token` is web_principal.token.  A database that cannot be
    read says no. */
bool bearer_holds(sqlite3 *db, uint64_t token);
static inline bool bearer_is_ticket(uint64_t token)
{
    return token_epoch((token_id){ token }) > 0;
}
#endif
