/*  node_drain.c - `rayc node get`, `rayc node drain` and `rayc node undrain`. */
#include <stdio.h>
#include <unistd.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "common/file.h"
#include "common/hash.h"

enum { GRACE_MS = 30000, LOOK_MS = 100 };

/*  The one row of a node's number or name; NULL: *exit_code. */
static json_t *node_row(struct cli *self, const char *id, int *exit_code)
{
    json_t *root = query_view(self, "nodes", id, exit_code);
    json_t *item = json_incref(json_array_get(json_object_get(root, "items"), 0));
    if (root && !item) {
        *exit_code = fail(self, ERR_NOT_FOUND, "there is no node '%s'", id);
    }
    json_decref(root);
    return item;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

int cmd_node_get(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "node", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    json_t *node = exit_code ? NULL : node_row(self, id, &exit_code);
    if (node && cli_json(self)) {
        json_print_one("Node", node);
    } else if (node) {
        record_print(self, node, "joined_ms ended_ms drain_until_ms");
    }
    json_decref(node);
    return exit_code;
}

/*  The node that the request is about: of the operand, or of this machine's worker by the key in its folder. */
static int find_node(struct cli *self, struct msg_node_drain *request, char key[HASH_TEXT_BYTES])
{
    char path[PATH_BYTES];
    int exit_code = 0;
    if (self->options.own_node) {
        exit_code = cli_no_operands(self);
        if (!exit_code && (file_path(path, sizeof(path), self->state_dir, "worker/key") != OK ||
                           file_read(path, key, HASH_TEXT_BYTES) != OK)) {
            exit_code = fail(self, ERR_NOT_FOUND, "no worker has its folder in %s (--state-dir)",
                             self->state_dir);
        }
        request->key = slice_text(key);
        return exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    }
    const char *id = cli_operand(self, "node", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    json_t *node = exit_code ? NULL : node_row(self, id, &exit_code);
    request->node = (uint64_t)json_integer_value(json_object_get(node, "node_id"));
    json_decref(node);
    return exit_code;
}

/*  Until it is drained, if that is asked for; how it stands then. */
static json_t *look(struct cli *self, uint64_t number, int *exit_code)
{
    char id[24];
    snprintf(id, sizeof(id), "%llu", (unsigned long long)number);
    for (;;) {
        json_t *node = node_row(self, id, exit_code);
        bool waits = self->options.wait && strcmp(text_of(node, "drain"), "DRAINING") == 0;
        if (!waits) {
            return node;
        }
        json_decref(node);
        usleep(LOOK_MS * 1000);
    }
}

static int change(struct cli *self, struct msg_node_drain request)
{
    char key[HASH_TEXT_BYTES] = "";
    struct msg reply;
    int exit_code = find_node(self, &request, key);
    int rc = exit_code ? OK : ask(self->ask, MSG_NODE_DRAIN, &request, MSG_CHANGED, &reply);
    if (exit_code || rc != OK) {
        return exit_code ? exit_code : fail_ask(self, rc);
    }
    json_t *node = look(self, reply.as.changed.id, &exit_code);
    if (node && cli_json(self)) {
        json_print_one("Node", node);
    } else if (node) {
        const char *drain = text_of(node, "drain");
        bool dead = strcmp(text_of(node, "state"), "DEAD") == 0;
        printf("node %llu: %s\n", (unsigned long long)reply.as.changed.id,
               dead                             ? "has ended"
               : strcmp(drain, "DRAINED") == 0  ? "drained"
               : strcmp(drain, "DRAINING") == 0 ? "being drained"
                                                : "takes work again");
    }
    json_decref(node);
    return exit_code;
}

int cmd_node_drain(struct cli *self)
{
    int64_t grace_ms = self->options.grace;
    return change(self, (struct msg_node_drain){
                            .drain = DRAIN_ASKED,
                            .grace_ms = grace_ms == OPTION_UNSET ? GRACE_MS : (uint64_t)grace_ms });
}

int cmd_node_undrain(struct cli *self)
{
    return change(self, (struct msg_node_drain){ .drain = DRAIN_NONE });
}
