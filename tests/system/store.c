/*  store.c - for store.sh: a program that is its own driver and has large values.  `store NAME [COUNT [MB]]` does the part
    NAME; where it says "ready" it goes on when the file $GO has a byte. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MB = 1000 * 1000, LARGE = 20 * MB };

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %d %s\n", what, rayc_error()->code, rayc_error()->text);
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
    FILE *go = fopen(getenv("GO"), "re");
    must_be(go != NULL && fgetc(go) != EOF, "there is a go");
    fclose(go);
}

/*  Bytes that say which of them they are. */
static void fill(uint8_t *bytes, size_t size, int seed)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(seed + (int)(i / 4096));
    }
}

static int is_filled(const uint8_t *bytes, size_t size, int seed)
{
    for (size_t i = 0; i < size; i += 997) {
        if (bytes[i] != (uint8_t)(seed + (int)(i / 4096))) {
            return 0;
        }
    }
    return 1;
}

static rayc_buffer *buffer_of(size_t size, int seed)
{
    rayc_buffer *buffer = rayc_buffer_new(size);
    must_be(buffer != NULL, rayc_error()->text);
    fill(rayc_buffer_data(buffer), size, seed);
    return buffer;
}

/*  SIZE, SEED: that many bytes, in place. */
RAYC_TASK(make, task)
{
    rayc_buffer *buffer = buffer_of((size_t)rayc_arg_int(task, 0), (int)rayc_arg_int(task, 1));
    return rayc_return_buffer(task, &buffer);
}

/*  SIZE: a string. */
RAYC_TASK(make_text, task)
{
    size_t size = (size_t)rayc_arg_int(task, 0);
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = 0;
    rayc_return(task, rayc_string(text));
    free(text);
    return 0;
}

/*  VALUE, SEED: how many bytes it has, if they are right. */
RAYC_TASK(measure, task)
{
    size_t size;
    const uint8_t *bytes = rayc_arg_bytes(task, 0, &size);
    int right = is_filled(bytes, size, (int)rayc_arg_int(task, 1));
    return rayc_return(task, rayc_int(right ? (int64_t)size : -1));
}

RAYC_TASK(length, task)
{
    return rayc_return(task, rayc_int((int64_t)strlen(rayc_arg_string(task, 0))));
}

/*  A first attempt that is killed in the middle of its writing. */
RAYC_TASK(die_writing, task)
{
    rayc_buffer *buffer = buffer_of(LARGE, 3);
    if (rayc_attempt(task) == 1) {
        memset(rayc_buffer_data(buffer), 9, LARGE / 2);
        kill(getpid(), SIGKILL);
    }
    return rayc_return_buffer(task, &buffer);
}

/*  Two of 20 MB, one in place, the other copied; and a small one. */
RAYC_TASK(make_three, task)
{
    rayc_buffer *first = buffer_of(LARGE, 11);
    rayc_return_buffer_at(task, 0, &first);
    uint8_t *bytes = malloc(LARGE);
    fill(bytes, LARGE, 12);
    rayc_return_at(task, 1, rayc_bytes(bytes, LARGE));
    free(bytes);
    return rayc_return_at(task, 2, rayc_int(13));
}

static int64_t number(rayc_ref ref)
{
    rayc_value value;
    must(rayc_get(ref, 60, &value), "a number");
    return value.as.i;
}

static void check(rayc_ref ref, size_t size, int seed)
{
    rayc_value value;
    must(rayc_get(ref, 60, &value), "large bytes");
    must_be(value.kind == RAYC_BYTES && value.as.raw.size == size, "they are all there");
    must_be(is_filled(value.as.raw.data, size, seed), "they are right");
}

/* --- parts -------------------------------------------------------------------------------------- */

static void results(void)
{
    rayc_ref made = rayc_call(make, rayc_int(LARGE), rayc_int(1));
    rayc_ref text = rayc_call(make_text, rayc_int(MB));
    rayc_ref measured = rayc_call(measure, rayc_of(made), rayc_int(1));
    rayc_ref counted = rayc_call(length, rayc_of(text));
    must_be(number(measured) == LARGE, "a task reads it");
    must_be(number(counted) == MB, "a string ends");
    check(made, LARGE, 1);
    rayc_value first, again;
    must(rayc_get(made, 0, &first), "once");
    must(rayc_get(made, 0, &again), "twice");
    must_be(first.as.raw.data == again.as.raw.data, "no copy is made");
    must_be((uintptr_t)first.as.raw.data % 64 == 0, "it is aligned");
    must(rayc_get(text, 0, &first), "the text");
    must_be(((const char *)first.as.raw.data)[MB] == 0, "a NUL follows");
    check(rayc_call(die_writing, rayc_nil()), LARGE, 3);
    rayc_drop(&made);
    puts("results: right");
}

/*  Each of several is in the store by itself; one is taken away. */
static void several(void)
{
    rayc_options three = rayc_defaults();
    three.returns = 3;
    rayc_ref made[3], lent[3];
    rayc_call_n(made, &three, make_three, rayc_nil());
    check(made[0], LARGE, 11);
    check(made[1], LARGE, 12);
    must_be(number(made[2]) == 13, "the small one");
    must_be(number(rayc_call(measure, rayc_of(made[1]), rayc_int(12))) == LARGE, "an argument");
    rayc_drop(&made[0]);
    rayc_call_n(lent, &three, make_three, rayc_nil());
    must(rayc_wait(lent, 3, 3, 60), "three more");
    must(rayc_free(lent, 2), "free");
    must_be(rayc_get(lent[1], 60, NULL) == RAYC_EOBJECTFREED, "it says that it is freed");
    must_be(rayc_get(rayc_call(measure, rayc_of(lent[1]), rayc_int(12)), 60, NULL) ==
                RAYC_EOBJECTFREED,
            "also as an argument");
    must_be(number(lent[2]) == 13, "the others are there");
    be_ready();
    puts("several: right");
}

static void puts_part(void)
{
    rayc_buffer *buffer = buffer_of(LARGE, 4), *small = buffer_of(1000, 5);
    rayc_ref large = rayc_put_buffer(&buffer), little = rayc_put_buffer(&small);
    must_be(buffer == NULL && small == NULL, "a buffer is used up");
    must_be(number(rayc_call(measure, rayc_of(large), rayc_int(4))) == LARGE, "a large put");
    must_be(number(rayc_call(measure, rayc_of(little), rayc_int(5))) == 1000, "a small put");
    check(large, LARGE, 4);
    check(little, 1000, 5);
    rayc_ref none = rayc_put_buffer(&buffer);
    must_be(rayc_get(none, 0, NULL) == RAYC_EINVALID, "a buffer is put once");
    uint8_t *bytes = malloc(LARGE);
    fill(bytes, LARGE, 6);
    rayc_ref copied = rayc_put(rayc_bytes(bytes, LARGE));
    free(bytes);
    check(copied, LARGE, 6);
    must_be(number(rayc_call(measure, rayc_of(copied), rayc_int(6))) == LARGE, "a copied put");
    puts("puts: right");
}

/*  COUNT values of MB each; all are read after the last was made. */
static void many(int count, size_t size)
{
    rayc_ref *refs = calloc((size_t)count, sizeof(*refs));
    for (int i = 0; i < count; i++) {
        rayc_buffer *buffer = buffer_of(size, i);
        refs[i] = rayc_put_buffer(&buffer);
    }
    be_ready();
    for (int i = 0; i < count; i++) {
        must_be(number(rayc_call(measure, rayc_of(refs[i]), rayc_int(i))) == (int64_t)size,
                "each is as it was put");
    }
    for (int i = 0; i < count; i++) {
        check(refs[i], size, i);
        rayc_drop(&refs[i]);
    }
    puts("many: right");
}

/*  One that nothing has room for, put, and returned. */
static void too_large(size_t size)
{
    rayc_buffer *buffer = rayc_buffer_new(size);
    must_be(buffer == NULL && rayc_error()->code == RAYC_EFULL, "there is no room");
    printf("put: %s\n", rayc_error()->text);
    uint8_t *bytes = calloc(1, size);
    rayc_ref put = rayc_put(rayc_bytes(bytes, size));
    must_be(rayc_get(put, 60, NULL) == RAYC_EFULL, "a put of it says so");
    free(bytes);
    rayc_ref text = rayc_call(make_text, rayc_int((int64_t)size));
    int rc = rayc_get(text, 60, NULL);
    printf("return: %d %s\n", rc, rayc_error()->text);
}

/*  Holds and has open what it can, and is killed. */
static void hold(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        rayc_value value;
        rayc_buffer *buffer = buffer_of(size, i), *open = buffer_of(size, i);
        rayc_ref ref = rayc_put_buffer(&buffer);
        must(rayc_get(ref, 0, &value), "it is held");
        must_be(open != NULL, "and another is open");
    }
    be_ready();
}

static void write_sealed(void)
{
    rayc_buffer *buffer = buffer_of(LARGE, 7);
    uint8_t *bytes = rayc_buffer_data(buffer);
    rayc_ref ref = rayc_put_buffer(&buffer);
    must_be(number(rayc_call(measure, rayc_of(ref), rayc_int(7))) == LARGE, "the head has it");
    puts("sealed");
    fflush(stdout);
    bytes[0] = 1;
    puts("written");
}

int main(int argc, char **argv)
{
    must(rayc_init(NULL), "rayc_init");
    const char *part = argc > 1 ? argv[1] : "";
    int count = argc > 2 ? atoi(argv[2]) : 1;
    size_t size = argc > 3 ? (size_t)atoi(argv[3]) * MB : LARGE;
    if (strcmp(part, "results") == 0) {
        results();
    } else if (strcmp(part, "puts") == 0) {
        puts_part();
    } else if (strcmp(part, "several") == 0) {
        several();
    } else if (strcmp(part, "many") == 0) {
        many(count, size);
    } else if (strcmp(part, "too_large") == 0) {
        too_large(size);
    } else if (strcmp(part, "hold") == 0) {
        hold(count, size);
    } else if (strcmp(part, "write_sealed") == 0) {
        write_sealed();
    } else {
        return 2;
    }
    rayc_shutdown();
    return 0;
}
