/*  rbf.c - the linear system of a radial basis function model. */
#include "client/tune/rbf.h"

#include <math.h>
#include <stdlib.h>

/*  Points that are left out in turn to see how much noise there is: so many is enough and does not take long. */
enum { LEFT_OUT_MAX = 64 };
static const double smoothings[] = { 1e-8, 1e-4, 1e-3, 1e-2, 1e-1, 1 };
static const double pivot_min = 1e-14;

static double cube_of_distance(const double *a, const double *b, uint32_t n)
{
    double square = 0;
    for (uint32_t i = 0; i < n; i++) {
        square += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return square * sqrt(square);
}

/* --- linear equations ------------------------------------------------------------------------- */

/*  Square, by rows, and `width` right sides, by rows. */
struct system {
    uint32_t size, width;
    double *matrix;
    double *right;
};

static void swap_rows(double *rows, uint32_t width, uint32_t a, uint32_t b)
{
    for (uint32_t j = 0; j < width && a != b; j++) {
        double held = rows[(size_t)a * width + j];
        rows[(size_t)a * width + j] = rows[(size_t)b * width + j];
        rows[(size_t)b * width + j] = held;
    }
}

static void subtract_row(double *to, const double *from, double factor, uint32_t begin,
                         uint32_t end)
{
    for (uint32_t j = begin; j < end; j++) {
        to[j] -= factor * from[j];
    }
}

static bool eliminate(struct system *self)
{
    const uint32_t size = self->size;
    for (uint32_t k = 0; k < size; k++) {
        uint32_t pivot = k;
        for (uint32_t i = k + 1; i < size; i++) {
            if (fabs(self->matrix[(size_t)i * size + k]) >
                fabs(self->matrix[(size_t)pivot * size + k])) {
                pivot = i;
            }
        }
        swap_rows(self->matrix, size, k, pivot);
        swap_rows(self->right, self->width, k, pivot);
        const double *row = self->matrix + (size_t)k * size;
        if (!(fabs(row[k]) > pivot_min)) {
            return false;
        }
        for (uint32_t i = k + 1; i < size; i++) {
            double *below = self->matrix + (size_t)i * size;
            double factor = below[k] / row[k];
            if (factor != 0) {
                subtract_row(below, row, factor, k + 1, size);
                subtract_row(self->right + (size_t)i * self->width,
                             self->right + (size_t)k * self->width, factor, 0, self->width);
            }
        }
    }
    return true;
}

/*  The right sides become the solutions; false: singular. */
static bool solve(struct system *self)
{
    if (!eliminate(self)) {
        return false;
    }
    for (uint32_t k = self->size; k-- > 0;) {
        const double *row = self->matrix + (size_t)k * self->size;
        double *right = self->right + (size_t)k * self->width;
        for (uint32_t i = k + 1; i < self->size; i++) {
            subtract_row(right, self->right + (size_t)i * self->width, row[i], 0, self->width);
        }
        for (uint32_t j = 0; j < self->width; j++) {
            right[j] /= row[k];
        }
    }
    return true;
}

/* --- the model -------------------------------------------------------------------------------- */

/*  [A + smoothing I, P; P^T, -tiny I]: rows of points, then those of the linear tail.  `tiny` keeps coordinates that
    are the same everywhere from making it singular. */
static void fill(const struct rbf *self, double smoothing, double *matrix)
{
    const uint32_t count = self->count;
    const uint32_t size = count + self->n + 1;
    memset(matrix, 0, (size_t)size * size * sizeof(double));
    for (uint32_t i = 0; i < count; i++) {
        const double *x = self->points + (size_t)i * self->n;
        double *row = matrix + (size_t)i * size;
        for (uint32_t j = 0; j < i; j++) {
            row[j] = cube_of_distance(x, self->points + (size_t)j * self->n, self->n);
            matrix[(size_t)j * size + i] = row[j];
        }
        row[i] = smoothing;
        for (uint32_t k = 0; k <= self->n; k++) {
            row[count + k] = k < self->n ? x[k] : 1;
            matrix[(size_t)(count + k) * size + i] = row[count + k];
        }
    }
    for (uint32_t k = count; k < size; k++) {
        matrix[(size_t)k * size + k] = -1e-9;
    }
}

/*  The sum of squares of what the model of all other points gets wrong at each: with the inverse M of the matrix, it is
    (M values)_i / M_ii. */
static double error_left_out(const struct rbf *self, const double *values, double smoothing,
                             const struct system *room)
{
    const uint32_t size = room->size;
    fill(self, smoothing, room->matrix);
    for (size_t i = 0; i < (size_t)size * size; i++) {
        room->right[i] = i % (size + 1) == 0;
    }
    if (!solve(&(struct system){ size, size, room->matrix, room->right })) {
        return INFINITY;
    }
    double sum = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const double *row = room->right + (size_t)i * size;
        double weight = 0;
        for (uint32_t j = 0; j < self->count; j++) {
            weight += row[j] * values[j];
        }
        sum += weight / row[i] * (weight / row[i]);
    }
    return sum;
}

static double choose_smoothing(const struct rbf *self, const double *values)
{
    struct rbf some = *self;
    some.count = self->count < LEFT_OUT_MAX ? self->count : LEFT_OUT_MAX;
    if (some.count < self->n + 3) {
        return smoothings[0];
    }
    const uint32_t size = some.count + some.n + 1;
    struct system room = { .size = size };
    room.matrix = calloc((size_t)size * size, sizeof(double));
    room.right = calloc((size_t)size * size, sizeof(double));
    ensure(room.matrix && room.right);
    double best = smoothings[0];
    double best_error = INFINITY;
    for (size_t i = 0; i < COUNT(smoothings); i++) {
        double error = error_left_out(&some, values, smoothings[i], &room);
        if (error < best_error) {
            best_error = error;
            best = smoothings[i];
        }
    }
    free(room.matrix);
    free(room.right);
    return best;
}

bool rbf_fit(struct rbf *self, const double *points, const double *values, uint32_t count,
             uint32_t n)
{
    const uint32_t size = count + n + 1;
    *self = (struct rbf){ .count = count, .n = n, .points = points };
    if (count <= n + 1) {
        return false;
    }
    struct system system = { .size = size, .width = 1 };
    system.right = self->weights = calloc(size, sizeof(double));
    system.matrix = calloc((size_t)size * size, sizeof(double));
    ensure(self->weights && system.matrix);
    fill(self, choose_smoothing(self, values), system.matrix);
    memcpy(self->weights, values, count * sizeof(double));
    bool solved = solve(&system);
    free(system.matrix);
    if (!solved) {
        rbf_fini(self);
    }
    return solved;
}

double rbf_value(const struct rbf *self, const double *x)
{
    double sum = self->weights[self->count + self->n];
    for (uint32_t i = 0; i < self->count; i++) {
        sum += self->weights[i] * cube_of_distance(x, self->points + (size_t)i * self->n, self->n);
    }
    for (uint32_t k = 0; k < self->n; k++) {
        sum += self->weights[self->count + k] * x[k];
    }
    return sum;
}

void rbf_fini(struct rbf *self)
{
    free(self->weights);
    self->weights = NULL;
}
