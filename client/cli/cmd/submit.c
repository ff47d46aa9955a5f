/*  submit.c - `rayc submit`: makes a job, durably, and follows it to its end.
    The submission id is made before the first send and kept for resends, so that a job is made once. */
#include "client/cli/connect.h"
#include "client/cli/find.h"
#include "client/cli/job_open.h"
#include "client/cli/made.h"
#include "client/program.h"
#include "client/rayc.h"

static int put_piece(void *context, struct msg_program_put *piece, struct msg_program_has *has)
{
    struct cli *self = context;
    struct msg reply;
    int rc = ask(self->ask, MSG_PROGRAM_PUT, piece, MSG_PROGRAM_HAS, &reply);
    if (rc == OK) {
        *has = reply.as.program_has;
    }
    return rc;
}

static int upload(struct cli *self, const char *path, const char *hash)
{
    struct program_to to = { put_piece, self };
    int rc = program_upload(path, hash, &to);
    if (rc == OK) {
        return 0;
    }
    return *ask_text(self->ask) ? fail_ask(self, rc) : fail(self, rc, "%s", rayc_error()->text);
}

/*  Is the cluster on this machine?  Then our working folder and PATH mean something to it.  A head of this machine at an
    address that others can reach may have workers elsewhere. */
static bool is_local(const struct ask *at)
{
    const char *address = ask_address(at);
    static const char *const ours[] = {
        "ipc://", "127.", "localhost:", "[::1]:", "tcp://127.", "tcp://localhost:", "tcp://[::1]:"
    };
    for (size_t i = 0; i < COUNT(ours); i++) {
        if (strncmp(address, ours[i], strlen(ours[i])) == 0) {
            return ask_near(at);
        }
    }
    return false;
}

static int open_job(struct cli *self, struct job *job, struct msg_job_opened *opened)
{
    struct msg reply;
    int rc = ask(self->ask, MSG_JOB_OPEN, &job->open, MSG_JOB_OPENED, &reply);
    if (rc == ERR_CONFLICT) {
        return fail(
            self, rc,
            "a job with the submission id %s exists, and is another one; see 'rayc job get %s'",
            job->submission, job->submission);
    }
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    *opened = reply.as.job_opened;
    return 0;
}

static int run(struct cli *self, struct job *job, const char *path)
{
    int exit_code = cli_connect(self, CONNECT_WORK);
    if (exit_code) {
        return exit_code;
    }
    exit_code = made_check_wait(self);
    exit_code = exit_code ? exit_code : path[0] ? upload(self, path, job->program) : 0;
    for (uint32_t i = 0; exit_code == 0 && i < job->runtime_env.package_count; i++) {
        const struct packed_folder *package = &job->runtime_env.packages[i];
        exit_code = upload(self, package->archive, package->hash); /* nothing, if the head has it */
    }
    exit_code = exit_code ? exit_code : job_build(job, self, is_local(self->ask));
    struct msg_job_opened opened = { 0 };
    exit_code = exit_code ? exit_code : open_job(self, job, &opened);
    if (exit_code) {
        return exit_code;
    }
    const struct made made = { .job = opened.job,
                               .submission = job->submission,
                               .again = opened.again };
    return made_go_on(self, &made);
}

int cmd_submit(struct cli *self)
{
    static struct job job;
    char path[PATH_BYTES] = "";
    job_init(&job);
    int exit_code = job_check(&job, self);
    if (exit_code == 0 && !self->dashes) {
        exit_code = find_program(self, self->operands[0], path);
    }
    if (exit_code == 0 && path[0] && program_hash(path, job.program) != OK) {
        exit_code = fail_exit(self, ERR_SYSTEM, EXIT_NOT_EXECUTABLE, "%s", rayc_error()->text);
    }
    exit_code = exit_code ? exit_code : made_check_wait(self);
    exit_code = exit_code ? exit_code : run(self, &job, path);
    job_fini(&job);
    return exit_code;
}
