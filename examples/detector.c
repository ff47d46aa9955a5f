/*  detector.c - a small detector that stands in for YOLOv8, so that its search runs in seconds and without Python.

        rayc tune --space examples/yolo_search.yaml

    It is not YOLO and its images are not COCO128: each is a bright box on noise, made here.  But the training is real:
    a network of one hidden layer learns by Adam to say where the box is, from the brightness of the image's columns
    and rows, and how well it does depends on all of batch_size, lr0, imgsz and epochs.  After each epoch it reports
    the average precision at an overlap of one half (mAP50; there is one class) on images that it does not learn from,
    and saves a checkpoint, from which it goes on when its process or node dies.  On a cluster that stays, Prometheus
    sees it learn: rayc_training_iterations_total and rayc_map50_score, as in KubeRay's demonstration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rayc.h>

enum { IMAGES = 2000, TEST_IMAGES = 400, SIDE_MAX = 32, HIDDEN = 24, SIDES = 4 };
enum { INPUTS = 2 * SIDE_MAX, WEIGHTS = HIDDEN * (INPUTS + 1) + SIDES * (HIDDEN + 1) };
enum {
    NO_MEMORY = 10,
    NO_CHECKPOINT,
    NO_REPORT,
    NO_METRIC,
    BAD_PARAMETER
}; /* codes of a trial that fails */

struct box {
    double x, y, width,
        height; /* centre and size, in parts of the image, as in YOLO's label files */
};

struct model {
    int epoch;
    int64_t updates;
    double weights[WEIGHTS], mean[WEIGHTS], square[WEIGHTS]; /* the latter two are Adam's */
};

struct training {
    int side; /* of an image, in pixels: imgsz / 8 */
    int batch, epochs;
    double rate;
    rayc_meter *iterations, *score; /* for Prometheus */
    struct model model;
    double gradient[WEIGHTS];
};

struct pass { /* of one image through the network */
    double input[INPUTS], hidden[HIDDEN], output[SIDES];
};

struct detection {
    double confidence;
    int right; /* it overlaps the true box by half or more */
};

/* --- images ----------------------------------------------------------------------------------- */

static double chance(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/*  Image number n: its box, and the mean brightness of its columns and rows. */
static struct box image(const struct training *self, uint64_t n, double *input)
{
    uint64_t state = n * 7919 + 1;
    struct box box;
    box.width = 0.2 + 0.4 * chance(&state);
    box.height = 0.2 + 0.4 * chance(&state);
    box.x = box.width / 2 + (1 - box.width) * chance(&state);
    box.y = box.height / 2 + (1 - box.height) * chance(&state);
    int side = self->side;
    memset(input, 0, sizeof(double) * INPUTS);
    for (int row = 0; row < side; row++) {
        for (int column = 0; column < side; column++) {
            double x = (column + 0.5) / side, y = (row + 0.5) / side;
            int inside = fabs(x - box.x) < box.width / 2 && fabs(y - box.y) < box.height / 2;
            double brightness = inside + 1.5 * (chance(&state) - 0.5);
            input[column] += brightness / side;
            input[side + row] += brightness / side;
        }
    }
    return box;
}

/* --- the network ------------------------------------------------------------------------------ */

static double *hidden_weights(double *weights, int i)
{
    return weights + i * (INPUTS + 1);
}

static double *output_weights(double *weights, int i)
{
    return weights + HIDDEN * (INPUTS + 1) + i * (HIDDEN + 1);
}

static double weighted(const double *weights, const double *values, int n)
{
    double sum = weights[n];
    for (int i = 0; i < n; i++) {
        sum += weights[i] * values[i];
    }
    return sum;
}

static void forward(struct training *self, struct pass *pass)
{
    for (int i = 0; i < HIDDEN; i++) {
        pass->hidden[i] =
            tanh(weighted(hidden_weights(self->model.weights, i), pass->input, INPUTS));
    }
    for (int i = 0; i < SIDES; i++) {
        pass->output[i] = weighted(output_weights(self->model.weights, i), pass->hidden, HIDDEN);
    }
}

/*  Adds the gradient of the squared error of one image. */
static void backward(struct training *self, const struct pass *pass, const double *wanted)
{
    double back[HIDDEN] = { 0 };
    for (int i = 0; i < SIDES; i++) {
        double error = pass->output[i] - wanted[i];
        double *gradient = output_weights(self->gradient, i);
        const double *weights = output_weights(self->model.weights, i);
        for (int j = 0; j < HIDDEN; j++) {
            gradient[j] += error * pass->hidden[j];
            back[j] += error * weights[j];
        }
        gradient[HIDDEN] += error;
    }
    for (int i = 0; i < HIDDEN; i++) {
        double error = back[i] * (1 - pass->hidden[i] * pass->hidden[i]);
        double *gradient = hidden_weights(self->gradient, i);
        for (int j = 0; j < INPUTS; j++) {
            gradient[j] += error * pass->input[j];
        }
        gradient[INPUTS] += error;
    }
}

static void adam(struct training *self)
{
    struct model *model = &self->model;
    model->updates++;
    double early1 = 1 - pow(0.9, (double)model->updates);
    double early2 = 1 - pow(0.999, (double)model->updates);
    for (int i = 0; i < WEIGHTS; i++) {
        double gradient = self->gradient[i] / self->batch;
        model->mean[i] += 0.1 * (gradient - model->mean[i]);
        model->square[i] += 0.001 * (gradient * gradient - model->square[i]);
        model->weights[i] -=
            self->rate * (model->mean[i] / early1) / (sqrt(model->square[i] / early2) + 1e-8);
    }
    memset(self->gradient, 0, sizeof(self->gradient));
}

static void train_epoch(struct training *self)
{
    struct pass pass;
    for (int n = 0; n < IMAGES; n++) {
        struct box box = image(self, (uint64_t)n, pass.input);
        forward(self, &pass);
        backward(self, &pass, (double[]){ box.x, box.y, box.width, box.height });
        if ((n + 1) % self->batch == 0) {
            adam(self);
        }
    }
    self->model.epoch++;
}

static void model_init(struct model *self)
{
    uint64_t state = 1;
    for (int i = 0; i < WEIGHTS; i++) {
        self->weights[i] = 0.4 * (chance(&state) - 0.5);
    }
}

/* --- how good it is --------------------------------------------------------------------------- */

static double overlap(double a, double a_size, double b, double b_size)
{
    double low = fmax(a - a_size / 2, b - b_size / 2);
    double high = fmin(a + a_size / 2, b + b_size / 2);
    return fmax(high - low, 0);
}

/*  Intersection over union. */
static double shared(const struct box *a, const struct box *b)
{
    double both =
        overlap(a->x, a->width, b->x, b->width) * overlap(a->y, a->height, b->y, b->height);
    double all = a->width * a->height + b->width * b->height - both;
    return all > 0 ? both / all : 0;
}

static int surest_first(const void *a, const void *b)
{
    double difference =
        ((const struct detection *)b)->confidence - ((const struct detection *)a)->confidence;
    return (difference > 0) - (difference < 0);
}

/*  Average precision: the mean, over the boxes that were found, of the precision among all detections at least as
    sure; each image has one box. */
static double average_precision(struct detection *detections)
{
    double sum = 0;
    int found = 0;
    qsort(detections, TEST_IMAGES, sizeof(*detections), surest_first);
    for (int i = 0; i < TEST_IMAGES; i++) {
        if (detections[i].right) {
            sum += (double)++found / (i + 1);
        }
    }
    return sum / TEST_IMAGES;
}

static double evaluate(struct training *self)
{
    struct detection detections[TEST_IMAGES];
    struct pass pass;
    for (int n = 0; n < TEST_IMAGES; n++) {
        struct box truth = image(self, (uint64_t)(IMAGES + n), pass.input);
        forward(self, &pass);
        struct box found = { pass.output[0], pass.output[1], fmax(pass.output[2], 0.01),
                             fmax(pass.output[3], 0.01) };
        detections[n] = (struct detection){ found.width * found.height, /* larger boxes are surer */
                                            shared(&truth, &found) >= 0.5 };
    }
    return average_precision(detections);
}

/* --- a trial ---------------------------------------------------------------------------------- */

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

static int meters_open(struct training *self)
{
    static const char *const labels[] = { "trial", NULL };
    self->iterations = rayc_counter_new("training_iterations", "Epochs that were trained.", NULL);
    self->score = rayc_gauge_new("map50_score", "mAP50 after the newest epoch.", labels);
    return self->iterations && self->score ? 0 : -1;
}

static void meters_close(struct training *self)
{
    rayc_meter_free(self->iterations);
    rayc_meter_free(self->score);
}

/*  A metric that nobody takes is no reason to end a training: rayc_report() is what the search goes by. */
static void show(rayc_task *task, const struct training *self, double score)
{
    char trial[16];
    snprintf(trial, sizeof(trial), "%u", rayc_trial(task));
    if (rayc_counter_inc(self->iterations, 1, NULL) < 0 ||
        rayc_gauge_set(self->score, score, (const char *[]){ trial }) < 0) {
        fprintf(stderr, "detector: %s\n", rayc_error()->text);
    }
}

/*  Trains up to the last epoch; returns 0, or what rayc_fail() returned. */
static int train(rayc_task *task, struct training *self)
{
    while (self->model.epoch < self->epochs) {
        train_epoch(self);
        const char *folder = rayc_checkpoint_dir(task);
        if (save(&self->model, folder) < 0) {
            return rayc_fail(task, NO_CHECKPOINT, "the checkpoint cannot be written");
        }
        double score = evaluate(self);
        show(task, self, score);
        rayc_metric metrics[] = { { "epoch", self->model.epoch },
                                  { "mAP50", score },
                                  { "batch_size", self->batch },
                                  { "lr0", self->rate },
                                  { "imgsz", (double)self->side * 8 } };
        int answer = rayc_report(task, metrics, sizeof(metrics) / sizeof(metrics[0]), folder);
        if (answer < 0) {
            return rayc_fail(task, NO_REPORT, "%s", rayc_error()->text);
        }
        if (answer != RAYC_GO_ON) {
            break;
        }
    }
    return 0;
}

RAYC_TASK(detector, task)
{
    struct training *training = calloc(1, sizeof(*training));
    if (!training) {
        return rayc_fail(task, NO_MEMORY, "out of memory");
    }
    training->side = (int)rayc_param(task, "imgsz") / 8;
    training->batch = (int)rayc_param(task, "batch_size");
    training->epochs = (int)rayc_param(task, "epochs");
    training->rate = rayc_param(task, "lr0");
    const char *from = rayc_checkpoint(task);
    int code;
    if (training->side < 1 || training->side > SIDE_MAX || training->batch < 1) {
        code = rayc_fail(task, BAD_PARAMETER, "imgsz must be 8 to %d, batch_size 1 or more",
                         SIDE_MAX * 8);
    } else if (meters_open(training) < 0) {
        code = rayc_fail(task, NO_METRIC, "%s", rayc_error()->text);
    } else if (from && load(&training->model, from) < 0) {
        code = rayc_fail(task, NO_CHECKPOINT, "no model in %s", from);
    } else {
        if (!from) {
            model_init(&training->model);
        }
        code = train(task, training);
    }
    meters_close(training);
    free(training);
    return code;
}

int main(void)
{
    if (rayc_init(NULL) < 0) { /* as the executor of a trial it does not return */
        fprintf(stderr, "detector: %s\n", rayc_error()->text);
        return 125;
    }
    rayc_shutdown();
    puts("detector is a trial of a search: rayc tune --space examples/yolo_search.yaml");
    return 0;
}
