/*  manual.h - help: made from commands.def, options.def, err.def and messages.def, printed to a file. */
#ifndef RAYC_CLI_MANUAL_H
#define RAYC_CLI_MANUAL_H
#include <stdio.h>
#include "client/cli/command.h"

/*  Of a topic: a word and what it is; `name` NULL: a sentence about those that follow. */
struct manual_row {
    const char *name, *text;
};
struct manual_table {
    const struct manual_row *rows; /* NULL after the last table */
    size_t count;
};

void manual_overview(FILE *out);
void manual_noun(FILE *out, const char *noun);
void manual_command(FILE *out, const struct command *command);
/*  "exit-codes", "env", "protocol"; false: there is no such topic. */
bool manual_topic(FILE *out, const char *topic);
const struct manual_table *manual_tables(const char *topic); /* NULL: it is none of tables */
const char *manual_topic_near(const char *typed);            /* NULL: none is near */
#endif
