/*  package_file.h - one archive on its way into the content store (programs.h), from a thread of its own: written to
    NAME.part and hashed as it comes, and given its content hash as a name when it is whole and on the disk.  So the
    store's rule holds: a file without .part is whole.  What is left by a head that was killed, the next one drops. */
#ifndef RAYC_PACKAGE_FILE_H
#define RAYC_PACKAGE_FILE_H
#include "common/base.h"
#include "common/err.h"
#include "common/hash.h"

struct package_file;

/*  `dir`: STATE/programs. */
MUST_CHECK int package_file_open(struct package_file **out, const char *dir);
/*  ERR_SYSTEM: the disk, and nothing more can be added. */
MUST_CHECK int package_file_add(struct package_file *self, struct slice bytes);
/*  Gives it its name; the same content may be there already. */
MUST_CHECK int package_file_keep(struct package_file *self, char hash[HASH_TEXT_BYTES],
                                 uint64_t *bytes);
void package_file_close(struct package_file **self); /* drops what was not kept; NULL-safe */
/*  Of one that is whole.  ERR_NOT_FOUND: there is none. */
MUST_CHECK int package_file_bytes(const char *dir, const char *hash, uint64_t *bytes);
#endif
