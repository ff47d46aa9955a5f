/*  machine.c - /proc/stat, /proc/meminfo, /proc/net/dev, statvfs. */
#include "worker/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void put(struct exposition *out, enum metric_id id, struct slice node, double value)
{
    exposition_metric(out, id);
    EXPOSE(out, value, node, slice_text("worker"));
}

static void put_cpu(struct exposition *out, struct slice node, struct machine_before *before)
{
    unsigned long long t[8];
    FILE *file = fopen("/proc/stat", "re");
    if (file && fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
                       &t[3], &t[4], &t[5], &t[6], &t[7]) == 8) {
        uint64_t idle = t[3] + t[4], all = 0;
        for (uint32_t i = 0; i < COUNT(t); i++) {
            all += t[i];
        }
        uint64_t busy = all - idle, ticks = all - before->all;
        bool forward = all > before->all && busy >= before->busy;
        put(out, METRIC_NODE_CPU, node,
            forward ? 100 * (double)(busy - before->busy) / (double)ticks : 0);
        *before = (struct machine_before){ busy, all };
    }
    if (file) {
        fclose(file);
    }
    put(out, METRIC_NODE_CPUS, node, (double)sysconf(_SC_NPROCESSORS_ONLN));
}

static void put_memory(struct exposition *out, struct slice node)
{
    double total = 0, available = 0;
    char line[256];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof(line), file)) {
        (void)sscanf(line, "MemTotal: %lf", &total);
        (void)sscanf(line, "MemAvailable: %lf", &available);
    }
    if (file) {
        fclose(file);
        put(out, METRIC_NODE_MEM_TOTAL, node, total * 1024);
        put(out, METRIC_NODE_MEM_AVAILABLE, node, available * 1024);
        put(out, METRIC_NODE_MEM_USED, node, (total - available) * 1024);
    }
}

static void put_network(struct exposition *out, struct slice node)
{
    unsigned long long got, sent, all_got = 0, all_sent = 0;
    char line[512], name[32];
    FILE *file = fopen("/proc/net/dev", "re");
    while (file && fgets(line, sizeof(line), file)) {
        bool is = sscanf(line, " %31[^: ]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &got,
                         &sent) == 3;
        if (is && strcmp(name, "lo") != 0) {
            all_got += got;
            all_sent += sent;
        }
    }
    if (file) {
        fclose(file);
        put(out, METRIC_NODE_RECEIVED, node, (double)all_got);
        put(out, METRIC_NODE_SENT, node, (double)all_sent);
    }
}

void machine_expose(struct exposition *out, const char *dir, struct slice node,
                    struct machine_before *before)
{
    struct statvfs disk;
    put_cpu(out, node, before);
    put_memory(out, node);
    put_network(out, node);
    if (statvfs(dir, &disk) == 0) {
        double block = (double)disk.f_frsize;
        put(out, METRIC_NODE_DISK_FREE, node, (double)disk.f_bavail * block);
        put(out, METRIC_NODE_DISK_USAGE, node, (double)(disk.f_blocks - disk.f_bfree) * block);
    }
}
