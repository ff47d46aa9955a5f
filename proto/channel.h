/*  channel.h - how a worker and a resident executor (a program linked with librayc) share one socket pair and one
    page of memory.  Worker to executor: RUN frames; executor to worker: RAN frames; each with its size in front,
    as u32 little-endian.

    The page makes two things exact when an executor dies or is slow:
    - `claim` says which tasks it has begun.  The records of its RUN frames count 0, 1, 2, ...; the executor takes
      number n by moving claim from (n, limit) to (n + 1, limit).  The worker takes back what has not begun by moving
      claim from (n, limit) to (limit, limit): those numbers are void, are never used again, and the executor skips
      their records.  The worker writes a RUN frame first and raises limit after.
    - a task that reports (TELL) sleeps on `answered`; the worker writes decision and why, then `answered`, and wakes it.
    - a task that asks for its ticket (ASK) sleeps on `ticket_for`; the worker writes the ticket, then the low bits of the
      attempt's token, and wakes it.
    - results wait in `buffer` until they are sent; the worker reads them there when the executor has died, or has
      not sent them for a while.  Readers compare `generation` before and after, and take each `number` once. */
#ifndef RAYC_CHANNEL_H
#define RAYC_CHANNEL_H
#include <stdatomic.h>
#include "common/base.h"

enum {
    CHANNEL_FD = 3,
    CHANNEL_PAGE_FD = 4,
    CHANNEL_BUFFER = 256 * 1024,
    CHANNEL_WHY = 512,
    CHANNEL_TICKET = 256
};

struct channel_page {
    _Atomic uint64_t claim;      /* low 32 bits: tasks begun; high 32 bits: tasks that may begin */
    _Atomic uint32_t generation; /* counts the times the buffer was emptied */
    _Atomic uint32_t used;       /* bytes of buffer that are complete RAN records */
    uint8_t buffer[CHANNEL_BUFFER];
    _Atomic uint32_t
        answered; /* number of the last report of the running task that was answered: a futex */
    _Atomic uint32_t
        answer_attempt; /* low bits of its token, so that an answer to an earlier task is not taken */
    uint32_t decision;     /* enum decision */
    char why[CHANNEL_WHY]; /* for people; ends with a NUL */
    _Atomic uint32_t
        ticket_for; /* low bits of the token of the attempt that `ticket` is for: a futex */
    char ticket[CHANNEL_TICKET];
};

/*  The executor takes its next task: its number, or NONE when no more may begin. */
static inline uint32_t channel_claim(struct channel_page *page)
{
    uint64_t old = atomic_load_explicit(&page->claim, memory_order_acquire);
    for (;;) {
        uint32_t begun = (uint32_t)old;
        if (begun == (uint32_t)(old >> 32)) {
            return NONE;
        }
        if (atomic_compare_exchange_weak(&page->claim, &old,
                                         (old & ~0xFFFFFFFFull) | (begun + 1u))) {
            return begun;
        }
    }
}

/*  The worker allows tasks below `limit`. */
static inline void channel_allow(struct channel_page *page, uint32_t limit)
{
    uint64_t old = atomic_load(&page->claim);
    while (
        !atomic_compare_exchange_weak(&page->claim, &old, (uint64_t)limit << 32 | (uint32_t)old)) {}
}

/*  The worker forbids whatever has not begun; returns the first number that is void (up to the limit set last). */
static inline uint32_t channel_take_back(struct channel_page *page)
{
    uint64_t old = atomic_load(&page->claim);
    while (!atomic_compare_exchange_weak(&page->claim, &old, (old >> 32) << 32 | (old >> 32))) {}
    return (uint32_t)old;
}

/*  The worker answers report `number` of the attempt of this token; then it wakes whoever sleeps on `answered`. */
static inline void channel_answer(struct channel_page *page, uint64_t token, uint32_t number,
                                  uint32_t decision, struct slice why)
{
    atomic_store(&page->answered, 0); /* nobody takes what is written from here on for an answer */
    page->decision = decision;
    (void)slice_copy_text(why, page->why, sizeof(page->why));
    atomic_store(&page->answer_attempt, (uint32_t)token);
    atomic_store(&page->answered, number);
}

/*  Has this report been answered?  Then decision and why are those of the answer. */
static inline bool channel_answered(struct channel_page *page, uint64_t token, uint32_t number)
{
    return atomic_load(&page->answered) == number &&
           atomic_load(&page->answer_attempt) == (uint32_t)token;
}

/*  The worker gives the attempt of this token its ticket; then it wakes whoever sleeps on `ticket_for`. */
static inline void channel_put_ticket(struct channel_page *page, uint64_t token, const char *text)
{
    atomic_store(&page->ticket_for, 0);
    (void)slice_copy_text(slice_text(text), page->ticket, sizeof(page->ticket));
    atomic_store(&page->ticket_for, (uint32_t)token);
}

static inline uint32_t channel_begun(struct channel_page *page)
{
    return (uint32_t)atomic_load(&page->claim);
}
#endif
