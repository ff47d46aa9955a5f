/*  memory.c - `rayc memory`: who holds which object, in groups of a node or of a job, each with its total. */
#include "client/cli/query.h"
#include "client/cli/table.h"

/*  "TASK 0000010000000003 (step)" */
static void cell_holder(const struct cli *cli, const json_t *item, const char *key,
                        char out[CELL_BYTES])
{
    char type[CELL_BYTES], id[CELL_BYTES], name[CELL_BYTES];
    cell_text(cli, item, "holder_type", type);
    cell_text(cli, item, key, id);
    cell_text(cli, item, "holder_name", name);
    snprintf(out, CELL_BYTES, name[0] ? "%.16s %.64s (%.128s)" : "%.16s %.64s", type, id, name);
}

static const struct column columns[] = {
    { "OBJECT", "object_id", cell_text, 0 },
    { "SIZE", "object_size", cell_bytes, COLUMN_RIGHT },
    { "REFERENCE", "reference_type", cell_text, 0 },
    { "HELD BY", "holder_id", cell_holder, COLUMN_SHRINKS },
    { "MADE BY", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "TASK", "task_status", cell_text, COLUMN_STATE },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "JOB", "submission_id", cell_id, 0 },
};

static const struct grouping {
    const char *option, *id, *name, *none;
} groupings[] = {
    { "node", "node_id", "node_name", "in no store" },
    { "job", "job_id", "submission_id", "of no job" },
};

static json_t *new_group(const struct grouping *by, const json_t *row)
{
    json_t *group = json_pack("{s:i, s:i, s:{}, s:[]}", "objects", 0, "object_size", 0,
                              "reference_types", "items");
    json_object_set(group, by->id, json_object_get(row, by->id));
    json_object_set(group, by->name, json_object_get(row, by->name));
    return group;
}

static void count(json_t *object, const char *key, json_int_t more)
{
    json_int_t before = json_integer_value(json_object_get(object, key));
    json_object_set_new(object, key, json_integer(before + more));
}

/*  The rows by group, as they come; an object counts once however many hold it: its rows may be anywhere. */
static json_t *groups_of(const struct grouping *by, const json_t *rows)
{
    json_t *groups = json_array(), *places = json_object(), *seen = json_object(), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, by->name));
        const char *object = json_string_value(json_object_get(row, "object_id"));
        json_t *group = json_object_get(places, name ? name : "");
        if (!group) {
            group = new_group(by, row);
            json_object_set(places, name ? name : "", group);
            json_array_append_new(groups, group);
        }
        if (!json_object_get(seen, object)) {
            json_object_set_new(seen, object, json_true());
            count(group, "objects", 1);
            count(group, "object_size", json_integer_value(json_object_get(row, "object_size")));
        }
        count(json_object_get(group, "reference_types"),
              json_string_value(json_object_get(row, "reference_type")), 1);
        json_array_append(json_object_get(group, "items"), row);
    }
    json_decref(places);
    json_decref(seen);
    return groups;
}

static void print_group(const struct cli *self, const struct grouping *by, const json_t *group)
{
    char name[CELL_BYTES], bytes[CELL_BYTES], types[CELL_BYTES];
    cell_text(self, group, by->name, name);
    cell_bytes(self, group, "object_size", bytes);
    cell_amounts(self, group, "reference_types", types);
    printf("%s%s%s: %lld objects, %s: %s\n", name[0] ? by->option : "", name[0] ? " " : "",
           name[0] ? name : by->none, json_integer_value(json_object_get(group, "objects")), bytes,
           types);
    table_print(self, columns, COUNT(columns), json_object_get(group, "items"));
}

static void print(const struct cli *self, const struct grouping *by, json_t *rows)
{
    json_t *groups = groups_of(by, json_object_get(rows, "items")), *group;
    size_t i;
    json_array_foreach(groups, i, group)
    {
        if (cli_json(self)) {
            json_object_del(group, "items");
        } else {
            printf("%s", i > 0 ? "\n" : "");
            print_group(self, by, group);
        }
    }
    if (cli_json(self)) {
        json_object_set(rows, "groups", groups);
        json_print(rows);
    } else if (i == 0) {
        note(self, "no objects%s", self->options.filter.count ? " like that" : " yet");
    }
    json_decref(groups);
}

int cmd_memory(struct cli *self)
{
    const struct grouping *by = groupings;
    char job[NAME_MAX_BYTES + 1];
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : query_open(self, job);
    if (exit_code) {
        return exit_code;
    }
    if (self->options.group_by && strcmp(self->options.group_by, by->option) != 0) {
        by++;
    }
    if (self->options.limit == OPTION_UNSET) {
        self->options.limit = 0; /* a total of some of them says nothing */
    }
    json_t *rows = query_rows(self, "memory", "MemoryList", job, &exit_code);
    if (rows) {
        print(self, by, rows);
        json_decref(rows);
    }
    return exit_code;
}
