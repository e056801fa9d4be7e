/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scaling kernels. One source, compiled for each instruction set: UPI_SCALE_TABLE names the table, UPI_SCALE_LANES the
 * floats a vector. */
#include "core/backends/frames/kernels/scale.h"

#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

typedef gfloat Floats __attribute__ ((vector_size (UPI_SCALE_LANES * 4)));
typedef gfloat Float4 __attribute__ ((vector_size (16)));
typedef gint32 Int4 __attribute__ ((vector_size (16)));

/* UPI_SCALE_LANES bytes as floats. By intrinsics: compilers take the generic vector conversion apart byte by byte. */
static inline Floats
load_bytes (const guint8 *p)
{
#if defined(__AVX512F__) && UPI_SCALE_LANES == 16
  return (Floats) _mm512_cvtepi32_ps (_mm512_cvtepu8_epi32 (_mm_loadu_si128 ((const __m128i *) p)));
#elif defined(__AVX2__) && UPI_SCALE_LANES == 8
  return (Floats) _mm256_cvtepi32_ps (_mm256_cvtepu8_epi32 (_mm_loadl_epi64 ((const __m128i *) p)));
#elif defined(__SSE2__) && UPI_SCALE_LANES == 4
  gint32 four;
  __m128i bytes, zero = _mm_setzero_si128 ();

  memcpy (&four, p, sizeof four);
  bytes = _mm_unpacklo_epi8 (_mm_cvtsi32_si128 (four), zero);
  return (Floats) _mm_cvtepi32_ps (_mm_unpacklo_epi16 (bytes, zero));
#else
  Floats v;

  for (guint i = 0; i < UPI_SCALE_LANES; i++)
    v[i] = p[i];
  return v;
#endif
}

/* The same for samples of two bytes: the 8 bits above the shift. */
static inline Floats
load_words (const guint8 *p, guint shift)
{
#if defined(__AVX512F__) && UPI_SCALE_LANES == 16
  __m512i words = _mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) p));

  return (Floats) _mm512_cvtepi32_ps (_mm512_and_si512 (_mm512_srli_epi32 (words, shift), _mm512_set1_epi32 (255)));
#elif defined(__AVX2__) && UPI_SCALE_LANES == 8
  __m256i words = _mm256_cvtepu16_epi32 (_mm_loadu_si128 ((const __m128i *) p));

  return (Floats) _mm256_cvtepi32_ps (
      _mm256_and_si256 (_mm256_srli_epi32 (words, (gint) shift), _mm256_set1_epi32 (255)));
#elif defined(__SSE2__) && UPI_SCALE_LANES == 4
  __m128i words = _mm_unpacklo_epi16 (_mm_loadl_epi64 ((const __m128i *) p), _mm_setzero_si128 ());

  return (Floats) _mm_cvtepi32_ps (_mm_and_si128 (_mm_srli_epi32 (words, (gint) shift), _mm_set1_epi32 (255)));
#else
  Floats v;
  guint16 words[UPI_SCALE_LANES];

  memcpy (words, p, sizeof words);
  for (guint i = 0; i < UPI_SCALE_LANES; i++)
    v[i] = words[i] >> shift & 255;
  return v;
#endif
}

static inline Float4
load4 (const gfloat *p)
{
  Float4 v;

  memcpy (&v, p, sizeof v);
  return v;
}

static inline void
sum_rows (const guint8 *rows, gssize stride, const guint bytes, guint shift, const gfloat *weights, guint taps,
    gfloat *out, guint n)
{
  guint i = 0;

  /* Four vectors stay in registers over all taps. */
  for (; i + 4 * UPI_SCALE_LANES <= n; i += 4 * UPI_SCALE_LANES) {
    const guint8 *p = rows + (gsize) i * bytes;
    Floats sum[4] = { { 0 } };

    for (guint t = 0; t < taps; t++, p += stride)
      for (guint j = 0; j < 4; j++) {
        const guint8 *from = p + j * UPI_SCALE_LANES * bytes;

        sum[j] += (bytes == 2 ? load_words (from, shift) : load_bytes (from)) * weights[t];
      }
    memcpy (out + i, sum, sizeof sum);
  }
  for (; i < n; i++) {
    gfloat sum = 0;

    for (guint t = 0; t < taps; t++) {
      const guint8 *from = rows + (gssize) t * stride + (gsize) i * bytes;
      guint16 word = *from;

      if (bytes == 2)
        memcpy (&word, from, sizeof word);
      sum += weights[t] * (word >> shift & 255);
    }
    out[i] = sum;
  }
}

static void
vertical (const guint8 *rows, gssize stride, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  sum_rows (rows, stride, 1, 0, weights, taps, out, n);
}

static void
vertical_words (const guint8 *rows, gssize stride, guint shift, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  sum_rows (rows, stride, 2, shift, weights, taps, out, n);
}

/* [Σ a, Σ b, Σ c, Σ d] */
static inline Float4
sums (Float4 a, Float4 b, Float4 c, Float4 d)
{
  Float4 ab =
      __builtin_shufflevector (a, b, 0, 4, 1, 5) + __builtin_shufflevector (a, b, 2, 6, 3, 7); /* a02 b02 a13 b13 */
  Float4 cd = __builtin_shufflevector (c, d, 0, 4, 1, 5) + __builtin_shufflevector (c, d, 2, 6, 3, 7);

  return __builtin_shufflevector (ab, cd, 0, 1, 4, 5) + __builtin_shufflevector (ab, cd, 2, 3, 6, 7);
}

static void
horizontal (const gfloat *in, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  for (guint x = 0; x < n; x += 4, weights += 4 * taps) {
    Float4 sum[4] = { { 0 } }, all;

    for (guint t = 0; t < taps; t += 4)
      for (guint j = 0; j < 4; j++)
        sum[j] += load4 (in + start[x + j] + t) * load4 (weights + j * taps + t);
    all = sums (sum[0], sum[1], sum[2], sum[3]);
    memcpy (out + x, &all, sizeof all);
  }
}

static inline void
packed (const gfloat *in, const guint channels, const gboolean reverse, const gint *start, const gfloat *weights,
    guint taps, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n)
{
  Float4 s = load4 (scale), b = load4 (bias);

  for (guint x = 0; x < n; x++, weights += taps, out += 3) {
    const gfloat *p = in + start[x] * (gssize) channels;
    Float4 even = { 0 }, odd = { 0 };

    for (guint t = 0; t < taps; t += 2, p += 2 * channels) {
      even += load4 (p) * weights[t];
      odd += load4 (p + channels) * weights[t + 1];
    }
    even += odd;
    if (reverse)
      even = __builtin_shufflevector (even, even, 2, 1, 0, 3);
    even = even * s + b;
    out[0] = even[0];
    out[1] = even[1];
    out[2] = even[2];
  }
}

static void
horizontal_packed (const gfloat *in, guint channels, gboolean reverse, const gint *start, const gfloat *weights,
    guint taps, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n)
{
  if (channels == 3)
    packed (in, 3, reverse, start, weights, taps, scale, bias, out, n);
  else
    packed (in, 4, reverse, start, weights, taps, scale, bias, out, n);
}

static void
pick (const gfloat *in, guint step, gfloat *out, guint n)
{
  guint i = 0;

  for (; step == 2 && i + 4 <= n; i += 4) {
    Float4 low = load4 (in + 2 * i), high = load4 (in + 2 * i + 4),
           even = __builtin_shufflevector (low, high, 0, 2, 4, 6);

    memcpy (out + i, &even, sizeof even);
  }
  for (; step == 4 && i + 4 <= n; i += 4) {
    const gfloat *p = in + 4 * (gsize) i;
    Float4 ab = __builtin_shufflevector (load4 (p), load4 (p + 4), 0, 4, 0, 4);
    Float4 cd = __builtin_shufflevector (load4 (p + 8), load4 (p + 12), 0, 4, 0, 4),
           all = __builtin_shufflevector (ab, cd, 0, 1, 4, 5);

    memcpy (out + i, &all, sizeof all);
  }
  for (; i < n; i++)
    out[i] = in[(gsize) step * i];
}

/* To 0..255, by masks: a loop over lanes becomes branches. */
static inline Float4
clamp (Float4 x)
{
  const Float4 zero = { 0 }, most = { 255.0f, 255.0f, 255.0f, 255.0f };
  Int4 below;

  x = (Float4) ((Int4) x & (Int4) (x > zero));
  below = (Int4) (x < most);
  return (Float4) (((Int4) x & below) | ((Int4) most & ~below));
}

static inline Float4
row_of (const gfloat m[4], Float4 a, Float4 b, Float4 c)
{
  return clamp (a * m[0] + b * m[1] + c * m[2] + m[3]);
}

static void
matrix (const gfloat *a, const gfloat *b, const gfloat *c, const gfloat m[3][4], const gfloat scale[4],
    const gfloat bias[4], gfloat *out, guint n)
{
  for (guint i = 0; i < n; i += 4, out += 12) {
    Float4 x = load4 (a + i), y = load4 (b + i), z = load4 (c + i);
    Float4 r = row_of (m[0], x, y, z) * scale[0] + bias[0];
    Float4 g = row_of (m[1], x, y, z) * scale[1] + bias[1];
    Float4 blue = row_of (m[2], x, y, z) * scale[2] + bias[2];
    Float4 rg = __builtin_shufflevector (r, g, 0, 4, 1, 5),
           rg2 = __builtin_shufflevector (r, g, 2, 6, 3, 7); /* r0g0r1g1, r2g2r3g3 */
    Float4 br = __builtin_shufflevector (blue, r, 0, 5, 1, 6),
           gb = __builtin_shufflevector (g, blue, 1, 5, 2, 6); /* b0r1b1r2, g1b1g2b2 */
    Float4 pixels[3];

    pixels[0] = __builtin_shufflevector (rg, br, 0, 1, 4, 5);    /* r0g0b0r1 */
    pixels[1] = __builtin_shufflevector (gb, rg2, 0, 1, 4, 5);   /* g1b1r2g2 */
    pixels[2] = __builtin_shufflevector (blue, rg2, 2, 6, 7, 3); /* b2r3g3b3 */
    memcpy (out, pixels, sizeof pixels);
  }
}

static void
normalise (const guint8 *in, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n)
{
  for (guint i = 0; i < n; i++)
    for (guint c = 0; c < 3; c++)
      out[3 * i + c] = in[3 * i + c] * scale[c] + bias[c];
}

const UpiScaleKernels UPI_SCALE_TABLE = { vertical, vertical_words, horizontal, horizontal_packed, pick, matrix,
  normalise };
