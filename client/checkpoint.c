/*  checkpoint.c - folders that are whole or not there: filled under another name, synced, renamed. */
#include "client/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/metrics.h"

enum {
    NUMBER_MAX = 999999999,
    OPEN_MAX_AT_ONCE = 16,
    LATEST_BYTES = PATH_BYTES + METRICS_MAX + 160
};

#define TMP_PREFIX        "tmp_"
#define CHECKPOINT_PREFIX "checkpoint_"
#define UNTOLD            "untold "
#define TOLD              "  told "

static int failed(const char *what, const char *path)
{
    return failure_say(RAYC_ESYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

/*  NNNNNN of a name; 0: it is none of ours. */
static uint32_t number_of(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || name[n] < '0' || name[n] > '9') {
        return 0;
    }
    char *end;
    unsigned long number = strtoul(name + n, &end, 10);
    return *end == 0 && number < NUMBER_MAX ? (uint32_t)number : 0;
}

/*  The highest number that is in use. */
static uint32_t highest(const char *dir)
{
    uint32_t most = 0;
    DIR *folder = opendir(dir);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        uint32_t tmp = number_of(entry->d_name, TMP_PREFIX);
        uint32_t checkpoint = number_of(entry->d_name, CHECKPOINT_PREFIX);
        uint32_t number = tmp > checkpoint ? tmp : checkpoint;
        most = number > most ? number : most;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return most;
}

static int path_of(char out[PATH_BYTES], const char *dir, const char *prefix, uint32_t number)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s%06u", dir, prefix, number);
    return n > 0 && n < PATH_BYTES
               ? RAYC_OK
               : failure_say(RAYC_EINVALID, "the path of the folder %s is too long", dir);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_unfinished(const char *dir)
{
    char path[PATH_BYTES];
    DIR *folder = opendir(dir);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (number_of(entry->d_name, TMP_PREFIX) > 0 &&
            file_path(path, sizeof(path), dir, entry->d_name) == OK) {
            nftw(path, remove_one, OPEN_MAX_AT_ONCE, FTW_DEPTH | FTW_PHYS);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

int checkpoint_begin(const char *dir, bool fresh, char out[PATH_BYTES])
{
    if (file_make_dir(dir, 0755) != OK) {
        return failed("make the folder", dir);
    }
    if (fresh) {
        remove_unfinished(dir);
    }
    for (uint32_t number = highest(dir) + 1; number < NUMBER_MAX; number++) {
        int rc = path_of(out, dir, TMP_PREFIX, number);
        if (rc != RAYC_OK || mkdir(out, 0755) == 0) {
            return rc;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return failed("make the folder", out);
}

/* --- committing ------------------------------------------------------------------------------- */

static int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);
    if (fd < 0) {
        return -1;
    }
    int rc = fsync(fd), saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

static int sync_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)place;
    if (kind == FTW_DP) {
        return sync_path(path, O_DIRECTORY);
    }
    return kind == FTW_F && S_ISREG(info->st_mode) ? sync_path(path, 0) : 0;
}

/*  As rename(), but never over an older checkpoint, where the file system can do so. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    return errno == EINVAL || errno == ENOSYS ? rename(from, to) : -1;
}

int checkpoint_commit(const char *dir, const char *tmp, char out[PATH_BYTES])
{
    if (nftw(tmp, sync_one, OPEN_MAX_AT_ONCE, FTW_DEPTH | FTW_PHYS) != 0) {
        return failed("sync the checkpoint", tmp);
    }
    uint32_t number = highest(dir), own = number_of(strrchr(tmp, '/') + 1, TMP_PREFIX);
    number = number == own ? own : number + 1; /* its own, unless there is a newer one */
    for (; number < NUMBER_MAX; number++) {
        int rc = path_of(out, dir, CHECKPOINT_PREFIX, number);
        if (rc != RAYC_OK) {
            return rc;
        }
        if (rename_new(tmp, out) == 0) {
            return sync_path(dir, O_DIRECTORY) == 0 ? RAYC_OK : failed("sync the folder", dir);
        }
        if (errno != EEXIST && errno != ENOTEMPTY) {
            break;
        }
    }
    return failed("commit the checkpoint", tmp);
}

int checkpoint_put_latest(const char *dir, const struct checkpoint_latest *latest)
{
    char path[PATH_BYTES], text[LATEST_BYTES], step[NUMBER_TEXT_BYTES];
    int n = snprintf(text, sizeof(text), "%u %s\ntask %016" PRIx64 " step %s\n", latest->run,
                     latest->path, latest->task, number_text(latest->step, step));
    ensure(n > 0 && (size_t)n < sizeof(text));
    if (latest->untold) {
        uint64_t bits;
        memcpy(&bits, &latest->value, sizeof(bits));
        n += snprintf(text + n, sizeof(text) - (size_t)n, UNTOLD "%016" PRIx64 " %s\n", bits,
                      latest->metrics);
        ensure((size_t)n < sizeof(text));
    }
    int rc = file_path(path, sizeof(path), dir, "latest");
    rc = rc == OK ? file_write(path, text, (size_t)n, 0644) : rc;
    return rc == OK ? RAYC_OK : failed("write", path);
}

/*  "untold BITS JSON", BITS of the value. */
static void get_untold(struct slice line, struct checkpoint_latest *out)
{
    static const char untold[] = UNTOLD;
    const size_t n = sizeof(untold) - 1, digits = 16;
    out->untold = line.n > n + digits + 1 && memcmp(line.p, untold, n) == 0 &&
                  slice_copy_text(slice_of(line.p + n + digits + 1, line.n - n - digits - 1),
                                  out->metrics, sizeof(out->metrics));
    if (out->untold) {
        uint64_t bits = strtoull((const char *)line.p + n, NULL, 16);
        memcpy(&out->value, &bits, sizeof(bits));
    }
}

static struct slice line_of(const char **at)
{
    const char *from = *at;
    size_t n = strcspn(from, "\n");
    *at += n + (from[n] == '\n');
    return slice_of(from, n);
}

/*  "task TASK step STEP" */
static bool get_step(struct slice line, struct checkpoint_latest *out)
{
    static const char task[] = "task ", step[] = " step ";
    const size_t digits = 16, step_at = sizeof(task) - 1 + digits,
                 number_at = step_at + sizeof(step) - 1;
    if (line.n <= number_at || memcmp(line.p, task, sizeof(task) - 1) != 0 ||
        memcmp(line.p + step_at, step, sizeof(step) - 1) != 0) {
        return false;
    }
    out->task = strtoull((const char *)line.p + sizeof(task) - 1, NULL, 16);
    json_t *number = json_loadb((const char *)line.p + number_at, line.n - number_at,
                                JSON_DECODE_ANY, NULL); /* whatever the locale */
    out->step = json_number_value(number);
    json_decref(number);
    return true;
}

bool checkpoint_get_latest(const char *dir, struct checkpoint_latest *out)
{
    char path[PATH_BYTES], text[LATEST_BYTES];
    if (file_path(path, sizeof(path), dir, "latest") != OK ||
        file_read(path, text, sizeof(text)) != OK) {
        return false;
    }
    char *end;
    const char *at = text;
    struct slice first = line_of(&at);
    out->run = (uint32_t)strtoul(text, &end, 10);
    size_t before = (size_t)(end - text) + 1;
    if (*end != ' ' || first.n <= before ||
        !slice_copy_text(slice_of(first.p + before, first.n - before), out->path,
                         sizeof(out->path)) ||
        !get_step(line_of(&at), out)) {
        return false;
    }
    get_untold(line_of(&at), out);
    return true;
}

void checkpoint_told(const char *dir)
{
    char path[PATH_BYTES], text[LATEST_BYTES];
    const char *at = text;
    if (file_path(path, sizeof(path), dir, "latest") != OK ||
        file_read(path, text, sizeof(text)) != OK) {
        return;
    }
    (void)line_of(&at);
    (void)line_of(&at);
    int fd = strncmp(at, UNTOLD, sizeof(UNTOLD) - 1) == 0 ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!pwrite(fd, TOLD, sizeof(TOLD) - 1, at - text);
        close(fd);
    }
}

bool checkpoint_is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool checkpoint_is_empty(const char *path)
{
    DIR *folder = opendir(path);
    unsigned entries = 0;
    while (folder != NULL && entries < 3 && readdir(folder) != NULL) {
        entries++; /* "." and ".." */
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return entries < 3;
}
