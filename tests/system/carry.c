/*  carry.c - for carry.sh: a driver whose large values are made on one node and used on another.  Nodes have the label
    `host`.  `carry PART [MB]`; what says "ready" goes on when the file $GO has a byte. */
#include <rayc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MB = 1000 * 1000 };

static size_t size = 20 * MB;

static void must(int rc, const char *what)
{
    if (rc < 0) {
        printf("%s: %d %s\n", what, rayc_error()->code, rayc_error()->text);
        exit(1);
    }
}

static void must_be(int is, const char *what)
{
    if (!is) {
        printf("it is not so: %s\n", what);
        exit(1);
    }
}

static rayc_buffer *buffer_of(size_t bytes, int seed)
{
    rayc_buffer *buffer = rayc_buffer_new(bytes);
    must_be(buffer != NULL, rayc_error()->text);
    uint8_t *to = rayc_buffer_data(buffer);
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(seed + (int)(i / 4096));
    }
    return buffer;
}

static int is_filled(const uint8_t *bytes, size_t n, int seed)
{
    for (size_t i = 0; i < n; i += 997) {
        if (bytes[i] != (uint8_t)(seed + (int)(i / 4096))) {
            return 0;
        }
    }
    return 1;
}

/*  SIZE, SEED */
RAYC_TASK(make, task)
{
    rayc_buffer *buffer = buffer_of((size_t)rayc_arg_int(task, 0), (int)rayc_arg_int(task, 1));
    return rayc_return_buffer(task, &buffer);
}

/*  VALUE, SEED: its bytes, if they are right. */
RAYC_TASK(measure, task)
{
    size_t n;
    const uint8_t *bytes = rayc_arg_bytes(task, 0, &n);
    return rayc_return(task,
                       rayc_int(is_filled(bytes, n, (int)rayc_arg_int(task, 1)) ? (int64_t)n : -1));
}

/*  A reference, SEED: as measure, of what it gets itself. */
RAYC_TASK(get_and_measure, task)
{
    rayc_value value;
    if (rayc_get(rayc_arg_ref(task, 0), 30, &value) < 0) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    int right = is_filled(value.as.raw.data, value.as.raw.size, (int)rayc_arg_int(task, 1));
    return rayc_return(task, rayc_int(right ? (int64_t)value.as.raw.size : -1));
}

static rayc_options on(const char *host)
{
    rayc_options options = rayc_defaults();
    options.labels = host;
    options.cpus = 0.1;
    options.max_retries = 0;
    return options;
}

static rayc_ref made_on(const char *host, int seed)
{
    rayc_options options = on(host);
    return rayc_call_with(&options, make, rayc_int((int64_t)size), rayc_int(seed));
}

static rayc_ref measured_on(const char *host, rayc_ref value, int seed)
{
    rayc_options options = on(host);
    return rayc_call_with(&options, measure, rayc_of(value), rayc_int(seed));
}

static void is_whole(rayc_ref number)
{
    rayc_value value;
    must(rayc_get(number, 30, &value), "a number");
    must_be(value.as.i == (int64_t)size, "all of it is there");
}

static void is_right(rayc_ref ref, int seed)
{
    rayc_value value;
    must(rayc_get(ref, 30, &value), "large bytes");
    must_be(value.kind == RAYC_BYTES && value.as.raw.size == size, "they are all there");
    must_be(is_filled(value.as.raw.data, size, seed), "they are right");
}

/* --- parts -------------------------------------------------------------------------------------- */

/*  Arguments and results from each node to the other, several at once, and got in a task. */
static void across(void)
{
    rayc_options two = on("host=two");
    rayc_ref first = made_on("host=one", 1), second = made_on("host=two", 2), numbers[8];
    rayc_buffer *buffer = buffer_of(size, 3);
    rayc_ref put = rayc_put_buffer(&buffer);
    for (int i = 0; i < 2; i++) {
        const char *host = i == 0 ? "host=one" : "host=two";
        numbers[3 * i] = measured_on(host, first, 1);
        numbers[3 * i + 1] = measured_on(host, second, 2);
        numbers[3 * i + 2] = measured_on(host, put, 3);
    }
    rayc_ref third = made_on("host=one", 4);
    numbers[6] = rayc_call_with(&two, get_and_measure, rayc_nested(third), rayc_int(4));
    numbers[7] = measured_on("host=one", made_on("host=two", 5), 5);
    for (int i = 0; i < 8; i++) {
        is_whole(numbers[i]);
    }
    is_right(first, 1);
    is_right(second, 2);
    is_right(put, 3);
    puts("across: right");
}

/*  Of a driver without a node: what tasks return, and what it puts, which a node has; or the head, if it is small. */
static void away(void)
{
    rayc_ref first = made_on("host=one", 1), second = made_on("host=two", 2);
    rayc_value values[2];
    must_be(rayc_get_all((rayc_ref[]){ first, second }, 2, 60, values) == RAYC_OK, "all are got");
    is_right(first, 1);
    is_right(second, 2);
    is_right(first, 1); /* it is here now */
    is_whole(measured_on("host=two", first, 1));
    rayc_drop(&first);
    for (int seed = 3; seed < 5; seed++) {
        rayc_buffer *buffer = buffer_of(size, seed);
        rayc_ref put = rayc_put_buffer(&buffer);
        is_whole(measured_on("host=one", put, seed));
        is_whole(measured_on("host=two", put, seed));
        is_right(put, seed);
        size = 5 * MB;
    }
    puts("away: right");
}

/*  One that takes longer than the time of a call comes all the same, and comes once. */
static void polled(void)
{
    rayc_ref value = made_on("host=two", 9);
    must_be(rayc_wait(&value, 1, 1, 30) == 1, "it is made");
    rayc_value out;
    int rc = RAYC_ETIMEOUT, times = 0;
    for (; rc == RAYC_ETIMEOUT && times < 1000; times++) {
        rc = rayc_get(value, times % 2 == 0 ? 0.05 : 0, &out);
    }
    must(rc, "it comes in the end");
    must_be(times > 3, "it does not come at once");
    is_right(value, 9);
    puts("polled: right");
}

/*  One that two nodes have is fetched to a third. */
static void moved(void)
{
    rayc_ref value = made_on("host=two", 6);
    is_whole(measured_on("host=three", value, 6));
    rayc_ref number = measured_on("host=one", value, 6);
    puts("begun");
    fflush(stdout);
    is_whole(number);
    puts("moved: right");
}

/*  One that only node two has, which is killed. */
static void lost(void)
{
    rayc_ref value = made_on("host=two", 7);
    must_be(rayc_wait(&value, 1, 1, 30) == 1, "it is made");
    rayc_ref number = measured_on("host=one", value, 7);
    puts("begun");
    fflush(stdout);
    rayc_value out;
    int rc = rayc_get(number, 60, &out);
    printf("lost: %d %s\n", rc, rc < 0 ? rayc_error()->text : "");
}

/*  Holds what two nodes have. */
static void held(void)
{
    rayc_ref value = made_on("host=one", 8);
    is_whole(measured_on("host=three", value, 8));
    puts("ready");
    fflush(stdout);
    FILE *go = fopen(getenv("GO"), "re");
    must_be(go != NULL && fgetc(go) != EOF, "there is a go");
    fclose(go);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = { { "across", across }, { "away", away }, { "polled", polled },
                  { "moved", moved },   { "lost", lost }, { "held", held } };
    must(rayc_init(NULL), "rayc_init");
    size = argc > 2 ? (size_t)atoi(argv[2]) * MB : size;
    for (size_t i = 0; argc > 1 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            parts[i].run();
            rayc_shutdown();
            return 0;
        }
    }
    return 2;
}
