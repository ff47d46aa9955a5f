/*  eigen.h - eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations.  Pure. */
#ifndef RAYC_TUNE_EIGEN_H
#define RAYC_TUNE_EIGEN_H
#include "common/base.h"

/*  `matrix` (n * n, by rows) is symmetric and is destroyed.  Eigenvalue i, in no order, has column i of `vectors`. */
void eigen_symmetric(double *matrix, uint32_t n, double *vectors, double *values);
#endif
