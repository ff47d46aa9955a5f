/*  holdout.c - functions that nobody looks at while working on a search algorithm: they tell whether one was fitted to
    the public ones.  Results count; whoever improves an algorithm on these needs new ones. */
#include <math.h>
#include "tests/tune/judge/functions.h"

static void numbers(struct arguments *p, uint32_t count, const double *at, double *out)
{
    static const char *const names[] = { "x1", "x2", "x3", "x4", "x5", "x6", "x7" };
    for (uint32_t i = 0; i < count; i++) {
        out[i] = argument_number(p, names[i]) - at[i];
    }
}

static bool is(struct arguments *p, const char *name, const char *text)
{
    return strcmp(argument_text(p, name), text) == 0;
}

double judge_levy4(struct arguments *p, uint32_t step)
{
    static const double at[] = { 2.5, -1.5, 4, -6 };
    (void)step;
    double w[4], sum = 0;
    numbers(p, 4, at, w);
    for (uint32_t i = 0; i < 4; i++) {
        w[i] = 1 + w[i] / 4;
    }
    for (uint32_t i = 0; i < 3; i++) {
        sum += square(w[i] - 1) * (1 + 10 * square(sin(M_PI * w[i] + 1)));
    }
    return square(sin(M_PI * w[0])) + sum + square(w[3] - 1) * (1 + square(sin(2 * M_PI * w[3])));
}

double judge_griewank5(struct arguments *p, uint32_t step)
{
    static const double at[] = { -23, 11, -7, 29, -41 };
    (void)step;
    double z[5], sum = 0, product = 1;
    numbers(p, 5, at, z);
    for (uint32_t i = 0; i < 5; i++) {
        sum += z[i] * z[i] / 4000;
        product *= cos(z[i] / sqrt(i + 1));
    }
    return sum - product + 1;
}

double judge_zakharov7(struct arguments *p, uint32_t step)
{
    static const double at[] = { 1, -2, 3, 0, 2, -1, 4 };
    (void)step;
    double z[7], sum = 0, line = 0;
    numbers(p, 7, at, z);
    for (uint32_t i = 0; i < 7; i++) {
        sum += z[i] * z[i];
        line += .5 * (i + 1) * z[i];
    }
    return sum + square(line) + square(square(line));
}

double judge_sixhump(struct arguments *p, uint32_t step)
{
    (void)step;
    double x = argument_number(p, "x1"), y = argument_number(p, "x2");
    return (4 - 2.1 * x * x + x * x * x * x / 3) * x * x + x * y + (4 * y * y - 4) * y * y;
}

double judge_styblinski5m(struct arguments *p, uint32_t step)
{
    static const char *const names[] = { "a", "b", "k", "m", "q" };
    (void)step;
    double sum = 0;
    for (uint32_t i = 0; i < COUNT(names); i++) {
        double z = argument_number(p, names[i]);
        sum += (z * z * z * z - 16 * z * z + 5 * z) / 2;
    }
    return sum;
}

static double tree_linear(struct arguments *p)
{
    double alpha = log10(argument_number(p, "alpha"));
    if (is(p, "penalty", "l1")) {
        return .18 + .010 * square(alpha + 3);
    }
    if (is(p, "penalty", "l2")) {
        return .19 + .006 * square(alpha + 1);
    }
    return .16 + .012 * square(alpha + 2) + .05 * square(argument_number(p, "mix") - .35);
}

static double tree_boost(struct arguments *p)
{
    double eta = log10(argument_number(p, "eta")), rounds = log10(argument_number(p, "rounds"));
    return .07 + .05 * square(eta + rounds - 1.1) + .008 * square(eta + 1.6) +
           .002 * square(argument_number(p, "depth") - 5) +
           .08 * square(argument_number(p, "sub") - .75);
}

static double tree_net(struct arguments *p)
{
    static const char *const units[] = { "unit1", "unit2", "unit3" };
    double layers = argument_number(p, "layers");
    double value = .09 + .04 * square(log10(argument_number(p, "lr")) + 2.2) +
                   .015 * square(layers - 2) + .1 * square(argument_number(p, "drop") - .2);
    for (uint32_t i = 0; i < COUNT(units) && i < layers; i++) {
        value += .008 * square(log2(argument_number(p, units[i])) - (5 - (double)i));
    }
    return value;
}

/*  Two parameters that always count, one choice that opens three branches, one of which has two levels. */
double judge_tree3(struct arguments *p, uint32_t step)
{
    (void)step;
    double folds = argument_number(p, "folds");
    double shared = .01 * square(log10(argument_number(p, "scale")) - .5) + (folds == 3    ? .012
                                                                             : folds == 10 ? .004
                                                                                           : 0);
    return shared + (is(p, "kind", "linear")  ? tree_linear(p)
                     : is(p, "kind", "boost") ? tree_boost(p)
                                              : tree_net(p));
}

/*  Copies of eight things; what is above the capacity costs more than it brings. */
double judge_knapsack8(struct arguments *p, uint32_t step)
{
    static const char *const names[] = { "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8" };
    static const double weight[] = { 7, 3, 11, 5, 2, 13, 4, 9 };
    static const double worth[] = { 23, 8, 41, 13, 7, 43, 12, 31 };
    (void)step;
    double weights = 0, sum = 0;
    for (uint32_t i = 0; i < COUNT(names); i++) {
        double n = argument_number(p, names[i]);
        weights += weight[i] * n;
        sum += worth[i] * n;
    }
    return sum - 5 * fmax(0, weights - 61);
}

double judge_noisyquad6(struct arguments *p, uint32_t step)
{
    (void)step;
    double a = argument_number(p, "a") - 1.7, b = argument_number(p, "b") + 2.2;
    double lr = log10(argument_number(p, "lr")) + 2.3, reg = log10(argument_number(p, "reg")) + 5;
    double n = (argument_number(p, "n") - 18) / 10, u = log2(argument_number(p, "u") / 96);
    double value = 1 + .2 * a * a + .1 * b * b + .1 * a * b + .5 * lr * lr + .1 * reg * reg +
                   .2 * n * n + .1 * u * u;
    return value + (p->noisy ? .3 * judge_gauss(p->seed, p->trial, 0) : 0);
}

/*  A narrow valley across two logarithmic scales in a plateau. */
double judge_svmridge(struct arguments *p, uint32_t step)
{
    (void)step;
    double c = log10(argument_number(p, "C")), g = log10(argument_number(p, "gamma"));
    return .04 + .46 * (1 - exp(-(.8 * square(c + 1.2 * g + 3) + .03 * square(c - 1.8))));
}
