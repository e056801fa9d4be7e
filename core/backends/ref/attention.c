/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-head attention over one or two key ranges (image, text so far), lengths per item, causal in the last range. */

#include "core/backends/ref/ref.h"

typedef struct {
  const UpiTensor *k, *v;
  gint visible; /* keys that this query row sees */
} Range;

static gint
range_length (const UpiTensor *lengths, const UpiTensor *k, gint n)
{
  gint length = k->shape.dim[1];

  if (lengths->data != NULL)
    length = CLAMP (((const gint32 *) lengths->data)[(gssize) n * upi_tensor_step (lengths, 0)], 0, length);
  return length;
}

/* Keys and values of one item serve all. */
static const gfloat *
key_token (const UpiTensor *t, gint n, gint row)
{
  return upi_ref_token (t, t->shape.dim[0] > 1 ? n : 0, row);
}

/* One query row and head: softmax over the keys of both ranges, sum of their values. */
static void
attend (
    const gfloat *q, const Range *ranges, guint n_ranges, gint n, gint first, gint width, gdouble *weights, gfloat *out)
{
  gdouble scale = 1. / sqrt ((gdouble) width), max = -INFINITY, sum = 0;
  gint count = 0;

  for (guint r = 0; r < n_ranges; r++) {
    for (gint j = 0; j < ranges[r].visible; j++) {
      const gfloat *k = key_token (ranges[r].k, n, j) + first;
      gdouble dot = 0;

      for (gint c = 0; c < width; c++)
        dot += (gdouble) q[c] * (gdouble) k[c];
      weights[count] = dot * scale;
      max = MAX (max, weights[count]);
      count++;
    }
  }
  for (gint j = 0; j < count; j++)
    sum += weights[j] = exp (weights[j] - max);
  for (gint c = 0; c < width; c++) {
    gdouble mixed = 0;

    count = 0;
    for (guint r = 0; r < n_ranges; r++) {
      for (gint j = 0; j < ranges[r].visible; j++)
        mixed += weights[count++] * (gdouble) (key_token (ranges[r].v, n, j) + first)[c];
    }
    out[c] = count > 0 ? (gfloat) (mixed / sum) : 0.f; /* a row that sees no key gives zeros */
  }
}

void
upi_ref_attention (const UpiStep *step)
{
  const UpiAttention *attention = &step->op->u.attention;
  const UpiTensor *q = &step->in[0], *out = &step->out;
  guint n_ranges = step->op->n_inputs == 7 ? 2 : 1;
  gint queries = q->shape.dim[1], width = q->shape.dim[2] / attention->heads;

  for (gint n = 0; n < q->shape.dim[0]; n++) {
    gint lengths[2] = { range_length (&step->in[3], &step->in[1], n),
      n_ranges == 2 ? range_length (&step->in[6], &step->in[4], n) : 0 };

    for (gint t = 0; t < queries; t++) {
      Range ranges[2] = { { &step->in[1], &step->in[2], lengths[0] }, { &step->in[4], &step->in[5], lengths[1] } };
      Range *last = &ranges[n_ranges - 1];

      if (attention->causal)
        last->visible = CLAMP (last->visible - queries + t + 1, 0, last->visible);
      for (gint h = 0; h < attention->heads; h++)
        attend (upi_ref_token (q, n, t) + h * width, ranges, n_ranges, n, h * width, width, step->scratch,
            upi_ref_token (out, n, t) + h * width);
    }
  }
}
