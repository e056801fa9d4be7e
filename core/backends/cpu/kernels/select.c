/* Anchors and boxes: top-k, distinct boxes, sine position, box refinement. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (top_k) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (distinct) (const UpiStep *s, gint begin, gint end, void *scratch);
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

/* Whether one of the boxes before box i overlaps it by an IoU above `limit`. edges: x0, y0, x1, y1, area, [total] each */
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
