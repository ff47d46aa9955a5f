/*  tictactoe_test.c - the Q-learner of examples/tictactoe.c learns, and learns the same again from a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>
#define main tictactoe_main
#include "examples/tictactoe.c"
#undef main

static struct learner learner_new(void)
{
    struct learner self = { .alpha = 0.2, .gamma = 0.95, .epsilon = 0.1 };
    assert_int_equal(learner_init(&self, 0.5), 0);
    return self;
}

static void it_rarely_loses_after_twenty_rounds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct learner self = learner_new();
        struct rates first = play_round(&self, seed, 0);
        struct rates last = first;
        for (int round = 1; round < 20; round++) {
            last = play_round(&self, seed, round);
        }
        assert_true(first.win + first.draw < 0.9);
        assert_true(last.win + last.draw > 0.9);
        assert_true(last.win > first.win);
        free(self.value);
    }
}

static void a_checkpoint_changes_nothing(void **state)
{
    (void)state;
    char folder[] = "/tmp/tictactoe_test.XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct learner whole = learner_new();
    struct learner parts = learner_new();
    int round = 0;
    for (int i = 0; i < 6; i++) {
        (void)play_round(&whole, 7, i);
        (void)play_round(&parts, 7, round++);
        if (i == 2) {
            assert_int_equal(save(&parts, round, folder), 0);
            free(parts.value);
            parts = learner_new();
            assert_int_equal(load(&parts, &round, folder), 0);
        }
    }
    assert_memory_equal(whole.value, parts.value, sizeof(*whole.value) * BOARDS);
    assert_int_equal(load(&parts, &round, "/nowhere"), -1);
    char path[64];
    snprintf(path, sizeof(path), "%s/table", folder);
    unlink(path);
    rmdir(folder);
    free(whole.value);
    free(parts.value);
}

static void the_winner_has_three_in_a_row(void **state)
{
    (void)state;
    assert_int_equal(winner((int[]){ 1, 1, 1, 2, 2, 0, 0, 0, 0 }), LEARNER);
    assert_int_equal(winner((int[]){ 2, 1, 1, 0, 2, 1, 0, 0, 2 }), OPPONENT);
    assert_int_equal(winner((int[]){ 1, 2, 1, 1, 2, 2, 2, 1, 1 }), DRAW);
    assert_int_equal(winner((int[]){ 1, 2, 1, 1, 2, 2, 2, 1, 0 }), NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_rarely_loses_after_twenty_rounds),
        cmocka_unit_test(a_checkpoint_changes_nothing),
        cmocka_unit_test(the_winner_has_three_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
