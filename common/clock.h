/*  clock.h - the only functions that read time. */
#ifndef RAYC_CLOCK_H
#define RAYC_CLOCK_H
#include <stdint.h>

uint64_t clock_ms(void);      /* CLOCK_BOOTTIME: leases, timers; goes on while the machine sleeps */
uint64_t clock_us(void);      /* CLOCK_MONOTONIC: durations */
uint64_t clock_wall_ms(void); /* since 1970: for people only */
#endif
