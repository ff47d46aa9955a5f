/*  actor_options.c - what an actor and a call may ask for. */
#include "client/actor_options.h"

#include <stdio.h>
#include <stdlib.h>
#include "client/failure.h"

rayc_actor_options rayc_actor_defaults(void)
{
    return (rayc_actor_options){ .size = sizeof(rayc_actor_options), .max_concurrency = 1 };
}

rayc_method_options rayc_method_defaults(void)
{
    return (rayc_method_options){ .size = sizeof(rayc_method_options),
                                  .max_task_retries = RAYC_AS_ACTOR };
}

/*  Copies what an older program knows of. */
static int complete(void *out, size_t size, const void *given, const char *defaults)
{
    size_t given_size;
    if (given == NULL) {
        return RAYC_OK;
    }
    memcpy(&given_size, given, sizeof(given_size));
    if (given_size <= sizeof(size_t)) {
        return failure_say(RAYC_EINVALID, "option size is %zu: start from %s()", given_size,
                           defaults);
    }
    memcpy(out, given, given_size < size ? given_size : size);
    memcpy(out, &size, sizeof(size));
    return RAYC_OK;
}

int actor_options_complete(rayc_actor_options *out, const rayc_actor_options *given)
{
    *out = rayc_actor_defaults();
    return complete(out, sizeof(*out), given, "rayc_actor_defaults");
}

int method_options_complete(rayc_method_options *out, const rayc_method_options *given)
{
    *out = rayc_method_defaults();
    return complete(out, sizeof(*out), given, "rayc_method_defaults");
}

static int check_number(const char *option, int64_t value, int64_t least, int64_t most)
{
    return value >= least && value <= most
               ? RAYC_OK
               : failure_say(RAYC_EINVALID, "option %s is %lld: it must be %lld to %lld", option,
                             (long long)value, (long long)least, (long long)most);
}

static int check_text(const char *option, const char *text)
{
    if (text == NULL || (text[0] != 0 && strlen(text) <= NAME_MAX_BYTES)) {
        return RAYC_OK;
    }
    return failure_say(RAYC_EINVALID, "option %s has %zu bytes: it must have 1 to %d", option,
                       strlen(text), NAME_MAX_BYTES);
}

/*  "io=2,compute=4", as the protocol has it: one per line. */
static int draft_groups(struct actor_draft *out, const char *text)
{
    size_t used = 0, count = 0;
    while (text != NULL && *text != 0) {
        size_t n = strcspn(text, ","), name = strcspn(text, "=");
        char *end = NULL;
        long limit = name < n && name > 0 ? strtol(text + name + 1, &end, 10) : 0;
        if (limit < 1 || limit > CONCURRENCY_MAX || end != text + n || ++count == GROUPS_MAX ||
            used + n + 1 >= sizeof(out->groups)) {
            return failure_say(RAYC_EINVALID,
                               "option groups: '%.*s' is not NAME=NUMBER (1 to %d), or there are "
                               "too many: %d at most",
                               (int)n, text, CONCURRENCY_MAX, GROUPS_MAX - 1);
        }
        for (size_t at = 0; at < used; at += strcspn(out->groups + at, "\n") + 1) {
            if (strncmp(out->groups + at, text, name + 1) == 0) {
                return failure_say(RAYC_EINVALID, "option groups: '%.*s' is named twice", (int)name,
                                   text);
            }
        }
        memcpy(out->groups + used, text, n);
        used += n;
        text += n + (text[n] == ',');
        out->groups[used] = '\n';
        used += *text != 0;
    }
    out->groups[used] = 0;
    out->spec.record.groups = slice_of(out->groups, used);
    return RAYC_OK;
}

static int check(const rayc_class *class, const rayc_actor_options *options)
{
    if (class->name == NULL || class->name[0] == 0 || strlen(class->name) > NAME_MAX_BYTES) {
        return failure_say(RAYC_EINVALID, "a class needs a name of 1 to %d bytes: use RAYC_ACTOR()",
                           NAME_MAX_BYTES);
    }
    int rc = check_number("max_restarts", options->max_restarts, -1, INT32_MAX);
    rc = rc ? rc : check_number("max_task_retries", options->max_task_retries, -1, INT32_MAX);
    rc = rc ? rc : check_number("max_concurrency", options->max_concurrency, 1, CONCURRENCY_MAX);
    rc = rc ? rc : check_text("name", options->name);
    rc = rc ? rc : check_text("space", options->space);
    if (rc == RAYC_OK && options->get_if_exists && options->name == NULL) {
        rc = failure_say(RAYC_EINVALID, "option get_if_exists needs a name");
    }
    return rc;
}

int actor_options_draft(struct actor_draft *out, const rayc_class *class,
                        const rayc_actor_options *options)
{
    int rc = check(class, options);
    rayc_options task = rayc_defaults();
    task.cpus = options->cpus;
    task.gpus = options->gpus;
    task.memory_bytes = options->memory_bytes;
    task.resources = options->resources;
    task.max_retries = options->max_restarts;
    task.crash_limit = 0;
    task.name = options->title;
    task.strategy = options->strategy;
    task.labels = options->labels;
    rc = rc ? rc : options_draft(&out->spec, &task);
    rc = rc ? rc : draft_groups(out, options->groups);
    out->spec.record.kind = SPEC_ACTOR;
    out->spec.record.name = slice_text(class->name);
    out->spec.record.concurrency = options->max_concurrency;
    out->spec.record.detached = options->detached != 0;
    return rc;
}

int method_options_draft(struct spec_draft *out, const rayc_method *method,
                         const rayc_method_options *options, int32_t retries_of_actor)
{
    if (method->name == NULL || method->name[0] == 0 || strlen(method->name) > NAME_MAX_BYTES) {
        return failure_say(RAYC_EINVALID,
                           "a method needs a name of 1 to %d bytes: use RAYC_METHOD()",
                           NAME_MAX_BYTES);
    }
    bool own = options->max_task_retries != RAYC_AS_ACTOR;
    int32_t retries = own ? options->max_task_retries : retries_of_actor;
    int rc = check_number("max_task_retries", retries, -1, INT32_MAX);
    rc = rc ? rc : check_text("group", options->group);
    rayc_options task = rayc_defaults();
    task.cpus = 0;
    task.max_retries = retries;
    task.crash_limit = 0;
    task.retry_codes = options->retry_codes;
    task.retry_code_count = options->retry_code_count;
    rc = rc ? rc : options_draft(out, &task);
    out->record.kind = SPEC_METHOD;
    out->record.name = slice_text(method->name);
    out->record.group = slice_text(options->group);
    return rc;
}
