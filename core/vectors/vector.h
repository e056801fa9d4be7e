/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vector type of one instruction set, as compiler vector extensions: every source that includes this is compiled
 * once per instruction set (meson.build) and says `vf` for "as many floats as a register holds". GCC and Clang contract
 * a * b + c into FMA where there is one.
 */
#pragma once

#include <glib.h>

#include <math.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__)
#define VL 8
#else
#define VL 4
#endif

/* Before a loop that must be unrolled for its arrays to live in registers. Not for the sanitizers: their checks of
 * every element would take minutes to compile. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNROLL(n)
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNROLL(n)
#endif
#ifndef UNROLL
#define PRAGMA(text) _Pragma (#text)
#define UNROLL(n) PRAGMA (GCC unroll n)
#endif

#define INLINE static inline __attribute__ ((always_inline))

typedef gfloat vf __attribute__ ((vector_size (VL * 4)));
typedef gint32 vi __attribute__ ((vector_size (VL * 4)));
/* The same without alignment, and allowed to alias floats. */
typedef gfloat vf_any __attribute__ ((vector_size (VL * 4), aligned (4), may_alias));
typedef gint32 vi_any __attribute__ ((vector_size (VL * 4), aligned (4), may_alias));

INLINE vf
vload (const gfloat *p)
{
  return *(const vf_any *) p;
}

INLINE void
vstore (gfloat *p, vf v)
{
  *(vf_any *) p = v;
}

/* n < VL values; the rest are zero. Reads and writes nothing behind them. */
#if VL == 16
INLINE vf
vload_part (const gfloat *p, gint n)
{
  return _mm512_maskz_loadu_ps ((__mmask16) ((1u << n) - 1), p);
}

INLINE void
vstore_part (gfloat *p, vf v, gint n)
{
  _mm512_mask_storeu_ps (p, (__mmask16) ((1u << n) - 1), v);
}
#else
INLINE vf
vload_part (const gfloat *p, gint n)
{
  gfloat t[VL] = { 0 };

  for (gint i = 0; i < n; i++)
    t[i] = p[i];
  return vload (t);
}

INLINE void
vstore_part (gfloat *p, vf v, gint n)
{
  gfloat t[VL];

  vstore (t, v);
  for (gint i = 0; i < n; i++)
    p[i] = t[i];
}
#endif

INLINE vf
vset (gfloat x)
{
  return x - (vf){ 0 };
}

INLINE vi
vseti (gint32 x)
{
  return x - (vi){ 0 };
}

INLINE vf
vselect (vi mask, vf a, vf b)
{
  return (vf) ((mask & (vi) a) | (~mask & (vi) b));
}

/* a > b ? a : b and a < b ? a : b, so b where one is a NaN: what x86 has as one instruction. */
INLINE vf
vmax (vf a, vf b)
{
#if VL == 16
  return (vf) _mm512_max_ps ((__m512) a, (__m512) b);
#elif VL == 8
  return (vf) _mm256_max_ps ((__m256) a, (__m256) b);
#else
  return vselect (a > b, a, b);
#endif
}

INLINE vf
vmin (vf a, vf b)
{
#if VL == 16
  return (vf) _mm512_min_ps ((__m512) a, (__m512) b);
#elif VL == 8
  return (vf) _mm256_min_ps ((__m256) a, (__m256) b);
#else
  return vselect (a < b, a, b);
#endif
}

/* Sum and maximum of a vector's elements, by halves. */
typedef gfloat v4 __attribute__ ((vector_size (16)));
typedef gfloat v4_any __attribute__ ((vector_size (16), aligned (4), may_alias));
#if VL >= 8
typedef gfloat v8 __attribute__ ((vector_size (32)));
#endif

INLINE v4
vfold (vf v)
{
#if VL == 16
  v8 h = (v8) _mm512_castps512_ps256 ((__m512) v) + (v8) _mm512_extractf32x8_ps ((__m512) v, 1);
#elif VL == 8
  v8 h = v;
#endif
#if VL >= 8
  return (v4) _mm256_castps256_ps128 ((__m256) h) + (v4) _mm256_extractf128_ps ((__m256) h, 1);
#else
  return v;
#endif
}

INLINE gfloat
vsum (vf v)
{
  v4 q = vfold (v);

  return (q[0] + q[2]) + (q[1] + q[3]);
}

/* The sums of four vectors, as vsum() adds them. */
INLINE v4
vsum4 (vf a, vf b, vf c, vf d)
{
  v4 p = vfold (a), q = vfold (b), r = vfold (c), s = vfold (d);
  v4 pq = __builtin_shufflevector (p, q, 0, 4, 1, 5) + __builtin_shufflevector (p, q, 2, 6, 3, 7);
  v4 rs = __builtin_shufflevector (r, s, 0, 4, 1, 5) + __builtin_shufflevector (r, s, 2, 6, 3, 7);

  return __builtin_shufflevector (pq, rs, 0, 1, 4, 5) + __builtin_shufflevector (pq, rs, 2, 3, 6, 7);
}

INLINE gfloat
vmax_across (vf v)
{
  v4 q;
  gfloat a, b;
#if VL == 16
  v8 h = (v8) _mm256_max_ps (_mm512_castps512_ps256 ((__m512) v), _mm512_extractf32x8_ps ((__m512) v, 1));
#elif VL == 8
  v8 h = v;
#endif
#if VL >= 8
  q = (v4) _mm_max_ps (_mm256_castps256_ps128 ((__m256) h), _mm256_extractf128_ps ((__m256) h, 1));
#else
  q = v;
#endif
  a = q[0] > q[1] ? q[0] : q[1];
  b = q[2] > q[3] ? q[2] : q[3];
  return a > b ? a : b;
}

/* Nearest integer, for |x| < 2^22. */
INLINE vf
vround (vf x)
{
  const vf magic = vset (12582912.0f); /* 1.5 · 2^23: the sum rounds to an integer */

  return (x + magic) - magic;
}

INLINE vi
vtoint (vf x)
{
  return __builtin_convertvector(x, vi);
}

INLINE vf
vtofloat (vi x)
{
  return __builtin_convertvector(x, vf);
}

/* e^x: 2^n · e^r, |r| ≤ ln 2 / 2, degree 6 (Cephes); relative error below 2e-7; 0 below -87.3, e^88 above 88. */
INLINE vf
vexp (vf x)
{
  vf n, r, p;
#if VL == 16
  x = vmin (vmax (x, vset (-200.0f)), vset (88.0f));
  n = (vf) _mm512_roundscale_ps ((__m512) (x * 1.44269504088896341f), 0);
#else
  const vf floor_x = vset (-87.33f);
  vi tiny = x < floor_x;

  x = vmin (vmax (x, floor_x), vset (88.0f));
  n = vround (x * 1.44269504088896341f);
#endif
  r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  p = vset (1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
#if VL == 16
  return (vf) _mm512_scalef_ps ((__m512) p, (__m512) n);
#else
  return vselect (tiny, vset (0), p * (vf) ((vtoint (n) + 127) << 23));
#endif
}

/* ln x of normal numbers above 0: m · 2^n, √½ ≤ m < √2, degree 9 (Cephes); relative error below 2e-7. */
INLINE vf
vlog (vf x)
{
  vi bits = (vi) x, low;
  vf m = (vf) ((bits & 0x007fffff) | 0x3f000000), n, m2, p;

  low = m < 0.707106781186547524f;
  n = vtofloat (((bits >> 23) - 126) + low);
  m = m - 1.0f + (vf) (low & (vi) m);
  m2 = m * m;
  p = m * 7.0376836292e-2f + -1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m + -1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m + -1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m + -2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  p = p * m * m2 + n * -2.12194440e-4f - 0.5f * m2;
  return m + p + n * 0.693359375f;
}

INLINE vf
vsqrt (vf x)
{
#if VL == 16
  return (vf) _mm512_sqrt_ps ((__m512) x);
#elif VL == 8
  return (vf) _mm256_sqrt_ps ((__m256) x);
#else
  for (gint i = 0; i < VL; i++)
    x[i] = sqrtf (x[i]);
  return x;
#endif
}

/* erf as x·P(x²)/Q(x²) on [-4, 4] (the rational minimax of Eigen and TensorFlow); absolute error below 3e-7. */
INLINE vf
verf (vf x)
{
  vf x2, p, q;

  x = vmin (vmax (x, vset (-4.0f)), vset (4.0f));
  x2 = x * x;
  p = x2 * -2.72614225801306e-10f + 2.77068142495902e-08f;
  p = p * x2 + -2.10102402082508e-06f;
  p = p * x2 + -5.69250639462346e-05f;
  p = p * x2 + -7.34990630326855e-04f;
  p = p * x2 + -2.95459980854025e-03f;
  p = p * x2 + -1.60960333262415e-02f;
  q = x2 * -1.45660718464996e-05f + -2.13374055278905e-04f;
  q = q * x2 + -1.68282697438203e-03f;
  q = q * x2 + -7.37332916720468e-03f;
  q = q * x2 + -1.42647390514189e-02f;
  return x * p / q;
}

/* sin x and cos x for |x| up to some thousands: quarter turns taken off in three parts, then Cephes' polynomials on
 * [-π/4, π/4]. */
INLINE void
vsincos (vf x, vf *sine, vf *cosine)
{
  vf n = vround (x * 0.636619772367581343f), r, r2, s, c;
  vi quarter = vtoint (n), swap;

  r = x - n * 1.5703125f;
  r = r - n * 4.837512969970703125e-4f;
  r = r - n * 7.549789948768648e-8f;
  r2 = r * r;
  s = ((r2 * -1.9515295891e-4f + 8.3321608736e-3f) * r2 + -1.6666654611e-1f) * r2 * r + r;
  c = ((r2 * 2.443315711809948e-5f + -1.388731625493765e-3f) * r2 + 4.166664568298827e-2f) * r2 * r2 - 0.5f * r2 + 1.0f;
  swap = (quarter & 1) != 0;
  *sine = (vf) ((vi) vselect (swap, c, s) ^ ((quarter & 2) << 30));
  *cosine = (vf) ((vi) vselect (swap, s, c) ^ (((quarter + 1) & 2) << 30));
}

/* The largest of a row, of which what is no number is none; of none -∞. */
INLINE gfloat
max_of_row (const gfloat *x, gint width)
{
  vf most = vset (-INFINITY);
  gfloat max;
  gint c;

  for (c = 0; c + VL <= width; c += VL)
    most = vmax (vload (x + c), most);
  max = vmax_across (most);
  for (; c < width; c++)
    max = x[c] > max ? x[c] : max;
  return max;
}

/* x · y of two rows */
INLINE gfloat
product_of_rows (const gfloat *x, const gfloat *y, gint width)
{
  vf sum = vset (0);
  gfloat rest = 0;
  gint c;

  for (c = 0; c + VL <= width; c += VL)
    sum += vload (x + c) * vload (y + c);
  for (; c < width; c++)
    rest += x[c] * y[c];
  return vsum (sum) + rest;
}

/* e^(x - max) over a row, divided by their sum if `divide`; returns the sum. y may be x. A row of width 0 gives 0. */
INLINE gfloat
softmax_row (const gfloat *x, gfloat *y, gint width, gboolean divide)
{
  vf sum = vset (0);
  gfloat max = max_of_row (x, width), total;
  gint c;

  for (c = 0; c + VL <= width; c += VL) {
    vf e = vexp (vload (x + c) - max);

    sum += e;
    vstore (y + c, e);
  }
  total = vsum (sum);
  if (c < width) {
    vstore_part (y + c, vexp (vload_part (x + c, width - c) - max), width - c);
    for (; c < width; c++)
      total += y[c];
  }
  if (divide) {
    gfloat inverse = 1.0f / total;

    for (c = 0; c + VL <= width; c += VL)
      vstore (y + c, vload (y + c) * inverse);
    for (; c < width; c++)
      y[c] *= inverse;
  }
  return total;
}
