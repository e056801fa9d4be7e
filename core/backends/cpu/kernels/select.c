/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Anchors and boxes: top-k, distinct boxes, what anchors say of a box, sine position, box refinement. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (top_k) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (distinct) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (anchor_max) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (sine_position) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (box_refine) (const UpiStep *s, gint begin, gint end, void *scratch);

typedef struct {
  gfloat score;
  gint32 index;
} Candidate;

/* TRUE if a comes after b: lower score (a NaN is lowest), or equal and a higher index. */
INLINE gboolean
worse (Candidate a, Candidate b)
{
  if (a.score < b.score || (isnan (a.score) && !isnan (b.score)))
    return TRUE;
  if (a.score > b.score || (isnan (b.score) && !isnan (a.score)))
    return FALSE;
  return a.index > b.index;
}

/* A heap whose top is the worst of those kept. */
static void
sift (Candidate *heap, gint count, gint at)
{
  Candidate moved = heap[at];

  for (gint child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
    if (child + 1 < count && worse (heap[child + 1], heap[child]))
      child++;
    if (!worse (heap[child], moved))
      break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

/* Units: items; scores [N,T] or [N,T,1]. scratch: count candidates. */
void
KERNEL (top_k) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  const gint count = y->shape.dim[1], total = x->shape.dim[1];
  Candidate *heap = scratch;

  for (gint n = begin; n < end; n++) {
    const gfloat *scores = (const gfloat *) x->data + (gssize) n * x->stride[0];
    gint32 *out = (gint32 *) y->data + (gssize) n * y->stride[0];

    for (gint i = 0; i < count; i++)
      heap[i] = (Candidate){ scores[(gssize) i * x->stride[1]], i };
    for (gint i = count / 2; i-- > 0;)
      sift (heap, count, i);
    for (gint i = count; i < total; i++) {
      Candidate c = { scores[(gssize) i * x->stride[1]], i };

      if (worse (heap[0], c)) {
        heap[0] = c;
        sift (heap, count, 0);
      }
    }
    for (gint left = count; left-- > 0;) {
      out[left] = heap[0].index;
      heap[0] = heap[left];
      sift (heap, left, 0);
    }
  }
}

/* Whether one of the boxes before box i overlaps it by an IoU above `limit`. edges: x0, y0, x1, y1, area, [total]
 * each */
static gboolean
overlapped (const gfloat *edges, gint total, gint i, gfloat limit)
{
  const gfloat *x0 = edges, *y0 = x0 + total, *x1 = y0 + total, *y1 = x1 + total, *area = y1 + total;
  gint hits = 0;

  for (gint j = 0; j < i; j++) {
    gfloat w = MIN (x1[i], x1[j]) - MAX (x0[i], x0[j]), h = MIN (y1[i], y1[j]) - MAX (y0[i], y0[j]);
    gfloat inter = MAX (w, 0.0f) * MAX (h, 0.0f);

    hits |= inter > limit * (area[i] + area[j] - inter);
  }
  return hits != 0;
}

/* Units: items; boxes [N,M,4], indices [N,M]. scratch: 6 M numbers. */
void
KERNEL (distinct) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *boxes = &s->in[0];
  const gint total = boxes->shape.dim[1], count = s->out.shape.dim[1];
  gfloat *edges = scratch;
  gint32 *behind = (gint32 *) (edges + 5 * (gssize) total);

  for (gint n = begin; n < end; n++) {
    const gint32 *indices = (const gint32 *) s->in[1].data + (gssize) n * upi_tensor_step (&s->in[1], 0);
    gint32 *out = (gint32 *) s->out.data + (gssize) n * upi_tensor_step (&s->out, 0);
    gint found = 0, left = 0;

    for (gint i = 0; i < total && found < count; i++) {
      const gfloat *box = (const gfloat *) boxes->data + (gssize) n * boxes->stride[0] + (gssize) i * boxes->stride[1];

      for (gint axis = 0; axis < 2; axis++) {
        edges[axis * total + i] = box[axis] - box[2 + axis] / 2;
        edges[(2 + axis) * total + i] = box[axis] + box[2 + axis] / 2;
      }
      edges[4 * total + i] = (edges[2 * total + i] - edges[i]) * (edges[3 * total + i] - edges[total + i]);
      if (overlapped (edges, total, i, s->op->u.distinct.limit))
        behind[left++] = indices[i];
      else
        out[found++] = indices[i];
    }
    for (gint i = 0; found < count; i++)
      out[found++] = behind[i];
  }
}

/* Of an item's anchors [A,4] the edges x0, y0, x1, y1 and the area, room each; what fills the last vector overlaps
 * nothing. */
static void
anchor_edges (const UpiTensor *anchors, gint n, gfloat *edges, gint room)
{
  const gint total = anchors->shape.dim[1];
  const gfloat *item =
      (const gfloat *) anchors->data + (anchors->shape.dim[0] == 1 ? 0 : (gssize) n * anchors->stride[0]);

  for (gint a = 0; a < room; a++) {
    const gfloat *box = item + (gssize) MIN (a, total - 1) * anchors->stride[1];
    gfloat sides[2];

    for (gint axis = 0; axis < 2; axis++) {
      edges[axis * room + a] = a < total ? box[axis] - box[2 + axis] / 2 : 0;
      edges[(2 + axis) * room + a] = a < total ? box[axis] + box[2 + axis] / 2 : 0;
      sides[axis] = MAX (edges[(2 + axis) * room + a] - edges[axis * room + a], 0.0f);
    }
    edges[4 * room + a] = sides[0] * sides[1];
  }
}

/* IoU of a box (cx, cy, w, h) with every anchor; returns the largest, 0 if it is no number. */
static gfloat
anchor_overlaps (const gfloat *box, const gfloat *edges, gint room, gfloat *overlaps)
{
  const gfloat x0 = box[0] - box[2] / 2, x1 = box[0] + box[2] / 2, y0 = box[1] - box[3] / 2, y1 = box[1] + box[3] / 2;
  const gfloat area = MAX (x1 - x0, 0.0f) * MAX (y1 - y0, 0.0f);
  const vf zero = vset (0);
  vf best = zero;

  if (isnan (x0) || isnan (x1) || isnan (y0) || isnan (y1))
    return 0;
  for (gint a = 0; a < room; a += VL) {
    vf w = vmin (vload (edges + 2 * room + a), vset (x1)) - vmax (vload (edges + a), vset (x0));
    vf h = vmin (vload (edges + 3 * room + a), vset (y1)) - vmax (vload (edges + room + a), vset (y0));
    vf inter = vmax (w, zero) * vmax (h, zero);
    vf iou = inter / vmax (vload (edges + 4 * room + a) + area - inter, vset (1e-9f));

    vstore (overlaps + a, iou);
    best = vmax (iou, best);
  }
  return vmax_across (best);
}

/* Units: boxes of all items. scratch: 6 numbers an anchor. */
void
KERNEL (anchor_max) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *boxes = &s->in[0], *scores = &s->in[1], *anchors = &s->in[2], *y = &s->out;
  const UpiAnchorMax *attributes = &s->op->u.anchor_max;
  const gint count = boxes->shape.dim[1], total = scores->shape.dim[1], columns = scores->shape.dim[2],
             room = (total + 15) / 16 * 16;
  gfloat *edges = scratch, *overlaps = edges + 5 * (gssize) room;
  gint of = -1; /* the item whose anchors the edges are */

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / count, m = unit % count, item = anchors->shape.dim[0] == 1 ? 0 : n;
    gfloat *out = (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) m * y->stride[1];
    gfloat best;

    if (item != of)
      anchor_edges (anchors, item, edges, room);
    of = item;
    best =
        anchor_overlaps ((const gfloat *) boxes->data + (gssize) n * boxes->stride[0] + (gssize) m * boxes->stride[1],
            edges, room, overlaps);
    for (gint k = 0; k < columns; k++)
      out[k] = attributes->least;
    for (gint a = 0; a < total && best > 0; a++) {
      const gfloat *score =
          (const gfloat *) scores->data + (gssize) n * scores->stride[0] + (gssize) a * scores->stride[1];

      if (overlaps[a] >= attributes->ratio * best)
        for (gint k = 0; k < columns; k++)
          out[k] = MAX (out[k], score[k]);
    }
  }
}

/* Units: rows. Coordinates (cx, cy, w, h) → features of (cy, cx, w, h), sine and cosine in turn. */
void
KERNEL (sine_position) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  static const gint order[4] = { 1, 0, 2, 3 };
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const UpiCpuState *table = s->state;
  const gint features = s->op->u.sine.features, pairs = (features + 1) / 2;

  for (gint row = begin; row < end; row++) {
    const gfloat *box = upi_row (&xs, row);
    gfloat *y = upi_row (&ys, row);

    for (gint part = 0; part < 4; part++, y += features) {
      for (gint p = 0; p < pairs; p += VL) {
        gint left = MIN (VL, pairs - p);
        vf scale = left < VL ? vload_part (table->weights + p, left) : vload (table->weights + p), sine, cosine;
        gfloat sines[VL], cosines[VL];

        vsincos (box[order[part]] * scale, &sine, &cosine);
        vstore (sines, sine);
        vstore (cosines, cosine);
        for (gint i = 0; i < left; i++) {
          y[2 * (p + i)] = sines[i];
          if (2 * (p + i) + 1 < features)
            y[2 * (p + i) + 1] = cosines[i];
        }
      }
    }
  }
}

/* Units: rows of four: sigmoid (delta + inverse_sigmoid (reference)), the reference clamped to [1e-5, 1 - 1e-5]. */
void
KERNEL (box_refine) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows ds = upi_rows (&s->in[0]), rs = upi_rows_broadcast (&s->in[1], &s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row++) {
    const gfloat *d = upi_row (&ds, row), *r = upi_row (&rs, row);
    gfloat *y = upi_row (&ys, row);

    for (gint c = 0; c < width; c++) {
      gfloat reference = CLAMP (r[c], 1e-5f, 1.0f - 1e-5f);

      y[c] = 1.0f / (1.0f + expf (-(d[c] + logf (reference / (1.0f - reference)))));
    }
  }
}
