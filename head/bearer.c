/*  bearer.c - a token by its hash, or by its number. */
#include "head/bearer.h"

#include <sodium.h>
#include "common/clock.h"
#include "common/log.h"

enum { TOKEN_BYTES = 32 };

#define GOOD                                                                                       \
    " FROM token t JOIN user u ON u.id=t.user WHERE t.revoked_ms IS NULL"                          \
    " AND (t.expires_ms=0 OR t.expires_ms>?2) AND u.disabled=0 AND "

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *row = NULL;
    if (db == NULL || sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) {
        log_error("http.auth", "error=\"%s\"", db ? sqlite3_errmsg(db) : "no connection");
    }
    return row;
}

bool bearer_find(sqlite3 *db, const char *token, struct web_principal *out)
{
    uint8_t hash[TOKEN_BYTES];
    sqlite3_stmt *row =
        prepare(db, "SELECT u.id, t.id, max(t.role,u.role), u.name" GOOD "t.hash=?1");
    if (row == NULL) {
        return false;
    }
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)token, strlen(token), NULL, 0);
    sqlite3_bind_blob(row, 1, hash, sizeof(hash), SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, (int64_t)clock_wall_ms());
    bool known = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL;
    if (known) {
        *out = (struct web_principal){ .user = (uint64_t)sqlite3_column_int64(row, 0),
                                       .token = (uint64_t)sqlite3_column_int64(row, 1),
                                       .role = (uint32_t)sqlite3_column_int64(row, 2) };
        struct slice name = slice_of(sqlite3_column_blob(row, 3), 0);
        name.n = (size_t)sqlite3_column_bytes(row, 3);
        slice_copy_text(name, out->name, sizeof(out->name));
    }
    sqlite3_finalize(row);
    return known;
}

bool bearer_holds(sqlite3 *db, uint64_t token)
{
    sqlite3_stmt *row = prepare(db, "SELECT 1" GOOD "t.id=?1");
    sqlite3_bind_int64(row, 1, (int64_t)token);
    sqlite3_bind_int64(row, 2, (int64_t)clock_wall_ms());
    bool found = row && sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    return found;
}
