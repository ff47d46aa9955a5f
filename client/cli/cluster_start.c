/*  cluster_start.c - `rayc start`, without its words. */
#include "client/cli/cluster_start.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client/cli/connect.h"
#include "client/cli/daemon.h"
#include "client/cli/parse.h"
#include "client/cli/query.h"
#include "client/rayc.h"
#include "common/access.h"
#include "common/clock.h"

enum { PORT_DEFAULT = 6399, SERVE_MS = 30000, JOIN_MS = 30000, DIAL_MS = 500 };

static bool is_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return end != text && *end == 0 && value >= 0;
}

int start_check_resources(const struct cli *cli)
{
    const struct options *options = &cli->options;
    uint64_t bytes;
    if (options->num_cpus && !is_number(options->num_cpus)) {
        return fail_usage(cli, "--num-cpus: '%s' is not a number, 0 or more", options->num_cpus);
    }
    if (options->num_gpus && !is_number(options->num_gpus)) {
        return fail_usage(cli, "--num-gpus: '%s' is not a number, 0 or more", options->num_gpus);
    }
    const struct {
        const char *name, *text;
    } sizes[] = { { "--memory", options->memory },
                  { "--object-store-bytes", options->store_bytes },
                  { "--spill-bytes", options->spill_bytes } };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        if (sizes[i].text && bytes_parse(sizes[i].text, &bytes) != OK) {
            return fail_usage(cli, "%s: '%s' is not a size, such as 1000000, 512M or 2G",
                              sizes[i].name, sizes[i].text);
        }
    }
    return 0;
}

/*  Embedded clusters, and only they, listen on a socket in the state folder. */
static bool cluster_is_embedded_here(const struct cli *cli)
{
    char path[PATH_BYTES], address[PATH_BYTES];
    return file_path(path, sizeof(path), cli->state_dir, "head.address") == OK &&
           (file_read(path, address, sizeof(address)) != OK || strncmp(address, "ipc://", 6) == 0);
}

/*  Is there a live daemon of this kind in the state folder? */
static int check_free(const struct cli *cli, enum daemon_kind kind)
{
    char exe[PATH_BYTES], lock[PATH_BYTES];
    pid_t pid = 0;
    bool runs = daemon_look(cli, kind, &pid, exe) == DAEMON_RUNS;
    bool locked = kind == DAEMON_HEAD &&
                  file_path(lock, sizeof(lock), cli->state_dir, "head.lock") == OK &&
                  file_locked(lock);
    /*  An embedded cluster with nothing left to do is gone in a moment. */
    enum { TRIES = 100, PAUSE_MS = 20 };
    for (int i = 0; i < TRIES && (runs || locked) && cluster_is_embedded_here(cli); i++) {
        poll(NULL, 0, PAUSE_MS);
        runs = daemon_look(cli, kind, &pid, exe) == DAEMON_RUNS;
        locked = locked && file_locked(lock);
    }
    if (!runs && !locked) {
        return 0;
    }
    char who[64] = "";
    if (runs) {
        snprintf(who, sizeof(who), ", pid %d,", (int)pid);
    }
    return fail(cli, ERR_LOCKED,
                "a %s%s is using the state folder %s already: 'rayc stop' ends it, --state-dir "
                "chooses another folder",
                kind == DAEMON_HEAD ? "head" : "worker", who, cli->state_dir);
}

/*  With --host everybody can reach the head: the cluster needs a key.  Made once, kept for ever. */
static int make_key(const struct cli *cli, struct started *out)
{
    const char *given = cli->options.key_file;
    if (!given && !cli->options.host) {
        return 0;
    }
    if (given) {
        snprintf(out->key_path, sizeof(out->key_path), "%s", given);
    } else if (file_path(out->key_path, sizeof(out->key_path), cli->state_dir, "cluster.key") !=
               OK) {
        return fail(cli, ERR_TOO_LARGE, "the path of the state folder is too long");
    }
    if (file_path(out->access_path, sizeof(out->access_path), cli->state_dir, "worker.key") != OK) {
        return fail(cli, ERR_TOO_LARGE, "the path of the state folder is too long");
    }
    struct cluster_key key;
    struct diag why = { 0 };
    int rc = key_load(out->key_path, &key, &why);
    if (rc == ERR_NOT_FOUND && !given) {
        rc = key_make(out->key_path, &key);
    }
    return rc == OK ? 0
                    : fail(cli, rc == ERR_NOT_FOUND ? ERR_KEY : rc, "%s: %s", out->key_path,
                           why.text[0] ? why.text : err_text(rc));
}

static int start_head(const struct cli *cli, struct started *out)
{
    char pid_path[PATH_BYTES], port[32], http_port[32];
    const struct options *options = &cli->options;
    struct daemon_args args = { .count = 0 };
    snprintf(port, sizeof(port), "%lld",
             options->port == OPTION_UNSET ? PORT_DEFAULT : (long long)options->port);
    daemon_arg(&args, "--state-dir", cli->state_dir);
    daemon_arg(&args, "--port", port);
    if (options->http_port != OPTION_UNSET) {
        snprintf(http_port, sizeof(http_port), "%lld", (long long)options->http_port);
    } else {
        snprintf(http_port, sizeof(http_port), options->port == OPTION_UNSET ? "auto" : "0");
    }
    daemon_arg(&args, "--http-port", http_port);
    if (options->http_names) {
        daemon_arg(&args, "--http-host-name", options->http_names);
    }
    daemon_arg(&args, "--pid-file", daemon_path(cli, DAEMON_HEAD, "pid", pid_path));
    if (options->host) {
        daemon_arg(&args, "--host", options->host);
    }
    if (out->key_path[0]) {
        daemon_arg(&args, "--key-file", out->key_path);
    }
    if (options->if_infeasible) {
        daemon_arg(&args, "--if-infeasible", options->if_infeasible);
    }
    return daemon_start(cli, DAEMON_HEAD, &args, options->block, &out->head_pid);
}

static int dial(struct cli *cli, const struct started *started, uint32_t timeout_ms)
{
    static struct member_key key;
    struct diag why = { 0 };
    struct access from = { 0 };
    if (started->access_path[0]) {
        int rc = access_load(started->access_path, &from, &why);
        if (rc != OK) {
            return rc == ERR_NOT_FOUND ? ERR_UNREACHABLE : rc; /* the head is about to write it */
        }
        key = from.key;
    }
    struct ask_to to = { .address = started->address,
                         .key = from.has_key ? &key : NULL,
                         .first_ms = timeout_ms,
                         .again_ms = JOIN_MS };
    ask_close(&cli->ask);
    return ask_open(&cli->ask, &to);
}

/*  Waits until the head that was started answers.  Its address is in head.address: the port may be of its choice. */
static int wait_head(struct cli *cli, struct started *out)
{
    char path[PATH_BYTES], lock[PATH_BYTES];
    uint64_t until = clock_ms() + SERVE_MS;
    int exit_code = 0;
    daemon_path(cli, DAEMON_HEAD, "address", path);
    if (file_path(lock, sizeof(lock), cli->state_dir, "head.lock") != OK) {
        return fail(cli, ERR_TOO_LARGE, "the path of the state folder is too long");
    }
    while (clock_ms() < until) {
        if (daemon_died(cli, DAEMON_HEAD, out->head_pid, &exit_code)) {
            out->head_pid = 0;
            return exit_code;
        }
        bool listens =
            file_locked(lock) && file_read(path, out->address, sizeof(out->address)) == OK;
        int rc = listens ? dial(cli, out, DIAL_MS) : ERR_UNREACHABLE;
        if (rc == OK) {
            return 0;
        }
        if (rc != ERR_UNREACHABLE) {
            return fail_ask(cli, rc);
        }
        poll(NULL, 0, 5);
    }
    return fail(cli, ERR_UNREACHABLE, "rayc-head does not answer; see %s",
                daemon_path(cli, DAEMON_HEAD, "log", path));
}

/*  A size as the worker reads it, if there is one; its text lives in `digits`. */
static void add_bytes(struct daemon_args *args, const char *name, const char *text, char digits[32])
{
    uint64_t bytes;
    if (text && bytes_parse(text, &bytes) == OK) {
        snprintf(digits, 32, "%llu", (unsigned long long)bytes);
        daemon_arg(args, name, digits);
    }
}

static int start_worker(const struct cli *cli, struct started *out)
{
    char pid_path[PATH_BYTES], dir[PATH_BYTES], memory[32], store[32], spill[32];
    const struct options *options = &cli->options;
    struct daemon_args args = { .count = 0 };
    if (file_path(dir, sizeof(dir), cli->state_dir, "worker") != OK) {
        return fail(cli, ERR_TOO_LARGE, "the path of the state folder is too long");
    }
    (void)setenv("RAYC_STATE_DIR", cli->state_dir, 1); /* what it may open for executors */
    daemon_arg(&args, "--head", out->address);
    daemon_arg(&args, "--dir", dir);
    daemon_arg(&args, "--pid-file", daemon_path(cli, DAEMON_WORKER, "pid", pid_path));
    if (options->num_cpus) {
        daemon_arg(&args, "--num-cpus", options->num_cpus);
    }
    if (options->num_gpus) {
        daemon_arg(&args, "--num-gpus", options->num_gpus);
    }
    add_bytes(&args, "--memory", options->memory, memory);
    add_bytes(&args, "--object-store-bytes", options->store_bytes, store);
    add_bytes(&args, "--spill-bytes", options->spill_bytes, spill);
    if (options->resources) {
        daemon_arg(&args, "--resources", options->resources);
    }
    if (out->access_path[0]) {
        daemon_arg(&args, "--key-file", out->access_path);
    }
    if (options->cgroup) {
        daemon_arg(&args, "--cgroup", options->cgroup);
    }
    if (options->uid_base) {
        daemon_arg(&args, "--uid-base", options->uid_base);
    }
    if (options->node_name) {
        daemon_arg(&args, "--name", options->node_name);
    }
    if (options->labels) {
        daemon_arg(&args, "--labels", options->labels);
    }
    return daemon_start(cli, DAEMON_WORKER, &args, options->block, &out->worker_pid);
}

/*  Has a node with the worker's pid joined? */
static int look_for_node(struct cli *cli, struct started *out, bool *joined)
{
    char filter[64];
    int exit_code = 0;
    snprintf(filter, sizeof(filter), "pid=%d", (int)out->worker_pid);
    cli->options.filter = (struct option_list){ { filter, "state=ALIVE" }, 2 };
    json_t *rows = query_rows(cli, "nodes", "NodeList", NULL, &exit_code);
    cli->options.filter.count = 0;
    if (!rows) {
        return exit_code;
    }
    json_t *items = json_object_get(rows, "items");
    size_t count = json_array_size(items);
    if (count) {
        const json_t *node = json_array_get(items, count - 1);
        out->node = json_integer_value(json_object_get(node, "node_id"));
        const char *name = json_string_value(json_object_get(node, "name"));
        text_clean(slice_text(name ? name : ""), out->node_name, sizeof(out->node_name));
    }
    *joined = count > 0;
    json_decref(rows);
    return 0;
}

static int wait_worker(struct cli *cli, struct started *out)
{
    uint64_t until = clock_ms() + JOIN_MS;
    int exit_code = 0;
    bool joined = false;
    for (;;) {
        if (daemon_died(cli, DAEMON_WORKER, out->worker_pid, &exit_code)) {
            out->worker_pid = 0;
            return exit_code;
        }
        exit_code = look_for_node(cli, out, &joined);
        if (exit_code || joined) {
            return exit_code;
        }
        if (clock_ms() >= until) {
            char path[PATH_BYTES];
            return fail(cli, ERR_TIMEOUT, "rayc-worker has not joined %s in %d s; see %s",
                        out->address, JOIN_MS / 1000, daemon_path(cli, DAEMON_WORKER, "log", path));
        }
        poll(NULL, 0, 10);
    }
}

/*  Whether --head wants a worker, too. */
static bool wants_worker(const struct cli *cli)
{
    const char *cpus = cli->options.num_cpus;
    return !cli->options.head || !cpus || strtod(cpus, NULL) > 0;
}

/*  The address and key of a head that runs elsewhere. */
static int find_head(struct cli *cli, struct started *out)
{
    struct member_key key;
    bool has_key = false;
    cli_export(cli);
    int rc = cluster_find(cli->options.address, out->address, &key, &has_key);
    if (rc != OK) {
        return fail(cli, rc, "%s", rayc_error()->text);
    }
    const char *path = getenv("RAYC_KEY_FILE");
    char own[PATH_BYTES];
    bool ipc = strncmp(out->address, "ipc://", 6) == 0;
    if (path && *path && !ipc) {
        snprintf(out->access_path, sizeof(out->access_path), "%s", path);
    } else if (has_key && file_path(own, sizeof(own), cli->state_dir, "worker.key") == OK) {
        snprintf(out->access_path, sizeof(out->access_path), "%s", own);
    }
    rc = dial(cli, out, 5000);
    return rc == OK ? 0 : fail_ask(cli, rc);
}

static int start_all(struct cli *cli, struct started *out)
{
    int exit_code = 0;
    if (cli->options.head) {
        exit_code = check_free(cli, DAEMON_HEAD);
        exit_code = exit_code ? exit_code : make_key(cli, out);
        exit_code = exit_code ? exit_code : start_head(cli, out);
        exit_code = exit_code ? exit_code : wait_head(cli, out);
    } else {
        exit_code = find_head(cli, out);
    }
    if (exit_code || !wants_worker(cli)) {
        return exit_code;
    }
    exit_code = check_free(cli, DAEMON_WORKER);
    exit_code = exit_code ? exit_code : start_worker(cli, out);
    return exit_code ? exit_code : wait_worker(cli, out);
}

static void end_process(const struct cli *cli, enum daemon_kind kind, pid_t pid)
{
    if (pid > 0) {         /* our child: the pid is its until we wait for it */
        kill(pid, SIGINT); /* a worker has no grace then */
        int fd = pidfd_open(pid, 0);
        struct pollfd wait = { fd, POLLIN, 0 };
        if (fd < 0 || poll(&wait, 1, 20000) <= 0) {
            kill(pid, SIGKILL);
        }
        waitpid(pid, NULL, 0);
        daemon_forget(cli, kind, pid);
        if (fd >= 0) {
            close(fd);
        }
    }
}

int start_cluster(struct cli *cli, struct started *out)
{
    if (file_make_dir(cli->state_dir, 0700) != OK) {
        return fail(cli, ERR_SYSTEM, "cannot make the state folder %s", cli->state_dir);
    }
    int exit_code = start_all(cli, out);
    if (exit_code) {
        end_process(cli, DAEMON_WORKER, out->worker_pid);
        end_process(cli, DAEMON_HEAD, out->head_pid);
    }
    return exit_code;
}

int start_block(struct cli *cli, const struct started *started)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct pollfd fds[] = {
        { signalfd(-1, &set, SFD_CLOEXEC), POLLIN, 0 },
        { started->head_pid ? pidfd_open(started->head_pid, 0) : -1, POLLIN, 0 },
        { started->worker_pid ? pidfd_open(started->worker_pid, 0) : -1, POLLIN, 0 }
    };
    ask_close(&cli->ask);
    while (poll(fds, COUNT(fds), -1) < 0) {}
    int exit_code = 0;
    if (!fds[0].revents) {
        bool head = fds[1].revents;
        exit_code =
            fail(cli, ERR_CLOSED, "%s has ended", daemon_name(head ? DAEMON_HEAD : DAEMON_WORKER));
    }
    end_process(cli, DAEMON_WORKER, started->worker_pid);
    end_process(cli, DAEMON_HEAD, started->head_pid);
    return exit_code;
}
