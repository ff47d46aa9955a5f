/*  reach.c - for reach.sh: a program drawn from a seed.  It puts, calls, nests, hands references to actors that keep them
    and takes them back, and drops what it has in any order.  Each value says of itself what made it: what is read is
    compared with what it must be.  At its end it has dropped everything. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 24, BOXES_MAX = 2, BOX_SLOTS = 8, ARGS_MAX = 3, LARGE = 600 * 1024 };

static void must(int is, const char *what)
{
    if (!is) {
        fprintf(stderr, "%s: %s\n", what, rayc_error()->text);
        exit(1);
    }
}

/* --- values: a key, and what follows from it --------------------------------------------------- */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDu;
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 33;
}

static uint64_t next_word(uint64_t word)
{
    return word * 6364136223846793005u + 1442695040888963407u;
}

static void fill(uint64_t *words, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++) {
        words[i] = key;
        key = next_word(key);
    }
}

/*  Its key; 0: the bytes are not those of any. */
static uint64_t key_of(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t key = 0, word, wanted = 0;
    for (size_t i = 0; i + sizeof(word) <= size; i += sizeof(word), wanted = next_word(wanted)) {
        memcpy(&word, at + i, sizeof(word));
        if (i == 0) {
            key = wanted = word;
        }
        if (word != wanted) {
            return 0;
        }
    }
    return key;
}

static uint64_t made_of(uint64_t seed, const uint64_t *keys, size_t count)
{
    uint64_t key = mixed(seed);
    for (size_t i = 0; i < count; i++) {
        key = mixed(key ^ keys[i]);
    }
    return key;
}

static int same(rayc_ref a, rayc_ref b)
{
    return a.number == b.number && a.index == b.index && a.job == b.job;
}

/* --- tasks: (seed, words, values or references) ------------------------------------------------ */

RAYC_TASK(make, task)
{
    uint64_t keys[ARGS_MAX], seed = (uint64_t)rayc_arg_int(task, 0);
    size_t words = (size_t)rayc_arg_int(task, 1), count = rayc_arg_count(task) - 2;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const void *bytes = rayc_arg_bytes(task, i + 2, &size);
        if ((keys[i] = key_of(bytes, size)) == 0) {
            return rayc_fail(task, 1, "argument %zu of make is torn", i);
        }
    }
    rayc_buffer *buffer = rayc_buffer_new(words * 8);
    if (buffer == NULL) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    fill(rayc_buffer_data(buffer), words, made_of(seed, keys, count));
    return rayc_return_buffer(task, &buffer);
}

/*  Reads every second argument itself, has the value made, and returns it, or the reference. */
RAYC_TASK(nest, task)
{
    size_t count = rayc_arg_count(task) - 2;
    uint64_t seed = (uint64_t)rayc_arg_int(task, 0);
    rayc_arg args[ARGS_MAX + 2] = { rayc_int((int64_t)seed), rayc_int(rayc_arg_int(task, 1)) };
    rayc_value value;
    for (size_t i = 0; i < count; i++) {
        rayc_ref ref = rayc_arg_ref(task, i + 2);
        args[i + 2] = rayc_of(ref);
        if (i % 2 == 0 && rayc_get(ref, RAYC_FOREVER, &value) < 0) {
            return rayc_fail(task, 1, "argument %zu of nest: %s", i, rayc_error()->text);
        }
        if (i % 2 == 0 && key_of(value.as.raw.data, value.as.raw.size) == 0) {
            return rayc_fail(task, 1, "argument %zu of nest is torn", i);
        }
    }
    rayc_ref made = rayc_submit(&make, NULL, args, count + 2);
    if (seed % 3 == 0) {
        return rayc_return(task, rayc_nested(made));
    }
    if (rayc_get(made, RAYC_FOREVER, &value) < 0) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    return rayc_return(task, rayc_bytes(value.as.raw.data, value.as.raw.size));
}

/*  Stores values, and is gone before the head has heard of them. */
RAYC_TASK(vanish, task)
{
    (void)task;
    for (int i = 0; i < 8; i++) {
        rayc_buffer *buffer = rayc_buffer_new(LARGE);
        must(buffer != NULL, "a buffer");
        rayc_put_buffer(&buffer);
    }
    return raise(SIGKILL);
}

/* --- an actor that keeps references ------------------------------------------------------------ */

struct box {
    rayc_ref refs[BOX_SLOTS];
};

RAYC_ACTOR(box, call, self)
{
    (void)call, (void)self;
    return 0;
}

/*  A program has each reference once, however often it reads it. */
static void box_set(struct box *self, int64_t slot, rayc_ref ref)
{
    rayc_ref old = self->refs[slot];
    self->refs[slot] = ref;
    for (int i = 0; i < BOX_SLOTS; i++) {
        if (old.number == 0 || same(self->refs[i], old)) {
            return;
        }
    }
    rayc_drop(&old);
}

RAYC_METHOD(box, keep, call, self)
{
    box_set(self, rayc_arg_int(call, 0), rayc_arg_ref(call, 1));
    return 0;
}

RAYC_METHOD(box, release, call, self)
{
    box_set(self, rayc_arg_int(call, 0), (rayc_ref){ 0 });
    return 0;
}

RAYC_METHOD(box, reference, call, self)
{
    return rayc_return(call, rayc_nested(self->refs[rayc_arg_int(call, 0)]));
}

RAYC_METHOD(box, value, call, self)
{
    rayc_value value;
    if (rayc_get(self->refs[rayc_arg_int(call, 0)], RAYC_FOREVER, &value) < 0) {
        return rayc_fail(call, 1, "%s", rayc_error()->text);
    }
    return rayc_return(call, rayc_bytes(value.as.raw.data, value.as.raw.size));
}

/* --- the driver -------------------------------------------------------------------------------- */

struct slot {
    rayc_ref ref; /* number 0: empty */
    uint64_t key; /* of its value */
    int wraps;    /* its value is a reference */
};

static struct slot slots[SLOTS];
static uint64_t kept[BOXES_MAX][BOX_SLOTS]; /* keys; 0: nothing */
static rayc_actor boxes[BOXES_MAX];
static size_t box_count;
static uint64_t state;

static size_t drawn(size_t below)
{
    state = next_word(state);
    return mixed(state) % below;
}

static void set(struct slot *slot, struct slot to)
{
    rayc_ref old = slot->ref;
    *slot = to;
    for (int i = 0; i < SLOTS; i++) {
        if (old.number == 0 || same(slots[i].ref, old)) {
            return;
        }
    }
    rayc_drop(&old);
}

static void verify(struct slot *slot)
{
    rayc_value value;
    must(rayc_get(slot->ref, RAYC_FOREVER, &value) == 0, "a value");
    if (value.kind == RAYC_REF) {
        set(slot, (struct slot){ value.as.ref, slot->key, 0 });
        must(rayc_get(slot->ref, RAYC_FOREVER, &value) == 0, "a value behind a reference");
    }
    must(value.kind == RAYC_BYTES && key_of(value.as.raw.data, value.as.raw.size) == slot->key,
         "a value is another one");
}

static size_t words_drawn(void)
{
    return 1 + drawn(drawn(4) == 0 ? LARGE / 8 : 256);
}

static void put(struct slot *slot)
{
    static uint64_t words[LARGE / 8];
    size_t count = words_drawn();
    uint64_t key = mixed(state) | 1;
    fill(words, count, key);
    set(slot, (struct slot){ rayc_put(rayc_bytes(words, count * 8)), key, 0 });
}

static void call(struct slot *slot)
{
    uint64_t keys[ARGS_MAX], seed = mixed(state) >> 2;
    int nested = (int)drawn(2);
    rayc_arg args[ARGS_MAX + 2] = { rayc_int((int64_t)seed), rayc_int((int64_t)words_drawn()) };
    size_t count = 0;
    for (size_t wanted = drawn(ARGS_MAX + 1); wanted > 0; wanted--) {
        const struct slot *from = &slots[drawn(SLOTS)];
        if (from->ref.number != 0 && !from->wraps) {
            keys[count] = from->key;
            args[2 + count++] = nested ? rayc_nested(from->ref) : rayc_of(from->ref);
        }
    }
    rayc_ref ref = rayc_submit(nested ? &nest : &make, NULL, args, count + 2);
    set(slot, (struct slot){ ref, made_of(seed, keys, count), nested && seed % 3 == 0 });
}

/*  An actor takes a reference, lets one go, or says what it has. */
static void use_box(struct slot *slot)
{
    size_t b = drawn(box_count), i = drawn(BOX_SLOTS), how = drawn(3);
    rayc_arg at = rayc_int((int64_t)i);
    if (kept[b][i] != 0 && how > 0) {
        set(slot, (struct slot){ how == 1 ? rayc_tell(boxes[b], box_reference, at)
                                          : rayc_tell(boxes[b], box_value, at),
                                 kept[b][i], how == 1 });
        return;
    }
    rayc_ref done = { 0 };
    if (kept[b][i] != 0) {
        done = rayc_tell(boxes[b], box_release, at);
        kept[b][i] = 0;
    } else if (slot->ref.number != 0 && !slot->wraps) {
        done = rayc_tell(boxes[b], box_keep, at, rayc_nested(slot->ref));
        kept[b][i] = slot->key;
    }
    rayc_drop(&done);
}

int main(int argc, char **argv)
{
    must(rayc_init(NULL) == 0, "rayc_init");
    must(argc == 4, "usage: reach SEED STEPS BOXES");
    state = strtoull(argv[1], NULL, 10);
    box_count = strtoul(argv[3], NULL, 10);
    for (size_t b = 0; b < box_count; b++) {
        boxes[b] = rayc_new(box, rayc_nil());
    }
    rayc_options once = rayc_defaults();
    once.max_retries = 0;
    rayc_ref gone = rayc_call_with(&once, vanish, rayc_nil());
    must(rayc_get(gone, RAYC_FOREVER, NULL) < 0, "who is killed has not ended well");
    rayc_drop(&gone);
    for (int step = atoi(argv[2]); step > 0; step--) {
        struct slot *slot = &slots[drawn(SLOTS)];
        switch (drawn(8)) {
        case 0:
            put(slot);
            break;
        case 1:
            set(slot, (struct slot){ 0 });
            break;
        case 2:
        case 3:
            if (box_count > 0) {
                use_box(slot);
            }
            break;
        case 4:
            if (slot->ref.number != 0) {
                verify(slot);
            }
            break;
        default:
            call(slot);
        }
    }
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].ref.number != 0) {
            verify(&slots[i]);
        }
        set(&slots[i], (struct slot){ 0 });
    }
    puts("all values are right");
    rayc_shutdown();
    return 0;
}
