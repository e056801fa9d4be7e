/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolution, linear layer and product of two values, as matrix products with a fused end. */
#include "core/backends/cpu/kernels/gemm.h"
#include "core/backends/cpu/kernels/rows.h"

void KERNEL (conv2d) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (linear) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (matmul) (const UpiStep *s, gint begin, gint end, void *scratch);

/* Units: output pixels of all items. A 1×1 convolution of stride 1 on evenly spaced pixels reads its rows in place, all
 * others gather. */
void
KERNEL (conv2d) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiCpuState *state = s->state;
  const UpiTensor *x = &s->in[0], *y = &s->out, *r = &s->residual;
  const gint groups = MAX (s->op->u.conv.groups, 1), n = y->shape.dim[3] / groups, k = x->shape.dim[3] / groups;
  const gint width = y->shape.dim[2], pixels = y->shape.dim[1] * width,
             taps = state->kernel_height * state->kernel_width;
  /* Rows of the product end where output (or residual) pixels are not evenly spaced: at the end of a map row. */
  const gboolean even =
      y->stride[1] == width * y->stride[2] && (r->data == NULL || r->stride[1] == width * r->stride[2]);

  while (begin < end) {
    gint item = begin / pixels, first = begin % pixels, oy = first / width;
    gint stop = even ? pixels : (oy + 1) * width, base = even ? 0 : oy * width, count = MIN (stop - first, end - begin);

    for (gint g = 0; g < groups; g++) {
      UpiGemm product = { .n = n,
        .k = k,
        .taps = taps,
        .a = (const gfloat *) x->data + (gssize) item * x->stride[0] + (gssize) g * k,
        .lda = x->stride[2],
        .offsets = state->offsets,
        .zero = state->zero,
        .b = state->weights + (gsize) g * state->group_floats,
        .bias = s->in[2].data != NULL ? (const gfloat *) s->in[2].data + (gssize) g * n : NULL,
        .ldc = y->stride[2],
        .act = s->op->u.conv.act };

      /* Row i of the product is pixel i of the map: the pointers go back by what the rows before have. */
      product.c = (gfloat *) y->data + (gssize) item * y->stride[0] + (even ? 0 : (gssize) oy * y->stride[1])
          - (gssize) base * y->stride[2] + (gssize) g * n;
      if (r->data != NULL) {
        product.residual = (const gfloat *) r->data + (gssize) item * r->stride[0]
            + (even ? 0 : (gssize) oy * r->stride[1]) - (gssize) base * r->stride[2] + (gssize) g * n;
        product.ldr = r->stride[2];
      }
      KERNEL (gemm) (&product, first, first + count);
    }
    begin += count;
  }
}

/* Units: rows. Rows that are not evenly spaced (tokens of a batch that were sliced) go one run of the last leading
 * dimension at a time. */
void
KERNEL (linear) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiCpuState *state = s->state;
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out), rs = { .even = TRUE };
  const gint run = s->out.shape.rank > 1 ? s->out.shape.dim[s->out.shape.rank - 2] : 1,
             last = (gint) s->out.shape.rank - 2;
  gboolean even;

  if (s->residual.data != NULL)
    rs = upi_rows_broadcast (&s->residual, &s->out);
  even = xs.even && ys.even && rs.even;
  while (begin < end) {
    gint stop = even ? end : MIN (end, (begin / run + 1) * run);

    KERNEL (gemm)
    (&(UpiGemm){ .n = upi_shape_width (&s->out.shape),
         .k = upi_shape_width (&s->in[0].shape),
         .taps = 1,
         .a = upi_row (&xs, begin),
         .lda = even ? xs.stride : s->in[0].stride[last],
         .b = state->weights,
         .bias = s->in[2].data,
         .residual = s->residual.data != NULL ? upi_row (&rs, begin) : NULL,
         .ldr = even ? rs.stride : rs.tensor.stride[last],
         .c = upi_row (&ys, begin),
         .ldc = even ? ys.stride : s->out.stride[last],
         .act = s->op->u.act },
        0, stop - begin);
    begin = stop;
  }
}

/* Units: items. a [B,M,K] · b [B,K,N] or, transposed, [B,N,K]; ranks 2 are B = 1. scratch: b packed. */
void
KERNEL (matmul) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *a = &s->in[0], *b = &s->in[1], *c = &s->out;
  const UpiMatmul *m = &s->op->u.matmul;
  const guint ra = a->shape.rank, rb = b->shape.rank, rc = c->shape.rank;
  const gint rows = c->shape.dim[rc - 2], k = a->shape.dim[ra - 1], n = c->shape.dim[rc - 1];
  gfloat *packed = scratch;

  for (gint item = begin; item < end; item++) {
    const gfloat *bs = (const gfloat *) b->data + (rb == 3 && b->shape.dim[0] > 1 ? (gssize) item * b->stride[0] : 0);

    KERNEL (gemm_pack)
    (packed, bs, m->transpose_b ? 1 : b->stride[rb - 2], m->transpose_b ? b->stride[rb - 2] : 1, k, n);
    KERNEL (gemm)
    (&(UpiGemm){ .n = n,
         .k = k,
         .taps = 1,
         .a = (const gfloat *) a->data + (ra == 3 && a->shape.dim[0] > 1 ? (gssize) item * a->stride[0] : 0),
         .lda = a->stride[ra - 2],
         .b = packed,
         .scale = m->scale,
         .c = (gfloat *) c->data + (rc == 3 ? (gssize) item * c->stride[0] : 0),
         .ldc = c->stride[rc - 2] },
        0, rows);
  }
}
