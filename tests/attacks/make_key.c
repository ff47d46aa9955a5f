/*  make_key.c - for zmq.sh: `make_key FILE` makes the key of a cluster, as a head does that listens to other machines. */
#include <stdio.h>

#include "common/key.h"

int main(int argc, char **argv)
{
    struct cluster_key key;
    if (argc != 2) {
        fprintf(stderr, "usage: make_key FILE\n");
        return 2;
    }
    return key_make(argv[1], &key) == OK ? 0 : 1;
}
