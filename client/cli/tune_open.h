/*  tune_open.h - from the options of `rayc tune` to a spec: the file, and the flags over it. */
#ifndef RAYC_CLI_TUNE_OPEN_H
#define RAYC_CLI_TUNE_OPEN_H
#include "client/cli/cli.h"
#include "client/tune/result.h"

enum { TUNE_FLAGS_MAX = 320 };

struct tune_source {
    struct spec_source source;
    const char *storage; /* as given; NULL: the default */
    const char *flags[TUNE_FLAGS_MAX];
    char texts[64 * 1024]; /* what the flags are made of */
    size_t texts_n;
    struct settings stored; /* of a study that is resumed */
};

/*  What the options say.  0, or the exit code of what was said. */
int tune_source_read(struct tune_source *self, const struct cli *cli);
/*  Puts a stored study under it: its file, its flags, then those of the options, which win; its command, unless one is
    given.  `definition` must stay until the spec is read. */
int tune_source_resume(struct tune_source *self, const struct cli *cli, struct slice definition,
                       struct slice settings);
int tune_spec_read(const struct tune_source *self, const struct cli *cli, struct study_spec **spec);
/*  A study is kept as JSON: 0, or what was said about a text that is not UTF-8. */
int check_text(const struct cli *cli, const char *text);
/*  Says what is wrong with a search.yaml: 2. */
int fail_spec(const struct cli *cli, const char *path, const struct spec_error *error);
void tune_source_free(struct tune_source *self);
#endif
