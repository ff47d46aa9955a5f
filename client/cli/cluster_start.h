/*  cluster_start.h - starts the head and worker of a lasting cluster, and waits until they serve. */
#ifndef RAYC_CLI_CLUSTER_START_H
#define RAYC_CLI_CLUSTER_START_H
#include <sys/types.h>
#include "client/cli/cli.h"
#include "client/cluster.h"
#include "proto/proto.h"

struct started {
    char address[ADDRESS_BYTES_MAX];
    char key_path[PATH_BYTES];    /* of the head that is started; empty: no key */
    char access_path[PATH_BYTES]; /* what a worker joins with; empty: no key */
    pid_t head_pid, worker_pid;   /* 0: not started */
    int64_t node;
    char node_name[NAME_MAX_BYTES * 4 + 1];
};

/*  --num-cpus, --memory, ...: 0, or the exit code of a usage failure. */
int start_check_resources(const struct cli *cli);
/*  0, or an exit code; then nothing is left running. */
int start_cluster(struct cli *cli, struct started *out);
/*  Waits for SIGINT or SIGTERM, or for the end of what was started; ends all of it. */
int start_block(struct cli *cli, const struct started *started);
#endif
