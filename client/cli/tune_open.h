/*  tune_open.h - from the options of `rayc tune` to a spec: the file, and the flags over it. */
#ifndef RAYC_CLI_TUNE_OPEN_H
#define RAYC_CLI_TUNE_OPEN_H
#include <jansson.h>
#include "client/cli/cli.h"
#include "client/tune/result.h"

enum { TUNE_FLAGS_MAX = 320 };

struct tune_source {
    struct spec_source source;
    const char *storage; /* as given; NULL: the default */
    const char *flags[TUNE_FLAGS_MAX];
    char texts[64 * 1024]; /* what the flags are made of */
    size_t texts_n;
    json_t *stored; /* of a study that is resumed */
};

/*  What the options say.  0, or the exit code of what was said. */
int tune_source_read(struct tune_source *self, const struct cli *cli);
/*  Puts the definition of a stored study under it: its flags, then those of the options. */
int tune_source_resume(struct tune_source *self, const struct cli *cli, struct slice definition,
                       struct slice settings);
int tune_spec_read(const struct tune_source *self, const struct cli *cli, struct study_spec **spec);
/*  Says what is wrong with a search.yaml: 2. */
int fail_spec(const struct cli *cli, const char *path, const struct spec_error *error);
void tune_source_free(struct tune_source *self);
#endif
