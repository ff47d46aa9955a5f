/*  pbt.c - a toy of training in which the best learning rate falls with the steps, for population based training.

        rayc tune --space examples/pbt.yaml

    Noisy gradient descent on w^2: far from the minimum a large rate is fast; near it the noise of the gradient, which
    a large rate lets through, is all that is left.  A step is 10 updates; 100 steps are a full run.  The state is one
    number, and it is the checkpoint. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <rayc.h>

enum { STEPS = 100, UPDATES = 10, WEIGHTS = 8, EVERY = 5 };

struct model {
    int step;
    double weights[WEIGHTS];
};

/*  Noise in [-1, 1), a function of the step and its update alone: a trial that is resumed sees the same. */
static double noise(uint64_t at)
{
    uint64_t z = at * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}

static void train(struct model *self, double rate)
{
    for (int update = 0; update < UPDATES; update++) {
        for (int i = 0; i < WEIGHTS; i++) {
            uint64_t at = ((uint64_t)self->step * UPDATES + (uint64_t)update) * WEIGHTS;
            double gradient = 2 * self->weights[i] + 4 * noise(at + (uint64_t)i);
            self->weights[i] -= rate * gradient / (i + 1);
        }
    }
    self->step++;
}

static double loss_of(const struct model *self)
{
    double sum = 0;
    for (int i = 0; i < WEIGHTS; i++) {
        sum += self->weights[i] * self->weights[i];
    }
    return sum / WEIGHTS;
}

static FILE *model_file(const char *folder, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/model", folder);
    return fopen(path, mode);
}

static int load(struct model *self, const char *folder)
{
    FILE *file = model_file(folder, "rb");
    size_t n = file ? fread(self, sizeof(*self), 1, file) : 0;
    if (file) {
        fclose(file);
    }
    return n == 1 ? 0 : -1;
}

static int save(const struct model *self, const char *folder)
{
    FILE *file = folder ? model_file(folder, "wb") : NULL;
    size_t n = file ? fwrite(self, sizeof(*self), 1, file) : 0;
    return file && fclose(file) == 0 && n == 1 ? 0 : -1;
}

RAYC_TASK(pbt, task)
{
    struct model model = { 0 };
    for (int i = 0; i < WEIGHTS; i++) {
        model.weights[i] = 100;
    }
    const char *from = rayc_checkpoint(task);
    if (from && load(&model, from) < 0) {
        return rayc_fail(task, 1, "no model in %s", from);
    }
    double rate = rayc_param(task, "lr");
    while (model.step < STEPS) {
        train(&model, rate);
        const char *folder = NULL;
        if (model.step % EVERY == 0) {
            folder = rayc_checkpoint_dir(task);
            if (save(&model, folder) < 0) {
                return rayc_fail(task, 2, "the checkpoint cannot be written");
            }
        }
        rayc_metric metrics[] = { { "step", model.step }, { "loss", loss_of(&model) } };
        int answer = rayc_report(task, metrics, 2, folder);
        if (answer < 0) {
            return rayc_fail(task, 3, "%s", rayc_error()->text);
        }
        if (answer != RAYC_GO_ON) {
            break;
        }
    }
    return 0;
}

int main(void)
{
    if (rayc_init(NULL) < 0) { /* as the executor of a trial it does not return */
        fprintf(stderr, "pbt: %s\n", rayc_error()->text);
        return 125;
    }
    rayc_shutdown();
    puts("pbt is a trial of a search: rayc tune --space examples/pbt.yaml");
    return 0;
}
