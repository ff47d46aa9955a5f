/*  daemon.h - the head and worker of a state folder as processes: starting, finding and ending them.
    Nothing is ever ended by name: only the process that a pid file names, and only if it runs our program. */
#ifndef RAYC_CLI_DAEMON_H
#define RAYC_CLI_DAEMON_H
#include <sys/types.h>
#include "client/cli/cli.h"

enum daemon_kind { DAEMON_HEAD, DAEMON_WORKER };
enum daemon_state { DAEMON_NONE, DAEMON_RUNS, DAEMON_FOREIGN };

enum { DAEMON_ARGS_MAX = 48 };
struct daemon_args {
    const char *texts[DAEMON_ARGS_MAX + 1];
    int count;
};
void daemon_arg(struct daemon_args *self, const char *name,
                const char *value); /* value NULL: only the name */

const char *daemon_name(enum daemon_kind kind); /* "rayc-head" */
/*  Path of DIR/head.pid, DIR/worker.log, ... */
const char *daemon_path(const struct cli *cli, enum daemon_kind kind, const char *suffix,
                        char out[PATH_BYTES]);
/*  Looks at DIR/head.pid.  FOREIGN: the pid belongs to another program now, `exe` says which. */
enum daemon_state daemon_look(const struct cli *cli, enum daemon_kind kind, pid_t *pid,
                              char exe[PATH_BYTES]);

/*  Starts the program that lies beside this one.  `block`: it keeps our stdio and ends with us; else it has a session
    of its own and writes to DIR/head.log.  0, or an exit code. */
int daemon_start(const struct cli *cli, enum daemon_kind kind, const struct daemon_args *args,
                 bool block, pid_t *pid);
/*  Has the child ended?  Then says so with the end of its log, and *exit_code. */
bool daemon_died(const struct cli *cli, enum daemon_kind kind, pid_t pid, int *exit_code);
/*  Ends what DIR/head.pid names.  *stopped: there was something.  0, or an exit code. */
int daemon_stop(const struct cli *cli, enum daemon_kind kind, bool force, bool *stopped);
/*  Removes what a daemon that has ended may have left: its pid file, if it still names it, and the head's address. */
void daemon_forget(const struct cli *cli, enum daemon_kind kind, pid_t ended);

/*  An embedded head without a worker, which answers questions from the state folder and ends soon after. */
int daemon_start_reader(const struct cli *cli, char *address, size_t capacity);
#endif
