/*  shell.h - the worker's loop: whatever happens becomes an event of the core, whatever the core says is done. */
#ifndef RAYC_SHELL_H
#define RAYC_SHELL_H
#include "common/key.h"
#include "worker/core/worker.h"
#include "worker/confine.h"
#include "worker/node_store.h"
#include "worker/spawn.h"

struct shell_config {
    struct worker_config core;
    const char *dir;     /* of the worker, absolute */
    const char *address; /* of the head */
    const struct member_key *key;
    const char *key_file; /* of `key`; both NULL: none */
    struct confine confine;
    const char *unpack;    /* rayc-unpack, with its path */
    const char *http_host; /* where it answers HTTP; NULL: nowhere */
    uint16_t http_port;    /* 0: any free one */
    struct node_store_config store;
    const char *carry_host; /* where it gives objects to other nodes; NULL: found out */
    uint16_t carry_port;    /* 0: any free one */
    uint32_t drain_ms;      /* after a SIGTERM, what runs may go on for so long */
};

enum { SHELL_AGAIN = -1 }; /* the worker is to come back as a new node */

/*  Runs until the core or a signal ends it; ends `spawner` with all executors.  Returns an exit code, or SHELL_AGAIN. */
int shell_serve(const struct shell_config *config, struct spawner **spawner);
#endif
