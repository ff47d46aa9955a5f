/*  main.c - rayc-head: flags, and the wiring of shell.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/log.h"
#include "head/keys.h"
#include "head/shell.h"

static const char usage[] =
    "Usage: rayc-head [OPTIONS]\n"
    "The head of a rayc cluster: one per state folder.  `rayc start --head` runs it for you.\n\n"
    "  --state-dir DIR        where everything is kept (default: $RAYC_STATE_DIR, else the XDG "
    "state folder)\n"
    "  --host ADDRESS         where to listen (default 127.0.0.1; another one needs --key-file)\n"
    "  --port N               default 6399; 0: any\n"
    "  --address ADDR         instead of host and port, as ZeroMQ writes it: tcp://..., ipc://...\n"
    "  --metrics-prefix P     of names at /metrics: rayc (default), ray, both\n"
    "  --http-port N          of the HTTP API (default none); 0: any, then STATE/head.http tells "
    "it;\n"
    "                         auto: 8265, or any when another program has that\n"
    "  --http-host-name NAME  that requests may have as Host, beside addresses and localhost, as "
    "an\n"
    "                         ingress sends them; may be given again, or with commas between\n"
    "  --key-file FILE        the head's CURVE keys; only who has an access file of it can "
    "connect\n"
    "  --access-dir DIR       whose admin.key and worker.key (access files) open this head, "
    "instead "
    "of\n"
    "                         those that it makes in its state folder; read at each start\n"
    "  --make-keys DIR        makes what is missing of DIR/cluster.key, admin.key and worker.key, "
    "and ends\n"
    "  --pid-file FILE        write the process id there\n"
    "  --embedded             end when no client is attached and no job is unfinished\n"
    "  --if-infeasible WHAT   a demand that no node can meet: fail, or wait (default; embedded: "
    "fail)\n"
    "  --beat-ms N --suspect-ms N --lease-ms N --gone-ms N --orphan-ms N\n"
    "                         failure detection; see ARCHITECTURE.md (defaults 1000 5000 30000 "
    "5000 600000)\n"
    "  --keep-days N          ended jobs are deleted after so many days (default 30)\n"
    "  --package-keep N       programs and packages that no job needs are removed after so many "
    "seconds\n"
    "                         (default 3600)\n"
    "  --help, --version\n\n"
    "Example: rayc-head --state-dir /var/lib/rayc --host 10.0.0.5 --key-file "
    "/etc/rayc/cluster.key\n"
    "Exit codes: 0 ended in order, 2 usage, 8 newer database, 70 bug, 74 database, 75 folder in "
    "use,\n"
    "78 a key or access file that is missing or cannot be used.\n";

enum option_id {
    OPT_STATE_DIR = 256,
    OPT_HOST,
    OPT_PORT,
    OPT_ADDRESS,
    OPT_HTTP_PORT,
    OPT_HTTP_NAME,
    OPT_PREFIX,
    OPT_KEY_FILE,
    OPT_ACCESS_DIR,
    OPT_MAKE_KEYS,
    OPT_PID_FILE,
    OPT_EMBEDDED,
    OPT_INFEASIBLE,
    OPT_BEAT,
    OPT_SUSPECT,
    OPT_LEASE,
    OPT_GONE,
    OPT_ORPHAN,
    OPT_DAYS,
    OPT_PACKAGES,
    OPT_HELP,
    OPT_VERSION
};

static const struct option options[] = {
    { "state-dir", required_argument, NULL, OPT_STATE_DIR },
    { "host", required_argument, NULL, OPT_HOST },
    { "port", required_argument, NULL, OPT_PORT },
    { "address", required_argument, NULL, OPT_ADDRESS },
    { "http-port", required_argument, NULL, OPT_HTTP_PORT },
    { "http-host-name", required_argument, NULL, OPT_HTTP_NAME },
    { "metrics-prefix", required_argument, NULL, OPT_PREFIX },
    { "key-file", required_argument, NULL, OPT_KEY_FILE },
    { "access-dir", required_argument, NULL, OPT_ACCESS_DIR },
    { "make-keys", required_argument, NULL, OPT_MAKE_KEYS },
    { "pid-file", required_argument, NULL, OPT_PID_FILE },
    { "embedded", no_argument, NULL, OPT_EMBEDDED },
    { "if-infeasible", required_argument, NULL, OPT_INFEASIBLE },
    { "beat-ms", required_argument, NULL, OPT_BEAT },
    { "suspect-ms", required_argument, NULL, OPT_SUSPECT },
    { "lease-ms", required_argument, NULL, OPT_LEASE },
    { "gone-ms", required_argument, NULL, OPT_GONE },
    { "orphan-ms", required_argument, NULL, OPT_ORPHAN },
    { "keep-days", required_argument, NULL, OPT_DAYS },
    { "package-keep", required_argument, NULL, OPT_PACKAGES },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { 0 }
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

/*  Options that are a number of struct config. */
static bool apply_number(struct config *config, int id, const char *name)
{
    static const struct {
        enum option_id id;
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
        if ((int)numbers[i].id == id) {
            *(uint32_t *)((uint8_t *)config + numbers[i].at) =
                number(name, optarg, numbers[i].largest);
            return true;
        }
    }
    return false;
}

static void apply(struct flags *flags, int id, const char *name)
{
    struct config *config = &flags->shell.config;
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
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        puts("rayc-head " RAYC_VERSION);
        exit(0);
    default:
        if (!apply_number(config, id, name)) {
            fputs("see rayc-head --help\n", stderr);
            exit(2);
        }
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
    for (int id, index = 0; (id = getopt_long(argc, argv, "", options, &index)) != -1;) {
        apply(&flags, id, options[index].name);
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
