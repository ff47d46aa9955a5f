/*  ignore.h - which files of a folder are left out, by git's rules: negation, anchors, **, folders only, files of rules
    in every folder, of which the deepest and in it the last rule decides.  `.git` itself is always left out.

    A walk enters a folder with the text of its files of rules, asks, and leaves it.  Paths are relative to the root of
    the walk, without a slash at either end; the root is "".  What lies in a folder that is left out is not asked for. */
#ifndef RAYC_IGNORE_H
#define RAYC_IGNORE_H
#include "common/base.h"

struct ignore;

struct ignore *ignore_new(void);
void ignore_destroy(struct ignore **self); /* NULL-safe */

/*  Adds the lines of a file of rules in folder `dir`, after those that are there. */
void ignore_add(struct ignore *self, const char *dir, struct slice text);
void ignore_leave(struct ignore *self, const char *dir); /* drops the rules of that folder */
/*  A rule of the user's, relative to the root; it outweighs all that files say. */
void ignore_exclude(struct ignore *self, const char *pattern);
bool ignore_hides(const struct ignore *self, const char *path, bool is_dir);

/*  One pattern against one path: * and ? stay within a name, a name ** is any number of folders. */
bool ignore_match(const char *pattern, const char *path);
#endif
