/*  family.h - processes by descent, read from /proc: who is a child of whom, and which attempt a process serves.
    Keeps no state but a list that is used again. */
#ifndef RAYC_FAMILY_H
#define RAYC_FAMILY_H
#include <sys/types.h>
#include "common/base.h"

struct family {
    pid_t *pids; /* malloc'd, grows; zeroed struct is an empty list */
    uint32_t count;
    uint32_t capacity;
};

void family_fini(struct family *self);
void family_add(struct family *self, pid_t pid);
/*  Adds the children of a process, of all of its threads. */
void family_add_children(struct family *self, pid_t parent);
/*  The same for this process while it has one thread, at the price of one system call: `fd` from family_open(). */
int family_open(void); /* -1: this kernel cannot; family_add_own() takes it all the same */
void family_add_own(struct family *self, int fd);
/*  SIGKILL for a process and all of its descendants, parents first.  `scratch` is overwritten. */
void family_kill(struct family *scratch, pid_t root);
uint32_t family_uid(pid_t pid); /* its user; 0: root, or unknown */
/*  RAYC_SPAWN in the environment that the process was started with; 0: none, or not readable. */
uint64_t family_mark(pid_t pid);
#endif
