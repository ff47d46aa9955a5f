/*  probe.h - what listens at an address that no head of ours answers at?  Asked once, for the text of an error. */
#ifndef RAYC_CLI_PROBE_H
#define RAYC_CLI_PROBE_H
#include "common/base.h"

/*  Does an HTTP server answer at "tcp://host:port" or "host:port"?  Takes a second at most (and the look-up of the name). */
bool probe_http(const char *address);
#endif
