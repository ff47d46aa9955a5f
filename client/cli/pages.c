/*  pages.c - the tables of the command line as scdoc. */
#include "client/cli/pages.h"

#include <string.h>
#include "client/cli/command.h"
#include "client/cli/options.h"

/*  The page that a command is on: its noun's, or its own. */
static const char *page_of(const struct command *command)
{
    return command->noun[0] ? command->noun : command->verb;
}

static bool is_first(int i)
{
    for (int k = 0; k < i; k++) {
        if (strcmp(page_of(command_at((enum command_id)k)),
                   page_of(command_at((enum command_id)i))) == 0) {
            return false;
        }
    }
    return true;
}

void pages_list(FILE *out)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (is_first(i)) {
            fprintf(out, "%s\n", page_of(command_at((enum command_id)i)));
        }
    }
}

/*  Text in which nothing is a mark. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_`#[]|<>+-.'!&:", *text)) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void put_literal(FILE *out, const char *text)
{
    fputs("```\n", out);
    for (; *text; text++) {
        fputs(*text == '\\' || *text == '`' ? "\\" : "", out);
        fputc(*text, out);
    }
    fputs("\n```\n\n", out);
}

static void put_option(FILE *out, const struct option_row *row)
{
    if (row->letter) {
        fprintf(out, "*-%c*, ", row->letter);
    }
    fprintf(out, "*--%s* ", row->name);
    put_text(out, row->argument);
    fputs("\n\t", out);
    put_text(out, row->help);
    fputs("\n\n", out);
}

static void put_command(FILE *out, const struct command *command)
{
    char name[64];
    size_t count;
    const struct option_row *rows = option_rows(&count);
    fprintf(out, "# RAYC %s\n\n*rayc %s* ", command_name(command, name, sizeof(name)), name);
    put_text(out, command->operands);
    fputs("\n\n", out);
    put_text(out, command->help);
    fputs("\n\n", out);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].help && !option_everywhere(&rows[i]) && (rows[i].on >> command->id & 1)) {
            put_option(out, &rows[i]);
        }
    }
    put_literal(out, command->examples);
}

bool pages_print(FILE *out, const char *name)
{
    bool found = false;
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (int i = 0; i < COMMANDS; i++) {
        const struct command *command = command_at((enum command_id)i);
        if (strcmp(page_of(command), name) != 0) {
            continue;
        }
        if (!found) {
            fprintf(out, "rayc-%s(1) \"rayc %s\"\n\n# NAME\n\nrayc-%s - the commands *rayc %s*\n\n",
                    name, RAYC_VERSION, name, name);
        }
        found = true;
        put_command(out, command);
    }
    if (found) {
        fputs("# OPTIONS OF EVERY COMMAND\n\n", out);
    }
    for (size_t i = 0; i < count && found; i++) {
        if (option_everywhere(&rows[i])) {
            put_option(out, &rows[i]);
        }
    }
    return found;
}
