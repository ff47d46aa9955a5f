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
    if (rc == ERR_CONFLICT) { /* an id that is the beginning of several */
        rc = ERR_INVALID;
    }
    if (rc != OK) {
        *exit_code = fail_ask(cli, rc);
        return NULL;
    }
    json_error_t error;
    struct slice text = reply.as.answer.json;
    json_t *root = json_loadb((const char *)text.p, text.n, 0, &error);
    if (!json_is_array(json_object_get(root, "items"))) {
        *exit_code = fail(cli, ERR_FRAME, "the head's answer is not what 'rayc %s' can read: %s",
                          RAYC_VERSION, root ? "it has no items" : error.text);
        json_decref(root);
        return NULL;
    }
    return root;
}

/*  Where the next page begins; 0: there is none. */
static uint64_t next_of(const json_t *root)
{
    const json_t *next = json_object_get(root, "next");
    return json_is_string(next) ? strtoull(json_string_value(next), NULL, 10)
                                : (uint64_t)json_integer_value(next);
}

/*  The filters of the command line, one per line.  They live until the next call. */
static struct slice filters(const struct cli *cli)
{
    static char text[TEXT_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < cli->options.filter.count; i++) {
        int more = snprintf(text + n, sizeof(text) - n, "%s%s", n ? "\n" : "",
                            cli->options.filter.texts[i]);
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
        if (!equals || equals == text || (equals == text + 1 && *text == '!') ||
            strchr(text, '\n')) {
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
    return json_pack("{s:s, s:s, s:i, s:n, s:[]}", "apiVersion", "rayc/v1", "kind", kind, "total",
                     0, "next", "items");
}

json_t *query_rows(struct cli *cli, const char *view, const char *kind, const char *job,
                   int *exit_code)
{
    *exit_code = check_filters(cli);
    if (*exit_code) {
        return NULL;
    }
    if (!cli->ask) {
        return nothing(kind);
    }
    uint64_t wanted = wanted_rows(cli);
    struct msg_query query = { .view = slice_text(view),
                               .job = slice_text(job),
                               .filter = filters(cli),
                               .reverse = cli->options.reverse,
                               .sort = slice_text(cli->options.sort ? cli->options.sort : "") };
    json_t *all = NULL;
    for (;;) {
        size_t have = all ? json_array_size(json_object_get(all, "items")) : 0;
        query.limit = wanted == UINT64_MAX ? 0 : wanted - have;
        query.estimate = all != NULL; /* the first page has told how many there are */
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

int query_each(struct cli *cli, const char *view, const char *job, query_row_fn *fn, void *context)
{
    int exit_code = 0;
    struct msg_query query = { .view = slice_text(view), .job = slice_text(job), .estimate = 1 };
    for (bool more = cli->ask != NULL; more;) {
        json_t *root = page(cli, &query, &exit_code);
        json_t *items = json_object_get(root, "items"), *row;
        size_t i;
        json_array_foreach(items, i, row)
        {
            more = more && fn(context, row);
        }
        query.cursor = root ? next_of(root) : 0;
        more = more && query.cursor != 0 && json_array_size(items) > 0;
        json_decref(root);
    }
    return exit_code;
}

json_t *query_view(struct cli *cli, const char *view, const char *id, int *exit_code)
{
    struct msg_query query = { .view = slice_text(view), .id = slice_text(id) };
    return page(cli, &query, exit_code);
}

static const char *noun_of(const char *view)
{
    static const char *const nouns[] = { "job", "node", "study", "object", "actor" };
    size_t i = 0;
    while (i < COUNT(nouns) && view[0] != nouns[i][0]) {
        i++;
    }
    return i < COUNT(nouns) ? nouns[i] : "task";
}

/*  The last item of a page, as a new reference; NULL: there is none. */
static json_t *last_item(json_t *root)
{
    json_t *items = json_object_get(root, "items");
    size_t count = json_array_size(items);
    json_t *item = count ? json_incref(json_array_get(items, count - 1)) : NULL;
    json_decref(root);
    return item;
}

static int no_jobs(const struct cli *cli, const char *id)
{
    return fail(cli, ERR_NOT_FOUND,
                "there is no '%s': no job was ever submitted here (state folder %s)", id,
                cli->state_dir);
}

/*  The newest job: the view is sorted so. */
static json_t *newest_job(struct cli *cli, int *exit_code)
{
    struct msg_query query = { .view = slice_text("jobs"), .limit = 1 };
    json_t *root = page(cli, &query, exit_code);
    json_t *job = root ? last_item(root) : NULL;
    if (root && !job) {
        *exit_code = no_jobs(cli, "@last");
    }
    return job;
}

/*  The newest task of the newest job.  Tasks are sorted from the oldest on, but their ids count up within a session,
    so that a cursor near the end spares reading them all. */
static json_t *newest_task(struct cli *cli, int *exit_code)
{
    json_t *job = newest_job(cli, exit_code);
    if (!job) {
        return NULL;
    }
    const char *id = json_string_value(json_object_get(job, "submission_id"));
    struct msg_query query = { .view = slice_text("tasks"), .job = slice_text(id), .limit = 1 };
    json_t *root = page(cli, &query, exit_code);
    uint64_t total = root ? (uint64_t)json_integer_value(json_object_get(root, "total")) : 0;
    json_t *task = root ? last_item(root) : NULL;
    if (task && total > 1) {
        uint64_t first = strtoull(json_string_value(json_object_get(task, "task_id")), NULL, 16);
        query.cursor = first + total - 2; /* the task before the last, if all are of one session */
        query.limit = 0;
        for (int i = 0; i < 2; i++, query.cursor = first) {
            root = page(cli, &query, exit_code);
            json_t *last = root ? last_item(root) : NULL;
            if (last) {
                json_decref(task);
                task = last;
                break;
            }
        }
    }
    json_decref(job);
    if (!task && !*exit_code) {
        *exit_code = fail(cli, ERR_NOT_FOUND, "the newest job has no tasks");
    }
    return task;
}

/*  If one living actor has this name, its id instead; ids are no names. */
static void actor_named(struct cli *cli, const char *name, char id[NAME_MAX_BYTES + 1],
                        int *exit_code)
{
    char filter[NAME_MAX_BYTES + 32];
    int n = snprintf(filter, sizeof(filter), "name=%s\nstate!=DEAD", name);
    snprintf(id, NAME_MAX_BYTES + 1, "%s", name);
    if (strchr(name, '\n') || n < 0 || (size_t)n >= sizeof(filter)) {
        return;
    }
    struct msg_query query = { .view = slice_text("actors"),
                               .filter = slice_text(filter),
                               .limit = 2 };
    json_t *root = page(cli, &query, exit_code);
    size_t count = json_array_size(json_object_get(root, "items"));
    json_t *actor = root ? last_item(root) : NULL;
    if (count > 1) {
        *exit_code = fail(cli, ERR_INVALID,
                          "several actors are called '%s', in different namespaces: 'rayc actor "
                          "list --filter name=%s' has their ids",
                          name, name);
    } else if (actor) {
        snprintf(id, NAME_MAX_BYTES + 1, "%s",
                 json_string_value(json_object_get(actor, "actor_id")));
    }
    json_decref(actor);
}

json_t *query_row(struct cli *cli, const char *view, const char *id, int *exit_code)
{
    *exit_code = 0;
    if (!cli->ask) {
        *exit_code = no_jobs(cli, id);
        return NULL;
    }
    const char *what = noun_of(view);
    char whole[NAME_MAX_BYTES + 1];
    bool job = strcmp(what, "job") == 0;
    if (strcmp(view, "actor") == 0) {
        actor_named(cli, id, whole, exit_code);
        if (*exit_code) {
            return NULL;
        }
        id = whole;
    }
    if (strcmp(id, "@last") == 0 &&
        (job || strcmp(what, "task") == 0)) { /* the head knows the others */
        json_t *newest = job ? newest_job(cli, exit_code) : newest_task(cli, exit_code);
        if (!newest) {
            return NULL;
        }
        snprintf(whole, sizeof(whole), "%s",
                 json_string_value(json_object_get(newest, job ? "submission_id" : "task_id")));
        json_decref(newest);
        id = whole;
    }
    struct msg_query query = { .view = slice_text(view), .id = slice_text(id), .limit = 2 };
    if (query.id.n > NAME_MAX_BYTES) {
        *exit_code = fail(cli, ERR_NOT_FOUND, "there is no %s of so long an id", what);
        return NULL;
    }
    json_t *root = page(cli, &query, exit_code);
    json_t *item = root ? last_item(root) : NULL;
    if (root && !item) {
        *exit_code =
            fail(cli, ERR_NOT_FOUND, "there is no %s '%s'; 'rayc %s list' shows those there are",
                 what, id, strcmp(what, "study") == 0 ? "tune" : what);
    }
    return item;
}

static uint64_t number_in(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? strtoull(text, NULL, 16) : 0;
}

uint64_t query_number(struct cli *cli, const char *view, const char *id, int *exit_code)
{
    json_t *row = query_row(cli, view, id, exit_code);
    if (!row) {
        return 0;
    }
    char key[32];
    snprintf(key, sizeof(key), "%s_id", view);
    uint64_t number = number_in(row, key);
    json_decref(row);
    if (number == 0) {
        *exit_code = fail(cli, ERR_FRAME, "the head does not say which number '%s' has", id);
    }
    return number;
}

const char *query_job_id(struct cli *cli, const char *id, char out[NAME_MAX_BYTES + 1],
                         int *exit_code)
{
    json_t *row = query_row(cli, "job", id, exit_code);
    if (!row) {
        return NULL;
    }
    snprintf(out, NAME_MAX_BYTES + 1, "%s",
             json_string_value(json_object_get(row, "submission_id")));
    json_decref(row);
    return out;
}

static int rows_print(struct cli *cli, const json_t *rows, const struct listing *listing)
{
    if (cli_json(cli)) {
        json_print(rows);
        return 0;
    }
    const json_t *items = json_object_get(rows, "items");
    long long total = json_integer_value(json_object_get(rows, "total"));
    long long shown = (long long)json_array_size(items);
    if (shown == 0) {
        note(cli, "no %s%s", listing->view, cli->options.filter.count ? " like that" : " yet");
        return 0;
    }
    table_print(cli, listing->columns, listing->count, items);
    if (total > shown) {
        bool all = cli->options.limit == 0; /* of a sorted list, as many as fit an answer */
        note(cli, "showing %lld of %lld %s; %s", shown, total, listing->view,
             all ? "--filter leaves fewer" : "--limit 0 shows all");
    }
    return 0;
}

int query_open(struct cli *cli, char job[NAME_MAX_BYTES + 1])
{
    job[0] = '\0';
    int exit_code = cli_connect(cli, CONNECT_READ);
    if (exit_code == 0 && cli->options.job) {
        query_job_id(cli, cli->options.job, job, &exit_code);
    }
    return exit_code;
}

int query_list(struct cli *cli, const struct listing *listing)
{
    char job[NAME_MAX_BYTES + 1];
    int exit_code = cli_no_operands(cli);
    exit_code = exit_code ? exit_code : query_open(cli, job);
    json_t *rows =
        exit_code ? NULL : query_rows(cli, listing->view, listing->kind, job, &exit_code);
    if (rows) {
        exit_code = rows_print(cli, rows, listing);
        json_decref(rows);
    }
    return exit_code;
}
