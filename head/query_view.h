/*  query_view.h - one question answered from a read-only connection: views.def, filters, ids,
    pages. Input reaches SQLite as bound values only; names of columns are looked up among those
    that the view has. */
#ifndef RAYC_QUERY_VIEW_H
#define RAYC_QUERY_VIEW_H
#include <sqlite3.h>
#include "common/err.h"
#include "common/text.h"
#include "head/core/core.h"
#include "head/json.h"
#include "proto/proto.h"

/*  Opens the database read-only, with the functions that views.def uses. */
MUST_CHECK int query_database(const char *path, sqlite3 **out);
/*  On failure `text` says what was wrong with the question: ERR_INVALID, ERR_NOT_FOUND,
    ERR_CONFLICT (an id that is the beginning of several), ERR_TOO_LARGE, ERR_TIMEOUT
    (interrupted), ERR_STORE.  What `reader` may not see is not there. */
MUST_CHECK int query_answer(sqlite3 *db, const struct reader *reader, const struct msg_query *ask,
                            struct json *out, struct text *why);

/*  A SHORTCUT of views.def. */
struct query_shortcut {
    const char *view, *column, *value, *from, *condition, *order;
};

/*  That of the filter column=value; NULL: there is none. */
const struct query_shortcut *query_shortcut(const char *view, const char *column,
                                            struct slice value);
/*  Columns with commas between, some with DESC: as they are, or each the other way round. */
void query_order(const char *order, bool reverse, struct text *sql);
#endif
