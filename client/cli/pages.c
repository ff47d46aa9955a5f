/*  pages.c - the tables of the command line as scdoc. */
#include "client/cli/pages.h"

#include <string.h>
#include "common/scdoc.h"
#include "client/cli/command.h"
#include "client/cli/manual.h"
#include "client/cli/options.h"
#include "client/tune/spec.h"

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

static void put_option(FILE *out, const struct option_row *row)
{
    if (row->letter) {
        fprintf(out, "*-%c*, ", row->letter);
    }
    char name[64];
    snprintf(name, sizeof(name), "--%s", row->name);
    scdoc_entry(out, name, row->argument, row->help);
}

static void put_command(FILE *out, const struct command *command)
{
    char name[64];
    size_t count;
    const struct option_row *rows = option_rows(&count);
    fprintf(out, "# RAYC %s\n\n*rayc %s*%s", command_name(command, name, sizeof(name)), name,
            command->operands[0] ? " " : "");
    scdoc_text(out, command->operands);
    fputs("\n\n", out);
    scdoc_text(out, command->help);
    fputs("\n\n", out);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].help && !option_everywhere(&rows[i]) && (rows[i].on >> command->id & 1)) {
            put_option(out, &rows[i]);
        }
    }
    scdoc_literal(out, command->examples);
}

static void put_shared_options(FILE *out)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (option_everywhere(&rows[i])) {
            put_option(out, &rows[i]);
        }
    }
}

bool pages_print(FILE *out, const char *name)
{
    bool found = false;
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
        put_shared_options(out);
        fputs("# SEE ALSO\n\n*rayc*(1), *rayc*(7)\n", out);
    }
    return found;
}

/*  --- parts of pages that are written by hand -------------------------------------------------------------- */

static void part_commands(FILE *out)
{
    for (int i = 0; i < COMMANDS; i++) {
        const struct command *command = command_at((enum command_id)i);
        char name[64], head[80];
        snprintf(head, sizeof(head), "rayc %s", command_name(command, name, sizeof(name)));
        scdoc_entry(out, head, command->operands, command->help);
    }
}

static void part_topic(FILE *out, const char *topic)
{
    for (const struct manual_table *table = manual_tables(topic); table->rows; table++) {
        for (size_t i = 0; i < table->count; i++) {
            const struct manual_row *row = &table->rows[i];
            if (row->name) {
                scdoc_entry(out, row->name, "", row->text);
            } else {
                scdoc_text(out, row->text);
                fputs("\n\n", out);
            }
        }
    }
}

static void part_exit_codes(FILE *out)
{
    part_topic(out, "exit-codes");
}

static void part_environment(FILE *out)
{
    part_topic(out, "env");
}

static void put_key(FILE *out, const struct spec_key_row *row)
{
    char head[64], text[128];
    snprintf(head, sizeof(head), "%s%s%s", row->section, row->section[0] ? "." : "", row->name);
    if (row->same_as) {
        snprintf(text, sizeof(text), "another name of %s%s%s", row->same_section,
                 row->same_section[0] ? "." : "", row->same_as);
    } else if (row->refused) {
        snprintf(text, sizeof(text), "refused: it is not there yet");
    } else if (!row->type) {
        snprintf(text, sizeof(text), "see above");
    } else if (row->ranges) {
        snprintf(text, sizeof(text), "%s from %g to %g", row->type, row->least, row->most);
    } else {
        snprintf(text, sizeof(text), "%s", row->type);
    }
    scdoc_entry(out, head, "", text);
}

static void part_keys(FILE *out)
{
    struct spec_key_row row;
    for (uint32_t i = 0; spec_key_row(i, &row); i++) {
        put_key(out, &row);
    }
}

bool pages_part(FILE *out, const char *name)
{
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } parts[] = {
        { "commands", part_commands },
        { "options", put_shared_options },
        { "exit-codes", part_exit_codes },
        { "env", part_environment },
        { "keys", part_keys },
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strcmp(parts[i].name, name) == 0) {
            parts[i].print(out);
            return true;
        }
    }
    return false;
}
