/*  cli.c - messages, and what commands share about their operands. */
#include "client/cli/cli.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

bool cli_json(const struct cli *self)
{
    const char *form = self->options.output ? self->options.output : getenv("RAYC_OUTPUT");
    return form && strcmp(form, "json") == 0;
}

bool cli_colour(const struct cli *self, FILE *file)
{
    const char *wish = self->options.color;
    if (wish && strcmp(wish, "auto") != 0) {
        return strcmp(wish, "always") == 0;
    }
    const char *none = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return !(none && *none) && term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

/*  Does a letter begin here that changes the direction of what follows, and so can show it in another order?  These
    are U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069. */
static bool turns_text(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xe2 &&
           ((p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae))) ||
            (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

const char *text_clean(struct slice from, char *out, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < from.n; i++) {
        unsigned char c = from.p[i];
        bool wide = c == 0xc2 && i + 1 < from.n && from.p[i + 1] < 0xa0; /* U+0080 to U+009F */
        bool control = c < 0x20 || c == 0x7f || wide;
        bool turn = turns_text(from.p + i, from.n - i);
        if (n + (turn ? 6 : control ? 4 : 1) >= capacity) {
            break;
        }
        if (turn) {
            n += (size_t)snprintf(out + n, capacity - n, "\\u20%02x",
                                  (from.p[i + 1] & 1u) << 6 | (from.p[i + 2] & 0x3fu));
            i += 2;
        } else if (c == '\n' || c == '\t') {
            n += (size_t)snprintf(out + n, capacity - n, "\\%c", c == '\n' ? 'n' : 't');
        } else if (control) {
            i += wide;
            n += (size_t)snprintf(out + n, capacity - n, "\\x%02x", from.p[i]);
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = 0;
    return out;
}

/*  As text_clean(), but lines stay lines: for messages of ours that hold texts of others. */
static void print_clean(FILE *file, const char *text)
{
    char line[4096];
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        fputs(text_clean(slice_of(p, n), line, sizeof(line)), file);
        p += n;
        if (*p == '\n') {
            fputc('\n', file);
            p++;
        }
    }
    fputc('\n', file);
}

static void say_failure(const struct cli *self, int code, int exit_code, const char *text)
{
    bool colour = cli_colour(self, stderr);
    fflush(stdout);
    fputs(colour ? "\033[31mrayc:\033[0m " : "rayc: ", stderr);
    print_clean(stderr, text);
    if (!cli_json(self)) {
        return;
    }
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:i}}", "apiVersion", "rayc/v1", "kind", "Error",
                  "error", "code", err_name(code), "text", text, "exit", exit_code);
    if (object) { /* not if the text is no UTF-8 */
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
    }
}

int fail_exit(const struct cli *self, int code, int exit_code, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say_failure(self, code, exit_code, text);
    return exit_code;
}

int fail(const struct cli *self, int code, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* What was typed wrongly, and a submission id that means another job, cannot be taken for a job's own end. */
    bool waits = self->command && (self->command->flags & CMD_WAITS);
    int exit_code =
        waits && code != ERR_INVALID && code != ERR_CONFLICT ? EXIT_RAYC : err_exit(code);
    say_failure(self, code, exit_code, text);
    return exit_code;
}

int fail_usage(const struct cli *self, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say_failure(self, ERR_INVALID, EXIT_USAGE, text);
    char name[64] = "";
    if (self->command) {
        command_name(self->command, name, sizeof(name));
    }
    fprintf(stderr, "Try 'rayc %s%s--help'.\n", name, name[0] ? " " : "");
    return EXIT_USAGE;
}

static void say(const char *format, va_list args)
{
    char text[4096];
    vsnprintf(text, sizeof(text), format, args);
    fflush(stdout);
    print_clean(stderr, text);
}

void note(const struct cli *self, const char *format, ...)
{
    if (!self->options.quiet) {
        va_list args;
        va_start(args, format);
        say(format, args);
        va_end(args);
    }
}

void detail(const struct cli *self, const char *format, ...)
{
    if (self->options.verbose) {
        va_list args;
        va_start(args, format);
        say(format, args);
        va_end(args);
    }
}

const char *cli_operand(const struct cli *self, const char *what, int *exit_code)
{
    if (self->count == 1 && self->operands[0][0]) {
        return self->operands[0];
    }
    *exit_code = self->count == 0  ? fail_usage(self, "which %s?", what)
                 : self->count > 1 ? fail_usage(self, "one %s at a time: '%s' is too much", what,
                                                self->operands[1])
                                   : fail_usage(self, "the id of the %s is empty", what);
    return NULL;
}

int cli_no_operands(const struct cli *self)
{
    return self->count == 0 ? 0 : fail_usage(self, "'%s' is too much", self->operands[0]);
}
