/*  job_words.c - metadata is one JSON object of strings; a job to wait for is JOB, JOB:ok or JOB:any. */
#include "client/cli/job_words.h"

#include <stdlib.h>
#include "client/cli/table.h"

enum { RECORD_EXTRA = 64 };

static int check_after(struct job *job, const struct cli *cli)
{
    const struct option_list *after = &cli->options.after;
    if (after->count > AFTER_MAX) {
        return fail_usage(cli, "--after: more than %d jobs", AFTER_MAX);
    }
    size_t capacity = AFTER_MAX * (NAME_MAX_BYTES + RECORD_EXTRA);
    job->after = (struct wire){ malloc(capacity), 0, capacity, false };
    ensure(job->after.p);
    for (uint32_t i = 0; i < after->count; i++) {
        const char *text = after->texts[i], *colon = strrchr(text, ':');
        bool ok = colon && strcmp(colon, ":ok") == 0, any = colon && strcmp(colon, ":any") == 0;
        size_t n = ok || any ? (size_t)(colon - text) : strlen(text);
        if (n == 0 || n > NAME_MAX_BYTES) {
            return fail_usage(cli, "--after: '%s' is not JOB, JOB:ok or JOB:any", text);
        }
        proto_put_record(&job->after, REC_AFTER,
                         &(struct rec_after){ slice_of(text, n), any ? AFTER_ANY : AFTER_OK });
    }
    return 0;
}

static json_t *read_metadata_json(const struct cli *cli, int *exit_code)
{
    json_error_t error;
    json_t *object = json_loads(cli->options.metadata_json, JSON_REJECT_DUPLICATES, &error);
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        *exit_code = fail_usage(cli, "--metadata-json: %s",
                                object ? "must be one JSON object of strings" : error.text);
    }
    json_object_foreach(object, name, value)
    {
        if (!json_is_string(value) && *exit_code == 0) {
            *exit_code = fail_usage(cli, "--metadata-json: the value of '%s' is no string", name);
        }
    }
    return object;
}

static int check_metadata(struct job *job, const struct cli *cli)
{
    int exit_code = 0;
    json_t *object =
        cli->options.metadata_json ? read_metadata_json(cli, &exit_code) : json_object();
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.metadata.count; i++) {
        const char *text = cli->options.metadata.texts[i];
        size_t n = strcspn(text, "=");
        char *name = strndup(text, n);
        ensure(name);
        if (n == 0 || !text[n] || json_object_set_new(object, name, json_string(text + n + 1))) {
            exit_code = fail_usage(cli, "--metadata: '%s' is not K=V in UTF-8", text);
        }
        free(name);
    }
    if (exit_code == 0 && json_object_size(object) > 0) {
        job->metadata = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
        exit_code = strlen(job->metadata) > TEXT_MAX
                        ? fail_usage(cli, "--metadata: more than %d bytes", TEXT_MAX)
                        : 0;
    }
    json_decref(object);
    return exit_code;
}

int job_words_check(struct job *job, const struct cli *cli)
{
    int exit_code = check_after(job, cli);
    return exit_code ? exit_code : check_metadata(job, cli);
}

struct list job_packages(struct job *job)
{
    const struct runtime_env *env = &job->runtime_env;
    size_t capacity = PACKAGES_MAX * (HASH_TEXT + NAME_MAX_BYTES + RECORD_EXTRA);
    job->packages.p = job->packages.p ? job->packages.p : malloc(capacity);
    ensure(job->packages.p);
    job->packages = (struct wire){ job->packages.p, 0, capacity, false };
    for (uint32_t i = 0; i < env->package_count; i++) {
        struct slice folder = slice_text(env->packages[i].folder);
        folder.n = folder.n > NAME_MAX_BYTES ? NAME_MAX_BYTES : folder.n;
        struct rec_package package = { slice_text(env->packages[i].hash), env->packages[i].kind,
                                       folder };
        proto_put_record(&job->packages, REC_PACKAGE, &package);
    }
    return wire_list(&job->packages, env->package_count);
}
