/*  carry_store.h - what carry needs of a node's store, and where it listens. */
#ifndef RAYC_CARRY_STORE_H
#define RAYC_CARRY_STORE_H
#include "worker/carry.h"
#include "worker/node_store.h"

/*  What is fetched becomes a secondary copy. */
struct carry_store carry_store(struct node_store *store);

/*  Where to listen, as an endpoint for carry_open(). */
struct carry_place {
    const char *head; /* its address: what reaches it reaches other nodes */
    const char *host; /* NULL: found out */
    uint16_t port;    /* 0: any */
    const char *dir;  /* of the worker */
    bool encrypted;   /* else on this machine only */
};
MUST_CHECK int carry_endpoint(const struct carry_place *place, char out[CARRY_ADDRESS_BYTES]);
#endif
