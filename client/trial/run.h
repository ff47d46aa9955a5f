/*  run.h - one trial that is a command: what rayc-trial knows while it runs.

    start.c   its folders, environment and process      pump.c    its output and its reports, until it has ended
    tell.c    a line that it reported, and the answer    main.c    how the trial ends */
#ifndef RAYC_TRIAL_RUN_H
#define RAYC_TRIAL_RUN_H
#include <jansson.h>
#include <regex.h>
#include <sys/types.h>
#include "client/metrics.h"
#include "client/rayc.h"
#include "client/report_line.h"
#include "common/file.h"

enum {
    GRACE_MS = 3000, /* from stop or pause to SIGTERM, and from there to SIGKILL */
    CLIENTS_MAX = 8, /* `rayc report`s at a time */
    TAIL_BYTES = 2048,
    LAST_BYTES = 512,
    SOCKET_BYTES = 108, /* of sockaddr_un */
    REPORT_FD = 3       /* of the command */
};

/*  Bytes that come become lines. */
struct lines {
    int fd; /* -1: closed */
    size_t n;
    bool skipping; /* the rest of a line that was too long */
    uint8_t bytes[REPORT_LINE_MAX];
};

enum stdout_metrics { STDOUT_NONE = 0, STDOUT_PAIRS, STDOUT_REGEX };

struct run {
    rayc_task *task;
    const json_t *root; /* the argument */
    const char *metric; /* that the study wants */
    const char *dir;    /* of the trial */
    uint32_t number;

    char private_dir[64]; /* with the next two in it; "": they are in the worker's folder */
    char socket_path[SOCKET_BYTES], params_path[SOCKET_BYTES];
    const char *checkpoint_dir;
    const char **argv;
    const char *cwd; /* "": ours */

    pid_t pid;
    int pidfd, listener, log;
    struct lines out, err, reports, clients[CLIENTS_MAX];
    bool ended;
    int status; /* of waitpid() */

    int told;         /* RAYC_STOP, RAYC_PAUSE; 0: it goes on */
    bool told_stdout; /* nobody reads the answer */
    uint64_t told_ms, kill_ms;
    int signal; /* the last one sent */

    enum stdout_metrics from_stdout;
    regex_t regex;
    struct metric seen[METRIC_COUNT_MAX]; /* on lines without the metric; names are malloced */
    size_t seen_count;
    bool complained;
    bool has_value;               /* the metric was in a report */
    char last_report[LAST_BYTES]; /* for people */
    char last_line[LAST_BYTES];   /* of stdout that is not empty */
    char tail[TAIL_BYTES];        /* of its output */
    size_t tail_n;
};

/*  start.c.  RAYC_OK, or the attempt has failed (rayc_fail() was called). */
int run_prepare(struct run *self, rayc_task *task);
int run_start(struct run *self);
void run_clean(struct run *self);

/*  pump.c: until the process and all of its group have ended.  False: so shall we, by SIGTERM. */
bool run_pump(struct run *self);

/*  tell.c: reports what a line says; the answer for who wrote it, with its newline, into `answer`. */
enum { ANSWER_BYTES = 1024 };
void run_tell(struct run *self, struct slice line, char answer[ANSWER_BYTES]);
/*  A line of its stdout. */
void run_look(struct run *self, struct slice line);
/*  Of a trial that reported nothing: its last line.  False: there is no value in it. */
bool run_tell_last(struct run *self);
#endif
