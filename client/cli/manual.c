/*  manual.c - the help pages. */
#include "client/cli/manual.h"

#include <ctype.h>
#include "common/near.h"
#include "client/cli/options.h"
#include "common/err.h"
#include "proto/proto.h"

enum { PAGE_COLUMNS = 96, HELP_COLUMN = 34 };

/*  Prints `text` from column HELP_COLUMN on, broken at spaces. */
static void print_folded(FILE *out, const char *text)
{
    size_t room = PAGE_COLUMNS - HELP_COLUMN;
    while (strlen(text) > room) {
        size_t n = room;
        while (n > 0 && text[n] != ' ') {
            n--;
        }
        n = n ? n : room;
        fprintf(out, "%.*s\n%*s", (int)n, text, HELP_COLUMN, "");
        text += n + (text[n] == ' ');
    }
    fprintf(out, "%s\n", text);
}

static void print_entry(FILE *out, const char *left, const char *text)
{
    int n = fprintf(out, "  %s", left);
    if (n >= HELP_COLUMN - 1) {
        fputc('\n', out);
        n = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - n, "");
    print_folded(out, text);
}

static void print_lines(FILE *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(out, "  %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void print_command_line(FILE *out, const struct command *command)
{
    char name[64];
    print_entry(out, command_name(command, name, sizeof(name)), command->help);
}

void manual_overview(FILE *out)
{
    fputs("rayc runs programs with tasks, and commands, on a cluster; nothing accepted is lost.\n\n"
          "Usage: rayc [OPTION]... COMMAND [ARG]...\n\nExamples:\n"
          "  rayc submit parallel_compute           run an example, on a cluster of its own\n"
          "  rayc submit -- ./script.sh arg         run a command as a job\n"
          "  rayc start --head                      start a cluster that stays\n"
          "  rayc job logs -f @last                 follow the newest job\n\nCommands:\n",
          out);
    for (int i = 0; i < COMMANDS; i++) {
        print_command_line(out, command_at((enum command_id)i));
    }
    fputs("\nTopics: rayc help exit-codes | env | protocol\n"
          "Each command explains itself: rayc COMMAND --help\n",
          out);
}

void manual_noun(FILE *out, const char *noun)
{
    fprintf(out, "Commands of 'rayc %s':\n", noun);
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(command_at((enum command_id)i)->noun, noun) == 0) {
            print_command_line(out, command_at((enum command_id)i));
        }
    }
}

static void print_option(FILE *out, const struct option_row *row)
{
    char left[128];
    char letter[8] = "    ";
    if (row->letter) {
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    }
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argument[0] ? " " : "",
             row->argument);
    print_entry(out, left, row->help);
}

void manual_command(FILE *out, const struct command *command)
{
    char name[64];
    command_name(command, name, sizeof(name));
    fprintf(out, "%c%s.\n\nUsage: rayc %s [OPTION]...%s%s\n\nExamples:\n",
            toupper(command->help[0]), command->help + 1, name, command->operands[0] ? " " : "",
            command->operands);
    print_lines(out, command->examples);
    size_t count;
    const struct option_row *rows = option_rows(&count);
    bool own = false;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].help && !option_everywhere(&rows[i]) && (rows[i].on >> command->id & 1)) {
            fputs(own ? "" : "\nOptions:\n", out);
            own = true;
            print_option(out, &rows[i]);
        }
    }
    fputs("\nOptions of every command:\n", out);
    for (size_t i = 0; i < count; i++) {
        if (option_everywhere(&rows[i])) {
            print_option(out, &rows[i]);
        }
    }
    if (strstr(command->operands, "JOB") || strstr(command->operands, "TASK") ||
        strstr(command->operands, "STUDY")) {
        fputs("\nAn id may be cut to a beginning that no other has; @last is the newest.\n", out);
    }
}

/*  --- topics that are tables -------------------------------------------------------------------------------- */

/*  A line: a word and what it is; without a word: what the next lines, or those before, are about. */
static const struct manual_row exit_codes[] = {
    { NULL, "Exit codes of rayc" },
    { "0", "done; of submit and job wait: the job succeeded" },
    { "1", "the operation failed" },
    { "2", "the command line is wrong" },
    { "3", "there is no such job, task, node or study" },
    { "4", "the head cannot be reached" },
    { "5", "the cluster's key or the token is missing or was refused, or may not do that" },
    { "6", "no node can ever meet the demand" },
    { "7", "it exists already, with another content" },
    { "8", "the other side, or the database, is of another version" },
    { "74", "the database cannot be read or written" },
    { "75", "another process is using this state folder" },
    { "78", "a file that it was told to use is missing or cannot be used" },
    { NULL, "Of submit and job wait, which pass the job's own exit code on" },
    { "0-123", "of the job's driver; an array: 0, or 1 if a task failed" },
    { "124", "job wait --timeout: the time is over, the job goes on" },
    { "125", "rayc itself failed (the head unreachable, no node large enough, ...; error.code with "
             "-o json); but 2 and 7 as above" },
    { "126", "the program cannot be executed" },
    { "127", "the program was not found" },
    { "128+n", "the driver was killed by signal n" },
    { "130", "the job was stopped, or Ctrl-C has detached this command from it" },
    { NULL, "Of tune and tune resume" },
    { "0", "the study has ended" },
    { "1", "every trial failed" },
    { "130", "it was stopped, or Ctrl-C has interrupted it: tune resume goes on" },
    { NULL, "Of report, in a trial" },
    { "0", "go on" },
    { "2", "the report was refused" },
    { "75", "stop now" },
    { "76", "pause: end with a checkpoint" },
};

static const struct manual_row environment[] = {
    { NULL, "Environment of rayc" },
    { "RAYC_ADDRESS", "address of the head; --address goes before it" },
    { "RAY_ADDRESS", "the same where RAYC_ADDRESS is not set, if it begins with http://" },
    { "RAYC_STATE_DIR", "state folder (default: $XDG_STATE_HOME/rayc, else ~/.local/state/rayc)" },
    { "RAYC_TOKEN", "the token to say who one is with; else see RAYC_TOKEN_FILE and rayc login" },
    { "RAYC_TOKEN_FILE", "a file with nothing but it, or an access file" },
    { "RAYC_KEY_FILE", "access file of the cluster; --key-file goes before it" },
    { "RAYC_OUTPUT", "table or json; -o goes before it" },
    { "RAYC_PROGRAMS", "folders in which submit looks for PROGRAM, separated by colons" },
    { "RAYC_CONNECT_MS",
      "how long to wait for a head that was given by its address (default 5000)" },
    { "RAYC_RECONNECT_MS", "how long submit, job wait, job logs -f and programs with tasks wait "
                           "for a head that went away (default 600000)" },
    { "RAYC_DURABILITY", "process (default) or full: of the tasks of a program that is its own "
                         "driver; --durability says it of a job" },
    { "RAYC_LOG", "error, warn, info or debug: log lines of rayc, head and worker on stderr" },
    { "NO_COLOR", "set and not empty: no colours; nor with TERM=dumb" },
    { "COLUMNS", "width of tables (default: the terminal's; not a terminal: as wide as it needs)" },
    { NULL, "Set for a job" },
    { "RAYC_ADDRESS", "the cluster's head, for programs that submit tasks" },
    { "RAYC_JOB_ID", "the job's number" },
    { "RAYC_SUBMISSION_ID", "and its submission id" },
    { "RAYC_TASK_ID", "the task's id" },
    { "RAYC_TASK_INDEX", "of a task of an array: its index" },
    { "RAYC_ATTEMPT", "1, 2, ..." },
    { "RAYC_FENCE", "grows with each attempt: outside systems can refuse a lower one" },
    { "RAYC_SCRATCH", "an empty folder, also TMPDIR, that goes when the attempt has ended" },
    { "CUDA_VISIBLE_DEVICES", "the GPUs that the attempt holds" },
    { NULL, "A job gets the environment of its worker (without RAYC_*), over it, if the cluster is "
            "on this machine, the submitter's PATH, HOME, USER, LANG, LC_*, TERM and TZ, and over "
            "it what --env and --env-file name." },
};

#define ERR(name, code, exit, text) { #name, #exit "  " text },
static const struct manual_row failures[] = {
    { NULL, "Failures by name, with the exit code (error.code with -o json)" },
#include "common/err.def"
};
#undef ERR

#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, COUNT(rows)                                                                          \
    }
static const struct manual_table exit_tables[] = { TABLE(exit_codes), TABLE(failures), { 0 } };
static const struct manual_table environment_tables[] = { TABLE(environment), { 0 } };

static void print_sentence(FILE *out, const char *text)
{
    while (strlen(text) > PAGE_COLUMNS) {
        size_t n = PAGE_COLUMNS;
        while (n > 1 && text[n] != ' ') {
            n--;
        }
        fprintf(out, "%.*s\n", (int)n, text);
        text += n + 1;
    }
    fprintf(out, "%s\n", text);
}

static void print_tables(FILE *out, const struct manual_table *tables)
{
    bool first = true;
    for (; tables->rows; tables++) {
        for (size_t i = 0; i < tables->count; i++) {
            const struct manual_row *row = &tables->rows[i];
            if (row->name) {
                print_entry(out, row->name, row->text);
                continue;
            }
            fputs(first ? "" : "\n", out);
            print_sentence(out, row->text);
            first = false;
        }
    }
}

static void topic_protocol(FILE *out)
{
    static const char *const types[] = { "u32", "u64", "i32", "i64", "str", "bin", "list" };
    fprintf(
        out,
        "The protocol of rayc, version %d.%d: a frame is a msgpack array [id, seq, fields...]\n",
        PROTO_MAJOR, PROTO_MINOR);
    for (int record = 0; record < 2; record++) {
        int kinds = record ? (int)RECORD_KINDS : (int)MSG_KINDS;
        fprintf(out, "\n%s\n", record ? "Records, the elements of lists" : "Messages");
        for (int kind = 0; kind < kinds; kind++) {
            const struct shape *shape =
                record ? proto_record((enum record_kind)kind) : proto_message((enum msg_kind)kind);
            if (!shape || !shape->name) {
                continue;
            }
            if (record) {
                fprintf(out, "\n%s: %s\n", shape->name, shape->doc);
            } else {
                fprintf(out, "\n%d %s (%s the head): %s\n", kind, shape->name,
                        shape->to_head ? "to" : "not to", shape->doc);
            }
            for (int i = 0; i < shape->field_count; i++) {
                const struct field *field = &shape->fields[i];
                fprintf(out, "    %-4s %-14s %s\n", types[field->type], field->name, field->doc);
            }
        }
    }
}

static const struct topic {
    const char *name;
    const struct manual_table *tables;
    void (*print)(FILE *out); /* if it is no table */
} topics[] = {
    { "exit-codes", exit_tables, NULL },
    { "env", environment_tables, NULL },
    { "protocol", NULL, topic_protocol },
};

static const struct topic *topic_find(const char *name)
{
    for (size_t i = 0; i < COUNT(topics); i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return &topics[i];
        }
    }
    return NULL;
}

const struct manual_table *manual_tables(const char *topic)
{
    const struct topic *found = topic_find(topic);
    return found ? found->tables : NULL;
}

bool manual_topic(FILE *out, const char *topic)
{
    const struct topic *found = topic_find(topic);
    if (found && found->tables) {
        print_tables(out, found->tables);
    } else if (found) {
        found->print(out);
    }
    return found != NULL;
}

const char *manual_topic_near(const char *typed)
{
    struct near near;
    near_begin(&near, typed);
    for (size_t i = 0; i < COUNT(topics); i++) {
        near_offer(&near, topics[i].name);
    }
    return near_found(&near);
}
