/*  cli.h - what every command is given: its options and operands, and the ways to say things.

    Data goes to stdout, messages to stderr.  A command returns its exit code; whatever fails is said once, by
    fail(), which also knows the code.  Texts of users and of the head pass text_clean() before a terminal sees them. */
#ifndef RAYC_CLI_CLI_H
#define RAYC_CLI_CLI_H
#include <stdio.h>
#include "client/cli/command.h"
#include "client/cli/options.h"
#include "common/base.h"
#include "common/err.h"
#include "common/file.h"

struct ask;

enum {
    EXIT_USAGE = 2,
    EXIT_TIMEOUT = 124,
    EXIT_RAYC = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_STOPPED = 130
};

struct cli {
    struct options options;
    const struct command *command;
    char **operands; /* up to NULL */
    int count;
    bool dashes; /* "--" stood before the operands */
    char state_dir[PATH_BYTES];
    struct ask *ask; /* see connect.h */
};

/*  Says what failed, and returns the exit code: err_exit(code), or 125 from a command that passes a job's code on. */
int fail(const struct cli *self, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*  A wrong command line: 2, and how to ask for help. */
int fail_usage(const struct cli *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/*  As fail(), with an exit code of its own. */
int fail_exit(const struct cli *self, int code, int exit_code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void note(const struct cli *self, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* but not with -q */
void detail(const struct cli *self, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* only with -v */

bool cli_json(const struct cli *self);
/*  May `file` be coloured? */
bool cli_colour(const struct cli *self, FILE *file);
/*  Exactly one operand, or fail_usage() and *exit_code. */
const char *cli_operand(const struct cli *self, const char *what, int *exit_code);
int cli_no_operands(const struct cli *self); /* 0, or fail_usage() */

/*  `from` as one line without control characters: "\n" for a newline, "\x1b" for an escape; cut to fit. */
const char *text_clean(struct slice from, char *out, size_t capacity);
#endif
