/*  query_functions.h - the SQL functions that views.def uses, on one connection. */
#ifndef RAYC_QUERY_FUNCTIONS_H
#define RAYC_QUERY_FUNCTIONS_H
#include <sqlite3.h>
#include "common/err.h"

MUST_CHECK int query_functions(sqlite3 *db);
#endif
