/*  prompt.h - asks for a secret on the terminal, without showing what is typed. */
#ifndef RAYC_CLI_PROMPT_H
#define RAYC_CLI_PROMPT_H
#include "common/base.h"
#include "common/err.h"

/*  One line, without its end.  A signal that ends rayc does so after the terminal shows what is typed again.
    ERR_NOT_FOUND: there is no terminal.  ERR_CLOSED: nothing was typed.  ERR_TOO_LARGE. */
MUST_CHECK int prompt_secret(const char *question, char *out, size_t capacity);
#endif
