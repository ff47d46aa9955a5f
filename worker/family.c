/*  family.c - descent by /proc/PID/task/TID/children, and by the parent in /proc/PID/stat where the kernel was built
    without that file (CONFIG_PROC_CHILDREN).  Lists are moments: whoever kills repeats until a list is empty. */
#include "worker/family.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_SEARCH_MAX = 4 << 20 }; /* bytes of environment that are searched */

void family_fini(struct family *self)
{
    free(self->pids);
    *self = (struct family){ 0 };
}

void family_add(struct family *self, pid_t pid)
{
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity ? self->capacity * 2 : 64;
        pid_t *pids = realloc(self->pids, capacity * sizeof(*pids));
        ensure(pids != NULL);
        self->pids = pids;
        self->capacity = capacity;
    }
    self->pids[self->count++] = pid;
}

/*  Adds the numbers of a children file; false when there is no such file. */
static bool add_listed(struct family *self, int fd)
{
    char text[4096];
    pid_t pid = 0;
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(fd, text, sizeof(text), at);
        if (n <= 0) {
            return n == 0;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                family_add(self, pid);
                pid = 0;
            }
        }
        at += n;
    }
}

static bool add_by_children_files(struct family *self, pid_t parent)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
    DIR *tasks = opendir(path);
    if (!tasks) {
        return true; /* it is gone, and so has no children */
    }
    bool known = true;
    for (struct dirent *task = readdir(tasks); task && known; task = readdir(tasks)) {
        if (task->d_name[0] < '0' || task->d_name[0] > '9') {
            continue;
        }
        char name[sizeof(task->d_name) + 16];
        snprintf(name, sizeof(name), "%s/children", task->d_name);
        int fd = openat(dirfd(tasks), name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            known = faccessat(dirfd(tasks), task->d_name, F_OK, 0) != 0; /* gone is fine */
            continue;
        }
        (void)add_listed(self, fd); /* a thread that ended meanwhile has none */
        close(fd);
    }
    closedir(tasks);
    return known;
}

/*  The parent of a process; 0: unknown.  The name, in brackets, may hold anything: search its last bracket. */
static pid_t parent_of(const char *pid)
{
    char path[300], text[512];
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *bracket = strrchr(text, ')');
    int parent = 0;
    return bracket && sscanf(bracket + 1, " %*c %d", &parent) == 1 ? (pid_t)parent : 0;
}

static void add_by_stat(struct family *self, pid_t parent)
{
    DIR *all = opendir("/proc");
    if (!all) {
        return;
    }
    for (struct dirent *entry = readdir(all); entry; entry = readdir(all)) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == parent) {
            family_add(self, (pid_t)atoi(entry->d_name));
        }
    }
    closedir(all);
}

void family_add_children(struct family *self, pid_t parent)
{
    uint32_t before = self->count;
    if (!add_by_children_files(self, parent)) {
        self->count = before;
        add_by_stat(self, parent);
    }
}

int family_open(void)
{
    char path[80];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
    return open(path, O_RDONLY | O_CLOEXEC);
}

void family_add_own(struct family *self, int fd)
{
    if (fd < 0 || !add_listed(self, fd)) {
        family_add_children(self, getpid());
    }
}

void family_kill(struct family *scratch, pid_t root)
{
    scratch->count = 0;
    family_add(scratch, root);
    for (uint32_t i = 0; i < scratch->count; i++) {
        pid_t pid = scratch->pids[i];
        family_add_children(scratch, pid); /* while it can still be asked */
        kill(pid, SIGKILL);
    }
}

uint32_t family_uid(pid_t pid)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return stat(path, &info) == 0 ? (uint32_t)info.st_uid : 0;
}

uint64_t family_mark(pid_t pid)
{
    static const char wanted[] =
        "\0RAYC_SPAWN="; /* at the start of an entry: after the NUL of the one before */
    enum { WANTED = sizeof(wanted) - 1 };
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    uint64_t mark = 0;
    size_t matched = 1; /* as if a NUL came before the first entry */
    bool found = false, ended = false;
    for (size_t read_bytes = 0; !ended && read_bytes < MARK_SEARCH_MAX;) {
        ssize_t n = read(fd, text, sizeof(text));
        if (n <= 0) {
            break;
        }
        for (ssize_t i = 0; i < n && !ended; i++) {
            if (found) {
                ended = text[i] < '0' || text[i] > '9';
                mark = ended ? mark : mark * 10 + (uint64_t)(text[i] - '0');
            } else {
                matched = text[i] == wanted[matched] ? matched + 1 : text[i] == '\0' ? 1 : 0;
                found = matched == WANTED;
            }
        }
        read_bytes += (size_t)n;
    }
    close(fd);
    return mark;
}
