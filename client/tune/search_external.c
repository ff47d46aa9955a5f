/*  search_external.c - the search algorithm `external`: a program of the user's that is asked (external.h).  The
    shell talks to it; there is nothing that could be computed here. */
#include "client/tune/search.h"

const struct search_algorithm search_external = {
    .name = "external",
    .summary = "a program of yours, which is asked for points and told results (search.command)",
    .needs_history = true,
    .external = true,
};
