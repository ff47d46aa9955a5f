/*  query.c - QUERY and ANSWER. */
#include "client/cli/query.h"

#include <stdlib.h>
#include "client/cli/connect.h"
#include "client/cli/table.h"

enum { TABLE_LIMIT = 100 };

/*  One page, as the head sent it. */
static json_t *page(struct cli *cli, struct msg_query *query, int *exit_code)
{
    struct msg reply;
    int rc = ask(cli->ask, MSG_QUERY, query, MSG_ANSWER, &reply);
    if (rc != OK) {
        *exit_code = fail_ask(cli, rc);
        return NULL;
    }
    json_error_t error;
    struct slice text = reply.as.answer.json;
    json_t *root = json_loadb((const char *)text.p, text.n, 0, &error);
    if (!json_is_array(json_object_get(root, "items"))) {
        *exit_code = fail(cli, ERR_FRAME, "the head's answer is not what 'rayc %s' can read: %s", RAYC_VERSION,
                          root ? "it has no items" : error.text);
        json_decref(root);
        return NULL;
    }
    return root;
}

/*  Where the next page begins; 0: there is none. */
static uint64_t next_of(const json_t *root)
{
    const json_t *next = json_object_get(root, "next");
    return json_is_string(next) ? strtoull(json_string_value(next), NULL, 10) : (uint64_t)json_integer_value(next);
}

/*  The filters of the command line, one per line.  They live until the next call. */
static struct slice filters(const struct cli *cli)
{
    static char text[TEXT_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < cli->options.filter.count; i++) {
        int more = snprintf(text + n, sizeof(text) - n, "%s%s", n ? "\n" : "", cli->options.filter.texts[i]);
        if (more > 0 && (n += (size_t)more) >= sizeof(text)) {
            n = sizeof(text) - 1;
            break;
        }
    }
    return slice_of(text, n);
}

static int check_filters(const struct cli *cli)
{
    for (uint32_t i = 0; i < cli->options.filter.count; i++) {
        const char *text = cli->options.filter.texts[i];
        const char *equals = strchr(text, '=');
        if (!equals || equals == text || (equals == text + 1 && *text == '!') || strchr(text, '\n')) {
            return fail_usage(cli, "--filter: '%s' is not K=V or K!=V", text);
        }
    }
    return 0;
}

static uint64_t wanted_rows(const struct cli *cli)
{
    if (cli->options.limit == OPTION_UNSET) {
        return cli_json(cli) ? UINT64_MAX : TABLE_LIMIT;
    }
    return cli->options.limit ? (uint64_t)cli->options.limit : UINT64_MAX;
}

static json_t *nothing(const char *kind)
{
    return json_pack("{s:s, s:s, s:i, s:n, s:[]}", "apiVersion", "rayc/v1", "kind", kind, "total", 0, "next", "items");
}

json_t *query_rows(struct cli *cli, const char *view, const char *kind, const char *job, int *exit_code)
{
    *exit_code = check_filters(cli);
    if (*exit_code) {
        return NULL;
    }
    if (!cli->ask) {
        return nothing(kind);
    }
    uint64_t wanted = wanted_rows(cli);
    struct msg_query query = { .view = slice_text(view), .job = slice_text(job), .filter = filters(cli) };
    json_t *all = NULL;
    for (;;) {
        size_t have = all ? json_array_size(json_object_get(all, "items")) : 0;
        query.limit = wanted == UINT64_MAX ? 0 : wanted - have;
        json_t *root = page(cli, &query, exit_code);
        if (!root) {
            json_decref(all);
            return NULL;
        }
        json_t *items = json_object_get(root, "items");
        size_t more = json_array_size(items);
        query.cursor = next_of(root);
        if (!all) {
            all = root;
        } else {
            json_array_extend(json_object_get(all, "items"), items);
            json_object_set(all, "next", json_object_get(root, "next"));
            json_decref(root);
        }
        if (!query.cursor || more == 0 || have + more >= wanted) {
            return all;
        }
    }
}

int64_t query_count(struct cli *cli, const char *view, const char *filter, int *exit_code)
{
    struct msg_query query = { .view = slice_text(view), .filter = slice_text(filter), .limit = 1 };
    json_t *root = page(cli, &query, exit_code);
    if (!root) {
        return -1;
    }
    int64_t total = json_integer_value(json_object_get(root, "total"));
    json_decref(root);
    return total;
}

json_t *query_row(struct cli *cli, const char *view, const char *id, int *exit_code)
{
    const char *what = view[0] == 'j' ? "job" : view[0] == 't' ? "task" : "node";
    if (!cli->ask) {
        *exit_code = fail(cli, ERR_NOT_FOUND, "there is no %s '%s': the state folder %s holds no jobs yet", what, id,
                          cli->state_dir);
        return NULL;
    }
    struct msg_query query = { .view = slice_text(view), .id = slice_text(id), .limit = 2 };
    json_t *root = page(cli, &query, exit_code);
    if (!root) {
        return NULL;
    }
    json_t *items = json_object_get(root, "items");
    json_t *item = NULL;
    if (json_array_size(items) == 0) {
        *exit_code = fail(cli, ERR_NOT_FOUND, "there is no %s '%s': 'rayc %s list' shows those there are", what, id, what);
    } else if (json_array_size(items) > 1) {
        *exit_code = fail(cli, ERR_INVALID, "'%s' is the beginning of more than one %s: give more of it", id, what);
    } else {
        item = json_incref(json_array_get(items, 0));
    }
    json_decref(root);
    return item;
}

uint64_t query_number(struct cli *cli, const char *view, const char *id, int *exit_code)
{
    json_t *row = query_row(cli, view, id, exit_code);
    if (!row) {
        return 0;
    }
    const char *key = view[0] == 'j' ? "job" : "id";
    uint64_t number = (uint64_t)json_integer_value(json_object_get(row, key));
    json_decref(row);
    if (number == 0) {
        *exit_code = fail(cli, ERR_FRAME, "the head does not say which number '%s' has", id);
    }
    return number;
}

int rows_print(struct cli *cli, const json_t *rows, const struct column *columns, size_t count, const char *noun)
{
    if (cli_json(cli)) {
        json_print(rows);
        return 0;
    }
    const json_t *items = json_object_get(rows, "items");
    long long total = json_integer_value(json_object_get(rows, "total"));
    long long shown = (long long)json_array_size(items);
    if (shown == 0) {
        note(cli, "no %ss%s", noun, cli->options.filter.count ? " like that" : " yet");
        return 0;
    }
    table_print(cli, columns, count, items);
    if (total > shown) {
        note(cli, "showing %lld of %lld %ss; --limit 0 shows all", shown, total, noun);
    }
    return 0;
}
