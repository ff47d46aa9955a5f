/*  bearer.c - a token by its hash, or by its number; a ticket by the lease of its attempt. */
#include "head/bearer.h"

#include "common/clock.h"
#include "common/log.h"

#define GOOD_TOKEN                                                                                 \
    " FROM token t JOIN user u ON u.id=t.user WHERE t.revoked_ms IS NULL"                          \
    " AND (t.expires_ms=0 OR t.expires_ms>?2) AND u.disabled=0 AND "

/*  ?1 is its fence.  A lease has the fences token..token+count-1, of the tasks first..first+count-1; a task that has
    ended, or goes elsewhere, may still be in one. */
#define GOOD_TICKET                                                                                \
    " FROM (SELECT token,first,count FROM lease WHERE token<=?1 ORDER BY token DESC LIMIT 1) l"    \
    " JOIN task t ON t.id=l.first+?1-l.token JOIN session s ON s.id=t.id>>40"                      \
    " JOIN job j ON j.id=s.job JOIN user u ON u.id=j.owner"                                        \
    " WHERE ?1<l.token+l.count AND t.state<5 AND coalesce(t.fence,0)<?1"                           \
    " AND u.disabled=0 AND u.role<=?2"

static int failed(sqlite3 *db)
{
    log_error("http.auth", "error=\"%s\"", sqlite3_errmsg(db));
    return ERR_STORE;
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v2(db, sql, -1, out, NULL) == SQLITE_OK ? OK : failed(db);
}

/*  OK: the row is there. */
static int step(sqlite3 *db, sqlite3_stmt *row)
{
    int rc = sqlite3_step(row);
    bool found = rc == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL;
    return found ? OK : rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_TOKEN : failed(db);
}

/*  The row of a principal, if there is one; ends the statement. */
static int take(sqlite3 *db, sqlite3_stmt *row, struct web_principal *out)
{
    int code = step(db, row);
    if (code == OK) {
        *out = (struct web_principal){ .user = (uint64_t)sqlite3_column_int64(row, 0),
                                       .token = (uint64_t)sqlite3_column_int64(row, 1),
                                       .role = (uint32_t)sqlite3_column_int64(row, 2) };
        struct slice name = slice_of(sqlite3_column_blob(row, 3), 0);
        name.n = (size_t)sqlite3_column_bytes(row, 3);
        slice_copy_text(name, out->name, sizeof(out->name));
    }
    sqlite3_finalize(row);
    return code;
}

static int token_find(sqlite3 *db, const struct proof *proof, struct web_principal *out)
{
    sqlite3_stmt *row = NULL;
    static const char sql[] =
        "SELECT u.id, t.id, max(t.role,u.role), u.name" GOOD_TOKEN "t.hash=?1";
    int code = prepare(db, sql, &row);
    if (code != OK) {
        return code;
    }
    sqlite3_bind_blob(row, 1, proof->hash, sizeof(proof->hash), SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, (int64_t)clock_wall_ms());
    return take(db, row, out);
}

static int ticket_find(sqlite3 *db, const struct proof *proof, struct web_principal *out)
{
    sqlite3_stmt *row = NULL;
    static const char sql[] = "SELECT u.id, ?1, ?2, u.name" GOOD_TICKET " AND t.id=?3 AND j.id=?4";
    int code = prepare(db, sql, &row);
    if (code != OK) {
        return code;
    }
    sqlite3_bind_int64(row, 1, (int64_t)proof->fence);
    sqlite3_bind_int64(row, 2, ROLE_USER);
    sqlite3_bind_int64(row, 3, (int64_t)proof->task);
    sqlite3_bind_int64(row, 4, (int64_t)proof->job);
    return take(db, row, out);
}

int bearer_find(sqlite3 *db, const uint8_t *secret, const char *text, struct web_principal *out)
{
    static const uint8_t none[TICKET_SECRET_BYTES];
    struct proof proof;
    proof_read(secret ? secret : none, slice_text(text), &proof);
    switch (proof.kind) {
    case PROOF_TOKEN:
        return token_find(db, &proof, out);
    case PROOF_TICKET:
        return secret != NULL && proof.node == 0 ? ticket_find(db, &proof, out) : ERR_TOKEN;
    case PROOF_NONE:
        break;
    }
    return ERR_TOKEN;
}

bool bearer_holds(sqlite3 *db, uint64_t token)
{
    bool ticket = bearer_is_ticket(token);
    const char *sql = ticket ? "SELECT 1" GOOD_TICKET : "SELECT 1" GOOD_TOKEN "t.id=?1";
    sqlite3_stmt *row = NULL;
    int code = prepare(db, sql, &row);
    sqlite3_bind_int64(row, 1, (int64_t)token);
    sqlite3_bind_int64(row, 2, ticket ? ROLE_USER : (int64_t)clock_wall_ms());
    code = code == OK ? step(db, row) : code;
    sqlite3_finalize(row);
    return code == OK;
}
