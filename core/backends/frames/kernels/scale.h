/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loops of convert.c, compiled once per instruction set (meson.build) and chosen at run time. */
#pragma once

#include <glib.h>

/* n of output samples is a multiple of 4, or there is room for one (convert.c); scale and bias are those of R, G, B and
 * one to spare. */
typedef struct {
  /* out[i] = Σ_t weights[t] · rows[t · stride + i], i < n */
  void (*vertical) (const guint8 *rows, gssize stride, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* The same for samples of two bytes, at any address, of which the 8 bits above the shift count; stride in bytes */
  void (*vertical_words) (
      const guint8 *rows, gssize stride, guint shift, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* out[x] = Σ_t weights[x · taps + t] · in[start[x] + t]; taps is a multiple of 4, in is readable that far */
  void (*horizontal) (const gfloat *in, const gint *start, const gfloat *weights, guint taps, gfloat *out, guint n);
  /* The same for pixels of 3 or 4 channels, and · scale + bias; out [n, 3], the first three channels, reversed where
   * asked; in has a float to spare */
  void (*horizontal_packed) (const gfloat *in, guint channels, gboolean reverse, const gint *start,
      const gfloat *weights, guint taps, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n);
  /* out[i] = in[step · i]; any n; in has a vector to spare */
  void (*pick) (const gfloat *in, guint step, gfloat *out, guint n);
  /* a, b, c [n] as stored → R, G, B of 0..255 by the matrix, clamped, · scale + bias → out [n, 3] */
  void (*matrix) (const gfloat *a, const gfloat *b, const gfloat *c, const gfloat m[3][4], const gfloat scale[4],
      const gfloat bias[4], gfloat *out, guint n);
  /* in, out [n, 3] */
  void (*normalise) (const guint8 *in, const gfloat scale[4], const gfloat bias[4], gfloat *out, guint n);
} UpiScaleKernels;

extern const UpiScaleKernels upi_scale_baseline;
#ifdef UPI_SCALE_X86
extern const UpiScaleKernels upi_scale_avx2, upi_scale_avx512;
#endif
