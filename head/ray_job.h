/*  ray_job.h - jobs as Ray's Jobs API tells them: JobDetails, from the rows of the view `jobs`, with Ray's texts.
    Reads with the caller's own connection and the log files: any thread may. */
#ifndef RAYC_RAY_JOB_H
#define RAYC_RAY_JOB_H
#include <sqlite3.h>
#include "common/hash.h"
#include "head/json.h"
#include "head/log_files.h"

enum { RAY_LOG_LINES = 10, RAY_LOG_BYTES = 20000 }; /* of a failed job's message */

struct ray_reader {
    sqlite3 *db; /* with query_functions() */
    const struct log_files *logs;
    uint64_t owner; /* whose jobs are seen; 0: everybody's */
};

struct ray_job {
    uint64_t number;
    /*  false: its driver runs elsewhere, and Ray does not stop it, or tell its logs */
    bool submission;
    bool ended;
    char id[NAME_MAX_BYTES + 1]; /* submission id */
    char status[16];
};

/*  By submission id, or job id (8 hex digits).  ERR_NOT_FOUND; ERR_STORE. */
MUST_CHECK int ray_job_find(const struct ray_reader *self, struct slice id, struct ray_job *out);
MUST_CHECK int ray_job_put(const struct ray_reader *self, uint64_t number, struct json *to);
MUST_CHECK int ray_jobs_put(const struct ray_reader *self, struct json *to); /* a list of all */

MUST_CHECK int ray_job_message(const struct ray_reader *self, uint64_t number, struct json *to);
/*  The content hash of a user's package of this URI.  ERR_NOT_FOUND, ERR_STORE. */
MUST_CHECK int ray_package_find(sqlite3 *db, uint64_t owner, const char *uri,
                                char hash[HASH_TEXT_BYTES]);
#endif
