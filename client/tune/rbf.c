/*  rbf.c - the linear system of a radial basis function model, by Gaussian elimination. */
#include "client/tune/rbf.h"

#include <math.h>
#include <stdlib.h>

static double cube_of_distance(const double *a, const double *b, uint32_t n)
{
    double square = 0;
    for (uint32_t i = 0; i < n; i++) {
        square += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return square * sqrt(square);
}

/*  The system [A + smoothing I, P; P^T, -tiny I]: count rows of points, then n + 1 of the linear tail. */
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

/*  Solves matrix * X = right (width columns), with row pivots; false: singular. */
static bool solve(double *matrix, uint32_t size, double *right, uint32_t width)
{
    for (uint32_t k = 0; k < size; k++) {
        uint32_t pivot = k;
        for (uint32_t i = k + 1; i < size; i++) {
            if (fabs(matrix[(size_t)i * size + k]) > fabs(matrix[(size_t)pivot * size + k])) {
                pivot = i;
            }
        }
        if (!(fabs(matrix[(size_t)pivot * size + k]) > 1e-14)) {
            return false;
        }
        for (uint32_t j = 0; j < size && pivot != k; j++) {
            double t = matrix[(size_t)k * size + j];
            matrix[(size_t)k * size + j] = matrix[(size_t)pivot * size + j];
            matrix[(size_t)pivot * size + j] = t;
        }
        for (uint32_t j = 0; j < width && pivot != k; j++) {
            double t = right[(size_t)k * width + j];
            right[(size_t)k * width + j] = right[(size_t)pivot * width + j];
            right[(size_t)pivot * width + j] = t;
        }
        for (uint32_t i = k + 1; i < size; i++) {
            double factor = matrix[(size_t)i * size + k] / matrix[(size_t)k * size + k];
            if (factor == 0) {
                continue;
            }
            for (uint32_t j = k + 1; j < size; j++) {
                matrix[(size_t)i * size + j] -= factor * matrix[(size_t)k * size + j];
            }
            for (uint32_t j = 0; j < width; j++) {
                right[(size_t)i * width + j] -= factor * right[(size_t)k * width + j];
            }
        }
    }
    for (uint32_t k = size; k-- > 0;) {
        for (uint32_t j = 0; j < width; j++) {
            double sum = right[(size_t)k * width + j];
            for (uint32_t i = k + 1; i < size; i++) {
                sum -= matrix[(size_t)k * size + i] * right[(size_t)i * width + j];
            }
            right[(size_t)k * width + j] = sum / matrix[(size_t)k * size + k];
        }
    }
    return true;
}

bool rbf_fit(struct rbf *self, const double *points, const double *values, uint32_t count, uint32_t n)
{
    const uint32_t size = count + n + 1;
    *self = (struct rbf){ .count = count, .n = n, .points = points };
    self->weights = calloc(size, sizeof(double));
    double *matrix = calloc((size_t)size * size, sizeof(double));
    ensure(self->weights && matrix);
    const char *env = getenv("SMOOTH");
    fill(self, env ? atof(env) : 1e-8, matrix);
    memcpy(self->weights, values, count * sizeof(double));
    bool done = count > n && solve(matrix, size, self->weights, 1);
    free(matrix);
    if (!done) {
        rbf_fini(self);
    }
    return done;
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
