/*  command.c - a list of strings here, a map there. */
#include "client/command.h"

#include <stdlib.h>
#include "client/failure.h"
#include "proto/wire.h"

enum { STRING_HEAD_BYTES = 5, BODY_HEAD_BYTES = 64, FIXMAP = 0x80 };

static uint32_t count_of(const char *const *list)
{
    uint32_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return count;
}

static size_t bytes_of(const char *const *list)
{
    size_t bytes = 0;
    for (uint32_t i = 0; list != NULL && list[i] != NULL; i++) {
        bytes += STRING_HEAD_BYTES + strlen(list[i]);
    }
    return bytes;
}

static void put_list(struct wire *to, const char *name, const char *const *list)
{
    wire_put_str(to, slice_text(name));
    wire_put_array(to, count_of(list));
    for (uint32_t i = 0; list != NULL && list[i] != NULL; i++) {
        wire_put_str(to, slice_text(list[i]));
    }
}

int command_encode(const struct command_line *line, struct wire *out)
{
    if (count_of(line->argv) == 0) {
        return failure_say(RAYC_EINVALID, "argv is empty: its first string is the program to run");
    }
    if (line->input.p == NULL && line->input.n > 0) {
        return failure_say(RAYC_EINVALID, "its input has a size but no data");
    }
    for (uint32_t i = 0; line->env != NULL && line->env[i] != NULL; i++) {
        if (strchr(line->env[i], '=') == NULL) {
            return failure_say(RAYC_EINVALID, "env[%u] is '%.64s': it must be K=V", i,
                               line->env[i]);
        }
    }
    size_t bytes = BODY_HEAD_BYTES + bytes_of(line->argv) + bytes_of(line->env) +
                   bytes_of(line->vars) + line->input.n +
                   (line->cwd != NULL ? strlen(line->cwd) : 0);
    if (bytes > PAYLOAD_MAX) {
        return failure_say(
            RAYC_ETOOLARGE,
            "the command has %zu bytes with its environment and input: the limit is %d "
            "(8 MiB)",
            bytes, PAYLOAD_MAX);
    }
    *out = (struct wire){ malloc(bytes), 0, bytes, false };
    ensure(out->p != NULL);
    bool has_cwd = line->cwd != NULL && line->cwd[0] != 0;
    bool has_input = line->input.n > 0;
    bool has_vars = count_of(line->vars) > 0;
    wire_put_encoded(
        out, slice_of(&(uint8_t){ (uint8_t)(FIXMAP + 2 + has_vars + has_cwd + has_input) }, 1));
    put_list(out, "argv", line->argv);
    put_list(out, "env", line->env);
    if (has_vars) {
        put_list(out, "vars", line->vars);
    }
    if (has_cwd) {
        wire_put_str(out, slice_text("cwd"));
        wire_put_str(out, slice_text(line->cwd));
    }
    if (has_input) {
        wire_put_str(out, slice_text("stdin"));
        wire_put_bin(out, line->input);
    }
    ensure(!out->full);
    return RAYC_OK;
}
