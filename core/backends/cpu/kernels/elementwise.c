/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elementwise operations over rows: add, mul (with broadcast), activation, copy, and the rows that are only moved:
 * gather, embed, store. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (add) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (mul) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (activation) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (copy) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (gather) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (embed) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (store_rows) (const UpiStep *s, gint begin, gint end, void *scratch);

INLINE void
binary (const UpiStep *s, gint begin, gint end, const gboolean product)
{
  UpiRows xs = upi_rows (&s->in[0]), bs = upi_rows_broadcast (&s->in[1], &s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->out.shape);
  const gboolean single = upi_shape_width (&s->in[1].shape) == 1 && width > 1;
  const UpiAct act = product ? UPI_ACT_NONE : s->op->u.act;

  for (gint row = begin; row < end; row++) {
    const gfloat *x = upi_row (&xs, row), *b = upi_row (&bs, row);
    gfloat *y = upi_row (&ys, row);
    vf all = vset (b[0]);
    gint c;

    for (c = 0; c + VL <= width; c += VL) {
      vf v = vload (x + c), o = single ? all : vload (b + c);

      vstore (y + c, vactivate (product ? v * o : v + o, act));
    }
    if (c < width) {
      vf v = vload_part (x + c, width - c), o = single ? all : vload_part (b + c, width - c);

      vstore_part (y + c, vactivate (product ? v * o : v + o, act), width - c);
    }
  }
}

/* Units of all but gather, embed and store: rows of the output. */
void
KERNEL (add) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  binary (s, begin, end, FALSE);
}

void
KERNEL (mul) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  binary (s, begin, end, TRUE);
}

void
KERNEL (activation) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row++) {
    const gfloat *x = upi_row (&xs, row);
    gfloat *y = upi_row (&ys, row);
    gint c;

    for (c = 0; c + VL <= width; c += VL)
      vstore (y + c, vactivate (vload (x + c), s->op->u.act));
    if (c < width)
      vstore_part (y + c, vactivate (vload_part (x + c, width - c), s->op->u.act), width - c);
  }
}

void
KERNEL (copy) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const gsize bytes = sizeof (gfloat) * (gsize) upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row++)
    memcpy (upi_row (&ys, row), upi_row (&xs, row), bytes);
}

/* Units: rows of the output; x [N or 1, T, C], indices [N, K]. */
void
KERNEL (gather) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *indices = &s->in[1], *y = &s->out;
  const gint count = y->shape.dim[1];

  for (gint row = begin; row < end; row++) {
    gint n = row / count, k = row % count;
    gint32 index = ((const gint32 *) indices->data)[(gssize) n * indices->stride[0] + k];

    memcpy ((gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) k * y->stride[1],
        (const gfloat *) x->data + (x->shape.dim[0] > 1 ? (gssize) n * x->stride[0] : 0)
            + (gssize) index * x->stride[1],
        sizeof (gfloat) * (gsize) y->shape.dim[2]);
  }
}

/* Units: rows of the output; table [V, C], ids [N, T]. */
void
KERNEL (embed) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *table = &s->in[0], *ids = &s->in[1], *y = &s->out;
  const gint count = y->shape.dim[1];

  for (gint row = begin; row < end; row++) {
    gint n = row / count, t = row % count;
    gint32 id = ((const gint32 *) ids->data)[(gssize) n * ids->stride[0] + t];

    memcpy ((gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) t * y->stride[1],
        (const gfloat *) table->data + (gssize) id * table->stride[0], sizeof (gfloat) * (gsize) y->shape.dim[2]);
  }
}

/* Units: items; cache [N, capacity, C], rows [N, R, C], start [N]. Rows that would fall outside the cache are not
 * written. */
void
KERNEL (store_rows) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *cache = &s->in[0], *rows = &s->in[1];
  const gint32 *start = s->in[2].data;

  for (gint n = begin; n < end; n++) {
    for (gint r = 0; r < rows->shape.dim[1]; r++) {
      gint64 to = (gint64) start[n] + r;

      if (to >= 0 && to < cache->shape.dim[1])
        memcpy ((gfloat *) cache->data + (gssize) n * cache->stride[0] + to * cache->stride[1],
            (const gfloat *) rows->data + (gssize) n * rows->stride[0] + (gssize) r * rows->stride[1],
            sizeof (gfloat) * (gsize) rows->shape.dim[2]);
    }
  }
}
