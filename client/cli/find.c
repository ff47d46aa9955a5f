/*  find.c - searches for a program, and says where it looked. */
#include "client/cli/find.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/cli/elf.h"
#include "common/near.h"

#ifndef RAYC_EXAMPLES_DIR
#define RAYC_EXAMPLES_DIR "/usr/local/lib/rayc/examples"
#endif

enum { NEAR_FILES_MAX = 4096 };

struct search {
    const char *name;
    char found[PATH_BYTES];
    char blocked[PATH_BYTES]; /* the first of this name that cannot be executed */
    char looked[2048];        /* where, for people */
    char near_name[NEAR_LETTERS_MAX + 1];
    struct near near;
};

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/*  Offers the files of a folder as near misses. */
static void offer_names(struct search *self, const char *dir)
{
    DIR *folder = opendir(dir);
    if (!folder) {
        return;
    }
    struct dirent *entry;
    for (int i = 0; i < NEAR_FILES_MAX && (entry = readdir(folder)); i++) {
        const char *before = self->near.best;
        near_offer(&self->near, entry->d_name);
        if (self->near.best != before) { /* the entry does not live on */
            snprintf(self->near_name, sizeof(self->near_name), "%.*s", NEAR_LETTERS_MAX,
                     entry->d_name);
            self->near.best = self->near_name;
        }
    }
    closedir(folder);
}

static bool try_dir(struct search *self, const char *dir, size_t n, bool ours)
{
    char path[PATH_BYTES];
    char folder[PATH_BYTES];
    if (n == 0 || snprintf(folder, sizeof(folder), "%.*s", (int)n, dir) >= PATH_BYTES ||
        file_path(path, sizeof(path), folder, self->name) != OK) {
        return false;
    }
    if (is_file(path)) {
        bool runs = access(path, X_OK) == 0;
        char *out = runs ? self->found : self->blocked;
        if (!*out) {
            snprintf(out, PATH_BYTES, "%s", path);
        }
        if (runs) {
            return true;
        }
    }
    if (ours) {
        size_t used = strlen(self->looked);
        snprintf(self->looked + used, sizeof(self->looked) - used, "%s%s", used ? ", " : "",
                 folder);
        offer_names(self, folder);
    }
    return false;
}

/*  Folders separated by colons. */
static bool try_dirs(struct search *self, const char *dirs, bool ours)
{
    for (const char *p = dirs; p && *p;) {
        size_t n = strcspn(p, ":");
        if (try_dir(self, p, n, ours)) {
            return true;
        }
        p += n + (p[n] == ':');
    }
    return false;
}

/*  The examples of the tree or prefix that this program is in: DIR, of DIR/bin/rayc. */
static bool try_own_tree(struct search *self)
{
    static const char *const folders[] = { "lib/rayc/examples", "examples" };
    char exe[PATH_BYTES], examples[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n <= 0) {
        return false;
    }
    exe[n] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (!slash) {
            return false;
        }
        *slash = 0;
    }
    for (size_t i = 0; i < COUNT(folders); i++) {
        if (file_path(examples, sizeof(examples), exe, folders[i]) == OK &&
            access(examples, X_OK) == 0 && try_dir(self, examples, strlen(examples), true)) {
            return true;
        }
    }
    return false;
}

static bool search(struct search *self)
{
    if (strchr(self->name, '/')) {
        if (is_file(self->name)) {
            bool runs = access(self->name, X_OK) == 0;
            snprintf(runs ? self->found : self->blocked, PATH_BYTES, "%s", self->name);
        } else if (access(self->name, F_OK) == 0) {
            snprintf(self->blocked, PATH_BYTES, "%s", self->name);
        }
        return self->found[0];
    }
    return try_dirs(self, getenv("RAYC_PROGRAMS"), true) ||
           try_dir(self, RAYC_EXAMPLES_DIR, strlen(RAYC_EXAMPLES_DIR), true) ||
           try_own_tree(self) || try_dirs(self, getenv("PATH"), false);
}

static int say_missing(const struct cli *cli, const struct search *self)
{
    if (self->blocked[0]) {
        bool file = is_file(self->blocked);
        return fail_exit(cli, ERR_INVALID, EXIT_NOT_EXECUTABLE, "%s %s", self->blocked,
                         file ? "is not executable: chmod +x, or submit a command that reads it"
                              : "is not a file");
    }
    if (strchr(self->name, '/')) {
        return fail_exit(cli, ERR_NOT_FOUND, EXIT_NOT_FOUND, "there is no program %s", self->name);
    }
    const char *near = near_found(&self->near);
    return fail_exit(
        cli, ERR_NOT_FOUND, EXIT_NOT_FOUND, "there is no program '%s' in %s, nor in PATH%s%s%s%s",
        self->name, self->looked, near ? "; did you mean '" : "", near ? near : "",
        near ? "'?" : "",
        is_file(self->name) ? "\nThe one in this folder is ./, written with the slash." : "");
}

static int check_tasks(const struct cli *cli, const char *path)
{
    const char *what = NULL;
    switch (elf_kind(path)) {
    case ELF_WITH_TASKS:
        return 0;
    case ELF_WITHOUT_TASKS:
        what = "is a program without tasks (no RAYC_TASK in it)";
        break;
    case ELF_SCRIPT:
        what = "is a script, not a program with tasks";
        break;
    case ELF_NO_PROGRAM:
        what = "is not a program";
        break;
    case ELF_FOREIGN:
        what = "is a program for another kind of machine";
        break;
    case ELF_DAMAGED:
        what = "is a damaged program: its headers point outside the file";
        break;
    default:
        return fail_exit(cli, ERR_SYSTEM, EXIT_NOT_EXECUTABLE, "cannot read %s: %s", path,
                         strerror(errno));
    }
    return fail(cli, ERR_INVALID, "%s %s; to run it as a command: rayc submit -- %s", path, what,
                path);
}

int find_program(const struct cli *cli, const char *name, char out[PATH_BYTES])
{
    static struct search self;
    self = (struct search){ .name = name };
    near_begin(&self.near, name);
    if (!search(&self)) {
        return say_missing(cli, &self);
    }
    int exit_code = check_tasks(cli, self.found);
    if (exit_code) {
        return exit_code;
    }
    if (!realpath(self.found, out)) {
        return fail_exit(cli, ERR_SYSTEM, EXIT_NOT_EXECUTABLE, "cannot read %s: %s", self.found,
                         strerror(errno));
    }
    return 0;
}
