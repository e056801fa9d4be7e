/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cases of what multiplies: conv2d, linear, matmul, attention, deformable attention. Big ones have the shapes of the
 * nano network. */

#include "tests/parity/parity.h"

#include <math.h>

static const gchar *const act_names[] = { "none", "relu", "relu6", "gelu", "sigmoid", "hard-swish", "hard-sigmoid" };

typedef struct {
  ParityBig big;
  gint n, h, w, c, o, kh, kw, stride, groups, top, left, bottom, right;
  gboolean bias, residual;
  UpiAct act;
} Conv;

static const Conv conv_cases[] = {
  /* big  n   h   w    c    o kh kw  s   g  t  l  b  r  bias residual act */
  { FALSE, 1, 17, 33, 3, 32, 3, 3, 2, 1, 0, 0, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 }, /* stem, TensorFlow padding */
  { FALSE, 3, 16, 16, 3, 16, 7, 7, 2, 1, 3, 3, 3, 3, TRUE, FALSE, UPI_ACT_RELU },  /* ResNet's stem */
  { FALSE, 1, 9, 11, 24, 96, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 3, 9, 11, 96, 24, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, TRUE, UPI_ACT_NONE },
  { FALSE, 1, 9, 11, 17, 13, 1, 1, 1, 1, 0, 0, 0, 0, FALSE, FALSE, UPI_ACT_NONE },
  { FALSE, 3, 8, 8, 16, 32, 1, 1, 2, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_NONE }, /* ResNet's downsample */
  { FALSE, 1, 13, 7, 24, 24, 3, 3, 1, 24, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 3, 13, 7, 40, 40, 5, 5, 2, 40, 1, 1, 2, 2, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 1, 14, 10, 33, 33, 5, 5, 1, 33, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_RELU },
  { FALSE, 3, 10, 10, 7, 7, 3, 3, 2, 7, 0, 0, 1, 1, FALSE, FALSE, UPI_ACT_NONE },
  { FALSE, 1, 7, 3, 24, 24, 3, 3, 2, 24, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 }, /* odd maps, TensorFlow padding */
  { FALSE, 3, 12, 7, 40, 40, 5, 5, 2, 40, 1, 2, 2, 2, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 1, 1, 2, 17, 17, 5, 5, 2, 17, 2, 1, 2, 2, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 1, 7, 12, 3, 32, 3, 3, 2, 1, 1, 0, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 1, 4, 4, 8, 8, 3, 3, 1, 8, 1, 1, 1, 1, TRUE, TRUE, UPI_ACT_RELU },
  { FALSE, 1, 7, 9, 16, 24, 3, 3, 1, 1, 1, 1, 1, 1, TRUE, TRUE, UPI_ACT_RELU },
  { FALSE, 3, 7, 9, 16, 24, 3, 3, 2, 1, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_GELU },
  { FALSE, 1, 7, 9, 16, 24, 3, 3, 1, 4, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_SIGMOID },
  { FALSE, 1, 5, 5, 5, 10, 3, 3, 1, 5, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_NONE },         /* depth multiplier 2 */
  { FALSE, 1, 17, 33, 3, 16, 3, 3, 2, 1, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_HARD_SWISH }, /* LCNet's stem */
  { FALSE, 3, 9, 11, 24, 49, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_HARD_SWISH },
  { FALSE, 3, 9, 11, 33, 24, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, TRUE, UPI_ACT_HARD_SIGMOID },
  { FALSE, 3, 13, 7, 41, 41, 3, 3, 1, 41, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_HARD_SWISH },
  { FALSE, 1, 11, 12, 40, 40, 5, 5, 2, 40, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_HARD_SWISH }, /* the same on both sides */
  { FALSE, 3, 6, 7, 24, 24, 5, 5, 2, 24, 2, 2, 2, 2, TRUE, TRUE, UPI_ACT_HARD_SWISH },
  { FALSE, 1, 3, 2, 35, 35, 5, 5, 2, 35, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_HARD_SIGMOID },
  { FALSE, 3, 10, 9, 33, 33, 5, 5, 1, 33, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_HARD_SWISH },
  { FALSE, 1, 7, 9, 16, 24, 3, 3, 1, 4, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_HARD_SWISH },
  { FALSE, 1, 6, 8, 4, 4, 2, 3, 1, 1, 0, 1, 1, 1, TRUE, FALSE, UPI_ACT_NONE },
  { FALSE, 1, 1, 1, 64, 64, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_NONE },
  { FALSE, 1, 2, 2, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_NONE },
  { TRUE, 1, 256, 448, 3, 32, 3, 3, 2, 1, 0, 0, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 128, 224, 32, 32, 3, 3, 1, 32, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 112, 192, 96, 96, 3, 3, 2, 96, 0, 0, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 }, /* MobileNetV2 */
  { TRUE, 1, 14, 24, 576, 576, 3, 3, 1, 576, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 64, 112, 144, 144, 5, 5, 2, 144, 1, 1, 2, 2, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 16, 28, 672, 672, 5, 5, 1, 672, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 44, 44, 192, 192, 5, 5, 1, 192, 2, 2, 2, 2, TRUE, FALSE, UPI_ACT_HARD_SWISH }, /* PicoDet's pyramid */
  { TRUE, 1, 44, 44, 192, 96, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_HARD_SWISH },
  { TRUE, 1, 64, 112, 24, 144, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 64, 112, 144, 24, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, TRUE, UPI_ACT_NONE },
  { TRUE, 1, 16, 28, 112, 672, 1, 1, 1, 1, 0, 0, 0, 0, TRUE, FALSE, UPI_ACT_RELU6 },
  { TRUE, 1, 32, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_NONE },
};

static void
build_conv (Parity *parity, const void *data)
{
  const Conv *c = data;
  UpiProgram *p = parity_program (parity);
  UpiConv conv = { .stride = c->stride,
    .groups = c->groups,
    .pad_top = c->top,
    .pad_left = c->left,
    .pad_bottom = c->bottom,
    .pad_right = c->right };
  gint fan_in = c->c / c->groups * c->kh * c->kw;
  UpiValue x, w, b = UPI_NO_VALUE, y;

  parity_name (parity, "n%d %dx%dx%d o%d k%dx%d s%d g%d p%d%d%d%d%s%s %s", c->n, c->h, c->w, c->c, c->o, c->kh, c->kw,
      c->stride, c->groups, c->top, c->left, c->bottom, c->right, c->bias ? " bias" : "",
      c->residual ? " residual" : "", act_names[c->act]);
  x = parity_input (parity, UPI_SHAPE4 (c->n, c->h, c->w, c->c), PARITY_FILL_NORMAL, 1);
  w = parity_weight (parity, UPI_SHAPE4 (c->o, c->c / c->groups, c->kh, c->kw), 1 / sqrtf ((gfloat) fan_in));
  if (c->bias)
    b = parity_weight (parity, UPI_SHAPE1 (c->o), 1);
  y = upi_conv2d (p, x, w, b, &conv);
  if (c->residual)
    y = upi_add (p, y, parity_input (parity, upi_program_shape (p, y), PARITY_FILL_NORMAL, 1));
  if (c->act != UPI_ACT_NONE)
    y = upi_activation (p, y, c->act);
  parity_output (parity, y);
}

typedef struct {
  ParityBig big;
  gint n, t, in, out;
  gboolean bias, residual;
  UpiAct act;
} Linear;

static const Linear linear_cases[] = {
  { FALSE, 1, 1, 1, 1, TRUE, FALSE, UPI_ACT_NONE },
  { FALSE, 1, 7, 17, 33, TRUE, FALSE, UPI_ACT_RELU },
  { FALSE, 3, 5, 64, 48, TRUE, TRUE, UPI_ACT_NONE },
  { FALSE, 3, 5, 64, 48, FALSE, FALSE, UPI_ACT_GELU },
  { FALSE, 1, 100, 96, 4, TRUE, FALSE, UPI_ACT_NONE },
  { FALSE, 1, 100, 96, 1, TRUE, FALSE, UPI_ACT_SIGMOID },
  { FALSE, 3, 1, 130, 70, TRUE, TRUE, UPI_ACT_RELU },
  { FALSE, 1, 1, 128, 1000, FALSE, FALSE, UPI_ACT_NONE },
  { FALSE, 2, 1, 65, 129, TRUE, TRUE, UPI_ACT_NONE }, /* few rows, panels of every width: captions' candidates */
  { FALSE, 1, 3, 65, 129, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 6, 1, 40, 80, TRUE, TRUE, UPI_ACT_NONE },
  { FALSE, 7, 1, 40, 16, FALSE, FALSE, UPI_ACT_RELU },
  { FALSE, 3, 12, 4, 96, TRUE, FALSE, UPI_ACT_RELU6 },
  { FALSE, 3, 5, 64, 49, TRUE, TRUE, UPI_ACT_HARD_SWISH },
  { FALSE, 1, 1, 96, 33, TRUE, FALSE, UPI_ACT_HARD_SIGMOID },
  { FALSE, 1, 20, 31, 70, TRUE, FALSE, UPI_ACT_HARD_SIGMOID },
  { TRUE, 1, 2240, 96, 96, TRUE, FALSE, UPI_ACT_NONE },
  { TRUE, 1, 560, 96, 384, TRUE, FALSE, UPI_ACT_RELU },
  { TRUE, 1, 560, 384, 96, TRUE, TRUE, UPI_ACT_NONE },
  { TRUE, 1, 220, 256, 1024, TRUE, FALSE, UPI_ACT_GELU },
  { TRUE, 1, 1, 256, 1024, TRUE, FALSE, UPI_ACT_GELU },
};

static void
build_linear (Parity *parity, const void *data)
{
  const Linear *c = data;
  UpiProgram *p = parity_program (parity);
  UpiValue x, w, b = UPI_NO_VALUE, y;

  parity_name (parity, "n%d %dx%d o%d%s%s %s", c->n, c->t, c->in, c->out, c->bias ? " bias" : "",
      c->residual ? " residual" : "", act_names[c->act]);
  x = parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->in), PARITY_FILL_NORMAL, 1);
  w = parity_weight (parity, UPI_SHAPE2 (c->out, c->in), 1 / sqrtf ((gfloat) c->in));
  if (c->bias)
    b = parity_weight (parity, UPI_SHAPE1 (c->out), 1);
  y = upi_linear (p, x, w, b, c->residual ? UPI_ACT_NONE : c->act);
  if (c->residual) {
    y = upi_add (p, parity_input (parity, upi_program_shape (p, y), PARITY_FILL_NORMAL, 1), y);
    if (c->act != UPI_ACT_NONE)
      y = upi_activation (p, y, c->act);
  }
  parity_output (parity, y);
}

typedef struct {
  ParityBig big;
  gint n, m, k, cols;
  gboolean transpose;
  gfloat scale;
} Matmul;

static const Matmul matmul_cases[] = {
  { FALSE, 0, 5, 7, 9, FALSE, 1 }, /* rank 2 */
  { FALSE, 0, 16, 32, 48, TRUE, 1 },
  { FALSE, 1, 33, 17, 65, TRUE, 0.125f },
  { FALSE, 3, 12, 64, 20, TRUE, 1 },
  { FALSE, 3, 12, 20, 31, FALSE, 2 },
  { FALSE, 1, 1, 96, 500, TRUE, 1 },
  { FALSE, 3, 1, 1, 1, FALSE, 1 },
  { TRUE, 1, 100, 32, 7168, TRUE, 1 },
  { TRUE, 1, 100, 32, 784, TRUE, 1 },
};

static void
build_matmul (Parity *parity, const void *data)
{
  const Matmul *c = data;
  gint batch = MAX (c->n, 1);
  UpiShape a = UPI_SHAPE3 (batch, c->m, c->k),
           b = c->transpose ? UPI_SHAPE3 (batch, c->cols, c->k) : UPI_SHAPE3 (batch, c->k, c->cols);
  UpiValue x, y;

  if (c->n == 0) {
    a = UPI_SHAPE2 (a.dim[1], a.dim[2]);
    b = UPI_SHAPE2 (b.dim[1], b.dim[2]);
  }
  parity_name (parity, "n%d %dx%d %s %dx%d scale %g", c->n, c->m, c->k, c->transpose ? "transposed" : "by",
      b.dim[b.rank - 2], b.dim[b.rank - 1], (gdouble) c->scale);
  x = parity_input (parity, a, PARITY_FILL_NORMAL, 1);
  y = parity_input (parity, b, PARITY_FILL_NORMAL, 1);
  parity_output (parity,
      upi_matmul (parity_program (parity), x, y, &(UpiMatmul){ .transpose_b = c->transpose, .scale = c->scale }));
}

typedef struct {
  ParityBig big;
  gint n, queries, keys, keys2 /* 0: one range */, width, heads;
  gint lengths; /* -1: none, else lo of the random lengths (hi is all keys) */
  gint lengths2;
  gboolean causal;
  gfloat scale;
  gboolean shared; /* the first keys and values are one item's */
} Attention;

static const Attention attention_cases[] = {
  { FALSE, 1, 7, 7, 0, 32, 4, -1, 0, FALSE, 1 },
  { FALSE, 3, 9, 13, 0, 48, 3, -1, 0, FALSE, 3 },
  { FALSE, 1, 17, 17, 0, 64, 1, -1, 0, TRUE, 1 },
  { FALSE, 3, 5, 11, 0, 24, 2, 0, 0, FALSE, 1 }, /* lengths, also 0 */
  { FALSE, 3, 6, 6, 0, 40, 8, 1, 0, TRUE, 1 },   /* causal with lengths */
  { FALSE, 3, 4, 9, 0, 16, 2, 0, 0, TRUE, 1 },   /* rows that see nothing */
  { FALSE, 1, 1, 20, 8, 64, 4, -1, 1, FALSE, 1 },
  { FALSE, 3, 2, 20, 8, 64, 4, -1, 0, TRUE, 1 },
  { FALSE, 3, 3, 7, 5, 36, 3, 0, 0, TRUE, 2 },
  { FALSE, 3, 3, 7, 5, 36, 3, 2, 0, FALSE, 2 },
  { FALSE, 1, 33, 129, 0, 128, 4, -1, 0, FALSE, 10 }, /* sharp */
  { FALSE, 3, 5, 11, 0, 48, 3, -1, 0, FALSE, 1, TRUE },
  { FALSE, 8, 1, 20, 7, 64, 4, -1, 0, FALSE, 1, TRUE },
  { FALSE, 3, 6, 7, 5, 36, 3, 0, 0, FALSE, 1, TRUE },
  { FALSE, 9, 1, 13, 6, 36, 3, 0, 0, FALSE, 2,
      TRUE }, /* a query each: lengths, also of nothing, and heads that no vector fits */
  { FALSE, 35, 1, 21, 5, 64, 4, -1, 0, TRUE, 1, TRUE },
  { FALSE, 2, 1, 19, 0, 128, 2, -1, 0, FALSE, 3, TRUE },
  { TRUE, 1, 100, 100, 0, 96, 8, -1, 0, FALSE, 1 },
  { TRUE, 1, 220, 220, 0, 256, 8, -1, 0, FALSE, 1 },
  { TRUE, 1, 1, 220, 32, 256, 8, -1, 32, TRUE, 1 },
};

static void
build_attention (Parity *parity, const void *data)
{
  const Attention *c = data;
  UpiProgram *p = parity_program (parity);
  UpiAttention attention = { .heads = c->heads, .causal = c->causal };
  UpiShape kv = UPI_SHAPE3 (c->shared ? 1 : c->n, c->keys, c->width), kv2 = UPI_SHAPE3 (c->n, c->keys2, c->width);
  UpiValue q, k, v, k2, v2, lengths = UPI_NO_VALUE, lengths2;

  parity_name (parity, "n%d q%d k%d+%d d%d h%d%s%s%s scale %g", c->n, c->queries, c->keys, c->keys2, c->width, c->heads,
      c->lengths >= 0 ? " lengths" : "", c->causal ? " causal" : "", c->shared ? " shared" : "", (gdouble) c->scale);
  q = parity_input (parity, UPI_SHAPE3 (c->n, c->queries, c->width), PARITY_FILL_NORMAL, c->scale);
  k = parity_input (parity, kv, PARITY_FILL_NORMAL, 1);
  v = parity_input (parity, kv, PARITY_FILL_NORMAL, 1);
  if (c->lengths >= 0)
    lengths = parity_ints (parity, UPI_SHAPE1 (c->n), c->lengths, c->keys);
  if (c->keys2 == 0) {
    parity_output (parity, upi_attention (p, q, k, v, lengths, &attention));
    return;
  }
  k2 = parity_input (parity, kv2, PARITY_FILL_NORMAL, 1);
  v2 = parity_input (parity, kv2, PARITY_FILL_NORMAL, 1);
  lengths2 = parity_ints (parity, UPI_SHAPE1 (c->n), c->lengths2, c->keys2);
  parity_output (parity, upi_attention2 (p, q, k, v, lengths, k2, v2, lengths2, &attention));
}

typedef struct {
  ParityBig big;
  gint n, height, width, channels, heads, window, shift;
  gfloat scale; /* of queries, keys and values; 3: weights that are nearly 0 and 1 */
} Window;

static const Window window_cases[] = {
  { FALSE, 1, 7, 7, 32, 1, 7, 3, 1 },    /* one window: not rolled */
  { FALSE, 1, 14, 14, 64, 2, 7, 0, 1 },  /* whole windows */
  { FALSE, 1, 14, 14, 64, 2, 7, 3, 1 },  /* the mask of both sides, of one, of none */
  { FALSE, 3, 9, 17, 48, 3, 7, 3, 3 },   /* cells beyond the map on both sides */
  { FALSE, 3, 5, 11, 36, 3, 4, 2, 1 },   /* heads that no vector fits */
  { FALSE, 1, 3, 15, 14, 2, 5, 2, 1 },   /* a side that one window covers, the other rolled; a head of 7 */
  { FALSE, 1, 1, 1, 64, 2, 7, 3, 1 },    /* one cell in a window of others */
  { FALSE, 1, 13, 13, 32, 1, 12, 6, 1 }, /* windows of 12 */
  { FALSE, 1, 3, 4, 160, 2, 1, 0, 1 },   /* each cell alone */
  { FALSE, 1, 4, 7, 80, 2, 3, 1, 1 },    /* heads of 40, two numbers a lane of the cuda backend */
  { FALSE, 3, 6, 7, 20, 2, 3, 1, 10 },   /* sharp */
  { TRUE, 1, 56, 56, 96, 3, 7, 3, 1 },   /* Swin-T at 224×224 */
  { TRUE, 1, 28, 28, 192, 6, 7, 3, 1 }, { TRUE, 1, 14, 14, 384, 12, 7, 3, 1 }, { TRUE, 1, 7, 7, 768, 24, 7, 0, 1 },
  { TRUE, 1, 24, 36, 512, 16, 12, 6, 1 }, /* Swin-B, stage 3: six windows of the 35 at 1216×800 */
};

static void
build_window (Parity *parity, const void *data)
{
  const Window *c = data;
  gint side = 2 * c->window - 1;
  UpiValue qkv, beyond, table;

  parity_name (parity, "n%d %dx%dx%d h%d w%d shift%d scale %g", c->n, c->height, c->width, c->channels, c->heads,
      c->window, c->shift, (gdouble) c->scale);
  qkv = parity_input (parity, UPI_SHAPE4 (c->n, c->height, c->width, 3 * c->channels), PARITY_FILL_NORMAL, c->scale);
  beyond = parity_weight (parity, UPI_SHAPE1 (3 * c->channels), 1);
  table = parity_weight (parity, UPI_SHAPE2 (side * side, c->heads), 2);
  parity_output (parity,
      upi_window_attention (parity_program (parity), qkv, beyond, table,
          &(UpiWindow){ .heads = c->heads, .window = c->window, .shift = c->shift }));
}

typedef struct {
  ParityBig big;
  gint n, queries, width, heads, points, levels;
  gint size[UPI_MAX_LEVELS][2];
  gint reference, reference_batch;
  gfloat offset_scale;
} Deformable;

static const Deformable deformable_cases[] = {
  { FALSE, 1, 5, 16, 2, 4, 1, { { 7, 9 } }, 2, 1, 2 },
  { FALSE, 3, 11, 32, 4, 4, 3, { { 8, 12 }, { 4, 6 }, { 2, 3 } }, 2, 3, 2 },
  { FALSE, 3, 11, 32, 4, 4, 3, { { 8, 12 }, { 4, 6 }, { 2, 3 } }, 2, 1, 2 },
  { FALSE, 1, 7, 96, 8, 4, 3, { { 9, 5 }, { 5, 3 }, { 3, 2 } }, 4, 1, 1 },
  { FALSE, 3, 7, 24, 3, 3, 2, { { 5, 5 }, { 1, 1 } }, 4, 3, 3 },
  { FALSE, 1, 4, 40, 8, 2, 5, { { 6, 6 }, { 5, 5 }, { 4, 4 }, { 3, 3 }, { 2, 2 } }, 2, 1, 1 },
  { FALSE, 1, 6, 64, 8, 4, 2, { { 6, 6 }, { 3, 3 } }, 2, 1, 1e6f }, /* far outside */
  { FALSE, 3, 6, 64, 8, 4, 2, { { 6, 6 }, { 3, 3 } }, 2, 1, INFINITY },
  { FALSE, 1, 6, 24, 3, 4, 2, { { 6, 6 }, { 3, 3 } }, 4, 1, INFINITY }, /* NaN where a box has no size */
  { FALSE, 1, 3, 14, 2, 1, 1, { { 4, 4 } }, 2, 1, 1 },                  /* a head of 7 */
  { FALSE, 2, 5, 20, 1, 16, 1, { { 9, 7 } }, 4, 2, 12 },                /* looks: one head, 16 points of a box */
  { TRUE, 1, 560, 96, 8, 4, 3, { { 32, 56 }, { 16, 28 }, { 8, 14 } }, 2, 1, 2 },
  { TRUE, 1, 100, 96, 8, 4, 3, { { 32, 56 }, { 16, 28 }, { 8, 14 } }, 4, 1, 2 },
  { TRUE, 1, 100, 24, 1, 16, 1, { { 72, 72 } }, 4, 1, 12 },
};

static void
build_deformable (Parity *parity, const void *data)
{
  const Deformable *c = data;
  UpiDeformable d = { .heads = c->heads, .points = c->points, .levels = c->levels };
  gint samples = c->heads * c->levels * c->points, tokens = 0;
  UpiValue value, offsets, weights, reference;

  for (gint l = 0; l < c->levels; l++) {
    d.level[l].height = c->size[l][0];
    d.level[l].width = c->size[l][1];
    d.level[l].start = tokens;
    tokens += c->size[l][0] * c->size[l][1];
  }
  parity_name (parity, "n%d q%d t%d d%d h%d l%d k%d ref%dx%d offsets %g", c->n, c->queries, tokens, c->width, c->heads,
      c->levels, c->points, c->reference_batch, c->reference, (gdouble) c->offset_scale);
  value = parity_input (parity, UPI_SHAPE3 (c->n, tokens, c->width), PARITY_FILL_NORMAL, 1);
  offsets = parity_input (parity, UPI_SHAPE3 (c->n, c->queries, 2 * samples), PARITY_FILL_NORMAL, c->offset_scale);
  weights = parity_input (parity, UPI_SHAPE3 (c->n, c->queries, samples), PARITY_FILL_NORMAL, 2);
  reference = parity_input (parity, UPI_SHAPE3 (c->reference_batch, c->queries, c->reference), PARITY_FILL_UNIT, 1);
  parity_output (parity, upi_deformable_attention (parity_program (parity), value, offsets, weights, reference, &d));
}

#define FAMILY(name, tolerance)                                                                                        \
  {                                                                                                                    \
#name, name##_cases, G_N_ELEMENTS(name##_cases), sizeof name##_cases[0], tolerance, build_##name                   \
  }

const ParityFamily parity_matrix_families[] = {
  FAMILY (conv, 1e-11),
  FAMILY (linear, 1e-11),
  FAMILY (matmul, 1e-11),
  FAMILY (attention, 1e-11),
  FAMILY (window, 1e-11),
  FAMILY (deformable, 1e-10),
};
const guint parity_n_matrix_families = G_N_ELEMENTS (parity_matrix_families);
