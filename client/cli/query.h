/*  query.h - the head's views as JSON: pages joined, ids completed. */
#ifndef RAYC_CLI_QUERY_H
#define RAYC_CLI_QUERY_H
#include <jansson.h>
#include "client/cli/cli.h"
#include "proto/proto.h"

/*  All rows of a view that the options ask for (--filter, --limit), as one object like an ANSWER; the caller frees
    it.  NULL: *exit_code.  `kind` is what an empty answer is called when there is nothing to ask yet. */
json_t *query_rows(struct cli *cli, const char *view, const char *kind, const char *job,
                   int *exit_code);
/*  Every row of a view, of one job or of all (""), page after page; a row is the head's, and gone after the call.
    0, or an exit code. */
typedef bool query_row_fn(void *context, json_t *row); /* false: that was enough */
int query_each(struct cli *cli, const char *view, const char *job, query_row_fn *fn, void *context);
/*  The rows of a view for one whole id, as the head sent them. */
json_t *query_view(struct cli *cli, const char *view, const char *id, int *exit_code);
/*  The one row of an id, its unique prefix, @last, or the name of a living actor.  NULL: *exit_code. */
json_t *query_row(struct cli *cli, const char *view, const char *id, int *exit_code);
/*  The number of a job or task that a row tells; 0 with *exit_code otherwise. */
uint64_t query_number(struct cli *cli, const char *view, const char *id, int *exit_code);

/*  The whole submission id of a job's id, prefix or @last; NULL: *exit_code. */
const char *query_job_id(struct cli *cli, const char *id, char out[NAME_MAX_BYTES + 1],
                         int *exit_code);

/*  Connects, and completes --job, if it was given, into `job` (else ""): 0, or an exit code. */
int query_open(struct cli *cli, char job[NAME_MAX_BYTES + 1]);
/*  All of a command that lists a view: of --job, as -o asks for, and how many are not shown. */
struct column;
struct listing {
    const char *view, *kind; /* the view is also what people call its rows */
    const struct column *columns;
    size_t count;
};
int query_list(struct cli *cli, const struct listing *listing);
#endif
