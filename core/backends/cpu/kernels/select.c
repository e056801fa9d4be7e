/* Anchors and boxes: top-k, sine position, box refinement. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (top_k) (const UpiStep *s, gint begin, gint end, void *scratch);
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
