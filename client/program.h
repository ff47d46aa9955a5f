/*  program.h - a program as the cluster knows it: a file, named by the hash of its content. */
#ifndef RAYC_PROGRAM_H
#define RAYC_PROGRAM_H
#include "common/base.h"
#include "common/err.h"
#include "common/hash.h"
#include "proto/proto.h"

/*  How to send one piece and wait for the answer: the caller's connection. */
struct program_to {
    int (*put)(void *context, struct msg_program_put *piece, struct msg_program_has *has);
    void *context;
};

/*  Hashes the file at `path`.  Failures are described by rayc_error(). */
MUST_CHECK int program_hash(const char *path, char hash[HASH_TEXT_BYTES]);

struct session;

/*  The functions that the session submits from now on are those of the program at `path`, whose hash this is: it is
    sent to the head if that does not have it. */
MUST_CHECK int program_use(struct session *session, const char *path, const char *hash);

/*  Sends what the head does not have yet of the file of this hash: nothing, if it has all. */
MUST_CHECK int program_upload(const char *path, const char *hash, const struct program_to *to);
#endif
