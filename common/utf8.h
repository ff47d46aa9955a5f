/*  utf8.h - is it UTF-8?  RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.  Pure. */
#ifndef RAYC_UTF8_H
#define RAYC_UTF8_H
#include "common/base.h"

/*  Bytes of the letter at p, of which n > 0 are there; 0: there is none. */
size_t utf8_letter(const uint8_t *p, size_t n);
bool utf8_valid(struct slice text);
#endif
