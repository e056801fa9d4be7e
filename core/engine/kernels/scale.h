/* The inner loops of preprocess.c, compiled once per instruction set (meson.build) and chosen at run time. */
#pragma once

#include <glib.h>

/* n of output samples is a multiple of 4; scale and bias are those of R, G, B and one to spare. */
typedef struct {
  /* out[i] = Σ_t weights[t] · rows[t · stride + i], i < n */
  void (*vertical) (const guint8 *rows, gssize stride, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* out[x] = Σ_t weights[x · taps + t] · in[start[x] + t]; taps is a multiple of 4, in is readable that far */
  void (*horizontal) (const gfloat *in, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* The same for pixels of 3 or 4 channels, and · scale + bias; out [n, 3], the first three channels, reversed where asked; in has a float
   * to spare */
  void (*horizontal_packed) (const gfloat *in, guint channels, gboolean reverse, const gint *start, const gfloat *weights, guint taps,
      const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n);
  /* in [n, 2] → a [n], b [n]; any n */
  void (*split) (const gfloat *in, gfloat *a, gfloat *b, guint n);
  /* y, u, v [n] as stored → R, G, B of 0..255, clamped, · scale + bias → out [n, 3]. c: gain and offset of y; v→r, u→g, v→g, u→b */
  void (*matrix) (const gfloat *y, const gfloat *u, const gfloat *v, const gfloat c[6], const gfloat scale[4], const gfloat bias[4],
      gfloat *out, guint n);
  /* in, out [n, 3] */
  void (*normalise) (const guint8 *in, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n);
} UpiScaleKernels;

extern const UpiScaleKernels upi_scale_baseline;
#ifdef UPI_SCALE_X86
extern const UpiScaleKernels upi_scale_avx2, upi_scale_avx512;
#endif
