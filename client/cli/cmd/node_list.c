/*  node_list.c - `rayc node list`. */
#include "client/cli/query.h"
#include "client/cli/table.h"

/*  "12.5MiB/2.0GiB", of memory; what is on disk comes after a plus. */
static void cell_store(const struct cli *cli, const json_t *item, const char *key,
                       char out[CELL_BYTES])
{
    char used[CELL_BYTES], all[CELL_BYTES], spilled[CELL_BYTES];
    cell_bytes(cli, item, key, all);
    cell_bytes(cli, item, "object_store_used", used);
    cell_bytes(cli, item, "object_store_spilled", spilled);
    bool disk = json_integer_value(json_object_get(item, "object_store_spilled")) > 0;
    snprintf(out, CELL_BYTES, "%.32s%s%.32s%s%.32s", used, used[0] ? "/" : "", all, disk ? "+" : "",
             disk ? spilled : "");
}

static const struct column columns[] = {
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "DRAIN", "drain", cell_text, 0 },
    { "PID", "pid", cell_text, COLUMN_RIGHT },
    { "RESOURCES", "resources_total", cell_amounts, COLUMN_SHRINKS },
    { "STORE", "object_store_memory", cell_store, COLUMN_RIGHT },
    { "LABELS", "labels", cell_labels, COLUMN_SHRINKS },
    { "JOINED", "joined_ms", cell_time, 0 },
    { "ENDED", "ended_ms", cell_time, 0 },
    { "REASON", "reason", cell_text, COLUMN_SHRINKS },
};

int cmd_node_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "nodes", "NodeList", columns, COUNT(columns) });
}
