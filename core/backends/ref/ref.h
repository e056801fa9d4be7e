/* The ref backend: every operation as the plain loops that define it. No library, no threads, any strides (the last dimension contiguous).
 * Sums are made in double, so that the definition depends on no order of summation. */
#pragma once

#include "core/program/steps.h"

#include <math.h>

G_BEGIN_DECLS

typedef void (*UpiRefFunc) (const UpiStep *step);

void upi_ref_conv2d (const UpiStep *step);
void upi_ref_linear (const UpiStep *step);
void upi_ref_matmul (const UpiStep *step);
void upi_ref_attention (const UpiStep *step);
void upi_ref_deformable_attention (const UpiStep *step);
void upi_ref_layer_norm (const UpiStep *step);
void upi_ref_group_norm (const UpiStep *step);
void upi_ref_softmax (const UpiStep *step);
void upi_ref_l2_norm (const UpiStep *step);
void upi_ref_add (const UpiStep *step);
void upi_ref_mul (const UpiStep *step);
void upi_ref_activation (const UpiStep *step);
void upi_ref_copy (const UpiStep *step);
void upi_ref_resize (const UpiStep *step);
void upi_ref_max_pool (const UpiStep *step);
void upi_ref_adaptive_avg_pool (const UpiStep *step);
void upi_ref_mean_tokens (const UpiStep *step);
void upi_ref_gather (const UpiStep *step);
void upi_ref_top_k (const UpiStep *step);
void upi_ref_distinct (const UpiStep *step);
void upi_ref_anchor_max (const UpiStep *step);
void upi_ref_embed (const UpiStep *step);
void upi_ref_store_rows (const UpiStep *step);
void upi_ref_sine_position (const UpiStep *step);
void upi_ref_box_refine (const UpiStep *step);

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
  case UPI_ACT_NONE:
  default:
    return (gfloat) x;
  }
}

/* Element [i, j, k] of a tensor's first dimensions, [.., c = 0]: maps [N,H,W,C] by (n, y, x), tokens [N,T,C] by (n, t). */
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
