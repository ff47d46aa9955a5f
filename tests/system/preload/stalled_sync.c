/*  stalled_sync.c - loaded before libc (LD_PRELOAD): fsync() and fdatasync() return no sooner than the file that
    RAYC_TEST_STALL names is gone, as on a disk that hangs. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int after_stall(const char *name, int fd)
{
    const char *stall = getenv("RAYC_TEST_STALL");
    const struct timespec pause = { 0, 5000000 };
    while (stall && access(stall, F_OK) == 0) {
        nanosleep(&pause, NULL);
    }
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    return after_stall("fsync", fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return after_stall("fdatasync", fd);
}
