/*  mhd.c - the library by the name that it had when this was built, and its functions by theirs. */
#include "common/web/mhd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t at;
} functions[] = {
#define MHD(name) { "MHD_" #name, offsetof(struct mhd, name) },
#include "common/web/mhd.def"
#undef MHD
};

struct mhd mhd;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *library;

static int failed(struct diag *why)
{
    const char *text = dlerror();
    snprintf(why->text, sizeof(why->text), "%.150s", text ? text : RAYC_MHD_LIBRARY);
    return ERR_SYSTEM;
}

static int load(struct diag *why)
{
    void *opened = dlopen(RAYC_MHD_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
        return failed(why);
    }
    struct mhd found;
    for (size_t i = 0; i < COUNT(functions); i++) {
        void *function = dlsym(opened, functions[i].name);
        if (!function) {
            int code = failed(why);
            dlclose(opened);
            return code;
        }
        memcpy((char *)&found + functions[i].at, &function, sizeof(function));
    }
    mhd = found;
    library = opened;
    return OK;
}

int mhd_load(struct diag *why)
{
    pthread_mutex_lock(&lock);
    int code = library ? OK : load(why);
    pthread_mutex_unlock(&lock);
    return code;
}

bool mhd_is_loaded(void)
{
    pthread_mutex_lock(&lock);
    bool loaded = library != NULL;
    pthread_mutex_unlock(&lock);
    return loaded;
}
