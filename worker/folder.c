/*  folder.c - DIR/lock, DIR/key, and the folders that others fill. */
#include "worker/folder.h"
#include <stdio.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/hash.h"
#include "common/log.h"

static int make_inside(const char *dir)
{
    static const char *const names[] = { "scratch", "logs", "programs", "packages" };
    char path[PATH_BYTES];
    for (size_t i = 0; i < COUNT(names); i++) {
        int e = file_path(path, sizeof(path), dir, names[i]);
        e = e ? e : file_make_dir(path, 0700);
        if (e) {
            return e;
        }
    }
    return OK;
}

int folder_take(const char *given, char dir[PATH_BYTES])
{
    char state[PATH_BYTES], path[PATH_BYTES];
    int e = state_dir(given, given ? dir : state, PATH_BYTES);
    e = !e && !given ? file_path(dir, PATH_BYTES, state, "worker") : e;
    e = e ? e : make_inside(dir);
    e = e ? e : file_path(path, sizeof(path), dir, "lock");
    int lock = e ? e : file_lock(path);
    if (lock == ERR_LOCKED) {
        fprintf(stderr, "rayc-worker: another worker is using %s\n", dir);
    } else if (lock < 0) {
        fprintf(stderr, "rayc-worker: the folder of the worker: %s\n", err_text(lock));
    }
    return lock < 0 ? lock : OK; /* the descriptor stays open: it is the lock */
}

int folder_key(const char *dir, char *out65)
{
    char path[PATH_BYTES];
    int e = file_path(path, sizeof(path), dir, "key");
    if (e || (file_read(path, out65, HASH_TEXT_BYTES) == OK && hash_is_text(slice_text(out65)))) {
        return e;
    }
    uint8_t random[(HASH_TEXT_BYTES - 1) / 2];
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(out65 + 2 * i, 3, "%02x", random[i]);
    }
    return file_write(path, out65, HASH_TEXT_BYTES - 1, 0600);
}

/*  Nobody can list what may only be searched. */
static bool open_up(const char *path)
{
    return chmod(path, 0711) == 0;
}

int folder_share(const char *dir, char closed[PATH_BYTES])
{
    static const char *const names[] = { "scratch", "programs", "packages" };
    char path[PATH_BYTES], state[PATH_BYTES];
    struct stat info;
    snprintf(closed, PATH_BYTES, "%s", dir);
    bool open = open_up(dir);
    for (size_t i = 0; i < COUNT(names) && open; i++) {
        open = file_path(path, sizeof(path), dir, names[i]) == OK && open_up(path);
    }
    snprintf(path, sizeof(path), "%s", dir);
    bool has_state = state_dir(NULL, state, sizeof(state)) == OK;
    for (char *slash; open && (slash = strrchr(path, '/')) != NULL && slash > path;) {
        *slash = '\0';
        snprintf(closed, PATH_BYTES, "%s", path);
        open = stat(path, &info) == 0 &&
               ((info.st_mode & S_IXOTH) || (has_state && strcmp(path, state) == 0 &&
                                             info.st_uid == geteuid() && open_up(path)));
    }
    return open ? OK : ERR_FORBIDDEN;
}
