/*  log.c - formats a line, escapes what would make two of it, and writes it with one write(). */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "common/base.h"
#include "common/clock.h"

enum { LINE_BYTES = 4096, LEVEL_UNSET = -1 }; /* what is longer is cut, and ends in "..." */

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static _Atomic int level_default = LOG_LEVEL_INFO;
static int level_env = LEVEL_UNSET;
static pthread_once_t env_once = PTHREAD_ONCE_INIT;

static void read_env(void)
{
    const char *text = getenv("RAYC_LOG");
    for (size_t i = 0; text != NULL && i < COUNT(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            level_env = (int)i;
        }
    }
}

void log_level_set(enum log_level level)
{
    atomic_store(&level_default, (int)level);
}

static bool wanted(enum log_level level)
{
    ensure(pthread_once(&env_once, read_env) == 0);
    return (int)level <= (level_env != LEVEL_UNSET ? level_env : atomic_load(&level_default));
}

static size_t put_time(char *out, size_t capacity)
{
    uint64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t n = strftime(out, capacity, "%Y-%m-%dT%H:%M:%S", &utc);
    return n + (size_t)snprintf(out + n, capacity - n, ".%03uZ", (unsigned)(ms % 1000));
}

/*  Copies up to `n` bytes; control characters become \xNN.  Returns bytes written, at most
    capacity. */
static size_t escape(const char *from, size_t n, char *out, size_t capacity)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)from[i];
        bool control = c < 0x20 || c == 0x7F;
        if (capacity - at < (control ? 4u : 1u)) {
            break;
        }
        if (control) {
            memcpy(out + at, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
            at += 4;
        } else {
            out[at++] = from[i];
        }
    }
    return at;
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno != EINTR) {
            return; /* there is nowhere to say it */
        }
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    if (!wanted(level)) {
        return;
    }
    int saved = errno;
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ensure(length >= 0);
    bool cut = (size_t)length >= sizeof(text);
    size_t n = cut ? sizeof(text) - 1 : (size_t)length;

    char line[LINE_BYTES * 2];
    size_t at = put_time(line, sizeof(line));
    at += (size_t)snprintf(line + at, 256, " %s %.128s", level_names[level], event);
    if (n > 0) {
        line[at++] = ' ';
    }
    at += escape(text, n, line + at, sizeof(line) - at - sizeof("...\n"));
    at += (size_t)snprintf(line + at, sizeof(line) - at, "%s\n", cut ? "..." : "");
    write_all(line, at);
    errno = saved;
}
