/*  command.c - looks commands up in the table of commands.def. */
#include "client/cli/command.h"

#include <stdio.h>
#include "common/near.h"

static const struct command commands[COMMANDS] = {
#define COMMAND(noun, verb, function, flags, operands, help, examples)                             \
    { noun, verb, cmd_##function, flags, CMD_##function, operands, help, examples },
#define ALIAS(noun, verb, function)
#include "client/cli/commands.def"
#undef COMMAND
#undef ALIAS
};

/*  Every way to write a command. */
static const struct spelling {
    const char *noun, *verb, *whole;
    enum command_id id;
} spellings[] = {
#define COMMAND(noun, verb, function, flags, operands, help, examples)                             \
    { noun, verb, noun[0] ? noun " " verb : verb, CMD_##function },
#define ALIAS(noun, verb, function) { noun, verb, noun " " verb, CMD_##function },
#include "client/cli/commands.def"
#undef COMMAND
#undef ALIAS
};

const struct command *command_at(enum command_id id)
{
    ensure(id < COMMANDS);
    return &commands[id];
}

const struct command *command_find(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < COUNT(spellings); i++) {
        const struct spelling *spelling = &spellings[i];
        if (argc >= 1 && !spelling->noun[0] && strcmp(argv[0], spelling->verb) == 0) {
            *words = 1;
            return &commands[spelling->id];
        }
        if (argc >= 2 && spelling->noun[0] && strcmp(argv[0], spelling->noun) == 0 &&
            strcmp(argv[1], spelling->verb) == 0) {
            *words = 2;
            return &commands[spelling->id];
        }
    }
    return NULL;
}

const char *command_name(const struct command *command, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s%s%s", command->noun, command->noun[0] ? " " : "", command->verb);
    return out;
}

bool command_noun(const char *word)
{
    for (size_t i = 0; i < COUNT(spellings); i++) {
        if (spellings[i].noun[0] && strcmp(word, spellings[i].noun) == 0) {
            return true;
        }
    }
    return false;
}

const char *command_near(int argc, char **argv)
{
    char typed[2 * NEAR_LETTERS_MAX];
    snprintf(typed, sizeof(typed), "%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    struct near near_one, near_two;
    near_begin(&near_one, argv[0]);
    near_begin(&near_two, typed);
    const char *verb = NULL; /* as in `ray logs`: said without its noun */
    for (size_t i = 0; i < COUNT(spellings); i++) {
        if (spellings[i].noun[0]) {
            near_offer(&near_two, spellings[i].whole);
            near_offer(&near_one, spellings[i].noun);
            bool said = verb == NULL && strcmp(argv[0], spellings[i].verb) == 0;
            verb = said ? spellings[i].whole : verb;
        } else {
            near_offer(&near_one, spellings[i].whole);
        }
    }
    const char *two = argc > 1 ? near_found(&near_two) : NULL;
    return two ? two : verb ? verb : near_found(&near_one);
}
