/*  place.h - where this process is: which running kernel, and which of its file systems.  Two that are at the same
    place mean the same by a path, which no address tells: 127.0.0.1 may be a forward to another machine, or to a
    container. */
#ifndef RAYC_PLACE_H
#define RAYC_PLACE_H
#include "common/hash.h"

void place_find(char out[HASH_TEXT_BYTES]); /* "": this system does not say */
#endif
