/*  states.c - the words of states.def, by number. */
#include "proto/proto.h"

struct failure_row {
    int code;
    const char *type;
    const char *text;
};

static const char *const task_states[] = {
#define TASK_STATE(NAME, value, text) [value] = text,
#include "proto/states.def"
#undef TASK_STATE
};
static const char *const job_states[] = {
#define JOB_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef JOB_STATE
};
static const char *const node_states[] = {
#define NODE_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef NODE_STATE
};
static const char *const study_states[] = {
#define STUDY_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef STUDY_STATE
};
static const char *const trial_states[] = {
#define TRIAL_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef TRIAL_STATE
};
static const char *const actor_states[] = {
#define ACTOR_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef ACTOR_STATE
};
static const char *const deaths[] = {
    [DEATH_NONE] = "",
#define ACTOR_CAUSE(NAME, value, text) [value] = #NAME,
#include "proto/states.def"
#undef ACTOR_CAUSE
};
static const char *const death_texts[] = {
    [DEATH_NONE] = "",
#define ACTOR_CAUSE(NAME, value, text) [value] = text,
#include "proto/states.def"
#undef ACTOR_CAUSE
};
static const char *const object_states[] = {
#define OBJECT_STATE(NAME, value) [value] = #NAME,
#include "proto/states.def"
#undef OBJECT_STATE
};
static const char *const reason_names[] = {
#define OBJECT_REASON(NAME, value, text) [value] = #NAME,
#include "proto/states.def"
#undef OBJECT_REASON
};
static const char *const reason_texts[] = {
#define OBJECT_REASON(NAME, value, text) [value] = text,
#include "proto/states.def"
#undef OBJECT_REASON
};
static const char *const roles[] = {
#define ROLE(NAME, value, text) [value] = #NAME,
#include "proto/states.def"
#undef ROLE
};
static const char *const job_errors[] = {
    [JOB_ERROR_NONE] = "",
#define JOB_ERROR(NAME, value, text) [value] = #NAME,
#include "proto/states.def"
#undef JOB_ERROR
};
static const char *const why_names[] = {
#define WHY(NAME, value, text) [value] = #NAME,
#include "proto/states.def"
#undef WHY
};
static const char *const why_texts[] = {
#define WHY(NAME, value, text) [value] = text,
#include "proto/states.def"
#undef WHY
};
static const struct failure_row failures[] = {
    [FAILURE_NONE] = { OK, "", "" },
#define FAILURE(NAME, value, code, type, text) [value] = { code, type, text },
#include "proto/states.def"
#undef FAILURE
};

_Static_assert(COUNT(task_states) == TASK_STATES, "TASK_STATES is one more than the last state");
_Static_assert(COUNT(job_states) == JOB_STATES, "JOB_STATES is one more than the last state");
_Static_assert(COUNT(node_states) == NODE_STATES, "NODE_STATES is one more than the last state");
_Static_assert(COUNT(study_states) == STUDY_STATES, "STUDY_STATES is one more than the last state");
_Static_assert(COUNT(trial_states) == TRIAL_STATES, "TRIAL_STATES is one more than the last state");
_Static_assert(COUNT(actor_states) == ACTOR_STATES, "ACTOR_STATES is one more than the last state");
_Static_assert(COUNT(deaths) == DEATHS, "DEATHS is one more than the last cause");
_Static_assert(COUNT(object_states) == DIRECTORY_STATES,
               "DIRECTORY_STATES is one more than the last state");
_Static_assert(COUNT(reason_names) == OBJECT_REASONS,
               "OBJECT_REASONS is one more than the last reason");
_Static_assert(COUNT(roles) == ROLES, "ROLES is one more than the last role");
_Static_assert(COUNT(job_errors) == JOB_ERRORS, "JOB_ERRORS is one more than the last error");
_Static_assert(COUNT(why_names) == WHYS, "WHYS is one more than the last reason");
_Static_assert(COUNT(failures) == FAILURES, "FAILURES is one more than the last failure");

static const char *name_of(const char *const *names, uint32_t count, uint32_t value)
{
    return value < count && names[value] != NULL ? names[value] : "?";
}

static const struct failure_row *failure_of(uint32_t failure)
{
    static const struct failure_row unknown = { ERR_UNKNOWN, "?", "an unknown failure" };
    return failure < COUNT(failures) && failures[failure].type != NULL ? &failures[failure]
                                                                       : &unknown;
}

const char *task_state_name(uint32_t state)
{
    return name_of(task_states, COUNT(task_states), state);
}

const char *job_state_name(uint32_t state)
{
    return name_of(job_states, COUNT(job_states), state);
}

const char *node_state_name(uint32_t state)
{
    return name_of(node_states, COUNT(node_states), state);
}

const char *study_state_name(uint32_t state)
{
    return name_of(study_states, COUNT(study_states), state);
}

const char *trial_state_name(uint32_t state)
{
    return name_of(trial_states, COUNT(trial_states), state);
}

const char *actor_state_name(uint32_t state)
{
    return name_of(actor_states, COUNT(actor_states), state);
}

const char *death_name(uint32_t death)
{
    return name_of(deaths, COUNT(deaths), death);
}

const char *death_text(uint32_t death)
{
    return name_of(death_texts, COUNT(death_texts), death);
}

const char *object_state_name(uint32_t state)
{
    return name_of(object_states, COUNT(object_states), state);
}

const char *object_reason_name(uint32_t reason)
{
    return name_of(reason_names, COUNT(reason_names), reason);
}

const char *object_reason_text(uint32_t reason)
{
    return name_of(reason_texts, COUNT(reason_texts), reason);
}

const char *role_name(uint32_t role)
{
    return name_of(roles, COUNT(roles), role);
}

uint32_t role_within(uint32_t user, uint32_t token)
{
    bool people = token >= ROLE_ADMIN && token <= ROLE_VIEWER;
    if (user < ROLE_ADMIN || user >= ROLES || token < ROLE_ADMIN || token >= ROLES) {
        return 0;
    }
    if (user > ROLE_VIEWER) {
        return user == token ? token : 0;
    }
    return people && token < user ? user : token; /* of people, the smaller number may more */
}

const char *job_error_name(uint32_t error)
{
    return name_of(job_errors, COUNT(job_errors), error);
}

const char *why_name(uint32_t why)
{
    return name_of(why_names, COUNT(why_names), why);
}

const char *why_text(uint32_t why)
{
    bool known = why < COUNT(why_texts) && why_texts[why] != NULL;
    return known ? why_texts[why] : "The reason is not known to this rayc.";
}

const char *failure_type(uint32_t failure)
{
    return failure_of(failure)->type;
}

const char *failure_text(uint32_t failure)
{
    return failure_of(failure)->text;
}

int failure_code(uint32_t failure)
{
    return failure_of(failure)->code;
}
