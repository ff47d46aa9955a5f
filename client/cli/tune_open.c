/*  tune_open.c - every option of `rayc tune` that is a key of search.yaml is one line of a table. */
#include "client/cli/tune_open.h"

#include <stdarg.h>
#include <stdlib.h>
#include "client/cli/connect.h"

/*  Options that are keys: their texts go into the file's place as they are. */
static const struct {
    const char *key;
    size_t offset; /* of a TEXT in struct options */
} keys[] = {
#define KEY(name, field) { name, offsetof(struct options, field) },
#include "client/cli/tune_keys.def"
#undef KEY
};

static int add_flag(struct tune_source *self, const struct cli *cli, const char *key, const char *value)
{
    size_t room = sizeof(self->texts) - self->texts_n;
    int n = snprintf(self->texts + self->texts_n, room, "%s%s%s", key, key[0] ? "=" : "", value);
    if (self->source.flag_count == TUNE_FLAGS_MAX || n < 0 || (size_t)n >= room) {
        return fail(cli, ERR_TOO_LARGE, "too many options for one study");
    }
    self->flags[self->source.flag_count++] = self->texts + self->texts_n;
    self->texts_n += (size_t)n + 1;
    return 0;
}

static int add_options(struct tune_source *self, const struct cli *cli)
{
    int exit_code = 0;
    for (size_t i = 0; exit_code == 0 && i < COUNT(keys); i++) {
        const char *value = *(const char *const *)((const char *)&cli->options + keys[i].offset);
        if (value) {
            exit_code = add_flag(self, cli, keys[i].key, value);
        }
    }
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.env.count; i++) {
        char key[NAME_MAX_BYTES + 8];
        const char *entry = cli->options.env.texts[i], *value = strchr(entry, '=');
        if (!value || value - entry > NAME_MAX_BYTES) {
            return fail_usage(cli, "--env: '%s' is not K=V", entry);
        }
        snprintf(key, sizeof(key), "env.%.*s", (int)(value - entry), entry);
        exit_code = add_flag(self, cli, key, value + 1);
    }
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.set.count; i++) {
        if (!strchr(cli->options.set.texts[i], '=')) {
            return fail_usage(cli, "--set: '%s' is not KEY=VALUE", cli->options.set.texts[i]);
        }
        exit_code = add_flag(self, cli, "", cli->options.set.texts[i]);
    }
    return exit_code;
}

int tune_source_read(struct tune_source *self, const struct cli *cli)
{
    *self = (struct tune_source){ .source.path = cli->options.space, .storage = cli->options.storage };
    self->source.flags = self->flags;
    self->source.command = cli->dashes && cli->count > 0 ? cli->operands : NULL;
    return add_options(self, cli);
}

int tune_source_resume(struct tune_source *self, const struct cli *cli, struct slice definition,
                       struct slice settings)
{
    struct spec_source stored;
    const char *storage;
    if (settings_read(settings, definition, &stored, &storage, &self->stored) != OK) {
        return fail(cli, ERR_INVALID, "the stored settings of the study cannot be read");
    }
    *self = (struct tune_source){ .source = stored, .stored = self->stored };
    self->storage = cli->options.storage ? cli->options.storage : storage;
    self->source.flag_count = 0;
    self->source.flags = self->flags;
    int exit_code = 0;
    for (uint32_t i = 0; exit_code == 0 && i < stored.flag_count; i++) {
        exit_code = add_flag(self, cli, "", stored.flags[i]);
    }
    return exit_code ? exit_code : add_options(self, cli);
}

int fail_spec(const struct cli *cli, const char *path, const struct spec_error *error)
{
    if (error->line == 0) {
        return fail(cli, ERR_INVALID, "%s%s%s%s%s", path ? path : "", path ? ": " : "", error->field,
                    error->field[0] ? ": " : "", error->text);
    }
    return fail(cli, ERR_INVALID, "%s:%u:%u: %s%s%s", path, error->line, error->column, error->field,
                error->field[0] ? ": " : "", error->text);
}

int tune_spec_read(const struct tune_source *self, const struct cli *cli, struct study_spec **spec)
{
    struct spec_error error = { 0 };
    int rc = spec_read(spec, &self->source, &error);
    if (rc == ERR_NOT_FOUND) {
        return fail(cli, rc, "%s: %s", self->source.path, error.text);
    }
    return rc == OK ? 0 : fail_spec(cli, self->source.path, &error);
}

void tune_source_free(struct tune_source *self)
{
    json_decref(self->stored);
    self->stored = NULL;
}
