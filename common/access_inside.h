/*  access_inside.h - how an access is written as zconfig: what access files and the file of credentials share. */
#ifndef RAYC_ACCESS_INSIDE_H
#define RAYC_ACCESS_INSIDE_H
#include <czmq.h>
#include "common/access.h"

enum { ACCESS_BYTES_MAX = 1024 }; /* of access_text(), indented or not */

/*  What stands in a section; NULL: all is well. */
const char *access_take(zconfig_t *from, struct access *out);
/*  The lines of an access, each after `indent`, into ACCESS_BYTES_MAX; returns how many bytes. */
size_t access_text(const struct access *from, const char *indent, char *out);
#endif
