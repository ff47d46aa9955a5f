/*  main.c - `rayc`: finds the command, gives it its options, ends with its exit code. */
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/manual.h"
#include "client/cli/pages.h"
#include "common/log.h"

/*  What to say about words that name no command. */
static int unknown_command(const struct cli *self, int argc, char **argv)
{
    if (argc == 0) {
        manual_overview(stderr);
        return EXIT_USAGE;
    }
    if (command_noun(argv[0]) && (argc == 1 || argv[1][0] == '-')) {
        bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        manual_noun(asked ? stdout : stderr, argv[0]);
        return asked ? 0 : EXIT_USAGE;
    }
    const char *near = command_near(argc, argv);
    bool two = command_noun(argv[0]);
    return fail_usage(self, "unknown command '%s%s%s'%s%s%s", argv[0], two ? " " : "",
                      two ? argv[1] : "", near ? "; did you mean 'rayc " : "", near ? near : "",
                      near ? "'?" : "");
}

/*  Checks what comes from the environment like what comes from the command line. */
static int check_environment(const struct cli *self)
{
    const char *output = getenv("RAYC_OUTPUT");
    if (output && *output && strcmp(output, "json") != 0 && strcmp(output, "table") != 0) {
        return fail_usage(self, "RAYC_OUTPUT: '%s' is not table or json", output);
    }
    return 0;
}

static int dispatch(struct cli *self, int argc, char **argv)
{
    char why[OPTION_WHY_BYTES];
    int first;
    if (options_parse(&self->options, NULL, argc, argv, &first, &self->dashes, why) != OK) {
        return fail_usage(self, "%s", why);
    }
    if (self->options.version) {
        return cmd_version(self);
    }
    if (self->options.help && first == argc) {
        manual_overview(stdout);
        return 0;
    }
    int words;
    self->command = command_find(argc - first, argv + first, &words);
    if (!self->command) {
        return unknown_command(self, argc - first, argv + first);
    }
    argv += first + words - 1; /* so that argv[0] is the command's last word */
    argc -= first + words - 1;
    if (options_parse(&self->options, self->command, argc, argv, &first, &self->dashes, why) !=
        OK) {
        return fail_usage(self, "%s", why);
    }
    self->operands = argv + first;
    self->count = argc - first;
    if (self->options.help) {
        manual_command(stdout, self->command);
        return 0;
    }
    int exit_code = check_environment(self);
    if (exit_code == 0 &&
        state_dir(self->options.state_dir, self->state_dir, sizeof(self->state_dir)) != OK) {
        exit_code = fail(self, ERR_INVALID, "no state folder: set RAYC_STATE_DIR, or HOME");
    }
    return exit_code ? exit_code : self->command->run(self);
}

/*  For scripts/man. */
static int print_pages(int argc, char **argv)
{
    if (argc == 0) {
        pages_list(stdout);
        return 0;
    }
    return pages_print(stdout, argv[0]) ? 0 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    log_level_set(LOG_LEVEL_ERROR);
    if (argc > 1 && strcmp(argv[1], "__man") == 0) {
        return print_pages(argc - 2, argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "__man-part") == 0) {
        return pages_part(stdout, argv[2]) ? 0 : EXIT_USAGE;
    }
    static struct cli self;
    options_init(&self.options);
    int exit_code = dispatch(&self, argc, argv);
    ask_close(&self.ask);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return fail(&self, ERR_SYSTEM, "cannot write to the standard output");
    }
    return exit_code;
}
