/*  functions.c - the public functions: standard ones of the field, and made-up ones of its kinds of spaces. */
#include "tests/tune/judge/functions.h"
#include <math.h>
#include <stdio.h>

#define JUDGED(name, function, set, maximize, noisy, steps, best)                                  \
    double function(struct arguments *arguments, uint32_t step);
#include "tests/tune/judge/functions.def"
#undef JUDGED

static const struct judged functions[] = {
#define JUDGED(name, function, set, maximize, noisy, steps, best)                                  \
    { name, function, set, maximize, noisy, steps, best },
#include "tests/tune/judge/functions.def"
#undef JUDGED
};

const struct judged *judged_find(const char *name)
{
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

const struct judged *judged_at(uint32_t i)
{
    return i < COUNT(functions) ? &functions[i] : NULL;
}

const char *judge_set_name(enum judge_set set)
{
    return set == SET_PUBLIC ? "public" : set == SET_HOLDOUT ? "holdout" : "curve";
}

static const struct argument *argument_find(struct arguments *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->at[i].name, name) == 0) {
            return &self->at[i];
        }
    }
    self->missing = name;
    return NULL;
}

double argument_number(struct arguments *self, const char *name)
{
    const struct argument *found = argument_find(self, name);
    return found ? found->number : NAN;
}

const char *argument_text(struct arguments *self, const char *name)
{
    const struct argument *found = argument_find(self, name);
    return found && found->text ? found->text : "";
}

/*  x1, x2, ... */
static void numbers(struct arguments *p, uint32_t count, double *out)
{
    static const char *const names[] = {
        "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10"
    };
    for (uint32_t i = 0; i < count; i++) {
        out[i] = argument_number(p, names[i]);
    }
}

/*  Which of the names is the argument?  `count` if none; then it is missing. */
static uint32_t choice(struct arguments *p, const char *name, const char *const *names,
                       uint32_t count)
{
    const char *text = argument_text(p, name);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
    }
    p->missing = name;
    return count;
}

static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double judge_gauss(int64_t seed, int64_t trial, int64_t step)
{
    uint64_t h = mix((uint64_t)seed * 1000003u + (uint64_t)trial * 8191u + (uint64_t)step);
    double u1 = (double)(h >> 11) * 0x1p-53, u2 = (double)(mix(h) >> 11) * 0x1p-53;
    return sqrt(-2 * log(1 - u1)) * cos(2 * M_PI * u2);
}

static double noise(const struct arguments *p, uint32_t step)
{
    return p->noisy ? judge_gauss(p->seed, p->trial, step) : 0;
}

double judge_branin(struct arguments *p, uint32_t step)
{
    (void)step;
    double x = argument_number(p, "x1"), y = argument_number(p, "x2");
    return square(y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6) +
           10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

static double hartmann(const double *x, uint32_t dimensions, const double (*a)[6],
                       const double (*at)[6])
{
    static const double weights[] = { 1, 1.2, 3, 3.2 };
    double sum = 0;
    for (uint32_t i = 0; i < COUNT(weights); i++) {
        double distance = 0;
        for (uint32_t k = 0; k < dimensions; k++) {
            distance += a[i][k] * square(x[k] - at[i][k]);
        }
        sum -= weights[i] * exp(-distance);
    }
    return sum;
}

double judge_hartmann6(struct arguments *p, uint32_t step)
{
    static const double a[4][6] = { { 10, 3, 17, 3.5, 1.7, 8 },
                                    { .05, 10, 17, .1, 8, 14 },
                                    { 3, 3.5, 1.7, 10, 17, 8 },
                                    { 17, 8, .05, 10, .1, 14 } };
    static const double at[4][6] = { { .1312, .1696, .5569, .0124, .8283, .5886 },
                                     { .2329, .4135, .8307, .3736, .1004, .9991 },
                                     { .2348, .1451, .3522, .2883, .3047, .6650 },
                                     { .4047, .8828, .8732, .5743, .1091, .0381 } };
    (void)step;
    double x[6];
    numbers(p, 6, x);
    return hartmann(x, 6, a, at);
}

double judge_noisy_hartmann3(struct arguments *p, uint32_t step)
{
    static const double a[4][6] = { { 3, 10, 30 }, { .1, 10, 35 }, { 3, 10, 30 }, { .1, 10, 35 } };
    static const double at[4][6] = { { .3689, .1170, .2673 },
                                     { .4699, .4387, .7470 },
                                     { .1091, .8732, .5547 },
                                     { .0381, .5743, .8828 } };
    (void)step;
    double x[3];
    numbers(p, 3, x);
    return hartmann(x, 3, a, at) + .2 * noise(p, 0);
}

double judge_rosenbrock5(struct arguments *p, uint32_t step)
{
    (void)step;
    double x[5], sum = 0;
    numbers(p, 5, x);
    for (uint32_t i = 0; i < 4; i++) {
        sum += 100 * square(x[i + 1] - x[i] * x[i]) + square(1 - x[i]);
    }
    return sum;
}

/*  The optimum is off the centre, where CMA-ES starts. */
double judge_ackley10(struct arguments *p, uint32_t step)
{
    static const double at[] = { -2.2, 1.2, 3.2, -.6, 1.8, -3, .8, -1.4, 2.5, -3.9 };
    (void)step;
    double x[10], squares = 0, cosines = 0;
    numbers(p, 10, x);
    for (uint32_t i = 0; i < 10; i++) {
        squares += square(x[i] - at[i]);
        cosines += cos(2 * M_PI * (x[i] - at[i]));
    }
    return -20 * exp(-.2 * sqrt(squares / 10)) - exp(cosines / 10) + 20 + exp(1);
}

static double rastrigin(double z)
{
    return z * z - 10 * cos(2 * M_PI * z) + 10;
}

double judge_rastrigin5m(struct arguments *p, uint32_t step)
{
    static const char *const names[] = { "ant", "bee", "cat", "dog", "elk" };
    static const double offset[] = { 6, 0, 11, 3, 17, 0 }, at[] = { -3.1, 1.37, 4.2, .4, -1.9, 0 };
    (void)step;
    uint32_t c = choice(p, "c", names, COUNT(names));
    return rastrigin(argument_number(p, "a") - at[c]) + rastrigin(argument_number(p, "b") + 2.61) +
           rastrigin(argument_number(p, "k") - 2) +
           rastrigin(1.5 * (log10(argument_number(p, "g")) + 2.4)) + offset[c];
}

static double cond3_svm(struct arguments *p)
{
    static const char *const kernels[] = { "linear", "rbf" };
    double c = log10(argument_number(p, "C")) - 1;
    if (choice(p, "kernel", kernels, 2) == 0) {
        return .10 + .02 * c * c + .05;
    }
    double g = log10(argument_number(p, "gamma")) + 1.5;
    return .10 + .02 * c * c + .015 * g * g + .006 * c * g;
}

static double cond3_forest(struct arguments *p)
{
    return .12 + .03 * square(log10(argument_number(p, "trees")) - 2.6) +
           .0006 * square(argument_number(p, "depth") - 17) +
           .1 * square(argument_number(p, "feat") - .45);
}

static double cond3_mlp(struct arguments *p)
{
    static const char *const widths[] = { "width1", "width2", "width3", "width4" };
    double layers = argument_number(p, "layers");
    double value =
        .05 + .04 * square(log10(argument_number(p, "lr")) + 2.7) + .03 * square(layers - 2);
    for (uint32_t i = 0; i < COUNT(widths) && i < layers; i++) {
        value += .01 * square(log2(argument_number(p, widths[i])) - (6 - (double)i));
    }
    return value;
}

/*  The best branch is the one with the worst average. */
double judge_cond3(struct arguments *p, uint32_t step)
{
    static const char *const models[] = { "svm", "forest", "mlp" };
    static double (*const values[])(struct arguments *) = { cond3_svm, cond3_forest, cond3_mlp };
    (void)step;
    uint32_t model = choice(p, "model", models, COUNT(models));
    return model < COUNT(values) ? values[model](p) : NAN;
}

double judge_hpo8(struct arguments *p, uint32_t step)
{
    static const char *const names[] = { "sgd", "adam", "rmsprop" };
    static const double rate[] = { -1, -3, -3.4, 0 }, offset[] = { .3, 0, .6, 0 };
    (void)step;
    uint32_t opt = choice(p, "opt", names, COUNT(names));
    double b = log2(argument_number(p, "batch") / 64), u = log2(argument_number(p, "units"));
    double lr = log10(argument_number(p, "lr")) - rate[opt] - .15 * b;
    double momentum = argument_number(p, "momentum");
    if (opt == 0) {
        lr -= .8 * log10((1 - momentum) / .1);
    }
    double wd = log10(argument_number(p, "wd")) + 4;
    double drop = argument_number(p, "dropout") - (.1 + .3 * (u - 4) / 6);
    double capacity = u + .7 * argument_number(p, "layers") - 11.5;
    double e = offset[opt] + 1.8 * lr * lr + .25 * wd * wd + 6 * drop * drop +
               .35 * capacity * capacity + .05 * fabs(b);
    if (lr > .5) {
        e += 12 * (lr - .5);
    }
    return 4 + 86 * (1 - exp(-e / 86));
}

/*  A space of 81 configurations: most studies of users are that small. */
double judge_yolo81(struct arguments *p, uint32_t step)
{
    (void)step;
    double epochs = argument_number(p, "epochs"), i = log2(argument_number(p, "imgsz") / 64);
    double b = log2(argument_number(p, "batch_size") / 4);
    double l = log10(argument_number(p, "lr0") / .001);
    return (.30 + .12 * i) * (1 - exp(-epochs * (.25 + .35 * l) / (1 + .3 * b))) -
           .10 * l * l * (2 - b) / 2 + .01 * b;
}

/*  Validation error of a made-up CNN after so many steps; curves cross: a high rate is fast early. */
double judge_lc_cnn(struct arguments *p, uint32_t step)
{
    double l = log10(argument_number(p, "lr")), w = log2(argument_number(p, "width")), v = .9;
    double drop = argument_number(p, "drop"), decay = log10(argument_number(p, "decay"));
    if (!(l > -.5)) {
        double end = .08 + .02 * square(l + 2.5) + .004 * square(w - 7) + .2 * square(drop - .3) +
                     .004 * square(decay + 4);
        double speed = fmin(fmax(.55 + .3 * (l + 2.5) - .04 * (w - 7), .1), 1.2);
        v = end + (.9 - end) * pow(1.0 + step, -speed);
    }
    return v + .01 * noise(p, step);
}
