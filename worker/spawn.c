/*  spawn.c - the worker's side of the spawner: starts it, sends it requests, reads its events.
    Requests are sent with blocking calls, which is safe because the spawner never waits for the worker: it keeps
    events that do not fit the socket. */
#include "worker/spawn.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/log.h"
#include "worker/family.h"
#include "worker/spawner.h"

enum { EVENTS_PER_READ = 32, FRAME_KEPT_MAX = 256 * 1024 };

struct spawner {
    pid_t pid;
    int socket;
    bool dead;
    uint8_t *frame; /* the request being made */
    size_t frame_capacity;
    size_t events_n, events_at; /* bytes in `events` */
    uint8_t events[EVENTS_PER_READ * sizeof(struct spawn_event)];
};

int spawner_start(struct spawner **out, const struct confine *confine)
{
    *out = NULL;
    int pair[2];
    struct spawner *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        log_error("spawner.start", "errno=%d", errno);
        free(self);
        return ERR_SYSTEM;
    }
    /* What the spawner leaves behind should it be killed comes to us: see spawner_stop(). */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    self->socket = pair[0];
    self->pid = fork();
    if (self->pid == 0) {
        spawner_run(pair[1], confine);
    }
    close(pair[1]);
    if (self->pid < 0) {
        log_error("spawner.start", "errno=%d", errno);
        close(pair[0]);
        free(self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

/*  The spawner was killed; its children die with it (PDEATHSIG), and theirs have become ours. */
static void kill_what_is_left(void)
{
    struct family children = { 0 }, scratch = { 0 };
    do {
        children.count = 0;
        family_add_children(&children, getpid());
        for (uint32_t i = 0; i < children.count; i++) {
            family_kill(&scratch, children.pids[i]);
            (void)waitpid(children.pids[i], NULL, 0);
        }
    } while (children.count > 0);
    family_fini(&children);
    family_fini(&scratch);
}

void spawner_stop(struct spawner **self_p)
{
    struct spawner *self = *self_p;
    if (!self) {
        return;
    }
    close(self->socket); /* it kills everything, then exits */
    int status = 0;
    while (waitpid(self->pid, &status, 0) < 0 && errno == EINTR) {}
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log_error("spawner.died", "status=%d", status);
        kill_what_is_left();
    }
    free(self->frame);
    free(self);
    *self_p = NULL;
}

int spawner_fd(const struct spawner *self)
{
    return self->socket;
}

bool spawner_dead(const struct spawner *self)
{
    return self->dead;
}

static int give_up(struct spawner *self)
{
    if (!self->dead) {
        log_error("spawner.gone", "pid=%d", (int)self->pid);
    }
    self->dead = true;
    return ERR_CLOSED;
}

static int send_frame(struct spawner *self, const void *p, size_t n, const int *fds, uint32_t count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SPAWN_FDS_MAX)];
        struct cmsghdr align;
    } control;
    size_t sent = 0;
    while (sent < n && !self->dead) {
        struct iovec part = { (uint8_t *)(uintptr_t)p + sent, n - sent };
        struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
        if (sent == 0 && count > 0) {
            msg.msg_control = control.bytes;
            msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
            memset(control.bytes, 0, sizeof(control.bytes));
            struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(sizeof(int) * count);
            memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
        }
        ssize_t done = sendmsg(self->socket, &msg, MSG_NOSIGNAL);
        if (done < 0 && errno == EBADF && sent == 0) {
            return ERR_INVALID; /* a descriptor of the caller's is not open */
        }
        if (done < 0 && errno != EINTR) {
            return give_up(self);
        }
        sent += done > 0 ? (size_t)done : 0;
    }
    return self->dead ? ERR_CLOSED : OK;
}

static size_t texts_bytes(const char *const *texts, uint32_t *count)
{
    size_t n = 0;
    for (*count = 0; texts && texts[*count]; (*count)++) {
        n += strlen(texts[*count]) + 1;
    }
    return n;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(at, text, n);
    return at + n;
}

static int reserve(struct spawner *self, size_t n)
{
    if (n <= self->frame_capacity) {
        return OK;
    }
    size_t capacity = n < 8192 ? 8192 : n;
    free(self->frame);
    self->frame = malloc(capacity);
    self->frame_capacity = self->frame ? capacity : 0;
    return self->frame ? OK : ERR_MEMORY;
}

int spawner_spawn(struct spawner *self, const struct spawn_request *request)
{
    struct spawn_frame head = { .kind = FRAME_SPAWN,
                                .id = request->id,
                                .mark = request->mark,
                                .has_cwd = request->cwd != NULL,
                                .memory_bytes = request->memory_bytes,
                                .group_bytes = request->group_bytes,
                                .uid = request->uid };
    size_t n = sizeof(head) + strlen(request->path) + 1 +
               (request->cwd ? strlen(request->cwd) + 1 : 0) +
               texts_bytes(request->argv, &head.argc) + texts_bytes(request->env, &head.envc);
    if (n > SPAWN_FRAME_MAX) {
        return ERR_TOO_LARGE;
    }
    if (reserve(self, n)) {
        return ERR_MEMORY;
    }
    int fds[SPAWN_FDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < SPAWN_FDS_MAX; i++) {
        if (request->fds[i] >= 0) {
            head.fd_mask |= 1u << i;
            fds[count++] = request->fds[i];
        }
    }
    head.bytes = (uint32_t)n;
    memcpy(self->frame, &head, sizeof(head));
    uint8_t *at = put_text(self->frame + sizeof(head), request->path);
    at = request->cwd ? put_text(at, request->cwd) : at;
    for (uint32_t i = 0; i < head.argc; i++) {
        at = put_text(at, request->argv[i]);
    }
    for (uint32_t i = 0; i < head.envc; i++) {
        at = put_text(at, request->env[i]);
    }
    int e = send_frame(self, self->frame, n, fds, count);
    if (self->frame_capacity > FRAME_KEPT_MAX) {
        free(self->frame);
        self->frame = NULL;
        self->frame_capacity = 0;
    }
    return e;
}

int spawner_kill(struct spawner *self, uint32_t id, int signal)
{
    struct spawn_frame frame = {
        .bytes = sizeof(frame), .kind = FRAME_KILL, .id = id, .signal = signal
    };
    return send_frame(self, &frame, sizeof(frame), NULL, 0);
}

bool spawner_next(struct spawner *self, struct spawn_event *out)
{
    if (self->events_n - self->events_at < sizeof(*out) && !self->dead) {
        self->events_n -= self->events_at;
        memmove(self->events, self->events + self->events_at, self->events_n);
        self->events_at = 0;
        ssize_t n = recv(self->socket, self->events + self->events_n,
                         sizeof(self->events) - self->events_n, MSG_DONTWAIT);
        if (n > 0) {
            self->events_n += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            (void)give_up(self);
        }
    }
    if (self->events_n - self->events_at < sizeof(*out)) {
        return false;
    }
    memcpy(out, self->events + self->events_at, sizeof(*out));
    self->events_at += sizeof(*out);
    return true;
}
