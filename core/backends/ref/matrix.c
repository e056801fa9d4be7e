/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrix products: linear layers (constant weight [O,I]) and products of two values. */

#include "core/backends/ref/ref.h"

/* x [..., I] · weightᵀ [I,O] + bias (+ residual), activation → [..., O] */
void
upi_ref_linear (const UpiStep *step)
{
  const gfloat *weight = step->in[1].data, *bias = step->in[2].data;
  gint inputs = step->in[1].shape.dim[1], outputs = step->in[1].shape.dim[0];
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r);
    const gfloat *residual = step->residual.data != NULL ? upi_tensor_row (&step->residual, r) : NULL;
    gfloat *y = upi_tensor_row (&step->out, r);

    for (gint o = 0; o < outputs; o++) {
      const gfloat *w = weight + (gsize) o * inputs;
      gdouble sum = bias != NULL ? bias[o] : 0;

      for (gint i = 0; i < inputs; i++)
        sum += (gdouble) x[i] * (gdouble) w[i];
      sum += residual != NULL ? residual[o] : 0;
      y[o] = upi_ref_act (step->op->u.act, sum);
    }
  }
}

/* A tensor of rank 2 or 3 as [B, rows, columns]. */
static gfloat *
matrix_row (const UpiTensor *t, gint batch, gint row)
{
  guint lead = t->shape.rank - 2;

  return (gfloat *) t->data + (lead > 0 ? (gssize) batch * t->stride[0] : 0) + (gssize) row * t->stride[lead];
}

/* a [B,M,K] · b [B,K,N] (or bᵀ of [B,N,K]) · scale → [B,M,N] */
void
upi_ref_matmul (const UpiStep *step)
{
  const UpiMatmul *matmul = &step->op->u.matmul;
  const UpiTensor *a = &step->in[0], *b = &step->in[1], *out = &step->out;
  gint batch = out->shape.rank == 3 ? out->shape.dim[0] : 1;
  gint m = out->shape.dim[out->shape.rank - 2], n = upi_shape_width (&out->shape), k = upi_shape_width (&a->shape);

  for (gint z = 0; z < batch; z++) {
    for (gint i = 0; i < m; i++) {
      const gfloat *x = matrix_row (a, z, i);
      gfloat *y = matrix_row (out, z, i);

      for (gint j = 0; j < n; j++) {
        gdouble sum = 0;

        if (matmul->transpose_b) {
          const gfloat *w = matrix_row (b, z, j);

          for (gint l = 0; l < k; l++)
            sum += (gdouble) x[l] * (gdouble) w[l];
        } else {
          for (gint l = 0; l < k; l++)
            sum += (gdouble) x[l] * (gdouble) matrix_row (b, z, l)[j];
        }
        y[j] = (gfloat) (sum * (gdouble) matmul->scale);
      }
    }
  }
}
