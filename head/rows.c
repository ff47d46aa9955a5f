/*  rows.c - rows.def as a table: what store.c binds, column by column. */
#include "head/rows.h"

/*  Each row is a block of its own, so that `self` can name its struct where only the column is
    known. */
const struct row_desc *row_desc(enum row_kind kind)
{
    switch (kind) {
#define ROW(name, sql)                                                                             \
    case ROW_##name: {                                                                             \
        typedef struct row_##name self;                                                            \
        static const char row_name[] = #name;                                                      \
        static const char row_sql[] = sql;                                                         \
        static const struct col cols[] = {
#define COL(type, name) { #name, COL_##type, offsetof(self, name) },
#define END                                                                                        \
    }                                                                                              \
    ;                                                                                              \
    static const struct row_desc desc = { row_name, row_sql, sizeof(self), COUNT(cols), cols };    \
    return &desc;                                                                                  \
    }
#include "head/rows.def"
#undef ROW
#undef COL
#undef END
    case ROW_KINDS:
        break;
    }
    ensure(!"a kind of row");
    return NULL;
}
