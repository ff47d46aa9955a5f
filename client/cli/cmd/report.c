/*  report.c - `rayc report KEY=VALUE...`: a line to the rayc-trial that runs this trial, and its answer.  It needs no
    cluster, and is run once an epoch by shell scripts: it starts fast. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/cli/cli.h"
#include "client/report_line.h"

enum { EXIT_STOP = 75, EXIT_PAUSE = 76, ANSWER_BYTES = 1024 };

/*  The line: values that have more than one word are quoted. */
struct line {
    char text[REPORT_LINE_MAX + 2];
    size_t n;
    bool full;
};

static void put(struct line *self, char c)
{
    if (self->n < REPORT_LINE_MAX) {
        self->text[self->n++] = c;
    } else {
        self->full = true;
    }
}

static void put_pair(struct line *self, const char *name, size_t n, const char *value)
{
    size_t bytes = strlen(value);
    bool quoted = strpbrk(value, " \t\r\"") != NULL || (bytes > 0 && value[bytes - 1] == ',');
    if (self->n > 0) {
        put(self, ' ');
    }
    for (size_t i = 0; i < n; i++) {
        put(self, name[i]);
    }
    put(self, '=');
    if (quoted) {
        put(self, '"');
    }
    for (; *value != 0; value++) {
        if (quoted && (*value == '"' || *value == '\\')) {
            put(self, '\\');
        }
        put(self, *value);
    }
    if (quoted) {
        put(self, '"');
    }
}

static int make_line(const struct cli *self, struct line *line)
{
    if (self->count == 0) {
        return fail_usage(self, "what is to be reported?  KEY=VALUE, as in loss=0.25");
    }
    for (int i = 0; i < self->count; i++) {
        const char *pair = self->operands[i];
        const char *equals = strchr(pair, '=');
        if (equals == NULL || equals == pair || equals[1] == 0 || strchr(pair, '\n') != NULL) {
            return fail_usage(self, "'%.200s' is not KEY=VALUE", pair);
        }
        put_pair(line, pair, (size_t)(equals - pair), equals + 1);
    }
    if (self->options.checkpoint != NULL) {
        char path[PATH_MAX];
        if (realpath(self->options.checkpoint, path) == NULL) {
            return fail_usage(self, "--checkpoint %s: %s", self->options.checkpoint,
                              strerror(errno));
        }
        put_pair(line, "checkpoint", strlen("checkpoint"), path);
    }
    line->text[line->n] = '\n';
    return line->full ? fail_usage(self, "more than %d bytes", REPORT_LINE_MAX) : 0;
}

/*  Sends the line, and reads the answer without its newline. */
static bool ask(const char *path, const struct line *line, char answer[ANSWER_BYTES])
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t got = 0;
    if (!slice_copy_text(slice_text(path), address.sun_path, sizeof(address.sun_path))) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                send(fd, line->text, line->n + 1, MSG_NOSIGNAL) == (ssize_t)line->n + 1;
    while (sent && got < ANSWER_BYTES - 1 && memchr(answer, '\n', got) == NULL) {
        ssize_t n = recv(fd, answer + got, ANSWER_BYTES - 1 - got, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    int saved = got == 0 && sent ? ECONNRESET : errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    answer[got] = 0;
    answer[strcspn(answer, "\n")] = 0;
    return got > 0;
}

int cmd_report(struct cli *self)
{
    static struct line line;
    char answer[ANSWER_BYTES];
    int exit_code = make_line(self, &line);
    if (exit_code) {
        return exit_code;
    }
    const char *path = getenv("RAYC_REPORT_SOCKET");
    if (path == NULL || path[0] == 0) {
        return fail(self, ERR_INVALID,
                    "this is no trial of rayc tune: RAYC_REPORT_SOCKET is not set");
    }
    if (!ask(path, &line, answer)) {
        return fail(self, ERR_SYSTEM, "the trial does not answer at %s: %s", path, strerror(errno));
    }
    if (strncmp(answer, "error ", 6) == 0) {
        return fail(self, ERR_INVALID, "report refused: %s", answer + 6);
    }
    bool stop = strcmp(answer, "stop") == 0, pause = strcmp(answer, "pause") == 0;
    if ((stop || pause) && !self->options.quiet) {
        puts(answer);
    }
    return stop ? EXIT_STOP : pause ? EXIT_PAUSE : 0;
}
