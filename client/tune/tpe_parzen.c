/*  tpe_parzen.c - Parzen estimators as Optuna 5 builds them: bandwidths from neighbours, the "magic clip", the prior as
    one more kernel, weights that fade with age. */
#include "client/tune/tpe_parzen.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/tpe_math.h"

enum { WEIGHT_FLAT = 25, ALIGN = 64 };

struct column {
    enum axis_kind kind;
    double *mean;     /* by kernel; of a choice the preferred option, -1: none */
    double *sigma;    /* NAN: not known yet */
    double *scale;    /* 1 / (sigma sqrt 2) */
    double *log_norm; /* of the kernel along this axis */
    uint32_t *order;  /* kernels but the prior, by mean, then by trial */
    uint8_t *dirty;   /* by place in the order: a neighbour changed */
    /*  AXIS_CELLS: the first of the kernels that are the same along this axis, as an entry of */
    uint32_t *twin;
    uint32_t *firsts; /* these */
    uint32_t first_count;
    bool twins_known;
};

/* --- memory ----------------------------------------------------------------------------------- */

static void *take(size_t count, size_t size)
{
    size_t bytes = (count * size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *p = aligned_alloc(ALIGN, bytes ? bytes : ALIGN);
    ensure(p);
    memset(p, 0, bytes);
    return p;
}

static void *grown(void *from, size_t used, size_t count, size_t size)
{
    void *p = take(count, size);
    if (from) {
        memcpy(p, from, used * size);
        free(from);
    }
    return p;
}

void tpe_points_init(struct tpe_points *self, uint32_t axis_count)
{
    *self = (struct tpe_points){ 0 };
    self->at = take((size_t)axis_count * 3, sizeof(*self->at));
    self->low = self->at + axis_count;
    self->high = self->low + axis_count;
}

void tpe_points_fini(struct tpe_points *self)
{
    free(self->at);
    *self = (struct tpe_points){ 0 };
}

static uint32_t padded(uint32_t n)
{
    return (n + TPE_LANES - 1) / TPE_LANES * TPE_LANES;
}

static void reserve(struct parzen *self, uint32_t capacity)
{
    const uint32_t used = self->count;
    self->trials = grown(self->trials, used, capacity, sizeof(*self->trials));
    self->weights = grown(self->weights, used, capacity, sizeof(double));
    self->norms = grown(self->norms, used, capacity, sizeof(double));
    self->stale = grown(self->stale, used, capacity, sizeof(*self->stale));
    for (uint32_t d = 0; d < self->axis_count; d++) {
        struct column *column = &self->columns[d];
        column->mean = grown(column->mean, used, capacity, sizeof(double));
        column->sigma = grown(column->sigma, used, capacity, sizeof(double));
        column->scale = grown(column->scale, used, capacity, sizeof(double));
        column->log_norm = grown(column->log_norm, used, capacity, sizeof(double));
        column->order = grown(column->order, used, capacity, sizeof(*column->order));
        column->dirty = grown(column->dirty, used, capacity, sizeof(*column->dirty));
        column->twin = grown(column->twin, used, capacity, sizeof(*column->twin));
        column->firsts = grown(column->firsts, used, capacity, sizeof(*column->firsts));
    }
    free(self->exponents);
    free(self->row);
    self->exponents = take((size_t)capacity * TPE_BLOCK, sizeof(double));
    self->row = take((size_t)capacity * 3, sizeof(double));
    self->capacity = capacity;
}

void parzen_init(struct parzen *self, const struct axis *axes, uint32_t axis_count)
{
    *self = (struct parzen){ .axes = axes, .axis_count = axis_count };
    self->columns = take(axis_count, sizeof(*self->columns));
    self->rows = take((size_t)axis_count * 3, sizeof(*self->rows));
    reserve(self, 32);
    self->count = 1;
    self->trials[0] = NONE;
    self->stale[0] = true;
    for (uint32_t d = 0; d < axis_count; d++) {
        struct column *column = &self->columns[d];
        column->kind = axes[d].kind;
        column->mean[0] = column->kind == AXIS_CHOICE ? -1 : 0.5;
        column->sigma[0] = NAN;
    }
}

void parzen_fini(struct parzen *self)
{
    for (uint32_t d = 0; d < self->axis_count; d++) {
        struct column *column = &self->columns[d];
        void *const parts[] = { column->mean,  column->sigma, column->scale, column->log_norm,
                                column->order, column->dirty, column->twin,  column->firsts };
        for (uint32_t i = 0; i < COUNT(parts); i++) {
            free(parts[i]);
        }
    }
    void *const parts[] = { self->columns, (void *)self->rows, self->trials,    self->weights,
                            self->norms,   self->stale,        self->exponents, self->row };
    for (uint32_t i = 0; i < COUNT(parts); i++) {
        free(parts[i]);
    }
    *self = (struct parzen){ 0 };
}

/* --- observations ----------------------------------------------------------------------------- */

/*  The kernel of a trial, or where it would stand. */
static uint32_t place_of(const struct parzen *self, uint32_t trial)
{
    uint32_t low = 1;
    uint32_t high = self->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (self->trials[middle] < trial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*  Where a kernel with this mean stands, or would stand, in the order of `n`. */
static uint32_t rank_of(const struct column *self, uint32_t n, double mean, uint32_t kernel)
{
    uint32_t low = 0;
    uint32_t high = n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        uint32_t other = self->order[middle];
        if (self->mean[other] < mean || (self->mean[other] == mean && other < kernel)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*  Moves the tail of an array of `n` by one place: up to make room at `at`, or down over it. */
#define OPEN(array, at, n)                                                                         \
    memmove((array) + (at) + 1, (array) + (at), ((n) - (at)) * sizeof(*(array)))
#define CLOSE(array, at, n)                                                                        \
    memmove((array) + (at), (array) + (at) + 1, ((n) - (at)-1) * sizeof(*(array)))

static void column_add(struct column *self, uint32_t count, uint32_t kernel, double at)
{
    if (kernel < count) {
        OPEN(self->mean, kernel, count);
        OPEN(self->sigma, kernel, count);
        OPEN(self->scale, kernel, count);
        OPEN(self->log_norm, kernel, count);
        for (uint32_t i = 0; i + 1 < count; i++) {
            self->order[i] += self->order[i] >= kernel;
        }
    }
    self->mean[kernel] = at;
    self->sigma[kernel] = NAN;
    self->scale[kernel] = 0;
    self->log_norm[kernel] = 0;
    self->twins_known = false;
    uint32_t n = count - 1; /* without the prior */
    uint32_t rank = rank_of(self, n, at, kernel);
    OPEN(self->order, rank, n);
    OPEN(self->dirty, rank, n);
    self->order[rank] = kernel;
    self->dirty[rank] = true;
    if (rank > 0) {
        self->dirty[rank - 1] = true;
    }
    if (rank < n) {
        self->dirty[rank + 1] = true;
    }
}

static void column_remove(struct column *self, uint32_t count, uint32_t kernel)
{
    uint32_t n = count - 1;
    uint32_t rank = rank_of(self, n, self->mean[kernel], kernel);
    ensure(rank < n && self->order[rank] == kernel);
    CLOSE(self->order, rank, n);
    CLOSE(self->dirty, rank, n);
    if (rank > 0) {
        self->dirty[rank - 1] = true;
    }
    if (rank < n - 1) {
        self->dirty[rank] = true;
    }
    if (kernel + 1 < count) {
        CLOSE(self->mean, kernel, count);
        CLOSE(self->sigma, kernel, count);
        CLOSE(self->scale, kernel, count);
        CLOSE(self->log_norm, kernel, count);
        for (uint32_t i = 0; i + 1 < n; i++) {
            self->order[i] -= self->order[i] > kernel;
        }
        if (n > 1) {
            self->order[n - 1] = 0;
        }
    }
    self->twins_known = false;
}

void parzen_add(struct parzen *self, uint32_t trial, const double *at)
{
    if (self->count == self->capacity) {
        reserve(self, self->capacity * 2);
    }
    uint32_t kernel = place_of(self, trial);
    ensure(kernel == self->count || self->trials[kernel] != trial);
    OPEN(self->trials, kernel, self->count);
    OPEN(self->norms, kernel, self->count);
    OPEN(self->stale, kernel, self->count);
    self->trials[kernel] = trial;
    self->stale[kernel] = true;
    for (uint32_t d = 0; d < self->axis_count; d++) {
        column_add(&self->columns[d], self->count, kernel, at[d]);
    }
    self->count++;
}

void parzen_remove(struct parzen *self, uint32_t trial)
{
    uint32_t kernel = place_of(self, trial);
    ensure(kernel < self->count && self->trials[kernel] == trial);
    for (uint32_t d = 0; d < self->axis_count; d++) {
        column_remove(&self->columns[d], self->count, kernel);
    }
    CLOSE(self->trials, kernel, self->count);
    CLOSE(self->norms, kernel, self->count);
    CLOSE(self->stale, kernel, self->count);
    self->count--;
}

/* --- bandwidths ------------------------------------------------------------------------------- */

/*  The larger of the gaps to both neighbours; the bounds are neighbours only of a point that has one or none else. */
static double gap(const struct column *self, uint32_t n, uint32_t rank)
{
    const double *mean = self->mean;
    const uint32_t *order = self->order;
    double at = mean[order[rank]];
    double left = rank > 0 ? at - mean[order[rank - 1]] : at;
    double right = rank + 1 < n ? mean[order[rank + 1]] - at : 1 - at;
    if (n >= 2 && rank == 0) {
        return right;
    }
    if (n >= 2 && rank + 1 == n) {
        return left;
    }
    return fmax(left, right);
}

static void column_norms(struct column *self, const uint32_t *kernels, uint32_t n)
{
    _Alignas(ALIGN) double a[TPE_BLOCK] = { 0 };
    _Alignas(ALIGN) double b[TPE_BLOCK] = { 0 };
    _Alignas(ALIGN) double mass[TPE_BLOCK];
    for (uint32_t i = 0; i < padded(n); i++) {
        uint32_t k = kernels[i < n ? i : 0];
        a[i] = -self->mean[k] / self->sigma[k];
        b[i] = (1 - self->mean[k]) / self->sigma[k];
    }
    tpe_log_mass(padded(n), a, b, mass);
    const double half_log_2pi = 0.91893853320467274178;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = kernels[i];
        self->scale[k] = 0.70710678118654752440 / self->sigma[k];
        self->log_norm[k] = -mass[i];
        if (self->kind == AXIS_NUMBER) {
            self->log_norm[k] -= log(self->sigma[k]) + half_log_2pi;
        }
    }
}

static void column_refresh(struct parzen *self, struct column *column)
{
    uint32_t changed[TPE_BLOCK];
    uint32_t count = 0;
    const uint32_t n = self->count - 1;
    if (isnan(column->sigma[0])) {
        column->sigma[0] = 1;
        changed[count++] = 0;
    }
    for (uint32_t rank = 0; rank < n; rank++) {
        const uint8_t *next = memchr(column->dirty + rank, true, n - rank);
        if (!next) {
            break;
        }
        rank = (uint32_t)(next - column->dirty);
        column->dirty[rank] = false;
        uint32_t kernel = column->order[rank];
        double sigma = fmin(fmax(gap(column, n, rank), self->sigma_min), 1);
        if (sigma != column->sigma[kernel]) {
            column->sigma[kernel] = sigma;
            column->twins_known = false;
            self->stale[kernel] = true;
            changed[count++] = kernel;
            if (count == TPE_BLOCK) {
                column_norms(column, changed, count);
                count = 0;
            }
        }
    }
    if (count > 0) {
        column_norms(column, changed, count);
    }
}

/*  Kernels with the same mean and sigma are neighbours in the order. */
static void column_twins(struct column *self, uint32_t count)
{
    self->firsts[0] = 0;
    self->twin[0] = 0;
    self->first_count = 1;
    for (uint32_t rank = 0; rank + 1 < count; rank++) {
        uint32_t kernel = self->order[rank];
        uint32_t last = self->firsts[self->first_count - 1];
        if (self->mean[kernel] != self->mean[last] || self->sigma[kernel] != self->sigma[last]) {
            self->firsts[self->first_count++] = kernel;
        }
        self->twin[kernel] = self->first_count - 1;
    }
    self->twins_known = true;
}

/*  1 each below 25 observations; then the oldest weigh least. */
static void weigh(struct parzen *self)
{
    const uint32_t n = self->count - 1;
    const uint32_t ramp = n > WEIGHT_FLAT ? n - WEIGHT_FLAT : 0;
    const double first = ramp > 0 ? 1.0 / n : 1;
    const double step = ramp > 1 ? (1 - first) / (ramp - 1) : 0;
    for (uint32_t i = 0; i < ramp; i++) {
        self->weights[1 + i] = first + i * step;
    }
    for (uint32_t i = ramp; i < n; i++) {
        self->weights[1 + i] = 1;
    }
    self->weights[0] = 1;
    double sum = 0;
    for (uint32_t k = 0; k < self->count; k++) {
        sum += self->weights[k];
    }
    self->weight_sum = sum;
}

void parzen_refresh(struct parzen *self)
{
    const uint32_t n = self->count - 1;
    const double sigma_min = 1 / fmin(100, n + 2.0);
    const bool all = sigma_min != self->sigma_min;
    self->sigma_min = sigma_min;
    for (uint32_t d = 0; d < self->axis_count; d++) {
        struct column *column = &self->columns[d];
        if (column->kind == AXIS_CHOICE) {
            continue;
        }
        if (all) {
            memset(column->dirty, true, n);
        }
        column_refresh(self, column);
        if (column->kind == AXIS_CELLS && !column->twins_known) {
            column_twins(column, self->count);
        }
    }
    weigh(self);
    for (uint32_t k = 0; k < self->count; k++) {
        if (self->stale[k]) {
            self->stale[k] = false;
            self->norms[k] = 0;
            for (uint32_t d = 0; d < self->axis_count; d++) {
                self->norms[k] += self->columns[d].log_norm[k];
            }
        }
    }
    for (uint32_t k = self->count; k < padded(self->count); k++) {
        self->weights[k] = 0;
        self->norms[k] = -INFINITY;
    }
}

/* --- draws ------------------------------------------------------------------------------------ */

uint32_t parzen_kernel(const struct parzen *self, double u)
{
    double left = u * self->weight_sum;
    for (uint32_t k = 0; k + 1 < self->count; k++) {
        left -= self->weights[k];
        if (left < 0) {
            return k;
        }
    }
    return self->count - 1;
}

/*  What an option weighs in a kernel that prefers another, and what the preferred one has more; both over *total. */
static double option_share(const struct parzen *self, uint32_t axis, uint32_t option, double *total)
{
    double options = self->axes[axis].param->option_count;
    *total = 1 + options / self->count;
    return options * axis_prior(&self->axes[axis], option) / self->count;
}

static double choice_quantile(const struct parzen *self, uint32_t kernel, uint32_t axis, double u)
{
    const uint32_t options = self->axes[axis].param->option_count;
    double prefers = self->columns[axis].mean[kernel];
    double sum = 0;
    for (uint32_t option = 0; option + 1 < options; option++) {
        if (prefers < 0) {
            sum += axis_prior(&self->axes[axis], option);
        } else {
            double total = 1;
            double share = option_share(self, axis, option, &total);
            sum += (share + (option == prefers ? 1 : 0)) / total;
        }
        if (u < sum) {
            return option;
        }
    }
    return options - 1;
}

/*  Phi(z), where it is seen beside 1. */
static double tail(double z)
{
    return z < -8.3 ? 0 : normal_cdf(z);
}

double parzen_quantile(const struct parzen *self, uint32_t kernel, uint32_t axis, double u)
{
    const struct column *column = &self->columns[axis];
    if (column->kind == AXIS_CHOICE) {
        return choice_quantile(self, kernel, axis, u);
    }
    double mean = column->mean[kernel];
    double sigma = column->sigma[kernel];
    double below = tail(-mean / sigma); /* the mean is inside: both are at most a half */
    double above = tail((mean - 1) / sigma);
    double mass = 1 - below - above;
    double p = below + u * mass;
    double z = p <= 0.5 ? normal_quantile(p) : -normal_quantile(above + (1 - u) * mass);
    return fmin(fmax(mean + sigma * z, 0), 1);
}

/* --- densities -------------------------------------------------------------------------------- */

/*  Numbers and choices of four points at once.  constants[i]: of point i, what is the same for all kernels. */
static void tile_exponents(struct parzen *self, const struct tpe_points *points, uint32_t first,
                           double *constants)
{
    double numbers[PARAMS_MAX * TPE_TILE];
    double options[PARAMS_MAX * TPE_TILE];
    double gains[PARAMS_MAX * TPE_TILE];
    double prior[TPE_TILE] = { 0 }; /* its kernel prefers nothing */
    struct tpe_columns columns = { .n = padded(self->count), .norm = self->norms };
    const double **means = self->rows;
    const double **scales = means + self->axis_count;
    const double **preferred = scales + self->axis_count;
    for (uint32_t d = 0; d < self->axis_count; d++) {
        const struct column *column = &self->columns[d];
        for (uint32_t i = 0; i < TPE_TILE; i++) {
            double at = points->at[d][first + i < points->count ? first + i : first];
            if (column->kind == AXIS_NUMBER) {
                numbers[columns.number_count * TPE_TILE + i] = at;
            } else if (column->kind == AXIS_CHOICE) {
                double total = 1;
                double share = option_share(self, d, (uint32_t)at, &total);
                double miss = log(share / total);
                options[columns.choice_count * TPE_TILE + i] = at;
                gains[columns.choice_count * TPE_TILE + i] = log((share + 1) / total) - miss;
                constants[i] += miss;
                prior[i] += log(axis_prior(&self->axes[d], (uint32_t)at)) - miss;
            }
        }
        if (column->kind == AXIS_NUMBER) {
            means[columns.number_count] = column->mean;
            scales[columns.number_count++] = column->scale;
        } else if (column->kind == AXIS_CHOICE) {
            preferred[columns.choice_count++] = column->mean;
        }
    }
    columns.means = means;
    columns.scales = scales;
    columns.options = preferred;
    double *out = self->exponents + (size_t)first * columns.n;
    struct tpe_tile tile = { numbers, options, gains, out, columns.n };
    tpe_log_kernels(&columns, &tile);
    for (uint32_t i = 0; i < TPE_TILE; i++) {
        out[(size_t)i * columns.n] += prior[i];
    }
}

/*  Adds the mass that each kernel has in each point's cell. */
static void add_cells(struct parzen *self, uint32_t axis, const struct tpe_points *points)
{
    const struct column *column = &self->columns[axis];
    const uint32_t n = padded(self->count);
    const uint32_t firsts = padded(column->first_count);
    const double *low = points->low[axis];
    const double *high = points->high[axis];
    double *a = self->row;
    double *b = a + self->capacity;
    double *mass = b + self->capacity;
    uint64_t done = 0;
    for (uint32_t i = 0; i < points->count; i++) {
        if (done >> i & 1) {
            continue;
        }
        for (uint32_t f = 0; f < firsts; f++) {
            uint32_t k = column->firsts[f < column->first_count ? f : 0];
            a[f] = (low[i] - column->mean[k]) / column->sigma[k];
            b[f] = (high[i] - column->mean[k]) / column->sigma[k];
        }
        tpe_log_mass(firsts, a, b, mass);
        for (uint32_t k = 0; k < n; k++) {
            a[k] = mass[k < self->count ? column->twin[k] : 0];
        }
        for (uint32_t j = i; j < points->count; j++) {
            if (low[j] == low[i] && high[j] == high[i]) {
                done |= (uint64_t)1 << j;
                tpe_add(n, self->exponents + (size_t)j * n, a);
            }
        }
    }
}

void parzen_log_density(struct parzen *self, const struct tpe_points *points, double *out)
{
    const uint32_t n = padded(self->count);
    double constants[TPE_BLOCK] = { 0 };
    for (uint32_t first = 0; first < points->count; first += TPE_TILE) {
        tile_exponents(self, points, first, constants + first);
    }
    for (uint32_t d = 0; d < self->axis_count; d++) {
        if (self->columns[d].kind == AXIS_CELLS) {
            add_cells(self, d, points);
        }
    }
    const double total = log(self->weight_sum);
    for (uint32_t i = 0; i < points->count; i++) {
        out[i] =
            tpe_log_sum(n, self->exponents + (size_t)i * n, self->weights) - total + constants[i];
    }
}
