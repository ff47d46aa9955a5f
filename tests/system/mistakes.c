/*  mistakes.c - for mistakes.sh: what a program can do wrong with references, values, tasks and actors; of each it prints
    how it was told: NAME CODE TEXT. */
#include <math.h>
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name)
{
    printf("%s %d %s\n", name, rayc_error()->code, rayc_error()->text);
}

static void tell_get(const char *name, rayc_ref ref)
{
    rayc_value value;
    (void)rayc_get(ref, 60, &value);
    tell(name);
}

static void must(int is)
{
    if (!is) {
        fprintf(stderr, "%d %s\n", rayc_error()->code, rayc_error()->text);
        exit(1);
    }
}

/* --- what is called ----------------------------------------------------------------------------- */

RAYC_TASK(echo, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0)));
}

RAYC_TASK(reads_ref, task)
{
    (void)rayc_arg_ref(task, 0);
    return 0;
}

RAYC_TASK(reads_actor, task)
{
    (void)rayc_arg_actor(task, 0);
    return 0;
}

RAYC_TASK(returns_far, task)
{
    return rayc_return_at(task, 5, rayc_int(1));
}

RAYC_TASK(saves, task)
{
    return rayc_actor_save(task, rayc_int(1));
}

RAYC_TASK(exits, task)
{
    (void)task;
    exit(7);
}

RAYC_TASK(joins, task)
{
    return rayc_init(NULL) == 0 ? 0 : rayc_fail(task, 1, "%s", rayc_error()->text);
}

/*  Fails as rayc does in its child. */
RAYC_TASK(forks, task)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        (void)rayc_get(rayc_put(rayc_int(1)), 60, NULL);
        _exit(-rayc_error()->code);
    }
    waitpid(child, &status, 0);
    return rayc_fail(task, 1, "the child was told %d", -WEXITSTATUS(status));
}

/*  Waits for a call of itself, which comes after this one. */
struct loner {
    rayc_actor itself;
};

RAYC_ACTOR(loner, call, self)
{
    (void)call, (void)self;
    return 0;
}

RAYC_METHOD(loner, nothing, call, self)
{
    (void)self;
    return rayc_return(call, rayc_int(1));
}

struct builder {
    char none;
};

static const rayc_method builder_first = { "builder.first", NULL };

/*  Waits for a method of the actor that it makes. */
RAYC_ACTOR(builder, call, self)
{
    rayc_actor itself;
    self->none = 0;
    if (rayc_actor_get("the builder", NULL, &itself) < 0 ||
        rayc_get(rayc_actor_call(itself, &builder_first, NULL, NULL, 0), RAYC_FOREVER, NULL) < 0) {
        return rayc_fail(call, 1, "%s", rayc_error()->text);
    }
    return 0;
}

struct other {
    char none;
};

RAYC_ACTOR(other, call, self)
{
    self->none = 0;
    (void)rayc_arg_int(call, 0);
    return 0;
}

RAYC_METHOD(other, nothing, call, self)
{
    (void)self;
    return rayc_return(call, rayc_nil());
}

RAYC_METHOD(loner, ask_itself, call, self)
{
    self->itself = rayc_arg_actor(call, 0);
    rayc_ref later = rayc_tell(self->itself, loner_nothing, rayc_int(0));
    if (rayc_get(later, RAYC_FOREVER, NULL) < 0) {
        return rayc_fail(call, 1, "%s", rayc_error()->text);
    }
    return rayc_return(call, rayc_int(1));
}

/* --- mistakes ----------------------------------------------------------------------------------- */

static void of_references(void)
{
    rayc_ref none = { 0 }, unknown = { 77ull << 40 | 1, 0, 1 }, dropped = rayc_put(rayc_int(1));
    rayc_ref copy = dropped, one = rayc_put(rayc_int(1));
    tell_get("no_ref", none);
    tell_get("unknown_ref", unknown);
    rayc_drop(&dropped);
    tell_get("dropped_ref", copy);
    tell_get("index_of_none", (rayc_ref){ one.number, 3, one.job });
    tell_get("put_ref", rayc_put(rayc_of(rayc_put(rayc_int(1)))));
    tell_get("arg_of_none", rayc_call(echo, rayc_of(none)));
    tell_get("nested_none", rayc_call(reads_ref, rayc_nested(none)));
    (void)rayc_get(rayc_put(rayc_int(1)), NAN, NULL);
    tell("get_nan");
    (void)rayc_get(rayc_put(rayc_int(1)), -3, NULL);
    tell("get_negative");
    (void)rayc_cancel(none, 0);
    tell("cancel_none");
    (void)rayc_cancel(rayc_put(rayc_int(1)), 77);
    tell("cancel_how");
}

static void of_values(void)
{
    static const uint8_t broken[] = { 0x92, 0x01 };
    tell_get("broken_value", rayc_put(rayc_packed(broken, sizeof(broken))));
    tell_get("bad_utf8", rayc_put(rayc_string("\xFF\xFE")));
    (void)rayc_buffer_new(SIZE_MAX);
    tell("buffer_huge");
    rayc_buffer *buffer = NULL;
    tell_get("no_buffer", rayc_put_buffer(&buffer));
}

static void of_tasks(void)
{
    rayc_options options = rayc_defaults();
    options.cpus = -1;
    tell_get("cpus_negative", rayc_call_with(&options, echo, rayc_int(1)));
    options.cpus = NAN;
    tell_get("cpus_nan", rayc_call_with(&options, echo, rayc_int(1)));
    options.cpus = INFINITY;
    tell_get("cpus_infinite", rayc_call_with(&options, echo, rayc_int(1)));
    options = rayc_defaults();
    options.gpus = 1.5;
    tell_get("gpus_half", rayc_call_with(&options, echo, rayc_int(1)));
    options = rayc_defaults();
    options.max_retries = -2;
    tell_get("retries", rayc_call_with(&options, echo, rayc_int(1)));
    options = rayc_defaults();
    options.priority = 101;
    tell_get("priority", rayc_call_with(&options, echo, rayc_int(1)));
    options = rayc_defaults();
    options.resources = "CPU=1";
    tell_get("resource_cpu", rayc_call_with(&options, echo, rayc_int(1)));
    options = rayc_defaults();
    options.returns = 2000;
    tell_get("returns", rayc_call_with(&options, echo, rayc_int(1)));
    options = (rayc_options){ 0 };
    tell_get("no_defaults", rayc_call_with(&options, echo, rayc_int(1)));
    tell_get("wrong_kind", rayc_call(echo, rayc_string("one")));
    tell_get("no_ref_arg", rayc_call(reads_ref, rayc_int(1)));
    tell_get("no_actor_arg", rayc_call(reads_actor, rayc_int(1)));
    tell_get("return_far", rayc_call(returns_far, rayc_int(1)));
    tell_get("save_in_task", rayc_call(saves, rayc_int(1)));
}

static void of_actors(void)
{
    static const rayc_method unknown = { "loner.fly", NULL };
    static const rayc_class strange = { "stranger", 1, NULL, NULL };
    rayc_actor_options options = rayc_actor_defaults();
    rayc_actor actor = rayc_new(loner, rayc_int(0)), found, none = { 0 };
    tell_get("no_method", rayc_actor_call(actor, &unknown, NULL, NULL, 0));
    rayc_actor stranger = rayc_actor_new(&strange, NULL, NULL, 0);
    tell_get("no_class", rayc_tell(stranger, loner_nothing, rayc_int(0)));
    tell_get("no_actor", rayc_tell(none, loner_nothing, rayc_int(0)));
    tell_get("handle_of_none", rayc_call(reads_actor, rayc_handle(none)));
    options.name = "taken";
    rayc_actor named = rayc_new_with(&options, loner, rayc_int(0));
    must(named.number != 0);
    (void)rayc_new_with(&options, loner, rayc_int(0));
    tell("name_taken");
    (void)rayc_actor_get("nobody", NULL, &found);
    tell("name_unknown");
    (void)rayc_actor_get(NULL, NULL, &found);
    tell("name_null");
    (void)rayc_kill(none, 1);
    tell("kill_none");
    options = rayc_actor_defaults();
    options.cpus = NAN;
    (void)rayc_new_with(&options, loner, rayc_int(0));
    tell("actor_nan");
    options = rayc_actor_defaults();
    options.memory_bytes = UINT64_MAX;
    (void)rayc_new_with(&options, loner, rayc_int(0));
    tell("actor_memory");
    rayc_method_options call = rayc_method_defaults();
    call.group = "io";
    tell_get("no_group", rayc_tell_with(&call, actor, loner_nothing, rayc_int(0)));
    call = rayc_method_defaults();
    call.max_task_retries = -9;
    tell_get("call_retries", rayc_tell_with(&call, actor, loner_nothing, rayc_int(0)));
    tell_get("waits_for_itself", rayc_tell(actor, loner_ask_itself, rayc_handle(actor)));
}

static void more_of_actors(void)
{
    rayc_actor actor = rayc_new(loner, rayc_int(0)), copy = actor;
    tell_get("method_of_another", rayc_tell(actor, other_nothing, rayc_nil()));
    tell_get("method_without_arg", rayc_actor_call(actor, &loner_ask_itself, NULL, NULL, 0));
    tell_get("constructor_without_arg",
             rayc_tell(rayc_actor_new(&other, NULL, NULL, 0), other_nothing, rayc_nil()));
    rayc_options nowhere = rayc_defaults();
    nowhere.resources = "moon=1";
    rayc_ref never = rayc_call_with(&nowhere, echo, rayc_int(1));
    rayc_ref call = rayc_tell(actor, loner_nothing, rayc_of(never));
    (void)rayc_cancel(call, RAYC_FORCE);
    tell("cancel_call_by_force");
    must(rayc_kill(actor, 1) == 0);
    tell_get("call_of_killed", rayc_tell(actor, loner_nothing, rayc_nil()));
    rayc_actor_drop(&actor);
    rayc_actor_drop(&actor);
    tell_get("call_of_dropped", rayc_tell(copy, loner_nothing, rayc_nil()));
    rayc_actor_options named = rayc_actor_defaults();
    named.name = "the builder";
    rayc_actor builds = rayc_actor_new(&builder, &named, NULL, 0);
    tell_get("constructor_waits", rayc_actor_call(builds, &builder_first, NULL, NULL, 0));
}

static void of_processes(void)
{
    rayc_options once = rayc_defaults();
    once.max_retries = 0;
    tell_get("task_exits", rayc_call_with(&once, exits, rayc_nil()));
    tell_get("init_in_task", rayc_call_with(&once, joins, rayc_nil()));
    tell_get("fork_of_task", rayc_call_with(&once, forks, rayc_nil()));
    (void)rayc_init(NULL);
    tell("init_twice");
    rayc_ref ref = rayc_put(rayc_int(1));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        tell_get("fork", ref);
        must(rayc_init(NULL) == 0);
        rayc_value value;
        must(rayc_get(rayc_call(echo, rayc_int(3)), 60, &value) == 0 && value.as.i == 3);
        rayc_shutdown();
        exit(0);
    }
    int status;
    must(waitpid(child, &status, 0) == child && status == 0);
    must(rayc_get(ref, 60, NULL) == 0); /* the parent's session is as it was */
}

/*  NULL for what must be there, sizes without data. */
static void of_nothing(void)
{
    static const char *const none[] = { NULL }, *const argv[] = { "true", NULL };
    rayc_ref ref = rayc_put(rayc_int(1));
    tell_get("no_args", rayc_submit(&echo, NULL, NULL, 0));
    tell_get("args_null", rayc_submit(&echo, NULL, NULL, 1));
    tell_get("function_null", rayc_submit(NULL, NULL, NULL, 0));
    rayc_submit_n(&echo, NULL, NULL, 0, NULL);
    tell("refs_null");
    tell_get("string_null", rayc_call(echo, rayc_string(NULL)));
    tell_get("bytes_null", rayc_call(echo, rayc_bytes(NULL, 5)));
    tell_get("argv_empty", rayc_command(NULL, none, NULL, NULL, NULL, 0));
    tell_get("input_null", rayc_command(NULL, argv, NULL, NULL, NULL, 5));
    (void)rayc_wait(NULL, 1, 1, 1);
    tell("wait_null");
    (void)rayc_get_all(NULL, 1, 1, NULL);
    tell("get_all_null");
    (void)rayc_free(NULL, 1);
    tell("free_null");
    (void)rayc_history(ref, NULL, NULL);
    tell("history_null");
    tell_get("put_buffer_null", rayc_put_buffer(NULL));
    must(rayc_buffer_data(NULL) == NULL);
    rayc_buffer_free(NULL);
    rayc_drop(NULL);
    rayc_actor_drop(NULL);
}

/*  All of it, before rayc_init() and after rayc_shutdown(). */
static void of_no_session(const char *when)
{
    rayc_ref ref = { 0 };
    rayc_actor actor = rayc_new(loner, rayc_nil());
    int codes[] = {
        rayc_error()->code,
        rayc_get(rayc_put(rayc_int(1)), 1, NULL),
        rayc_get(rayc_call(echo, rayc_int(1)), 1, NULL),
        rayc_get(rayc_tell(actor, loner_nothing, rayc_nil()), 1, NULL),
        rayc_get_all(&ref, 1, 1, NULL),
        rayc_wait(&ref, 1, 1, 1),
        rayc_cancel(ref, 0),
        rayc_free(&ref, 1),
        rayc_history(ref, NULL, NULL),
        rayc_kill(actor, 1),
        rayc_actor_get("nobody", NULL, &actor),
    };
    tell(when);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] != RAYC_ECLOSED) {
            printf("%s: %d of function %zu\n", when, codes[i], i);
        }
    }
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR") == NULL) {
        rayc_shutdown();
        of_no_session("before_init");
    }
    must(rayc_init(NULL) == 0);
    of_references();
    of_values();
    of_tasks();
    of_actors();
    more_of_actors();
    of_processes();
    of_nothing();
    rayc_shutdown();
    rayc_shutdown();
    of_no_session("after_shutdown");
    return 0;
}
