/*  waits.c - for jobs.sh: a program that is its own driver, and submits nothing before it has read a byte of the
    file that it is given. */
#include <rayc.h>
#include <stdio.h>

RAYC_TASK(double_of, task)
{
    return rayc_return(task, rayc_int(2 * rayc_arg_int(task, 0)));
}

int main(int argc, char **argv)
{
    rayc_value value;
    if (rayc_init(NULL) < 0) {
        return 1;
    }
    puts("ready");
    fflush(stdout);
    FILE *go = fopen(argc > 1 ? argv[1] : "/dev/null", "re");
    if (go == NULL || fgetc(go) == EOF) {
        return 3;
    }
    fclose(go);
    if (rayc_get(rayc_call(double_of, rayc_int(21)), RAYC_FOREVER, &value) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 2;
    }
    printf("double: %lld\n", (long long)value.as.i);
    rayc_shutdown();
    return 0;
}
