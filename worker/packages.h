/*  packages.h - what of the content store is on this node.  Packages, DIR/packages/USER/HASH: archives that `fetches` has
    brought, unpacked once for each user, by rayc-unpack, on behalf of a thread.  An earlier worker's are removed when this
    one begins: nothing of it runs any more.  And programs, DIR/programs/HASH, which are as they were brought, and stay.

    All together stay below limits of bytes and number, as far as nothing needs them: what was not used for longest goes first. */
#ifndef RAYC_PACKAGES_H
#define RAYC_PACKAGES_H
#include "common/err.h"
#include "worker/confine.h"
#include "worker/programs.h"

struct packages;

#define PACKAGES_BYTES_MAX (10ull << 30)
enum { PACKAGES_MOST = 8192 }; /* the worker's core has room for some more */

struct packages_options {
    const char *dir;               /* has folders "packages" and "programs" */
    uint64_t bytes_max;            /* 0: PACKAGES_BYTES_MAX */
    uint32_t most;                 /* 0: PACKAGES_MOST */
    const struct confine *confine; /* whose they are; it and the next stay the caller's */
    const char *unpack;            /* rayc-unpack, with its path */
};
MUST_CHECK int packages_open(struct packages **out, const struct packages_options *options);
void packages_close(struct packages **self);  /* NULL-safe; waits for the thread */
int packages_fd(const struct packages *self); /* readable: there may be news */

/*  Its archive is to be fetched, too, and the end of that told with packages_fetched().  News will come. */
void packages_want(struct packages *self, const char *hash, uint64_t user);
/*  It is to be fetched; of that, packages_fetched() hears the end, and news come only when it goes. */
void packages_want_program(struct packages *self, const char *hash);
void packages_fetched(struct packages *self, const struct program_news *news);

struct package_news {
    char hash[HASH_TEXT + 1];
    bool program; /* else a package of `user` */
    uint64_t user;
    int code; /* OK: it is here; ERR_CLOSED: it was here, and is gone */
    char text[600];
};
bool packages_next(struct packages *self, struct package_news *out);

/*  `user` 0: the program. */
typedef bool packages_needs(const void *context, const char *hash, uint64_t user);
void packages_evict(struct packages *self, packages_needs *needs, const void *context);

/*  Where it is unpacked; of a worker's folder. */
void package_path(const char *dir, const char *hash, uint64_t user, char *out, size_t capacity);
#endif
