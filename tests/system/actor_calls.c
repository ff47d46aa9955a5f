/*  actor_calls.c - for actors.sh: each story of actors by its name; 0 when it goes as it should. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAD_LUCK = 7 };

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s (%s)\n", __LINE__, #condition,                    \
                    rayc_error()->text);                                                           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/*  Counts what it is told, and writes to a file of its own. */
struct teller {
    int64_t told;
    int restarted;
    char path[256];
};

RAYC_ACTOR(teller, call, self)
{
    const rayc_value *saved = rayc_actor_saved(call);
    self->told = saved != NULL ? saved->as.i : 0;
    self->restarted = rayc_was_restarted(call);
    snprintf(self->path, sizeof(self->path), "%s", rayc_arg_string(call, 0));
    return 0;
}

RAYC_DESTRUCTOR(teller, self)
{
    FILE *file = fopen(self->path, "ae");
    if (file != NULL) {
        fprintf(file, "told %lld\n", (long long)self->told);
        fclose(file);
    }
}

/*  In order: the number that it expects, or it fails. */
RAYC_METHOD(teller, tell, call, self)
{
    if (rayc_arg_int(call, 0) != self->told) {
        return rayc_fail(call, BAD_LUCK, "%lld came when %lld was due",
                         (long long)rayc_arg_int(call, 0), (long long)self->told);
    }
    self->told++;
    rayc_actor_save(call, rayc_int(self->told));
    return rayc_return(call, rayc_int(self->told));
}

RAYC_METHOD(teller, count, call, self)
{
    return rayc_return(call, rayc_int(self->restarted ? -self->told : self->told));
}

RAYC_METHOD(teller, pid, call, self)
{
    (void)self;
    return rayc_return(call, rayc_int(getpid()));
}

enum { LARGE = 300000 }; /* goes into the store of its node */

RAYC_METHOD(teller, large, call, self)
{
    (void)self;
    static _Thread_local char bytes[LARGE];
    memset(bytes, (int)rayc_arg_int(call, 0), sizeof(bytes));
    return rayc_return(call, rayc_bytes(bytes, sizeof(bytes)));
}

RAYC_METHOD(teller, say, call, self)
{
    (void)self;
    printf("%s\n", rayc_arg_string(call, 0));
    return 0;
}

RAYC_METHOD(teller, die, call, self)
{
    (void)call;
    (void)self;
    kill(getpid(), SIGKILL);
    return 0;
}

RAYC_METHOD(teller, leave, call, self)
{
    (void)self;
    return rayc_exit_actor(call);
}

/*  Until its file is there. */
RAYC_METHOD(teller, wait, call, self)
{
    while (access(self->path, F_OK) != 0) {
        usleep(1000);
    }
    return rayc_return(call, rayc_int(1));
}

RAYC_METHOD(teller, make, call, self)
{
    FILE *file = fopen(self->path, "we");
    return file == NULL ? rayc_fail(call, 1, "no file") : fclose(file);
}

/*  Fails in its first attempt. */
RAYC_METHOD(teller, again, call, self)
{
    (void)self;
    return rayc_attempt(call) > 1 ? rayc_return(call, rayc_int(rayc_attempt(call)))
                                  : rayc_fail(call, BAD_LUCK, "not the first time");
}

struct failing {
    char none;
};

RAYC_ACTOR(failing, call, self)
{
    self->none = 0;
    return rayc_fail(call, BAD_LUCK, "it cannot be made");
}

RAYC_METHOD(failing, nothing, call, self)
{
    (void)call;
    (void)self;
    return 0;
}

RAYC_TASK(number_of, task)
{
    return rayc_return(task, rayc_int((int64_t)rayc_arg_actor(task, 0).number));
}

/* --- helpers ---------------------------------------------------------------------------------- */

static const char *path; /* of the story's file */

static rayc_actor make(const rayc_actor_options *options)
{
    rayc_actor actor = rayc_new_with(options, teller, rayc_string(path));
    MUST(actor.number != 0);
    return actor;
}

static rayc_ref call(rayc_actor actor, const rayc_method *method)
{
    return rayc_actor_call(actor, method, NULL, NULL, 0);
}

static int get(rayc_ref ref, int64_t *out)
{
    rayc_value value = { 0 };
    int rc = rayc_get(ref, 60, &value);
    if (out != NULL) {
        *out = value.as.i;
    }
    rayc_drop(&ref);
    return rc;
}

static int64_t ask(rayc_actor actor, const rayc_method *method)
{
    int64_t value = 0;
    MUST(get(call(actor, method), &value) == 0);
    return value;
}

static int said(const char *text)
{
    return strstr(rayc_error()->text, text) != NULL;
}

/* --- stories ---------------------------------------------------------------------------------- */

static void order(void)
{
    enum { CALLS = 5000 };
    static rayc_ref refs[CALLS];
    rayc_actor actor = make(NULL);
    for (int i = 0; i < CALLS; i++) {
        refs[i] = rayc_tell(actor, teller_tell, rayc_int(i));
    }
    for (int i = 0; i < CALLS; i++) {
        int64_t told = 0;
        MUST(get(refs[i], &told) == 0 && told == i + 1);
    }
    rayc_ref late =
        rayc_tell(actor, teller_tell, rayc_of(rayc_tell(actor, teller_tell, rayc_int(CALLS))));
    MUST(get(late, NULL) == 0 || said("came when"));
    MUST(ask(actor, &teller_count) >= CALLS);
    rayc_actor_drop(&actor);
    MUST(actor.number == 0);
}

/*  At most once, unless retries are allowed: with and without them, and when no restart is left. */
static void deaths(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_restarts = 2;
    rayc_actor actor = make(&options);
    MUST(get(rayc_tell(actor, teller_tell, rayc_int(0)), NULL) == 0);
    rayc_ref dies = call(actor, &teller_die);
    rayc_ref waits = call(actor, &teller_count);
    MUST(get(dies, NULL) == RAYC_EACTORUNAVAILABLE);
    int64_t count = 0;
    MUST(get(waits, &count) == 0 &&
         count == -1); /* it had not begun, and the checkpoint is there */
    rayc_method_options again = rayc_method_defaults();
    again.max_task_retries = 1;
    MUST(get(rayc_actor_call(actor, &teller_die, &again, NULL, 0), NULL) == RAYC_EACTORDIED);
    MUST(get(call(actor, &teller_count), NULL) == RAYC_EACTORDIED && said("died"));
    MUST(access(path, F_OK) != 0); /* its destructor has never run */
    rayc_actor_drop(&actor);
}

/*  An application error is retried if the call says so, and there are retries left. */
static void retries(void)
{
    static const int codes[] = { 3, BAD_LUCK };
    rayc_method_options options = rayc_method_defaults();
    rayc_actor actor = make(NULL);
    int64_t attempt = 0;
    options.max_task_retries = 2;
    MUST(get(rayc_tell_with(&options, actor, teller_again, rayc_nil()), NULL) == RAYC_ETASK);
    options.retry_codes = codes;
    options.retry_code_count = 1;
    MUST(get(rayc_tell_with(&options, actor, teller_again, rayc_nil()), NULL) == RAYC_ETASK);
    options.retry_code_count = 2;
    MUST(get(rayc_tell_with(&options, actor, teller_again, rayc_nil()), &attempt) == 0);
    MUST(attempt == 2);
    options.max_task_retries = 0;
    MUST(get(rayc_tell_with(&options, actor, teller_again, rayc_nil()), NULL) == RAYC_ETASK);
}

static void kills(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_restarts = 1;
    rayc_actor actor = make(&options);
    MUST(ask(actor, &teller_count) == 0);
    int64_t pid = ask(actor, &teller_pid);
    MUST(rayc_kill(actor, 0) == 0);
    MUST(ask(actor, &teller_pid) != pid);
    rayc_ref runs = call(actor, &teller_wait), queued = call(actor, &teller_count);
    MUST(rayc_kill(actor, 1) == 0);
    MUST(get(runs, NULL) == RAYC_EACTORDIED && get(queued, NULL) == RAYC_EACTORDIED);
    MUST(get(call(actor, &teller_count), NULL) == RAYC_EACTORDIED && said("killed"));
    MUST(access(path, F_OK) != 0); /* no destructor has run */
    rayc_actor_options large = rayc_actor_defaults();
    large.cpus = 1000;
    rayc_actor pending = make(&large);
    MUST(rayc_kill(pending, 1) == 0); /* it waits for room, and for ever */
    MUST(get(call(pending, &teller_count), NULL) == RAYC_EACTORDIED);
    MUST(rayc_kill((rayc_actor){ .number = 1 }, 1) == RAYC_ENOTFOUND);
    MUST(rayc_kill((rayc_actor){ 0 }, 1) == RAYC_EINVALID);
}

static void ends(void)
{
    rayc_actor actor = make(NULL);
    rayc_ref told = rayc_tell(actor, teller_tell, rayc_int(0));
    rayc_actor_drop(&actor); /* after what was asked */
    MUST(get(told, NULL) == 0);
    for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++) {
        usleep(10000);
    }
    MUST(access(path, F_OK) == 0);
    rayc_actor leaves = make(NULL);
    rayc_ref leave = call(leaves, &teller_leave), later = call(leaves, &teller_count);
    MUST(get(leave, NULL) == RAYC_EACTORDIED);
    MUST(get(later, NULL) == RAYC_EACTORDIED);
    rayc_actor kept = make(NULL);
    rayc_actor given = kept;
    int64_t number = 0;
    MUST(get(rayc_call(number_of, rayc_handle(kept)), &number) == 0);
    MUST(number == (int64_t)kept.number);
    rayc_actor_drop(&kept); /* somebody has it, too: it goes on */
    given.slot = 0;
    MUST(ask(given, &teller_count) == 0);
}

static void constructor(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_restarts = -1;
    rayc_actor actor = rayc_actor_new(&failing, &options, NULL, 0);
    MUST(get(call(actor, &failing_nothing), NULL) == RAYC_EACTORDIED && said("it cannot be made"));
    rayc_class unknown = { "nobody", 1, NULL, NULL };
    rayc_actor none = rayc_actor_new(&unknown, &options, NULL, 0);
    MUST(get(call(none, &teller_count), NULL) == RAYC_EACTORDIED && said("RAYC_ACTOR(nobody)"));
}

static void are_large(rayc_actor actor)
{
    enum { COUNT = 8 };
    rayc_ref refs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        refs[i] = rayc_tell(actor, teller_large, rayc_int('a' + i));
    }
    for (int i = 0; i < COUNT; i++) {
        rayc_value value;
        MUST(rayc_get(refs[i], RAYC_FOREVER, &value) == 0 && value.as.raw.size == LARGE);
        const char *bytes = value.as.raw.data;
        MUST(bytes[0] == 'a' + i && memcmp(bytes, bytes + 1, LARGE - 1) == 0);
        rayc_drop(&refs[i]);
    }
}

static void concurrency(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_concurrency = 2;
    rayc_actor actor = make(&options);
    rayc_ref wait = call(actor, &teller_wait);
    MUST(ask(actor, &teller_make) == 0 && get(wait, NULL) == 0);
    MUST(remove(path) == 0);
    are_large(actor);
    options.max_concurrency = 1;
    options.groups = "io=1,other=2";
    rayc_actor grouped = make(&options);
    rayc_method_options io = rayc_method_defaults();
    io.group = "io";
    rayc_ref first = rayc_actor_call(grouped, &teller_wait, &io, NULL, 0);
    rayc_ref second = rayc_actor_call(grouped, &teller_wait, &io, NULL, 0);
    MUST(ask(grouped, &teller_make) == 0); /* the other group is not held up */
    MUST(get(first, NULL) == 0 && get(second, NULL) == 0);
    io.group = "nowhere";
    MUST(get(rayc_actor_call(grouped, &teller_wait, &io, NULL, 0), NULL) == RAYC_ETASK &&
         said("no concurrency group 'nowhere'"));
}

static void limits(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_pending_calls = 2;
    options.max_concurrency = 3;
    rayc_actor actor = make(&options);
    rayc_ref first = call(actor, &teller_wait), second = call(actor, &teller_wait);
    rayc_drop(&second); /* counts all the same */
    MUST(get(call(actor, &teller_count), NULL) == RAYC_EBUSY && said("max_pending_calls"));
    FILE *file = fopen(path, "we");
    MUST(file != NULL && fclose(file) == 0);
    MUST(get(first, NULL) == 0);
    int rc;
    while ((rc = get(call(actor, &teller_count), NULL)) == RAYC_EBUSY) {
        usleep(1000);
    }
    MUST(rc == 0);
}

static void wrong(const rayc_actor_options *options, const char *text)
{
    MUST(rayc_new_with(options, teller, rayc_string(path)).number == 0);
    MUST(rayc_error()->code == RAYC_EINVALID && said(text));
}

static void mistakes(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_restarts = -2;
    wrong(&options, "option max_restarts is -2");
    options = rayc_actor_defaults();
    options.max_concurrency = 0;
    wrong(&options, "option max_concurrency is 0");
    options = rayc_actor_defaults();
    options.cpus = 0.0 / (options.gpus * 0.0);
    wrong(&options, "option cpus is");
    options = rayc_actor_defaults();
    options.groups = "io=0";
    wrong(&options, "'io=0' is not NAME=NUMBER");
    options.groups = "io=1,io=2";
    wrong(&options, "'io' is named twice");
    options = rayc_actor_defaults();
    options.name = "";
    wrong(&options, "option name has 0 bytes");
    options = rayc_actor_defaults();
    options.get_if_exists = 1;
    wrong(&options, "get_if_exists needs a name");
    rayc_actor actor = make(NULL);
    rayc_method unknown = { "teller.nothing", NULL };
    MUST(get(rayc_actor_call(actor, &unknown, NULL, NULL, 0), NULL) == RAYC_ENOTFOUND &&
         said("has no method teller.nothing"));
    MUST(get(call((rayc_actor){ 0 }, &teller_count), NULL) == RAYC_EINVALID);
    rayc_actor copy = actor;
    rayc_actor_drop(&actor);
    MUST(get(call(copy, &teller_count), NULL) == RAYC_ENOTFOUND && said("was dropped"));
}

static void names(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    rayc_actor found;
    options.name = "the teller";
    MUST(rayc_actor_get(options.name, NULL, &found) == RAYC_ENOTFOUND);
    rayc_actor actor = make(&options);
    MUST(rayc_actor_get(options.name, NULL, &found) == 0 && found.number == actor.number);
    MUST(ask(found, &teller_count) == 0);
    MUST(rayc_new_with(&options, teller, rayc_string(path)).number == 0);
    MUST(rayc_error()->code == RAYC_ECONFLICT);
    options.get_if_exists = 1;
    MUST(rayc_new_with(&options, teller, rayc_string(path)).number == actor.number);
    MUST(rayc_kill(actor, 1) == 0);
    MUST(rayc_actor_get(options.name, NULL, &found) == RAYC_ENOTFOUND); /* the name is free */
    rayc_actor next = make(&options);
    MUST(next.number != actor.number && ask(next, &teller_count) == 0);
}

/*  One program makes it and ends; the next one finds it. */
static void detached(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.name = "keeper";
    options.space = "here";
    options.detached = 1;
    rayc_actor keeper = make(&options);
    MUST(get(rayc_tell(keeper, teller_tell, rayc_int(0)), NULL) == 0);
    MUST(get(rayc_tell(keeper, teller_say, rayc_string("one is told")), NULL) == 0);
}

static void found(void)
{
    rayc_actor keeper;
    MUST(rayc_actor_get("keeper", "here", &keeper) == 0);
    MUST(ask(keeper, &teller_count) == 1);
    MUST(rayc_kill(keeper, 1) == 0);
}

/*  Tells 0, 1, 2, ... until its file is there, whatever is killed meanwhile; says the pid of the actor. */
static void survives(void)
{
    rayc_actor_options options = rayc_actor_defaults();
    options.max_restarts = options.max_task_retries = -1;
    rayc_actor actor = make(&options);
    int64_t told = 0, pid = 0, last = 0;
    for (; access(path, F_OK) != 0; told++) {
        int64_t now = 0;
        int rc = get(rayc_tell(actor, teller_tell, rayc_int(told)), &now);
        /* committed once, run twice: the answer was lost with the process */
        MUST(rc == 0 || (rc == RAYC_ETASK && said("came when")));
        MUST(rc != 0 || now == told + 1);
        if (get(call(actor, &teller_pid), &pid) == 0 && pid != last) {
            printf("pid %lld\n", (long long)pid);
            fflush(stdout);
            last = pid;
        }
    }
    MUST(llabs(ask(actor, &teller_count)) == told);
}

/* --- a circle --------------------------------------------------------------------------------- */

struct ring {
    int64_t unused;
};

RAYC_ACTOR(ring, call, self)
{
    (void)self;
    (void)call;
    return 0;
}

RAYC_METHOD(ring, answer, call, self)
{
    (void)self;
    return rayc_return(call, rayc_nil());
}

static int pass_on(rayc_task *call, rayc_ref ref)
{
    rayc_value value;
    return rayc_get(ref, RAYC_FOREVER, &value) < 0
               ? rayc_fail(call, BAD_LUCK, "%s", rayc_error()->text)
               : rayc_return(call, rayc_nil());
}

RAYC_METHOD(ring, ask, call, self)
{
    (void)self;
    return pass_on(call, rayc_tell(rayc_arg_actor(call, 0), ring_answer, rayc_nil()));
}

RAYC_TASK(asks, call)
{
    return pass_on(call, rayc_tell(rayc_arg_actor(call, 0), ring_answer, rayc_nil()));
}

/*  Of another actor, or of a task, that asks this one. */
RAYC_METHOD(ring, go, call, self)
{
    (void)self;
    rayc_actor first = rayc_arg_actor(call, 0), second = rayc_arg_actor(call, 1);
    int other = first.number != second.number;
    return pass_on(call, other ? rayc_tell(second, ring_ask, rayc_handle(first))
                               : rayc_call(asks, rayc_handle(first)));
}

static void circles(void)
{
    rayc_actor first = rayc_new(ring, rayc_nil()), second = rayc_new(ring, rayc_nil());
    MUST(get(rayc_tell(first, ring_go, rayc_handle(first), rayc_handle(second)), NULL) ==
         RAYC_ETASK);
    MUST(said("would wait for ever: ring (") && said("which waits for ring ("));
    MUST(get(rayc_tell(first, ring_go, rayc_handle(first), rayc_handle(first)), NULL) ==
         RAYC_ETASK);
    MUST(said("would wait for ever: ") && said("asks (") && said("ring ("));
    MUST(get(rayc_tell(first, ring_ask, rayc_handle(second)), NULL) == 0); /* both live on */
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } stories[] = { { "order", order },
                    { "deaths", deaths },
                    { "retries", retries },
                    { "kills", kills },
                    { "ends", ends },
                    { "constructor", constructor },
                    { "concurrency", concurrency },
                    { "limits", limits },
                    { "mistakes", mistakes },
                    { "names", names },
                    { "detached", detached },
                    { "found", found },
                    { "circles", circles },
                    { "survives", survives } };
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 2;
    }
    path = argc > 2 ? argv[2] : "";
    for (size_t i = 0; argc > 2 && i < sizeof(stories) / sizeof(stories[0]); i++) {
        if (strcmp(stories[i].name, argv[1]) == 0) {
            stories[i].run();
            rayc_shutdown();
            return 0;
        }
    }
    fprintf(stderr, "usage: actor_calls STORY FILE\n");
    return 2;
}
