/*  failures.c - for failures.sh: makes tasks fail in every way that a program can bring about, and prints of each how
    rayc_get() told it: NAME CODE APP_CODE SIGNAL ATTEMPT TASK. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LONG_S = 600 };

RAYC_TASK(fails, task)
{
    return rayc_fail(task, 7, "no luck");
}

RAYC_TASK(dies, task)
{
    (void)task;
    return raise(SIGKILL);
}

RAYC_TASK(sleeps, task)
{
    (void)task;
    return (int)sleep(LONG_S);
}

RAYC_TASK(misreads, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0)));
}

/*  Its child is given up when it has failed. */
RAYC_TASK(leaves_a_child, task)
{
    (void)rayc_call(sleeps, rayc_nil());
    return rayc_fail(task, 8, "and a child");
}

RAYC_TASK(adds_one, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0) + 1));
}

/*  Ends at once; what it has submitted goes on. */
RAYC_TASK(leaves_and_ends, task)
{
    rayc_options patient = rayc_defaults();
    patient.cpus = 2; /* all of the node: not before this one has ended */
    return rayc_return(task, rayc_nested(rayc_call_with(&patient, adds_one, rayc_int(1))));
}

/*  Cancels a task that somebody else has submitted. */
RAYC_TASK(cancels, task)
{
    int rc = rayc_cancel(rayc_arg_ref(task, 0), 0);
    return rc < 0 ? rayc_fail(task, 1, "%s", rayc_error()->text) : rc;
}

static int never(rayc_task *task)
{
    return rayc_return(task, rayc_nil());
}
static const rayc_function not_registered = { "not_registered", never };

static void tell(const char *name, rayc_ref ref)
{
    rayc_value value;
    int code = rayc_get(ref, RAYC_FOREVER, &value);
    const rayc_failure *failure = rayc_error();
    printf("%s %d %d %d %d %s\n", name, code, code < 0 ? failure->app_code : 0,
           code < 0 ? failure->signal : 0, code < 0 ? failure->attempt : 0,
           code < 0 ? failure->log : "");
}

static rayc_options retries(int32_t max_retries)
{
    rayc_options options = rayc_defaults();
    options.max_retries = max_retries;
    return options;
}

static void tell_limits(void)
{
    rayc_options slow = retries(0), late = retries(3), broken = retries(-1), nowhere = retries(3);
    slow.run_ms_max = 200;
    late.queue_ms_max = 200;
    late.resources = "moon=1";
    broken.crash_limit = 2;
    broken.backoff_ms = 1;
    nowhere.strategy = "node:999";
    tell("run_timeout", rayc_call_with(&slow, sleeps, rayc_nil()));
    tell("queue_timeout", rayc_call_with(&late, sleeps, rayc_nil()));
    tell("quarantined", rayc_call_with(&broken, dies, rayc_nil()));
    tell("unschedulable", rayc_call_with(&nowhere, sleeps, rayc_nil()));
}

static void tell_cancelled(void)
{
    rayc_options options = rayc_defaults();
    options.resources = "moon=1"; /* no node has it: it does not start */
    rayc_ref ref = rayc_call_with(&options, sleeps, rayc_nil());
    rayc_ref needs_it = rayc_call(misreads, rayc_of(ref));
    if (rayc_cancel(ref, RAYC_FORCE) < 0) {
        exit(1);
    }
    tell("cancelled", ref);
    tell("upstream_cancelled", needs_it);
    ref = rayc_call_with(&options, sleeps, rayc_nil());
    if (rayc_get(rayc_call(cancels, rayc_nested(ref)), RAYC_FOREVER, NULL) < 0) {
        exit(1);
    }
    tell("cancelled_by_another", ref);
}

int main(void)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    rayc_options once = retries(1);
    rayc_ref failed = rayc_call(fails, rayc_nil());
    tell("app", failed);
    rayc_ref follows = rayc_call(misreads, rayc_of(failed));
    tell("upstream_2", rayc_call(misreads, rayc_of(follows)));
    tell("upstream", follows);
    tell("exit", rayc_command(NULL, (const char *const[]){ "sh", "-c", "exit 9", NULL }, NULL, NULL,
                              NULL, 0));
    tell("setup", rayc_command(&once, (const char *const[]){ "/no/such/program", NULL }, NULL, NULL,
                               NULL, 0));
    tell("worker_died", rayc_call_with(&once, dies, rayc_nil()));
    tell("argument", rayc_call(misreads, rayc_string("four")));
    tell("unknown_task", rayc_call(not_registered, rayc_nil()));
    tell("parent", rayc_call(leaves_a_child, rayc_nil()));
    rayc_value left, two;
    if (rayc_get(rayc_call(leaves_and_ends, rayc_nil()), RAYC_FOREVER, &left) < 0 ||
        rayc_get(left.as.ref, RAYC_FOREVER, &two) < 0 || two.as.i != 2) {
        fprintf(stderr, "what it left: %s\n", rayc_error()->text);
        return 1;
    }
    tell_limits();
    tell_cancelled();
    rayc_shutdown();
    return 0;
}
