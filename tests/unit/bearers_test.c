/*  bearers_test.c - a thread asks whose token it is, the loop answers. */
#include <pthread.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "worker/bearers.h"

static struct bearers *bearers;
static const char *token;

struct asked {
    int code;
    uint32_t role;
};

static void *ask(void *context)
{
    struct asked *self = context;
    self->code = bearers_role(bearers, token, &self->role);
    return NULL;
}

/*  The question of a thread that was started with `secret`. */
static struct msg_token_check question(pthread_t *thread, const char *secret, struct asked *asked)
{
    struct msg_token_check check;
    token = secret;
    assert_int_equal(pthread_create(thread, NULL, ask, asked), 0);
    struct pollfd news = { bearers_fd(bearers), POLLIN, 0 };
    assert_int_equal(poll(&news, 1, -1), 1);
    assert_true(bearers_next(bearers, &check));
    assert_int_equal(check.hash.n, TOKEN_HASH_BYTES);
    return check;
}

static void an_answer_is_for_its_question(void **state)
{
    (void)state;
    struct asked asked = { 0 };
    pthread_t thread;
    struct msg_token_check check = question(&thread, "a", &asked);
    bearers_answer(bearers, &(struct msg_token_may){ .seq = check.seq + 1, .role = ROLE_ADMIN });
    bearers_answer(bearers, &(struct msg_token_may){ .seq = check.seq, .role = ROLE_METRICS });
    pthread_join(thread, NULL);
    assert_int_equal(asked.code, OK);
    assert_int_equal(asked.role, ROLE_METRICS);
    assert_false(bearers_next(bearers, &check)); /* and the descriptor is quiet */
    struct pollfd news = { bearers_fd(bearers), POLLIN, 0 };
    assert_int_equal(poll(&news, 1, 0), 0);
}

static void what_was_lost_is_asked_again(void **state)
{
    (void)state;
    struct asked asked = { 0 };
    pthread_t thread;
    struct msg_token_check first = question(&thread, "b", &asked), again;
    bearers_lost(bearers);
    assert_true(bearers_next(bearers, &again));
    assert_true(again.seq != first.seq);
    assert_memory_equal(again.hash.p, first.hash.p, TOKEN_HASH_BYTES);
    bearers_answer(bearers, &(struct msg_token_may){ .seq = again.seq, .role = 0 });
    pthread_join(thread, NULL);
    assert_int_equal(asked.code, ERR_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_for_its_question),
        cmocka_unit_test(what_was_lost_is_asked_again),
    };
    if (bearers_open(&bearers) != OK) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bearers_close(&bearers);
    return failed;
}
