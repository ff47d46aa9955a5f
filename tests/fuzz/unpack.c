/*  unpack.c - libFuzzer: any bytes as an archive: nothing appears outside of its folder, no setuid, no odd kinds of file,
    and the limits hold. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/archive/unpack.h"
#include "common/tree.h"

enum { BYTES_MAX = 1 << 20, ENTRIES_MAX = 50 };

static uint64_t bytes;

static int look(const char *path, const struct stat *file, int type, struct FTW *place)
{
    (void)path;
    (void)type;
    (void)place;
    ensure(S_ISREG(file->st_mode) || S_ISDIR(file->st_mode) || S_ISLNK(file->st_mode));
    ensure((file->st_mode & 07000) == 0);
    bytes += S_ISREG(file->st_mode) ? (uint64_t)file->st_size : 0;
    return 0;
}

static int entries_of(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;
    while (folder && readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count - 2;
}

/*  Takes up to `most` bytes after a byte that says how many. */
static size_t take(struct slice *from, size_t most, char *out)
{
    size_t n = from->n > 0 ? from->p[0] % (most + 1) : 0;
    n = from->n > 0 && n > from->n - 1 ? from->n - 1 : n;
    if (from->n > 0) {
        memcpy(out, from->p + 1, n);
        *from = slice_of(from->p + 1 + n, from->n - 1 - n);
    }
    return n;
}

/*  A tar whose headers are right: what is tried is what they say. */
static struct slice tar_of(struct slice from)
{
    enum { BLOCK = 512, ENTRIES = 60 };
    static uint8_t out[(ENTRIES * 2 + 2) * BLOCK];
    static const char kinds[] = "000055522221367";
    size_t n = 0;
    for (int i = 0; i < ENTRIES && from.n > 2; i++) {
        char *head = (char *)out + n;
        memset(head, 0, 2 * (size_t)BLOCK);
        char kind = kinds[from.p[0] % (sizeof(kinds) - 1)];
        unsigned mode = from.p[1] * 16u;
        from = slice_of(from.p + 2, from.n - 2);
        take(&from, 99, head);
        take(&from, 99, head + 157);
        size_t bytes = kind == '0' ? take(&from, BLOCK / 2, head + BLOCK) : 0;
        snprintf(head + 100, 8, "%07o", mode);
        snprintf(head + 124, 12, "%011zo", bytes);
        head[156] = kind;
        memcpy(head + 257, "ustar\00000", 8);
        memset(head + 148, ' ', 8);
        unsigned sum = 0;
        for (int k = 0; k < BLOCK; k++) {
            sum += (unsigned char)head[k];
        }
        snprintf(head + 148, 8, "%06o", sum);
        n += bytes > 0 ? 2 * (size_t)BLOCK : BLOCK;
    }
    memset(out + n, 0, 2 * (size_t)BLOCK);
    return slice_of(out, n + 2 * (size_t)BLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice archive = slice_of(data, size);
    if (size > 0 && data[0] % 4 != 0) {
        archive = tar_of(slice_of(data + 1, size - 1));
    }
    static char box[] = "/tmp/rayc-fuzz-XXXXXX";
    static int at = -1;
    if (at < 0) {
        ensure(mkdtemp(box) != NULL && (at = open(box, O_RDONLY | O_DIRECTORY)) >= 0);
    }
    ensure(mkdirat(at, "root", 0700) == 0);
    int root = openat(at, "root", O_RDONLY | O_DIRECTORY);
    char why[UNPACK_WHY_BYTES];
    const struct unpack_limits limits = { BYTES_MAX, ENTRIES_MAX, 200 };
    (void)unpack_bytes(archive, root, &limits, why);
    close(root);
    ensure(entries_of(box) == 1);
    bytes = 0;
    nftw(box, look, 16, FTW_PHYS);
    ensure(bytes <= BYTES_MAX);
    remove_tree(at, "root");
    ensure(entries_of(box) == 0);
    return 0;
}
