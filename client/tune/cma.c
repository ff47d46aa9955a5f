/*  cma.c - CMA-ES: names and equation numbers are those of Hansen's tutorial (arXiv:1604.00772). */
#include "client/tune/cma.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/eigen.h"

enum {
    TRIES_PER_DIMENSION = 10, /* of a draw that leaves the cube */
    NORMAL_DRAWS =
        0x40000000, /* where the counters of normal draws begin: uniform ones have lower ones */
    TRIES_MAX = 4096
};
static const double sigma_max = 1e3;
static const double value_tolerance = 1e-12; /* a run is done when its values differ by less, */
static const double step_tolerance = 1e-11;  /* or its steps are shorter, in units of the cube, */
static const double condition_max = 1e14; /* or one axis is so much longer than another, squared */

/* --- parameters ------------------------------------------------------------------------------- */

uint32_t cma_population(uint32_t n)
{
    return 4 + (uint32_t)floor(3 * log(n));
}

static double sum_of_squares(const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    return sum;
}

/*  (49) to (53); weights[] holds w' first. */
static void set_weights(struct cma *self, double mu_eff_minus)
{
    const double n = self->n;
    double alpha = 1 + self->c_1 / self->c_mu;
    alpha = fmin(alpha, 1 + 2 * mu_eff_minus / (self->mu_eff + 2));
    alpha = fmin(alpha, (1 - self->c_1 - self->c_mu) / (n * self->c_mu));
    double positive = 0;
    double negative = 0;
    for (uint32_t i = 0; i < self->population; i++) {
        positive += fmax(self->weights[i], 0);
        negative += fmax(-self->weights[i], 0);
    }
    for (uint32_t i = 0; i < self->population; i++) {
        double w = self->weights[i];
        self->weights[i] = w >= 0 ? w / positive : w * alpha / negative;
        self->weights_sum += self->weights[i];
    }
}

static void set_rates(struct cma *self)
{
    const double n = self->n;
    double sums[2] = { 0 };
    for (uint32_t i = 0; i < self->population; i++) {
        self->weights[i] = log((self->population + 1) / 2.0) - log(i + 1.0);
        sums[i >= self->parents] += self->weights[i];
    }
    const uint32_t others = self->population - self->parents;
    self->mu_eff = sums[0] * sums[0] / sum_of_squares(self->weights, self->parents);
    double minus = sums[1] * sums[1] / sum_of_squares(self->weights + self->parents, others);
    const double mu = self->mu_eff;
    self->c_1 = 2 / ((n + 1.3) * (n + 1.3) + mu);
    self->c_mu = fmin(1 - self->c_1 - 1e-8, 2 * (mu - 2 + 1 / mu) / ((n + 2) * (n + 2) + mu));
    self->c_sigma = (mu + 2) / (n + mu + 5);
    self->d_sigma = 1 + 2 * fmax(0, sqrt((mu - 1) / (n + 1)) - 1) + self->c_sigma;
    self->c_c = (4 + mu / n) / (n + 4 + 2 * mu / n);
    self->chi_n = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
    set_weights(self, minus);
}

static void decompose(struct cma *self)
{
    const uint32_t n = self->n;
    bool repaired = false;
    memcpy(self->scratch, self->covariance, (size_t)n * n * sizeof(double));
    eigen_symmetric(self->scratch, n, self->vectors, self->lengths);
    for (uint32_t i = 0; i < n; i++) {
        repaired = repaired || self->lengths[i] < 0;
        self->lengths[i] = sqrt(self->lengths[i] < 0 ? 1e-8 : self->lengths[i]);
    }
    for (size_t at = 0; repaired && at < (size_t)n * n; at++) {
        double sum = 0;
        for (uint32_t k = 0; k < n; k++) {
            sum += self->vectors[at / n * n + k] * self->vectors[at % n * n + k] *
                   self->lengths[k] * self->lengths[k];
        }
        self->covariance[at] = sum;
    }
}

struct cma *cma_new(const struct cma_start *start)
{
    const uint32_t n = start->n;
    ensure(n > 0 && start->sigma > 0);
    struct cma *self = calloc(1, sizeof(*self));
    ensure(self);
    self->n = n;
    self->population = start->population >= 4 ? start->population : cma_population(n);
    self->parents = self->population / 2;
    self->axes = start->axes;
    self->sigma = start->sigma;
    self->extremes_max = 10 + (uint32_t)ceil(30.0 * n / self->population);
    size_t count = self->population + 5 * (size_t)n + 2 * (size_t)n * n + (size_t)n * n + 4 * n +
                   2 * (size_t)self->extremes_max;
    double *at = calloc(count, sizeof(double));
    ensure(at);
    double **const vectors[] = { &self->mean, &self->path_sigma, &self->path_c, &self->lengths,
                                 &self->amplify };
    self->weights = at;
    at += self->population;
    for (size_t i = 0; i < COUNT(vectors); i++, at += n) {
        *vectors[i] = at;
    }
    self->covariance = at;
    self->vectors = at + (size_t)n * n;
    self->scratch = at + 2 * (size_t)n * n;
    self->extremes = self->scratch + (size_t)n * n + 4 * n;
    for (uint32_t i = 0; i < n; i++) {
        self->mean[i] = start->mean ? start->mean[i] : 0.5;
        self->amplify[i] = 1;
    }
    for (size_t i = 0; i < (size_t)n * n; i++) {
        self->covariance[i] = i % (n + 1) == 0;
    }
    set_rates(self);
    decompose(self);
    return self;
}

void cma_destroy(struct cma **self)
{
    if (*self) {
        free((*self)->weights);
        free(*self);
        *self = NULL;
    }
}

/* --- drawing ---------------------------------------------------------------------------------- */

static bool has_cells(const struct cma *self, uint32_t i)
{
    return self->axes[i].kind == AXIS_CELLS;
}

void cma_ask(const struct cma *self, const struct cma_draw *draw, double *x)
{
    const uint32_t n = self->n;
    const uint32_t tries = TRIES_PER_DIMENSION * n;
    double scaled[PARAMS_MAX];
    bool inside = false;
    for (uint32_t try = 0; try <= tries && !inside; try++) {
        uint32_t counter = NORMAL_DRAWS + draw->attempt * TRIES_MAX + try;
        for (uint32_t i = 0; i < n; i++) {
            scaled[i] = self->lengths[i] * draw_normal(draw->seed, draw->trial, i, counter);
        }
        inside = true;
        for (uint32_t i = 0; i < n; i++) {
            double y = 0;
            for (uint32_t k = 0; k < n; k++) {
                y += self->vectors[(size_t)i * n + k] * scaled[k];
            }
            x[i] = self->mean[i] + self->sigma * y;
            inside = inside && (has_cells(self, i) || (x[i] >= 0 && x[i] <= 1));
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        x[i] = has_cells(self, i) ? x[i] : fmin(fmax(x[i], 0), 1);
    }
}

static double unit(double x)
{
    return fmin(fmax(x, 0), 1 - 0x1p-53);
}

double cma_value(const struct cma *self, uint32_t i, double x)
{
    double shown = has_cells(self, i) ? self->mean[i] + self->amplify[i] * (x - self->mean[i]) : x;
    return axis_value(&self->axes[i], unit(shown));
}

/* --- learning --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const struct cma_solution *x = a;
    const struct cma_solution *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/*  out = B^T y / D: the length of y in standard deviations is that of out. */
static void whiten(const struct cma *self, const double *y, double *out)
{
    const uint32_t n = self->n;
    for (uint32_t k = 0; k < n; k++) {
        double sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            sum += self->vectors[(size_t)i * n + k] * y[i];
        }
        out[k] = self->lengths[k] > 0 ? sum / self->lengths[k] : 0;
    }
}

/*  x becomes y = (x - m) / sigma; that of a late one gets no longer than one that was drawn now is. */
static double to_step(const struct cma *self, struct cma_solution *solution, double *white)
{
    const uint32_t n = self->n;
    const double length_max = sqrt(n) + 2.0 * n / (n + 2.0);
    for (uint32_t i = 0; i < n; i++) {
        solution->x[i] = (solution->x[i] - self->mean[i]) / self->sigma;
    }
    whiten(self, solution->x, white);
    double square = sum_of_squares(white, n);
    if (solution->late && square > length_max * length_max) {
        for (uint32_t i = 0; i < n; i++) {
            solution->x[i] *= length_max / sqrt(square);
        }
        square = length_max * length_max;
    }
    return square;
}

/*  (43) to (45): paths and step size; returns whether the step is so long that path_c stalls (h_sigma = 0). */
static bool walk(struct cma *self, const double *step)
{
    const uint32_t n = self->n;
    double *white = self->scratch;
    whiten(self, step, white);
    double gain = sqrt(self->c_sigma * (2 - self->c_sigma) * self->mu_eff);
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t k = 0; k < n; k++) {
            sum += self->vectors[(size_t)i * n + k] * white[k];
        }
        self->path_sigma[i] = (1 - self->c_sigma) * self->path_sigma[i] + gain * sum;
    }
    double length = sqrt(sum_of_squares(self->path_sigma, n));
    self->sigma *= exp(self->c_sigma / self->d_sigma * (length / self->chi_n - 1));
    self->sigma = fmin(self->sigma, sigma_max);
    double age = 1 - pow(1 - self->c_sigma, 2.0 * (self->generation + 1));
    bool stalled = length / sqrt(age) >= (1.4 + 2 / (n + 1.0)) * self->chi_n;
    gain = stalled ? 0 : sqrt(self->c_c * (2 - self->c_c) * self->mu_eff);
    for (uint32_t i = 0; i < n; i++) {
        self->path_c[i] = (1 - self->c_c) * self->path_c[i] + gain * step[i];
    }
    return stalled;
}

/*  (46) and (47); `squares`: of the solutions' lengths in standard deviations. */
static void learn_covariance(struct cma *self, const struct cma_solution *solutions,
                             const double *squares, bool stalled)
{
    const uint32_t n = self->n;
    double keep = 1 - self->c_1 - self->c_mu * self->weights_sum;
    keep += stalled ? self->c_1 * self->c_c * (2 - self->c_c) : 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j <= i; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < self->population; k++) {
                double w = self->weights[k];
                w *= w >= 0 ? 1 : n / (squares[k] + 1e-8);
                sum += w * solutions[k].x[i] * solutions[k].x[j];
            }
            double *c = &self->covariance[(size_t)i * n + j];
            *c = keep * *c + self->c_1 * self->path_c[i] * self->path_c[j] + self->c_mu * sum;
            self->covariance[(size_t)j * n + i] = *c;
        }
    }
}

/* --- margin ----------------------------------------------------------------------------------- */

/*  The square root of the quantile of chi squared with one degree of freedom. */
static double chi_root(double p)
{
    return normal_quantile(0.5 + p / 2);
}

/*  The cells beside that of the mean get at least half of `margin` of the probability each; a cell at the end, whose
    only neighbour is on one side, leaves it all of it. */
static void keep_margin(struct cma *self, uint32_t i, double margin)
{
    const struct axis *axis = &self->axes[i];
    double low = 0;
    double high = 1;
    axis_cell(axis, axis_value(axis, unit(self->mean[i])), &low, &high);
    if (low <= 0 && high >= 1) {
        return; /* a single cell */
    }
    const double deviation = self->sigma * sqrt(self->covariance[(size_t)i * (self->n + 1)]);
    double *mean = &self->mean[i];
    double *amplify = &self->amplify[i];
    if (low <= 0 || high >= 1) {
        double border = low <= 0 ? high : low;
        double beyond = normal_cdf(-fabs(*mean - border) / (*amplify * deviation));
        if (beyond < margin) {
            double distance = *amplify * deviation * chi_root(1 - 2 * margin);
            *mean = low <= 0 ? border - distance : border + distance;
        }
        return;
    }
    double below = fmax(normal_cdf((low - *mean) / (*amplify * deviation)), margin / 2);
    double above = fmax(normal_cdf((*mean - high) / (*amplify * deviation)), margin / 2);
    double middle = 1 - normal_cdf((low - *mean) / (*amplify * deviation)) -
                    normal_cdf((*mean - high) / (*amplify * deviation));
    double excess = (1 - below - above - middle) / (below + middle + above - 3 * margin / 2);
    below = fmin(fmax(below + excess * (below - margin / 2), 1e-10), 0.5 - 1e-10);
    above = fmin(fmax(above + excess * (above - margin / 2), 1e-10), 0.5 - 1e-10);
    double to_low = chi_root(1 - 2 * below);
    double to_high = chi_root(1 - 2 * above);
    *amplify = (high - low) / ((to_low + to_high) * deviation);
    *mean = (low * to_high + high * to_low) / (to_low + to_high);
}

/* --- a generation ----------------------------------------------------------------------------- */

void cma_tell(struct cma *self, struct cma_solution *solutions)
{
    const uint32_t n = self->n;
    double *step = self->scratch + (size_t)n * n;
    double *squares = calloc(self->population, sizeof(double));
    ensure(squares);
    qsort(solutions, self->population, sizeof(*solutions), by_value);
    self->generation++;
    double *extremes = self->extremes + 2 * (size_t)(self->generation % self->extremes_max);
    extremes[0] = solutions[0].value;
    extremes[1] = solutions[self->population - 1].value;
    memset(step, 0, n * sizeof(double));
    for (uint32_t k = 0; k < self->population; k++) {
        squares[k] = to_step(self, &solutions[k], self->scratch);
        for (uint32_t i = 0; i < n && k < self->parents; i++) {
            step[i] += self->weights[k] * solutions[k].x[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        self->mean[i] += self->sigma * step[i];
    }
    bool stalled = walk(self, step);
    learn_covariance(self, solutions, squares, stalled);
    decompose(self);
    for (uint32_t i = 0; i < n; i++) {
        if (has_cells(self, i)) {
            keep_margin(self, i, 1.0 / ((double)n * self->population));
        }
    }
    free(squares);
}

static bool values_are_flat(const struct cma *self)
{
    if (self->generation <= self->extremes_max) {
        return false;
    }
    double low = INFINITY;
    double high = -INFINITY;
    for (uint32_t i = 0; i < 2 * self->extremes_max; i++) {
        low = fmin(low, self->extremes[i]);
        high = fmax(high, self->extremes[i]);
    }
    return high - low < value_tolerance;
}

bool cma_is_done(const struct cma *self)
{
    bool short_steps = true;
    double longest = 0;
    double shortest = INFINITY;
    for (uint32_t i = 0; i < self->n; i++) {
        double deviation = self->sigma * sqrt(self->covariance[(size_t)i * (self->n + 1)]);
        bool cells = has_cells(self, i) && self->amplify[i] * deviation > step_tolerance;
        short_steps = short_steps && !cells && deviation < step_tolerance &&
                      self->sigma * fabs(self->path_c[i]) < step_tolerance;
        longest = fmax(longest, self->lengths[i]);
        shortest = fmin(shortest, self->lengths[i]);
    }
    return short_steps || values_are_flat(self) || !(self->sigma * longest < 1e4) ||
           longest * longest > condition_max * shortest * shortest;
}
