/*  objects.c - for objects.sh: a program that is its own driver and uses references in all ways.  `objects NAME FILE`
    does the part NAME; where it says "ready" it goes on when FILE has a byte. */
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 300, LARGE_BYTES = 200 * 1000 };

static const char *go_file;

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, rayc_error()->text);
        exit(1);
    }
}

static void must_be(int is, const char *what)
{
    if (!is) {
        fprintf(stderr, "it is not so: %s\n", what);
        exit(1);
    }
}

static void be_ready(void)
{
    puts("ready");
    fflush(stdout);
    FILE *go = fopen(go_file, "re");
    must_be(go != NULL && fgetc(go) != EOF, "there is a go");
    fclose(go);
}

/* --- values that are put ---------------------------------------------------------------------- */

RAYC_TASK(sum_of_two, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0) + rayc_arg_int(task, 1)));
}

RAYC_TASK(sum_of_bytes, task)
{
    size_t size = 0;
    const uint8_t *bytes = rayc_arg_bytes(task, 0, &size);
    int64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += bytes[i];
    }
    return rayc_return(task, rayc_int(sum));
}

static void puts_part(void)
{
    static uint8_t large[LARGE_BYTES];
    memset(large, 1, sizeof(large));
    rayc_ref values[VALUES], sums[VALUES], bytes = rayc_put(rayc_bytes(large, sizeof(large)));
    for (int i = 0; i < VALUES; i++) {
        values[i] = rayc_put(rayc_int(i));
        sums[i] = rayc_call(sum_of_two, rayc_of(values[i]), rayc_int(1000));
    }
    rayc_ref before = rayc_call(sum_of_bytes, rayc_of(bytes));
    be_ready(); /* the head is killed and started again */
    rayc_ref after = rayc_call(sum_of_bytes, rayc_of(bytes));
    rayc_value value;
    for (int i = 0; i < VALUES; i++) {
        must(rayc_get(sums[i], RAYC_FOREVER, &value), "a sum");
        must_be(value.as.i == 1000 + i, "the sum of a value");
        must(rayc_get(values[i], 0, &value), "a value");
        must_be(value.as.i == i, "a value is what was put");
    }
    must(rayc_get(before, RAYC_FOREVER, &value), "before");
    must_be(value.as.i == LARGE_BYTES, "the sum of large bytes");
    must(rayc_get(after, RAYC_FOREVER, &value), "after");
    must_be(value.as.i == LARGE_BYTES, "the sum after the restart");
    printf("values: %d\n", VALUES + 1);
}

/* --- parts ------------------------------------------------------------------------------------ */

static const struct part {
    const char *name;
    void (*run)(void);
} parts[] = { { "puts", puts_part } };

int main(int argc, char **argv)
{
    must(rayc_init(NULL), "rayc_init");
    go_file = argc > 2 ? argv[2] : "/dev/null";
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name) == 0) {
            parts[i].run();
            rayc_shutdown();
            return 0;
        }
    }
    fprintf(stderr, "usage: objects PART [FILE]\n");
    return 2;
}
