/*  pack.h - a folder becomes an archive (zip), for a job's working folder or a Python module.

    The same content gives the same bytes: names in order, no times, no owners, modes 0755 and 0644.  Left out is what
    .gitignore, .rayignore and .raycignore say, and .git; sockets and devices, too.  A link that leads out of the folder
    is refused: what it names would not be there. */
#ifndef RAYC_PACK_H
#define RAYC_PACK_H
#include "common/base.h"
#include "common/err.h"

enum { PACK_ENTRIES_MAX = 100000, PACK_WHY_BYTES = 1024 };
#define PACK_BYTES_MAX (500ull << 20) /* of all files together, as they are */

struct pack_options {
    const char *const *excludes; /* patterns as in .gitignore, NULL at the end; NULL: none */
    uint64_t bytes_max;          /* 0: PACK_BYTES_MAX */
    bool keep_name;              /* entries begin with the folder's own name: of a Python module */
    bool no_gitignore;           /* .gitignore is not asked */
};

struct packed {
    uint64_t files, bytes;
};

/*  Writes the archive of `dir` to `fd`.  In `why` (PACK_WHY_BYTES) stands what is wrong: the folder or a file cannot be
    read (ERR_SYSTEM, ERR_NOT_FOUND), it is too large (ERR_TOO_LARGE, with the largest files), a link leads out
    (ERR_INVALID), a file changed meanwhile (ERR_CONFLICT). */
MUST_CHECK int pack_folder(const char *dir, const struct pack_options *options, int fd,
                           struct packed *packed, char *why);
/*  What pack_folder() would take, one path after the other, in order; for tests and --verbose. */
typedef void pack_each(void *context, const char *path, uint64_t bytes);
MUST_CHECK int pack_list(const char *dir, const struct pack_options *options, pack_each *each,
                         void *context, char *why);
#endif
