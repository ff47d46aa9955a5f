/*  folder.h - the worker's folder: one worker at a time, and a key that stays with it. */
#ifndef RAYC_FOLDER_H
#define RAYC_FOLDER_H
#include "common/err.h"
#include "common/file.h"

/*  Writes the folder's absolute path to `dir` (`given`, or NULL: worker in the state folder), makes it and what is in
    it, and locks it for as long as this process lives.  ERR_LOCKED: another worker has it.  Failures are told on
    stderr. */
MUST_CHECK int folder_take(const char *given, char dir[PATH_BYTES]);
/*  The worker's name for itself, 64 hex digits, made once: it tells the head that a new process is the same node's. */
MUST_CHECK int folder_key(const char *dir, char *out65);
/*  Lets executors of other users through to their scratch folders, programs and packages; nobody can list them.
    ERR_FORBIDDEN: they would not get to `dir`; what is in the way is in `closed`. */
MUST_CHECK int folder_share(const char *dir, char closed[PATH_BYTES]);
#endif
