/*  holders.c - for holders.sh: a driver, an actor, a task that waits and a value that each hold a large object; it says
    "ready", and goes on when the file that it is given has a byte. */
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1000 * 1000 };

static void must(int is, const char *what)
{
    if (!is) {
        fprintf(stderr, "%s: %s\n", what, rayc_error()->text);
        exit(1);
    }
}

static rayc_ref put_large(void)
{
    rayc_buffer *buffer = rayc_buffer_new(SIZE);
    must(buffer != NULL, "a buffer");
    memset(rayc_buffer_data(buffer), 1, SIZE);
    return rayc_put_buffer(&buffer);
}

struct keeper {
    rayc_ref kept, lent;
};

RAYC_ACTOR(keeper, call, self)
{
    (void)call, (void)self;
    return 0;
}

RAYC_METHOD(keeper, keep, call, self)
{
    self->kept = put_large();
    return rayc_return(call, rayc_int(1));
}

/*  A reference. */
RAYC_METHOD(keeper, borrow, call, self)
{
    self->lent = rayc_arg_ref(call, 0);
    return rayc_return(call, rayc_int(1));
}

/*  A list with a reference to what it has put. */
RAYC_TASK(wrap, task)
{
    uint8_t list[1 + RAYC_REF_BYTES] = { 0x91 };
    rayc_pack_ref(put_large(), list + 1);
    return rayc_return(task, rayc_packed(list, sizeof(list)));
}

RAYC_TASK(use, task)
{
    return rayc_return(task, rayc_int(rayc_arg_at(task, 0)->kind == RAYC_BYTES));
}

int main(int argc, char **argv)
{
    must(rayc_init(NULL) == 0 && argc == 2, "usage: holders FILE");
    rayc_options large = rayc_defaults();
    large.cpus = 1000;
    rayc_actor keeper_one = rayc_new(keeper, rayc_int(0));
    rayc_ref kept = rayc_tell(keeper_one, keeper_keep, rayc_int(0)),
             wrapped = rayc_call(wrap, rayc_int(0));
    rayc_ref mine = put_large();
    rayc_ref lent = rayc_tell(keeper_one, keeper_borrow, rayc_nested(mine));
    rayc_ref waits = rayc_call_with(&large, use, rayc_of(mine));
    must(rayc_get(kept, RAYC_FOREVER, NULL) == 0, "kept");
    must(rayc_get(lent, RAYC_FOREVER, NULL) == 0, "lent");
    must(rayc_wait(&wrapped, 1, 1, RAYC_FOREVER) == 1, "wrapped");
    puts("ready");
    fflush(stdout);
    FILE *go = fopen(argv[1], "re");
    must(go != NULL && fgetc(go) != EOF, "there is a go");
    fclose(go);
    must(rayc_cancel(waits, 0) == 0, "cancelled");
    rayc_shutdown();
    return 0;
}
