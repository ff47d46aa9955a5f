/*  bearer_test.c - whose ticket it is, as the rows have it: good while its attempt is current, and not a moment longer. */
#include "head/bearer.h"
#include "tests/unit/store_world.h"

enum { EPOCH = 3, ANN = 12, JOB = 5, SESSION = 2 };

static const uint8_t secret[TICKET_SECRET_BYTES] = "what only the head knows";
static sqlite3 *db; /* as a thread of the server's has one */

static uint64_t task(uint64_t counter)
{
    return task_id_of(SESSION, counter).v;
}

static uint64_t fence(uint64_t counter)
{
    return token_of(EPOCH, counter).v;
}

/*  Ann's job, of four tasks; the first three are in one lease, with the fences 10, 11, 12. */
static int world(void **state)
{
    assert_int_equal(setup(state), 0);
    struct fixture *self = *state;
    PUT(&self->rows, user_put, .id = ANN, .name = slice_text("ann"), .role = ROLE_ADMIN,
        .jobs_max = UINT64_MAX, .tasks_max = UINT64_MAX);
    PUT(&self->rows, job_new, .id = JOB, .submission = slice_text("j"), .kind = JOB_ARRAY,
        .state = JOB_RUNNING, .owner = ANN);
    PUT(&self->rows, session_new, .id = SESSION, .job = JOB);
    PUT(&self->rows, spec_new, .id = 7, .session = SESSION, .kind = SPEC_COMMAND);
    for (uint64_t i = 1; i <= 4; i++) {
        PUT(&self->rows, task_new, .id = task(i), .spec = 7, .state = TASK_READY);
    }
    PUT(&self->rows, lease_new, .token = fence(10), .node = 1, .first = task(1), .count = 3);
    apply(self);
    assert_int_equal(sqlite3_open_v2(self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    return 0;
}

static int world_end(void **state)
{
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return teardown(state);
}

/*  Is a ticket of these taken, that the head has made? */
static bool taken(uint64_t job, uint64_t of, uint64_t token)
{
    char text[TICKET_BYTES];
    struct web_principal who = { 0 };
    const struct start_send start = { .ticket_job = job, .task = of, .token = token };
    ticket_make(secret, &start, text);
    bool found = bearer_find(db, secret, text, &who) == OK;
    if (found) {
        assert_int_equal(who.user, ANN);
        assert_int_equal(who.role, ROLE_USER); /* not what its owner is */
        assert_string_equal(who.name, "ann");
        assert_true(who.token == token && bearer_is_ticket(who.token));
        assert_true(bearer_holds(db, who.token));
    }
    return found;
}

static void the_current_attempt_acts_for_its_owner(void **state)
{
    (void)state;
    assert_true(taken(JOB, task(1), fence(10)));
    assert_true(taken(JOB, task(3), fence(12)));
    assert_false(taken(JOB, task(4), fence(13))); /* it is in no lease */
    assert_false(taken(JOB, task(2), fence(10)));
    assert_false(taken(JOB, task(1), fence(9)));
    assert_false(taken(JOB + 1, task(1), fence(10)));
}

static void a_forged_one_is_nobody_s(void **state)
{
    (void)state;
    char text[TICKET_BYTES];
    struct web_principal who;
    static const uint8_t zeros[TICKET_SECRET_BYTES];
    const struct start_send start = { .ticket_job = JOB, .task = task(1), .token = fence(10) };
    ticket_make(zeros, &start, text);
    assert_int_equal(bearer_find(db, secret, text, &who), ERR_TOKEN);
    assert_int_equal(bearer_find(db, NULL, text, &who),
                     ERR_TOKEN); /* a server without a secret takes none */
    assert_int_equal(bearer_find(db, secret, "rayct_", &who), ERR_TOKEN);
    assert_int_equal(bearer_find(db, secret, "", &who), ERR_TOKEN);
    ticket_make(secret, &start, text);
    assert_int_equal(bearer_find(db, secret, text, &who), OK);
    text[strlen(text) - 1] ^= 1;
    assert_int_equal(bearer_find(db, secret, text, &who), ERR_TOKEN);
}

static void it_ends_with_its_attempt(void **state)
{
    struct fixture *self = *state;
    PUT(&self->rows, task_done, .id = task(1), .attempt = 1);
    PUT(&self->rows, task_again, .id = task(2), .attempt = 2, .fence = fence(11));
    apply(self);
    assert_false(taken(JOB, task(1), fence(10)) || bearer_holds(db, fence(10)));
    assert_false(taken(JOB, task(2), fence(11)) || bearer_holds(db, fence(11)));
    assert_true(taken(JOB, task(3), fence(12)));
    PUT(&self->rows, lease_new, .token = fence(20), .node = 2, .first = task(2), .count = 1);
    PUT(&self->rows, lease_end, .token = fence(10));
    apply(self);
    assert_true(taken(JOB, task(2), fence(20)));
    assert_false(taken(JOB, task(3), fence(12)) || bearer_holds(db, fence(12)));
}

static void nobody_acts_for_who_is_disabled(void **state)
{
    struct fixture *self = *state;
    PUT(&self->rows, user_put, .id = ANN, .name = slice_text("ann"), .role = ROLE_VIEWER);
    apply(self);
    assert_false(taken(JOB, task(1), fence(10))); /* a viewer changes nothing */
    PUT(&self->rows, user_put, .id = ANN, .name = slice_text("ann"), .role = ROLE_USER,
        .disabled = 1);
    apply(self);
    assert_false(taken(JOB, task(1), fence(10)) || bearer_holds(db, fence(10)));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = { STORY(the_current_attempt_acts_for_its_owner),
                                        STORY(a_forged_one_is_nobody_s),
                                        STORY(it_ends_with_its_attempt),
                                        STORY(nobody_acts_for_who_is_disabled) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
