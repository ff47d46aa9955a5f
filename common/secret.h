/*  secret.h - which environment variables hold secrets, by their names: their values are not shown. */
#ifndef RAYC_SECRET_H
#define RAYC_SECRET_H
#include "common/base.h"

/*  "NAME" or "NAME=..." with TOKEN, SECRET, PASSWORD or CREDENTIAL in its name, or _KEY at its end; in any case. */
bool secret_named(const char *entry);
#endif
