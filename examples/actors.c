/*  actors.c - a parameter server and workers: each worker works out a gradient on its own part of the data, and tells the
    server, which has the parameters and applies what comes.  The data lie on y = 3 x + 1; the server learns both.

    The server saves its parameters with every step.  Kill its process while this runs: it goes on from there. */
#include <rayc.h>
#include <stdio.h>

enum { WORKERS = 4, ROUNDS = 200 };

struct params {
    double slope, offset;
    int64_t steps;
};

static rayc_arg pack(const struct params *self)
{
    return rayc_bytes(self, sizeof(*self));
}

static void unpack(const rayc_value *value, struct params *out)
{
    if (value != NULL && value->kind == RAYC_BYTES && value->as.raw.size == sizeof(*out)) {
        *out = *(const struct params *)value->as.raw.data;
    }
}

RAYC_ACTOR(params, call, self)
{
    unpack(rayc_actor_saved(call), self);
    return 0;
}

RAYC_METHOD(params, apply, call, self)
{
    self->slope -= rayc_arg_float(call, 0);
    self->offset -= rayc_arg_float(call, 1);
    self->steps++;
    rayc_actor_save(call, pack(self));
    return rayc_return(call, pack(self));
}

struct worker {
    double from; /* its part of the data: x from..from + 1 */
};

RAYC_ACTOR(worker, call, self)
{
    self->from = rayc_arg_float(call, 0);
    return 0;
}

/*  The gradient of the mean squared error at these parameters, times the step size. */
RAYC_METHOD(worker, gradient, call, self)
{
    enum { POINTS = 16 };
    struct params at = { 0 };
    unpack(rayc_arg_at(call, 0), &at);
    double gradient[2] = { 0, 0 };
    for (int i = 0; i < POINTS; i++) {
        double x = self->from + (double)i / POINTS;
        double error = at.slope * x + at.offset - (3 * x + 1);
        gradient[0] += 0.1 * error * x / POINTS;
        gradient[1] += 0.1 * error / POINTS;
    }
    return rayc_return(call, rayc_bytes(gradient, sizeof(gradient)));
}

/*  One round: all workers at once, then their gradients, one after the other.  Below zero: rayc_error(). */
static int learn(rayc_actor server, const rayc_actor *workers, struct params *at)
{
    rayc_ref found[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        found[i] = rayc_tell(workers[i], worker_gradient, pack(at));
    }
    for (int i = 0; i < WORKERS; i++) {
        rayc_value value;
        int rc = rayc_get(found[i], RAYC_FOREVER, &value);
        if (rc < 0) {
            return rc;
        }
        const double *gradient = value.as.raw.data;
        rayc_ref step =
            rayc_tell(server, params_apply, rayc_float(gradient[0]), rayc_float(gradient[1]));
        rayc_drop(&found[i]);
        rc = rayc_get(step, RAYC_FOREVER, &value);
        if (rc < 0) {
            return rc;
        }
        unpack(&value, at);
        rayc_drop(&step);
    }
    return 0;
}

int main(void)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    rayc_actor_options durable = rayc_actor_defaults();
    durable.max_restarts = durable.max_task_retries = -1;
    rayc_actor server = rayc_actor_new(&params, &durable, NULL, 0);
    rayc_actor workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = rayc_new_with(&durable, worker, rayc_float(i - 2));
    }
    struct params at = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        if (learn(server, workers, &at) < 0) {
            fprintf(stderr, "%s\n", rayc_error()->text);
            return 1;
        }
    }
    printf("y = %.2f x + %.2f after %lld steps\n", at.slope, at.offset, (long long)at.steps);
    for (int i = 0; i < WORKERS; i++) {
        rayc_actor_drop(&workers[i]);
    }
    rayc_actor_drop(&server);
    rayc_shutdown();
    return 0;
}
