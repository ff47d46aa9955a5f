/*  spawner.c - the spawner process: starts executors, ends them with everything they started, and tells the worker.

    It owns every executor as its parent, and as a child subreaper whatever an executor leaves behind.  An executor
    goes from RUNNING to ENDING when its own process has ended; SPAWN_EXITED is told when none of its descendants is
    left.  Adopted processes belong to the executor whose session or group they are in, or whose RAYC_SPAWN they were
    started with; those that hid all three are killed when no executor is left.
    One thread, one place that waits (wait_for_work), never blocked by the worker. */
#include "worker/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/list.h"
#include "common/map.h"
#include "common/process.h"
#include "common/log.h"
#include "worker/cgroup.h"
#include "worker/family.h"
#include "worker/launch.h"
#include "worker/spawn.h"

enum {
    EXECUTORS_MAX = 64 * 1024,
    READ_BYTES = 64 * 1024,
    SWEEP_MS = 10 /* between looks at what an executor left behind, should no signal come */
};

enum executor_state { EXECUTOR_RUNNING = 1, EXECUTOR_ENDING };

struct executor {
    uint64_t id, pid; /* keys */
    uint32_t by_id, by_pid;
    struct link_pair ending;
    uint64_t mark;
    uint64_t group; /* its cgroup; 0: none */
    uint32_t uid;   /* of its own, shared with others of its job's owner; 0: none */
    int share;      /* launch_share_user() */
    enum executor_state state;
    bool seen; /* by a sweep: something of it still lives */
    struct spawn_event exited;
};

struct bytes {
    uint8_t *p;
    size_t n, capacity;
};

struct self {
    int socket, null, children_fd;
    pid_t pid;
    const struct confine *confine;
    const struct cgroups *cgroups; /* NULL: none */
    uint64_t groups;               /* that were made */
    sigset_t while_waiting; /* the signal mask during wait_for_work(): SIGCHLD gets through */
    struct pool executors;
    struct map by_id, by_pid;
    struct chain ending;
    uint32_t running;
    struct bytes in, out;
    int fds[SPAWN_FDS_MAX]; /* received, for the next frame that wants some */
    uint32_t fd_count;
    const char **texts; /* argv and env of a request */
    size_t text_capacity;
    struct family children, scratch;
};

static void bytes_reserve(struct bytes *self, size_t n)
{
    if (self->capacity < n) {
        self->p = realloc(self->p, n);
        ensure(self->p != NULL);
        self->capacity = n;
    }
}

static void tell(struct self *self, const struct spawn_event *event)
{
    if (self->out.capacity - self->out.n < sizeof(*event)) {
        bytes_reserve(&self->out, self->out.capacity * 2 + 32 * sizeof(*event));
    }
    memcpy(self->out.p + self->out.n, event, sizeof(*event));
    self->out.n += sizeof(*event);
}

static void flush(struct self *self)
{
    while (self->out.n > 0) {
        ssize_t n = send(self->socket, self->out.p, self->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* full: later; broken: the next receive() sees it */
        }
        self->out.n -= (size_t)n;
        memmove(self->out.p, self->out.p + n, self->out.n);
    }
}

/* --- the end of executors -------------------------------------------------------------------------------- */

static void give(struct self *self, uint32_t index)
{
    const struct executor *executor = pool_at(&self->executors, index);
    if (executor->share >= 0) {
        close(executor->share);
    }
    pool_give(&self->executors, index);
}

/*  Does another executor of this user run? */
static bool user_runs(const struct self *self, uint32_t uid, uint32_t but)
{
    for (uint32_t i = 0; i < self->executors.fresh; i++) {
        const struct executor *executor = pool_at(&self->executors, i);
        if (i != but && executor->state == EXECUTOR_RUNNING && executor->uid == uid) {
            return true;
        }
    }
    return false;
}

/*  Nothing else of its user runs: whatever the user has belongs to it. */
static void kill_user(const struct self *self, uint32_t index)
{
    const struct executor *executor = pool_at(&self->executors, index);
    if (executor->uid != 0 && !user_runs(self, executor->uid, index)) {
        launch_kill_user(executor->uid, executor->share);
    }
}

static void on_leader_ended(struct self *self, uint32_t index)
{
    struct executor *executor = pool_at(&self->executors, index);
    struct rusage used;
    int status = 0;
    kill(-(pid_t)executor->pid, SIGKILL); /* its zombie still holds the number of the group */
    pid_t pid = wait4((pid_t)executor->pid, &status, 0, &used);
    ensure(pid == (pid_t)executor->pid);
    map_remove(&self->by_pid, index);
    launch_leave_user(executor->share);
    executor->state = EXECUTOR_ENDING;
    executor->exited = (struct spawn_event){
        .kind = SPAWN_EXITED,
        .id = (uint32_t)executor->id,
        .pid = (uint32_t)executor->pid,
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
        .max_rss_bytes = (uint64_t)used.ru_maxrss * 1024,
        .cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec),
    };
    chain_append(&self->ending, &self->executors, offsetof(struct executor, ending), index);
    self->running--;
}

/*  Of the executors that are ending, the one that an adopted process belongs to, or NONE. */
static uint32_t owner_of(const struct self *self, pid_t pid)
{
    pid_t session = getsid(pid), group = getpgid(pid);
    uint64_t mark = family_mark(pid);
    for (uint32_t i = self->ending.first; i != NONE;) {
        const struct executor *executor = pool_at(&self->executors, i);
        if (session == (pid_t)executor->pid || group == (pid_t)executor->pid ||
            (mark != 0 && mark == executor->mark)) {
            return i;
        }
        i = executor->ending.next;
    }
    return NONE;
}

/*  Likewise by its user, when no executor of that user runs. */
static uint32_t owner_by_user(const struct self *self, pid_t pid)
{
    uint32_t uid = family_uid(pid);
    for (uint32_t i = uid ? self->ending.first : NONE; i != NONE;) {
        const struct executor *executor = pool_at(&self->executors, i);
        if (executor->uid == uid) {
            return user_runs(self, uid, i) ? NONE : i;
        }
        i = executor->ending.next;
    }
    return NONE;
}

/*  Kills or reaps one process that is a child of ours but not an executor. */
static void sweep_one(struct self *self, pid_t pid, bool *again)
{
    if (waitpid(pid, NULL, WNOHANG) == pid) {
        *again = true; /* its children, if any, are ours now */
        return;
    }
    uint32_t owner = owner_of(self, pid);
    owner = owner == NONE ? owner_by_user(self, pid) : owner;
    if (owner == NONE && self->running == 0) {
        owner = self->ending.first;
    }
    if (owner != NONE) {
        struct executor *executor = pool_at(&self->executors, owner);
        executor->seen = true;
        kill_user(self, owner);
        family_kill(&self->scratch, pid);
    }
}

/*  Ends what executors that are ENDING left behind, and tells of those that left nothing. */
static void sweep(struct self *self)
{
    for (uint32_t i = self->ending.first; i != NONE;) {
        struct executor *executor = pool_at(&self->executors, i);
        executor->seen = false;
        i = executor->ending.next;
    }
    bool again = true;
    while (again) {
        again = false;
        self->children.count = 0;
        family_add_own(&self->children, self->children_fd);
        for (uint32_t i = 0; i < self->children.count; i++) {
            pid_t pid = self->children.pids[i];
            if (map_find(&self->by_pid, (uint64_t)pid) == NONE) {
                sweep_one(self, pid, &again);
            }
        }
    }
    for (uint32_t i = self->ending.first; i != NONE;) {
        struct executor *executor = pool_at(&self->executors, i);
        uint32_t next = executor->ending.next;
        if (!executor->seen) {
            executor->exited.out_of_memory =
                executor->group != 0 && cgroup_end(self->cgroups, executor->group);
            tell(self, &executor->exited);
            chain_remove(&self->ending, &self->executors, offsetof(struct executor, ending), i);
            map_remove(&self->by_id, i);
            give(self, i);
        }
        i = next;
    }
}

static bool reap(struct self *self)
{
    bool any = false;
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0) {
            break;
        }
        any = true;
        uint32_t index = map_find(&self->by_pid, (uint64_t)info.si_pid);
        if (index == NONE) {
            (void)waitpid(info.si_pid, NULL, 0); /* adopted */
        } else {
            on_leader_ended(self, index);
        }
    }
    if (self->ending.count > 0) {
        sweep(self);
    }
    return any;
}

/*  The worker is gone: nothing may survive it.  What is killed leaves its own children to us, so each round waits for
    those that it killed, and for nothing else: one that has come meanwhile would never end. */
static _Noreturn void end_all(struct self *self)
{
    do {
        self->children.count = 0;
        family_add_own(&self->children, self->children_fd);
        for (uint32_t i = 0; i < self->children.count; i++) {
            kill(-self->children.pids[i], SIGKILL);
            family_kill(&self->scratch, self->children.pids[i]);
        }
        for (uint32_t i = 0; i < self->children.count; i++) {
            (void)waitpid(self->children.pids[i], NULL, 0);
        }
    } while (waitpid(-1, NULL, WNOHANG) >= 0); /* below zero: there are no children */
    if (self->cgroups) {
        cgroups_close(self->cgroups);
    }
    _exit(0);
}

/* --- requests -------------------------------------------------------------------------------------------- */

static void close_received(struct self *self)
{
    for (uint32_t i = 0; i < self->fd_count; i++) {
        close(self->fds[i]);
    }
    self->fd_count = 0;
}

/*  Takes `count` texts of a frame into texts[at...] and a NULL; false when the frame is too short. */
static bool take_texts(struct self *self, struct slice *frame, size_t at, size_t count)
{
    if (self->text_capacity < at + count + 1) {
        self->texts = realloc(self->texts, (at + count + 1) * sizeof(*self->texts));
        ensure(self->texts != NULL);
        self->text_capacity = at + count + 1;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *end = memchr(frame->p, 0, frame->n);
        if (!end) {
            return false;
        }
        self->texts[at + i] = (const char *)frame->p;
        frame->n -= (size_t)(end + 1 - frame->p);
        frame->p = end + 1;
    }
    self->texts[at + count] = NULL;
    return true;
}

/*  Runs it, in a cgroup of its own if it demands memory and there are any; the number of that.  For others the rest of
    their limits is enough, and to start is twice as fast.  launch->error says why not. */
static pid_t run(struct self *self, struct launch *launch, uint64_t group_bytes, uint64_t *group)
{
    const struct cgroup_limits limits = { group_bytes, self->confine->processes };
    int procs[CGROUP_FOLDERS];
    *group = self->cgroups && group_bytes > 0 ? ++self->groups : 0;
    if (*group == 0) {
        return launch_run(launch);
    }
    if (cgroup_make(self->cgroups, *group, &limits, procs)) {
        launch->error = errno;
        return -1;
    }
    launch->groups = procs;
    launch->group_count = self->cgroups->count;
    pid_t pid = launch_run(launch);
    for (uint32_t i = 0; i < launch->group_count; i++) {
        close(procs[i]);
    }
    if (launch->error) {
        (void)cgroup_end(self->cgroups, *group);
    }
    return pid;
}

static void on_spawn(struct self *self, const struct spawn_frame *head, struct slice texts)
{
    struct launch launch = { .parent = self->pid,
                             .memory_bytes = head->memory_bytes,
                             .uid = head->uid,
                             .processes = self->confine->processes,
                             .niceness = self->confine->niceness };
    uint32_t sent = 0;
    for (uint32_t i = 0; i < SPAWN_FDS_MAX; i++) {
        bool has = head->fd_mask >> i & 1u;
        launch.fds[i] = !has                    ? (i < 3 ? self->null : -1)
                        : sent < self->fd_count ? self->fds[sent]
                                                : -1;
        sent += has;
    }
    size_t first = 1 + head->has_cwd, env = first + head->argc + 1;
    ensure(take_texts(self, &texts, 0, first));
    ensure(take_texts(self, &texts, first, head->argc));
    ensure(take_texts(self, &texts, env, head->envc));
    launch.path = self->texts[0];
    launch.cwd = head->has_cwd ? self->texts[1] : NULL;
    launch.argv = self->texts + first;
    launch.env = self->texts + env;
    struct spawn_event event = { .kind = SPAWN_FAILED, .id = head->id, .error = EMFILE };
    uint32_t index = sent == self->fd_count ? pool_take(&self->executors) : NONE;
    if (index != NONE) {
        uint64_t group;
        struct executor *executor = pool_at(&self->executors, index);
        executor->share = launch_share_user(head->uid);
        pid_t pid = run(self, &launch, head->group_bytes, &group);
        event.error = launch.error;
        if (launch.error == 0) {
            event.kind = SPAWN_STARTED;
            event.pid = (uint32_t)pid;
            executor->id = head->id;
            executor->pid = (uint64_t)pid;
            executor->mark = head->mark;
            executor->group = group;
            executor->uid = head->uid;
            executor->state = EXECUTOR_RUNNING;
            map_add(&self->by_id, index);
            map_add(&self->by_pid, index);
            self->running++;
        } else {
            give(self, index);
        }
    }
    tell(self, &event);
}

static void on_kill(struct self *self, const struct spawn_frame *head)
{
    uint32_t index = map_find(&self->by_id, head->id);
    if (index == NONE) {
        return;
    }
    const struct executor *executor = pool_at(&self->executors, index);
    if (executor->state == EXECUTOR_RUNNING) {
        pid_t pid = (pid_t)executor->pid;
        if (head->signal == SIGKILL) {
            kill_user(self, index);
            family_kill(&self->scratch, pid);
        }
        kill(-pid, head->signal);
    }
}

/*  Carries out the whole frames in the buffer.  At most one of them can have descriptors, since the kernel never
    gives us two sets of them in one read. */
static void take_frames(struct self *self)
{
    size_t at = 0;
    struct spawn_frame head;
    while (self->in.n - at >= sizeof(head)) {
        memcpy(&head, self->in.p + at, sizeof(head));
        ensure(head.bytes >= sizeof(head) && head.bytes <= SPAWN_FRAME_MAX);
        if (self->in.n - at < head.bytes) {
            bytes_reserve(&self->in, head.bytes + (size_t)READ_BYTES);
            break;
        }
        if (head.kind == FRAME_SPAWN) {
            on_spawn(self, &head,
                     slice_of(self->in.p + at + sizeof(head), head.bytes - sizeof(head)));
            if (head.fd_mask) {
                close_received(self);
            }
        } else {
            on_kill(self, &head);
        }
        at += head.bytes;
    }
    self->in.n -= at;
    memmove(self->in.p, self->in.p + at, self->in.n);
    if (self->in.n == 0 && self->in.capacity > 1 << 20) {
        free(self->in.p);
        self->in = (struct bytes){ 0 };
        bytes_reserve(&self->in, READ_BYTES);
    }
}

/*  Reads once; false when there was nothing. */
static bool receive(struct self *self)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SPAWN_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec part = { self->in.p + self->in.n, self->in.capacity - self->in.n };
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    ssize_t n = recvmsg(self->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        end_all(self);
    }
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            ensure(self->fd_count == 0);
            self->fd_count = (uint32_t)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(self->fds, CMSG_DATA(head), self->fd_count * sizeof(int));
        }
    }
    self->in.n += (size_t)n;
    take_frames(self);
    return true;
}

/* --- the process ----------------------------------------------------------------------------------------- */

static void wait_for_work(const struct self *self)
{
    struct pollfd poll = { self->socket, (short)(POLLIN | (self->out.n ? POLLOUT : 0)), 0 };
    struct timespec pause = { 0, SWEEP_MS * 1000000L };
    (void)ppoll(&poll, 1, self->ending.count ? &pause : NULL, &self->while_waiting);
}

static void on_child(int signal)
{
    (void)signal; /* it is there to interrupt ppoll() */
}

/*  Ctrl-C and what else is sent to the worker's group is not for us; executors start with default dispositions. */
static void take_signals(struct self *self)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 1; i < NSIG; i++) {
        (void)signal(i, SIG_DFL);
    }
    struct sigaction action = { .sa_handler = on_child };
    sigaction(SIGCHLD, &action, NULL);
    self->while_waiting = all;
    sigdelset(&self->while_waiting, SIGCHLD);
}

/*  Keeps the socket, stderr, and /dev/null in all places below SPAWN_FDS_MAX, so that descriptors that are
    received are above what they will become; all are closed on exec. */
static void take_descriptors(struct self *self, int socket)
{
    int low = fcntl(socket, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
    ensure(low >= 0);
    self->socket = dup3(low, 3, O_CLOEXEC);
    (void)close_range(4, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ensure(null >= 0);
    for (int fd = 0; fd < SPAWN_FDS_MAX; fd++) {
        if (fd != 2 && fd != self->socket && fd != null) {
            ensure(dup3(null, fd, O_CLOEXEC) == fd);
        }
    }
    (void)fcntl(2, F_SETFD, FD_CLOEXEC);
    self->null = null;
}

void spawner_run(int socket, const struct confine *confine)
{
    struct self self = { .pid = getpid(), .confine = confine };
    (void)prctl(PR_SET_NAME, "rayc-spawner");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)setsid();
    take_signals(&self);
    take_descriptors(&self, socket);
    process_hide();
    if (confine->cgroups && cgroups_begin(confine->cgroups)) {
        log_error("spawner.cgroup", "error=\"%s\"", strerror(errno));
    } else {
        self.cgroups = confine->cgroups;
    }
    confine_self(confine);
    size_t bytes = pool_bytes(EXECUTORS_MAX, sizeof(struct executor)),
           map = map_bytes(EXECUTORS_MAX);
    uint8_t *memory = mmap(NULL, bytes + 2 * map, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ensure(memory != MAP_FAILED);
    pool_init(&self.executors, memory, EXECUTORS_MAX, sizeof(struct executor));
    map_init(&self.by_id, memory + bytes, EXECUTORS_MAX, &self.executors,
             offsetof(struct executor, id), offsetof(struct executor, by_id));
    map_init(&self.by_pid, memory + bytes + map, EXECUTORS_MAX, &self.executors,
             offsetof(struct executor, pid), offsetof(struct executor, by_pid));
    chain_init(&self.ending);
    self.children_fd = family_open();
    bytes_reserve(&self.in, READ_BYTES);
    for (;;) {
        bool busy = receive(&self);
        busy |= reap(&self);
        flush(&self);
        if (!busy) {
            wait_for_work(&self);
        }
    }
}
