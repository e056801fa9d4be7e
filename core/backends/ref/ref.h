/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ref backend: every operation as the plain loops that define it. No library, no threads, any strides (the last
 * dimension contiguous). Sums are made in double, so that the definition depends on no order of summation. */
#pragma once

#include "core/backends/steps.h"

#include <math.h>

G_BEGIN_DECLS

/* frames.c */
gboolean upi_ref_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error);

typedef void (*UpiRefFunc) (const UpiStep *step);

/* void upi_ref_conv2d (const UpiStep *step); and so on */
#define UPI_OP(KIND, name, ...) void upi_ref_##name (const UpiStep *step);
#include "core/program/ops.def"

gsize upi_ref_window_scratch (const UpiOp *op);

static inline gfloat
upi_ref_act (UpiAct act, gdouble x)
{
  switch (act) {
  case UPI_ACT_RELU:
    return (gfloat) MAX (x, 0.);
  case UPI_ACT_RELU6:
    return (gfloat) CLAMP (x, 0., 6.);
  case UPI_ACT_GELU:
    return (gfloat) (0.5 * x * (1. + erf (x * G_SQRT2 / 2)));
  case UPI_ACT_SIGMOID:
    return (gfloat) (1. / (1. + exp (-x)));
  case UPI_ACT_HARD_SWISH:
    return (gfloat) (x * CLAMP (x + 3., 0., 6.) / 6.);
  case UPI_ACT_HARD_SIGMOID:
    return (gfloat) (CLAMP (x + 3., 0., 6.) / 6.);
  case UPI_ACT_NONE:
  default:
    return (gfloat) x;
  }
}

/* Element [i, j, k] of a tensor's first dimensions, [.., c = 0]: maps [N,H,W,C] by (n, y, x), tokens [N,T,C] by (n,
 * t). */
static inline gfloat *
upi_ref_pixel (const UpiTensor *t, gint n, gint y, gint x)
{
  return (gfloat *) t->data + (gssize) n * t->stride[0] + (gssize) y * t->stride[1] + (gssize) x * t->stride[2];
}

static inline gfloat *
upi_ref_token (const UpiTensor *t, gint n, gint row)
{
  return (gfloat *) t->data + (gssize) n * t->stride[0] + (gssize) row * t->stride[1];
}

G_END_DECLS
