/*  start.c - `rayc start --head` and `rayc start --address HEAD`: what to start, and what to say when it runs. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/cli/table.h"
#include "client/cli/cluster_start.h"
#include "common/file.h"
#include "common/link.h"

static int check(const struct cli *self)
{
    const struct options *options = &self->options;
    int exit_code = cli_no_operands(self);
    if (exit_code) {
        return exit_code;
    }
    const char *address = options->address ? options->address : getenv("RAYC_ADDRESS");
    char dial[PATH_BYTES];
    if (options->head && options->address) {
        return fail_usage(self, "--head starts a head here, --address joins one: give one of them");
    }
    if (!options->head &&
        (options->host || options->port != OPTION_UNSET || options->http_port != OPTION_UNSET ||
         options->http_names || options->if_infeasible)) {
        return fail_usage(self, "--host, --port, --http-port, --http-host-name and --if-infeasible "
                                "are of the head: give --head, too");
    }
    if (!options->head && (!address || !*address)) {
        return fail_usage(
            self,
            "start what?  'rayc start --head' starts a cluster, 'rayc start --address HOST:PORT' a "
            "worker that joins one");
    }
    if (!options->head && (link_address(address, dial, sizeof(dial)) != OK || link_is_http(dial))) {
        return fail_usage(self, "--address: '%s' is not HOST:PORT, tcp://HOST:PORT or ipc://PATH",
                          address);
    }
    if (options->port != OPTION_UNSET && options->port > 65535) {
        return fail_usage(self, "--port: %lld is larger than 65535", (long long)options->port);
    }
    if (options->http_port != OPTION_UNSET && options->http_port > 65535) {
        return fail_usage(self, "--http-port: %lld is larger than 65535",
                          (long long)options->http_port);
    }
    return start_check_resources(self);
}

/*  How another machine reaches the head: one that listens everywhere is reached by this machine's name. */
static const char *outside_address(const struct started *started, char *out, size_t capacity)
{
    static const char everywhere[] = "tcp://0.0.0.0:";
    char host[256] = "";
    size_t n = sizeof(everywhere) - 1;
    if (strncmp(started->address, everywhere, n) != 0 || gethostname(host, sizeof(host) - 1) != 0) {
        return started->address;
    }
    snprintf(out, capacity, "tcp://%s:%s", host, started->address + n);
    return out;
}

static void print_head(const struct cli *self, const struct started *started)
{
    char path[PATH_BYTES], http[256];
    printf("head    %s, pid %d\n", started->address, (int)started->head_pid);
    if (file_path(path, sizeof(path), self->state_dir, "head.http") == OK &&
        file_read(path, http, sizeof(http)) == OK) {
        printf("http    %s\n", http);
    }
    if (started->worker_pid) {
        printf("worker  node %lld (%s), pid %d\n", (long long)started->node, started->node_name,
               (int)started->worker_pid);
    }
    printf("state   %s\n\nNext steps:\n", self->state_dir);
    if (self->options.state_dir) {
        printf("  export RAYC_STATE_DIR=%s\n", self->state_dir);
    }
    printf("  rayc submit parallel_compute\n"
           "  rayc status\n"
           "  rayc stop%s%s\n",
           self->options.state_dir ? " --state-dir " : "",
           self->options.state_dir ? self->state_dir : "");
    if (started->key_path[0]) {
        char buffer[512];
        const char *address = outside_address(started, buffer, sizeof(buffer));
        printf("\nA worker on another machine needs a copy of %s/worker.key, a client one of "
               "admin.key:\n"
               "  rayc start --address %s --key-file worker.key\n"
               "  RAYC_KEY_FILE=admin.key RAYC_ADDRESS=%s rayc submit parallel_compute\n",
               self->state_dir, address, address);
    } else {
        printf("\nOther programs of this machine reach it by: export RAYC_ADDRESS=%s\n",
               started->address);
    }
}

static void print_started(const struct cli *self, const struct started *started)
{
    if (cli_json(self)) {
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "apiVersion", "rayc/v1", "kind",
                      "Start", "address", started->address, "state_dir", self->state_dir,
                      "key_file", started->access_path, "head_pid", (int)started->head_pid,
                      "worker_pid", (int)started->worker_pid, "node_id", (json_int_t)started->node);
        json_print(object);
        json_decref(object);
    } else if (self->options.head) {
        print_head(self, started);
    } else {
        printf("worker  node %lld (%s), pid %d, joined %s\n", (long long)started->node,
               started->node_name, (int)started->worker_pid, started->address);
    }
    fflush(stdout);
}

int cmd_start(struct cli *self)
{
    static struct started started;
    int exit_code = check(self);
    if (exit_code) {
        return exit_code;
    }
    exit_code = start_cluster(self, &started);
    if (exit_code) {
        return exit_code;
    }
    print_started(self, &started);
    return self->options.block ? start_block(self, &started) : 0;
}
