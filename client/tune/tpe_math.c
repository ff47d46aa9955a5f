/*  tpe_math.c - the arithmetic of TPE over many kernels at once, in vectors of four doubles. */
#include "client/tune/tpe_math.h"

#include <math.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc: -std=c11 says so */
#endif
/*  A resolver of clones runs before a sanitizer is ready; clang 14 gives it another name. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) &&                            \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

typedef double v4 __attribute__((vector_size(32)));
typedef int64_t v4i __attribute__((vector_size(32)));
typedef uint64_t v4u __attribute__((vector_size(32)));

#define PICK(mask, yes, no) ((v4)(((v4i)(yes) & (mask)) | ((v4i)(no) & ~(mask))))
#define ROUND               0x1.8p52 /* added to a small number, it leaves the nearest integer in the low bits */

/*  exp(x) of x up to 700, and what is below -700 counts as -700.  The error is below 2 units of the last place.  The
    polynomial (of degree 11, near the best) goes by halves: few of its steps wait for another. */
INLINE void exp4(v4 *x)
{
    const v4 t = PICK((v4i)(*x > -700), *x, (v4){ 0 } - 700);
    v4 n = t * 0x1.71547652b82fep+0 + ROUND;
    const v4i power = (v4i)n << 52;
    n -= ROUND;
    const v4 r = (t - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    const v4 r2 = r * r;
    const v4 r4 = r2 * r2;
    const v4 p0 = (1 + r) + r2 * (0x1.0000000000011p-1 + r * 0x1.555555555555ap-3);
    const v4 p4 = (0x1.555555554f0bap-5 + r * 0x1.111111110f21ep-7) +
                  r2 * (0x1.6c16c1880029fp-10 + r * 0x1.a01a01b1461c5p-13);
    const v4 p8 = (0x1.a01991a10d9aep-16 + r * 0x1.71ddf56d8deb5p-19) +
                  r2 * (0x1.28b4101c77212p-22 + r * 0x1.af632a0f7e2cep-26);
    const v4 p = p0 + r4 * (p4 + r4 * p8);
    *x = (v4)((v4i)p + power);
}

/*  log(x) of normal x > 0. */
INLINE void log4(v4 *x)
{
    const int64_t root = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
    v4u shifted = (v4u)((v4i)*x - root) + ((uint64_t)1023 << 52);
    v4u power = shifted >> 52;
    v4 n = (v4)(power | (uint64_t)0x4330000000000000) - (0x1p52 + 1023);
    v4 f = (v4)((v4i)*x - ((v4i)(power - 1023) << 52)); /* sqrt(1/2) .. sqrt(2) */
    v4 s = (f - 1) / (f + 1);
    v4 z = s * s;
    v4 z2 = z * z;
    v4 p = z2 * (1.0 / 19) + 1.0 / 15; /* sum of z^k / (2k + 3), even and odd k apart */
    v4 q = z2 * (1.0 / 21) + 1.0 / 17;
    for (int i = 11; i >= 3; i -= 4) {
        p = p * z2 + 1.0 / i;
        q = q * z2 + 1.0 / (i + 2);
    }
    p += z * q;
    *x = n * 0x1.62e42fee00000p-1 + (2 * s + (2 * s * z * p + n * 0x1.a39ef35793c76p-33));
}

/*  exp(x^2) erfc(x) of x >= 0: (1 + 2x) times it is a polynomial of (x - 3) / (x + 3). */
INLINE void erfcx4(v4 *x)
{
    static const double c[24] = {
        1.2530080582697296,     -0.13562110612457573,    -0.04756229435344576,
        0.129645158702281,      -0.11927366341575335,    0.06830802735644051,
        -0.02377051490712486,   0.0025293916666211625,   0.0018886902217603342,
        -0.000779831276440303,  -0.000105158888745708,   0.00012509529969692863,
        4.945791788878783e-06,  -2.0089974601937562e-05, -7.218910913909693e-07,
        3.4542640815449015e-06, 3.4040811203344006e-07,  -5.963735757072212e-07,
        -1.232972365581405e-07, 8.764763429942915e-08,   2.900096033455807e-08,
        -7.639805706660184e-09, -3.3911975149641994e-09, 0
    };
    const v4 t = (*x - 3) / (*x + 3);
    const v4 t2 = t * t;
    const v4 t4 = t2 * t2;
    v4 p0 = (v4){ 0 } + c[20];
    v4 p1 = (v4){ 0 } + c[21];
    v4 p2 = (v4){ 0 } + c[22];
    v4 p3 = (v4){ 0 } + c[23];
    for (int i = 16; i >= 0; i -= 4) {
        p0 = p0 * t4 + c[i];
        p1 = p1 * t4 + c[i + 1];
        p2 = p2 * t4 + c[i + 2];
        p3 = p3 * t4 + c[i + 3];
    }
    *x = ((p0 + t * p1) + t2 * (p2 + t * p3)) / (1 + 2 * *x);
}

/*  Both limits on one side: exp(-lo^2) (erfcx(lo) - erfcx(hi) exp(lo^2 - hi^2)) / 2 with the first factor left as a
    logarithm, so that nothing vanishes.  On both sides: 1 - erfc(lo) / 2 - erfc(hi) / 2. */
CLONES void tpe_log_mass(uint32_t n, const double *a, const double *b, double *out)
{
    const double root = 0.70710678118654752440;
    for (uint32_t k = 0; k < n; k += TPE_LANES) {
        v4 left = *(const v4 *)(a + k) * root;
        v4 right = *(const v4 *)(b + k) * root;
        v4i same = (v4i)((left > 0) | (right < 0));
        left = (v4)((v4i)left & INT64_MAX);
        right = (v4)((v4i)right & INT64_MAX);
        v4i turn = (v4i)(left > right);
        v4 low = PICK(turn, right, left);
        v4 high = PICK(turn, left, right);
        v4 part = low * low;
        v4 outside = (v4)((v4i)part & same); /* what stays a logarithm */
        v4 near = outside - part;
        v4 far = PICK(same, (low - high) * (low + high), -(high * high));
        exp4(&near);
        exp4(&far);
        erfcx4(&low);
        erfcx4(&high);
        near = near * low * 0.5;
        far = far * high * 0.5;
        v4 mass = PICK(same, near - far, 1 - (near + far));
        mass = PICK((v4i)(mass > 1e-300), mass, (v4){ 0 } + 1e-300);
        log4(&mass);
        *(v4 *)(out + k) = mass - outside;
    }
}

CLONES double tpe_log_sum(uint32_t n, const double *e, const double *weights)
{
    v4 top = *(const v4 *)e;
    for (uint32_t k = TPE_LANES; k < n; k += TPE_LANES) {
        v4 x = *(const v4 *)(e + k);
        top = PICK((v4i)(x > top), x, top);
    }
    double most = fmax(fmax(top[0], top[1]), fmax(top[2], top[3]));
    if (!isfinite(most)) {
        return most;
    }
    v4 sum = { 0 };
    for (uint32_t k = 0; k < n; k += TPE_LANES) {
        v4 x = *(const v4 *)(e + k) - most;
        exp4(&x);
        sum += x * *(const v4 *)(weights + k);
    }
    return most + log((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

CLONES void tpe_add(uint32_t n, double *to, const double *from)
{
    for (uint32_t k = 0; k < n; k += TPE_LANES) {
        *(v4 *)(to + k) += *(const v4 *)(from + k);
    }
}

CLONES void tpe_log_kernels(const struct tpe_columns *columns, const struct tpe_tile *tile)
{
    for (uint32_t k = 0; k < columns->n; k += TPE_LANES) {
        v4 e0 = *(const v4 *)(columns->norm + k);
        v4 e1 = e0;
        v4 e2 = e0;
        v4 e3 = e0;
        for (uint32_t d = 0; d < columns->number_count; d++) {
            const v4 mean = *(const v4 *)(columns->means[d] + k);
            const v4 scale = *(const v4 *)(columns->scales[d] + k);
            const double *x = tile->numbers + (size_t)d * TPE_TILE;
            v4 z0 = (x[0] - mean) * scale;
            v4 z1 = (x[1] - mean) * scale;
            v4 z2 = (x[2] - mean) * scale;
            v4 z3 = (x[3] - mean) * scale;
            e0 -= z0 * z0;
            e1 -= z1 * z1;
            e2 -= z2 * z2;
            e3 -= z3 * z3;
        }
        for (uint32_t d = 0; d < columns->choice_count; d++) {
            const v4 option = *(const v4 *)(columns->options[d] + k);
            const double *x = tile->options + (size_t)d * TPE_TILE;
            const double *gain = tile->gains + (size_t)d * TPE_TILE;
            e0 += (v4)((v4i)(option == x[0]) & (v4i)((v4){ 0 } + gain[0]));
            e1 += (v4)((v4i)(option == x[1]) & (v4i)((v4){ 0 } + gain[1]));
            e2 += (v4)((v4i)(option == x[2]) & (v4i)((v4){ 0 } + gain[2]));
            e3 += (v4)((v4i)(option == x[3]) & (v4i)((v4){ 0 } + gain[3]));
        }
        *(v4 *)(tile->out + k) = e0;
        *(v4 *)(tile->out + tile->stride + k) = e1;
        *(v4 *)(tile->out + 2 * (size_t)tile->stride + k) = e2;
        *(v4 *)(tile->out + 3 * (size_t)tile->stride + k) = e3;
    }
}
