/*  options.h - options.def as C: what was given on the command line, checked.  Pure but for getopt's globals. */
#ifndef RAYC_CLI_OPTIONS_H
#define RAYC_CLI_OPTIONS_H
#include "client/cli/command.h"
#include "common/base.h"
#include "common/err.h"

enum { OPTION_LIST_MAX = 256 };
#define OPTION_UNSET INT64_MIN

struct option_list {
    const char *texts[OPTION_LIST_MAX];
    uint32_t count;
};

typedef bool option_FLAG;
typedef const char *option_TEXT;   /* NULL: not given */
typedef const char *option_CHOICE; /* likewise */
typedef int64_t option_COUNT;
typedef int64_t option_INTEGER;
typedef int64_t option_TIME;
typedef struct option_list option_LIST;

/*  What was given.  Texts belong to argv. */
struct options {
#define OPTION(field, name, letter, type, argument, on, help) option_##type field;
#define ALIAS(field, name, type, argument, on)
#include "client/cli/options.def"
#undef OPTION
#undef ALIAS
};

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_CHOICE,
    OPTION_COUNT,
    OPTION_INTEGER,
    OPTION_TIME,
    OPTION_LIST
};

struct option_row {
    const char *name;
    char letter; /* 0: none */
    enum option_type type;
    const char *argument;
    size_t offset;    /* of its field */
    uint64_t on;      /* bit per command_id */
    const char *help; /* NULL: an alias */
};
const struct option_row *option_rows(size_t *count);
bool option_everywhere(const struct option_row *row);

void options_init(struct options *self);

/*  Parses argv[1...] into `self`, which keeps what it had.  `command` NULL: what may stand before a command, up to
    the first word that is no option.  On success *first is the index of the first operand (argv is reordered so
    that all operands are last), and *dashes says whether "--" stood just before it.  ERR_INVALID: `why` (a text of
    WHY_BYTES) names the option and the near miss. */
enum { OPTION_WHY_BYTES = 512 };
MUST_CHECK int options_parse(struct options *self, const struct command *command, int argc,
                             char **argv, int *first, bool *dashes, char *why);
#endif
