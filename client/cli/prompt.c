/*  prompt.c - /dev/tty without echo.  Signals only interrupt the read, so that the echo is on again before they act. */
#include "client/cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/*  A line, read by the byte, as a terminal gives it; what is too long is read to its end, too. */
static int read_line(int tty, char *out, size_t capacity)
{
    size_t n = 0;
    char c = 0;
    ssize_t got = 0;
    while (!caught && ((got = read(tty, &c, 1)) == 1 || (got < 0 && errno == EINTR))) {
        if (got == 1 && (c == '\n' || c == '\r')) {
            break;
        }
        if (got == 1 && n < capacity) {
            out[n++] = c;
        }
    }
    if (n == capacity) {
        out[0] = 0;
        return ERR_TOO_LARGE;
    }
    out[n] = 0;
    return n > 0 ? OK : ERR_CLOSED;
}

/*  The question comes when nothing is shown any more: who answers at once is not shown either. */
static int ask_hidden(int tty, const struct termios *shown, const char *question, char *out,
                      size_t capacity)
{
    struct termios hidden = *shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    if (tcsetattr(tty, TCSAFLUSH, &hidden) != 0) {
        return ERR_NOT_FOUND;
    }
    dprintf(tty, "%s", question);
    int rc = read_line(tty, out, capacity);
    (void)!tcsetattr(tty, TCSAFLUSH, shown);
    dprintf(tty, "\n");
    return rc;
}
int prompt_secret(const char *question, char *out, size_t capacity)
{
    struct termios shown;
    struct sigaction before[COUNT(ending)];
    struct sigaction interrupt = { .sa_handler = on_signal };
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    out[0] = 0;
    caught = 0;
    for (size_t i = 0; i < COUNT(ending); i++) {
        sigaction(ending[i], &interrupt, &before[i]);
    }
    int rc = tty >= 0 && tcgetattr(tty, &shown) == 0
                 ? ask_hidden(tty, &shown, question, out, capacity)
                 : ERR_NOT_FOUND;
    for (size_t i = 0; i < COUNT(ending); i++) {
        sigaction(ending[i], &before[i], NULL);
    }
    if (tty >= 0) {
        close(tty);
    }
    if (caught) {
        raise(caught);
        rc = ERR_CLOSED;
    }
    return rc;
}
