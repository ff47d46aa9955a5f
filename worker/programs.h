/*  programs.h - the programs of this node, DIR/programs/HASH: fetched from the head in pieces, checked, then renamed.
    A file under its name is whole: it was synced first. */
#ifndef RAYC_PROGRAMS_H
#define RAYC_PROGRAMS_H
#include "common/err.h"
#include "proto/proto.h"

struct programs;

/*  `dir` has a folder "programs".  Removes what an earlier worker has not finished. */
MUST_CHECK int programs_open(struct programs **out, const char *dir);
void programs_close(struct programs **self);
void programs_want(struct programs *self, const char *hash);
void programs_joined(struct programs *self,
                     bool joined); /* true: ask again for what is missing; false: wait */
/*  A piece that does not come is asked for again; call it every PROGRAMS_MS while programs_busy(). */
enum { PROGRAMS_MS = 1000 };
bool programs_busy(const struct programs *self);
void programs_on_time(struct programs *self, uint64_t now_ms);
void programs_on_data(struct programs *self, const struct msg_program_data *data);

/*  What to ask the head now; false: nothing. */
bool programs_ask(struct programs *self, struct msg_program_get *out);

struct program_news {
    char hash[HASH_TEXT + 1];
    int code;         /* OK: it is here */
    const char *text; /* else why not; static */
};
bool programs_next(struct programs *self, struct program_news *out);
#endif
