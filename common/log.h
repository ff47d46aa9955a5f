/*  log.h - log lines on stderr: "2026-11-21T01:02:03.456Z info node.lost node=3 leases=12".
    An event name, then key=value; text with spaces is quoted and control characters are escaped.  Never a secret.
    Level from RAYC_LOG (error, warn, info, debug; default set by the program).  Thread-safe. */
#ifndef RAYC_LOG_H
#define RAYC_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_level_set(enum log_level level); /* what holds when RAYC_LOG is not set */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_line(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#endif
