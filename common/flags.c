/*  flags.c - a table of options as getopt_long has it, and as text. */
#include "common/flags.h"

#include <getopt.h>
#include "common/scdoc.h"

enum { ROW_CODE = 256, HELP_COLUMN = 25, HELP_COLUMNS = 96 };

int flags_next(const struct flag *flags, uint32_t count, int argc, char **argv)
{
    struct option options[FLAGS_MAX + 1] = { { 0 } };
    ensure(count <= FLAGS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        options[i] =
            (struct option){ flags[i].name, flags[i].argument[0] ? required_argument : no_argument,
                             NULL, ROW_CODE + (int)i };
    }
    int code = getopt_long(argc, argv, "", options, NULL);
    return code == -1 ? FLAGS_END : code < ROW_CODE ? FLAGS_WRONG : code - ROW_CODE;
}

static int put_name(FILE *out, const struct flag *flag)
{
    return fprintf(out, "  --%s%s%s", flag->name, flag->argument[0] ? " " : "", flag->argument);
}

void flags_help(FILE *out, const struct flag *flags, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *text = flags[i].help;
        int column = put_name(out, &flags[i]);
        fprintf(out, "%*s", column < HELP_COLUMN ? HELP_COLUMN - column : 1, "");
        while (strlen(text) > HELP_COLUMNS - HELP_COLUMN) {
            size_t n = HELP_COLUMNS - HELP_COLUMN;
            while (n > 0 && text[n] != ' ') {
                n--;
            }
            ensure(n > 0);
            fprintf(out, "%.*s\n%*s", (int)n, text, HELP_COLUMN, "");
            text += n + 1;
        }
        fprintf(out, "%s\n", text);
    }
}

void flags_page(FILE *out, const struct flag *flags, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "--%s", flags[i].name);
        scdoc_entry(out, name, flags[i].argument, flags[i].help);
    }
}
