/*  find.h - where the PROGRAM of `rayc submit PROGRAM` is: a path with a slash; else by name in $RAYC_PROGRAMS, the
    installed examples, the build tree's examples, PATH. */
#ifndef RAYC_CLI_FIND_H
#define RAYC_CLI_FIND_H
#include "client/cli/cli.h"

/*  0 and the absolute path of a program with tasks; else the exit code of what was said: 127 not found, 126 not
    executable, 2 not a program with tasks. */
int find_program(const struct cli *cli, const char *name, char out[PATH_BYTES]);
#endif
