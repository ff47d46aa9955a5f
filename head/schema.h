/*  schema.h - the tables and views of rayc.db, and how an older file becomes a newer one. */
#ifndef RAYC_SCHEMA_H
#define RAYC_SCHEMA_H
#include <sqlite3.h>
#include "common/base.h"
#include "common/err.h"

/*  Brings the schema to this version in one transaction and fills the tables of names.
    ERR_STORE_NEWER: a newer rayc wrote the file.  ERR_STORE: it is no database of rayc, or
    damaged. */
MUST_CHECK int schema_open(sqlite3 *db, struct diag *why);

/*  What a person can do about the last error of this connection; "" if nothing is known. */
const char *schema_advice(sqlite3 *db);
#endif
