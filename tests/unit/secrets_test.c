/*  secrets_test.c - whatever way a secret is printed, in one piece or in many, it does not get through. */
#include "worker/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "common/prng.h"

static void names_are_known(void **state)
{
    (void)state;
    static const char *const yes[] = { "API_TOKEN=1", "token=1",       "AWS_SECRET_ACCESS_KEY=1",
                                       "DBPassword=", "WANDB_API_KEY", "MY_CREDENTIALS=x" };
    static const char *const no[] = { "PATH=/token", "KEY=1", "KEYS=2", "KEYBOARD_KEYS=1",
                                      "=TOKEN" };
    for (size_t i = 0; i < COUNT(yes); i++) {
        assert_true(secret_named(yes[i]));
    }
    for (size_t i = 0; i < COUNT(no); i++) {
        assert_false(secret_named(no[i]));
    }
}

static const char *const env[] = { "A_TOKEN=abcabcabd",
                                   "PATH=/usr/bin",
                                   "B_TOKEN=abcabcabdxyz",
                                   "PEM_KEY=first line\nsecond line\nx",
                                   "C_TOKEN=short",
                                   "D_SECRET=\nzzzzzzzz",
                                   NULL };

static const struct slice others[] = { { (const uint8_t *)"ticket-ticket", 13 } };

static void expect_hidden(const char *text, int cuts, const char *wanted)
{
    struct secrets secrets;
    char copy[256];
    secrets_open(&secrets, env, others, COUNT(others));
    snprintf(copy, sizeof(copy), "%s", text);
    size_t n = secrets_hide(&secrets, (uint8_t *)copy, strlen(copy), cuts);
    copy[n] = 0;
    assert_string_equal(copy, wanted);
    secrets_close(&secrets);
}

static void values_are_hidden(void **state)
{
    (void)state;
    expect_hidden("nothing", 0, "nothing");
    expect_hidden("<abcabcabd>", 0, "<***>");
    expect_hidden("abcabcabcabd", 0, "abc***");
    expect_hidden("abcabcabdxyz abcabcabdxy", 0, "*** ***xy");
    expect_hidden("abcabcabdabcabcabd", 0, "******");
    expect_hidden("short /usr/bin", 0, "short /usr/bin");
    expect_hidden("first line\nsecond line\nx", 0, "***");
    expect_hidden("> second line\n> first line", 0, "> ***\n> ***");
    expect_hidden("\nzzzzzzzz zzzzzzzz", 0, "*** ***");
    expect_hidden("token = \"ticket-ticket\"", 0, "token = \"***\"");
}

static void cuts_leave_no_piece(void **state)
{
    (void)state;
    expect_hidden("bcabcabd rest", SECRET_CUT_FRONT, " rest");
    expect_hidden("bcabcabd rest", 0, "bcabcabd rest");
    expect_hidden("text abcabc", SECRET_CUT_BACK, "text ");
    expect_hidden("text abcabcabd", SECRET_CUT_BACK, "text ");
    expect_hidden("abcabcabd", SECRET_CUT_FRONT | SECRET_CUT_BACK, "");
}

/*  A text in random pieces comes out as in one piece. */
static void pieces_are_as_the_whole(void **state)
{
    (void)state;
    static const char *const words[] = { "abc", "abcabcabd",   "xyz", "a",        "b", "first line",
                                         "\n",  "second line", "x",   "zzzzzzzz", "z" };
    struct secrets secrets;
    struct prng prng = { 7 };
    secrets_open(&secrets, env, others, COUNT(others));
    for (int round = 0; round < 20000; round++) {
        char text[256] = "", whole[256], out[256];
        while (strlen(text) < 150) {
            strcat(text, words[prng_below(&prng, COUNT(words))]);
        }
        memcpy(whole, text, sizeof(text));
        size_t all = strlen(text), wanted = secrets_hide(&secrets, (uint8_t *)whole, all, 0);
        size_t done = 0, held = 0, n = 0;
        uint8_t piece[256];
        while (done < all) {
            size_t more = 1 + prng_below(&prng, 12);
            more = more < all - done ? more : all - done;
            memcpy(piece + held, text + done, more);
            done += more;
            size_t have = held + more;
            held = secrets_hide_some(&secrets, piece, &have, done == all);
            memcpy(out + n, piece, have);
            n += have;
            memmove(piece, piece + have, held);
        }
        assert_int_equal(held, 0);
        assert_int_equal(n, wanted);
        assert_memory_equal(out, whole, n);
    }
    secrets_close(&secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known),
        cmocka_unit_test(values_are_hidden),
        cmocka_unit_test(cuts_leave_no_piece),
        cmocka_unit_test(pieces_are_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
