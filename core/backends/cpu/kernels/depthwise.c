/* Depthwise convolution, NHWC: a third of the time of a mobile backbone in libraries that treat it as any other convolution.
 *
 * Four output pixels of one vector of channels are kept in registers; with kernel and stride known to the compiler an input value is
 * loaded once for all pixels that see it. Border pixels are taken one by one with their taps clipped.
 */
#include "core/backends/cpu/kernels/vector.h"

#define PIXELS 4

void KERNEL (depthwise) (const UpiStep *s, gint begin, gint end, void *scratch);

typedef struct {
  const gfloat *x;    /* tap (0, 0) of the first pixel */
  gssize row, column; /* input strides of a row and a pixel */
  const gfloat *w, *bias;
  const gfloat *residual;
  gssize residual_column;
  gfloat *y;
  gssize y_column;
  gint channels, width;          /* kernel width */
  gint top, bottom, left, right; /* taps [top, bottom) × [left, right) lie inside the map */
  UpiAct act;
} Pixel;

INLINE vf
finish (const Pixel *p, vf acc, gint pixel, gint c, gint left)
{
  if (p->residual) {
    const gfloat *r = p->residual + pixel * p->residual_column + c;

    acc += left < VL ? vload_part (r, left) : vload (r);
  }
  return vactivate (acc, p->act);
}

/* PIXELS neighbours whose taps all lie inside the map's width; k, stride constant. */
INLINE void
pixels (const Pixel *p, const gint k, const gint stride)
{
  gint c;

  for (c = 0; c + VL <= p->channels; c += VL) {
    vf acc[PIXELS];

#pragma GCC unroll 4
    for (gint i = 0; i < PIXELS; i++)
      acc[i] = vload (p->bias + c);
    for (gint ky = p->top; ky < p->bottom; ky++) {
      const gfloat *x = p->x + ky * p->row + c, *w = p->w + (gssize) ky * k * p->channels + c;

#pragma GCC unroll 5
      for (gint kx = 0; kx < k; kx++) {
        vf weight = vload (w + kx * p->channels);

#pragma GCC unroll 4
        for (gint i = 0; i < PIXELS; i++)
          acc[i] += weight * vload (x + (i * stride + kx) * p->column);
      }
    }
#pragma GCC unroll 4
    for (gint i = 0; i < PIXELS; i++)
      vstore (p->y + i * p->y_column + c, finish (p, acc[i], i, c, VL));
  }
  for (; c < p->channels; c += VL) {
    gint left = p->channels - c;

    for (gint i = 0; i < PIXELS; i++) {
      vf acc = vload_part (p->bias + c, left);

      for (gint ky = p->top; ky < p->bottom; ky++)
        for (gint kx = 0; kx < k; kx++)
          acc += vload_part (p->w + (gssize) (ky * k + kx) * p->channels + c, left)
              * vload_part (p->x + ky * p->row + (i * stride + kx) * p->column + c, left);
      vstore_part (p->y + i * p->y_column + c, finish (p, acc, i, c, left), left);
    }
  }
}

static void
pixels_3_1 (const Pixel *p)
{
  pixels (p, 3, 1);
}

static void
pixels_3_2 (const Pixel *p)
{
  pixels (p, 3, 2);
}

static void
pixels_5_1 (const Pixel *p)
{
  pixels (p, 5, 1);
}

static void
pixels_5_2 (const Pixel *p)
{
  pixels (p, 5, 2);
}

/* One pixel, any kernel, taps clipped. */
static void
pixel (const Pixel *p)
{
  for (gint c = 0; c < p->channels; c += VL) {
    gint left = p->channels - c;
    gboolean whole = left >= VL;
    vf acc = whole ? vload (p->bias + c) : vload_part (p->bias + c, left);

    for (gint ky = p->top; ky < p->bottom; ky++)
      for (gint kx = p->left; kx < p->right; kx++) {
        const gfloat *x = p->x + ky * p->row + kx * p->column + c, *w = p->w + (gssize) (ky * p->width + kx) * p->channels + c;

        acc += whole ? vload (x) * vload (w) : vload_part (x, left) * vload_part (w, left);
      }
    acc = finish (p, acc, 0, c, left);
    if (whole)
      vstore (p->y + c, acc);
    else
      vstore_part (p->y + c, acc, left);
  }
}

/* Units: output rows of all items. */
void
KERNEL (depthwise) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiConv *conv = &s->op->u.conv;
  const UpiCpuState *d = s->state;
  const UpiTensor *x = &s->in[0], *y = &s->out, *r = &s->residual;
  gint height = x->shape.dim[1], width = x->shape.dim[2], out_height = y->shape.dim[1], out_width = y->shape.dim[2];
  gint stride = MAX (conv->stride, 1), kh = d->kernel_height, kw = d->kernel_width;
  void (*block) (const Pixel *) = NULL;

  if (kh == kw && stride <= 2 && (kh == 3 || kh == 5))
    block = kh == 3 ? (stride == 1 ? pixels_3_1 : pixels_3_2) : (stride == 1 ? pixels_5_1 : pixels_5_2);

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / out_height, oy = unit % out_height, iy = oy * stride - conv->pad_top;
    const gfloat *image = (const gfloat *) x->data + (gssize) n * x->stride[0];
    gfloat *out = (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1];
    const gfloat *residual = r->data ? (const gfloat *) r->data + (gssize) n * r->stride[0] + (gssize) oy * r->stride[1] : NULL;
    Pixel p = { .row = x->stride[1],
      .column = x->stride[2],
      .w = d->weights,
      .bias = d->bias,
      .residual_column = r->stride[2],
      .y_column = y->stride[2],
      .channels = y->shape.dim[3],
      .width = kw,
      .act = conv->act };

    p.top = MAX (0, -iy);
    p.bottom = MIN (kh, height - iy);
    for (gint ox = 0; ox < out_width;) {
      gint ix = ox * stride - conv->pad_left;

      p.x = image + (gssize) iy * p.row + (gssize) ix * p.column;
      p.y = out + (gssize) ox * p.y_column;
      p.residual = residual ? residual + (gssize) ox * p.residual_column : NULL;
      if (block && ix >= 0 && ox + PIXELS <= out_width && ix + (PIXELS - 1) * stride + kw <= width) {
        block (&p);
        ox += PIXELS;
      } else {
        p.left = MAX (0, -ix);
        p.right = MIN (kw, width - ix);
        pixel (&p);
        ox++;
      }
    }
  }
}
