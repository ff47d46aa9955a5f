/*  tune_result.h - the result of a study, as -o, --csv and --plot ask for it. */
#ifndef RAYC_CLI_TUNE_RESULT_H
#define RAYC_CLI_TUNE_RESULT_H
#include "client/cli/cli.h"
#include "client/tune/result.h"

/*  After `rayc tune` has ended its study: reads the rows back over the session of rayc_init().  0, or an exit code.
    `storage` has the trials' folders. */
int tune_result_print(const struct cli *cli, const char *name, const char *storage);
/*  The parameters of a trial, a line each, with all their digits. */
void tune_params_print(const struct rec_trial *trial);
/*  The rows of a study by the connection of cli_connect(CONNECT_READ); `id` is a name, its unique prefix, or @last.
    0, or the exit code of what was said. */
int tune_rows_read(struct cli *cli, const char *id, bool reports, struct study_rows *out);
/*  Writes --csv FILE if it was given.  0, or an exit code. */
int tune_csv_write(const struct cli *cli, const struct study_rows *rows);
#endif
