/*  unpack.h - an archive of a stranger (zip or tar, gzip and zstd too) becomes a folder, or nothing.

    Refused are absolute names and .., names twice, names with control characters, links that lead out of the folder,
    hard links, devices, pipes, encryption, and more than the limits: entries, bytes, depth, a file that grows far
    beyond its archive.  Files get mode 0755 or 0644, never setuid.  All is made in a folder beside, which gets its name
    when everything is there. */
#ifndef RAYC_UNPACK_H
#define RAYC_UNPACK_H
#include "common/base.h"
#include "common/err.h"

enum { UNPACK_WHY_BYTES = 512 };

struct unpack_limits {
    uint64_t bytes_max;   /* of all files together */
    uint32_t entries_max; /* files, folders and links */
    uint32_t ratio_max;   /* bytes out for each byte in, beyond the first 64 MiB */
};
struct unpack_limits unpack_limits(void); /* 2 GiB, 100000, 200 */

/*  Unpacks the file `archive` into the folder `dir`/`name`, which must not be there: OK if it is, by somebody else.
    ERR_INVALID: a bad archive, ERR_TOO_LARGE, ERR_SYSTEM; `why` (UNPACK_WHY_BYTES) says what and where. */
MUST_CHECK int unpack_file(const char *archive, const char *dir, const char *name,
                           const struct unpack_limits *limits, char *why);
/*  Likewise from memory, into the empty folder `root` itself: for fuzzing. */
MUST_CHECK int unpack_bytes(struct slice archive, int root, const struct unpack_limits *limits,
                            char *why);
/*  Removes a folder with all that is in it, without following links; what cannot be removed stays. */
void remove_tree(int dir, const char *name);
#endif
