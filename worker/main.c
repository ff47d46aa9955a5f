/*  main.c - rayc-worker: options, the worker's folder, and who may use it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/access.h"
#include "common/file.h"
#include "common/flags.h"
#include "common/link.h"
#include "common/log.h"
#include "common/process.h"
#include "worker/cgroup.h"
#include "worker/folder.h"
#include "worker/launch.h"
#include "worker/resources.h"
#include "worker/shell.h"

enum {
    EXIT_USAGE = 2,
    IDLE_MS = 1000,
    GRACE_MS = 3000,
    DRAIN_SECONDS = 30,
    OWN_UID_BASE = 200000,
    OWN_UID_LEAST = 1000
};

static const char before[] =
    "Usage: rayc-worker --head ADDRESS [OPTION...]\n"
    "Offers this machine's resources to a head, and runs what the head starts.\n\n";

enum flag_id {
#define FLAG(id, name, argument, help) id,
#include "worker/flags.def"
#undef FLAG
    FLAGS
};

static const struct flag flag_rows[FLAGS] = {
#define FLAG(id, name, argument, help) { name, argument, help },
#include "worker/flags.def"
#undef FLAG
};

/*  What the command line says, as text. */
static const char *given[FLAGS];

static _Noreturn void refuse(const char *option, const char *text)
{
    fprintf(stderr, "rayc-worker: %s: %s\n", option, text);
    exit(EXIT_USAGE);
}

static double number(enum flag_id id, double most, double otherwise)
{
    if (!given[id]) {
        return otherwise;
    }
    char *end;
    double value = strtod(given[id], &end);
    if (end == given[id] || *end || !(value >= 0 && value <= most)) {
        fprintf(stderr, "rayc-worker: --%s: %s is not a number from 0 to %.0f\n",
                flag_rows[id].name, given[id], most);
        exit(EXIT_USAGE);
    }
    return value;
}

static void read_options(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "__man") == 0) { /* for scripts/man */
        flags_page(stdout, flag_rows, FLAGS);
        exit(0);
    }
    for (int id; (id = flags_next(flag_rows, FLAGS, argc, argv)) != FLAGS_END;) {
        if (id == FLAGS_WRONG) {
            exit(EXIT_USAGE);
        }
        given[id] = flag_rows[id].argument[0] ? optarg : "";
    }
    if (given[HELP]) {
        fputs(before, stdout);
        flags_help(stdout, flag_rows, FLAGS);
        exit(0);
    }
    if (given[VERSION]) {
        puts("rayc-worker " RAYC_VERSION);
        exit(0);
    }
    given[HEAD] = given[HEAD] ? given[HEAD] : getenv("RAYC_ADDRESS");
    given[KEY] = given[KEY] ? given[KEY] : getenv("RAYC_KEY_FILE");
    given[KEY] = given[KEY] && given[KEY][0] ? given[KEY] : NULL;
    char address[PATH_BYTES];
    if (optind < argc || !given[HEAD]) {
        refuse(optind < argc ? argv[optind] : "--head", "see rayc-worker --help");
    }
    if (link_address(given[HEAD], address, sizeof(address)) || link_is_http(address)) {
        refuse("--head", "write tcp://HOST:PORT, HOST:PORT or ipc://PATH");
    }
}

static void open_log(void)
{
    if (given[LOG]) {
        int fd = open(given[LOG], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
            refuse("--log-file", strerror(errno));
        }
        close(fd);
    }
}

/*  "K=V,K=V": one per line. */
static void read_labels(struct worker_config *config)
{
    struct diag why = { 0 };
    const char *labels = given[LABELS] ? given[LABELS] : "";
    if (strlen(labels) >= sizeof(config->labels)) {
        refuse("--labels", "longer than 1024 bytes");
    }
    size_t n = 0;
    for (; labels[n]; n++) {
        config->labels[n] = labels[n];
        if (labels[n] == ',') {
            config->labels[n] = '\n';
        }
    }
    config->labels[n] = '\0';
    if (!labels_check(slice_text(config->labels), &why)) {
        refuse("--labels", why.text);
    }
}

static void read_config(struct worker_config *config)
{
    config->pid = (uint32_t)getpid();
    config->idle_ms = (uint32_t)number(IDLE, 1e9, IDLE_MS);
    config->grace_ms = GRACE_MS;
    snprintf(config->version, sizeof(config->version), "%s", RAYC_VERSION);
    if (given[NAME]) {
        snprintf(config->name, sizeof(config->name), "%s", given[NAME]);
    } else if (gethostname(config->name, sizeof(config->name) - 1)) {
        snprintf(config->name, sizeof(config->name), "worker");
    }
    read_labels(config);
    struct resources_wanted wanted = { .cpus = number(CPUS, 1e6, -1),
                                       .gpus = (int)number(GPUS, 64, -1),
                                       .memory_bytes = (uint64_t)number(MEMORY, 1e18, 0),
                                       .custom = given[RESOURCES] };
    struct diag why;
    if (resources_find(&wanted, config, &why)) {
        refuse(why.field, why.text);
    }
}

/*  A private cluster has no port, unless one is asked for. */
static void read_http(struct shell_config *config)
{
    bool lasting = !given[EMBEDDED] && strncmp(given[HEAD], "ipc://", 6) != 0;
    if (lasting || given[HTTP_PORT]) {
        config->http_host = given[HTTP_HOST] ? given[HTTP_HOST] : "127.0.0.1";
        config->http_port = (uint16_t)number(HTTP_PORT, UINT16_MAX, 0);
    }
}

static void read_store(struct shell_config *config)
{
    enum { PERCENT = 30 };
    double memory = 0;
    for (uint32_t i = 0; i < config->core.amount_count; i++) {
        if (strcmp(config->core.amounts[i].name, "memory") == 0) {
            memory = (double)config->core.amounts[i].units;
        }
    }
    config->store.dir = config->dir;
    config->store.bytes = (uint64_t)number(STORE_BYTES, 1e15, memory / 100 * PERCENT);
    config->carry_host = given[CARRY_HOST];
    config->carry_port = (uint16_t)number(CARRY_PORT, UINT16_MAX, 0);
    config->store.spill_bytes = (uint64_t)number(SPILL_BYTES, 1e15, 0);
}

/*  Each value in the store takes a descriptor.  What executors may have is said elsewhere. */
static void take_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void read_confine(struct confine *confine)
{
    *confine = confine_defaults();
    confine->files = (uint64_t)number(FILES, 1e9, (double)confine->files);
    confine->file_bytes = (uint64_t)number(FILE_SIZE, 1e18, (double)confine->file_bytes);
    confine->processes = (uint64_t)number(PROCESSES, 1e9, (double)confine->processes);
    confine->niceness = (uint32_t)number(NICENESS, 19, given[EMBEDDED] ? 0 : confine->niceness);
    bool own = geteuid() == 0 && !given[EMBEDDED];
    confine->uid_base = (uint32_t)number(UID_BASE, 2e9, own ? OWN_UID_BASE : 0);
    confine->uid_wanted = given[UID_BASE] != NULL;
    if (confine->uid_base != 0 && (geteuid() != 0 || confine->uid_base < OWN_UID_LEAST)) {
        refuse("--uid-base", geteuid() != 0 ? "only root can use it" : "write 0, or 1000 or more");
    }
    confine->memory = given[LIMIT_MEMORY] != NULL;
    confine->as_user = given[EMBEDDED] != NULL;
}

/*  NULL where there are none, which is told once, and an error only if it was asked for. */
static const struct cgroups *open_cgroups(void)
{
    static struct cgroups cgroups;
    const struct cgroup_world world = { "/proc/self/mountinfo", "/proc/self/cgroup" };
    const char *where = given[CGROUP] ? given[CGROUP] : "auto";
    bool found = strcmp(where, "auto") == 0;
    struct diag why;
    if (strcmp(where, "off") == 0) {
        return NULL;
    }
    if (!found && where[0] != '/') {
        refuse("--cgroup", "write auto, off, or a group as in /proc/PID/cgroup: /...");
    }
    if (cgroups_open(&cgroups, &world, found ? NULL : where, &why)) {
        if (!found) {
            refuse("--cgroup", why.text);
        }
        log_info("executors.no_cgroup", "why=\"%s\"", why.text);
        return NULL;
    }
    log_info("executors.cgroup", "version=%d pids=%d path=\"%s\"", (int)cgroups.kind,
             cgroups.count > 1 || (cgroups.folders[0].controllers & CGROUP_PIDS) != 0,
             cgroups.folders[0].path);
    return &cgroups;
}

/*  Where executors cannot have a uid of their own, that is told once, and an error only if it was asked for. */
static int share(const char *dir, struct confine *confine)
{
    char closed[PATH_BYTES];
    const char *text = "this machine lets the worker take no such uid";
    if (confine->uid_base == 0) {
        return OK;
    }
    int e = launch_can_be(confine->uid_base + 1) ? OK : ERR_FORBIDDEN;
    snprintf(closed, sizeof(closed), "uid %u", confine->uid_base + 1);
    if (e == OK) {
        e = folder_share(dir, closed);
        text = "is closed for the uids of executors: chmod o+x";
    }
    if (e && confine->uid_wanted) {
        fprintf(stderr, "rayc-worker: --uid-base: %s: %s\n", closed, text);
        return e;
    }
    if (e) {
        log_warn("executors.as_worker", "what=\"%s\" text=\"%s\"", closed, text);
        confine->uid_base = 0;
    }
    return OK;
}

/*  It is beside this program. */
static const char *find_unpack(void)
{
    static const char name[] = "rayc-unpack";
    static char path[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(name));
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, name);
    return path;
}

static int run(struct shell_config *config, struct spawner **spawner)
{
    static struct member_key key;
    static char key_file[PATH_BYTES]; /* drivers have another working directory */
    struct diag why;
    if (given[KEY]) {
        static struct access from;
        int e = access_load(given[KEY], &from, &why);
        if (e) {
            fprintf(stderr, "rayc-worker: %s: %s\n", given[KEY],
                    e == ERR_KEY ? why.text : err_text(e));
            return err_exit(ERR_KEY);
        }
        key = from.key;
        config->key = from.has_key ? &key : NULL;
        config->key_file = realpath(given[KEY], key_file) ? key_file : given[KEY];
    }
    char pid[16];
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    int e = folder_key(config->dir, config->core.key);
    e = !e && given[PID] ? file_write(given[PID], pid, (size_t)n, 0644) : e;
    int code = e ? err_exit(e) : SHELL_AGAIN;
    while (code == SHELL_AGAIN) {
        e = *spawner ? OK : spawner_start(spawner, &config->confine);
        code = e ? err_exit(e) : shell_serve(config, spawner);
    }
    if (given[PID]) {
        (void)unlink(given[PID]);
    }
    return code;
}

int main(int argc, char **argv)
{
    static struct shell_config config;
    static char dir[PATH_BYTES];
    struct spawner *spawner = NULL;
    (void)signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go */
    read_options(argc, argv);
    open_log();
    read_config(&config.core);
    read_confine(&config.confine);
    read_http(&config);
    config.drain_ms = (uint32_t)(number(GRACE, 4e6, given[EMBEDDED] ? 0 : DRAIN_SECONDS) * 1000);
    process_hide();
    config.confine.cgroups = open_cgroups();
    int e = spawner_start(
        &spawner, &config.confine); /* before any descriptor or thread that it must not have */
    e = e ? e : folder_take(given[DIR_], dir);
    e = e ? e : share(dir, &config.confine);
    config.dir = dir;
    read_store(&config);
    take_descriptors();
    config.address = given[HEAD];
    config.unpack = find_unpack();
    int code = e ? err_exit(e) : run(&config, &spawner);
    spawner_stop(&spawner);
    if (config.confine.cgroups) {
        cgroups_close(config.confine.cgroups);
    }
    return code;
}
