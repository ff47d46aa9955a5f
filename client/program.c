/*  program.c - hashing and sending a program. */
#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/session.h"
#include "common/file.h"

int program_hash(const char *path, char hash[HASH_TEXT_BYTES])
{
    uint64_t bytes = 0;
    int rc = file_hash(path, hash, &bytes);
    return rc == OK ? OK : failure_say(rc, "cannot read the program %s: %s", path, strerror(errno));
}

struct upload {
    const char *path;
    const char *hash;
    int fd;
    uint64_t total;
    uint8_t *piece;
    const struct program_to *to;
};

/*  Sends `n` bytes from `offset` (0: only asks) and learns where to go on. */
static int put(struct upload *self, uint64_t offset, size_t n, struct msg_program_has *has)
{
    struct msg_program_put piece = { .hash = slice_text(self->hash),
                                     .offset = offset,
                                     .total = self->total,
                                     .data = slice_of(self->piece, n) };
    return self->to->put(self->to->context, &piece, has);
}

static int send_pieces(struct upload *self)
{
    struct msg_program_has has = { 0 };
    int rc = put(self, 0, 0, &has);
    while (rc == OK && !has.complete) {
        if (has.offset >= self->total) {
            return failure_say(
                ERR_CONFLICT,
                "the head has all of %s but does not accept it: did it change meanwhile?",
                self->path);
        }
        ssize_t n = pread(self->fd, self->piece, CHUNK_MAX, (off_t)has.offset);
        if (n <= 0) {
            return failure_say(ERR_SYSTEM, "cannot read %s at %llu: %s", self->path,
                               (unsigned long long)has.offset,
                               n == 0 ? "it has become shorter" : strerror(errno));
        }
        rc = put(self, has.offset, (size_t)n, &has);
    }
    return rc;
}

int program_upload(const char *path, const char *hash, const struct program_to *to)
{
    struct upload upload = { .path = path, .hash = hash, .to = to };
    struct stat info;
    upload.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (upload.fd < 0 || fstat(upload.fd, &info) != 0) {
        int rc = failure_say(ERR_SYSTEM, "cannot open the program %s: %s", path, strerror(errno));
        if (upload.fd >= 0) {
            close(upload.fd);
        }
        return rc;
    }
    upload.total = (uint64_t)info.st_size;
    upload.piece = malloc(CHUNK_MAX);
    ensure(upload.piece != NULL);
    int rc = upload.total <= PROGRAM_BYTES_MAX
                 ? send_pieces(&upload)
                 : failure_say(ERR_TOO_LARGE, "the program %s is larger than 1 GiB", path);
    free(upload.piece);
    close(upload.fd);
    return rc;
}

static int put_piece(void *context, struct msg_program_put *piece, struct msg_program_has *has)
{
    struct reply reply;
    int rc = session_ask(context, MSG_PROGRAM_PUT, piece, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        *has = reply.msg.as.program_has;
        has->hash = (struct slice){ 0 };
        reply_free(&reply);
    }
    return rc;
}

int program_use(struct session *session, const char *path, const char *hash)
{
    session_set_program(session, path, hash);
    return program_upload(path, hash, &(struct program_to){ put_piece, session });
}
