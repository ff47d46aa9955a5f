/*  ray_text.c - letters, one after the other. */
#include "head/ray_text.h"

#include <stdio.h>
#include "common/utf8.h"

size_t ray_text_whole(struct slice piece, bool last)
{
    if (last) {
        return piece.n;
    }
    size_t back = piece.n < 3 ? piece.n : 3;
    for (size_t i = piece.n - back; i < piece.n; i++) {
        uint8_t c = piece.p[i];
        size_t bytes = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if (bytes > piece.n - i) {
            return i; /* it begins a letter that goes on in the next piece */
        }
    }
    return piece.n;
}

/*  Bytes taken of the letter at p, or of what is none; *letter is what is shown for them. */
static size_t take(struct slice piece, size_t at, struct slice *letter)
{
    size_t bytes = utf8_letter(piece.p + at, piece.n - at);
    *letter = bytes > 0 ? slice_of(piece.p + at, bytes) : slice_text("\xEF\xBF\xBD");
    return bytes > 0 ? bytes : 1;
}

size_t ray_text_clean(struct slice piece, char *to)
{
    size_t n = 0;
    struct slice letter;
    for (size_t at = 0; at < piece.n;) {
        at += take(piece, at, &letter);
        memcpy(to + n, letter.p, letter.n);
        n += letter.n;
    }
    return n;
}

size_t ray_text_json(struct slice piece, char *to)
{
    size_t n = 0;
    struct slice letter;
    for (size_t at = 0; at < piece.n;) {
        at += take(piece, at, &letter);
        if (letter.p[0] == '"' || letter.p[0] == '\\') {
            to[n++] = '\\';
        } else if (letter.p[0] < 0x20) {
            char code[8];
            snprintf(code, sizeof(code), "\\u%04x", letter.p[0]);
            memcpy(to + n, code, 6);
            n += 6;
            continue;
        }
        memcpy(to + n, letter.p, letter.n);
        n += letter.n;
    }
    return n;
}
