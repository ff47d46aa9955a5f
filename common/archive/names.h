/*  names.h - names in archives are UTF-8, in whatever locale the process runs: libarchive asks the thread's. */
#ifndef RAYC_ARCHIVE_NAMES_H
#define RAYC_ARCHIVE_NAMES_H
#include <locale.h>

struct names {
    locale_t utf8, before;
};

static inline struct names names_begin(void)
{
    struct names self = { newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), (locale_t)0 };
    if (self.utf8 != (locale_t)0) {
        self.before = uselocale(self.utf8);
    }
    return self;
}

static inline void names_end(struct names *self)
{
    if (self->utf8 != (locale_t)0) {
        uselocale(self->before);
        freelocale(self->utf8);
    }
}
#endif
