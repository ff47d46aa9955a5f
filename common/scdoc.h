/*  scdoc.h - text for manual pages, as scdoc reads it, in which nothing of the text is taken for a mark. */
#ifndef RAYC_SCDOC_H
#define RAYC_SCDOC_H
#include <stdio.h>

void scdoc_text(FILE *out, const char *text);
/*  Lines that stay as they are. */
void scdoc_literal(FILE *out, const char *text);
/*  An entry of a list: `head` in bold, `rest` ("" is none) after it, and below what it is. */
void scdoc_entry(FILE *out, const char *head, const char *rest, const char *text);
#endif
