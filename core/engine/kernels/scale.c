/* Scaling kernels. One source, compiled for each instruction set: UPI_SCALE_TABLE names the table, UPI_SCALE_LANES the floats a vector. */
#include "core/engine/kernels/scale.h"

#include <string.h>

typedef gfloat Floats __attribute__ ((vector_size (UPI_SCALE_LANES * 4)));
typedef gint32 Ints __attribute__ ((vector_size (UPI_SCALE_LANES * 4)));
typedef guint8 Bytes __attribute__ ((vector_size (UPI_SCALE_LANES)));
typedef gfloat Float4 __attribute__ ((vector_size (16)));

static inline Floats
load_bytes (const guint8 *p)
{
  Bytes b;

  memcpy (&b, p, sizeof b);
  return __builtin_convertvector(__builtin_convertvector(b, Ints), Floats);
}

static inline Float4
load4 (const gfloat *p)
{
  Float4 v;

  memcpy (&v, p, sizeof v);
  return v;
}

static void
vertical (const guint8 *rows, gssize stride, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  guint i = 0;

  /* Four vectors stay in registers over all taps. */
  for (; i + 4 * UPI_SCALE_LANES <= n; i += 4 * UPI_SCALE_LANES) {
    const guint8 *p = rows + i;
    Floats sum[4] = { { 0 } };

    for (guint t = 0; t < taps; t++, p += stride)
      for (guint j = 0; j < 4; j++)
        sum[j] += load_bytes (p + j * UPI_SCALE_LANES) * weights[t];
    memcpy (out + i, sum, sizeof sum);
  }
  for (; i < n; i++) {
    gfloat sum = 0;

    for (guint t = 0; t < taps; t++)
      sum += weights[t] * rows[(gssize) t * stride + i];
    out[i] = sum;
  }
}

static inline gfloat
sum4 (Float4 v)
{
  return (v[0] + v[1]) + (v[2] + v[3]);
}

static void
horizontal (const gfloat *in, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  for (guint x = 0; x < n; x++, weights += taps) {
    const gfloat *p = in + start[x];
    Float4 sum = { 0 };

    for (guint t = 0; t < taps; t += 4)
      sum += load4 (p + t) * load4 (weights + t);
    out[x] = sum4 (sum);
  }
}

static inline void
packed (const gfloat *in, const guint channels, const gboolean reverse, const gint *start, const gfloat *weights, guint taps, gfloat *out,
    guint n)
{
  for (guint x = 0; x < n; x++, weights += taps, out += 3) {
    const gfloat *p = in + start[x] * (gssize) channels;
    Float4 sum = { 0 };

    for (guint t = 0; t < taps; t++, p += channels)
      sum += load4 (p) * weights[t];
    out[0] = sum[reverse ? 2 : 0];
    out[1] = sum[1];
    out[2] = sum[reverse ? 0 : 2];
  }
}

static void
horizontal_packed (
    const gfloat *in, guint channels, gboolean reverse, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n)
{
  if (channels == 3)
    packed (in, 3, reverse, start, weights, taps, out, n);
  else
    packed (in, 4, reverse, start, weights, taps, out, n);
}

static void
split (const gfloat *in, gfloat *a, gfloat *b, guint n)
{
  for (guint i = 0; i < n; i++) {
    a[i] = in[2 * i];
    b[i] = in[2 * i + 1];
  }
}

static inline gfloat
clamp (gfloat x)
{
  x = x < 0.0f ? 0.0f : x;
  return x > 255.0f ? 255.0f : x;
}

static void
matrix (gfloat *y, gfloat *u, gfloat *v, const gfloat c[6], gfloat *out, guint n)
{
  for (guint i = 0; i < n; i++) {
    gfloat luma = y[i] * c[0] + c[1], cb = u[i] - 128.0f, cr = v[i] - 128.0f;

    y[i] = clamp (luma + c[2] * cr);
    u[i] = clamp (luma + c[3] * cb + c[4] * cr);
    v[i] = clamp (luma + c[5] * cb);
  }
  for (guint i = 0; i < n; i++) {
    out[3 * i] = y[i];
    out[3 * i + 1] = u[i];
    out[3 * i + 2] = v[i];
  }
}

static void
normalise (gfloat *out, const gfloat scale[3], const gfloat bias[3], guint n)
{
  gfloat s[12], b[12];
  guint i = 0;

  for (guint j = 0; j < 12; j++) {
    s[j] = scale[j % 3];
    b[j] = bias[j % 3];
  }
  for (; i + 12 <= 3 * n; i += 12)
    for (guint j = 0; j < 12; j++)
      out[i + j] = out[i + j] * s[j] + b[j];
  for (; i < 3 * n; i++)
    out[i] = out[i] * s[i % 3] + b[i % 3];
}

const UpiScaleKernels UPI_SCALE_TABLE = { vertical, horizontal, horizontal_packed, split, matrix, normalise };
