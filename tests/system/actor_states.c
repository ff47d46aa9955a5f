/*  actor_states.c - for actors.sh: `actor_states FILE` has one actor in each state, until FILE is there. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s (%s)\n", __LINE__, #condition,                    \
                    rayc_error()->text);                                                           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct waiter {
    char none;
};

/*  Once it has been started again, it waits until the file is there. */
RAYC_ACTOR(waiter, call, self)
{
    self->none = 0;
    while (rayc_was_restarted(call) && access(rayc_arg_string(call, 0), F_OK) != 0) {
        usleep(1000);
    }
    return 0;
}

RAYC_METHOD(waiter, die, call, self)
{
    (void)call;
    (void)self;
    kill(getpid(), SIGKILL);
    return 0;
}

RAYC_TASK(never, task)
{
    return rayc_return(task, rayc_string("never"));
}

static int said(const char *text)
{
    return strstr(rayc_error()->text, text) != NULL;
}

static int die(rayc_actor actor)
{
    return rayc_get(rayc_actor_call(actor, &waiter_die, NULL, NULL, 0), 60, NULL);
}

static rayc_actor named(const char *name, rayc_actor_options *options, rayc_arg arg)
{
    options->name = name;
    rayc_actor actor = rayc_new_with(options, waiter, arg);
    MUST(actor.number != 0);
    return actor;
}

static void make_them(const char *go)
{
    rayc_actor_options options = rayc_actor_defaults();
    rayc_options nowhere = rayc_defaults();
    nowhere.resources = "moon=1";
    (void)named("unready", &options, rayc_of(rayc_call_with(&nowhere, never, rayc_nil())));
    options.labels = "zone=moon";
    (void)named("pending", &options, rayc_string(go));
    options.labels = "rayc.io/node-name";
    MUST(rayc_new_with(&options, waiter, rayc_nil()).number == 0 && said("label"));
    options.labels = NULL;
    options.strategy = "node:999";
    rayc_actor lost = named("unschedulable", &options, rayc_string(go));
    MUST(die(lost) == RAYC_EACTORDIED && said("node 999"));
    options.strategy = "node:1";
    options.max_restarts = 1;
    (void)named("alive", &options, rayc_string(go));
    rayc_actor again = named("restarting", &options, rayc_string(go));
    MUST(die(again) == RAYC_EACTORUNAVAILABLE);
    rayc_actor dead = named("dead", &options, rayc_string(go));
    MUST(rayc_kill(dead, 1) == 0);
    while (access(go, F_OK) != 0) {
        usleep(1000);
    }
}

int main(int argc, char **argv)
{
    MUST(rayc_init(NULL) == 0 && argc == 2);
    make_them(argv[1]);
    rayc_shutdown();
    return 0;
}
