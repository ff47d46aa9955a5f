/*  hello.c - a program of your own: one task that adds. */
#include <stdio.h>
#include <rayc.h>

RAYC_TASK(add, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0) + rayc_arg_int(task, 1)));
}

int main(void)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 125;
    }
    rayc_ref three = rayc_call(add, rayc_int(1), rayc_int(2));
    rayc_ref ten = rayc_call(add, rayc_of(three), rayc_int(7)); /* waits for the other */
    rayc_value value;
    int rc = rayc_get(ten, RAYC_FOREVER, &value);
    if (rc < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
    } else {
        printf("1 + 2 + 7 = %lld\n", (long long)value.as.i);
    }
    rayc_drop(&three);
    rayc_drop(&ten);
    rayc_shutdown();
    return rc < 0;
}
