/*  place.c - the kernel's boot id and the mount namespace, hashed: others learn nothing but whether they are equal. */
#include "common/place.h"

#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"

void place_find(char out[HASH_TEXT_BYTES])
{
    char boot[64], mounts[64];
    ssize_t n = readlink("/proc/self/ns/mnt", mounts, sizeof(mounts));
    out[0] = 0;
    if (n < 0 || file_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) != OK) {
        return;
    }
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, boot, strlen(boot));
    hash_add(&hash, mounts, (size_t)n);
    hash_end(&hash, out);
}
