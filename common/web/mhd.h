/*  mhd.h - libmicrohttpd, loaded when somebody speaks HTTP: with it comes a TLS library with all that this needs, more
    than a megabyte of a process that never uses it. */
#ifndef RAYC_WEB_MHD_H
#define RAYC_WEB_MHD_H
#include <microhttpd.h>
#include "common/err.h"

/*  mhd.stop_daemon is MHD_stop_daemon, ... */
struct mhd {
#define MHD(name) __typeof__(MHD_##name) *name;
#include "common/web/mhd.def"
#undef MHD
};
extern struct mhd mhd; /* all NULL before mhd_load() */

/*  For good, and once for the process: any thread may ask for it.  ERR_SYSTEM: `why` says what is missing. */
MUST_CHECK int mhd_load(struct diag *why);
MUST_CHECK bool mhd_is_loaded(void);
#endif
