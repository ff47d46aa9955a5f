/*  spec.c - spec_read(): a file, its flags, its keys in their order, then what concerns more than one of them. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/spec_inside.h"
#include "common/file.h"

/* --- the file --------------------------------------------------------------------------------- */

static int file_take(struct reader *self, const char *path, struct slice *out)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = file ? arena_take(self->arena, YAML_BYTES_MAX + 1) : NULL;
    size_t n = file ? fread(bytes, 1, YAML_BYTES_MAX + 1, file) : 0;
    int failed = !file || ferror(file) ? errno : 0;
    if (file) {
        (void)fclose(file);
    }
    if (failed) {
        (void)spec_refuse(self, NULL, "", "cannot be read: %s", strerror(failed));
        return ERR_NOT_FOUND;
    }
    *out = slice_of(bytes, n);
    return OK;
}

static const char *folder_of(struct reader *self, const char *path)
{
    char real[PATH_MAX];
    char copy[PATH_MAX];
    (void)slice_copy_text(slice_text(path ? path : "."), copy, sizeof(copy));
    const char *folder = path ? dirname(copy) : copy;
    return arena_text(self->arena, slice_text(realpath(folder, real) ? real : folder));
}

/* --- the keys --------------------------------------------------------------------------------- */

static void defaults(struct study_spec *spec)
{
    spec->search = search_defaults();
    spec->scheduler = scheduler_defaults("fifo");
    spec->cpus = 1;
    spec->checkpoint_keep = 1;
}

static int keys_read(struct reader *self, const struct spec_source *source)
{
    int code = read_section(self, SECTION_top, self->root, "");
    const struct yaml_node *space = spec_node(self, "space");
    if (code == OK) {
        code = space ? space_read(self, space)
                     : spec_refuse(self, NULL, "space", "is missing: say what is to be tuned");
    }
    const struct yaml_node *constraints = spec_node(self, "constraints");
    if (code == OK && constraints) {
        code = constraints_read(self, constraints);
    }
    const struct yaml_node *points = spec_node(self, "points");
    if (code == OK && points) {
        code = points_read(self, points);
    }
    if (code == OK) {
        code = command_read(self, spec_node(self, "command"), source->command);
    }
    return code == OK ? spec_check(self) : code;
}

static int read_all(struct reader *self, const struct spec_source *source)
{
    struct study_spec *spec = self->spec;
    struct slice text = source->text;
    struct yaml_node *root = NULL;
    int code = text.p ? OK : file_take(self, source->path, &text);
    if (code != OK) {
        return code;
    }
    defaults(spec);
    spec->text = slice_of(arena_text(self->arena, text), text.n);
    spec->dir = source->dir ? arena_text(self->arena, slice_text(source->dir))
                            : folder_of(self, source->path);
    code = yaml_parse(self->arena, spec->text, &root, self->error);
    if (code == OK && root->kind != NODE_MAP) {
        code = spec_refuse(self, root, "", "must be a map of keys, not %s", yaml_what(root));
    }
    if (code == OK) {
        code = spec_overrule(self, root, source);
    }
    self->root = root;
    return code == OK ? keys_read(self, source) : code;
}

int spec_read(struct study_spec **out, const struct spec_source *source, struct spec_error *error)
{
    struct arena *arena = arena_new();
    struct study_spec *spec = arena_take(arena, sizeof(*spec));
    struct reader reader = { .arena = arena, .spec = spec, .error = error };
    *error = (struct spec_error){ 0 };
    *out = spec;
    spec->arena = arena;
    int code = read_all(&reader, source);
    if (code != OK) {
        spec_close(out);
    }
    return code;
}

void spec_close(struct study_spec **spec)
{
    if (*spec) {
        struct arena *arena = (*spec)->arena;
        arena_destroy(&arena);
        *spec = NULL;
    }
}
