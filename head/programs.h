/*  programs.h - the content store of the head: programs by the hash of their bytes,
    STATE/programs/HASH.

    A program arrives in pieces, in order, into HASH.part; it gets its name only when all of it is
    there, its hash is right, and it is on the disk.  So a file without .part is whole, whatever
    was killed when.  A file is as old as its newest upload, or question whether it is there; old ones that nothing
    names are swept.  Uploads that a head did not finish are dropped at the next start, and begin
    anew.  Used from one thread. */
#ifndef RAYC_PROGRAMS_H
#define RAYC_PROGRAMS_H
#include "common/base.h"
#include "common/err.h"
#include "proto/proto.h"

enum { UPLOADS_MAX = 8 }; /* at a time: the one that got no piece for longest makes room */

struct programs;

MUST_CHECK int programs_open(struct programs **out, const char *dir); /* makes the folder */
void programs_close(struct programs **self);                          /* NULL-safe */

/*  Adds a piece.  Fills `has`: where the head wants to go on, and whether it has all; a piece
    from elsewhere changes nothing.  ERR_INVALID: no hash, no or too large a size.  ERR_CONFLICT:
    the whole does not have this hash, it was dropped.  ERR_SYSTEM: the disk. */
MUST_CHECK int programs_put(struct programs *self, const struct msg_program_put *piece,
                            struct msg_program_has *has);
/*  ERR_NOT_FOUND: there is none (whole). */
MUST_CHECK int programs_size(struct programs *self, struct slice hash, uint64_t *bytes);
/*  Appends to `to` what fits from `offset` on; nothing at the end.  ERR_NOT_FOUND, ERR_SYSTEM. */
MUST_CHECK int programs_read(struct programs *self, struct slice hash, uint64_t offset,
                             struct wire *to, uint64_t *total);
/*  Removes files that nobody has put or asked for since `since_ms` (wall clock), and that `named` does not know.  Looks
    at some at each call; true: there are more.  Files that other threads put meanwhile (package_file.h) stay. */
typedef int programs_named(void *context, const char *hash, bool *named);
bool programs_sweep(struct programs *self, uint64_t since_ms, programs_named *named, void *context);
#endif
