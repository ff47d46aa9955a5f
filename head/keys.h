/*  keys.h - the keys of a head: its own CURVE pair, the pair of its members, and the two access files that give them
    away with a token.  They come from a folder that somebody has filled (a mounted Secret), else they are made in the
    state folder, once. */
#ifndef RAYC_KEYS_H
#define RAYC_KEYS_H
#include "common/access.h"

enum { KEYS_ACCESS = 2 };

struct keys {
    struct cluster_key own, member;
    bool has_key;                      /* else all keys are zeros */
    const char *access_dir;            /* NULL: of the state folder */
    struct access access[KEYS_ACCESS]; /* as keys_access_file() names them */
};

struct access_file {
    const char *name;
    /*  of its token, if the file was given: those of before are found by it */
    const char *given_name;
    uint32_t role; /* ROLE of states.def that its token gives */
};
const struct access_file *keys_access_file(uint32_t i);

/*  What is given: the head's own pair, and with `access_dir` the access files in it, which must fit that pair.  Either may
    be NULL.  ERR_CONFIG: one is missing or bad, and a line of the log says which. */
MUST_CHECK int keys_load(struct keys *out, const char *key_file, const char *access_dir);
/*  Without an `access_dir`: what is missing is made in the state folder. */
MUST_CHECK int keys_keep(struct keys *self, const char *state_dir);
void keys_forget_access(struct keys *self); /* once their tokens are known to the core */
/*  Fills a folder for `key_file` and `access_dir`: cluster.key, admin.key, worker.key.  What is there stays, if it fits
    together. */
MUST_CHECK int keys_make(const char *dir);
#endif
