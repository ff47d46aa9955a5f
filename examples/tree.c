/*  tree.c - a task that calls itself: it counts the leaves of a tree by asking a task for each branch.

        tree            depth 6, 2 branches: 64 leaves
        tree 50 1       a chain of 50 tasks, of which each waits for the next: one CPU is enough */
#include <stdio.h>
#include <stdlib.h>
#include <rayc.h>

enum { BRANCHES_MAX = 64 };

RAYC_TASK(leaves, task)
{
    int64_t depth = rayc_arg_int(task, 0), branches = rayc_arg_int(task, 1), sum = 0;
    rayc_ref below[BRANCHES_MAX];
    if (depth == 0) {
        return rayc_return(task, rayc_int(1));
    }
    for (int64_t i = 0; i < branches; i++) {
        below[i] = rayc_call(leaves, rayc_int(depth - 1), rayc_int(branches));
    }
    for (int64_t i = 0; i < branches; i++) {
        rayc_value value;
        if (rayc_get(below[i], RAYC_FOREVER, &value) < 0) {
            return rayc_fail(task, 1, "a branch failed: %s", rayc_error()->text);
        }
        sum += value.as.i;
    }
    return rayc_return(task, rayc_int(sum));
}

int main(int argc, char **argv)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    int64_t depth = argc > 1 ? strtoll(argv[1], NULL, 10) : 6;
    int64_t branches = argc > 2 ? strtoll(argv[2], NULL, 10) : 2;
    if (depth < 0 || branches < 1 || branches > BRANCHES_MAX) {
        fprintf(stderr, "usage: tree [DEPTH [BRANCHES]], of 1 to %d branches\n", BRANCHES_MAX);
        return 2;
    }
    rayc_ref root = rayc_call(leaves, rayc_int(depth), rayc_int(branches));
    rayc_value value;
    if (rayc_get(root, RAYC_FOREVER, &value) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    printf("%lld leaves\n", (long long)value.as.i);
    rayc_shutdown();
    return 0;
}
