/*  confine.c - without capabilities in the bounding and the inheritable set, and with no_new_privs, no execve() gives
    any: not to root's programs, and not to setuid ones.  The spawner itself keeps its own, to act as other users. */
#include "worker/confine.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/log.h"

struct confine confine_defaults(void)
{
    return (struct confine){
        .files = 65536, .file_bytes = 64ull << 30, .processes = 4096, .niceness = 15
    };
}

uint32_t confine_uid(const struct confine *limits, uint64_t user)
{
    enum { USERS_MAX = 65535 };
    return limits->uid_base == 0 ? 0
           : user > USERS_MAX    ? UINT32_MAX
                                 : limits->uid_base + (uint32_t)user;
}

/*  Never raises: a limit that is lower already stays. */
static void limit(int resource, const char *name, uint64_t most)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now)) {
        return;
    }
    rlim_t hard = now.rlim_max < most ? now.rlim_max : (rlim_t)most;
    struct rlimit wanted = { hard, hard };
    if (setrlimit((__rlimit_resource_t)resource, &wanted)) {
        log_warn("confine.limit", "limit=%s most=%llu error=\"%s\"", name, (unsigned long long)most,
                 strerror(errno));
    }
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) && geteuid() == 0) {
            log_warn("confine.capabilities", "error=\"%s\"", strerror(errno));
            break; /* a root without CAP_SETPCAP: no_new_privs is all there is */
        }
    }
    if (syscall(SYS_capget, &head, data) == 0) {
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
            data[i].inheritable = 0;
        }
        (void)syscall(SYS_capset, &head, data);
    }
}

void confine_self(const struct confine *limits)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    drop_capabilities();
    limit(RLIMIT_CORE, "core", 0);
    limit(RLIMIT_NOFILE, "files", limits->files);
    limit(RLIMIT_FSIZE, "file-bytes", limits->file_bytes);
    if (!limits->as_user) {
        umask(077);
    }
}
