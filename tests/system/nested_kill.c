/*  nested_kill.c - for nested_kill.sh: a tree of tasks, each of which leaves a trace outside rayc when it begins and when it
    ends: "begin NAME ATTEMPT FENCE PID", "end NAME ATTEMPT FENCE PID".  The name is its way from the root: 0, 01, 013.

        nested_kill tree FILE DEPTH BRANCHES LEAF_MS    how many leaves there are
        nested_kill told FILE                           a task that is asked to end while it runs */
#include <fcntl.h>
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BRANCHES_MAX = 9, RETRIES = 50 };

static void trace(rayc_task *task, const char *path, const char *what, const char *name)
{
    char line[200];
    int n = snprintf(line, sizeof(line), "%s %s %u %llu %d\n", what, name, rayc_attempt(task),
                     (unsigned long long)rayc_fence(task), (int)getpid());
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n) {
        abort();
    }
    close(fd);
}

/*  path, name, depth, branches, ms of a leaf */
RAYC_TASK(tree, task)
{
    const char *path = rayc_arg_string(task, 0), *name = rayc_arg_string(task, 1);
    int64_t depth = rayc_arg_int(task, 2), branches = rayc_arg_int(task, 3), sum = depth == 0;
    int64_t leaf_ms = rayc_arg_int(task, 4);
    rayc_options stubborn = rayc_defaults();
    stubborn.max_retries = RETRIES;
    stubborn.crash_limit = 0;
    rayc_ref below[BRANCHES_MAX];
    trace(task, path, "begin", name);
    for (int64_t i = 0; depth > 0 && i < branches; i++) {
        char child[64];
        snprintf(child, sizeof(child), "%.60s%d", name, (int)i);
        below[i] = rayc_call_with(&stubborn, tree, rayc_string(path), rayc_string(child),
                                  rayc_int(depth - 1), rayc_int(branches), rayc_int(leaf_ms));
    }
    for (int64_t i = 0; depth > 0 && i < branches; i++) {
        rayc_value value;
        if (rayc_get(below[i], RAYC_FOREVER, &value) < 0) {
            return rayc_fail(task, 1, "%s", rayc_error()->text);
        }
        sum += value.as.i;
    }
    if (depth == 0) {
        usleep((useconds_t)(leaf_ms * 1000));
    }
    trace(task, path, "end", name);
    return rayc_return(task, rayc_int(sum));
}

/*  Runs until it is asked to end; then nothing that it waits for is waited for. */
RAYC_TASK(listens, task)
{
    const char *path = rayc_arg_string(task, 0);
    rayc_options never = rayc_defaults();
    never.cpus = 1000;
    rayc_ref later = rayc_call_with(&never, tree, rayc_nil());
    trace(task, path, "begin", "listens");
    while (!rayc_cancelled(task)) {
        usleep(1000);
    }
    int got = rayc_get(later, RAYC_FOREVER, NULL), waited = rayc_wait(&later, 1, 1, RAYC_FOREVER);
    trace(task, path, got == RAYC_ECANCELLED && waited == RAYC_ECANCELLED ? "told" : "kept waiting",
          "listens");
    return 0;
}

static int run_tree(char **argv)
{
    rayc_options stubborn = rayc_defaults();
    stubborn.max_retries = RETRIES;
    stubborn.crash_limit = 0;
    rayc_value value;
    rayc_ref root =
        rayc_call_with(&stubborn, tree, rayc_string(argv[2]), rayc_string("0"),
                       rayc_int(atoi(argv[3])), rayc_int(atoi(argv[4])), rayc_int(atoi(argv[5])));
    if (rayc_get(root, RAYC_FOREVER, &value) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    printf("%lld leaves\n", (long long)value.as.i);
    return 0;
}

static int run_told(char **argv)
{
    rayc_ref ref = rayc_call(listens, rayc_string(argv[2]));
    while (access(argv[2], F_OK) != 0) {
        usleep(1000);
    }
    if (rayc_cancel(ref, RAYC_ALONE) < 0 || rayc_get(ref, RAYC_FOREVER, NULL) != RAYC_ECANCELLED) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    int rc = argc == 6 && strcmp(argv[1], "tree") == 0   ? run_tree(argv)
             : argc == 3 && strcmp(argv[1], "told") == 0 ? run_told(argv)
                                                         : 2;
    rayc_shutdown();
    return rc;
}
