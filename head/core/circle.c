/*  circle.c - attempts that wait for each other, and would for ever: an actor for a call of another one that waits for a
    call of the first.  Executors say for what they wait, when that takes long; whoever closes a circle is told.

    An attempt that waits holds up its own task, and all calls of its actor if that runs one at a time.  What waits with a
    limit, or in an actor with threads, is in no circle: others may go on. */
#include "common/text.h"
#include "head/core/actor.h"
#include "head/core/state.h"

enum {
    CIRCLE_MAX = 16, /* attempts of one */
    LOOKS_MAX = 256  /* attempts that are looked at for one question */
};

struct search {
    uint32_t from; /* the session that asks */
    uint32_t looks;
    uint32_t count;
    uint32_t tasks[CIRCLE_MAX]; /* that wait: each for what the next one holds up */
};

/*  The attempt in which a session waits, as it said; NONE: that has ended. */
static uint32_t waits_in(const struct core *core, const struct session *session)
{
    return session->awaits_count == 0
               ? NONE
               : lease_find(core, session->awaits_task, session->awaits_token);
}

/*  That a task is, or is a call of; NONE: it has nothing to do with one that runs one call at a time. */
static uint32_t ordered_actor(const struct core *core, const struct task *task)
{
    uint32_t kind = task_kind(core, task);
    uint32_t index = kind == SPEC_ACTOR    ? task->actor
                     : kind == SPEC_METHOD ? lane_at(core, task->actor)->actor
                                           : NONE;
    return index != NONE && actor_at(core, index)->ordered ? index : NONE;
}

static bool holds_up(const struct core *core, uint32_t waits, uint32_t task)
{
    uint32_t actor = ordered_actor(core, task_at(core, waits));
    return waits == task || (actor != NONE && actor == ordered_actor(core, task_at(core, task)));
}

/*  Does one of the tasks that this session awaits wait for the session that asks? */
static bool leads_back(const struct core *core, uint32_t at, struct search *search)
{
    const struct session *session = session_at(core, at);
    search->tasks[search->count++] = waits_in(core, session);
    for (uint32_t i = 0; i < session->awaits_count; i++) {
        uint32_t task = task_find(core, session->awaits[i]);
        for (uint32_t s = 0; task != NONE && s < core->sessions.fresh; s++) {
            uint32_t waits = waits_in(core, session_at(core, s));
            if (waits == NONE || !holds_up(core, waits, task)) {
                continue;
            }
            if (s == search->from) {
                return true;
            }
            if (search->count < CIRCLE_MAX && search->looks-- > 0 && leads_back(core, s, search)) {
                return true;
            }
        }
    }
    search->count--;
    return false;
}

/*  "counter.add (0000010000000005)" */
static void add_task(struct text *text, const struct core *core, uint32_t index)
{
    const struct task *task = task_at(core, index);
    text_add(text, core->tallies[spec_at(core, task->spec)->tally].name);
    text_add(text, " (");
    text_id(text, task->id);
    text_add(text, ")");
}

static void refuse_circle(struct core *core, uint32_t peer, uint64_t seq,
                          const struct search *search)
{
    char buffer[600];
    struct text text = text_in(buffer, sizeof(buffer));
    text_add(&text, "this would wait for ever: ");
    for (uint32_t i = 0; i < search->count; i++) {
        add_task(&text, core, search->tasks[i]);
        text_add(&text, i == 0 ? " waits for " : ", which waits for ");
    }
    add_task(&text, core, search->tasks[0]);
    struct slice kept = scratch_put(core, buffer, text.n + 1); /* with its NUL */
    emit_refused(core, peer, seq, ERR_INVALID, (const char *)kept.p);
}

void on_awaits(struct core *core, uint32_t peer, const struct msg_awaits *msg)
{
    uint32_t index = session_of_request(core, peer, msg->seq, msg->session, false);
    if (index == NONE) {
        return;
    }
    struct session *session = session_at(core, index);
    const struct peer *its = peer_at(core, peer_find(core, peer));
    session->awaits_task = its->ticket_task;
    session->awaits_token = its->ticket_fence;
    session->awaits_count = 0;
    struct list list = msg->tasks;
    struct rec_id id;
    while (next_id(&list, &id)) {
        session->awaits[session->awaits_count++] = id.task;
    }
    struct search search = { .from = index, .looks = LOOKS_MAX };
    if (waits_in(core, session) != NONE && leads_back(core, index, &search)) {
        session->awaits_count = 0; /* it is told, and goes on */
        refuse_circle(core, peer, msg->seq, &search);
        return;
    }
    emit_send(core, peer, MSG_CHANGED, false)->as.changed =
        (struct msg_changed){ msg->seq, msg->session };
}
