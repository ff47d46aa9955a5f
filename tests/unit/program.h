/*  program.h - where a test finds a program of the build. */
#ifndef RAYC_TEST_PROGRAM_H
#define RAYC_TEST_PROGRAM_H
#include <stdio.h>
#include <unistd.h>
#include "common/file.h"

static inline void program_path(const char *name, char out[PATH_BYTES])
{
    char own[PATH_BYTES / 2];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    ensure(n > 0);
    own[n] = 0;
    *strrchr(own, '/') = 0;
    snprintf(out, PATH_BYTES, "%s/../bin/%s", own, name);
}
#endif
