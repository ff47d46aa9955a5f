/*  job_open.c - checks what was asked, and writes it as the protocol wants it. */
#include "client/cli/job_open.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/cli/job_env.h"
#include "client/cli/job_words.h"
#include "client/cli/made.h"
#include "client/cli/parse.h"
#include "client/command.h"

enum { SPEC_BYTES_EXTRA = 16 * 1024, STATUS_MAX = 255 };

void job_init(struct job *self)
{
    *self = (struct job){ .options = rayc_defaults() };
}

void job_fini(struct job *self)
{
    free(self->input.p);
    free(self->body.p);
    free(self->specs.p);
    free(self->packages.p);
    free(self->after.p);
    free(self->metadata);
    runtime_env_fini(&self->runtime_env);
}

/* --- checks ------------------------------------------------------------------------------------------ */

static int check_number(const struct cli *cli, const char *name, const char *text, double *out)
{
    if (text) {
        char *end;
        *out = strtod(text, &end);
        if (end == text || *end || !isfinite(*out) || *out < 0) {
            return fail_usage(cli, "--%s: '%s' is not a number, 0 or more", name, text);
        }
    }
    return 0;
}

static int check_demand(struct job *self, const struct cli *cli)
{
    const struct options *options = &cli->options;
    self->options.cpus =
        options->array ? 1 : 0; /* a driver mostly waits: by Ray's rule it takes no CPU */
    int exit_code = check_number(cli, "cpus", options->cpus, &self->options.cpus);
    exit_code =
        exit_code ? exit_code : check_number(cli, "gpus", options->gpus, &self->options.gpus);
    if (exit_code) {
        return exit_code;
    }
    if (options->memory && bytes_parse(options->memory, &self->options.memory_bytes) != OK) {
        return fail_usage(cli, "--memory: '%s' is not a size, such as 1000000, 512M or 2G",
                          options->memory);
    }
    self->options.resources = options->resources;
    return 0;
}

/*  Where and when its tasks run; options_draft() checks the texts. */
static int check_place(struct job *self, const struct cli *cli)
{
    const struct options *options = &cli->options;
    char *to = self->labels;
    size_t room = sizeof(self->labels);
    for (uint32_t i = 0; i < options->label.count; i++) {
        int n = snprintf(to, room, "%s%s", i > 0 ? "\n" : "", options->label.texts[i]);
        if (n < 0 || (size_t)n >= room) {
            return fail_usage(cli, "--label: all labels together are longer than %d bytes",
                              SELECTOR_MAX);
        }
        to += n;
        room -= (size_t)n;
    }
    if (options->priority != OPTION_UNSET &&
        (options->priority < -PRIORITY_MAX || options->priority > PRIORITY_MAX)) {
        return fail_usage(cli, "--priority: %lld is not from -%d to %d",
                          (long long)options->priority, PRIORITY_MAX, PRIORITY_MAX);
    }
    self->options.priority = options->priority == OPTION_UNSET ? 0 : (int32_t)options->priority;
    self->options.strategy = options->strategy;
    self->options.labels = self->labels;
    return 0;
}

static int check_retries(struct job *self, const struct cli *cli)
{
    const struct options *options = &cli->options;
    if (!options->array) {
        self->options.max_retries =
            0; /* a job runs once, as in Ray, unless it is asked otherwise */
        self->options.retry_codes = options->max_retries != OPTION_UNSET ? rayc_any_error : NULL;
    }
    if (options->max_retries != OPTION_UNSET) {
        if (options->max_retries < -1 || options->max_retries > INT32_MAX) {
            return fail_usage(cli, "--max-retries: %lld is not -1 (without end), 0 or more",
                              (long long)options->max_retries);
        }
        self->options.max_retries = (int32_t)options->max_retries;
    }
    bool any = false;
    if (options->retry_exit_codes) {
        if (codes_parse(options->retry_exit_codes, self->retry_codes, RETRY_CODES_MAX,
                        &self->options.retry_code_count, &any) != OK) {
            return fail_usage(
                cli, "--retry-exit-codes: '%s' is not any, or a list of 1 to %d such as 1,75",
                options->retry_exit_codes, STATUS_MAX);
        }
        self->options.retry_codes = any ? rayc_any_error : self->retry_codes;
    }
    return 0;
}

static int check_array(struct job *self, const struct cli *cli)
{
    const char *text = cli->options.array;
    if (!text) {
        return 0;
    }
    if (!cli->dashes) {
        return fail_usage(
            cli,
            "--array runs a command for each index: rayc submit --array A-B -- COMMAND [ARG]...");
    }
    if (array_parse(text, &self->open.array_first, &self->open.array_last) != OK) {
        return fail_usage(
            cli, "--array: '%s' is not a range A-B with A not larger than B, such as 1-1000", text);
    }
    return 0;
}

static int check_names(struct job *self, const struct cli *cli)
{
    const char *name = cli->options.name;
    if (name && strlen(name) > NAME_MAX_BYTES) {
        return fail_usage(cli, "--name: longer than %d bytes", NAME_MAX_BYTES);
    }
    return made_name(cli, self->submission);
}

static int read_stdin(struct job *self, const struct cli *cli)
{
    const char *path = cli->options.stdin_file;
    if (!path) {
        return 0;
    }
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!file) {
        return fail_usage(cli, "--stdin: cannot read %s: %s", path, strerror(errno));
    }
    self->input = (struct wire){ malloc(PAYLOAD_MAX), 0, PAYLOAD_MAX, false };
    ensure(self->input.p);
    self->input.n = fread(self->input.p, 1, PAYLOAD_MAX, file);
    bool failed = ferror(file);
    bool more = self->input.n == PAYLOAD_MAX;
    if (file != stdin) {
        fclose(file);
    }
    return failed ? fail_usage(cli, "--stdin: cannot read %s", path)
           : more ? fail_usage(cli, "--stdin: %s is larger than %d MiB: give a path to it instead",
                               path, PAYLOAD_MAX / MIB)
                  : 0;
}

int job_check(struct job *self, const struct cli *cli)
{
    if (cli->count == 0) {
        return fail_usage(
            cli, cli->dashes ? "which command? Nothing follows '--'"
                             : "which program? Or a command: rayc submit -- COMMAND [ARG]...");
    }
    const struct options *options = &cli->options;
    int exit_code = check_array(self, cli);
    exit_code = exit_code ? exit_code : check_demand(self, cli);
    exit_code = exit_code ? exit_code : check_place(self, cli);
    exit_code = exit_code ? exit_code : check_retries(self, cli);
    exit_code = exit_code ? exit_code : check_names(self, cli);
    exit_code = exit_code ? exit_code : env_check(self, cli);
    exit_code = exit_code ? exit_code : job_words_check(self, cli);
    exit_code = exit_code ? exit_code : runtime_env_read(&self->runtime_env, cli);
    exit_code = exit_code ? exit_code : read_stdin(self, cli);
    if (exit_code) {
        return exit_code;
    }
    self->options.run_ms_max = options->timeout == OPTION_UNSET ? 0 : (uint32_t)options->timeout;
    self->options.queue_ms_max =
        options->queue_timeout == OPTION_UNSET ? 0 : (uint32_t)options->queue_timeout;
    if (options_draft(&self->draft, &self->options) != RAYC_OK) {
        return fail_usage(cli, "%s", rayc_error()->text);
    }
    return 0;
}

/* --- building ---------------------------------------------------------------------------------------- */

/*  The command line as a person would type it: words with odd characters in quotes. */
static void write_entrypoint(struct job *self, const struct cli *cli)
{
    char *out = self->entrypoint;
    size_t room = sizeof(self->entrypoint) - 1;
    for (int i = 0; i < cli->count && room > 2; i++) {
        const char *word = cli->operands[i];
        bool plain = word[0] && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789%+,-./:=@_") == strlen(word);
        int n =
            snprintf(out, room, "%s%s%s%s", i ? " " : "", plain ? "" : "'", word, plain ? "" : "'");
        size_t used = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
        out += used;
        room -= used;
    }
}

static int find_cwd(struct job *self, const struct cli *cli, bool local)
{
    const char *wish = cli->options.working_dir;
    for (uint32_t i = 0; i < self->runtime_env.package_count; i++) {
        if (self->runtime_env.packages[i].kind == PACKAGE_WORKING_DIR) {
            return 0; /* it goes along */
        }
    }
    if (wish && local) { /* it can be checked here */
        if (!realpath(wish, self->cwd)) {
            return fail(cli, ERR_INVALID, "--working-dir: %s: %s", wish, strerror(errno));
        }
    } else if (wish) {
        snprintf(self->cwd, sizeof(self->cwd), "%s", wish);
    } else if (local && !getcwd(self->cwd, sizeof(self->cwd))) {
        self->cwd[0] = 0;
    }
    return 0;
}

/*  The SPEC, with the environment from `env_from` on. */
static int build_spec(struct job *self, const struct cli *cli, uint32_t env_from)
{
    const char *name = strrchr(cli->operands[0], '/');
    struct command_line line = { .argv = (const char *const *)cli->operands,
                                 .env = self->env + env_from,
                                 .vars = self->runtime_env.vars,
                                 .cwd = self->cwd[0] ? self->cwd : NULL,
                                 .input = slice_of(self->input.p, self->input.n) };
    free(self->body.p);
    self->body = (struct wire){ 0 };
    if (command_encode(&line, &self->body) != RAYC_OK) {
        return fail(cli, ERR_TOO_LARGE, "%s", rayc_error()->text);
    }
    struct rec_spec *spec = &self->draft.record;
    spec->index = 0;
    spec->kind = cli->options.array ? SPEC_COMMAND : SPEC_DRIVER;
    spec->name = slice_text(cli->options.name ? cli->options.name
                            : name            ? name + 1
                                              : cli->operands[0]);
    spec->name.n = spec->name.n > NAME_MAX_BYTES ? NAME_MAX_BYTES : spec->name.n;
    spec->program = slice_text(self->program);
    spec->body = slice_of(self->body.p, self->body.n);
    spec->packages = job_packages(self);
    const char *infeasible = cli->options.if_infeasible;
    spec->if_infeasible = !infeasible                       ? INFEASIBLE_AS_SET
                          : strcmp(infeasible, "fail") == 0 ? INFEASIBLE_FAIL
                                                            : INFEASIBLE_WAIT;
    size_t capacity = self->body.n + SPEC_BYTES_EXTRA;
    self->specs.p = realloc(self->specs.p, capacity);
    ensure(self->specs.p);
    self->specs = (struct wire){ self->specs.p, 0, capacity, false };
    proto_put_record(&self->specs, REC_SPEC, spec);
    ensure(!self->specs.full);
    self->open.specs = wire_list(&self->specs, 1);
    return 0;
}

/*  Says whether a job of the same submission id is the same job: all that was asked, but not what merely comes from
    the terminal it was typed in. */
static int write_digest(struct job *self, const struct cli *cli)
{
    int exit_code = build_spec(self, cli, self->env_inherited);
    if (exit_code) {
        return exit_code;
    }
    struct msg_job_open same = self->open;
    same.submission = same.digest = (struct slice){ 0 };
    struct wire frame = { malloc(self->specs.n + SPEC_BYTES_EXTRA), 0,
                          self->specs.n + SPEC_BYTES_EXTRA, false };
    ensure(frame.p);
    proto_put(&frame, MSG_JOB_OPEN, &same);
    ensure(!frame.full);
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, frame.p, frame.n);
    hash_end(&hash, self->digest);
    free(frame.p);
    return 0;
}

int job_build(struct job *self, const struct cli *cli, bool local)
{
    int exit_code = find_cwd(self, cli, local);
    if (exit_code) {
        return exit_code;
    }
    env_inherit(self, local);
    write_entrypoint(self, cli);
    const char *durability = cli->options.durability;
    self->open.submission = slice_text(self->submission);
    self->open.kind = cli->options.array ? JOB_ARRAY : JOB_DRIVER;
    self->open.durability =
        durability && strcmp(durability, "full") == 0 ? DURABLE_FULL : DURABLE_PROCESS;
    self->open.detached = 1;
    self->open.entrypoint = slice_text(self->entrypoint);
    self->open.name = slice_text(cli->options.name);
    self->open.metadata = slice_text(self->metadata);
    self->open.runtime_env = slice_text(self->runtime_env.shown);
    self->open.after = wire_list(&self->after, cli->options.after.count);
    exit_code = write_digest(self, cli);
    exit_code = exit_code ? exit_code : build_spec(self, cli, 0);
    self->open.digest = slice_text(self->digest);
    return exit_code;
}
