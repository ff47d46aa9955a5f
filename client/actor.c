/*  actor.c - constructor, methods and destructor, found by the names that were registered. */
#include "client/actor.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/actor_threads.h"

enum { CLASSES_MAX = 256, METHODS_MAX = 4096, DESTROY_S_MAX = 30 /* as in Ray */ };

static const rayc_class *classes[CLASSES_MAX];
static const rayc_method *methods[METHODS_MAX];
static size_t classes_used, methods_used;

static struct {
    const rayc_class *class; /* NULL: this process is no actor */
    void *state;
    bool constructed;
    bool restarted;
    _Atomic bool ends;
    const struct rayc_task *_Atomic exits;
} actor;

void rayc_register_class_(const rayc_class *class)
{
    ensure(classes_used < CLASSES_MAX);
    classes[classes_used++] = class;
}

void rayc_register_method_(const rayc_method *method)
{
    ensure(methods_used < METHODS_MAX);
    methods[methods_used++] = method;
}

size_t class_count(void)
{
    return classes_used;
}

static const rayc_class *class_find(struct slice name)
{
    for (size_t i = 0; i < classes_used; i++) {
        if (slice_same(slice_text(classes[i]->name), name)) {
            return classes[i];
        }
    }
    return NULL;
}

static const rayc_method *method_find(struct slice name)
{
    static _Atomic size_t last; /* the same one is called again and again */
    size_t at = last;
    for (size_t i = 0; i < methods_used; i++, at++) {
        at = at < methods_used ? at : 0;
        if (slice_same(slice_text(methods[at]->name), name)) {
            last = at;
            return methods[at];
        }
    }
    return NULL;
}

static void construct(struct rayc_task *task)
{
    ensure(actor.class == NULL); /* a worker tells an executor of one actor */
    actor.class = class_find(task->run.name);
    if (actor.class == NULL) {
        task_mistake(task, OUTCOME_NO_SUCH_TASK, 0,
                     "the program has no RAYC_ACTOR(%.*s): is it the same build?",
                     (int)task->run.name.n, (const char *)task->run.name.p);
        return;
    }
    actor.restarted = task->run.attempt > 1;
    actor.state = calloc(1, actor.class->state_bytes > 0 ? actor.class->state_bytes : 1);
    ensure(actor.state != NULL);
    task_end(task, actor.class->construct(task, actor.state));
    actor.constructed = task->outcome == OUTCOME_OK;
}

/*  Is it a method of this class?  "counter.add" of counter. */
static bool belongs(struct slice name)
{
    size_t n = strlen(actor.class->name);
    return name.n > n && name.p[n] == '.' && memcmp(name.p, actor.class->name, n) == 0;
}

static void run_method(struct rayc_task *task)
{
    struct slice name = task->run.name;
    if (slice_same(name, slice_text(TERMINATE))) {
        actor.ends = true;
        actor_destroy();
        task_end(task, 0);
        return;
    }
    if (!actor_threads_has(task->run.group)) {
        task_mistake(task, OUTCOME_APP_ERROR, 1, "the actor has no concurrency group '%.*s'",
                     (int)task->run.group.n, (const char *)task->run.group.p);
        return;
    }
    const rayc_method *method = belongs(name) ? method_find(name) : NULL;
    if (method == NULL) {
        task_mistake(task, OUTCOME_NO_SUCH_TASK, 0, "the actor is a %s, which has no method %.*s",
                     actor.class->name, (int)name.n, (const char *)name.p);
        return;
    }
    task_end(task, method->run(task, actor.state));
}

void actor_run(struct rayc_task *task)
{
    if (task->run.kind == SPEC_ACTOR && task->outcome == OUTCOME_OK) {
        construct(task);
    } else if (task->run.kind == SPEC_METHOD && task->outcome == OUTCOME_OK) {
        ensure(actor.constructed); /* a worker tells of no call before */
        run_method(task);
    }
}

bool actor_is(void)
{
    return actor.class != NULL;
}

bool actor_ends(void)
{
    return actor.ends;
}

bool actor_exits(const struct rayc_task *task)
{
    return actor.exits == task;
}

static void destroyed_too_long(int signal)
{
    (void)signal;
    _exit(0); /* it was to end: that is no crash */
}

void actor_destroy(void)
{
    if (actor.constructed && actor.class->destroy != NULL) {
        signal(SIGALRM, destroyed_too_long);
        alarm(DESTROY_S_MAX);
        actor.class->destroy(actor.state);
        alarm(0);
    }
    actor.constructed = false;
    free(actor.state);
    actor.state = NULL;
}

/* --- what constructor and methods ask and say --------------------------------------------------------- */

static bool is_kind(rayc_task *task, enum spec_kind kind, const char *what)
{
    if (task->run.kind != kind) {
        task_mistake(task, OUTCOME_BAD_ARGUMENT, 0, "task %.*s: %s", (int)task->run.name.n,
                     (const char *)task->run.name.p, what);
    }
    return task->run.kind == kind;
}

int rayc_actor_save(rayc_task *task, rayc_arg arg)
{
    if (is_kind(task, SPEC_METHOD, "rayc_actor_save() is for methods of actors")) {
        task_save(task, arg);
    }
    return 0;
}

const rayc_value *rayc_actor_saved(rayc_task *task)
{
    if (!is_kind(task, SPEC_ACTOR, "rayc_actor_saved() is for constructors of actors") ||
        task->run.checkpoint.n == 0) {
        return NULL;
    }
    return task_checkpoint(task);
}

int rayc_was_restarted(const rayc_task *task)
{
    return task->run.kind == SPEC_ACTOR ? task->run.attempt > 1
                                        : task->run.kind == SPEC_METHOD && actor.restarted;
}

int rayc_exit_actor(rayc_task *task)
{
    if (is_kind(task, SPEC_METHOD, "rayc_exit_actor() is for methods of actors")) {
        actor.exits = task;
        actor.ends = true;
    }
    return 0;
}
