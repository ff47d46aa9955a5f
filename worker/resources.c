/*  resources.c - CPUs by affinity and cgroup quota, memory by what is available and the cgroup's limit, GPUs by their
    device files.  cgroups of version 1 and 2 are asked; what is not there does not limit. */
#include "worker/resources.h"
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/file.h"

#define MEMORY_PART                                                                                \
    0.7 /* of what is available: the rest is for the system and for executors' first pages */

static int wrong(struct diag *why, const char *field, const char *text)
{
    *why = (struct diag){ .field = field };
    snprintf(why->text, sizeof(why->text), "%s", text);
    return ERR_INVALID;
}

/* --- cgroups ---------------------------------------------------------------------------------------------- */

/*  The folder of our cgroup for a controller; a container sees its own as the root. */
static bool cgroup_file(const char *controller, const char *name, char *text, size_t capacity)
{
    char line[PATH_BYTES], path[2 * PATH_BYTES];
    FILE *list = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (list && !found && fgets(line, sizeof(line), list)) {
        char *controllers = strchr(line, ':');
        char *folder = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!folder) {
            continue;
        }
        *folder++ = '\0';
        folder[strcspn(folder, "\n")] = '\0';
        controllers++;
        bool unified = controllers[0] == '\0' && controller[0] == '\0';
        bool legacy = controller[0] != '\0' && strstr(controllers, controller) != NULL;
        const char *root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/";
        for (int whole = 1; (unified || legacy) && !found && whole >= 0; whole--) {
            snprintf(path, sizeof(path), "%s%s%s/%s", root, controller, whole ? folder : "", name);
            found = file_read(path, text, capacity) == OK;
        }
    }
    if (list) {
        fclose(list);
    }
    return found;
}

/*  CPUs by quota; 0: no limit. */
static double cgroup_cpus(void)
{
    char text[64], period_text[64];
    double quota = 0, period = 0;
    if (cgroup_file("", "cpu.max", text, sizeof(text))) {
        return sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0 ? quota / period : 0;
    }
    if (cgroup_file("cpu", "cpu.cfs_quota_us", text, sizeof(text)) &&
        cgroup_file("cpu", "cpu.cfs_period_us", period_text, sizeof(period_text))) {
        quota = strtod(text, NULL);
        period = strtod(period_text, NULL);
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

/*  Bytes that the cgroup still lets us have; UINT64_MAX: no limit. */
static uint64_t cgroup_memory(void)
{
    char limit[64], used[64];
    bool known = (cgroup_file("", "memory.max", limit, sizeof(limit)) &&
                  cgroup_file("", "memory.current", used, sizeof(used))) ||
                 (cgroup_file("memory", "memory.limit_in_bytes", limit, sizeof(limit)) &&
                  cgroup_file("memory", "memory.usage_in_bytes", used, sizeof(used)));
    if (!known || limit[0] < '0' || limit[0] > '9') {
        return UINT64_MAX; /* "max" */
    }
    uint64_t most = strtoull(limit, NULL, 10), now = strtoull(used, NULL, 10);
    return most > now ? most - now : 0;
}

/* --- detection -------------------------------------------------------------------------------------------- */

static double detect_cpus(void)
{
    long online = sysconf(_SC_NPROCESSORS_CONF);
    size_t most = online > CPU_SETSIZE ? (size_t)online : CPU_SETSIZE;
    cpu_set_t *set = CPU_ALLOC(most);
    ensure(set != NULL);
    bool known = sched_getaffinity(0, CPU_ALLOC_SIZE(most), set) == 0;
    double cpus = known ? CPU_COUNT_S(CPU_ALLOC_SIZE(most), set) : 1;
    CPU_FREE(set);
    double quota = cgroup_cpus();
    if (quota > 0 && quota < cpus) {
        cpus = quota < 1 ? 1 : (double)(uint64_t)quota; /* whole ones, as Ray */
    }
    return cpus < 1 ? 1 : cpus;
}

static uint64_t detect_memory(void)
{
    uint64_t available = 0, kib;
    char line[128];
    FILE *info = fopen("/proc/meminfo", "re");
    while (info && available == 0 && fgets(line, sizeof(line), info)) {
        if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1) {
            available = kib * 1024;
        }
    }
    if (info) {
        fclose(info);
    }
    uint64_t limit = cgroup_memory();
    return (uint64_t)((double)(limit < available ? limit : available) * MEMORY_PART);
}

static int detect_gpus(void)
{
    int count = 0;
    DIR *devices = opendir("/dev");
    for (struct dirent *entry = devices ? readdir(devices) : NULL; entry;
         entry = readdir(devices)) {
        const char *digits = entry->d_name + strlen("nvidia");
        count += strncmp(entry->d_name, "nvidia", strlen("nvidia")) == 0 && *digits >= '0' &&
                 *digits <= '9' && digits[strspn(digits, "0123456789")] == '\0';
    }
    if (devices) {
        closedir(devices);
    }
    return count;
}

/* --- the list --------------------------------------------------------------------------------------------- */

static int add(struct worker_config *config, const char *name, size_t n, uint64_t units,
               struct diag *why)
{
    if (n == 0 || n > RESOURCE_NAME_MAX) {
        return wrong(why, "--resources", "a name is empty or longer than 64 bytes");
    }
    for (uint32_t i = 0; i < config->amount_count; i++) {
        if (strlen(config->amounts[i].name) == n && memcmp(config->amounts[i].name, name, n) == 0) {
            return wrong(
                why, "--resources",
                "a resource is named twice; CPU, GPU and memory have options of their own");
        }
    }
    if (config->amount_count == RESOURCES_MAX) {
        return wrong(why, "--resources", "more than 16 resources");
    }
    memcpy(config->amounts[config->amount_count].name, name, n);
    config->amounts[config->amount_count].name[n] = '\0';
    config->amounts[config->amount_count++].units = units;
    return OK;
}

static int add_custom(struct worker_config *config, const char *text, struct diag *why)
{
    while (text && *text) {
        const char *equals = strchr(text, '=');
        char *end = NULL;
        double amount = equals ? strtod(equals + 1, &end) : -1;
        if (!equals || end == equals + 1 || (*end != ',' && *end != '\0') ||
            !(amount >= 0 && amount <= 1e9)) {
            return wrong(why, "--resources",
                         "write NAME=AMOUNT,NAME=AMOUNT; amounts are from 0 to 1000000000");
        }
        int e = add(config, text, (size_t)(equals - text),
                    (uint64_t)(amount * (double)UNITS_PER_ONE + 0.5), why);
        if (e) {
            return e;
        }
        text = *end == ',' ? end + 1 : end;
    }
    return OK;
}

int resources_find(const struct resources_wanted *wanted, struct worker_config *config,
                   struct diag *why)
{
    double cpus = wanted->cpus >= 0 ? wanted->cpus : detect_cpus();
    int gpus = wanted->gpus >= 0 ? wanted->gpus : detect_gpus();
    uint64_t memory = wanted->memory_bytes ? wanted->memory_bytes : detect_memory();
    if (gpus > (int)COUNT(config->gpus)) {
        return wrong(why, "--num-gpus", "at most 64");
    }
    config->amount_count = 0;
    int e = add(config, "CPU", 3, (uint64_t)(cpus * (double)UNITS_PER_ONE + 0.5), why);
    if (!e && gpus > 0) {
        e = add(config, "GPU", 3, (uint64_t)gpus * UNITS_PER_ONE, why);
    }
    for (int i = 0; i < gpus; i++) {
        snprintf(config->gpus[i], sizeof(config->gpus[i]), "%d", i % 100);
    }
    e = e ? e : add(config, "memory", 6, memory, why);
    return e ? e : add_custom(config, wanted->custom, why);
}
