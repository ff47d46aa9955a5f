/*  rows.h - rows.def as C: one struct per row the core emits, and the table that binds them. */
#ifndef RAYC_ROWS_H
#define RAYC_ROWS_H
#include "common/base.h"

typedef uint32_t row_u32;
typedef uint64_t row_u64;
typedef int32_t row_i32;
typedef double row_f64;
typedef struct slice row_str;
typedef struct slice row_bin;

enum row_kind {
#define ROW(name, sql) ROW_##name,
#define COL(type, name)
#define END
#include "head/rows.def"
#undef ROW
#undef COL
#undef END
    ROW_KINDS
};

#define ROW(name, sql)  struct row_##name {
#define COL(type, name) row_##type name;
#define END                                                                                        \
    }                                                                                              \
    ;
#include "head/rows.def"
#undef ROW
#undef COL
#undef END

enum col_type { COL_u32, COL_u64, COL_i32, COL_f64, COL_str, COL_bin };
struct col {
    const char *name;
    enum col_type type;
    uint16_t offset;
};
struct row_desc {
    const char *name;
    const char *sql;
    uint16_t bytes;
    uint16_t col_count;
    const struct col *cols;
};
const struct row_desc *row_desc(enum row_kind kind);
#endif
