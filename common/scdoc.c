/*  scdoc.c - what scdoc would take for a mark is escaped. */
#include "common/scdoc.h"

#include <string.h>

void scdoc_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_`#[]|<>+-.'!&:", *text)) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

void scdoc_literal(FILE *out, const char *text)
{
    fputs("```\n", out);
    for (; *text; text++) {
        fputs(*text == '\\' || *text == '`' ? "\\" : "", out);
        fputc(*text, out);
    }
    fputs("\n```\n\n", out);
}

void scdoc_entry(FILE *out, const char *head, const char *rest, const char *text)
{
    fputc('*', out);
    scdoc_text(out, head);
    fputs(*rest ? "* " : "*", out);
    scdoc_text(out, rest);
    fputs("\n\t", out);
    scdoc_text(out, text);
    fputs("\n\n", out);
}
