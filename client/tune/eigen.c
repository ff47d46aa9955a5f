/*  eigen.c - the cyclic Jacobi method (Golub and Van Loan, Matrix Computations, 8.5): for the tens of dimensions that
    a search has it is fast enough, and it keeps small eigenvalues accurate. */
#include "client/tune/eigen.h"

#include <math.h>

enum { SWEEPS_MAX = 60 };

/*  Rows (stride 1) or columns (stride n) p and q: (a, b) to (c a - s b, s a + c b). */
static void rotate(double *p, double *q, uint32_t n, uint32_t stride, const double turn[static 2])
{
    for (size_t k = 0; k < (size_t)n * stride; k += stride) {
        double a = p[k];
        double b = q[k];
        p[k] = turn[0] * a - turn[1] * b;
        q[k] = turn[1] * a + turn[0] * b;
    }
}

/*  Makes matrix[p][q] 0. */
static void annihilate(double *matrix, uint32_t n, double *vectors, uint32_t p, uint32_t q)
{
    double apq = matrix[(size_t)p * n + q];
    double theta = (matrix[(size_t)q * n + q] - matrix[(size_t)p * n + p]) / (2 * apq);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1));
    double c = 1 / sqrt(t * t + 1);
    const double turn[2] = { c, t * c };
    rotate(matrix + p, matrix + q, n, n, turn);
    rotate(matrix + (size_t)p * n, matrix + (size_t)q * n, n, 1, turn);
    rotate(vectors + p, vectors + q, n, n, turn);
    matrix[(size_t)p * n + q] = matrix[(size_t)q * n + p] = 0;
}

void eigen_symmetric(double *matrix, uint32_t n, double *vectors, double *values)
{
    for (size_t i = 0; i < (size_t)n * n; i++) {
        vectors[i] = i % (n + 1) == 0;
    }
    bool turned = true;
    for (int sweep = 0; sweep < SWEEPS_MAX && turned; sweep++) {
        turned = false;
        for (uint32_t p = 0; p + 1 < n; p++) {
            for (uint32_t q = p + 1; q < n; q++) {
                double size = sqrt(fabs(matrix[(size_t)p * (n + 1)])) *
                              sqrt(fabs(matrix[(size_t)q * (n + 1)]));
                if (fabs(matrix[(size_t)p * n + q]) > 1e-16 * size) {
                    annihilate(matrix, n, vectors, p, q);
                    turned = true;
                }
            }
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        values[i] = matrix[(size_t)i * (n + 1)];
    }
}
