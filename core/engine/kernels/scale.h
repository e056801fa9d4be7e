/* The inner loops of preprocess.c, compiled once per instruction set (meson.build) and chosen at run time. */
#pragma once

#include <glib.h>

typedef struct {
  /* out[i] = Σ_t weights[t] · rows[t · stride + i], i < n */
  void (*vertical) (const guint8 *rows, gssize stride, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* out[x] = Σ_t weights[x · taps + t] · in[start[x] + t]; taps is a multiple of 4, in is readable that far */
  void (*horizontal) (const gfloat *in, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* The same for pixels of 3 or 4 channels; out [n, 3], the first three channels, reversed where asked; in has a float to spare */
  void (*horizontal_packed) (
      const gfloat *in, guint channels, gboolean reverse, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* in [n, 2] → a [n], b [n] */
  void (*split) (const gfloat *in, gfloat *a, gfloat *b, guint n);
  /* y, u, v [n] of 0..255 → out [n, 3] RGB of 0..255: y·gain + offset, then the matrix (v→r, u→g, v→g, u→b) around 128 */
  void (*matrix) (gfloat *y, gfloat *u, gfloat *v, const gfloat coefficients[6], gfloat *out, guint n);
  /* out [n, 3] ← out · scale + bias */
  void (*normalise) (gfloat *out, const gfloat scale[3], const gfloat bias[3], guint n);
} UpiScaleKernels;

extern const UpiScaleKernels upi_scale_baseline;
#ifdef UPI_SCALE_X86
extern const UpiScaleKernels upi_scale_avx2, upi_scale_avx512;
#endif
