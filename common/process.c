/*  process.c - /proc/self/stat, /proc/self/fd. */
#include "common/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/clock.h"

struct numbers {
    double cpu_seconds, start_seconds; /* the start: since 1970 */
    double virtual_bytes, resident_bytes;
    double fds, fds_max;
};

static double count_fds(void)
{
    double count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        closedir(folder);
    }
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

/*  The second value in parentheses is the program's name, which may hold anything: what counts begins after it. */
static bool read_stat(struct numbers *out)
{
    char line[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t n = file ? fread(line, 1, sizeof(line) - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    line[n] = 0;
    const char *at = strrchr(line, ')');
    unsigned long long user, system, start, virtual;
    long long pages;
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d"
                      " %*d %llu %llu %lld",
                      &user, &system, &start, &virtual, &pages) != 5) {
        return false;
    }
    double ticks = (double)sysconf(_SC_CLK_TCK);
    double booted = ((double)clock_wall_ms() - (double)clock_ms()) / 1000;
    out->cpu_seconds = (double)(user + system) / ticks;
    out->start_seconds = booted + (double)start / ticks;
    out->virtual_bytes = (double)virtual;
    out->resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
    return true;
}

static void expose_one(struct exposition *out, enum metric_id id, double value)
{
    exposition_metric(out, id);
    EXPOSE(out, value, { 0 });
}

void process_expose(struct exposition *out, const char *component, struct slice node,
                    struct process_before *before)
{
    struct numbers now = { 0 };
    struct rlimit limit;
    char pid[16];
    if (!read_stat(&now)) {
        return;
    }
    now.fds = count_fds();
    now.fds_max = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
    uint64_t at_us = clock_us();
    double passed = (double)(at_us - before->at_us) / 1e6;
    double percent = before->at_us == 0 || passed <= 0
                         ? 0
                         : 100 * (now.cpu_seconds - before->cpu_seconds) / passed;
    *before = (struct process_before){ now.cpu_seconds, at_us };
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    const struct slice labels[METRIC_LABELS_MAX] = { slice_text(component), slice_text(pid), node };
    exposition_metric(out, METRIC_COMPONENT_CPU);
    exposition_sample(out, labels, percent);
    exposition_metric(out, METRIC_COMPONENT_RSS);
    exposition_sample(out, labels, now.resident_bytes);
    exposition_metric(out, METRIC_COMPONENT_FDS);
    exposition_sample(out, labels, now.fds);
    expose_one(out, METRIC_PROCESS_CPU, now.cpu_seconds);
    expose_one(out, METRIC_PROCESS_RSS, now.resident_bytes);
    expose_one(out, METRIC_PROCESS_VIRTUAL, now.virtual_bytes);
    expose_one(out, METRIC_PROCESS_FDS, now.fds);
    expose_one(out, METRIC_PROCESS_FDS_MAX, now.fds_max);
    expose_one(out, METRIC_PROCESS_START, now.start_seconds);
}

void process_hide(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
