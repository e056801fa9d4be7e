/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention: one unit is one head of one item. Scores and weighted sums are products of the gemm kernel on packed keys
 * and values, 32 query rows at a time, so that a block of scores stays in the first-level cache; few queries (a caption
 * step has one) are not worth packing for. Items that have a query each and share their keys (candidates of a caption)
 * are taken together: one unit is one head of 32 of them.
 */
#include "core/backends/cpu/kernels/gemm.h"
#include "core/backends/cpu/kernels/vector.h"

#define QUERY_BLOCK UPI_CPU_QUERY_BLOCK
#define FEW_QUERIES 3

void KERNEL (attention) (const UpiStep *s, gint begin, gint end, void *scratch);

/* One key range as this item sees it. */
typedef struct {
  const gfloat *k, *v;
  gssize ldk, ldv;
  gint length, capacity;
  gfloat *packed_k, *packed_v;
} Range;

static Range
range_of (const UpiStep *s, guint k, guint v, guint lengths, gint n, gssize head)
{
  const UpiTensor *kt = &s->in[k], *vt = &s->in[v];
  const gint32 *length = lengths < s->op->n_inputs ? s->in[lengths].data : NULL;
  gint rows = kt->shape.dim[1], count = length != NULL ? CLAMP (length[n], 0, rows) : rows;

  return (Range){ (const gfloat *) kt->data + (kt->shape.dim[0] > 1 ? (gssize) n * kt->stride[0] : 0) + head,
    (const gfloat *) vt->data + (vt->shape.dim[0] > 1 ? (gssize) n * vt->stride[0] : 0) + head, kt->stride[1],
    vt->stride[1], count, rows, NULL, NULL };
}

/* One query row against all keys that it sees: scores in p, then the weighted sum of values. */
static void
one_query (const gfloat *q, gfloat *out, const Range *ranges, const gint *seen, gint n_ranges, gint width, gfloat scale,
    gfloat *p)
{
  gint keys = 0, c;
  gfloat inverse;

  for (gint r = 0; r < n_ranges; r++) {
    for (gint j = 0; j < seen[r]; j++)
      p[keys++] = product_of_rows (q, ranges[r].k + j * ranges[r].ldk, width) * scale;
  }
  inverse = keys > 0 ? 1.0f / softmax_row (p, p, keys, FALSE) : 0;
  for (c = 0; c < width; c += VL) {
    gint left = width - c, at = 0;
    vf acc = vset (0);

    for (gint r = 0; r < n_ranges; r++) {
      for (gint j = 0; j < seen[r]; j++) {
        const gfloat *v = ranges[r].v + j * ranges[r].ldv + c;

        acc += p[at++] * (left < VL ? vload_part (v, left) : vload (v));
      }
    }
    if (left < VL)
      vstore_part (out + c, acc * inverse, left);
    else
      vstore (out + c, acc * inverse);
  }
}

/* Scores of a query row against the keys of a range, in p: four at a time, so that their sums are added as one. */
static void
scores (const gfloat *q, const Range *range, gint width, gfloat scale, gfloat *p)
{
  gint whole = width % VL == 0 ? range->length / 4 * 4 : 0;

  for (gint j = 0; j < whole; j += 4) {
    const gfloat *k = range->k + j * range->ldk;
    vf dot[4] = { vset (0), vset (0), vset (0), vset (0) };

    for (gint c = 0; c < width; c += VL) {
      vf value = vload (q + c);

      UNROLL (4)
      for (gint i = 0; i < 4; i++)
        dot[i] += value * vload (k + i * range->ldk + c);
    }
    *(v4_any *) (p + j) = vsum4 (dot[0], dot[1], dot[2], dot[3]) * scale;
  }
  for (gint j = whole; j < range->length; j++)
    p[j] = product_of_rows (q, range->k + j * range->ldk, width) * scale;
}

/* One head of items that have a query each and share the keys and values of the first range: a value is read once for
 * ITEMS of them, whose sums do not wait for each other. p [items, stride], the second range's scores behind the first
 * one's. */
#define ITEMS 8
static void
shared_values (
    const UpiStep *s, gint first, gint items, gssize head, gint width, gint keys, gint stride, const gfloat *p)
{
  const UpiTensor *out = &s->out;
  const Range shared = range_of (s, 1, 2, 3, first, head);
  const gboolean own = s->op->n_inputs > 4 && s->in[4].data != NULL;

  for (gint begin = 0; begin < items; begin += ITEMS) {
    gint n = MIN (ITEMS, items - begin);
    const gfloat *rows[ITEMS];

    for (gint i = 0; i < ITEMS; i++)
      rows[i] = p + (gssize) (begin + MIN (i, n - 1)) * stride;
    for (gint c = 0; c < width; c += VL) {
      const gint left = width - c;
      vf acc[ITEMS];
      gfloat sums[ITEMS][VL];

      UNROLL (8)
      for (gint i = 0; i < ITEMS; i++)
        acc[i] = vset (0);
      for (gint j = 0; j < keys; j++) {
        const gfloat *v = shared.v + j * shared.ldv + c;
        vf value = left < VL ? vload_part (v, left) : vload (v);

        UNROLL (8)
        for (gint i = 0; i < ITEMS; i++)
          acc[i] += rows[i][j] * value;
      }
      UNROLL (8)
      for (gint i = 0; i < ITEMS; i++)
        vstore (sums[i], acc[i]);
      for (gint i = 0; i < n; i++) {
        gint item = first + begin + i;
        vf sum = vload (sums[i]);
        gfloat *to = (gfloat *) out->data + (gssize) item * out->stride[0] + head + c;

        if (own) {
          Range text = range_of (s, 4, 5, 6, item, head);

          for (gint j = 0; j < text.length; j++) {
            const gfloat *v = text.v + j * text.ldv + c;

            sum += rows[i][keys + j] * (left < VL ? vload_part (v, left) : vload (v));
          }
        }
        if (left < VL)
          vstore_part (to, sum, left);
        else
          vstore (to, sum);
      }
    }
  }
}

/* Units are the heads of QUERY_BLOCK items. */
static void
shared_keys (const UpiStep *s, gint begin, gint end, gfloat *p)
{
  const UpiTensor *q = &s->in[0];
  const gint heads = s->op->u.attention.heads, width = upi_shape_width (&q->shape) / heads, items = q->shape.dim[0];
  const gboolean own = s->op->n_inputs > 4 && s->in[4].data != NULL;
  const gint keys = s->in[1].shape.dim[1], stride = keys + (own ? s->in[4].shape.dim[1] : 0);
  const gfloat scale = 1.0f / sqrtf ((gfloat) width);

  for (gint unit = begin; unit < end; unit++) {
    gint first = unit / heads * QUERY_BLOCK, n = MIN (QUERY_BLOCK, items - first);
    gssize head = unit % heads * width;

    for (gint i = 0; i < n; i++) {
      const gfloat *row = (const gfloat *) q->data + (gssize) (first + i) * q->stride[0] + head;
      gfloat *scored = p + (gssize) i * stride;
      Range image = range_of (s, 1, 2, 3, first + i, head), text = { 0 };

      if (own)
        text = range_of (s, 4, 5, 6, first + i, head);
      scores (row, &image, width, scale, scored);
      scores (row, &text, width, scale, scored + image.length);
      softmax_row (scored, scored, image.length + text.length, TRUE);
      if (image.length == keys)
        continue;
      /* what this item does not see of the shared keys counts nothing */
      memmove (scored + keys, scored + image.length, sizeof (gfloat) * (gsize) text.length);
      memset (scored + image.length, 0, sizeof (gfloat) * (gsize) (keys - image.length));
    }
    shared_values (s, first, n, head, width, keys, stride, p);
  }
}

void
KERNEL (attention) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *q = &s->in[0], *out = &s->out;
  const gint heads = s->op->u.attention.heads, width = upi_shape_width (&q->shape) / heads, queries = q->shape.dim[1];
  const gint n_ranges = s->op->n_inputs > 4 && s->in[4].data != NULL ? 2 : 1;
  const gfloat scale = 1.0f / sqrtf ((gfloat) width);

  if (upi_cpu_shares_keys (s)) {
    shared_keys (s, begin, end, scratch);
    return;
  }
  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / heads, head = unit % heads * width, keys = 0;
    const gfloat *qs = (const gfloat *) q->data + (gssize) n * q->stride[0] + head;
    gfloat *os = (gfloat *) out->data + (gssize) n * out->stride[0] + head, *p = scratch;
    Range range[2];

    range[0] = range_of (s, 1, 2, 3, n, head);
    if (n_ranges == 2)
      range[1] = range_of (s, 4, 5, 6, n, head);
    for (gint r = 0; r < n_ranges; r++)
      keys += range[r].length;

    if (queries > FEW_QUERIES) {
      gfloat *packed = p + QUERY_BLOCK * keys;

      for (gint r = 0; r < n_ranges; r++) {
        range[r].packed_k = packed;
        range[r].packed_v = packed + KERNEL (gemm_packed) (width, range[r].length);
        packed = range[r].packed_v + KERNEL (gemm_packed) (range[r].length, width);
        KERNEL (gemm_pack) (range[r].packed_k, range[r].k, 1, range[r].ldk, width, range[r].length);
        KERNEL (gemm_pack) (range[r].packed_v, range[r].v, range[r].ldv, 1, range[r].length, width);
      }
    }

    for (gint first = 0; first < queries; first += QUERY_BLOCK) {
      gint rows = MIN (QUERY_BLOCK, queries - first), at = 0;
      gfloat inverse[QUERY_BLOCK];

      if (queries > FEW_QUERIES) {
        for (gint r = 0; r < n_ranges; at += range[r++].length)
          KERNEL (gemm)
        (&(UpiGemm){ .n = range[r].length,
             .k = width,
             .taps = 1,
             .a = qs + first * q->stride[1],
             .lda = q->stride[1],
             .b = range[r].packed_k,
             .scale = scale,
             .c = p + at,
             .ldc = keys },
            0, rows);
      }
      for (gint t = 0; t < rows; t++) {
        gint seen[2] = { range[0].length, n_ranges == 2 ? range[1].length : 0 }, *last = &seen[n_ranges - 1], sum;

        if (s->op->u.attention.causal)
          *last = CLAMP (*last - queries + first + t + 1, 0, *last);
        sum = seen[0] + seen[1];
        if (queries > FEW_QUERIES) {
          inverse[t] = sum > 0 ? 1.0f / softmax_row (p + t * keys, p + t * keys, sum, FALSE) : 0;
          memset (p + t * keys + sum, 0, sizeof (gfloat) * (gsize) (keys - sum));
        } else {
          one_query (qs + (first + t) * q->stride[1], os + (first + t) * out->stride[1], range, seen, n_ranges, width,
              scale, p);
        }
      }
      if (queries <= FEW_QUERIES)
        continue;
      at = 0;
      for (gint r = 0; r < n_ranges; at += range[r++].length) {
        gfloat *o = os + first * out->stride[1];

        KERNEL (gemm)
        (&(UpiGemm){ .n = width,
             .k = range[r].length,
             .taps = 1,
             .a = p + at,
             .lda = keys,
             .b = range[r].packed_v,
             .residual = r ? o : NULL,
             .ldr = out->stride[1],
             .c = o,
             .ldc = out->stride[1] },
            0, rows);
      }
      for (gint t = 0; t < rows; t++) {
        gfloat *o = os + (first + t) * out->stride[1];

        for (gint c = 0; c < width; c++)
          o[c] *= inverse[t];
      }
    }
  }
}
