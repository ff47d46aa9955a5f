/*  err.c - names, sentences and exit codes of err.def. */
#include "common/err.h"

struct err_row {
    int code;
    int exit;
    const char *name;
    const char *text;
};

static const struct err_row rows[] = {
    { 0, 0, "OK", "success" },
#define ERR(name, code, exit, text) { code, exit, #name, text },
#include "common/err.def"
#undef ERR
};

static const struct err_row *row_of(int code)
{
    static const struct err_row unknown = { 0, 1, "?", "an unknown failure" };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return &unknown;
}

const char *err_name(int code)
{
    return row_of(code)->name;
}

const char *err_text(int code)
{
    return row_of(code)->text;
}

int err_exit(int code)
{
    return row_of(code)->exit;
}
