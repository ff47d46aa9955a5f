/*  counts.c - for metrics.sh: a driver whose task counts, and is killed in its first attempt. */
#include <rayc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int say(rayc_task *task, const rayc_meter *images, const rayc_meter *step, uint32_t attempt)
{
    const char *split[] = { "train" };
    if (!images || !step || rayc_counter_inc(images, 4, split) < 0 ||
        rayc_histogram_observe(step, attempt == 1 ? 0.05 : 0.5, NULL) < 0) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    return 0;
}

RAYC_TASK(count, task)
{
    static const char *const labels[] = { "split", NULL };
    static const double bounds[] = { 0.1, 1 };
    rayc_meter *images = rayc_counter_new("c_images", "Images read.", labels);
    rayc_meter *step = rayc_histogram_new("c_step_seconds", "", NULL, bounds, 2);
    int code = say(task, images, step, rayc_attempt(task));
    if (code == 0 && rayc_attempt(task) == 1) {
        kill(getpid(), SIGKILL);
    }
    rayc_meter_free(images);
    rayc_meter_free(step);
    return code;
}

int main(void)
{
    rayc_value value;
    if (rayc_init(NULL) < 0) {
        return 1;
    }
    rayc_ref ref = rayc_call(count, rayc_nil());
    if (rayc_get(ref, RAYC_FOREVER, &value) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 2;
    }
    rayc_meter *gauge = rayc_gauge_new("c_ended", "The driver's own.", NULL);
    if (!gauge || rayc_gauge_set(gauge, 1, NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 3;
    }
    rayc_meter_free(gauge);
    if (rayc_counter_new("pending_tasks", "", NULL)) {
        return 4;
    }
    fprintf(stderr, "%s\n", rayc_error()->text);
    rayc_shutdown();
    return 0;
}
