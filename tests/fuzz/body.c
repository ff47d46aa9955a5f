/*  body.c - libFuzzer: any bytes as the body of a command: {argv, env, cwd, stdin}. */
#include "worker/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct command command = { 0 };
    struct diag why;
    if (command_read(&command, slice_of(data, size), &why) == OK) {
        static volatile size_t sink;
        for (const char **arg = command.argv; *arg; arg++) {
            sink = strlen(*arg);
        }
        for (const char **entry = command.env; *entry; entry++) {
            sink = strlen(*entry);
        }
        (void)sink;
    }
    command_fini(&command);
    return 0;
}
