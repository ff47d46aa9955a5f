/*  canary.c - libFuzzer: a target that must crash.  When it does not, the fuzzing itself is broken.
    */
#include "proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg msg;
    if (proto_decode(slice_of(data, size), &msg, NULL) == OK) {
        ensure(msg.kind != MSG_SUBMIT); /* the seeds have one, so it is found at once */
    }
    return 0;
}
