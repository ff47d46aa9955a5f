/*  ray_text.h - output of jobs as text that JSON and WebSockets take, a piece at a time: what is no UTF-8 becomes
    U+FFFD, and no letter is torn.  Pure. */
#ifndef RAYC_RAY_TEXT_H
#define RAYC_RAY_TEXT_H
#include "common/base.h"

enum { RAY_TEXT_GROWS = 3, RAY_JSON_GROWS = 6 }; /* times, at most */

/*  How many bytes of a piece end with a whole letter; all of them when nothing follows, or nothing can. */
size_t ray_text_whole(struct slice piece, bool last);
/*  Into `to`, which has room for RAY_TEXT_GROWS times as much; bytes written. */
size_t ray_text_clean(struct slice piece, char *to);
/*  As the inside of a string of JSON; `to` has room for RAY_JSON_GROWS times as much. */
size_t ray_text_json(struct slice piece, char *to);
#endif
