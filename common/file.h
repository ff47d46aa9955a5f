/*  file.h - the state folder, and files that are whole or not there. */
#ifndef RAYC_FILE_H
#define RAYC_FILE_H
#include <sys/types.h>
#include "common/base.h"
#include "common/err.h"

enum { PATH_BYTES = 4096 };

/*  $RAYC_STATE_DIR, else $XDG_STATE_HOME/rayc, else ~/.local/state/rayc.  `given` (may be NULL) goes first. */
MUST_CHECK int state_dir(const char *given, char *out, size_t capacity);
/*  $XDG_CONFIG_HOME/rayc, else ~/.config/rayc: what a user keeps for all clusters. */
MUST_CHECK int config_dir(char *out, size_t capacity);
MUST_CHECK int file_make_dir(const char *path, mode_t mode); /* with parents; OK if it is there */
MUST_CHECK int file_path(char *out, size_t capacity, const char *dir,
                         const char *name); /* dir/name; ERR_TOO_LARGE */
/*  Writes a file under a temporary name, syncs it, renames it. */
MUST_CHECK int file_write(const char *path, const void *p, size_t n, mode_t mode);
/*  Reads a small text file, without the newline at its end.  ERR_NOT_FOUND, ERR_TOO_LARGE. */
MUST_CHECK int file_read(const char *path, char *out, size_t capacity);
/*  Takes an exclusive lock that lives as long as this process keeps the file descriptor it returns (>= 0);
    ERR_LOCKED: another process has it. */
MUST_CHECK int file_lock(const char *path);
bool file_locked(const char *path); /* does another process have the lock? */
/*  The content hash of a file: BLAKE2b-256 in hex, 64 digits and a NUL. */
MUST_CHECK int file_hash(const char *path, char *out65, uint64_t *bytes);
#endif
