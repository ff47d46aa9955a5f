/*  ignore.c - rules in order of their folders, asked from the last to the first; and patterns. */
#include "common/archive/ignore.h"

#include <ctype.h>
#include <stdlib.h>

struct rule {
    char *pattern;
    size_t dir_n; /* bytes of its folder's path: paths begin with it */
    bool negated, dirs_only, by_name;
};

struct rules {
    struct rule *of;
    size_t count, room;
};

struct ignore {
    struct rules files, excludes;
};

/* --- patterns --------------------------------------------------------------------------------- */

/*  1 it has it, 0 not, -1 there is no such class. */
static int class_has(const char *name, size_t n, unsigned char c)
{
    static const struct {
        const char *name;
        int (*has)(int);
    } classes[] = { { "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank },
                    { "cntrl", iscntrl }, { "digit", isdigit }, { "graph", isgraph },
                    { "lower", islower }, { "print", isprint }, { "punct", ispunct },
                    { "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit } };
    for (size_t i = 0; i < COUNT(classes); i++) {
        if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0) {
            return classes[i].has(c) != 0;
        }
    }
    return -1;
}

/*  One element of a set, from `p` on: a character, a range, a class.  Returns what follows; NULL: the set is not valid. */
static const char *set_element(const char *p, unsigned char c, bool *has)
{
    const char *end = p[0] == '[' && p[1] == ':' ? strchr(p + 2, ']') : NULL;
    if (end != NULL && end > p + 2 && end[-1] == ':') {
        int its = class_has(p + 2, (size_t)(end - 1 - (p + 2)), c);
        *has = *has || its > 0;
        return its >= 0 ? end + 1 : NULL;
    }
    p += *p == '\\';
    if (*p == 0) {
        return NULL;
    }
    unsigned char low = (unsigned char)*p++, high = low;
    if (p[0] == '-' && p[1] != 0 && p[1] != ']') {
        p += p[1] == '\\' ? 2 : 1;
        if (*p == 0) {
            return NULL;
        }
        high = (unsigned char)*p++;
    }
    *has = *has || (low <= c && c <= high);
    return p;
}

/*  The set after its bracket.  Returns what follows, if the character is one that it names; else NULL. */
static const char *set_takes(const char *p, unsigned char c)
{
    bool negated = *p == '!' || *p == '^';
    bool has = false;
    p += negated;
    for (const char *first = p; *p != ']' || p == first;) {
        p = *p == 0 ? NULL : set_element(p, c, &has);
        if (p == NULL) {
            return NULL;
        }
    }
    return has != negated && c != '/' ? p + 1 : NULL;
}

/*  Does what stands at the pattern take this character?  Returns what follows in the pattern, else NULL. */
static const char *takes(const char *pattern, char c)
{
    switch (*pattern) {
    case '?':
        return c != '/' ? pattern + 1 : NULL;
    case '[':
        return set_takes(pattern + 1, (unsigned char)c);
    case '\\':
        return pattern[1] == c ? pattern + 2 : NULL;
    default:
        return *pattern == c ? pattern + 1 : NULL;
    }
}

/*  Of stars, only the newest of each kind needs to be tried again: an earlier one that takes more finds nothing that a
    later one would not. */
bool ignore_match(const char *pattern, const char *path)
{
    /*  Git compares what comes before the first wildcard apart, and so takes a ** there for a whole name. */
    const char *const wild = pattern + strcspn(pattern, "*?[\\");
    const char *p = pattern, *t = path;
    const char *star_p = NULL, *star_t = NULL; /* after the newest *, and how far it has taken */
    const char *deep_p = NULL, *deep_t = NULL; /* likewise of a ** and its slash */
    for (;;) {
        size_t stars = strspn(p, "*");
        bool whole = stars >= 2 && (p == wild || p[-1] == '/');
        if (whole && p[stars] == 0) {
            return true;
        }
        if (whole && p[stars] == '/') {
            deep_p = p = p + stars + 1;
            deep_t = t;
            star_p = NULL;
            continue;
        }
        if (stars > 0) {
            star_p = p = p + stars;
            star_t = t;
            continue;
        }
        const char *next = *t != 0 ? takes(p, *t) : NULL;
        if (next != NULL) {
            p = next;
            t++;
        } else if (*p == 0 && *t == 0) {
            return true;
        } else if (star_p != NULL && *star_t != 0 && *star_t != '/') {
            t = ++star_t;
            p = star_p;
        } else if (deep_p != NULL && (deep_t = strchr(deep_t, '/')) != NULL) {
            t = ++deep_t;
            p = deep_p;
            star_p = NULL;
        } else {
            return false;
        }
    }
}

/* --- rules ------------------------------------------------------------------------------------ */

struct ignore *ignore_new(void)
{
    struct ignore *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    return self;
}

static void rules_drop(struct rules *self, size_t from)
{
    while (self->count > from) {
        free(self->of[--self->count].pattern);
    }
}

void ignore_destroy(struct ignore **self_p)
{
    struct ignore *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        rules_drop(&self->files, 0);
        rules_drop(&self->excludes, 0);
        free(self->files.of);
        free(self->excludes.of);
        free(self);
    }
}

/*  Without spaces at the end, but for one that a backslash keeps. */
static size_t trimmed(const char *p, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' && i + 1 < n) {
            i++;
            kept = i + 1;
        } else if (p[i] != ' ') {
            kept = i + 1;
        }
    }
    return kept;
}

static void rule_add(struct rules *self, const char *dir, const char *p, size_t n)
{
    struct rule rule = { .dir_n = strlen(dir) };
    n = trimmed(p, n);
    if (n == 0 || *p == '#') {
        return;
    }
    rule.negated = *p == '!';
    p += rule.negated;
    n -= rule.negated;
    rule.dirs_only = n > 0 && p[n - 1] == '/';
    n -= rule.dirs_only;
    rule.by_name = memchr(p, '/', n) == NULL;
    if (n > 0 && *p == '/') {
        p++;
        n--;
    }
    rule.pattern = n > 0 ? strndup(p, n) : NULL;
    if (rule.pattern == NULL) {
        ensure(n == 0);
        return;
    }
    if (self->count == self->room) {
        self->room = self->room == 0 ? 16 : self->room * 2;
        self->of = realloc(self->of, self->room * sizeof(*self->of));
        ensure(self->of != NULL);
    }
    self->of[self->count++] = rule;
}

void ignore_add(struct ignore *self, const char *dir, struct slice text)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, as some editors write it */
    const char *p = (const char *)text.p, *end = p + text.n;
    if (text.n >= 3 && memcmp(p, mark, 3) == 0) {
        p += 3;
    }
    while (p < end) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        line = line != NULL ? line : end;
        size_t n = (size_t)(line - p);
        n -= n > 0 && line < end && p[n - 1] == '\r';
        rule_add(&self->files, dir, p, n);
        p = line + 1;
    }
}

void ignore_exclude(struct ignore *self, const char *pattern)
{
    rule_add(&self->excludes, "", pattern, strlen(pattern));
}

void ignore_leave(struct ignore *self, const char *dir)
{
    size_t kept = self->files.count;
    while (kept > 0 && self->files.of[kept - 1].dir_n == strlen(dir)) {
        kept--;
    }
    rules_drop(&self->files, kept);
}

static bool rule_speaks(const struct rule *rule, const char *path, bool is_dir)
{
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    if (rule->dirs_only && !is_dir) {
        return false;
    }
    if (rule->by_name) {
        return ignore_match(rule->pattern, name);
    }
    return ignore_match(rule->pattern, path + rule->dir_n + (rule->dir_n > 0));
}

/*  1 left out, 0 not, -1 no rule speaks of it. */
static int rules_say(const struct rules *self, const char *path, bool is_dir)
{
    for (size_t i = self->count; i-- > 0;) {
        if (rule_speaks(&self->of[i], path, is_dir)) {
            return !self->of[i].negated;
        }
    }
    return -1;
}

bool ignore_hides(const struct ignore *self, const char *path, bool is_dir)
{
    const char *name = strrchr(path, '/');
    if (strcmp(name != NULL ? name + 1 : path, ".git") == 0) {
        return true;
    }
    int said = rules_say(&self->excludes, path, is_dir);
    said = said >= 0 ? said : rules_say(&self->files, path, is_dir);
    return said > 0;
}
