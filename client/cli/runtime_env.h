/*  runtime_env.h - Ray's runtime_env as `rayc submit` takes it: variables, a working folder, Python modules.  Folders are
    packed here, before any cluster is asked, into temporary files that end with the process. */
#ifndef RAYC_CLI_RUNTIME_ENV_H
#define RAYC_CLI_RUNTIME_ENV_H
#include "client/cli/cli.h"
#include "common/hash.h"
#include "proto/proto.h"

enum { RUNTIME_VARS_MAX = 1024, RUNTIME_EXCLUDES_MAX = 256 };

struct runtime_env {
    const char *vars[RUNTIME_VARS_MAX + 1]; /* K=V, by K */
    uint32_t var_count;
    const char *excludes[RUNTIME_EXCLUDES_MAX + 1];
    uint32_t exclude_count;
    struct packed_folder {
        const char *folder;
        uint32_t kind; /* enum package_kind */
        char archive[PATH_BYTES];
        char hash[HASH_TEXT_BYTES];
    } packages[PACKAGES_MAX];
    uint32_t package_count;
    char *shown; /* JSON, values of variables masked; NULL: nothing was asked */
};

/*  Reads --runtime-env, --runtime-env-json and --working-dir; packs.  0, or an exit code. */
int runtime_env_read(struct runtime_env *self, const struct cli *cli);
void runtime_env_fini(struct runtime_env *self);
#endif
