/*  progress.h - how a job is doing, on stderr: one line that is redrawn on a terminal, plain lines elsewhere. */
#ifndef RAYC_CLI_PROGRESS_H
#define RAYC_CLI_PROGRESS_H
#include "client/cli/cli.h"
#include "proto/proto.h"

struct progress {
    const struct cli *cli;
    bool terminal; /* stderr is one, and may be drawn on */
    bool drawn;    /* the line stands there now */
    bool mid_line; /* stdout is the same terminal and in the middle of a line */
    bool waits;    /* the job has not started */
    uint64_t began_ms, said_ms;
    char said[512]; /* the newest line, or message */
    char line[512];
};

void progress_init(struct progress *self, const struct cli *cli);
void progress_state(struct progress *self, const struct msg_job_state *state);
void progress_tick(struct progress *self); /* each second or so */
void progress_say(struct progress *self,
                  const char *text);       /* a message of ours, not twice in a row */
void progress_hide(struct progress *self); /* before anything else is printed */
void progress_show(struct progress *self);
/*  Pure: "[#####.....] 512/1000 running 8 failed 2", or the job's message while it waits. */
const char *progress_line(const struct msg_job_state *state, char *out, size_t capacity);
#endif
