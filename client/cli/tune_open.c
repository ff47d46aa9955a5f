/*  tune_open.c - every option of `rayc tune` that is a key of search.yaml is one line of a table. */
#include "client/cli/tune_open.h"

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

int check_text(const struct cli *cli, const char *text)
{
    json_t *string = json_string(text);
    json_decref(string);
    return string || !text ? 0 : fail_usage(cli, "'%s' is not UTF-8 text", text);
}

/*  The same key again takes the place of the older one: a study may be resumed often. */
static void drop_flag(struct tune_source *self, const char *flag)
{
    size_t n = strcspn(flag, "=") + 1;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->source.flag_count; i++) {
        if (strncmp(self->flags[i], flag, n) != 0) {
            self->flags[kept++] = self->flags[i];
        }
    }
    self->source.flag_count = kept;
}

static int add_flag(struct tune_source *self, const struct cli *cli, const char *key,
                    const char *value)
{
    char *flag = self->texts + self->texts_n;
    size_t room = sizeof(self->texts) - self->texts_n;
    int n = snprintf(flag, room, "%s%s%s", key, key[0] ? "=" : "", value);
    if (n < 0 || (size_t)n >= room) {
        return fail(cli, ERR_TOO_LARGE, "too many options for one study");
    }
    drop_flag(self, flag);
    if (self->source.flag_count == TUNE_FLAGS_MAX) {
        return fail(cli, ERR_TOO_LARGE, "too many options for one study");
    }
    self->flags[self->source.flag_count++] = flag;
    self->texts_n += (size_t)n + 1;
    return check_text(cli, flag);
}

/*  "K=V", or "K": as it is here. */
static int add_env(struct tune_source *self, const struct cli *cli, const char *entry)
{
    char key[NAME_MAX_BYTES + 8];
    size_t n = strcspn(entry, "=");
    if (n == 0 || n > NAME_MAX_BYTES) {
        return fail_usage(cli, "--env: '%s' is not K=V", entry);
    }
    snprintf(key, sizeof(key), "env.%.*s", (int)n, entry);
    const char *value = entry[n] ? entry + n + 1 : getenv(entry);
    return value ? add_flag(self, cli, key, value)
                 : fail_usage(cli, "--env: %s is not set here", entry);
}

/*  "K=V,...": each in its place, beside --cpus and what the file demands; or a map, in the place of all of them. */
static int add_resources(struct tune_source *self, const struct cli *cli)
{
    const char *text = cli->options.resources;
    if (text && *text == '{') {
        return add_flag(self, cli, "resources", text);
    }
    int exit_code = 0;
    for (size_t n; exit_code == 0 && text && *text; text += n + (text[n] == ',')) {
        char flag[2 * NAME_MAX_BYTES];
        n = strcspn(text, ",");
        int length = snprintf(flag, sizeof(flag), "resources.%.*s", (int)n, text);
        exit_code = length > 0 && (size_t)length < sizeof(flag) && memchr(text, '=', n)
                        ? add_flag(self, cli, "", flag)
                        : fail_usage(cli, "--resources: '%.*s' is not K=V", (int)n, text);
    }
    return exit_code;
}

/*  --label, which may be there several times, and --priority, a number: where and when trials run. */
static int add_placement(struct tune_source *self, const struct cli *cli)
{
    int exit_code = 0;
    if (cli->options.priority != OPTION_UNSET) {
        char digits[32];
        snprintf(digits, sizeof(digits), "%lld", (long long)cli->options.priority);
        exit_code = add_flag(self, cli, "priority", digits);
    }
    if (exit_code == 0 && cli->options.label.count > 0) {
        json_t *list = json_array();
        for (uint32_t i = 0; i < cli->options.label.count; i++) {
            json_array_append_new(list, json_string(cli->options.label.texts[i]));
        }
        char *text = json_dumps(list, JSON_COMPACT); /* which is YAML, too */
        exit_code = text && json_array_size(list) == cli->options.label.count
                        ? add_flag(self, cli, "labels", text)
                        : fail_usage(cli, "--label: a text that is not UTF-8");
        free(text);
        json_decref(list);
    }
    return exit_code;
}

static int add_options(struct tune_source *self, const struct cli *cli)
{
    int exit_code = add_resources(self, cli);
    exit_code = exit_code ? exit_code : add_placement(self, cli);
    for (size_t i = 0; exit_code == 0 && i < COUNT(keys); i++) {
        const char *value = *(const char *const *)((const char *)&cli->options + keys[i].offset);
        exit_code = value ? add_flag(self, cli, keys[i].key, value) : 0;
    }
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.env.count; i++) {
        exit_code = add_env(self, cli, cli->options.env.texts[i]);
    }
    for (uint32_t i = 0; exit_code == 0 && i < cli->options.set.count; i++) {
        const char *text = cli->options.set.texts[i];
        exit_code = strchr(text, '=') ? add_flag(self, cli, "", text)
                                      : fail_usage(cli, "--set: '%s' is not KEY=VALUE", text);
    }
    return exit_code;
}

int tune_source_read(struct tune_source *self, const struct cli *cli)
{
    memset(self, 0, sizeof(*self)); /* it is large */
    self->source.path = cli->options.space;
    self->storage = cli->options.storage;
    self->source.flags = self->flags;
    bool command = cli->dashes && cli->count > 0 && cli->command && cli->command->id == CMD_tune;
    self->source.command = command ? cli->operands : NULL;
    int exit_code = check_text(cli, self->source.path);
    exit_code = exit_code ? exit_code : check_text(cli, self->storage);
    for (char *const *word = self->source.command; exit_code == 0 && word && *word; word++) {
        exit_code = check_text(cli, *word);
    }
    return exit_code ? exit_code : add_options(self, cli);
}

int tune_source_resume(struct tune_source *self, const struct cli *cli, struct slice definition,
                       struct slice settings)
{
    char *const *command = self->source.command;
    if (settings_read(&self->stored, settings, definition) != OK) {
        return fail(cli, ERR_INVALID, "the stored settings of the study cannot be read");
    }
    const struct spec_source *stored = &self->stored.source;
    self->storage = cli->options.storage ? cli->options.storage : self->stored.storage;
    self->source = *stored;
    self->source.command = command ? command : stored->command;
    self->source.flags = self->flags;
    self->source.flag_count = 0;
    self->texts_n = 0;
    int exit_code = 0;
    for (uint32_t i = 0; exit_code == 0 && i < stored->flag_count; i++) {
        exit_code = add_flag(self, cli, "", stored->flags[i]);
    }
    return exit_code ? exit_code : add_options(self, cli);
}

int fail_spec(const struct cli *cli, const char *path, const struct spec_error *error)
{
    if (error->line == 0 || !path) {
        return fail(cli, ERR_INVALID, "%s%s%s%s%s", path ? path : "", path ? ": " : "",
                    error->field, error->field[0] ? ": " : "", error->text);
    }
    return fail(cli, ERR_INVALID, "%s:%u:%u: %s%s%s", path, error->line, error->column,
                error->field, error->field[0] ? ": " : "", error->text);
}

int tune_spec_read(const struct tune_source *self, const struct cli *cli, struct study_spec **spec)
{
    struct spec_error error = { 0 };
    int rc = spec_read(spec, &self->source, &error);
    if (rc == ERR_NOT_FOUND) {
        return fail(cli, rc, "%s: %s", self->source.path, error.text);
    }
    int exit_code = rc == OK ? check_text(cli, (*spec)->dir) : 0;
    if (exit_code) {
        spec_close(spec);
    }
    return rc == OK ? exit_code : fail_spec(cli, self->source.path, &error);
}

void tune_source_free(struct tune_source *self)
{
    settings_free(&self->stored);
}
