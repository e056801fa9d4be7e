/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers by the names of their tensors. */
#include "core/memory.h"
#include "core/network/layers.h"

#include <string.h>

#define NAME(name, format)                                                                                             \
  g_autofree gchar *name = NULL;                                                                                       \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    va_list args;                                                                                                      \
    va_start (args, format);                                                                                           \
    name = g_strdup_vprintf (format, args);                                                                            \
    va_end (args);                                                                                                     \
  }                                                                                                                    \
  G_STMT_END

static void
add_spec (GArray *specs, UpiDType dtype, UpiShape shape, const gchar *name, const gchar *suffix)
{
  UpiTensorSpec spec = { g_strconcat (name, suffix, NULL), dtype, shape };

  g_array_append_val (specs, spec);
}

void
upi_tensor (GArray *specs, UpiDType dtype, UpiShape shape, const gchar *format, ...)
{
  NAME (name, format);
  add_spec (specs, dtype, shape, name, "");
}

void
upi_tensor_linear (GArray *specs, gint in, gint out, const gchar *format, ...)
{
  NAME (name, format);
  add_spec (specs, UPI_F32, UPI_SHAPE2 (out, in), name, ".weight");
  add_spec (specs, UPI_F32, UPI_SHAPE1 (out), name, ".bias");
}

void
upi_tensor_conv (GArray *specs, gint in, gint out, gint kernel, const gchar *format, ...)
{
  NAME (name, format);
  add_spec (specs, UPI_F32, UPI_SHAPE4 (out, in, kernel, kernel), name, ".weight");
  add_spec (specs, UPI_F32, UPI_SHAPE1 (out), name, ".bias");
}

void
upi_tensor_norm (GArray *specs, gint width, const gchar *format, ...)
{
  NAME (name, format);
  add_spec (specs, UPI_F32, UPI_SHAPE1 (width), name, ".weight");
  add_spec (specs, UPI_F32, UPI_SHAPE1 (width), name, ".bias");
}

void
upi_tensor_separable (GArray *specs, gint in, gint out, gint kernel, const gchar *format, ...)
{
  NAME (name, format);
  upi_tensor_conv (specs, 1, in, kernel, "%s.depthwise", name);
  upi_tensor_conv (specs, in, out, 1, "%s.pointwise", name);
}

void
upi_tensor_mlp (GArray *specs, const gint *widths, guint n, const gchar *format, ...)
{
  NAME (name, format);
  for (guint i = 0; i < n; i++)
    upi_tensor_linear (specs, widths[i], widths[i + 1], "%s.layers.%u", name, i);
}

UpiValue
upi_weight_of (UpiBuild *b, const gchar *format, ...)
{
  const UpiWeight *w;

  NAME (name, format);
  w = upi_weights_get (b->weights, name);
  if (w->dtype == UPI_I32)
    return upi_program_weight_i32 (b->program, name, w->data, w->shape);
  return upi_program_weight (b->program, name, w->data, w->shape);
}

UpiValue
upi_weight_rows_of (UpiBuild *b, gint start, gint count, const gchar *format, ...)
{
  const UpiWeight *w;
  UpiShape shape;

  NAME (name, format);
  w = upi_weights_get (b->weights, name);
  shape = w->shape;
  shape.dim[0] = count;
  {
    g_autofree gchar *label = g_strdup_printf ("%s[%d:%d]", name, start, start + count);
    gsize row = upi_shape_count (&w->shape) / w->shape.dim[0];
    return upi_program_weight (b->program, label, (const gfloat *) w->data + start * row, shape);
  }
}

UpiValue
upi_weight_tiled (UpiBuild *b, const gchar *name)
{
  const UpiWeight *w = upi_weights_get (b->weights, name);
  gint width = w->shape.dim[w->shape.rank - 1];
  gsize count = upi_shape_count (&w->shape);
  gfloat *rows = UPI_MEMORY_NEW (gfloat, (gsize) b->batch * count, "queries of a batch", NULL);

  for (gint i = 0; rows != NULL && i < b->batch; i++)
    memcpy (rows + i * count, w->data, count * sizeof (gfloat));
  return upi_program_constant (b->program, rows, UPI_SHAPE3 (b->batch, (gint) count / width, width));
}

UpiValue
upi_linear_of (UpiBuild *b, UpiValue x, UpiAct act, const gchar *format, ...)
{
  NAME (name, format);
  return upi_linear (b->program, x, upi_weight_of (b, "%s.weight", name), upi_weight_of (b, "%s.bias", name), act);
}

UpiValue
upi_pointwise_of (UpiBuild *b, UpiValue x, UpiAct act, const gchar *format, ...)
{
  UpiValue weight;
  UpiShape w;

  NAME (name, format);
  weight = upi_weight_of (b, "%s.weight", name);
  w = upi_program_shape (b->program, weight); /* [O, C, 1, 1] */
  return upi_linear (b->program, x, upi_reshape (b->program, weight, UPI_SHAPE2 (w.dim[0], w.dim[1])),
      upi_weight_of (b, "%s.bias", name), act);
}

/* TensorFlow's SAME: ⌈size / stride⌉ outputs, what they lack in input is split over both sides, the odd one after. */
void
upi_same_padding (gint size, gint kernel, gint stride, gint *before, gint *after)
{
  gint total = MAX (((size + stride - 1) / stride - 1) * stride + kernel - size, 0);

  *before = total / 2;
  *after = total - *before;
}

UpiValue
upi_conv_of (UpiBuild *b, UpiValue x, const UpiConvOf *of, const gchar *format, ...)
{
  UpiValue weight, bias = UPI_NO_VALUE;
  UpiShape w;
  UpiConv conv = { .stride = MAX (of->stride, 1), .act = of->act };

  NAME (name, format);
  weight = upi_weight_of (b, "%s.weight", name);
  w = upi_program_shape (b->program, weight); /* [O, C/groups, k, k] */
  conv.groups = of->depthwise ? w.dim[0] : 1;
  if (of->same) {
    UpiShape map = upi_program_shape (b->program, x); /* [B,H,W,C] */
    upi_same_padding (map.dim[1], w.dim[2], conv.stride, &conv.pad_top, &conv.pad_bottom);
    upi_same_padding (map.dim[2], w.dim[3], conv.stride, &conv.pad_left, &conv.pad_right);
    if (of->strip) {
      conv.pad_top = of->pad_top;
      conv.pad_bottom = of->pad_bottom;
    }
  } else {
    conv.pad_top = conv.pad_left = conv.pad_bottom = conv.pad_right = w.dim[2] / 2;
  }
  if (!of->no_bias)
    bias = upi_weight_of (b, "%s.bias", name);
  return upi_conv2d (b->program, x, weight, bias, &conv);
}

UpiValue
upi_separable_of (UpiBuild *b, UpiValue x, gint stride, const gchar *format, ...)
{
  NAME (name, format);
  x = upi_conv_of (
      b, x, &(UpiConvOf){ .stride = stride, .depthwise = TRUE, .act = UPI_ACT_HARD_SWISH }, "%s.depthwise", name);
  return upi_conv_of (b, x, &(UpiConvOf){ .act = UPI_ACT_HARD_SWISH }, "%s.pointwise", name);
}

UpiValue
upi_layer_norm_of (UpiBuild *b, UpiValue x, gfloat eps, const gchar *format, ...)
{
  NAME (name, format);
  return upi_layer_norm (b->program, x, upi_weight_of (b, "%s.weight", name), upi_weight_of (b, "%s.bias", name), eps);
}

UpiValue
upi_group_norm_of (UpiBuild *b, UpiValue x, gint groups, const gchar *format, ...)
{
  NAME (name, format);
  return upi_group_norm (b->program, x, upi_weight_of (b, "%s.weight", name), upi_weight_of (b, "%s.bias", name),
      groups, UPI_LAYER_NORM_EPS);
}

UpiValue
upi_mlp_of (UpiBuild *b, UpiValue x, guint n, const gchar *format, ...)
{
  NAME (name, format);
  for (guint i = 0; i < n; i++)
    x = upi_linear_of (b, x, i + 1 < n ? UPI_ACT_RELU : UPI_ACT_NONE, "%s.layers.%u", name, i);
  return x;
}

UpiValue
upi_as_tokens (UpiBuild *b, UpiValue map)
{
  UpiShape s = upi_program_shape (b->program, map);

  return upi_reshape (b->program, map, UPI_SHAPE3 (s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
}

UpiValue
upi_as_map (UpiBuild *b, UpiValue tokens, gint height, gint width)
{
  UpiShape s = upi_program_shape (b->program, tokens);

  return upi_reshape (b->program, tokens, UPI_SHAPE4 (s.dim[0], height, width, s.dim[2]));
}

gboolean
upi_weights_stack (UpiWeights *weights, const gchar *const *names, guint n, const gchar *as, GError **error)
{
  static const gchar *const suffixes[] = { "weight", "bias" };

  for (guint s = 0; s < G_N_ELEMENTS (suffixes); s++) {
    g_autofree gfloat *all = NULL;
    gsize filled = 0;
    UpiShape shape = { 0 }, total = { 0 };

    for (guint i = 0; i < n; i++) {
      g_autofree gfloat *rows = upi_weights_take (weights, &shape, error, "%s.%s", names[i], suffixes[s]);
      gsize count = upi_shape_count (&shape);
      if (rows == NULL)
        return FALSE;
      all = g_renew (gfloat, all, filled + count);
      memcpy (all + filled, rows, count * sizeof (gfloat));
      filled += count;
      shape.dim[0] += total.dim[0];
      total = shape;
    }
    upi_weights_put (weights, g_steal_pointer (&all), total, "%s.%s", as, suffixes[s]);
  }
  return TRUE;
}
