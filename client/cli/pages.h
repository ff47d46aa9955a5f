/*  pages.h - manual pages, as scdoc reads them, made from commands.def and options.def: one for each noun or top command;
    and the parts of other pages (docs/man) that come from tables.  `rayc __man` prints the names of the pages,
    `rayc __man NAME` one of them, `rayc __man-part NAME` a part; scripts/man makes them all. */
#ifndef RAYC_CLI_PAGES_H
#define RAYC_CLI_PAGES_H
#include <stdbool.h>
#include <stdio.h>

void pages_list(FILE *out);
bool pages_print(FILE *out, const char *name); /* false: there is no such page */
bool pages_part(FILE *out, const char *name);  /* commands, options, exit-codes, env, keys */
#endif
