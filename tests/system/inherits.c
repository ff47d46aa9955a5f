/*  inherits.c - for jobs.sh: a driver whose tasks, a function and a command, see the runtime environment of its job. */
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

RAYC_TASK(look, task)
{
    const char *value = getenv("INHERITED");
    return rayc_return(task, rayc_int((value ? atoi(value) : 0) + (access("file", R_OK) == 0)));
}

int main(void)
{
    static const char *const argv[] = { "sh", "-c", "test \"$INHERITED\" = 41 && test -r file",
                                        NULL };
    if (rayc_init(NULL) < 0) {
        return 1;
    }
    rayc_ref refs[] = { rayc_call(look, rayc_int(0)),
                        rayc_command(NULL, argv, NULL, NULL, NULL, 0) };
    rayc_value value;
    for (int i = 0; i < 2; i++) {
        if (rayc_get(refs[i], RAYC_FOREVER, &value) < 0) {
            fprintf(stderr, "%s\n", rayc_error()->text);
            return 2;
        }
        if (i == 0) {
            printf("look: %lld\n", (long long)value.as.i);
        }
    }
    rayc_shutdown();
    return 0;
}
