/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of tokens: mean, gather, top-k, distinct boxes, embedding, rows stored in a cache. */

#include "core/backends/ref/ref.h"

#include <string.h>

static gint32
index_at (const UpiTensor *indices, gint n, gint i)
{
  return ((const gint32 *) indices->data)[(gssize) n * upi_tensor_step (indices, 0) + i];
}

/* [N,T,C] → [N,1,C] */
void
upi_ref_mean_tokens (const UpiStep *step)
{
  const UpiTensor *x = &step->in[0];

  for (gint n = 0; n < x->shape.dim[0]; n++) {
    gfloat *y = upi_ref_token (&step->out, n, 0);

    for (gint c = 0; c < x->shape.dim[2]; c++) {
      gdouble sum = 0;

      for (gint t = 0; t < x->shape.dim[1]; t++)
        sum += (gdouble) upi_ref_token (x, n, t)[c];
      y[c] = (gfloat) (sum / x->shape.dim[1]);
    }
  }
}

/* x [N or 1,T,C], indices [N,K] → [N,K,C] */
void
upi_ref_gather (const UpiStep *step)
{
  const UpiTensor *x = &step->in[0], *out = &step->out;

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint k = 0; k < out->shape.dim[1]; k++) {
      gint row = index_at (&step->in[1], n, k);

      g_assert (row >= 0 && row < x->shape.dim[1]);
      memcpy (upi_ref_token (out, n, k), upi_ref_token (x, x->shape.dim[0] > 1 ? n : 0, row),
          (gsize) out->shape.dim[2] * sizeof (gfloat));
    }
  }
}

/* table [V,C], ids [N,T] → [N,T,C] */
void
upi_ref_embed (const UpiStep *step)
{
  const UpiTensor *table = &step->in[0], *out = &step->out;

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint t = 0; t < out->shape.dim[1]; t++) {
      gint row = index_at (&step->in[1], n, t);

      g_assert (row >= 0 && row < table->shape.dim[0]);
      memcpy (
          upi_ref_token (out, n, t), upi_tensor_row (table, (gsize) row), (gsize) out->shape.dim[2] * sizeof (gfloat));
    }
  }
}

/* The order of top_k: higher scores first, the lower index first among equals, what is no number last. */
static gboolean
comes_before (gfloat a, gint a_index, gfloat b, gint b_index)
{
  if (isnan (a) || isnan (b))
    return isnan (a) && isnan (b) ? a_index < b_index : isnan (b);
  return a > b || (a == b && a_index < b_index);
}

/* scores [N,T] or [N,T,1] → I32 [N,count] */
void
upi_ref_top_k (const UpiStep *step)
{
  const UpiTensor *scores = &step->in[0];
  gint tokens = scores->shape.dim[1], stride = scores->shape.rank == 3 ? scores->stride[1] : 1;

  for (gint n = 0; n < step->out.shape.dim[0]; n++) {
    const gfloat *score = (const gfloat *) scores->data + (gssize) n * scores->stride[0];
    gint32 *best = (gint32 *) step->out.data + (gssize) n * step->out.stride[0];

    for (gint k = 0; k < step->op->u.top_k.count; k++) {
      gint next = -1;

      /* The first of those that come after the last one. */
      for (gint t = 0; t < tokens; t++) {
        gfloat s = score[(gssize) t * stride];

        if (k > 0 && !comes_before (score[(gssize) best[k - 1] * stride], best[k - 1], s, t))
          continue;
        if (next < 0 || comes_before (s, t, score[(gssize) next * stride], next))
          next = t;
      }
      best[k] = next;
    }
  }
}

/* Whether two boxes (cx, cy, w, h) overlap by an IoU above `limit`; what is no number compares false. */
static gboolean
overlap (const gfloat *a, const gfloat *b, gdouble limit)
{
  gdouble inter = 1, area_a = 1, area_b = 1;

  for (gint axis = 0; axis < 2; axis++) {
    gdouble a0 = a[axis] - a[2 + axis] / 2., a1 = a[axis] + a[2 + axis] / 2.;
    gdouble b0 = b[axis] - b[2 + axis] / 2., b1 = b[axis] + b[2 + axis] / 2.;

    inter *= MAX (MIN (a1, b1) - MAX (a0, b0), 0.);
    area_a *= a1 - a0;
    area_b *= b1 - b0;
  }
  return inter > limit * (area_a + area_b - inter);
}

/* boxes [N,M,4], indices [N,M] → I32 [N,count] */
void
upi_ref_distinct (const UpiStep *step)
{
  const UpiTensor *boxes = &step->in[0];
  gint total = boxes->shape.dim[1], count = step->op->u.distinct.count;

  for (gint n = 0; n < boxes->shape.dim[0]; n++) {
    gint32 *out = (gint32 *) step->out.data + (gssize) n * upi_tensor_step (&step->out, 0);
    gint found = 0;

    for (gint back = 0; back <= 1; back++) { /* those of their own, then the duplicates */
      for (gint i = 0; i < total; i++) {
        gboolean stands_back = FALSE;

        for (gint j = 0; j < i && !stands_back; j++)
          stands_back =
              overlap (upi_ref_token (boxes, n, i), upi_ref_token (boxes, n, j), (gdouble) step->op->u.distinct.limit);
        if (stands_back == back && found < count)
          out[found++] = index_at (&step->in[1], n, i);
      }
    }
  }
}

/* rows [N,R,C] into cache [N,Cap,C] from row start[n]; what would lie behind its end is not written */
void
upi_ref_store_rows (const UpiStep *step)
{
  const UpiTensor *rows = &step->in[1], *start = &step->in[2], *cache = &step->out;

  for (gint n = 0; n < rows->shape.dim[0]; n++) {
    gint64 first = ((const gint32 *) start->data)[(gssize) n * upi_tensor_step (start, 0)];

    for (gint r = 0; r < rows->shape.dim[1]; r++) {
      if (first + r >= 0 && first + r < cache->shape.dim[1])
        memcpy (upi_ref_token (cache, n, (gint) (first + r)), upi_ref_token (rows, n, r),
            (gsize) rows->shape.dim[2] * sizeof (gfloat));
    }
  }
}
