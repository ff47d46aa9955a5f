/*  flags.h - the options of a daemon: one table, from which come getopt_long's, --help and the manual page. */
#ifndef RAYC_FLAGS_H
#define RAYC_FLAGS_H
#include <stdio.h>
#include "common/base.h"

enum { FLAGS_MAX = 63, FLAGS_END = -1, FLAGS_WRONG = -2 };

struct flag {
    const char *name;     /* without its dashes */
    const char *argument; /* "": it takes none */
    const char *help;
};

/*  The row of the next option of the command line, whose argument is then in `optarg`; FLAGS_END; FLAGS_WRONG, which
    has been told on stderr.  Of one command line for the process, as getopt keeps its place. */
int flags_next(const struct flag *flags, uint32_t count, int argc, char **argv);
/*  For --help. */
void flags_help(FILE *out, const struct flag *flags, uint32_t count);
/*  As scdoc. */
void flags_page(FILE *out, const struct flag *flags, uint32_t count);
#endif
