/*  quotas.c - for quotas.sh: a program that is its own driver, and does what the lines of a file say: `quotas FILE`.
        put        a value of 1 MiB, the next one
        task       a task that returns one
        read N     the N-th value that was put
        drop N, free N
        end
    What became of it is a line. */
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 1 << 20, VALUES_MAX = 100 };

static uint8_t bytes[BYTES];
static rayc_ref values[VALUES_MAX];
static int count;

RAYC_TASK(large, task)
{
    memset(bytes, 7, sizeof(bytes));
    return rayc_return(task, rayc_bytes(bytes, sizeof(bytes)));
}

static void say(const char *what, rayc_ref ref)
{
    rayc_value value;
    int rc = rayc_get(ref, 60, &value);
    if (rc != RAYC_OK) {
        printf("%s refused %d %s\n", what, rc, rayc_error()->text);
    } else {
        printf("%s kept %zu\n", what, value.as.raw.size);
    }
}

static int number_of(const char *line)
{
    const char *text = strchr(line, ' ');
    int number = text != NULL ? atoi(text) : 0;
    if (number < 1 || number > count) {
        fprintf(stderr, "no such value: %s\n", line);
        exit(1);
    }
    return number - 1;
}

static void obey(const char *line)
{
    if (strcmp(line, "put") == 0 && count < VALUES_MAX) {
        memset(bytes, count, sizeof(bytes));
        values[count] = rayc_put(rayc_bytes(bytes, sizeof(bytes)));
        say("put", values[count++]);
    } else if (strcmp(line, "task") == 0) {
        rayc_ref ref = rayc_submit(&large, NULL, NULL, 0);
        say("task", ref);
        rayc_drop(&ref);
    } else if (strncmp(line, "read", 4) == 0) {
        say("read", values[number_of(line)]);
    } else if (strncmp(line, "drop", 4) == 0) {
        rayc_drop(&values[number_of(line)]);
        puts("dropped");
    } else if (strncmp(line, "free", 4) == 0) {
        printf("freed %d\n", rayc_free(&values[number_of(line)], 1));
    } else {
        fprintf(stderr, "what is this: %s\n", line);
        exit(1);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[80];
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    FILE *from = argc == 2 ? fopen(argv[1], "re") : NULL;
    while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "end") == 0) {
            break;
        }
        obey(line);
    }
    rayc_shutdown();
    return from != NULL ? 0 : 2;
}
