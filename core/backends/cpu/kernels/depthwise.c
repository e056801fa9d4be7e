/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Depthwise convolution, NHWC: a third of the time of a mobile backbone in libraries that treat it as any other
 * convolution.
 *
 * Four output pixels of one vector of channels are kept in registers; with kernel and stride known to the compiler an
 * input value is loaded once for all pixels that see it. At the map's edge columns outside are read from a row of
 * zeros. In maps that fit the second-level cache a block of channels passes by all rows before the next comes: what
 * neighbouring output rows share stays in the first.
 */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

#define PIXELS 4
#define MAX_COLUMNS (3 * 2 + 5) /* that PIXELS neighbours of stride 2 see with a kernel 5 wide */
#define CHANNEL_BLOCK 64
#define BLOCKED_FLOATS (512 * 1024) /* maps larger than this are read through once, all channels of a pixel together */

void KERNEL (depthwise) (const UpiStep *s, gint begin, gint end, void *scratch);

typedef struct {
  const gfloat *x;    /* tap (0, 0) of the first pixel */
  gssize row, column; /* input strides of a row and a pixel */
  const gfloat *w, *bias;
  const gfloat *residual;
  gssize residual_column;
  gfloat *y;
  gssize y_column;
  gint channels, first, last;    /* of [0, channels) those that are computed */
  gint width;                    /* of the kernel */
  gint top, bottom, left, right; /* taps [top, bottom) × [left, right) lie inside the map */
  gfloat low, high;              /* ReLU and ReLU6 are bounds */
  gboolean swish;                /* a hard one, behind the bounds, which are none then */
  /* At the map's edge: each input column that the neighbours see, or zeros that stay where they are from row to row. */
  const gfloat *columns[MAX_COLUMNS];
  gssize rows[MAX_COLUMNS];
} Pixel;

INLINE vf
finish (const Pixel *p, vf acc, gint pixel, gint c, gint left)
{
  if (p->residual != NULL) {
    const gfloat *r = p->residual + pixel * p->residual_column + c;

    acc += left < VL ? vload_part (r, left) : vload (r);
  }
  acc = vmin (vset (p->high), vmax (vset (p->low), acc)); /* a NaN stays one */
  return p->swish ? acc * vhard_sigmoid (acc) : acc;
}

/* The taps of one kernel row over PIXELS neighbours. */
INLINE void
kernel_row (const Pixel *p, vf *acc, gint c, gint ky, const gint k, const gint stride, const gboolean edge)
{
  const gfloat *x = p->x + ky * p->row + c, *w = p->w + (gssize) ky * k * p->channels + c;

  UNROLL (5)
  for (gint kx = 0; kx < k; kx++) {
    vf weight = vload (w + kx * p->channels);

    UNROLL (4)
    for (gint i = 0; i < PIXELS; i++) {
      const gint column = i * stride + kx;

      acc[i] += weight * vload (edge ? p->columns[column] + ky * p->rows[column] + c : x + column * p->column);
    }
  }
}

/* PIXELS neighbours; k, stride constant. The channels are one vector or more, of which the last begins early enough to
 * be whole. edge: columns may lie outside the map. */
INLINE void
pixels (const Pixel *p, const gint k, const gint stride, const gboolean edge)
{
  for (gint next = p->first; next < p->last; next += VL) {
    const gint c = MIN (next, p->last - VL);
    vf acc[PIXELS];

    UNROLL (4)
    for (gint i = 0; i < PIXELS; i++)
      acc[i] = vload (p->bias + c);
    if (p->top == 0 && p->bottom == k && !edge) {
      UNROLL (5)
      for (gint ky = 0; ky < k; ky++)
        kernel_row (p, acc, c, ky, k, stride, edge);
    } else {
      for (gint ky = p->top; ky < p->bottom; ky++)
        kernel_row (p, acc, c, ky, k, stride, edge);
    }
    UNROLL (4)
    for (gint i = 0; i < PIXELS; i++)
      vstore (p->y + i * p->y_column + c, finish (p, acc[i], i, c, VL));
  }
}

#define PIXELS_OF(k, stride)                                                                                           \
  static void pixels_##k##_##stride (const Pixel *p)                                                                   \
  {                                                                                                                    \
    pixels (p, k, stride, FALSE);                                                                                      \
  }                                                                                                                    \
  static void edge_##k##_##stride (const Pixel *p)                                                                     \
  {                                                                                                                    \
    pixels (p, k, stride, TRUE);                                                                                       \
  }
PIXELS_OF (3, 1)
PIXELS_OF (3, 2)
PIXELS_OF (5, 1)
PIXELS_OF (5, 2)

typedef void (*Block) (const Pixel *p);

/* One pixel, any kernel, taps clipped. */
static void
pixel (const Pixel *p)
{
  for (gint c = p->first; c < p->last; c += VL) {
    gint left = p->last - c;
    gboolean whole = left >= VL;
    vf acc = whole ? vload (p->bias + c) : vload_part (p->bias + c, left);

    for (gint ky = p->top; ky < p->bottom; ky++)
      for (gint kx = p->left; kx < p->right; kx++) {
        const gfloat *x = p->x + ky * p->row + kx * p->column + c,
                     *w = p->w + (gssize) (ky * p->width + kx) * p->channels + c;

        acc += whole ? vload (x) * vload (w) : vload_part (x, left) * vload_part (w, left);
      }
    acc = finish (p, acc, 0, c, left);
    if (whole)
      vstore (p->y + c, acc);
    else
      vstore_part (p->y + c, acc, left);
  }
}

/* What is more than bounds or a hard swish, over finished rows. */
static void
activate (const UpiStep *s, gint begin, gint end)
{
  UpiRows ys = upi_rows (&s->out);
  const gint channels = s->out.shape.dim[3], width = s->out.shape.dim[2];

  for (gint row = begin * width; row < end * width; row++) {
    gfloat *y = upi_row (&ys, row);
    gint c;

    for (c = 0; c + VL <= channels; c += VL)
      vstore (y + c, vactivate (vload (y + c), s->op->u.conv.act));
    if (c < channels)
      vstore_part (y + c, vactivate (vload_part (y + c, channels - c), s->op->u.conv.act), channels - c);
  }
}

/* One output row of the channels [p->first, p->last). */
static void
output_row (const UpiStep *s, Pixel *p, const Block *blocks, gint unit)
{
  const UpiConv *conv = &s->op->u.conv;
  const UpiCpuState *d = s->state;
  const UpiTensor *x = &s->in[0], *y = &s->out, *r = &s->residual;
  gint width = x->shape.dim[2], out_width = y->shape.dim[2], stride = MAX (conv->stride, 1), n = unit / y->shape.dim[1],
       oy = unit % y->shape.dim[1];
  gint iy = oy * stride - conv->pad_top;
  const gfloat *line = (const gfloat *) x->data + (gssize) n * x->stride[0] + (gssize) iy * p->row;
  gfloat *out = (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1];
  const gfloat *residual =
      r->data != NULL ? (const gfloat *) r->data + (gssize) n * r->stride[0] + (gssize) oy * r->stride[1] : NULL;

  p->top = MAX (0, -iy);
  p->bottom = MIN (d->kernel_height, x->shape.dim[1] - iy);
  for (gint ox = 0; ox < out_width;) {
    gboolean neighbours = blocks != NULL && out_width >= PIXELS;
    gint ix;

    /* The last neighbours begin early enough to be whole; what was computed already is computed again. */
    if (neighbours)
      ox = MIN (ox, out_width - PIXELS);
    ix = ox * stride - conv->pad_left;
    p->x = line + (gssize) ix * p->column;
    p->y = out + (gssize) ox * p->y_column;
    p->residual = residual != NULL ? residual + (gssize) ox * p->residual_column : NULL;
    if (!neighbours) {
      p->left = MAX (0, -ix);
      p->right = MIN (p->width, width - ix);
      pixel (p);
      ox++;
      continue;
    }
    if (ix >= 0 && ix + (PIXELS - 1) * stride + p->width <= width) {
      blocks[0](p);
    } else {
      for (gint i = 0; i < (PIXELS - 1) * stride + p->width; i++) {
        gboolean inside = ix + i >= 0 && ix + i < width;

        p->columns[i] = inside ? p->x + (gssize) i * p->column : d->zero;
        p->rows[i] = inside ? p->row : 0;
      }
      blocks[1](p);
    }
    ox += PIXELS;
  }
}

/* Units: output rows of all items. */
void
KERNEL (depthwise) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiConv *conv = &s->op->u.conv;
  const UpiCpuState *d = s->state;
  const gint k = d->kernel_width, stride = MAX (conv->stride, 1), channels = s->out.shape.dim[3];
  const gboolean bounded = conv->act == UPI_ACT_RELU || conv->act == UPI_ACT_RELU6;
  Pixel p = { .row = s->in[0].stride[1],
    .column = s->in[0].stride[2],
    .w = d->weights,
    .bias = d->bias,
    .residual_column = s->residual.stride[2],
    .y_column = s->out.stride[2],
    .channels = channels,
    .width = k,
    .low = bounded ? 0 : -INFINITY,
    .high = conv->act == UPI_ACT_RELU6 ? 6 : INFINITY,
    .swish = conv->act == UPI_ACT_HARD_SWISH };
  const gint most = upi_shape_count (&s->in[0].shape) > BLOCKED_FLOATS ? channels : CHANNEL_BLOCK;
  static const Block blocks[2][2][2] = { { { pixels_3_1, edge_3_1 }, { pixels_3_2, edge_3_2 } },
    { { pixels_5_1, edge_5_1 }, { pixels_5_2, edge_5_2 } } };
  const gboolean known = d->kernel_height == k && (k == 3 || k == 5) && stride <= 2;

  for (p.first = 0; p.first < channels; p.first = p.last) {
    gint left = channels - p.first;

    if (left < VL && channels >= VL) { /* the last ones once more, as a whole vector */
      p.first = channels - VL;
      left = VL;
    }
    p.last = p.first + MIN (most, left);
    for (gint unit = begin; unit < end; unit++)
      output_row (s, &p, known && left >= VL ? blocks[k == 5][stride - 1] : NULL, unit);
  }
  if (!act_is_short (conv->act) || conv->act == UPI_ACT_HARD_SIGMOID)
    activate (s, begin, end);
}
