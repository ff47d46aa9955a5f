/*  programs.h - the programs of this node, DIR/programs/HASH: fetched from the head in pieces, checked, then renamed.
    A file under its name is whole: it was synced first. */
#ifndef RAYC_PROGRAMS_H
#define RAYC_PROGRAMS_H
#include "common/err.h"
#include "proto/proto.h"

struct fetches;

/*  `dir` has a folder "programs".  Removes what an earlier worker has not finished. */
MUST_CHECK int fetches_open(struct fetches **out, const char *dir);
void fetches_close(struct fetches **self);
void fetches_want(struct fetches *self, const char *hash);
void fetches_joined(struct fetches *self,
                    bool joined); /* true: ask again for what is missing; false: wait */
/*  A piece that does not come is asked for again; call it every FETCHES_MS while fetches_busy(). */
enum { FETCHES_MS = 1000 };
bool fetches_busy(const struct fetches *self);
void fetches_on_time(struct fetches *self, uint64_t now_ms);
void fetches_on_data(struct fetches *self, const struct msg_program_data *data);

/*  What to ask the head now; false: nothing. */
bool fetches_ask(struct fetches *self, struct msg_program_get *out);

struct program_news {
    char hash[HASH_TEXT + 1];
    int code;         /* OK: it is here */
    const char *text; /* else why not; static */
};
bool fetches_next(struct fetches *self, struct program_news *out);
#endif
