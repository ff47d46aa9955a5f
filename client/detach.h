/*  detach.h - starts a program of rayc that lives on without us: a session of its own, no
    descriptors of ours. */
#ifndef RAYC_DETACH_H
#define RAYC_DETACH_H
#include "common/base.h"
#include "common/file.h"

/*  Beside this program, in ../bin of librayc, where rayc was installed, in PATH.  ERR_NOT_FOUND. */
MUST_CHECK int detach_find(const char *name, char path[PATH_BYTES]);

/*  Its output is appended to the file `log`.  Returns its process id; below zero: a failure,
    with rayc_error(). */
MUST_CHECK int detach_start(const char *path, const char *const *argv, const char *log);
#endif
