/*  draw.h - quantiles that space.h does not give to everybody. */
#ifndef RAYC_TUNE_DRAW_H
#define RAYC_TUNE_DRAW_H

/*  The value below which Beta(a, b) lies with probability p in [0, 1]; a and b above 0. */
double beta_quantile(double a, double b, double p);
double beta_cdf(double a, double b, double x);
#endif
