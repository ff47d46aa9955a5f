/*  detached_calls.c - for detached.sh: a detached actor that submits work of its own, and what its callers see of it. */
#include <rayc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 300000, CHILDREN = 5 }; /* a value that goes into the store of its node */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s (%s)\n", __LINE__, #condition,                    \
                    rayc_error()->text);                                                           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int fails(rayc_task *call)
{
    return rayc_fail(call, 1, "%s", rayc_error()->text);
}

/*  n levels deep, one below the other. */
RAYC_TASK(depth, task)
{
    int64_t n = rayc_arg_int(task, 0);
    rayc_value below = { 0 };
    if (n > 0 && rayc_get(rayc_call(depth, rayc_int(n - 1)), RAYC_FOREVER, &below) < 0) {
        return fails(task);
    }
    return rayc_return(task, rayc_int(below.as.i + 1));
}

/*  Until its file is there, which says its pid meanwhile. */
RAYC_TASK(lasts, task)
{
    char path[256];
    snprintf(path, sizeof(path), "%s.%d", rayc_arg_string(task, 0), (int)getpid());
    FILE *file = fopen(path, "we");
    if (file == NULL || fclose(file) != 0) {
        return rayc_fail(task, 1, "no file");
    }
    while (access(rayc_arg_string(task, 0), F_OK) != 0) {
        usleep(1000);
    }
    return rayc_return(task, rayc_nil());
}

struct helper {
    int64_t asked;
};

RAYC_ACTOR(helper, call, self)
{
    (void)call;
    self->asked = 0;
    return 0;
}

RAYC_METHOD(helper, ask, call, self)
{
    return rayc_return(call, rayc_int(++self->asked));
}

struct service {
    rayc_actor helper;
    rayc_ref kept;
};

RAYC_ACTOR(service, call, self)
{
    const rayc_value *saved = rayc_actor_saved(call);
    self->helper = (rayc_actor){ 0 };
    self->kept = saved != NULL && saved->kind == RAYC_REF ? saved->as.ref : (rayc_ref){ 0 };
    return 0;
}

/*  A large value that nothing has but its checkpoint, which has nothing else. */
RAYC_METHOD(service, keep, call, self)
{
    static char bytes[LARGE];
    memset(bytes, (int)rayc_arg_int(call, 0), sizeof(bytes));
    rayc_ref ref = rayc_put(rayc_bytes(bytes, sizeof(bytes)));
    rayc_actor_save(call, rayc_nested(ref));
    rayc_drop(&ref);
    rayc_drop(&self->kept);
    return 0;
}

/*  What it kept, once it has started again. */
RAYC_METHOD(service, kept, call, self)
{
    rayc_value value;
    if (rayc_get(self->kept, RAYC_FOREVER, &value) < 0) {
        return fails(call);
    }
    const char *first = value.as.raw.data;
    bool whole = value.as.raw.size == LARGE && memcmp(first, first + 1, LARGE - 1) == 0;
    return rayc_return(call, rayc_int(whole ? first[0] : -1));
}

/*  Tasks of tasks; their number. */
RAYC_METHOD(service, spread, call, self)
{
    (void)self;
    rayc_ref refs[CHILDREN];
    int64_t sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        refs[i] = rayc_call(depth, rayc_int(i));
    }
    for (int i = 0; i < CHILDREN; i++) {
        rayc_value value;
        if (rayc_get(refs[i], RAYC_FOREVER, &value) < 0) {
            return fails(call);
        }
        sum += value.as.i;
        rayc_drop(&refs[i]);
    }
    return rayc_return(call, rayc_int(sum));
}

/*  A reference to a large value. */
RAYC_METHOD(service, put, call, self)
{
    (void)self;
    static char bytes[LARGE];
    memset(bytes, (int)rayc_arg_int(call, 0), sizeof(bytes));
    rayc_ref ref = rayc_put(rayc_bytes(bytes, sizeof(bytes)));
    int rc = rayc_return(call, rayc_nested(ref));
    rayc_drop(&ref);
    return rc;
}

/*  An actor of its own, which it asks. */
RAYC_METHOD(service, pass_on, call, self)
{
    rayc_value value;
    if (self->helper.number == 0) {
        self->helper = rayc_new(helper, rayc_nil());
    }
    rayc_ref ref = rayc_tell(self->helper, helper_ask, rayc_nil());
    int rc = rayc_get(ref, RAYC_FOREVER, &value);
    rayc_drop(&ref);
    return rc < 0 ? fails(call) : rayc_return(call, rayc_int(value.as.i));
}

RAYC_METHOD(service, pid, call, self)
{
    (void)self;
    return rayc_return(call, rayc_int(getpid()));
}

/*  Work that goes on when the call has returned. */
RAYC_METHOD(service, leave, call, self)
{
    (void)self;
    rayc_ref ref = rayc_call(lasts, rayc_string(rayc_arg_string(call, 0)));
    rayc_drop(&ref);
    return 0;
}

/*  One of a crowd that makes the same actor at the same time. */
RAYC_TASK(shares, task)
{
    rayc_value value;
    rayc_actor_options options = rayc_actor_defaults();
    options.name = rayc_arg_string(task, 0);
    options.space = "here";
    options.get_if_exists = 1;
    options.detached = 1;
    rayc_actor shared = rayc_new_with(&options, helper, rayc_nil());
    rayc_ref ref = rayc_tell(shared, helper_ask, rayc_nil());
    int rc = rayc_get(ref, RAYC_FOREVER, &value);
    rayc_drop(&ref);
    return rc < 0 ? fails(task) : rayc_return(task, rayc_int(value.as.i));
}

static rayc_actor find(void)
{
    rayc_actor service;
    MUST(rayc_actor_get("service", "here", &service) == 0);
    return service;
}

static int64_t number(rayc_ref ref)
{
    rayc_value value;
    MUST(rayc_get(ref, RAYC_FOREVER, &value) == 0);
    rayc_drop(&ref);
    return value.as.i;
}

static void make(const char *argument)
{
    (void)argument;
    rayc_actor_options options = rayc_actor_defaults();
    options.name = "service";
    options.space = "here";
    options.detached = 1;
    options.max_restarts = -1;
    options.max_task_retries = -1;
    rayc_actor made = rayc_new_with(&options, service, rayc_nil());
    MUST(number(rayc_tell(made, service_spread, rayc_nil())) == 15);
}

/*  All that it did while its job was there. */
static void use(const char *argument)
{
    rayc_actor service = find();
    MUST(number(rayc_tell(service, service_spread, rayc_nil())) == 15);
    MUST(number(rayc_tell(service, service_pass_on, rayc_nil())) == strtoll(argument, NULL, 10));
    rayc_ref outer = rayc_tell(service, service_put, rayc_int('x'));
    rayc_value value;
    MUST(rayc_get(outer, RAYC_FOREVER, &value) == 0 && value.kind == RAYC_REF);
    rayc_ref inner = value.as.ref;
    MUST(rayc_get(inner, RAYC_FOREVER, &value) == 0 && value.as.raw.size == LARGE);
    const char *bytes = value.as.raw.data;
    MUST(bytes[0] == 'x' && memcmp(bytes, bytes + 1, LARGE - 1) == 0);
    printf("%lld\n", (long long)number(rayc_tell(service, service_pid, rayc_nil())));
}

static void leave(const char *argument)
{
    (void)number(rayc_tell(find(), service_leave, rayc_string(argument)));
}

static void keep(const char *argument)
{
    rayc_actor service = find();
    (void)number(rayc_tell(service, service_keep, rayc_int(argument[0])));
    printf("%lld\n", (long long)number(rayc_tell(service, service_pid, rayc_nil())));
}

static void kept(const char *argument)
{
    MUST(number(rayc_tell(find(), service_kept, rayc_nil())) == argument[0]);
}

/*  All get the one actor that one of them has made. */
static void crowd(const char *argument)
{
    enum { TURNS = 25, CROWD = 4 };
    for (int turn = 0; turn < TURNS; turn++) {
        char name[64];
        rayc_actor shared;
        rayc_ref refs[CROWD];
        int64_t sum = 0;
        snprintf(name, sizeof(name), "%s %d", argument, turn);
        for (int i = 0; i < CROWD; i++) {
            refs[i] = rayc_call(shares, rayc_string(name));
        }
        for (int i = 0; i < CROWD; i++) {
            sum += number(refs[i]);
        }
        MUST(sum == CROWD * (CROWD + 1) / 2); /* 1 and 2 and 3 and 4 */
        MUST(rayc_actor_get(name, "here", &shared) == 0 && rayc_kill(shared, 1) == 0);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const char *argument);
    } stories[] = { { "make", make }, { "use", use },     { "keep", keep },
                    { "kept", kept }, { "crowd", crowd }, { "leave", leave } };
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 2;
    }
    for (size_t i = 0; argc > 2 && i < sizeof(stories) / sizeof(stories[0]); i++) {
        if (strcmp(stories[i].name, argv[1]) == 0) {
            stories[i].run(argv[2]);
            rayc_shutdown();
            return 0;
        }
    }
    fprintf(stderr, "usage: detached_calls STORY ARGUMENT\n");
    return 2;
}
