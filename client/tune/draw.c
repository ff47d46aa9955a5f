/*  draw.c - draws as functions of what they are for, and the quantiles that make distributions of them. */
#include "client/tune/draw.h"

#include <math.h>

#include "client/tune/space.h"
#include "common/prng.h"

/* --- draws ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t state, uint64_t with)
{
    struct prng prng = { state ^ with };
    return prng_next(&prng);
}

double draw_uniform(uint64_t seed, uint64_t trial, uint32_t param, uint32_t n)
{
    uint64_t h = mix(mix(mix(seed, 0), trial), (uint64_t)param << 32 | n);
    return (double)(h >> 11) * 0x1p-53;
}

double draw_normal(uint64_t seed, uint64_t trial, uint32_t param, uint32_t n)
{
    return normal_quantile(draw_uniform(seed, trial, param, n));
}

/* --- the normal distribution ------------------------------------------------------------------ */

static double polynomial(const double coefficients[static 8], double x)
{
    double sum = coefficients[7];
    for (int i = 6; i >= 0; i--) {
        sum = sum * x + coefficients[i];
    }
    return sum;
}

/*  Wichura's algorithm AS 241 (PPND16, Applied Statistics 37, 1988): about 16 digits. */
static double quantile_middle(double q)
{
    static const double a[8] = { 3.3871328727963666080e0,  1.3314166789178437745e+2,
                                 1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                 3.3430575583588128105e+4, 2.5090809287301226727e+3 };
    static const double b[8] = { 1.0,
                                 4.2313330701600911252e+1,
                                 6.8718700749205790830e+2,
                                 5.3941960214247511077e+3,
                                 2.1213794301586595867e+4,
                                 3.9307895800092710610e+4,
                                 2.8729085735721942674e+4,
                                 5.2264952788528545610e+3 };
    double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
}

static double quantile_tail(double r)
{
    static const double c[8] = { 1.42343711074968357734e0,  4.63033784615654529590e0,
                                 5.76949722146069140550e0,  3.64784832476320460504e0,
                                 1.27045825245236838258e0,  2.41780725177450611770e-1,
                                 2.27238449892691845833e-2, 7.74545014278341407640e-4 };
    static const double d[8] = { 1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9 };
    static const double e[8] = { 6.65790464350110377720e0,  5.46378491116411436990e0,
                                 1.78482653991729133580e0,  2.96560571828504891230e-1,
                                 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7 };
    static const double f[8] = { 1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15 };
    return r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                  : polynomial(e, r - 5) / polynomial(f, r - 5);
}

double normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1)) {
        return NAN;
    }
    p = fmin(fmax(p, 0x1p-54), 1 - 0x1p-53); /* the ends of [0, 1) stay finite */
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        return quantile_middle(q);
    }
    double value = quantile_tail(sqrt(-log(q < 0 ? p : 1 - p)));
    return q < 0 ? -value : value;
}

double normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.70710678118654752440);
}

/* --- the beta distribution -------------------------------------------------------------------- */

/*  The continued fraction of the incomplete beta function, by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double factors[2] = { even, odd };
        double step = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + factors[i] * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + factors[i] / c;
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            h *= step;
        }
        if (fabs(step - 1) < 1e-15) {
            break;
        }
    }
    return h;
}

double beta_cdf(double a, double b, double x)
{
    if (x <= 0 || x >= 1) {
        return x <= 0 ? 0 : 1;
    }
    int sign = 0; /* lgamma_r: lgamma would write a global */
    double front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) +
                       a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double beta_quantile(double a, double b, double p)
{
    double low = 0;
    double high = 1;
    for (int i = 0; i < 80 && low < high; i++) {
        double middle = (low + high) / 2;
        if (beta_cdf(a, b, middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}
