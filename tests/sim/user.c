/*  user.c - the users of a simulated world, their tokens, and what must hold between them: nobody hears of another
    user's things (38), though some ask for them.  Also the shell's part: a proof from the text of a token. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/sim.h"

enum { FIRST_ID = 2, CLIENT_USERS = USERS_MAX - WORKERS_MAX };

static const uint8_t sim_secret[TICKET_SECRET_BYTES]; /* zeros, as of a turn that was told none */

/* --- who is who -------------------------------------------------------------------------------- */

void users_draw(struct sim *sim)
{
    sim->user_count =
        chance(&sim->users, 500) ? 1 : (uint32_t)between(&sim->users, 2, CLIENT_USERS);
}

static void user_name(uint32_t user, char out[16])
{
    snprintf(out, 16, user < CLIENT_USERS ? "u%u" : "w%u",
             user < CLIENT_USERS ? user : user - CLIENT_USERS);
}

/*  Simulated tokens are names; a ticket says what it is for. */
void token_text(const struct sim *sim, uint32_t endpoint, char out[TOKEN_TEXT])
{
    if (endpoint < WORKERS_MAX) {
        user_name(CLIENT_USERS + endpoint, out);
        return;
    }
    const struct client *self = &sim->clients[endpoint - WORKERS_MAX];
    if (self->kind == CLIENT_NESTED) {
        nested_token(sim, self, out);
    } else if (self->kind == CLIENT_DRIVER) {
        struct start_send start = { .ticket_job = self->job,
                                    .task = self->driver,
                                    .token = self->token };
        ticket_make(sim_secret, &start, out);
    } else {
        user_name(self->user, out);
    }
}

void proof_of(struct slice token, struct proof *out)
{
    proof_read(sim_secret, token, out);
    if (out->kind == PROOF_TOKEN) { /* of these, the name is the hash */
        memset(out->hash, 0, sizeof(out->hash));
        memcpy(out->hash, token.p, token.n < sizeof(out->hash) ? token.n : sizeof(out->hash));
    }
}

void head_own(struct sim *sim, enum msg_kind kind, const void *value)
{
    struct head *head = &sim->head;
    struct msg msg = { .kind = kind };
    memcpy(&msg.as, value, proto_message(kind)->bytes);
    turn_event(head->turn, &(struct event){ .kind = EV_OWN,
                                            .now_ms = head_now_ms(sim),
                                            .wall_ms = head_wall_ms(sim),
                                            .msg = &msg });
}

static void user_is(struct sim *sim, uint32_t user)
{
    char name[16];
    user_name(user, name);
    head_own(sim, MSG_USER_PUT,
             &(struct msg_user_put){ .name = slice_text(name),
                                     .disabled = sim->disabled[user] ? 1 : 2,
                                     .object_bytes_max = quota_of(sim, user) });
}

/*  At the start of a head, as its shell makes the first tokens; what is there already stays. */
void users_make(struct sim *sim)
{
    for (uint32_t i = 0; i < USERS_MAX; i++) {
        char name[16];
        uint8_t hash[TOKEN_HASH_BYTES] = { 0 };
        user_name(i, name);
        memcpy(hash, name, strlen(name));
        uint32_t role = i < CLIENT_USERS ? ROLE_USER : ROLE_WORKER;
        head_own(sim, MSG_USER_PUT,
                 &(struct msg_user_put){ .name = slice_text(name), .role = role, .make = 1 });
        head_own(sim, MSG_TOKEN_PUT,
                 &(struct msg_token_put){ .user = slice_text(name),
                                          .role = role,
                                          .hash = slice_of(hash, sizeof(hash)) });
        user_is(sim, i);
    }
}

/* --- revocation -------------------------------------------------------------------------------- */

static void enable(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    (void)data;
    sim->disabled[who] = false;
    if (sim->head.up && !sim->head.dead) {
        user_is(sim, who); /* the next turn carries it out */
    }
}

void user_revoke(struct sim *sim)
{
    uint32_t user = (uint32_t)prng_below(&sim->fate, USERS_MAX);
    if (sim->head.up && !sim->head.dead && !sim->disabled[user]) {
        SIM_NOTE(sim, "user %u is disabled", user);
        sim->disabled[user] = true;
        user_is(sim, user);
        sim_at(sim, sim->now_us + between(&sim->fate, 100000, 20000000), enable, user, 0, NULL);
    }
}

void users_heal(struct sim *sim)
{
    for (uint32_t i = 0; i < USERS_MAX; i++) {
        if (sim->disabled[i]) {
            enable(sim, i, 0, NULL);
        }
    }
}

/* --- who asks for what is not his -------------------------------------------------------------- */

static uint32_t user_of_submission(const struct sim *sim, const char *submission)
{
    uint32_t client;
    if (sscanf(submission, "sub-%u-", &client) != 1 || client >= sim->client_count) {
        return NONE;
    }
    return sim->clients[client].user;
}

uint32_t user_of_job(struct sim *sim, uint64_t job)
{
    const struct job_seen *seen = oracle_job(sim, job);
    return seen == NULL ? NONE : user_of_submission(sim, seen->submission);
}

void rule_owner(struct sim *sim, const struct row_job_new *row)
{
    char submission[64];
    slice_copy_text(row->submission, submission, sizeof(submission));
    uint32_t user = user_of_submission(sim, submission);
    if (user != NONE && row->owner != FIRST_ID + user) {
        sim_fail(sim, 38, "the job %s of user %u is written as one of user %llu", submission, user,
                 (unsigned long long)row->owner - FIRST_ID);
    }
}

/*  Some session of some other user's job; 0: there is none. */
static uint64_t foreign_session(struct sim *sim, const struct client *self, uint64_t *job)
{
    const struct oracle *oracle = &sim->oracle;
    for (int tries = 0; tries < 4 && oracle->session_count > 0; tries++) {
        const struct session_seen *session =
            &oracle->sessions[prng_below(&sim->users, oracle->session_count)];
        uint32_t user = user_of_job(sim, session->job);
        if (user != NONE && user != self->user) {
            *job = session->job;
            return session->id;
        }
    }
    return 0;
}

void user_pries(struct sim *sim, struct client *self)
{
    uint64_t job = 0, session = 0;
    if (self->phase == PHASE_READY && sim->user_count > 1 && chance(&sim->users, 100)) {
        session = foreign_session(sim, self, &job);
    }
    if (session == 0) {
        return;
    }
    uint64_t seq = SEQ_PRIES | ++self->seq;
    uint64_t task = task_id_of(session, between(&sim->users, 1, 20)).v;
    sim->elements.n = 0;
    proto_put_record(&sim->elements, REC_ID, &(struct rec_id){ task });
    switch (prng_below(&sim->users, 9)) {
    case 0:
        client_say(sim, self, MSG_WATCH,
                   &(struct msg_watch){ .seq = seq, .job = job, .offset = UINT64_MAX });
        break;
    case 1:
        client_say(sim, self, MSG_JOB_STOP, &(struct msg_job_stop){ seq, job });
        break;
    case 2:
        client_say(sim, self, MSG_JOB_DELETE, &(struct msg_job_delete){ seq, job });
        break;
    case 3:
        client_say(sim, self, MSG_RESUME, &(struct msg_resume){ seq, session });
        break;
    case 4:
        client_say(sim, self, MSG_BYE, &(struct msg_bye){ seq, session, 1 });
        break;
    case 5:
        client_say(sim, self, MSG_CANCEL,
                   &(struct msg_cancel){ .seq = seq, .task = task, .force = 1 });
        break;
    case 6:
        client_say(sim, self, MSG_RETRY, &(struct msg_retry){ seq, task });
        break;
    case 7:
        client_say(sim, self, MSG_EXPLAIN, &(struct msg_explain){ seq, task });
        break;
    default:
        if (self->session != 0) {
            client_say(sim, self, MSG_POLL,
                       &(struct msg_poll){ seq, self->session, wire_list(&sim->elements, 1) });
        }
    }
}

bool task_is_foreign(struct sim *sim, uint32_t peer, uint64_t task)
{
    uint32_t endpoint = net_endpoint(sim, peer);
    const struct session_seen *session = oracle_session(sim, task_session((task_id){ task }));
    return endpoint == NONE || session == NULL ||
           sim->clients[endpoint - WORKERS_MAX].user != user_of_job(sim, session->job);
}

/* --- nobody hears of it ------------------------------------------------------------------------ */

static void need_own(struct sim *sim, const struct client *self, uint64_t job,
                     const struct msg *msg)
{
    uint32_t user = user_of_job(sim, job);
    if (user != NONE && user != self->user) {
        sim_fail(sim, 38, "client %u of user %u hears of job %llu of user %u by %s", self->index,
                 self->user, (unsigned long long)job, user, proto_name(msg->kind));
    }
}

static void need_own_task(struct sim *sim, const struct client *self, uint64_t task,
                          const struct msg *msg)
{
    const struct session_seen *session = oracle_session(sim, task_session((task_id){ task }));
    if (session != NULL) {
        need_own(sim, self, session->job, msg);
    }
}

void rule_heard(struct sim *sim, uint32_t peer, const struct msg *msg)
{
    uint32_t endpoint = net_endpoint(sim, peer);
    if (endpoint == NONE || endpoint < WORKERS_MAX) {
        return;
    }
    const struct client *self = &sim->clients[endpoint - WORKERS_MAX];
    struct list results = msg->as.results.results;
    struct rec_result result;
    switch (msg->kind) {
    case MSG_JOB_OPENED:
        need_own(sim, self, msg->as.job_opened.job, msg);
        break;
    case MSG_JOB_STATE:
        need_own(sim, self, msg->as.job_state.job, msg);
        break;
    case MSG_CHANGED:
        if ((msg->as.seq & SEQ_AWAITS) != 0) { /* its session */
            need_own_task(sim, self, task_id_of(msg->as.changed.id, 1).v, msg);
        } else {
            need_own(sim, self, msg->as.changed.id, msg);
        }
        break;
    case MSG_SUBMITTED:
        need_own_task(sim, self, task_id_of(msg->as.submitted.session, 1).v, msg);
        break;
    case MSG_ACTOR_NAMED:
        need_own_task(sim, self, msg->as.actor_named.actor, msg);
        break;
    case MSG_RETRIED:
        need_own_task(sim, self, msg->as.retried.task, msg);
        break;
    case MSG_EXPLAINED:
        if (msg->as.explained.why != WHY_ENDED) {
            need_own_task(sim, self, msg->as.explained.task, msg);
        }
        break;
    case MSG_CANCELLED:
        if (!msg->as.cancelled.ended) {
            need_own_task(sim, self, msg->as.cancelled.task, msg);
        }
        break;
    case MSG_RESULTS:
        while (next_result(&results, &result)) {
            if (result.failure != FAILURE_UNKNOWN_TASK) {
                need_own_task(sim, self, result.task, msg);
            }
        }
        break;
    default:
        break;
    }
}
