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

/* --- several values, and references inside values --------------------------------------------- */

RAYC_TASK(divide, task)
{
    int64_t a = rayc_arg_int(task, 0), b = rayc_arg_int(task, 1);
    if (b == 0) {
        return rayc_fail(task, 7, "division by zero");
    }
    rayc_return_at(task, 1, rayc_int(a % b));
    return rayc_return_at(task, 0, rayc_int(a / b));
}

/*  Gives back the references that it got: one by itself, one in an array. */
RAYC_TASK(hand_on, task)
{
    uint8_t array[1 + RAYC_REF_BYTES] = { 0x91 };
    rayc_pack_ref(rayc_arg_ref(task, 1), array + 1);
    rayc_return_at(task, 0, rayc_nested(rayc_arg_ref(task, 0)));
    return rayc_return_at(task, 1, rayc_packed(array, sizeof(array)));
}

static void several_part(void)
{
    rayc_options two = rayc_defaults();
    two.returns = 2;
    rayc_ref parts[2], bad[2], handed[2];
    rayc_value values[2], value;
    rayc_call_n(parts, &two, divide, rayc_int(17), rayc_int(5));
    rayc_call_n(bad, &two, divide, rayc_int(17), rayc_int(0));
    rayc_ref sum = rayc_call(sum_of_two, rayc_of(parts[0]), rayc_of(parts[1]));
    rayc_call_n(handed, &two, hand_on, rayc_nested(parts[1]), rayc_nested(sum));
    be_ready(); /* the head is killed and started again */
    must(rayc_get_all(parts, 2, RAYC_FOREVER, values), "two values");
    must_be(values[0].as.i == 3 && values[1].as.i == 2, "17 / 5 and the rest");
    must(rayc_get(sum, RAYC_FOREVER, &value), "their sum");
    must_be(value.as.i == 5, "each reference brings its value");
    for (int i = 0; i < 2; i++) {
        must_be(rayc_get(bad[i], RAYC_FOREVER, NULL) == RAYC_ETASK, "each reference has failed");
        must_be(rayc_error()->app_code == 7, "with the code of the task");
    }
    must(rayc_get_all(handed, 2, RAYC_FOREVER, values), "handed on");
    must_be(values[0].kind == RAYC_REF && values[1].kind == RAYC_ARRAY, "they are references");
    must(rayc_get(values[0].as.ref, RAYC_FOREVER, &value), "the reference itself");
    must_be(value.as.i == 2, "is the rest");
    const uint8_t *array = values[1].as.raw.data;
    must_be(values[1].as.raw.size == 1 + RAYC_REF_BYTES, "one reference is in the array");
    rayc_ref inside = rayc_unpack_ref(array + 3, RAYC_REF_BYTES - 2);
    must(rayc_get(inside, RAYC_FOREVER, &value), "the reference in the array");
    must_be(value.as.i == 5, "is the sum");
    puts("several: 2");
}

/* --- references of another program ------------------------------------------------------------ */

/*  Prints a reference, then goes on when it may. */
static void lend_part(void)
{
    rayc_ref ref = rayc_put(rayc_string("lent"));
    printf("%llu %u %u\n", (unsigned long long)ref.number, ref.index, ref.job);
    be_ready();
}

/*  Reads a reference of another program from its environment. */
static void borrow_part(void)
{
    rayc_value value;
    unsigned long long number = strtoull(getenv("LENT"), NULL, 10);
    must(rayc_get((rayc_ref){ number, 0, 1 }, RAYC_FOREVER, &value), "a lent reference");
    printf("got: %s\n", (const char *)value.as.raw.data);
}

/* --- who holds large values ------------------------------------------------------------------- */

static rayc_ref put_large(uint8_t seed)
{
    static uint8_t large[LARGE_BYTES];
    memset(large, seed, sizeof(large));
    return rayc_put(rayc_bytes(large, sizeof(large)));
}

/*  An array of one reference. */
static rayc_arg boxed(rayc_ref ref, uint8_t array[1 + RAYC_REF_BYTES])
{
    array[0] = 0x91;
    rayc_pack_ref(ref, array + 1);
    return rayc_packed(array, 1 + RAYC_REF_BYTES);
}

static rayc_ref unboxed(const rayc_value *value)
{
    must_be(value->kind == RAYC_ARRAY && value->as.raw.size == 1 + RAYC_REF_BYTES, "it is a box");
    return rayc_unpack_ref((const uint8_t *)value->as.raw.data + 3, RAYC_REF_BYTES - 2);
}

/*  Drops the reference when it has seen that the value is right. */
static void must_be_large(rayc_ref ref, uint8_t seed, const char *what)
{
    rayc_value value;
    must(rayc_get(ref, RAYC_FOREVER, &value), what);
    const uint8_t *bytes = value.as.raw.data;
    must_be(value.as.raw.size == LARGE_BYTES && bytes[LARGE_BYTES - 1] == seed, what);
    rayc_drop(&ref);
}

RAYC_TASK(put_in_a_box, task)
{
    uint8_t array[1 + RAYC_REF_BYTES];
    rayc_ref large = put_large((uint8_t)rayc_arg_int(task, 0));
    rayc_return(task, boxed(large, array));
    rayc_drop(&large); /* what is to be returned has it already */
    return 0;
}

struct keeper {
    rayc_ref kept;
};

RAYC_ACTOR(keeper, call, self)
{
    (void)call;
    self->kept = (rayc_ref){ 0 };
    return 0;
}

RAYC_METHOD(keeper, keep, call, self)
{
    self->kept = rayc_arg_ref(call, 0);
    return 0;
}

RAYC_METHOD(keeper, give, call, self)
{
    rayc_value value;
    must(rayc_get(self->kept, RAYC_FOREVER, &value), "what is kept");
    uint8_t last = ((const uint8_t *)value.as.raw.data)[value.as.raw.size - 1];
    rayc_drop(&self->kept);
    return rayc_return(call, rayc_int(last));
}

/*  Prints the reference of a large value, and is killed. */
static void bequeath_part(void)
{
    rayc_ref ref = put_large(1);
    printf("%llu %u %u\n", (unsigned long long)ref.number, ref.index, ref.job);
    be_ready();
}

/*  Nothing is held but by what has a reference inside, by an actor, by who has read it. */
static void nested_part(void)
{
    rayc_ref lent = { strtoull(getenv("LENT"), NULL, 10), 0, 1 };
    must(rayc_get(lent, RAYC_FOREVER, NULL), "what is lent");
    uint8_t array[1 + RAYC_REF_BYTES];
    rayc_value value;
    rayc_ref of_task = rayc_call(put_in_a_box, rayc_int(2)), large = put_large(3);
    rayc_ref box = rayc_put(boxed(large, array));
    rayc_drop(&large);
    large = put_large(4);
    rayc_actor actor = rayc_new(keeper, rayc_nil());
    rayc_ref kept = rayc_tell(actor, keeper_keep, rayc_nested(large));
    rayc_drop(&large);
    rayc_ref twice = rayc_call(put_in_a_box, rayc_int(5));
    must(rayc_get(twice, RAYC_FOREVER, &value), "a box");
    rayc_ref read = unboxed(&value);
    rayc_drop(&twice);
    must(rayc_get(of_task, RAYC_FOREVER, NULL), "a task puts");
    must(rayc_get(kept, RAYC_FOREVER, NULL), "an actor keeps");
    be_ready(); /* the head is killed, the executor of the task is gone, and another driver, too */
    must_be_large(read, 5, "what was read outlives what it was in");
    must(rayc_get(of_task, RAYC_FOREVER, &value), "the task's box");
    must_be_large(unboxed(&value), 2, "what the task has put is in its value");
    must(rayc_get(box, RAYC_FOREVER, &value), "a box that was put");
    must_be_large(unboxed(&value), 3, "what was dropped is in the box");
    must(rayc_get(rayc_tell(actor, keeper_give, rayc_nil()), RAYC_FOREVER, &value), "give");
    must_be(value.as.i == 4, "the actor has kept it");
    must(rayc_get(rayc_call(sum_of_bytes, rayc_of(lent)), RAYC_FOREVER, &value), "inherited");
    must_be(value.as.i == LARGE_BYTES, "what a dead driver has lent is still there");
    rayc_drop(&lent);
    rayc_drop(&of_task);
    rayc_drop(&box);
    be_ready(); /* all of it has gone */
}

/* --- parts ------------------------------------------------------------------------------------ */

static const struct part {
    const char *name;
    void (*run)(void);
} parts[] = {
    { "puts", puts_part },     { "several", several_part },   { "lend", lend_part },
    { "borrow", borrow_part }, { "bequeath", bequeath_part }, { "nested", nested_part },
};

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
