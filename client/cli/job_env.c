/*  job_env.c - "K=V" strings from options, files, and the environment.  They live as long as the process. */
#include "client/cli/job_env.h"

#include <errno.h>
#include <stdlib.h>

extern char **environ;

static int add(struct job *job, const struct cli *cli, const char *entry)
{
    if (job->env_count == JOB_ENV_MAX) {
        return fail_usage(cli, "--env: more than %d variables", JOB_ENV_MAX);
    }
    job->env[job->env_count++] = entry;
    return 0;
}

static const char *copy_of(const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 2;
    char *entry = malloc(n);
    ensure(entry);
    snprintf(entry, n, "%s=%s", name, value);
    return entry;
}

/*  K=V, or K: as it is here. */
static int add_text(struct job *job, const struct cli *cli, const char *where, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == text || !*text) {
        return fail_usage(cli, "%s: '%s' is not K=V", where, text);
    }
    if (equals) {
        return add(job, cli, text);
    }
    const char *value = getenv(text);
    return value ? add(job, cli, copy_of(text, value))
                 : fail_usage(cli, "%s: %s is not set here: write %s=VALUE", where, text, text);
}

static int add_file(struct job *job, const struct cli *cli, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return fail_usage(cli, "--env-file: cannot read %s: %s", path, strerror(errno));
    }
    char *line = NULL;
    size_t capacity = 0;
    int exit_code = 0;
    ssize_t n;
    for (int number = 1; exit_code == 0 && (n = getline(&line, &capacity, file)) >= 0; number++) {
        n -= n > 0 && line[n - 1] == '\n';
        line[n] = 0;
        const char *text = line + strspn(line, " \t");
        if (*text && *text != '#') {
            char where[PATH_BYTES + 32];
            snprintf(where, sizeof(where), "%s:%d", path, number);
            exit_code = add_text(job, cli, where, strchr(text, '=') ? strdup(text) : text);
        }
    }
    free(line);
    fclose(file);
    return exit_code;
}

int env_check(struct job *job, const struct cli *cli)
{
    int exit_code = 0;
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.env_file.count; i++) {
        exit_code = add_file(job, cli, cli->options.env_file.texts[i]);
    }
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.env.count; i++) {
        exit_code = add_text(job, cli, "--env", cli->options.env.texts[i]);
    }
    return exit_code;
}

static bool inherited(const char *entry)
{
    static const char *const names[] = {
        "PATH=", "HOME=", "USER=", "LANG=", "LC_", "TERM=", "TZ="
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

void env_inherit(struct job *job, bool local)
{
    const char *own[JOB_ENV_MAX];
    uint32_t count = 0;
    for (char **entry = environ; local && *entry && job->env_count + count < JOB_ENV_MAX; entry++) {
        if (inherited(*entry)) {
            own[count++] = *entry;
        }
    }
    memmove(job->env + count, job->env, job->env_count * sizeof(*job->env));
    memcpy(job->env, own, count * sizeof(*own));
    job->env_inherited = count;
    job->env_count += count;
    job->env[job->env_count] = NULL;
}
