/*  history.h - the attempts of one task, asked from the head. */
#ifndef RAYC_HISTORY_H
#define RAYC_HISTORY_H
#include "client/rayc.h"
#include "client/session.h"

struct listener {
    void (*each)(void *context, const rayc_attempt_record *record);
    void *context;
};

/*  How many attempts were told, or a failure. */
int history_read(struct session *session, uint64_t task, const struct listener *to);
#endif
