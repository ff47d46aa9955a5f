/*  reserve.h - address space that is reserved once and touched as it is used: memory for what is usually small and at
    times large. */
#ifndef RAYC_RESERVE_H
#define RAYC_RESERVE_H
#include <sys/mman.h>
#include "common/base.h"

/*  NULL: this process may not have so much address space. */
static inline void *reserve_try(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static inline void *reserve_memory(size_t bytes)
{
    void *p = reserve_try(bytes);
    ensure(p != NULL);
    return p;
}

/*  NULL-safe. */
static inline void reserve_free(void *p, size_t bytes)
{
    if (p) {
        munmap(p, bytes);
    }
}

/*  What is beyond `kept` (whole pages) is not needed any more: those pages go back, and read as zeros. */
static inline void reserve_return(uint8_t *p, size_t bytes, size_t kept)
{
    madvise(p + kept, bytes - kept, MADV_DONTNEED);
}
#endif
