/*  pipeline.c - large values through stages: frames are made, blurred and measured by tasks that go round the nodes.  Only
    references pass through this program: bytes go from node to node, where the next stage runs.

        pipeline            8 frames of 1024 x 1024 pixels
        pipeline 20 4096    20 of 16 MiB */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <rayc.h>

enum { FRAMES_MAX = 1000, SIDE_MAX = 16384 };

/*  SIDE, NUMBER: a frame of that many rows and columns, a byte each. */
RAYC_TASK(make, task)
{
    int64_t side = rayc_arg_int(task, 0), number = rayc_arg_int(task, 1);
    rayc_buffer *frame = rayc_buffer_new((size_t)(side * side));
    if (frame == NULL) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    uint8_t *pixels = rayc_buffer_data(frame);
    for (int64_t i = 0; i < side * side; i++) {
        pixels[i] = (uint8_t)(((i % side) ^ (i / side)) + number);
    }
    return rayc_return_buffer(task, &frame);
}

/*  FRAME: each pixel becomes the mean of it and the three before it. */
RAYC_TASK(blur, task)
{
    size_t size;
    const uint8_t *from =
        rayc_arg_bytes(task, 0, &size); /* where it is: no copy is made on its node */
    rayc_buffer *frame = rayc_buffer_new(size);
    if (frame == NULL) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    uint8_t *to = rayc_buffer_data(frame);
    for (size_t i = 0; i < size; i++) {
        to[i] =
            i < 3 ? from[i] : (uint8_t)((from[i - 3] + from[i - 2] + from[i - 1] + from[i]) / 4);
    }
    return rayc_return_buffer(task, &frame);
}

/*  BEFORE, AFTER: how much was blurred, as the mean difference of a pixel. */
RAYC_TASK(compare, task)
{
    size_t size, same;
    const uint8_t *before = rayc_arg_bytes(task, 0, &size), *after = rayc_arg_bytes(task, 1, &same);
    int64_t sum = 0;
    for (size_t i = 0; i < size && i < same; i++) {
        sum += abs(before[i] - after[i]);
    }
    return rayc_return(task, rayc_float(size > 0 ? (double)sum / (double)size : 0));
}

int main(int argc, char **argv)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    int frames = argc > 1 ? atoi(argv[1]) : 8, side = argc > 2 ? atoi(argv[2]) : 1024;
    if (frames < 1 || frames > FRAMES_MAX || side < 1 || side > SIDE_MAX) {
        fprintf(stderr, "usage: pipeline [FRAMES [SIDE]], at most %d of %d\n", FRAMES_MAX,
                SIDE_MAX);
        return 2;
    }
    rayc_ref differences[FRAMES_MAX];
    rayc_options anywhere = rayc_defaults();
    anywhere.strategy = "SPREAD";
    for (int i = 0; i < frames; i++) {
        rayc_ref frame = rayc_call_with(&anywhere, make, rayc_int(side), rayc_int(i));
        rayc_ref blurred = rayc_call_with(&anywhere, blur, rayc_of(frame));
        differences[i] = rayc_call_with(&anywhere, compare, rayc_of(frame), rayc_of(blurred));
        rayc_drop(&frame); /* it goes when the tasks that need it have ended */
        rayc_drop(&blurred);
    }
    double sum = 0;
    for (int i = 0; i < frames; i++) {
        rayc_value value;
        if (rayc_get(differences[i], RAYC_FOREVER, &value) < 0) {
            fprintf(stderr, "frame %d: %s\n", i, rayc_error()->text);
            return 1;
        }
        sum += value.as.f;
    }
    printf("%d frames, %.3f of difference each\n", frames, sum / frames);
    rayc_shutdown();
    return 0;
}
