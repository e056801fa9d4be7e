/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is slow, once: weights packed for the instruction set, tables of offsets and interpolation, the choice of kernel
 * or library. */
#include "core/backends/cpu/prepare.h"
#include "core/backends/cpu/onednn.h"
#include "core/memory.h"
#include "core/program/window.h"
#include "core/upi.h"

#include <math.h>

static gfloat *
aligned_floats (gsize count, GError **error)
{
  return UPI_MEMORY_NEW0 (gfloat, count, "packed weights", error);
}

/* w [O, C/groups, kh, kw] → for each group panels of B (tap · C/groups + c, o). */
static gboolean
pack_conv (UpiCpuState *state, const UpiCpuKernels *kernels, const gfloat *w, gint out, gint channels, gint taps,
    gint groups, GError **error)
{
  gint n = out / groups, k = channels * taps;
  g_autofree gfloat *rows = UPI_MEMORY_NEW (gfloat, (gsize) n * (gsize) k, "weights to pack", error);

  state->group_floats = kernels->gemm_packed (k, n);
  state->weights = rows != NULL ? aligned_floats (state->group_floats * (gsize) groups, error) : NULL;
  if (state->weights == NULL)
    return FALSE;
  for (gint g = 0; g < groups; g++) {
    for (gint o = 0; o < n; o++)
      for (gint c = 0; c < channels; c++)
        for (gint tap = 0; tap < taps; tap++)
          rows[(gsize) o * k + tap * channels + c] = w[((gsize) (g * n + o) * channels + c) * taps + tap];
    kernels->gemm_pack (state->weights + (gsize) g * state->group_floats, rows, 1, k, k, n);
  }
  return TRUE;
}

/* Where each tap of each output pixel lies in the input of one item; -1 in the padding. */
static gboolean
conv_offsets (UpiCpuState *state, const UpiTensor *x, const UpiTensor *y, const UpiConv *conv, GError **error)
{
  gint stride = MAX (conv->stride, 1), height = x->shape.dim[1], width = x->shape.dim[2];
  gint32 *at =
      UPI_MEMORY_NEW (gint32, (gsize) y->shape.dim[1] * y->shape.dim[2] * state->kernel_height * state->kernel_width,
          "a convolution's offsets", error);

  if (at == NULL)
    return FALSE;
  state->offsets = at;
  for (gint oy = 0; oy < y->shape.dim[1]; oy++)
    for (gint ox = 0; ox < y->shape.dim[2]; ox++)
      for (gint ky = 0; ky < state->kernel_height; ky++)
        for (gint kx = 0; kx < state->kernel_width; kx++) {
          gint iy = oy * stride + ky - conv->pad_top, ix = ox * stride + kx - conv->pad_left;

          *at++ = iy < 0 || iy >= height || ix < 0 || ix >= width ? -1 : iy * x->stride[1] + ix * x->stride[2];
        }
  return TRUE;
}

/* w [C, 1, kh, kw] → [kh·kw][C]. */
static gboolean
prepare_depthwise (UpiCpuState *state, const UpiCpuKernels *kernels, const UpiStep *s, GError **error)
{
  gint channels = s->out.shape.dim[3], taps = state->kernel_height * state->kernel_width;
  const gfloat *w = s->in[1].data, *bias = s->in[2].data;

  state->kernel = kernels->depthwise;
  state->units = s->out.shape.dim[0] * s->out.shape.dim[1];
  state->weights = aligned_floats ((gsize) taps * channels, error);
  if (state->weights == NULL || (state->bias = aligned_floats ((gsize) channels, error)) == NULL
      || (state->zero = aligned_floats ((gsize) channels, error)) == NULL)
    return FALSE;
  for (gint c = 0; c < channels; c++) {
    state->bias[c] = bias != NULL ? bias[c] : 0;
    for (gint tap = 0; tap < taps; tap++)
      state->weights[tap * channels + c] = w[c * taps + tap];
  }
  return TRUE;
}

static gboolean
prepare_conv (UpiCpuState *state, const UpiCpuKernels *kernels, const UpiStep *s, gboolean library, GError **error)
{
  const UpiConv *conv = &s->op->u.conv;
  const UpiTensor *x = &s->in[0], *w = &s->in[1], *y = &s->out;
  gint groups = MAX (conv->groups, 1), channels = x->shape.dim[3], out = y->shape.dim[3];

  state->kernel_height = w->shape.dim[2];
  state->kernel_width = w->shape.dim[3];
  if (groups == channels && groups == out && groups > 1) {
    return prepare_depthwise (state, kernels, s, error);
  }
  state->units = y->shape.dim[0] * y->shape.dim[1] * y->shape.dim[2];
  state->grain = 24;
  if (library && groups == 1) {
    UpiDnnConv spec = { x, w, s->in[2].data, y,
      s->residual.data != NULL || s->op->residual != UPI_NO_VALUE ? &s->residual : NULL, conv };

    if (!upi_dnn_conv_new (&spec, &state->dnn, error))
      return FALSE;
    if (state->dnn != NULL)
      return TRUE;
  }
  if ((state->kernel_height * state->kernel_width > 1 || conv->stride > 1 || conv->pad_top || conv->pad_left
          || conv->pad_bottom || conv->pad_right || x->stride[1] != x->shape.dim[2] * x->stride[2])
      && !conv_offsets (state, x, y, conv, error))
    return FALSE;
  state->zero = aligned_floats ((gsize) channels / groups, error);
  return state->zero != NULL
      && pack_conv (
          state, kernels, w->data, out, channels / groups, state->kernel_height * state->kernel_width, groups, error);
}

static gboolean
prepare_linear (UpiCpuState *state, const UpiCpuKernels *kernels, const UpiStep *s, gboolean library, gboolean shared,
    GError **error)
{
  const UpiTensor *w = &s->in[1];
  gint in = w->shape.dim[1], out = w->shape.dim[0];

  state->units = (gint) upi_shape_rows (&s->out.shape);
  state->grain = 24;
  if (shared) {
    state->packed = upi_cpu_packed_get (kernels, w->data, in, out, error);
    if (state->packed != NULL)
      state->weights = upi_cpu_packed_panels (state->packed);
    return state->packed != NULL;
  }
  if (library && state->units > 1) {
    /* The same as a 1×1 convolution of a map of one row; the library wants contiguous rows. */
    UpiTensor x = s->in[0], y = s->out, weight = *w, residual = s->residual;
    UpiConv conv = { .act = s->op->u.act };

    if (upi_tensor_is_contiguous (&x) && upi_tensor_is_contiguous (&y)
        && (s->op->residual == UPI_NO_VALUE
            || (upi_tensor_is_contiguous (&residual) && upi_shape_equal (&residual.shape, &y.shape)))) {
      UpiDnnConv spec = { &x, &weight, s->in[2].data, &y, s->op->residual != UPI_NO_VALUE ? &residual : NULL, &conv };

      x.shape = UPI_SHAPE4 (1, 1, state->units, in);
      y.shape = UPI_SHAPE4 (1, 1, state->units, out);
      weight.shape = UPI_SHAPE4 (out, in, 1, 1);
      upi_shape_strides (&x.shape, x.stride);
      upi_shape_strides (&y.shape, y.stride);
      residual.shape = y.shape;
      upi_shape_strides (&residual.shape, residual.stride);
      if (!upi_dnn_conv_new (&spec, &state->dnn, error))
        return FALSE;
      if (state->dnn != NULL)
        return TRUE;
    }
  }
  state->weights = aligned_floats (kernels->gemm_packed (in, out), error);
  if (state->weights != NULL)
    kernels->gemm_pack (state->weights, w->data, 1, in, in, out);
  return state->weights != NULL;
}

/* Bilinear, half-pixel centres, edges clamped: for each output line the two source lines and the weight of the
 * second; nearest: the first alone. */
static void
resize_lines (gboolean nearest, gint in, gint out, gint stride, gint32 *first, gint32 *second, gfloat *weight)
{
  for (gint i = 0; i < out; i++) {
    gfloat at =
        nearest ? (gfloat) (i * in / out) : MAX (((gfloat) i + 0.5f) * ((gfloat) in / (gfloat) out) - 0.5f, 0.0f);
    gint line = MIN ((gint) at, in - 1);

    first[i] = line * stride;
    second[i] = MIN (line + 1, in - 1) * stride;
    weight[i] = at - (gfloat) line;
  }
}

static gboolean
prepare_resize (UpiCpuState *state, const UpiStep *s, GError **error)
{
  gint height = s->out.shape.dim[1], width = s->out.shape.dim[2], lines = height + width;
  gboolean nearest = s->op->u.resize.nearest;

  state->units = s->out.shape.dim[0] * height;
  state->weights = aligned_floats ((gsize) lines, error);
  if (state->weights == NULL
      || (state->offsets = UPI_MEMORY_NEW (gint32, 2 * (gsize) lines, "a resize's lines", error)) == NULL)
    return FALSE;
  resize_lines (nearest, s->in[0].shape.dim[1], height, s->in[0].stride[1], state->offsets, state->offsets + lines,
      state->weights);
  resize_lines (nearest, s->in[0].shape.dim[2], width, s->in[0].stride[2], state->offsets + height,
      state->offsets + lines + height, state->weights + height);
  return TRUE;
}

static gboolean
prepare_sine (UpiCpuState *state, const UpiStep *s, GError **error)
{
  gint features = s->op->u.sine.features, pairs = (features + 1) / 2;

  state->units = (gint) upi_shape_rows (&s->out.shape);
  state->weights = aligned_floats ((gsize) pairs, error);
  for (gint p = 0; p < pairs && state->weights != NULL; p++)
    state->weights[p] = (gfloat) (2 * G_PI / pow (10000.0, 2.0 * p / features));
  return state->weights != NULL;
}

static gsize
attention_scratch (const UpiCpuKernels *kernels, const UpiStep *s)
{
  gint width = upi_shape_width (&s->in[0].shape) / s->op->u.attention.heads;
  gsize floats = 0;

  for (guint range = 0; range < 2; range++) {
    guint input = range ? 4 : 1;
    gint keys = input < s->op->n_inputs ? s->in[input].shape.dim[1] : 0;

    floats +=
        (gsize) keys * UPI_CPU_QUERY_BLOCK + kernels->gemm_packed (width, keys) + kernels->gemm_packed (keys, width);
  }
  return floats * sizeof (gfloat);
}

/* The kernel's scratchpad, as window_init() divides it: four biases and the scores, a head's mixed values, where the
 * cells lie, packed keys and values; its table [(2·window - 1)², heads] head by head. */
static gboolean
prepare_window (UpiCpuState *state, const UpiCpuKernels *kernels, const UpiStep *s, GError **error)
{
  const UpiWindow *window = &s->op->u.window;
  gint cells = window->window * window->window, width = s->out.shape.dim[3] / window->heads,
       entries = s->in[2].shape.dim[0];
  gint stride = upi_cpu_window_stride (cells);
  const gfloat *table = s->in[2].data;

  state->units = s->out.shape.dim[0] * upi_window_side (s->out.shape.dim[1], window).windows
      * upi_window_side (s->out.shape.dim[2], window).windows * window->heads;
  state->scratch = ((gsize) cells * (gsize) (4 * stride + MAX (stride, width) + width + 1)
                       + kernels->gemm_packed (width, cells) + kernels->gemm_packed (cells, width))
      * sizeof (gfloat);
  state->weights = aligned_floats ((gsize) entries * (gsize) window->heads, error);
  if (state->weights == NULL || (state->zero = aligned_floats ((gsize) width, error)) == NULL)
    return FALSE;
  for (gint i = 0; i < entries; i++)
    for (gint head = 0; head < window->heads; head++)
      state->weights[(gsize) head * entries + i] = table[(gsize) i * window->heads + head];
  return TRUE;
}

gboolean
upi_cpu_prepare (UpiCpuState *state, const UpiCpuKernels *kernels, gboolean library, gboolean shared, const UpiStep *s,
    GError **error)
{
  const UpiOp *op = s->op;
  gint items = s->out.shape.dim[0], width = upi_shape_width (&s->in[0].shape);

  state->kernel = kernels->kernel[op->kind];
  state->grain = 1;
  state->units = (gint) upi_shape_rows (&s->out.shape);
  switch (op->kind) {
  case UPI_OP_CONV2D:
    if (!prepare_conv (state, kernels, s, library, error))
      return FALSE;
    break;
  case UPI_OP_LINEAR:
    if (!prepare_linear (state, kernels, s, library, shared, error))
      return FALSE;
    break;
  case UPI_OP_MATMUL:
    state->units = s->out.shape.rank == 3 ? items : 1;
    state->scratch = kernels->gemm_packed (width, upi_shape_width (&s->out.shape)) * sizeof (gfloat);
    break;
  case UPI_OP_ATTENTION:
    state->units = (upi_cpu_shares_keys (s) ? (items + UPI_CPU_QUERY_BLOCK - 1) / UPI_CPU_QUERY_BLOCK : items)
        * op->u.attention.heads;
    state->scratch = attention_scratch (kernels, s);
    break;
  case UPI_OP_WINDOW_ATTENTION:
    if (!prepare_window (state, kernels, s, error))
      return FALSE;
    break;
  case UPI_OP_DEFORMABLE_ATTENTION:
    if (op->u.deformable.levels * op->u.deformable.points > UPI_CPU_MAX_SAMPLES) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s: deformable attention with %d levels × %d points; the cpu backend takes up to %d "
          "samples a head",
          op->part != NULL ? op->part : "program", op->u.deformable.levels, op->u.deformable.points,
          UPI_CPU_MAX_SAMPLES);
      return FALSE;
    }
    break;
  case UPI_OP_LAYER_NORM:
    state->scratch = (gsize) width * sizeof (gfloat);
    break;
  case UPI_OP_GROUP_NORM:
    state->units = items;
    state->scratch = (gsize) width * (2 * sizeof (gdouble) + 4 * sizeof (gfloat));
    break;
  case UPI_OP_RESIZE:
    if (!prepare_resize (state, s, error))
      return FALSE;
    break;
  case UPI_OP_MAX_POOL:
  case UPI_OP_ADAPTIVE_AVG_POOL:
    state->units = items * s->out.shape.dim[1];
    break;
  case UPI_OP_MEAN_TOKENS:
  case UPI_OP_STORE_ROWS:
    state->units = items;
    break;
  case UPI_OP_TOP_K:
    state->units = items;
    state->scratch = (gsize) s->out.shape.dim[1] * 2 * sizeof (gfloat);
    break;
  case UPI_OP_DISTINCT:
    state->units = items;
    state->scratch = (gsize) s->in[0].shape.dim[1] * 6 * sizeof (gfloat);
    break;
  case UPI_OP_ANCHOR_MAX: /* five edges and the overlap of each anchor, whole vectors of any instruction set */
    state->scratch = ((gsize) s->in[1].shape.dim[1] + 15) / 16 * 16 * 6 * sizeof (gfloat);
    break;
  case UPI_OP_SINE_POSITION:
    if (!prepare_sine (state, s, error))
      return FALSE;
    break;
  default:
    break;
  }
  if (state->dnn != NULL)
    state->scratch = upi_dnn_scratch (state->dnn);
  return TRUE;
}

void
upi_cpu_state_free (UpiCpuState *state)
{
  if (state->packed != NULL)
    upi_cpu_packed_unref (state->packed);
  else
    g_free (state->weights);
  g_free (state->bias);
  g_free (state->zero);
  g_free (state->offsets);
  upi_dnn_free (state->dnn);
  g_free (state);
}
