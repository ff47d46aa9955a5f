/*  pages.h - manual pages, as scdoc reads them, made from commands.def and options.def: one for each noun or top command.
    `rayc __man` prints their names, `rayc __man NAME` one of them; scripts/man makes them all. */
#ifndef RAYC_CLI_PAGES_H
#define RAYC_CLI_PAGES_H
#include <stdbool.h>
#include <stdio.h>

void pages_list(FILE *out);
bool pages_print(FILE *out, const char *name); /* false: there is no such page */
#endif
