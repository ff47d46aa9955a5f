/*  http_ray.h - Ray's paths on our HTTP server: handlers for head/routes.def.  The real `ray job ...`, `ray list ...` and
    JobSubmissionClient speak to them.  They read with the worker's own connection; what changes something goes through
    the door as a message of the bearer's, so that the core decides as it does for everybody. */
#ifndef RAYC_HTTP_RAY_H
#define RAYC_HTTP_RAY_H
#include "common/web/web.h"
#include "common/web/web_socket.h"
#include "head/ray_job.h"

/*  What Ray's clients ask for: at least 2.8 for all that they can do. */
#define RAY_VERSION     "2.60.0"
#define RAY_API_VERSION "4"
enum { RAY_PACKAGE_MAX = 500 * MIB };

web_handler http_ray_version;
web_handler http_ray_jobs, http_ray_submit;
web_handler http_ray_job, http_ray_delete, http_ray_stop, http_ray_logs, http_ray_tail;
web_handler http_ray_package, http_ray_package_put;
web_take http_ray_package_take;
web_drop http_ray_package_drop;
web_handler http_ray_state, http_ray_summary;
#endif
