/*  cgroup.c - folders and small files in the file systems of cgroups.  Limits of memory and of processes only: moving a
    process into a group of the cpu controller takes longer than starting it, and executors are nice already.

    What needs the kernel's word is tried once, at the start, with a process that ends at once. */
#include "worker/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "rayc-"
#define LEAF   "worker"
enum { MEMORY_LEAST = 1 << 20 /* with less, not even execve() would work */ };

static const struct {
    uint32_t bit;
    const char *name;
} controllers[CGROUP_FOLDERS] = { { CGROUP_MEMORY, "memory" }, { CGROUP_PIDS, "pids" } };

/* --- files ------------------------------------------------------------------------------------------------ */

static int open_in(const char *folder, const char *name, int flags)
{
    char path[PATH_BYTES];
    if (file_path(path, sizeof(path), folder, name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC, 0600);
}

/*  Of a real cgroup, all files are there; O_CREAT makes none. */
static int put(const char *folder, const char *name, const char *text)
{
    int fd = open_in(folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return good ? OK : ERR_SYSTEM;
}

static int put_number(const char *folder, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    return put(folder, name, text);
}

static bool has_word(const char *text, const char *word, const char *between)
{
    for (size_t n = strlen(word); *text; text += *text != 0) {
        size_t length = strcspn(text, between);
        if (length == n && memcmp(text, word, n) == 0) {
            return true;
        }
        text += length;
    }
    return false;
}

/* --- where ------------------------------------------------------------------------------------------------ */

struct mount {
    char kind[16], root[PATH_BYTES], point[PATH_BYTES], options[PATH_BYTES];
};

/*  "36 25 0:31 ROOT POINT rw,... optional... - KIND SOURCE OPTIONS" */
static bool read_mount(const char *line, struct mount *out)
{
    const char *rest = strstr(line, " - ");
    return rest && sscanf(line, "%*s %*s %*s %4095s %4095s", out->root, out->point) == 2 &&
           sscanf(rest, " - %15s %*s %4095s", out->kind, out->options) == 2;
}

/*  The mount of a controller; of v2 with "". */
static bool find_mount(const struct cgroup_world *world, const char *controller, struct mount *out)
{
    FILE *file = fopen(world->mounts, "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0) {
        found = read_mount(line, out) &&
                (*controller
                     ? strcmp(out->kind, "cgroup") == 0 && has_word(out->options, controller, ",\n")
                     : strcmp(out->kind, "cgroup2") == 0);
    }
    free(line);
    if (file) {
        fclose(file);
    }
    return found;
}

/*  "4:memory:/path"; of v2 "0::/path". */
static bool find_own(const struct cgroup_world *world, const char *controller, char *out)
{
    FILE *file = fopen(world->own, "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (path) {
            *path++ = 0;
            path[strcspn(path, "\n")] = 0;
            found = strlen(path) < PATH_BYTES &&
                    (*controller ? has_word(names + 1, controller, ",") : names[1] == 0);
            memcpy(out, path, found ? strlen(path) + 1 : 0);
        }
    }
    free(line);
    if (file) {
        fclose(file);
    }
    return found;
}

/*  Where the group is mounted, if there is such a controller and the mount shows it. */
static bool find_parent(const struct cgroup_world *world, const char *controller, const char *group,
                        char *out)
{
    struct mount mount;
    char own[PATH_BYTES];
    if (!find_mount(world, controller, &mount) || (!group && !find_own(world, controller, own))) {
        return false;
    }
    const char *path = group ? group : own;
    size_t root = strcmp(mount.root, "/") == 0 ? 0 : strlen(mount.root);
    if (!group && root > 0 && strncmp(path, mount.root, root) == 0) {
        path += root; /* a container that sees a part only, under the names of the whole */
    }
    path += *path == '/';
    int n = snprintf(out, PATH_BYTES, "%s%s%s", mount.point, *path ? "/" : "", path);
    return n > 0 && n < PATH_BYTES && strncmp(path, "..", 2) != 0;
}

static bool has_controller(const char *folder, const char *file, const char *name)
{
    char path[PATH_BYTES], text[1024];
    return file_path(path, sizeof(path), folder, file) == OK &&
           file_read(path, text, sizeof(text)) == OK && has_word(text, name, " \n");
}

static bool add_folder(struct cgroups *self, const char *parent, uint32_t bits)
{
    struct cgroup_folder *folder = &self->folders[self->count++];
    folder->controllers = bits;
    snprintf(folder->parent, sizeof(folder->parent), "%s", parent);
    int n = snprintf(folder->path, sizeof(folder->path), "%s/" PREFIX "%d", parent, (int)getpid());
    return n > 0 && n + 64 < PATH_BYTES;
}

static bool find_folders(struct cgroups *self, const struct cgroup_world *world, const char *group)
{
    char parent[PATH_BYTES];
    bool good = true;
    if (find_parent(world, "", group, parent) &&
        has_controller(parent, "cgroup.controllers", "memory")) {
        bool pids = has_controller(parent, "cgroup.controllers", "pids");
        self->kind = CGROUP_V2;
        return add_folder(self, parent, CGROUP_MEMORY | (pids ? CGROUP_PIDS : 0));
    }
    self->kind = CGROUP_V1;
    for (uint32_t i = 0; i < CGROUP_FOLDERS; i++) {
        if (find_parent(world, controllers[i].name, group, parent)) {
            good = good && add_folder(self, parent, controllers[i].bit);
        }
    }
    return good && self->count > 0 && self->folders[0].controllers == CGROUP_MEMORY;
}

/* --- what was left ---------------------------------------------------------------------------------------- */

/*  Of one that ended without doing so; whatever still runs in it keeps it. */
static void remove_group(const char *path)
{
    char inside[PATH_BYTES];
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' &&
            file_path(inside, sizeof(inside), path, entry->d_name) == OK) {
            (void)rmdir(inside);
        }
    }
    if (folder) {
        closedir(folder);
    }
    (void)rmdir(path);
}

static void remove_stale(const char *parent)
{
    char path[PATH_BYTES];
    DIR *folder = opendir(parent);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        bool ours = strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0;
        int pid = ours ? atoi(entry->d_name + sizeof(PREFIX) - 1) : 0;
        if (pid > 0 && (pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH)) &&
            file_path(path, sizeof(path), parent, entry->d_name) == OK) {
            remove_group(path);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

/* --- all of them ------------------------------------------------------------------------------------------ */

/*  v2: what a folder may give to those in it. */
static int enable(const struct cgroup_folder *folder, const char *path, char sign)
{
    int e = OK;
    for (uint32_t i = 0; i < CGROUP_FOLDERS && !e; i++) {
        char text[16];
        bool is = has_controller(path, "cgroup.subtree_control", controllers[i].name);
        snprintf(text, sizeof(text), "%c%s", sign, controllers[i].name);
        if ((folder->controllers & controllers[i].bit) && is != (sign == '+')) {
            e = put(path, "cgroup.subtree_control", text);
        }
    }
    return e;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? OK : ERR_SYSTEM;
}

static int move_into(const char *parent, const char *name)
{
    char path[PATH_BYTES];
    int e = file_path(path, sizeof(path), parent, name);
    e = e ? e : make_folder(path);
    return e ? e : put(path, "cgroup.procs", "0");
}

int cgroups_begin(const struct cgroups *self)
{
    int e = OK;
    for (uint32_t i = 0; i < self->count && !e; i++) {
        const struct cgroup_folder *folder = &self->folders[i];
        e = make_folder(folder->path);
        if (self->kind == CGROUP_V2) {
            e = !e && self->moved ? move_into(folder->path, LEAF) : e;
            e = e ? e : enable(folder, folder->parent, '+');
            e = e ? e : enable(folder, folder->path, '+');
        }
    }
    return e;
}

void cgroups_close(const struct cgroups *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct cgroup_folder *folder = &self->folders[i];
        if (self->kind == CGROUP_V2 &&
            self->moved) { /* another worker's keep the parent as it is */
            int e = enable(folder, folder->path, '-');
            e = e ? e : enable(folder, folder->parent, '-');
            (void)(e ? e : put(folder->parent, "cgroup.procs", "0"));
        }
        remove_group(folder->path);
    }
}

/*  Does a process get in? */
static int try_one(const struct cgroups *self)
{
    const struct cgroup_limits limits = { 64 << 20, 16 };
    int procs[CGROUP_FOLDERS], error = 0;
    if (cgroup_make(self, 0, &limits, procs)) {
        return ERR_SYSTEM;
    }
    pid_t pid = fork();
    if (pid == 0) {
        for (uint32_t i = 0; i < self->count; i++) {
            error = write(procs[i], "0", 1) == 1 ? error : errno;
        }
        _exit(error);
    }
    int status = 0;
    error = pid < 0 || waitpid(pid, &status, 0) != pid ? errno : WEXITSTATUS(status);
    for (uint32_t i = 0; i < self->count; i++) {
        close(procs[i]);
    }
    (void)cgroup_end(self, 0);
    errno = error;
    return error ? ERR_SYSTEM : OK;
}

int cgroups_open(struct cgroups *self, const struct cgroup_world *world, const char *group,
                 struct diag *why)
{
    *self = (struct cgroups){ 0 };
    if (!find_folders(self, world, group)) {
        snprintf(why->text, sizeof(why->text), "no memory controller is mounted%s%.100s",
                 group ? " with a group " : "", group ? group : "");
        *self = (struct cgroups){ 0 };
        return ERR_NOT_FOUND;
    }
    self->moved = self->kind == CGROUP_V2 && !group;
    for (uint32_t i = 0; i < self->count; i++) {
        remove_stale(self->folders[i].parent);
    }
    int e = cgroups_begin(self);
    e = e ? e : try_one(self);
    if (e) {
        snprintf(why->text, sizeof(why->text), "%.120s: %s", self->folders[0].parent,
                 strerror(errno));
        cgroups_close(self);
        *self = (struct cgroups){ 0 };
        return ERR_FORBIDDEN;
    }
    return OK;
}

/* --- one of them ------------------------------------------------------------------------------------------ */

static void path_of(const struct cgroups *self, uint32_t i, uint64_t number, char *out)
{
    int n = snprintf(out, PATH_BYTES, "%s/%" PRIu64, self->folders[i].path, number);
    ensure(n > 0 && n < PATH_BYTES); /* add_folder() has seen to it */
}

/*  What not every kernel has is not missed: swap, and that a group dies as one. */
static int limit(const struct cgroups *self, const char *path, uint32_t has,
                 const struct cgroup_limits *limits)
{
    bool v2 = self->kind == CGROUP_V2;
    int e = OK;
    if ((has & CGROUP_MEMORY) && limits->memory_bytes) {
        uint64_t bytes = limits->memory_bytes > MEMORY_LEAST ? limits->memory_bytes : MEMORY_LEAST;
        e = put_number(path, v2 ? "memory.max" : "memory.limit_in_bytes", bytes);
        (void)put_number(path, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                         v2 ? 0 : bytes);
    }
    if ((has & CGROUP_MEMORY) && v2) {
        (void)put_number(path, "memory.oom.group", 1);
    }
    return (has & CGROUP_PIDS) && !e ? put_number(path, "pids.max", limits->processes) : e;
}

int cgroup_make(const struct cgroups *self, uint64_t number, const struct cgroup_limits *limits,
                int procs[CGROUP_FOLDERS])
{
    char path[PATH_BYTES];
    uint32_t made = 0;
    int e = OK;
    for (uint32_t i = 0; i < CGROUP_FOLDERS; i++) {
        procs[i] = -1;
    }
    for (; made < self->count && !e; made++) {
        path_of(self, made, number, path);
        e = make_folder(path);
        e = e ? e : limit(self, path, self->folders[made].controllers, limits);
        procs[made] = e ? -1 : open_in(path, "cgroup.procs", O_WRONLY | O_CREAT);
        e = procs[made] < 0 ? ERR_SYSTEM : e;
    }
    int saved = errno;
    for (uint32_t i = 0; i < made && e; i++) {
        if (procs[i] >= 0) {
            close(procs[i]);
        }
        path_of(self, i, number, path);
        (void)rmdir(path);
    }
    errno = saved;
    return e;
}

/*  "oom_kill N" in a file of several lines. */
static bool killed_any(const struct cgroups *self, const char *path)
{
    char text[1024], file[PATH_BYTES];
    const char *name = self->kind == CGROUP_V2 ? "memory.events" : "memory.oom_control";
    if (file_path(file, sizeof(file), path, name) || file_read(file, text, sizeof(text))) {
        return false;
    }
    const char *at = strstr(text, "oom_kill ");
    return at && strtoull(at + strlen("oom_kill "), NULL, 10) > 0;
}

bool cgroup_end(const struct cgroups *self, uint64_t number)
{
    bool any = false;
    for (uint32_t i = 0; i < self->count; i++) {
        char path[PATH_BYTES];
        path_of(self, i, number, path);
        any |= (self->folders[i].controllers & CGROUP_MEMORY) && killed_any(self, path);
        (void)rmdir(path);
    }
    return any;
}
