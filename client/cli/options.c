/*  options.c - getopt_long, fed and checked by the table of options.def. */
#include "client/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/near.h"
#include "client/cli/parse.h"

#define EVERYWHERE   UINT64_MAX
#define ON(function) (1ull << CMD_##function)
#define LISTS                                                                                      \
    (ON(status) | ON(job_list) | ON(task_list) | ON(node_list) | ON(tune_list) | ON(tune_trials) | \
     ON(token_list) | ON(user_list) | ON(actor_list) | ON(object_list) | ON(memory))
#define ITEMS (ON(job_get) | ON(task_get) | ON(node_get) | ON(actor_get) | ON(object_get))
#define TUNES (ON(tune) | ON(tune_resume))

_Static_assert(COMMANDS <= 64, "a bit of option_row.on for each command");

static const struct option_row rows[] = {
#define OPTION(field, name, letter, type, argument, on, help)                                      \
    { name, letter, OPTION_##type, argument, offsetof(struct options, field), on, help },
#define ALIAS(field, name, type, argument, on)                                                     \
    { name, 0, OPTION_##type, argument, offsetof(struct options, field), on, NULL },
#include "client/cli/options.def"
#undef OPTION
#undef ALIAS
};

enum { ROW_CODE = 256 }; /* getopt's code of rows[i] is ROW_CODE + i */

const struct option_row *option_rows(size_t *count)
{
    *count = COUNT(rows);
    return rows;
}

bool option_everywhere(const struct option_row *row)
{
    return row->on == EVERYWHERE;
}

static void *field_of(struct options *self, const struct option_row *row)
{
    return (char *)self + row->offset;
}

void options_init(struct options *self)
{
    *self = (struct options){ 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum option_type type = rows[i].type;
        if (type == OPTION_COUNT || type == OPTION_INTEGER || type == OPTION_TIME) {
            *(int64_t *)field_of(self, &rows[i]) = OPTION_UNSET;
        }
    }
}

static int integer_parse(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value == OPTION_UNSET) {
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

/*  Is `text` one of "table|json"?  If not, `near` is the word that may have been meant. */
static bool choice_has(const char *choices, const char *text, char *near_word, size_t capacity)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", choices);
    struct near near;
    near_begin(&near, text);
    char *rest;
    for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest)) {
        if (strcmp(word, text) == 0) {
            return true;
        }
        near_offer(&near, word);
    }
    const char *found = near_found(&near);
    snprintf(near_word, capacity, "%s", found ? found : "");
    return false;
}

static int set_value(struct options *self, const struct option_row *row, const char *text,
                     char *why)
{
    void *field = field_of(self, row);
    const char *wanted = NULL;
    char near_word[128] = "";
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return OK;
    case OPTION_TEXT:
        *(const char **)field = text;
        return OK;
    case OPTION_CHOICE:
        *(const char **)field = text;
        wanted =
            choice_has(row->argument, text, near_word, sizeof(near_word)) ? NULL : row->argument;
        break;
    case OPTION_COUNT:
        if (integer_parse(text, field) != OK || *(int64_t *)field < 0) {
            wanted = "a whole number, 0 or more";
        }
        break;
    case OPTION_INTEGER:
        wanted = integer_parse(text, field) == OK ? NULL : "a whole number";
        break;
    case OPTION_TIME:
        wanted = time_parse(text, field) == OK ? NULL : "a time, such as 90, 1.5m, 2h or 250ms";
        break;
    case OPTION_LIST: {
        struct option_list *list = field;
        if (list->count == OPTION_LIST_MAX) {
            snprintf(why, OPTION_WHY_BYTES, "--%s: given more than %d times", row->name,
                     OPTION_LIST_MAX);
            return ERR_INVALID;
        }
        list->texts[list->count++] = text;
        return OK;
    }
    }
    if (!wanted) {
        return OK;
    }
    snprintf(why, OPTION_WHY_BYTES, "--%s: '%s' is not %s%s%s%s", row->name, text, wanted,
             near_word[0] ? "; did you mean '" : "", near_word, near_word[0] ? "'?" : "");
    return ERR_INVALID;
}

static bool row_applies(const struct option_row *row, const struct command *command)
{
    return command ? (row->on >> command->id & 1) : (option_everywhere(row) || row->on == 0);
}

/*  Fills getopt's two tables with the options that the command takes. */
static void tables_fill(const struct command *command, struct option *longs, char *shorts)
{
    bool rest = !command || (command->flags & CMD_REST);
    if (rest) {
        *shorts++ = '+';
    }
    *shorts++ = ':';
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!row_applies(&rows[i], command)) {
            continue;
        }
        int has = rows[i].type == OPTION_FLAG ? no_argument : required_argument;
        *longs++ = (struct option){ rows[i].name, has, NULL, ROW_CODE + (int)i };
        if (rows[i].letter) {
            *shorts++ = rows[i].letter;
            if (has == required_argument) {
                *shorts++ = ':';
            }
        }
    }
    *longs = (struct option){ 0 };
    *shorts = 0;
}

/*  Says which option is unknown, and which may have been meant. */
static void unknown_option(const struct command *command, const char *typed, char *why)
{
    char name[NEAR_LETTERS_MAX + 1];
    snprintf(name, sizeof(name), "%s", typed + strspn(typed, "-"));
    name[strcspn(name, "=")] = 0;
    struct near near;
    near_begin(&near, name);
    const struct option_row *elsewhere = NULL;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (row_applies(&rows[i], command)) {
            near_offer(&near, rows[i].name);
        } else if (strcmp(rows[i].name, name) == 0) {
            elsewhere = &rows[i];
        }
    }
    const char *found = near_found(&near);
    if (elsewhere && command) {
        char of[64] = "rayc itself";
        if (elsewhere->on) {
            command_name(command_at((enum command_id)__builtin_ctzll(elsewhere->on)), of,
                         sizeof(of));
        }
        snprintf(why, OPTION_WHY_BYTES, "option '--%s' belongs to '%s', not here", name, of);
    } else if (elsewhere) {
        snprintf(why, OPTION_WHY_BYTES, "option '--%s' comes after the command", name);
    } else {
        snprintf(why, OPTION_WHY_BYTES, "unknown option '%s%s'%s%s%s", typed[0] == '-' ? "" : "-",
                 typed, found ? "; did you mean '--" : "", found ? found : "", found ? "'?" : "");
    }
}

static const struct option_row *row_of(int code)
{
    if (code >= ROW_CODE) {
        return &rows[code - ROW_CODE];
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].letter == code) {
            return &rows[i];
        }
    }
    return NULL;
}

/*  getopt() found no option, or no argument to one. */
static int parse_failed(const struct command *command, bool missing, char **argv, char *why)
{
    char letter[3] = { '-', (char)optopt, 0 };
    bool is_letter = optopt > 0 && optopt < ROW_CODE;
    const struct option_row *row = optopt ? row_of(optopt) : NULL;
    if (missing || (row && row_applies(row, command))) {
        snprintf(why, OPTION_WHY_BYTES,
                 missing ? "option '%s' needs an argument%s%s"
                         : "option '%s' takes no argument%s%s",
                 is_letter ? letter : argv[optind - 1], missing && row ? ": " : "",
                 missing && row ? row->argument : "");
    } else {
        unknown_option(command, is_letter ? letter : argv[optind - 1], why);
    }
    return ERR_INVALID;
}

int options_parse(struct options *self, const struct command *command, int argc, char **argv,
                  int *first, bool *dashes, char *why)
{
    struct option longs[COUNT(rows) + 1];
    char shorts[2 * COUNT(rows) + 3];
    tables_fill(command, longs, shorts);
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        int before = optind > 0 ? optind : 1;
        optopt = 0;
        int code = getopt_long(argc, argv, shorts, longs, NULL);
        if (code == -1) {
            *dashes = optind > before && optind <= argc && strcmp(argv[optind - 1], "--") == 0;
            *first = optind;
            return OK;
        }
        if (code == '?' || code == ':') {
            return parse_failed(command, code == ':', argv, why);
        }
        const struct option_row *row = row_of(code);
        ensure(row);
        int rc = set_value(self, row, optarg, why);
        if (rc != OK) {
            return rc;
        }
    }
}
