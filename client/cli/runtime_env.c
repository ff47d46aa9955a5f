/*  runtime_env.c - JSON is YAML, so one reader takes both.  Texts live as long as the process, as those of options. */
#include "client/cli/runtime_env.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/cli/table.h"
#include "client/tune/yaml.h"
#include "common/archive/pack.h"
#include "common/file.h"

struct reading {
    struct runtime_env *self;
    const struct cli *cli;
    const char *where; /* "env.yaml", "--runtime-env-json" */
};

static int wrong_kind(const struct reading *in, const char *key, const char *wanted)
{
    return fail_usage(in->cli, "%s: %s: must be %s", in->where, key, wanted);
}

static int add_folder(const struct reading *in, const char *folder, uint32_t kind)
{
    struct runtime_env *self = in->self;
    struct stat is;
    if (strstr(folder, "://")) {
        return fail_usage(in->cli,
                          "%s: %s: only folders of this machine are packed: addresses are not "
                          "offered",
                          in->where, folder);
    }
    if (stat(folder, &is) != 0 || !S_ISDIR(is.st_mode)) {
        return fail_usage(in->cli, "%s: %s: %s", in->where, folder,
                          errno == ENOENT ? "there is no such folder" : "is no folder");
    }
    if (self->package_count == PACKAGES_MAX) {
        return fail_usage(in->cli, "%s: more than %d folders", in->where, PACKAGES_MAX);
    }
    self->packages[self->package_count++] =
        (struct packed_folder){ .folder = folder, .kind = kind };
    return 0;
}

/* --- its keys ------------------------------------------------------------------------------------------ */

static int read_vars(const struct reading *in, const struct yaml_node *node)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (node->kind != NODE_MAP) {
        return wrong_kind(in, "env_vars", "a map of strings");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text, *value = node->items[i]->text;
        char *entry = NULL;
        if (!*name || isdigit((unsigned char)*name) || name[strspn(name, letters)]) {
            return fail_usage(in->cli, "%s: env_vars: '%s' is no name of a variable", in->where,
                              name);
        }
        if (node->items[i]->kind != NODE_SCALAR || in->self->var_count == RUNTIME_VARS_MAX) {
            return wrong_kind(in, "env_vars", "a map of at most 1024 strings");
        }
        ensure(asprintf(&entry, "%s=%s", name, value) > 0);
        in->self->vars[in->self->var_count++] = entry;
    }
    return 0;
}

static int read_working_dir(const struct reading *in, const struct yaml_node *node)
{
    if (node->kind != NODE_SCALAR) {
        return wrong_kind(in, "working_dir", "a folder");
    }
    return in->cli->options.working_dir ? 0 : add_folder(in, node->text, PACKAGE_WORKING_DIR);
}

static int read_modules(const struct reading *in, const struct yaml_node *node)
{
    int exit_code = node->kind == NODE_LIST ? 0 : wrong_kind(in, "py_modules", "a list of folders");
    for (uint32_t i = 0; exit_code == 0 && i < node->count; i++) {
        exit_code = node->items[i]->kind == NODE_SCALAR
                        ? add_folder(in, node->items[i]->text, PACKAGE_PY_MODULE)
                        : wrong_kind(in, "py_modules", "a list of folders");
    }
    return exit_code;
}

static int read_excludes(const struct reading *in, const struct yaml_node *node)
{
    struct runtime_env *self = in->self;
    bool right = node->kind == NODE_LIST && node->count <= RUNTIME_EXCLUDES_MAX;
    for (uint32_t i = 0; right && i < node->count; i++) {
        right = node->items[i]->kind == NODE_SCALAR;
        self->excludes[self->exclude_count++] = node->items[i]->text;
    }
    return right ? 0
                 : wrong_kind(in, "excludes", "a list of at most 256 patterns as in .gitignore");
}

static const struct {
    const char *name;
    int (*read)(const struct reading *in, const struct yaml_node *node); /* NULL: not offered */
} keys[] = {
    { "env_vars", read_vars },
    { "working_dir", read_working_dir },
    { "py_modules", read_modules },
    { "excludes", read_excludes },
    { "pip", NULL },
    { "uv", NULL },
    { "conda", NULL },
    { "container", NULL },
    { "image_uri", NULL },
    { "java_jars", NULL },
    { "py_executable", NULL },
    { "nsight", NULL },
    { "worker_process_setup_hook", NULL },
    { "config", NULL },
};

static int read_key(const struct reading *in, const char *name, const struct yaml_node *node)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].read ? keys[i].read(in, node)
                                : fail_usage(in->cli,
                                             "%s: %s is not offered: install what the job needs on "
                                             "the nodes, or bring it in working_dir",
                                             in->where, name);
        }
    }
    return fail_usage(in->cli,
                      "%s: there is no key '%s': it takes env_vars, working_dir, py_modules, "
                      "excludes",
                      in->where, name);
}

/* --- reading ------------------------------------------------------------------------------------------- */

static int read_text(struct reading *in, struct slice text)
{
    struct arena *arena = arena_new(); /* it lives to the end, as the texts of options do */
    struct yaml_node *map = NULL;
    struct spec_error error = { 0 };
    if (yaml_parse(arena, text, &map, &error) != OK) {
        return fail_usage(in->cli, "%s:%u:%u: %s", in->where, error.line, error.column, error.text);
    }
    if (map->kind != NODE_MAP) {
        return fail_usage(in->cli, "%s: must be a map such as {env_vars: {A: b}}", in->where);
    }
    int exit_code = 0;
    for (uint32_t i = 0; exit_code == 0 && i < map->count; i++) {
        exit_code = read_key(in, map->keys[i]->text, map->items[i]);
    }
    return exit_code;
}

static int read_file(struct reading *in, const char *path)
{
    static char text[YAML_BYTES_MAX + 1]; /* one more: yaml_parse() says that it is too large */
    FILE *file = fopen(path, "re");
    if (!file) {
        return fail_usage(in->cli, "--runtime-env: cannot read %s: %s", path, strerror(errno));
    }
    size_t n = fread(text, 1, sizeof(text), file);
    fclose(file);
    in->where = path;
    return read_text(in, slice_of(text, n));
}

/* --- packing ------------------------------------------------------------------------------------------- */

static int pack_one(struct runtime_env *self, const struct cli *cli, struct packed_folder *package)
{
    const char *tmp = getenv("TMPDIR");
    char why[PACK_WHY_BYTES];
    struct packed packed;
    uint64_t bytes;
    const struct pack_options options = { .excludes = self->excludes,
                                          .keep_name = package->kind == PACKAGE_PY_MODULE };
    snprintf(package->archive, sizeof(package->archive), "%.4000s/rayc-package-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    int fd = mkostemp(package->archive, O_CLOEXEC);
    if (fd < 0) {
        return fail(cli, ERR_SYSTEM, "%s: %s", package->archive, strerror(errno));
    }
    int rc = pack_folder(package->folder, &options, fd, &packed, why);
    close(fd);
    if (rc == OK) {
        rc = file_hash(package->archive, package->hash, &bytes);
        snprintf(why, sizeof(why), "%.500s: %s", package->archive, err_text(rc));
    }
    if (rc == OK) {
        detail(cli, "%s: %llu files, %llu bytes, packed into %llu: %.12s", package->folder,
               (unsigned long long)packed.files, (unsigned long long)packed.bytes,
               (unsigned long long)bytes, package->hash);
    }
    return rc == OK ? 0 : fail(cli, rc, "%s: %s", package->folder, why);
}

/*  For people: values of variables may be secrets. */
static void show(struct runtime_env *self)
{
    json_t *shown = json_object();
    json_t *vars = json_object(), *modules = json_array();
    for (uint32_t i = 0; i < self->var_count; i++) {
        char *name = strndup(self->vars[i], strcspn(self->vars[i], "="));
        ensure(name != NULL);
        json_object_set_new(vars, name, json_string("*****"));
        free(name);
    }
    for (uint32_t i = 0; i < self->package_count; i++) {
        json_t *folder = json_string(self->packages[i].folder);
        if (self->packages[i].kind == PACKAGE_WORKING_DIR) {
            json_object_set_new(shown, "working_dir", folder);
        } else {
            json_array_append_new(modules, folder);
        }
    }
    if (json_object_size(vars) > 0) {
        json_object_set(shown, "env_vars", vars);
    }
    if (json_array_size(modules) > 0) {
        json_object_set(shown, "py_modules", modules);
    }
    if (json_object_size(shown) > 0) {
        self->shown = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
    }
    json_decref(vars);
    json_decref(modules);
    json_decref(shown);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int runtime_env_read(struct runtime_env *self, const struct cli *cli)
{
    const struct options *options = &cli->options;
    struct reading in = { self, cli, "--runtime-env-json" };
    if (options->runtime_env && options->runtime_env_json) {
        return fail_usage(cli, "--runtime-env and --runtime-env-json say the same: give one");
    }
    int exit_code = options->runtime_env ? read_file(&in, options->runtime_env)
                    : options->runtime_env_json
                        ? read_text(&in, slice_text(options->runtime_env_json))
                        : 0;
    struct stat is;
    in.where = "--working-dir";
    if (exit_code == 0 && options->working_dir && stat(options->working_dir, &is) == 0) {
        exit_code = add_folder(&in, options->working_dir, PACKAGE_WORKING_DIR);
    }
    qsort(self->vars, self->var_count, sizeof(*self->vars), by_text);
    for (uint32_t i = 0; exit_code == 0 && i < self->package_count; i++) {
        exit_code = pack_one(self, cli, &self->packages[i]);
    }
    if (exit_code == 0) {
        show(self);
    }
    return exit_code;
}

void runtime_env_fini(struct runtime_env *self)
{
    for (uint32_t i = 0; i < self->package_count; i++) {
        if (self->packages[i].archive[0]) {
            unlink(self->packages[i].archive);
        }
    }
    free(self->shown);
}
