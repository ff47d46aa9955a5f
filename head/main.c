/*  main.c - rayc-head: flags, and the wiring of shell.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/flags.h"
#include "common/log.h"
#include "common/process.h"
#include "head/keys.h"
#include "head/shell.h"

static const char before[] =
    "Usage: rayc-head [OPTIONS]\n"
    "The head of a rayc cluster: one per state folder.  `rayc start --head` runs it for you.\n\n";

static const char after[] =
    "\nExample: rayc-head --state-dir /var/lib/rayc --host 10.0.0.5 --key-file "
    "/etc/rayc/cluster.key\n"
    "Exit codes: 0 ended in order, 2 usage, 8 newer database, 70 bug, 74 database, 75 folder in "
    "use,\n"
    "78 a key or access file that is missing or cannot be used.\n";

enum flag_id {
#define FLAG(id, name, argument, help) OPT_##id,
#include "head/flags.def"
#undef FLAG
    OPTS
};

static const struct flag flag_rows[OPTS] = {
#define FLAG(id, name, argument, help) { name, argument, help },
#include "head/flags.def"
#undef FLAG
};

static void bad(const char *option, const char *value)
{
    fprintf(stderr, "rayc-head: --%s: %s is not a valid value; see rayc-head --help\n", option,
            value);
    exit(2);
}

static uint32_t number(const char *option, const char *value, uint32_t largest)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || n > largest) {
        bad(option, value);
    }
    return (uint32_t)n;
}

static int http_port(const char *option, const char *value)
{
    return strcmp(value, "none") == 0   ? HTTP_PORT_NONE
           : strcmp(value, "auto") == 0 ? HTTP_PORT_AUTO
                                        : (int)number(option, value, 65535);
}

/*  Names with commas between, which are cut apart where they are. */
static void add_names(struct shell_options *to, const char *option, char *list)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char *next = NULL;
    for (char *name = list; name != NULL; name = next) {
        size_t n = strcspn(name, ",");
        next = name[n] ? name + n + 1 : NULL;
        name[n] = 0;
        if (n == 0 || n > 253 || name[strspn(name, letters)] ||
            to->http_name_count == HTTP_NAMES_MAX) {
            bad(option, name);
        }
        to->http_names[to->http_name_count++] = name;
    }
}

struct flags {
    struct shell_options shell;
    const char *host;
    uint32_t port;
    const char *keys_dir; /* not NULL: only make keys there */
    int infeasible;       /* -1: as the kind of cluster has it */
};

static _Noreturn void help(void)
{
    fputs(before, stdout);
    flags_help(stdout, flag_rows, OPTS);
    fputs(after, stdout);
    exit(0);
}

/*  Options that are a number of struct config. */
static void apply_number(struct config *config, enum flag_id id)
{
    static const struct {
        enum flag_id id;
        size_t at;
        uint32_t largest;
    } numbers[] = { { OPT_BEAT, offsetof(struct config, beat_ms), 60000 },
                    { OPT_SUSPECT, offsetof(struct config, suspect_ms), 3600000 },
                    { OPT_LEASE, offsetof(struct config, lease_ms), 86400000 },
                    { OPT_GONE, offsetof(struct config, gone_ms), 86400000 },
                    { OPT_ORPHAN, offsetof(struct config, orphan_ms), 86400000 },
                    { OPT_DAYS, offsetof(struct config, job_days_max), 36500 },
                    { OPT_PACKAGES, offsetof(struct config, package_keep_s), 86400 * 36500u } };
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (numbers[i].id == id) {
            *(uint32_t *)((uint8_t *)config + numbers[i].at) =
                number(flag_rows[id].name, optarg, numbers[i].largest);
        }
    }
}

static void apply(struct flags *flags, enum flag_id id)
{
    struct config *config = &flags->shell.config;
    const char *name = flag_rows[id].name;
    switch (id) {
    case OPT_STATE_DIR:
        flags->shell.state_dir = optarg;
        return;
    case OPT_HOST:
        flags->host = optarg;
        return;
    case OPT_PORT:
        flags->port = number(name, optarg, 65535);
        return;
    case OPT_ADDRESS:
        flags->shell.address = optarg;
        return;
    case OPT_PREFIX:
        if (!metric_prefix_find(optarg, &flags->shell.metrics_prefix)) {
            bad(name, optarg);
        }
        return;
    case OPT_HTTP_PORT:
        flags->shell.http_port = http_port(name, optarg);
        return;
    case OPT_HTTP_NAME:
        add_names(&flags->shell, name, optarg);
        return;
    case OPT_KEY_FILE:
        flags->shell.key_file = optarg;
        return;
    case OPT_ACCESS_DIR:
        flags->shell.access_dir = optarg;
        return;
    case OPT_MAKE_KEYS:
        flags->keys_dir = optarg;
        return;
    case OPT_PID_FILE:
        flags->shell.pid_file = optarg;
        return;
    case OPT_EMBEDDED:
        config->embedded = 1;
        return;
    case OPT_INFEASIBLE:
        flags->infeasible = strcmp(optarg, "fail") == 0;
        if (!flags->infeasible && strcmp(optarg, "wait") != 0) {
            bad(name, optarg);
        }
        return;
    case OPT_BEAT:
    case OPT_SUSPECT:
    case OPT_LEASE:
    case OPT_GONE:
    case OPT_ORPHAN:
    case OPT_DAYS:
    case OPT_PACKAGES:
        apply_number(config, id);
        return;
    case OPT_HELP:
        help();
    case OPT_VERSION:
        puts("rayc-head " RAYC_VERSION);
        exit(0);
    case OPTS:
        return;
    }
}

int main(int argc, char **argv)
{
    struct flags flags = { .shell.config = core_config(),
                           .host = "127.0.0.1",
                           .port = 6399,
                           .infeasible = -1,
                           .shell.http_port = HTTP_PORT_NONE };
    char address[300];
    process_hide(); /* it knows keys, and executors of its user's may run beside it */
    if (argc == 2 && strcmp(argv[1], "__man") == 0) { /* for scripts/man */
        flags_page(stdout, flag_rows, OPTS);
        return 0;
    }
    for (int id; (id = flags_next(flag_rows, OPTS, argc, argv)) != FLAGS_END;) {
        if (id == FLAGS_WRONG) {
            fputs("see rayc-head --help\n", stderr);
            return 2;
        }
        apply(&flags, (enum flag_id)id);
    }
    if (optind < argc) {
        fprintf(stderr, "rayc-head: unexpected argument %s; see rayc-head --help\n", argv[optind]);
        return 2;
    }
    if (flags.keys_dir) {
        int code = keys_make(flags.keys_dir);
        return code == OK ? 0 : err_exit(code);
    }
    if (!flags.shell.address) {
        if (flags.port == 0) {
            snprintf(address, sizeof(address), "tcp://%s:*", flags.host);
        } else {
            snprintf(address, sizeof(address), "tcp://%s:%u", flags.host, flags.port);
        }
        flags.shell.address = address;
    }
    flags.shell.http_host = flags.host;
    struct config *config = &flags.shell.config;
    config->fail_infeasible = flags.infeasible < 0 ? config->embedded : (uint32_t)flags.infeasible;
    snprintf(config->version, sizeof(config->version), "%s", RAYC_VERSION);
    log_level_set(config->embedded ? LOG_LEVEL_WARN : LOG_LEVEL_INFO);
    int code = shell_run(&flags.shell);
    return code == OK ? 0 : err_exit(code);
}
