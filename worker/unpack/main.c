/*  main.c - rayc-unpack UID: the archive that is descriptor 0 becomes what is in the empty folder that is descriptor 3.
    Its exit status is 0 or an error's code without the sign; what was wrong goes to descriptor 1.

    Before it reads a byte, it gives up what a reader of archives does not need: see worker/unpack.h. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/file.h"
#include "worker/confine.h"
#include "worker/unpack.h"

enum { EXIT_USAGE = 2, FILES_MAX = 64 };
#define MEMORY_BYTES_MAX (1ull << 30) /* beside what it has when it starts */

static int refuse(const char *what)
{
    dprintf(UNPACK_WHY, "it could not give up its %s", what);
    return -ERR_SYSTEM;
}

static bool limit_memory(void)
{
    char text[128];
    unsigned long long pages;
    if (file_read("/proc/self/statm", text, sizeof(text)) != OK ||
        sscanf(text, "%llu", &pages) != 1) {
        return false;
    }
    rlim_t bytes = pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES_MAX;
    return setrlimit(RLIMIT_AS, &(struct rlimit){ bytes, bytes }) == 0;
}

/*  Time, too, for whoever keeps a reader busy keeps the packages of all users waiting; waiting costs none, and is the
    worker's to end. */
static bool limit_time(void)
{
    return setrlimit(RLIMIT_CPU, &(struct rlimit){ UNPACK_CPU_S_MAX, UNPACK_CPU_S_MAX + 5 }) == 0;
}

/*  Of another uid there is this one process, and it can start no other. */
static bool become(uint32_t uid)
{
    return uid == 0 ||
           (setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }) == 0 && setgroups(0, NULL) == 0 &&
            setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
    return syscall(SYS_capset, &head, none) == 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || fcntl(UNPACK_ROOT, F_GETFD) < 0) {
        fputs("rayc-unpack: a worker starts this program, for packages\n", stderr);
        return EXIT_USAGE;
    }
    char why[UNPACK_WHY_BYTES] = "";
    struct unpack_limits limits = unpack_limits();
    confine_self(
        &(struct confine){ .files = FILES_MAX, .file_bytes = limits.bytes_max, .as_user = true });
    umask(022);
    if (!limit_memory()) {
        return refuse("memory");
    }
    if (!limit_time()) {
        return refuse("time");
    }
    if (!become((uint32_t)strtoul(argv[1], NULL, 10)) || !drop_capabilities()) {
        return refuse("privileges");
    }
    int code = unpack_file(UNPACK_ARCHIVE, UNPACK_ROOT, &limits, why);
    dprintf(UNPACK_WHY, "%s", why);
    _exit(-code); /* what libraries do at the end may need a process more */
}
