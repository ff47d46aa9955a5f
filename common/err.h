/*  err.h - codes of operating failures, made from err.def.  Zero is success, every failure is below zero. */
#ifndef RAYC_ERR_H
#define RAYC_ERR_H
#include "common/base.h"

enum err {
    OK = 0,
#define ERR(name, code, exit, text) ERR_##name = code,
#include "common/err.def"
#undef ERR
};

const char *err_name(int code); /* "NOT_FOUND"; "OK"; "?" */
const char *err_text(int code); /* a sentence without a full stop */
int err_exit(int code);         /* the exit code of a command that ends with it */
#endif
