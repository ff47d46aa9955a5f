/*  clock.c - clock_gettime() in milliseconds and microseconds. */
#include "common/clock.h"

#include <time.h>
#include "common/base.h"

static struct timespec now(clockid_t clock)
{
    struct timespec time;
    ensure(clock_gettime(clock, &time) == 0);
    return time;
}

static uint64_t ms(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
    return ms(now(CLOCK_BOOTTIME));
}

uint64_t clock_us(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

uint64_t clock_wall_ms(void)
{
    return ms(now(CLOCK_REALTIME));
}
