/*  command.h - commands.def as C: what commands there are, and how a line names one. */
#ifndef RAYC_CLI_COMMAND_H
#define RAYC_CLI_COMMAND_H
#include "common/base.h"

struct cli;

enum { CMD_WAITS = 1, CMD_REST = 2, CMD_TOP = 4 };

enum command_id {
#define COMMAND(noun, verb, function, flags, operands, help, examples) CMD_##function,
#define ALIAS(noun, verb, function)
#include "client/cli/commands.def"
#undef COMMAND
#undef ALIAS
    COMMANDS
};

typedef int command_run(struct cli *cli); /* returns the exit code */

struct command {
    const char *noun; /* "" for `rayc verb` */
    const char *verb;
    command_run *run;
    unsigned flags;
    enum command_id id;
    const char *operands;
    const char *help;
    const char *examples; /* one per line */
};

#define COMMAND(noun, verb, function, flags, operands, help, examples) command_run cmd_##function;
#define ALIAS(noun, verb, function)
#include "client/cli/commands.def"
#undef COMMAND
#undef ALIAS

const struct command *command_at(enum command_id id);
/*  The command that the first words of `argv` name, and how many words that took; NULL: none. */
const struct command *command_find(int argc, char **argv, int *words);
/*  "job logs", into `out`; returns it. */
const char *command_name(const struct command *command, char *out, size_t capacity);
bool command_noun(const char *word); /* is it a noun that needs a verb? */
/*  The command nearest to what was typed ("job lgos"), as a text of a static table; NULL: none is near. */
const char *command_near(int argc, char **argv);
#endif
