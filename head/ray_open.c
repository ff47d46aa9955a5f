/*  ray_open.c - demand, environment, packages and names of a job that Ray's client asks for. */
#include "head/ray_open.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/secret.h"
#include "common/text.h"
#include "proto/wire.h"

enum {
    ID_LETTERS = 16,
    FIXMAP = 0x80,
    STRING_HEAD_BYTES = 5,
    AMOUNT_BYTES = RESOURCE_NAME_MAX + 32,
    PACKAGE_BYTES = HASH_TEXT + NAME_MAX_BYTES + 32,
    FRAME_EXTRA = 16 * 1024
};
#define ONE_MAX 1e12 /* of a resource */

static struct wire room(size_t bytes)
{
    struct wire wire = { malloc(bytes), 0, bytes, false };
    ensure(wire.p != NULL);
    return wire;
}

void ray_open_fini(struct ray_open *self)
{
    json_decref(self->asked);
    free(self->metadata);
    free(self->runtime_env);
    free(self->command.p);
    free(self->specs.p);
    free(self->packages.p);
    free(self->demand.p);
    *self = (struct ray_open){ 0 };
}

static const char *string_of(const struct ray_open *self, const char *name)
{
    return json_string_value(json_object_get(self->asked, name));
}

/* --- demand ----------------------------------------------------------------------------------------------------- */

static int add_amount(struct ray_open *self, const char *name, uint64_t units,
                      struct ray_refusal *no)
{
    if (units == 0) {
        return OK;
    }
    if (self->amount_count == RESOURCES_MAX) {
        return ray_refuse(no, 400, "ValueError: more than %d different resources", RESOURCES_MAX);
    }
    self->amounts[self->amount_count++] = slice_text(name);
    proto_put_record(&self->demand, REC_AMOUNT, &(struct rec_amount){ slice_text(name), units });
    return OK;
}

static int add_number(struct ray_open *self, const char *field, const char *name,
                      const json_t *value, struct ray_refusal *no)
{
    double number = json_number_value(value);
    if (!(number >= 0 && number <= ONE_MAX)) {
        return ray_refuse(no, 400, "ValueError: %.80s must be a number from 0 on, got %g", field,
                          number);
    }
    double scaled = number * (double)UNITS_PER_ONE;
    double whole = floor(scaled + 0.5);
    if (fabs(scaled - whole) > 1e-6 * (whole > 1 ? whole : 1)) {
        return ray_refuse(no, 400, "ValueError: %.80s is %.10g: resources go in steps of 0.0001",
                          field, number);
    }
    if (strcmp(name, "GPU") == 0 && number > 1 && number != floor(number)) {
        return ray_refuse(no, 400, "ValueError: %s is %g: over 1 it must be whole", field, number);
    }
    return add_amount(self, name, (uint64_t)whole, no);
}

static int add_memory(struct ray_open *self, struct ray_refusal *no)
{
    json_int_t bytes = json_integer_value(json_object_get(self->asked, "entrypoint_memory"));
    if (bytes < 0) {
        return ray_refuse(no, 400, "ValueError: entrypoint_memory must be 0 bytes or more");
    }
    return add_amount(self, "memory", (uint64_t)bytes, no);
}

static int add_resources(struct ray_open *self, struct ray_refusal *no)
{
    static const char *const taken[] = { "CPU", "GPU", "memory" };
    json_t *resources = json_object_get(self->asked, "entrypoint_resources");
    const char *name;
    json_t *value;
    json_object_foreach(resources, name, value)
    {
        if (name[0] == 0 || strlen(name) > RESOURCE_NAME_MAX) {
            return ray_refuse(no, 400,
                              "ValueError: entrypoint_resources: a name has 1 to %d bytes: '%.80s'",
                              RESOURCE_NAME_MAX, name);
        }
        for (size_t i = 0; i < COUNT(taken); i++) {
            if (strcmp(name, taken[i]) == 0) {
                return ray_refuse(no, 400,
                                  "ValueError: entrypoint_resources: '%s' has a field of its own: "
                                  "entrypoint_num_cpus, entrypoint_num_gpus, entrypoint_memory",
                                  name);
            }
        }
        int rc = add_number(self, name, name, value, no);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

static int read_demand(struct ray_open *self, struct ray_refusal *no)
{
    self->demand = room(RESOURCES_MAX * AMOUNT_BYTES);
    const json_t *cpus = json_object_get(self->asked, "entrypoint_num_cpus");
    const json_t *gpus = json_object_get(self->asked, "entrypoint_num_gpus");
    int rc = cpus ? add_number(self, "entrypoint_num_cpus", "CPU", cpus, no) : OK;
    if (rc == OK && gpus) {
        rc = add_number(self, "entrypoint_num_gpus", "GPU", gpus, no);
    }
    if (rc == OK) {
        rc = add_memory(self, no);
    }
    if (rc == OK) {
        rc = add_resources(self, no);
    }
    ensure(!self->demand.full);
    return rc;
}

/*  Ray's "v", "!v", "in(a,b)", "!in(a,b)" as a line of a selector. */
static void add_label(struct text *to, const char *key, const char *value)
{
    bool negated = value[0] == '!';
    const char *rest = value + negated;
    size_t n = strlen(rest);
    bool list = n > 3 && strncmp(rest, "in(", 3) == 0 && rest[n - 1] == ')';
    text_add(to, to->n > 0 ? "\n" : "");
    text_add(to, key);
    if (!list) {
        text_add(to, negated ? "!=" : "=");
        text_add(to, rest);
        return;
    }
    text_add(to, negated ? " not in (" : " in (");
    for (size_t i = 3; i < n; i++) {
        if (rest[i] != ' ') {
            text_slice(to, rest[i] == ',' ? slice_text("|") : slice_of(rest + i, 1));
        }
    }
}

static int read_labels(struct ray_open *self, struct ray_refusal *no)
{
    char buffer[SELECTOR_MAX + 2];
    struct text text = text_in(buffer, sizeof(buffer)); /* cut only if it is too long */
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(self->asked, "entrypoint_label_selector"), key, value)
    {
        add_label(&text, key, json_string_value(value));
    }
    struct diag why = { 0 };
    if (!selector_check(slice_of(buffer, text.n), &why)) {
        return ray_refuse(no, 400, "ValueError: entrypoint_label_selector: %s", why.text);
    }
    memcpy(self->labels, buffer, text.n + 1);
    return OK;
}

/* --- runtime_env ------------------------------------------------------------------------------------------------ */

static int add_package(struct ray_open *self, const char *field, const json_t *value,
                       const struct ray_packages *packages, struct ray_refusal *no)
{
    if (!json_is_string(value)) {
        char rays[100], ours[100];
        snprintf(rays, sizeof(rays), "runtime_env['%s'] must be a URI, got", field);
        snprintf(ours, sizeof(ours), "runtime_env['%s'] must be a URI, and", field);
        return ray_refuse_type(no, rays, ours, value);
    }
    const char *uri = json_string_value(value);
    if (uri[0] == 0) {
        return OK;
    }
    char hash[HASH_TEXT_BYTES];
    int rc = ERR_NOT_FOUND;
    if (strncmp(uri, "gcs://", 6) == 0 && strlen(uri) <= NAME_MAX_BYTES) {
        rc = packages->find(packages->context, uri, hash);
    }
    if (rc != OK && rc != ERR_NOT_FOUND) {
        return ray_refuse(no, 500, "RuntimeError: packages cannot be read: %s", err_text(rc));
    }
    if (rc != OK) {
        return ray_refuse(
            no, 400,
            "ValueError: runtime_env['%s']: there is no package %.300s of yours; rayc "
            "takes gcs:// packages that were uploaded (PUT /api/packages/gcs/NAME)",
            field, uri);
    }
    if (self->package_count == PACKAGES_MAX) {
        return ray_refuse(no, 400, "ValueError: runtime_env: more than %d packages", PACKAGES_MAX);
    }
    self->package_count++;
    bool folder = strcmp(field, "working_dir") == 0;
    struct rec_package package = { slice_text(hash),
                                   folder ? PACKAGE_WORKING_DIR : PACKAGE_PY_MODULE,
                                   slice_text(uri) };
    proto_put_record(&self->packages, REC_PACKAGE, &package);
    return OK;
}

static int add_modules(struct ray_open *self, const json_t *modules,
                       const struct ray_packages *packages, struct ray_refusal *no)
{
    if (!json_is_array(modules)) {
        return ray_refuse_type(no, "runtime_env['py_modules'] must be a list, got",
                               "runtime_env['py_modules'] must be an array, and", modules);
    }
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const char *uri = json_is_string(module) ? json_string_value(module) : "";
        size_t n = strlen(uri);
        if (n > 4 && strcmp(uri + n - 4, ".whl") == 0) {
            return ray_refuse(no, 400,
                              "ValueError: runtime_env['py_modules']: rayc does not install wheels "
                              "(%.300s): give a folder or a .py file",
                              uri);
        }
        int rc = add_package(self, "py_modules", module, packages, no);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

static int check_env(const json_t *env, struct ray_refusal *no)
{
    if (!json_is_object(env)) {
        return ray_refuse_type(no, "runtime_env['env_vars'] must be of type Dict[str, str], got",
                               "runtime_env['env_vars'] must be an object of strings, and", env);
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)env, name, value)
    {
        if (!json_is_string(value)) {
            char rays[320], ours[320];
            snprintf(rays, sizeof(rays),
                     "runtime_env['env_vars'] must be of type Dict[str, str], but the value of "
                     "%.200s is of type",
                     name);
            snprintf(ours, sizeof(ours),
                     "runtime_env['env_vars'] must be an object of strings, and %.200s", name);
            return ray_refuse_type(no, rays, ours, value);
        }
        if (name[0] == 0 || strchr(name, '=') != NULL) {
            return ray_refuse(no, 400,
                              "ValueError: runtime_env['env_vars']: '%.200s' is no name of a "
                              "variable",
                              name);
        }
    }
    return OK;
}

static int read_env_field(struct ray_open *self, const char *name, const json_t *value,
                          const struct ray_packages *packages, struct ray_refusal *no)
{
    if (json_is_null(value)) {
        return OK;
    }
    if (strcmp(name, "env_vars") == 0) {
        return check_env(value, no);
    }
    if (strcmp(name, "working_dir") == 0) {
        return add_package(self, name, value, packages, no);
    }
    if (strcmp(name, "py_modules") == 0) {
        return add_modules(self, value, packages, no);
    }
    if (strcmp(name, "excludes") == 0 || strcmp(name, "config") == 0 || name[0] == '_') {
        return OK; /* the client has used them, or they are of Ray's own set-up */
    }
    return ray_refuse(no, 400,
                      "ValueError: runtime_env['%.200s'] is not supported by rayc, which knows "
                      "env_vars, working_dir and py_modules",
                      name);
}

/*  For people: values of variables that are named like a secret are not shown. */
static char *masked(const json_t *env)
{
    json_t *shown = json_deep_copy(env);
    json_t *variables = json_object_get(shown, "env_vars");
    void *at = json_object_iter(variables);
    for (; at != NULL; at = json_object_iter_next(variables, at)) {
        if (secret_named(json_object_iter_key(at))) {
            json_object_iter_set_new(variables, at, json_string("***"));
        }
    }
    char *text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(shown);
    ensure(text != NULL);
    return text;
}

static int read_runtime_env(struct ray_open *self, const struct ray_packages *packages,
                            struct ray_refusal *no)
{
    self->packages = room(PACKAGES_MAX * PACKAGE_BYTES);
    json_t *env = json_object_get(self->asked, "runtime_env");
    const char *name;
    json_t *value;
    json_object_foreach(env, name, value)
    {
        int rc = read_env_field(self, name, value, packages, no);
        if (rc != OK) {
            return rc;
        }
    }
    ensure(!self->packages.full);
    if (json_object_size(env) > 0) {
        self->runtime_env = masked(env);
        if (strlen(self->runtime_env) > TEXT_MAX) {
            return ray_refuse(no, 400, "ValueError: runtime_env is larger than %d bytes", TEXT_MAX);
        }
    }
    return OK;
}

/* --- texts ------------------------------------------------------------------------------------------------------ */

static int read_submission(struct ray_open *self, struct ray_refusal *no)
{
    const char *id = string_of(self, "submission_id");
    id = id && id[0] ? id : string_of(self, "job_id");
    if (id == NULL || id[0] == 0) {
        char random[ID_LETTERS + 1];
        random_text(random, ID_LETTERS);
        snprintf(self->submission, sizeof(self->submission), "raysubmit_%s", random);
        return OK;
    }
    if (!proto_is_submission(id)) {
        return ray_refuse(no, 400,
                          "ValueError: submission_id '%.256s' is not a letter or digit and then "
                          "letters, digits or ._:- (at most %d)",
                          id, NAME_MAX_BYTES);
    }
    snprintf(self->submission, sizeof(self->submission), "%s", id);
    return OK;
}

static int read_texts(struct ray_open *self, struct ray_refusal *no)
{
    json_t *metadata = json_object_get(self->asked, "metadata");
    if (json_object_size(metadata) > 0) {
        self->metadata = json_dumps(metadata, JSON_COMPACT | JSON_SORT_KEYS);
        ensure(self->metadata != NULL);
    }
    if (self->metadata && strlen(self->metadata) > TEXT_MAX) {
        return ray_refuse(no, 400, "ValueError: metadata is larger than %d bytes", TEXT_MAX);
    }
    if (strlen(string_of(self, "entrypoint")) > TEXT_MAX) {
        return ray_refuse(no, 400,
                          "ValueError: entrypoint is larger than %d bytes: put it into a file of "
                          "working_dir",
                          TEXT_MAX);
    }
    return read_submission(self, no);
}

/* --- the message ------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*  The variables in the order of their names: one content, one digest. */
static void put_env(struct ray_open *self)
{
    json_t *variables = json_object_get(json_object_get(self->asked, "runtime_env"), "env_vars");
    size_t count = json_object_size(variables);
    const char **names = malloc((count + 1) * sizeof(*names));
    ensure(names != NULL);
    size_t n = 0;
    const char *name;
    json_t *value;
    json_object_foreach(variables, name, value)
    {
        names[n++] = name;
    }
    qsort(names, n, sizeof(*names), by_name);
    wire_put_array(&self->command, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_object_get(variables, names[i]));
        size_t bytes = strlen(names[i]) + 1 + strlen(text);
        char *entry = malloc(bytes + 1);
        ensure(entry != NULL);
        snprintf(entry, bytes + 1, "%s=%s", names[i], text);
        wire_put_str(&self->command, slice_of(entry, bytes));
        free(entry);
    }
    free(names);
}

static size_t env_bytes(const struct ray_open *self)
{
    json_t *variables = json_object_get(json_object_get(self->asked, "runtime_env"), "env_vars");
    size_t bytes = 0;
    const char *name;
    json_t *value;
    json_object_foreach(variables, name, value)
    {
        bytes += STRING_HEAD_BYTES + strlen(name) + 1 + json_string_length(value);
    }
    return bytes;
}

/*  {argv: [/bin/sh, -c, ENTRYPOINT], vars: [K=V, ...]} */
static int put_command(struct ray_open *self, struct ray_refusal *no)
{
    const char *entrypoint = string_of(self, "entrypoint");
    size_t bytes = env_bytes(self) + strlen(entrypoint) + FRAME_EXTRA;
    if (bytes > PAYLOAD_MAX) {
        return ray_refuse(no, 400, "ValueError: env_vars are larger than %d bytes", PAYLOAD_MAX);
    }
    self->command = room(bytes);
    wire_put_encoded(&self->command, slice_of(&(uint8_t){ FIXMAP + 2 }, 1));
    wire_put_str(&self->command, slice_text("argv"));
    wire_put_array(&self->command, 3);
    wire_put_str(&self->command, slice_text("/bin/sh"));
    wire_put_str(&self->command, slice_text("-c"));
    wire_put_str(&self->command, slice_text(entrypoint));
    wire_put_str(&self->command, slice_text("vars"));
    put_env(self);
    ensure(!self->command.full);
    return OK;
}

/*  The first word, without its folder. */
static struct slice name_of(const char *entrypoint)
{
    entrypoint += strspn(entrypoint, " \t\n");
    size_t n = strcspn(entrypoint, " \t\n;&|()<>");
    size_t from = n;
    while (from > 0 && entrypoint[from - 1] != '/') {
        from--;
    }
    n -= from;
    return n == 0 ? slice_text("sh")
                  : slice_of(entrypoint + from, n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES);
}

static void put_spec(struct ray_open *self)
{
    struct rec_spec spec = {
        .kind = SPEC_DRIVER,
        .name = name_of(string_of(self, "entrypoint")),
        .body = slice_of(self->command.p, self->command.n),
        .demand = wire_list(&self->demand, self->amount_count),
        .labels = slice_text(self->labels),
        .packages = wire_list(&self->packages, self->package_count),
    };
    self->specs = room(self->command.n + self->demand.n + self->packages.n + FRAME_EXTRA);
    proto_put_record(&self->specs, REC_SPEC, &spec);
    ensure(!self->specs.full);
}

static void put_digest(struct ray_open *self)
{
    struct msg_job_open same = self->job;
    same.submission = (struct slice){ 0 };
    struct wire frame = room(self->specs.n + same.entrypoint.n + same.metadata.n +
                             same.runtime_env.n + FRAME_EXTRA);
    proto_put(&frame, MSG_JOB_OPEN, &same);
    ensure(!frame.full);
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, frame.p, frame.n);
    hash_end(&hash, self->digest);
    free(frame.p);
}

static struct slice job_name(const struct ray_open *self)
{
    const json_t *metadata = json_object_get(self->asked, "metadata");
    struct slice name = slice_text(json_string_value(json_object_get(metadata, "job_name")));
    return name.n <= NAME_MAX_BYTES ? name : (struct slice){ 0 };
}

int ray_open_read(struct ray_open *self, struct slice body, const struct ray_packages *packages,
                  struct ray_refusal *no)
{
    *self = (struct ray_open){ 0 };
    int rc = ray_body_read(body, &self->asked, no);
    if (rc == OK) {
        rc = read_texts(self, no);
    }
    if (rc == OK) {
        rc = read_demand(self, no);
    }
    if (rc == OK) {
        rc = read_labels(self, no);
    }
    if (rc == OK) {
        rc = read_runtime_env(self, packages, no);
    }
    if (rc == OK) {
        rc = put_command(self, no);
    }
    if (rc != OK) {
        return rc;
    }
    put_spec(self);
    self->job = (struct msg_job_open){ .kind = JOB_DRIVER,
                                       .submission = slice_text(self->submission),
                                       .durability = DURABLE_PROCESS,
                                       .detached = 1,
                                       .entrypoint = slice_text(string_of(self, "entrypoint")),
                                       .name = job_name(self),
                                       .specs = wire_list(&self->specs, 1),
                                       .metadata = slice_text(self->metadata),
                                       .runtime_env = slice_text(self->runtime_env) };
    put_digest(self);
    self->job.digest = slice_text(self->digest);
    return OK;
}
