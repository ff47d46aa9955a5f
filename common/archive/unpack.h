/*  unpack.h - an archive of a stranger (zip or tar, gzip and zstd too) becomes what is in a folder.

    Refused are absolute names and .., names twice, names with control characters, links that lead out of the folder,
    hard links, devices, pipes, encryption, and more than the limits: entries, bytes, depth, a file that grows far
    beyond its archive.  Files get mode 0755 or 0644, never setuid. */
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

/*  Unpacks an open file into the empty folder `root`; what is there after a failure is the caller's to remove.
    ERR_INVALID: a bad archive, ERR_TOO_LARGE, ERR_SYSTEM; `why` (UNPACK_WHY_BYTES) says what and where. */
MUST_CHECK int unpack_file(int archive, int root, const struct unpack_limits *limits, char *why);
/*  Likewise from memory: for fuzzing. */
MUST_CHECK int unpack_bytes(struct slice archive, int root, const struct unpack_limits *limits,
                            char *why);
#endif
