/*  utf8.c - the table of forms of RFC 3629. */
#include "common/utf8.h"

size_t utf8_letter(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t first, last, low, high, bytes; /* of the first byte; of the second; of the letter */
    } forms[] = { { 0x00, 0x7F, 0x80, 0xBF, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 },
                  { 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
                  { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
                  { 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 },
                  { 0xF4, 0xF4, 0x80, 0x8F, 4 } };
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last) {
            continue;
        }
        size_t bytes = forms[i].bytes;
        if (bytes > n || (bytes > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))) {
            return 0;
        }
        for (size_t k = 2; k < bytes; k++) {
            if ((p[k] & 0xC0) != 0x80) {
                return 0;
            }
        }
        return bytes;
    }
    return 0;
}

bool utf8_valid(struct slice text)
{
    size_t at = 0;
    while (at < text.n) {
        size_t bytes = utf8_letter(text.p + at, text.n - at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}
