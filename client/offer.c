/*  offer.c - the program that a session's tasks run, offered to each head that the session comes back to: while nothing
    was submitted, no job names it, and the head may have dropped it.  It keeps what a connection has offered.

    Tasks leave only after that, so that none of them meets a head without its program. */
#include "client/offer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/session_inside.h"
#include "common/clock.h"
#include "common/log.h"

/*  One piece from `offset`, or with `n` 0 the question how much the head has.  False: the file cannot be read. */
static bool say_piece(struct session *self, uint64_t offset, size_t n)
{
    struct stat file;
    uint8_t *piece = malloc(CHUNK_MAX);
    ensure(piece != NULL);
    int fd = open(self->program_path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &file) == 0;
    ssize_t got = good && n > 0 ? pread(fd, piece, n, (off_t)offset) : 0;
    good = good && got >= 0 && (n == 0 || got > 0);
    if (good) {
        self->greeted_ms = self->lost_ms = clock_ms(); /* the head answers */
        self->opening_seq = ++self->seq;
        struct msg_program_put put = { .seq = self->opening_seq,
                                       .hash = slice_text(self->program),
                                       .offset = offset,
                                       .total = (uint64_t)file.st_size,
                                       .data = slice_of(piece, (size_t)got) };
        session_say(self, MSG_PROGRAM_PUT, &put, CHUNK_MAX + SMALL_BYTES);
    } else {
        log_warn("program.offer", "path=%s error=\"%s\"", self->program_path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(piece);
    return good;
}

bool offer_begin(struct session *self)
{
    if (self->program_path == NULL || !say_piece(self, 0, 0)) {
        return false;
    }
    self->phase = PHASE_OFFERING;
    self->offered = 0;
    return true;
}

bool offer_ends(struct session *self, const struct msg *msg)
{
    if (msg->kind == MSG_REFUSED) {
        log_warn("program.offer", "hash=%.12s why=\"%.*s\"", self->program,
                 (int)msg->as.refused.text.n, (const char *)msg->as.refused.text.p);
        return true; /* whoever submits a task hears of it */
    }
    const struct msg_program_has *has = &msg->as.program_has;
    bool on = !has->complete && (self->offered == 0 || has->offset > self->offered - 1);
    self->offered = has->offset + 1;
    return !on || !say_piece(self, has->offset, CHUNK_MAX);
}
