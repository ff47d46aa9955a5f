/*  help.c - `rayc help [COMMAND | TOPIC]`. */
#include "client/cli/cli.h"
#include "client/cli/manual.h"

int cmd_help(struct cli *self)
{
    int words;
    if (self->count == 0) {
        manual_overview(stdout);
        return 0;
    }
    const struct command *command = command_find(self->count, self->operands, &words);
    if (command && words == self->count) {
        manual_command(stdout, command);
        return 0;
    }
    if (self->count == 1 && command_noun(self->operands[0])) {
        manual_noun(stdout, self->operands[0]);
        return 0;
    }
    if (self->count == 1 && manual_topic(stdout, self->operands[0])) {
        return 0;
    }
    const char *near = command_near(self->count, self->operands);
    near = near ? near : manual_topic_near(self->operands[0]);
    return fail_usage(self, "there is no help about '%s%s%s'%s%s%s", self->operands[0],
                      self->count > 1 ? " " : "", self->count > 1 ? self->operands[1] : "",
                      near ? "; did you mean 'rayc help " : "", near ? near : "", near ? "'?" : "");
}
