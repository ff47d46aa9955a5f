/*  packed.c - for ignore.sh: `packed make SEED DIR` makes a folder with random names and rules, `packed hidden DIR` prints
    what pack_list() leaves out of it, one path a line, and `packed all DIR` all that is there. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/archive/pack.h"
#include "common/prng.h"

enum { ALL_MAX = 4096, PATH_MOST = 512 };

static struct prng rng;

static uint64_t below(uint64_t n)
{
    return prng_below(&rng, n);
}

/* --- making ----------------------------------------------------------------------------------- */

static const char *const names[] = { "a",   "b",   "ab",  "abc", "foo",  "bar",  "a.c",  "b.o",
                                     "x y", "[a]", "a-b", "*",   "!a",   "#a",   "foo2", "A",
                                     "a ",  "-",   "]",   "1",   ".hid", "a\\b", "c" };
static const char *const parts[] = {
    "a",    "b",           "ab",  "foo", "bar",  "*",    "*",    "?",          "**",         "/",
    "/",    "/**/",        "**/", "/**", "*/",   "[ab]", "[!a]", "[a-c]",      "[^b]",       "\\*",
    "\\[a", "[[:alpha:]]", ".c",  ".o",  "[]a]", "\\ ",  " ",    "[[:digit:]", "[-a]",       "foo*",
    "a*b",  "***",         "[a",  "A",   "x y",  "\\!a", "\\#a", "[a\\]b]",    "[[:nope:]]", "c"
};

static void make_rules(const char *path)
{
    FILE *file = fopen(path, "w");
    for (uint64_t lines = 1 + below(6); file && lines > 0; lines--) {
        fputs(below(4) == 0 ? "!" : "", file);
        fputs(below(4) == 0 ? "/" : "", file);
        for (uint64_t n = 1 + below(4); n > 0; n--) {
            fputs(parts[below(COUNT(parts))], file);
        }
        fputs(below(5) == 0 ? "/" : "", file);
        fputs(below(10) == 0 ? "  \n" : below(10) == 0 ? "\r\n" : "\n", file);
        fputs(below(15) == 0 ? "# a remark\n\n" : "", file);
    }
    if (file) {
        fclose(file);
    }
}

static void make(const char *dir, int depth)
{
    char path[PATH_MOST];
    mkdir(dir, 0755);
    for (size_t i = 0; i < COUNT(names); i++) {
        uint64_t what = below(10);
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        if (what < 2 && depth < 2) {
            make(path, depth + 1);
        } else if (what < 4) {
            FILE *file = fopen(path, "w");
            if (file) {
                fclose(file);
            }
        }
    }
    snprintf(path, sizeof(path), "%s/.gitignore", dir);
    if (depth == 0 || below(3) == 0) {
        make_rules(path);
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

static char *all[ALL_MAX];
static size_t all_count;

static void collect(const char *root, const char *under)
{
    char path[PATH_MOST];
    snprintf(path, sizeof(path), "%s/%s", root, under);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL && all_count < ALL_MAX) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, ".git") == 0) {
            continue;
        }
        snprintf(path, sizeof(path), "%s%s%s", under, *under ? "/" : "", entry->d_name);
        all[all_count++] = strdup(path);
        if (entry->d_type == DT_DIR) {
            collect(root, path);
        }
    }
    if (folder) {
        closedir(folder);
    }
}

static void taken(void *context, const char *path, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    for (size_t i = 0; i < all_count; i++) {
        if (all[i] && strcmp(all[i], path) == 0) {
            free(all[i]);
            all[i] = NULL;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0) {
        rng.state = strtoull(argv[2], NULL, 10);
        make(argv[3], 0);
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: packed make SEED DIR | hidden DIR | all DIR\n");
        return 2;
    }
    char why[PACK_WHY_BYTES];
    const struct pack_options options = { .no_gitignore = false };
    collect(argv[2], "");
    if (strcmp(argv[1], "hidden") == 0 && pack_list(argv[2], &options, taken, NULL, why) != OK) {
        fprintf(stderr, "packed: %s\n", why);
        return 1;
    }
    for (size_t i = 0; i < all_count; i++) {
        if (all[i]) {
            puts(all[i]);
        }
    }
    return 0;
}
