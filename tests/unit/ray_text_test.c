/*  ray_text_test.c - pieces, however cut, make the text that the whole makes. */
#include "head/ray_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char whole[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"\\\n\xFF\x80 z\xE2\x82";
static const char clean[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"\\\n\xEF\xBF\xBD\xEF\xBF\xBD z"
                            "\xEF\xBF\xBD\xEF\xBF\xBD";
static const char json[] =
    "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\\\"\\\\\\u000a\xEF\xBF\xBD\xEF\xBF\xBD z"
    "\xEF\xBF\xBD\xEF\xBF\xBD";

/*  In pieces of up to `step` bytes, what is left over put before the next. */
static void in_pieces(size_t step, size_t (*write)(struct slice piece, char *to),
                      const char *expected)
{
    char out[sizeof(whole) * RAY_JSON_GROWS];
    size_t n = 0, begun = 0, end = 0;
    while (begun < sizeof(whole) - 1) {
        end = end + step < sizeof(whole) - 1 ? end + step : sizeof(whole) - 1;
        struct slice piece = slice_of(whole + begun, end - begun);
        piece.n = ray_text_whole(piece, end == sizeof(whole) - 1);
        n += write(piece, out + n);
        begun += piece.n;
    }
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(out, expected, n);
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof(whole); step++) {
        in_pieces(step, ray_text_clean, clean);
        in_pieces(step, ray_text_json, json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pieces_make_the_whole) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
