/*  connect.c - finds or starts the cluster of a command (client/cluster.h), and dials. */
#include "client/cli/connect.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/cli/daemon.h"
#include "client/cluster.h"
#include "client/rayc.h"

enum {
    FIRST_MS = 5000,
    STARTED_MS = 20000,
    AGAIN_MS = 10000,
    RECONNECT_MS = 600000
}; /* who waits for a job is patient */

void cli_export(const struct cli *self)
{
    if (self->options.state_dir) {
        setenv("RAYC_STATE_DIR", self->state_dir, 1);
    }
    if (self->options.key_file) {
        setenv("RAYC_KEY_FILE", self->options.key_file, 1);
        unsetenv("RAYC_TOKEN"); /* what is said here goes before what is set */
        unsetenv("RAYC_TOKEN_FILE");
    }
}

int fail_ask(const struct cli *self, int code)
{
    const char *text = ask_text(self->ask);
    return fail(self, code, "%s", *text ? text : err_text(code));
}

static uint32_t milliseconds_of(const char *variable, uint32_t otherwise)
{
    const char *text = getenv(variable);
    long value = text ? strtol(text, NULL, 10) : 0;
    return value > 0 && value <= INT32_MAX ? (uint32_t)value : otherwise;
}

static bool is_ipc(const char *address)
{
    return strncmp(address, "ipc://", 6) == 0;
}

/*  Whoever waits for a job of an embedded cluster keeps that alive: nobody else would start again what has died. */
static void on_turn(void *context, uint64_t lost_ms)
{
    const struct cli *self = context;
    if (self->ask && (ask_embedded(self->ask) || (lost_ms > 0 && is_ipc(ask_address(self->ask))))) {
        cluster_revive();
    }
}

/*  The embedded head that we found was about to end, and has: start another one to answer. */
static void on_turn_read(void *context, uint64_t lost_ms)
{
    struct cli *self = context;
    char lock[PATH_BYTES], address[ADDRESS_BYTES_MAX];
    if (lost_ms > 0 && file_path(lock, sizeof(lock), self->state_dir, "head.lock") == OK &&
        !file_locked(lock)) {
        int exit_code = daemon_start_reader(self, address, sizeof(address));
        detail(self, "started a head to answer: %d", exit_code);
    }
}

static int start_reader(struct cli *self, char address[ADDRESS_BYTES_MAX])
{
    char database[PATH_BYTES];
    if (file_path(database, sizeof(database), self->state_dir, "rayc.db") != OK ||
        access(database, F_OK) != 0) {
        address[0] = 0;
        return 0;
    }
    detail(self, "no head is running: starting one to read %s", database);
    return daemon_start_reader(self, address, ADDRESS_BYTES_MAX);
}

static int find(struct cli *self, enum connect_mode mode, char address[ADDRESS_BYTES_MAX],
                struct member_key *key, bool *has_key)
{
    int rc = cluster_find(self->options.address, address, key, has_key);
    if (rc == OK) {
        return 0;
    }
    if (rc != ERR_NOT_FOUND) {
        return fail(self, rc, "%s", rayc_error()->text);
    }
    *has_key = false;
    if (mode == CONNECT_READ) {
        return start_reader(self, address);
    }
    if (mode == CONNECT_WORK) {
        rc = cluster_start_embedded(address);
        return rc == OK ? 0 : fail(self, rc, "%s", rayc_error()->text);
    }
    return fail(self, ERR_UNREACHABLE,
                "no cluster is running in the state folder %s: start one with 'rayc start --head', "
                "or give --address",
                self->state_dir);
}

bool cluster_runs(const struct cli *self)
{
    char address[ADDRESS_BYTES_MAX];
    struct member_key key;
    bool has_key;
    cli_export(self);
    return cluster_find(self->options.address, address, &key, &has_key) != ERR_NOT_FOUND;
}

int cli_connect(struct cli *self, enum connect_mode mode)
{
    cli_export(self);
    char address[ADDRESS_BYTES_MAX] = "";
    struct member_key key;
    bool has_key = false;
    bool started = !cluster_runs(self);
    int exit_code = find(self, mode, address, &key, &has_key);
    if (exit_code || !address[0]) {
        return exit_code;
    }
    bool local = started || is_ipc(address);
    bool waits = mode == CONNECT_WORK || (self->command->flags & CMD_WAITS) || self->options.follow;
    struct ask_to to = { .address = address,
                         .key = has_key ? &key : NULL,
                         .first_ms =
                             local ? STARTED_MS : milliseconds_of("RAYC_CONNECT_MS", FIRST_MS),
                         .again_ms =
                             milliseconds_of("RAYC_RECONNECT_MS", waits ? RECONNECT_MS : AGAIN_MS),
                         .turn = waits                                     ? on_turn
                                 : mode == CONNECT_READ && is_ipc(address) ? on_turn_read
                                                                           : NULL,
                         .context = self };
    int rc = ask_open(&self->ask, &to);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    if (mode == CONNECT_WORK && ask_embedded(self->ask)) {
        cluster_revive(); /* the head may be one that only answered questions: it needs a worker now */
    }
    return 0;
}

int cli_connect_as(struct cli *self, const char *address, const char *token,
                   const struct member_key *key)
{
    struct ask_to to = { .address = address,
                         .token = token,
                         .key = key,
                         .first_ms = milliseconds_of("RAYC_CONNECT_MS", FIRST_MS),
                         .again_ms = AGAIN_MS };
    int rc = ask_open(&self->ask, &to);
    return rc == OK ? 0 : fail_ask(self, rc);
}
