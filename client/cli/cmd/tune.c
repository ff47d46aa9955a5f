/*  tune.c - `rayc tune --space search.yaml`: runs a study, or goes on with one. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/cli/connect.h"
#include "client/cli/find.h"
#include "common/near.h"
#include "client/cli/table.h"
#include "client/cli/tune_open.h"
#include "client/cli/tune_result.h"
#include "client/cli/tune_view.h"
#include "client/cluster.h"
#include "client/detach.h"
#include "client/study_link.h"
#include "client/trial.h"
#include "client/tune/driver.h"
#include "common/clock.h"
#include "common/hash.h"

enum {
    NAMES_TRIED_MAX = 10000,
    WAIT_MS = 40000, /* for a driver that was killed to be given up: longer than a lease */
    PAUSE_MS = 250,
    LEAVE_S = 10 /* from Ctrl-C, at most */
};

struct tune {
    struct cli *cli;
    struct tune_source source;
    struct study_spec *spec;
    char name[NAME_MAX_BYTES + 1];
    char storage[PATH_BYTES];
    char program[PATH_BYTES];
    const char *function;
    const char *env[64];
    uint64_t seed;
    struct tune_view view; /* knows us by its place */
    char *given;           /* the text of the file that names the study to be resumed */
    const char *taken;     /* the name that was wanted, if it was taken */
};

static volatile sig_atomic_t interrupted;

/*  Whoever asks twice does not want to wait for the head; nor does one whose head is gone. */
static void on_signal(int signal)
{
    if (interrupted) {
        _exit(EXIT_STOPPED);
    }
    interrupted = signal;
    alarm(LEAVE_S);
}

static void on_alarm(int signal)
{
    static const char text[] =
        "rayc: the head does not answer; what it knows of the study is kept\n";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_STOPPED);
}

static int fail_rayc(const struct cli *cli)
{
    const rayc_failure *why = rayc_error();
    return fail(cli, why->code, "%s", why->text);
}

/* --- before the cluster -------------------------------------------------------------------------------------- */

/*  `rayc tune lsit`: the word is no operand of ours. */
static int check_operands(const struct cli *self)
{
    static const char *const verbs[] = { "check", "list", "status", "trials",
                                         "best",  "stop", "resume", "export" };
    if (self->count == 0 || self->dashes) {
        return 0;
    }
    struct near near;
    near_begin(&near, self->operands[0]);
    for (size_t i = 0; i < COUNT(verbs); i++) {
        near_offer(&near, verbs[i]);
    }
    const char *found = near_found(&near);
    return found ? fail_usage(self, "unknown command 'tune %s'; did you mean 'rayc tune %s'?",
                              self->operands[0], found)
                 : fail_usage(self, "'%s' is too much: a trial's command comes after --",
                              self->operands[0]);
}

/*  search.yaml without a name: search_2026-11-21_04-30-05. */
static void make_name(struct tune *self)
{
    if (self->spec->name) {
        snprintf(self->name, sizeof(self->name), "%s", self->spec->name);
        return;
    }
    const char *path = self->source.source.path, *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char stamp[32];
    time_t now = time(NULL);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d_%H-%M-%S", localtime(&now));
    snprintf(self->name, sizeof(self->name), "%.*s_%s", (int)strcspn(base, "."), base, stamp);
}

/*  Has a head or worker this state folder?  Else it is only a client's. */
static bool is_of_cluster(const struct cli *cli)
{
    static const char *const names[] = { "rayc.db", "worker" };
    char path[PATH_BYTES];
    for (size_t i = 0; i < COUNT(names); i++) {
        if (file_path(path, sizeof(path), cli->state_dir, names[i]) != OK ||
            access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

/*  Trials that a worker of root's runs as other users make their folders in the state folder's, as in /tmp: if the
    worker has opened the state folder for them.  That of a client no worker knows: it is opened here, to be searched,
    not to be listed. */
static int share_storage(const struct tune *self, const char *path)
{
    const char *dir = self->cli->state_dir;
    struct stat state;
    if (geteuid() != 0 || stat(dir, &state) != 0 || state.st_uid != 0) {
        return OK;
    }
    bool opened = state.st_mode & S_IXOTH;
    if (!opened && !is_of_cluster(self->cli)) {
        opened = chmod(dir, (state.st_mode & 07777) | 0111) == 0;
    }
    return opened && chmod(path, 01777) != 0 ? ERR_SYSTEM : OK;
}

static int make_storage(struct tune *self)
{
    const char *given = self->source.storage ? self->source.storage : self->spec->storage;
    char path[PATH_BYTES];
    int rc = OK;
    if (given) {
        rc = given[0] == '/' || self->source.storage
                 ? (snprintf(path, sizeof(path), "%s", given) < (int)sizeof(path) ? OK
                                                                                  : ERR_TOO_LARGE)
                 : file_path(path, sizeof(path), self->spec->dir, given);
    } else {
        rc = file_path(path, sizeof(path), self->cli->state_dir, "tune");
    }
    rc = rc == OK ? file_make_dir(path, 0700) : rc;
    rc = rc == OK && !given ? share_storage(self, path) : rc;
    if (rc != OK || !realpath(path, self->storage)) {
        return fail(self->cli, rc ? rc : ERR_SYSTEM,
                    "the folder %s of the trials cannot be made: %s", path, strerror(errno));
    }
    return check_text(self->cli, self->storage);
}

static int find_trial_program(struct tune *self)
{
    if (self->spec->command_count > 0) {
        self->function = TRIAL_FUNCTION;
        return detach_find(TRIAL_PROGRAM, self->program) == OK
                   ? 0
                   : fail(self->cli, ERR_NOT_FOUND, "%s is not installed beside rayc",
                          TRIAL_PROGRAM);
    }
    self->function = self->spec->task;
    return find_program(self->cli, self->spec->program, self->program);
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    json_decref(string);
    return string != NULL;
}

/*  What a command finds in its environment, if the cluster is on this machine. */
static void take_env(struct tune *self)
{
    static const char *const names[] = {
        "PATH=", "HOME=", "USER=", "LANG=", "LC_", "TERM=", "TZ="
    };
    const char *address = cluster_wanted(self->cli->options.address);
    bool forwarded = address && strncmp(address, "http", 4) == 0; /* from wherever */
    bool local = !address || strncmp(address, "ipc:", 4) == 0 ||
                 (!forwarded && (strstr(address, "127.0.0.1") || strstr(address, "localhost")));
    size_t n = 0;
    for (char **entry = environ; local && *entry && n + 1 < COUNT(self->env); entry++) {
        for (size_t i = 0; i < COUNT(names); i++) {
            if (strncmp(*entry, names[i], strlen(names[i])) == 0 && is_utf8(*entry)) {
                self->env[n++] = *entry;
                break;
            }
        }
    }
    self->env[n] = NULL;
}

static int prepare(struct tune *self)
{
    int exit_code = make_storage(self);
    exit_code = exit_code ? exit_code : find_trial_program(self);
    take_env(self);
    return exit_code;
}

/* --- with the cluster ---------------------------------------------------------------------------------------- */

static int join(struct tune *self)
{
    struct sigaction action = { .sa_handler = on_signal }, late = { .sa_handler = on_alarm };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &late, NULL);
    cli_export(self->cli);
    if (rayc_init(self->cli->options.address) != RAYC_OK) {
        return fail_rayc(self->cli);
    }
    return 0;
}

/*  The study to go on with: its name is given, or is that of the file. */
/*  A unique prefix, @last or a number as the whole name; what is none of these stays. */
static void resolve_name(struct tune *self)
{
    struct msg_query query = { .view = slice_text("study"),
                               .id = slice_text(self->name),
                               .limit = 2 };
    struct reply reply;
    if (session_ask(rayc_session_(), MSG_QUERY, &query, RAYC_FOREVER, &reply) != RAYC_OK) {
        return;
    }
    struct slice text = reply.msg.as.answer.json;
    json_t *answer = json_loadb((const char *)text.p, text.n, 0, NULL);
    const json_t *study = json_array_get(json_object_get(answer, "items"), 0);
    const char *name = json_string_value(json_object_get(study, "name"));
    if (name) {
        snprintf(self->name, sizeof(self->name), "%s", name);
    }
    json_decref(answer);
    reply_free(&reply);
}

static int load_stored(struct tune *self)
{
    struct reply reply;
    resolve_name(self);
    int rc = study_link_look(rayc_session_(), self->name, &reply);
    if (rc == RAYC_ENOTFOUND) {
        return fail(self->cli, ERR_NOT_FOUND, "there is no study %s: see 'rayc tune list'",
                    self->name);
    }
    if (rc != RAYC_OK) {
        return fail_rayc(self->cli);
    }
    struct msg_study_rows *rows = &reply.msg.as.study_rows;
    self->seed = rows->seed;
    if (self->given && !slice_same(slice_text(self->given), rows->definition)) {
        note(self->cli,
             "%s has changed since study %s was made: what is stored with the study is used",
             self->cli->options.space, self->name);
    }
    int exit_code = tune_source_resume(&self->source, self->cli, rows->definition, rows->settings);
    exit_code = exit_code ? exit_code : tune_spec_read(&self->source, self->cli, &self->spec);
    reply_free(&reply);
    return exit_code;
}

static void on_opened(void *context)
{
    const struct tune *self =
        (const struct tune *)(const void *)((const char *)context - offsetof(struct tune, view));
    if (self->taken) {
        note(
            self->cli,
            "there is a study %s already: this one is %s ('rayc tune resume %s' goes on with that)",
            self->taken, self->name, self->taken);
    }
}

static int drive_named(struct tune *self, struct driver **driver)
{
    char *settings = settings_text(&self->source.source, self->storage);
    struct driver_config config = { .spec = self->spec,
                                    .name = self->name,
                                    .resume = self->cli->options.resume,
                                    .seed = self->seed,
                                    .settings = settings,
                                    .storage = self->storage,
                                    .program = self->program,
                                    .function = self->function,
                                    .env = self->env,
                                    .interrupted = &interrupted,
                                    .opened = on_opened,
                                    .changed = tune_view_changed,
                                    .warn = tune_view_warn,
                                    .context = &self->view };
    tune_view_init(&self->view, self->cli, self->spec, self->name);
    int rc = driver_run(driver, &config);
    free(settings);
    return rc;
}

/*  A study that was killed a moment ago is still driven, as far as the head knows. */
static int drive_patiently(struct tune *self, struct driver **driver)
{
    int rc = drive_named(self, driver);
    uint64_t until_ms = clock_ms() + WAIT_MS;
    for (bool said = false; rc == RAYC_EBUSY && clock_ms() < until_ms && !interrupted;
         said = true) {
        if (!said) {
            note(self->cli, "%s: waiting for it to be given up", rayc_error()->text);
        }
        usleep(PAUSE_MS * 1000);
        rc = drive_named(self, driver);
    }
    return rc;
}

/*  A name that was typed must be free.  One from the file, or of our making, gets a number if it is taken: the same
    file is run again and again. */
static int drive(struct tune *self, struct driver **driver)
{
    char wanted[NAME_MAX_BYTES - 8];
    snprintf(wanted, sizeof(wanted), "%.*s", (int)sizeof(wanted) - 1, self->name);
    bool typed = self->cli->options.name || self->cli->options.resume;
    int rc = drive_patiently(self, driver);
    for (int i = 2; !typed && rc == RAYC_ECONFLICT && i < NAMES_TRIED_MAX; i++) {
        snprintf(self->name, sizeof(self->name), "%s-%d", wanted, i);
        self->taken = wanted;
        rc = drive_patiently(self, driver);
    }
    self->taken = NULL;
    return rc;
}

static int finish(struct tune *self, struct driver *driver, int rc)
{
    if (driver) {
        tune_view_end(&self->view, driver_study(driver));
    }
    if (rc == RAYC_ECANCELLED && interrupted) {
        note(self->cli, "study %s is interrupted; go on with: rayc tune resume %s", self->name,
             self->name);
        return EXIT_STOPPED;
    }
    if (rc == RAYC_EBUSY && interrupted) {
        note(self->cli, "study %s was not taken over: interrupted", self->name);
        return EXIT_STOPPED;
    }
    if (rc != RAYC_OK) {
        return fail_rayc(self->cli);
    }
    const char *why = "";
    enum study_state state = driver_state(driver, &why);
    int exit_code = tune_result_print(self->cli, self->name, self->storage);
    if (exit_code == 0 && state == STUDY_FAILED) {
        return fail_exit(self->cli, ERR_TASK, 1, "study %s: %s", self->name, why);
    }
    return exit_code == 0 && state == STUDY_STOPPED ? EXIT_STOPPED : exit_code;
}

static int run(struct tune *self)
{
    struct driver *driver = NULL;
    int rc = drive(self, &driver);
    int exit_code = finish(self, driver, rc);
    driver_close(&driver);
    return exit_code;
}

static int tune_new(struct tune *self)
{
    int exit_code = tune_spec_read(&self->source, self->cli, &self->spec);
    exit_code = exit_code ? exit_code : prepare(self);
    if (exit_code) {
        return exit_code;
    }
    make_name(self);
    random_bytes(&self->seed, sizeof(self->seed));
    self->seed = self->spec->has_seed ? self->spec->seed : self->seed & 0xFFFFFFFFu;
    exit_code = join(self);
    return exit_code ? exit_code : run(self);
}

static int tune_resume(struct tune *self)
{
    int exit_code = join(self);
    exit_code = exit_code ? exit_code : load_stored(self);
    exit_code = exit_code ? exit_code : prepare(self);
    return exit_code ? exit_code : run(self);
}

/*  --resume: by --name, by operand (`rayc tune resume NAME`), or the name in the file. */
static int name_to_resume(struct tune *self, const char *operand)
{
    const char *name = operand ? operand : self->cli->options.name;
    if (!name && self->cli->options.space) {
        int exit_code = tune_spec_read(&self->source, self->cli, &self->spec);
        if (exit_code) {
            return exit_code;
        }
        name = self->spec->name;
        self->given = strndup((const char *)self->spec->text.p, self->spec->text.n);
        snprintf(self->name, sizeof(self->name), "%s", name ? name : "");
        spec_close(&self->spec);
        name = self->name[0] ? self->name : NULL;
    }
    if (!name) {
        return fail_usage(
            self->cli,
            "which study? give --name, or a --space that has a name; see 'rayc tune list'");
    }
    if (name != self->name) {
        snprintf(self->name, sizeof(self->name), "%s", name);
    }
    return 0;
}

static int tune(struct cli *cli, const char *operand)
{
    struct tune *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->cli = cli;
    int exit_code = tune_source_read(&self->source, cli);
    if (exit_code == 0 && cli->options.resume) {
        exit_code = name_to_resume(self, operand);
        exit_code = exit_code ? exit_code : tune_resume(self);
    } else if (exit_code == 0) {
        exit_code = cli->options.space ? tune_new(self)
                                       : fail_usage(cli, "which search space? give --space FILE, "
                                                         "as in 'rayc tune --space search.yaml'");
    }
    rayc_shutdown();
    spec_close(&self->spec);
    tune_source_free(&self->source);
    free(self->given);
    free(self);
    return exit_code;
}

int cmd_tune(struct cli *self)
{
    int exit_code = check_operands(self);
    return exit_code ? exit_code : tune(self, NULL);
}

int cmd_tune_resume(struct cli *self)
{
    int exit_code = 0;
    const char *name = cli_operand(self, "study", &exit_code);
    self->options.resume = true;
    return exit_code ? exit_code : tune(self, name);
}
