/*  user.c - `rayc user ...`: an administrator's commands. */
#include "client/cli/connect.h"
#include "client/cli/parse.h"
#include "client/cli/query.h"
#include "client/cli/role.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "USER", "name", cell_text, 0 },
    { "ROLE", "role", cell_text, 0 },
    { "DISABLED", "disabled", cell_text, COLUMN_RIGHT },
    { "JOBS", "jobs_max", cell_text, COLUMN_RIGHT },
    { "TASKS", "tasks_max", cell_text, COLUMN_RIGHT },
    { "OBJECTS", "object_bytes_max", cell_bytes, COLUMN_RIGHT },
    { "USED", "object_bytes", cell_bytes, COLUMN_RIGHT },
    { "CREATED", "created_ms", cell_time, 0 },
};

int cmd_user_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "users", "UserList", columns, COUNT(columns) });
}

static uint64_t quota(int64_t given)
{
    return given == OPTION_UNSET ? 0 : given == 0 ? UINT64_MAX : (uint64_t)given;
}

/*  *out as quota() has it.  Exit code. */
static int quota_bytes(const struct cli *self, uint64_t *out)
{
    const char *text = self->options.object_bytes_max;
    if (text != NULL && bytes_parse(text, out) != OK) {
        return fail_usage(
            self, "--max-object-bytes: '%s' is not a size, such as 1000000, 512M or 2G", text);
    }
    *out = text != NULL && *out == 0 ? UINT64_MAX : *out;
    return 0;
}

static int put(struct cli *self, struct msg_user_put request, const char *done)
{
    int exit_code = 0;
    const char *name = cli_operand(self, "user", &exit_code);
    request.role = exit_code ? 0 : cli_role(self, &exit_code);
    exit_code = exit_code ? exit_code : quota_bytes(self, &request.object_bytes_max);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    if (exit_code) {
        return exit_code;
    }
    request.name = slice_text(name);
    request.jobs_max = quota(self->options.jobs_max);
    request.tasks_max = quota(self->options.tasks_max);
    struct msg reply;
    int rc = ask(self->ask, MSG_USER_PUT, &request, MSG_CHANGED, &reply);
    if (rc == OK) {
        printf("user %s: %s\n", name, done);
    }
    return rc == OK ? 0 : fail_ask(self, rc);
}

int cmd_user_add(struct cli *self)
{
    return put(self, (struct msg_user_put){ .make = 1 }, "added");
}

int cmd_user_set(struct cli *self)
{
    return put(self, (struct msg_user_put){ .make = 0 }, "changed");
}

int cmd_user_disable(struct cli *self)
{
    return put(self, (struct msg_user_put){ .disabled = 1 }, "disabled");
}

int cmd_user_enable(struct cli *self)
{
    return put(self, (struct msg_user_put){ .disabled = 2 }, "enabled");
}
