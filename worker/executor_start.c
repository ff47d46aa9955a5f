/*  executor_start.c - from a spec and an attempt to a request to the spawner: body, environment, descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/access.h"
#include "common/file.h"
#include "common/ids.h"
#include "common/log.h"
#include "proto/wire.h"
#include "worker/executor_state.h"
#include "worker/packages.h"

#define ACCESS_NAME "access.key" /* in the scratch folder */

struct start {
    struct executors *all;
    struct executor *self;
    const struct act *act;
    struct command command;
    struct spawn_request request;
    int mine[3]; /* descriptors to be closed when the request has gone */
    uint32_t mine_count;
    char path[PATH_BYTES];
    char file[PATH_BYTES];
    char cwd[PATH_BYTES];
    const char *argv[2];
};

void executor_log_path(const struct executors *all, const struct executor *self, const char *suffix,
                       char *out, size_t capacity)
{
    int n = snprintf(out, capacity, "%s/logs/%016" PRIx64 ".%u.%s", all->config.dir, self->task,
                     self->attempt, suffix);
    ensure(n > 0 && (size_t)n < capacity); /* executors_open() has measured the folder's name */
}

static int32_t problem(struct start *start, int32_t error, const char *what, const char *why)
{
    snprintf(start->self->problem, sizeof(start->self->problem), "%.120s: %s", what,
             why ? why : strerror(error));
    return error ? error : EINVAL;
}

/* --- environment ------------------------------------------------------------------------------------------ */

/*  The index of a task of an array is its only argument; else the task's counter stands for it. */
static uint64_t task_index(const struct held *held)
{
    struct cursor args = cursor_of(held->args);
    uint32_t count;
    uint64_t index;
    bool is_index = held->args.n > 0 && wire_get_array(&args, &count) && count == 1 &&
                    wire_get_uint(&args, &index) && cursor_left(&args) == 0;
    return is_index ? index : task_counter((task_id){ held->task });
}

/*  Of a cluster with keys, a driver or command finds its ticket in an access file of its own, beside what it dials the
    head with.  It is nowhere else: an environment is shown in reports of crashes and by careless programs.  The tasks of
    a resident executor get theirs when they ask. */
static bool has_access(const struct start *start)
{
    uint32_t kind = start->act->spec->kind;
    bool alone = kind == SPEC_COMMAND || kind == SPEC_DRIVER;
    return start->all->config.key != NULL && (!alone || start->act->held.ticket.n > 0);
}

static void put_attempt(struct environment *env, const struct held *held, bool with_file)
{
    environment_print(env, "RAYC_TASK_ID=%016" PRIx64, held->task);
    environment_print(env, "RAYC_ATTEMPT=%u", held->attempt);
    if (held->ticket.n > 0 && !with_file) {
        environment_print(env, "RAYC_TOKEN=%.*s", (int)held->ticket.n,
                          (const char *)held->ticket.p);
    }
    environment_print(env, "RAYC_FENCE=%" PRIu64, held->token);
    environment_print(env, "RAYC_TASK_INDEX=%" PRIu64, task_index(held));
}

/*  Modules first, then the working folder, then what is there: as Ray. */
static void put_python_path(struct start *start, const char *inherited)
{
    const struct spec_view *spec = start->act->spec;
    struct environment *env = &start->all->env;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ensure(to != NULL);
    for (uint32_t kind = PACKAGE_PY_MODULE; kind >= PACKAGE_WORKING_DIR; kind--) {
        for (uint32_t i = 0; i < spec->package_count; i++) {
            char path[PATH_BYTES];
            package_path(start->all->config.dir, spec->packages[i].hash, spec->user, path,
                         sizeof(path));
            fprintf(to, "%s%s",
                    spec->packages[i].kind != kind ? ""
                    : ftell(to) > 0                ? ":"
                                                   : "",
                    spec->packages[i].kind != kind ? "" : path);
        }
    }
    const char *own = environment_get(env, "PYTHONPATH");
    fprintf(to, "%s%s", *own ? ":" : "", own);
    if (*inherited && strcmp(own, inherited) != 0) {
        fprintf(to, ":%s", inherited);
    }
    ensure(fclose(to) == 0);
    environment_copy(env, "PYTHONPATH", text);
    free(text);
}

/*  The runtime environment of its job: variables, and where its packages are. */
static void put_runtime_env(struct start *start)
{
    struct environment *env = &start->all->env;
    char *inherited = strdup(environment_get(env, "PYTHONPATH"));
    ensure(inherited != NULL);
    for (const char **entry = start->command.vars; *entry; entry++) {
        environment_expand(env, *entry);
    }
    if (start->act->spec->package_count > 0) {
        put_python_path(start, inherited);
    }
    free(inherited);
}

/*  To a driver or an executor, for the tasks that it will submit: client/inherit.h. */
static void put_inheritance(struct start *start)
{
    const struct spec_view *view = start->act->spec;
    const char **vars = start->command.vars;
    enum { FIXMAP_OF_ONE = 0x81, EXTRA = 1024, PACKAGE_BYTES = 128 };
    size_t bytes = EXTRA + (size_t)view->package_count * PACKAGE_BYTES, var_bytes = EXTRA;
    uint32_t count = 0;
    for (; vars[count]; count++) {
        var_bytes += strlen(vars[count]) + 8;
    }
    if (count + view->package_count == 0) {
        return;
    }
    bytes += var_bytes;
    uint8_t *memory = malloc(2 * bytes + var_bytes + 1 + 2 * bytes);
    ensure(memory != NULL);
    struct wire body = { memory, 0, var_bytes, false };
    struct wire packages = { memory + var_bytes, 0, bytes, false };
    struct wire spec = { packages.p + bytes, 0, bytes, false };
    wire_put_encoded(&body, slice_of(&(uint8_t){ FIXMAP_OF_ONE }, 1));
    wire_put_str(&body, slice_text("vars"));
    wire_put_array(&body, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_str(&body, slice_text(vars[i]));
    }
    for (uint32_t i = 0; i < view->package_count; i++) {
        proto_put_record(&packages, REC_PACKAGE,
                         &(struct rec_package){ .hash = slice_text(view->packages[i].hash),
                                                .kind = view->packages[i].kind });
    }
    struct rec_spec record = { .kind = SPEC_FUNCTION,
                               .body = slice_of(body.p, count > 0 ? body.n : 0),
                               .packages = wire_list(&packages, view->package_count) };
    proto_put_record(&spec, REC_SPEC, &record);
    ensure(!body.full && !packages.full && !spec.full);
    char *text = (char *)spec.p + bytes;
    for (size_t i = 0; i < spec.n; i++) {
        snprintf(text + 2 * i, 3, "%02x", spec.p[i]);
    }
    environment_copy(&start->all->env, "RAYC_RUNTIME_ENV", text);
    free(memory);
}

static void put_metrics(struct start *start)
{
    struct samples *samples = start->all->config.samples;
    char key[SAMPLES_KEY_BYTES];
    start->self->samples = samples_begin(samples, start->act->spec->submission, key);
    environment_print(&start->all->env, "RAYC_METRICS=%s", samples_address(samples));
    environment_print(&start->all->env, "RAYC_METRICS_KEY=%s", key);
}

static void put_store(struct start *start)
{
    struct store_socket *store = start->all->config.store;
    char key[STORE_KEY_BYTES];
    store_socket_key(store, start->act->spec->user, key);
    environment_print(&start->all->env, "RAYC_STORE=%s", store_socket_path(store));
    environment_print(&start->all->env, "RAYC_STORE_KEY=%s", key);
}

static void make_environment(struct start *start, uint64_t node)
{
    const struct executors_config *config = &start->all->config;
    const struct spec_view *spec = start->act->spec;
    struct environment *env = &start->all->env;
    environment_clear(env, &start->all->base);
    environment_print(env, "RAYC_SCRATCH=%s/scratch/%u", config->dir, start->act->executor);
    environment_print(env, "TMPDIR=%s/scratch/%u", config->dir, start->act->executor);
    for (const char **entry = start->command.env; *entry; entry++) {
        environment_put(env, *entry);
    }
    struct stat home;
    if (start->request.uid &&
        (stat(environment_get(env, "HOME"), &home) || !(home.st_mode & S_IXOTH))) {
        environment_print(env, "HOME=%s/scratch/%u", config->dir, start->act->executor);
    }
    put_runtime_env(start);
    if (spec->kind == SPEC_DRIVER) {
        environment_put(env, "RAYC_DRIVER=1");
    }
    if (spec->kind != SPEC_COMMAND) {
        put_inheritance(start);
    }
    environment_print(env, "RAYC_ADDRESS=%s", config->address);
    environment_print(env, "RAYC_JOB_ID=%" PRIu64, spec->job);
    environment_print(env, "RAYC_SUBMISSION_ID=%s", spec->submission);
    environment_print(env, "RAYC_NODE_ID=%" PRIu64, node);
    environment_print(env, "RAYC_SPAWN=%" PRIu64, start->request.mark);
    if (!environment_has(env, "OMP_NUM_THREADS")) {
        uint32_t cpus = spec->cpus_units / (uint32_t)UNITS_PER_ONE;
        environment_print(env, "OMP_NUM_THREADS=%u", cpus > 0 ? cpus : 1);
    }
    if (start->act->gpus[0]) {
        environment_print(env, "CUDA_VISIBLE_DEVICES=%s", start->act->gpus);
    }
    put_metrics(start);
    put_store(start);
    if (spec->kind == SPEC_FUNCTION) {
        environment_put(env, "RAYC_EXECUTOR=1");
    } else {
        put_attempt(env, &start->act->held, has_access(start));
    }
    if (has_access(start)) {
        environment_print(env, "RAYC_KEY_FILE=%s/scratch/%u/" ACCESS_NAME, config->dir,
                          start->act->executor);
    }
    start->request.env = env->entries;
}

/* --- folder and descriptors ------------------------------------------------------------------------------------------ */

static uid_t owner_of(const struct start *start)
{
    return start->request.uid ? start->request.uid : geteuid();
}

static int32_t make_scratch(struct start *start)
{
    return scratch_take(start->all->scratch, start->act->executor, owner_of(start))
               ? problem(start, errno, "its scratch folder", NULL)
               : 0;
}

static int32_t make_access(struct start *start)
{
    struct slice ticket = start->act->held.ticket;
    if (!has_access(start)) {
        return 0;
    }
    struct access access = { .key = *start->all->config.key, .has_key = true };
    slice_copy_text(ticket, access.token, sizeof(access.token));
    snprintf(start->file, sizeof(start->file), "%s/scratch/%u/" ACCESS_NAME, start->all->config.dir,
             start->act->executor);
    int rc = access_give(start->file, &access, owner_of(start));
    int32_t error = rc == OK ? 0 : problem(start, errno, "its access file", NULL);
    explicit_bzero(&access, sizeof(access));
    return error;
}

/*  Of its environment and of its access file, none of which is to be in its output. */
static void find_secrets(struct start *start)
{
    const struct executors_config *config = &start->all->config;
    struct slice file[2];
    uint32_t count = 0;
    if (has_access(start)) {
        file[count] = start->act->held.ticket;
        count += file[count].n > 0;
        file[count++] = slice_text(config->key->own.secret_text);
    }
    secrets_open(&start->self->secrets, start->all->env.entries, file, count);
}

static int32_t open_output(struct start *start, struct output *output, const char *suffix)
{
    snprintf(start->file, sizeof(start->file), "%s/scratch/%u.%s", start->all->config.dir,
             start->act->executor, suffix);
    uid_t owner = owner_of(start);
    bool shared = start->all->config.confine->uid_base != 0; /* the file may be another user's */
    return output_open(output, start->file) || (shared && fchown(output->fd, owner, (gid_t)owner))
               ? problem(start, errno, start->file, NULL)
               : 0;
}

static int32_t open_input(struct start *start)
{
    if (!start->command.has_input) {
        return 0;
    }
    int fd = memfd_create("rayc-stdin", MFD_CLOEXEC);
    if (fd < 0) {
        return problem(start, errno, "stdin", NULL);
    }
    start->mine[start->mine_count++] = fd;
    start->request.fds[0] = fd;
    struct slice input = start->command.input;
    for (size_t at = 0; at < input.n;) {
        ssize_t n = pwrite(fd, input.p + at, input.n - at, (off_t)at);
        if (n < 0) {
            return problem(start, errno, "stdin", NULL);
        }
        at += (size_t)n;
    }
    return 0;
}

static int32_t open_resident(struct start *start)
{
    int child[2];
    if (resident_open(&start->self->resident, child)) {
        return problem(start, errno, "channel", NULL);
    }
    start->mine[start->mine_count++] = start->request.fds[CHANNEL_FD] = child[0];
    start->mine[start->mine_count++] = start->request.fds[CHANNEL_PAGE_FD] = child[1];
    start->request.fds[1] = start->request.fds[2] = start->self->out.fd;
    return 0;
}

/*  A driver prints to a file of its own, which `tails` sends to the head and removes. */
static int32_t open_driver(struct start *start)
{
    struct executor *self = start->self;
    executor_log_path(start->all, self, "log", start->file, sizeof(start->file));
    int fd = open(start->file, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return problem(start, errno, start->file, NULL);
    }
    struct tail_new tail = { .who = { .job = self->job, .task = self->task, .token = self->token },
                             .fds = { fd, -1 },
                             .to = UINT64_MAX,
                             .path = start->file,
                             .secrets = &self->secrets };
    if (tails_add(start->all->config.tails, &tail)) {
        close(fd);
        return problem(start, EMFILE, "output of the driver", NULL);
    }
    self->out.fd = fd;
    start->request.fds[1] = start->request.fds[2] = fd;
    return 0;
}

static int32_t open_files(struct start *start)
{
    if (start->act->spec->kind == SPEC_DRIVER) {
        output_close(&start->self->out, true);
        int32_t error = open_driver(start);
        return error ? error : open_input(start);
    }
    int32_t error = open_output(start, &start->self->out, "out");
    if (!error && start->act->spec->kind == SPEC_FUNCTION) {
        return open_resident(start);
    }
    error = error ? error : open_output(start, &start->self->err, "err");
    start->request.fds[1] = start->self->out.fd;
    start->request.fds[2] = start->self->err.fd;
    return error ? error : open_input(start);
}

/* --- the request ------------------------------------------------------------------------------------------ */

/*  The working folder of its job, or a folder in it; one of this machine if it was given so. */
static int32_t choose_cwd(struct start *start)
{
    const struct spec_view *spec = start->act->spec;
    const char *wish = start->command.cwd;
    start->request.cwd = wish;
    for (uint32_t i = 0; i < spec->package_count && (!wish || *wish != '/'); i++) {
        if (spec->packages[i].kind == PACKAGE_WORKING_DIR) {
            package_path(start->all->config.dir, spec->packages[i].hash, spec->user, start->cwd,
                         sizeof(start->cwd));
            size_t n = strlen(start->cwd);
            snprintf(start->cwd + n, sizeof(start->cwd) - n, "%s%s", wish ? "/" : "",
                     wish ? wish : "");
            start->request.cwd = start->cwd;
            break;
        }
    }
    return start->request.cwd && access(start->request.cwd, X_OK)
               ? problem(start, errno, start->request.cwd, NULL)
               : 0;
}

static int32_t choose_program(struct start *start)
{
    const struct spec_view *spec = start->act->spec;
    start->request.argv = start->command.argv;
    if (!start->command.argv[0]) {
        start->argv[0] = spec->name;
        start->request.argv = start->argv;
    }
    if (spec->program[0]) {
        snprintf(start->path, sizeof(start->path), "%s/programs/%s", start->all->config.dir,
                 spec->program);
        start->request.path = start->path;
    } else if (start->command.argv[0]) {
        start->request.path = start->command.argv[0];
    } else {
        return problem(start, 0, spec->name, "has neither a program nor argv");
    }
    /* Should it fail: */
    bool either = start->request.uid && start->request.cwd; /* may be closed for that user */
    snprintf(start->self->problem, sizeof(start->self->problem), "%.100s%s%.100s",
             start->request.path, either ? " in " : "", either ? start->request.cwd : "");
    return 0;
}

int32_t executor_start(struct executors *all, struct executor *self, const struct act *act,
                       uint64_t node)
{
    struct start start = { .all = all, .self = self, .act = act };
    start.request = (struct spawn_request){ .id = act->executor, .mark = all->mark++ };
    for (int i = 0; i < SPAWN_FDS_MAX; i++) {
        start.request.fds[i] = -1;
    }
    struct diag why;
    int e = command_read(&start.command, act->spec->body, &why);
    if (e) {
        return problem(&start, e == ERR_MEMORY ? ENOMEM : EINVAL, act->spec->name,
                       e == ERR_MEMORY ? NULL : why.text);
    }
    start.request.uid = confine_uid(all->config.confine, act->spec->user);
    if (start.request.uid == UINT32_MAX) {
        return problem(&start, ERANGE, "the number of the job's owner", NULL);
    }
    self->uid = start.request.uid;
    make_environment(&start, node);
    find_secrets(&start);
    int32_t error = make_scratch(&start);
    error = error ? error : make_access(&start);
    error = error ? error : open_files(&start);
    error = error ? error : choose_cwd(&start);
    error = error ? error : choose_program(&start);
    if (!error) {
        start.request.group_bytes = act->spec->memory_bytes;
        start.request.memory_bytes = all->config.confine->memory ? act->spec->memory_bytes : 0;
        e = spawner_spawn(all->config.spawner, &start.request);
        error =
            e ? problem(&start, e == ERR_TOO_LARGE ? E2BIG : EIO, start.request.path, err_text(e))
              : 0;
    }
    for (uint32_t i = 0; i < start.mine_count; i++) {
        close(start.mine[i]);
    }
    command_fini(&start.command);
    return error;
}
