/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cases of what works on rows, elements and maps: norms, softmax, arithmetic, resize, pools, gather, top-k, distinct
 * boxes, caches, copies. */

#include "tests/parity/parity.h"

static const gchar *const act_names[] = { "none", "relu", "relu6", "gelu", "sigmoid", "hard-swish", "hard-sigmoid" };

typedef struct {
  ParityBig big;
  gint n, t, c;
  gint groups; /* group norm */
  gboolean residual;
  UpiAct act;
  ParityFill fill;
  gfloat scale;
} Rows;

static const Rows layer_norm_cases[] = {
  { FALSE, 1, 1, 8, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 7, 96, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 7, 33, 0, TRUE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 1, 20, 256, 0, TRUE, UPI_ACT_NONE, PARITY_FILL_WIDE, 1 },
  { FALSE, 1, 9, 17, 0, FALSE, UPI_ACT_RELU, PARITY_FILL_ZERO_ROWS, 1 },
  { TRUE, 1, 2240, 96, 0, TRUE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
};

static void
build_layer_norm (Parity *parity, const void *data)
{
  const Rows *c = data;
  UpiProgram *p = parity_program (parity);
  UpiShape shape = UPI_SHAPE3 (c->n, c->t, c->c);
  UpiValue x = parity_input (parity, shape, c->fill, c->scale);
  UpiValue gamma = parity_weight (parity, UPI_SHAPE1 (c->c), 1), beta = parity_weight (parity, UPI_SHAPE1 (c->c), 1);

  parity_name (
      parity, "n%d %dx%d%s %s fill%d", c->n, c->t, c->c, c->residual ? " residual" : "", act_names[c->act], c->fill);
  if (c->residual)
    x = upi_add (p, x, parity_input (parity, shape, PARITY_FILL_NORMAL, 1));
  x = upi_layer_norm (p, x, gamma, beta, 1e-5f);
  parity_output (parity, c->act != UPI_ACT_NONE ? upi_activation (p, x, c->act) : x);
}

static const Rows group_norm_cases[] = {
  { FALSE, 1, 6, 32, 32, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 }, /* one channel a group */
  { FALSE, 3, 15, 96, 32, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 15, 64, 8, FALSE, UPI_ACT_RELU, PARITY_FILL_NORMAL, 1 },
  { FALSE, 1, 21, 30, 2, FALSE, UPI_ACT_NONE, PARITY_FILL_WIDE, 1 },
  { FALSE, 1, 9, 12, 1, FALSE, UPI_ACT_GELU, PARITY_FILL_ZERO_ROWS, 1 },
  { FALSE, 1, 9, 34, 2, FALSE, UPI_ACT_HARD_SWISH, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 1792, 96, 32, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 7168, 64, 8, FALSE, UPI_ACT_RELU, PARITY_FILL_NORMAL, 1 },
};

static void
build_group_norm (Parity *parity, const void *data)
{
  const Rows *c = data;
  UpiProgram *p = parity_program (parity);
  gint height = c->t % 3 == 0 ? 3 : 1; /* a map [N,H,W,C] */
  UpiValue x = parity_input (parity, UPI_SHAPE4 (c->n, height, c->t / height, c->c), c->fill, c->scale);
  UpiValue gamma = parity_weight (parity, UPI_SHAPE1 (c->c), 1), beta = parity_weight (parity, UPI_SHAPE1 (c->c), 1);

  parity_name (
      parity, "n%d %dx%dx%d g%d %s fill%d", c->n, height, c->t / height, c->c, c->groups, act_names[c->act], c->fill);
  x = upi_group_norm (p, x, gamma, beta, c->groups, 1e-5f);
  parity_output (parity, c->act != UPI_ACT_NONE ? upi_activation (p, x, c->act) : x);
}

static const Rows softmax_cases[] = {
  { FALSE, 1, 1, 1, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 5, 12, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 3 },
  { FALSE, 1, 7, 133, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_WIDE, 1 },
  { TRUE, 1, 100, 1000, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
};

static void
build_softmax (Parity *parity, const void *data)
{
  const Rows *c = data;

  parity_name (parity, "n%d %dx%d fill%d", c->n, c->t, c->c, c->fill);
  parity_output (parity,
      upi_softmax (parity_program (parity), parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, c->scale)));
}

static const Rows l2_norm_cases[] = {
  { FALSE, 1, 1, 1, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 7, 65, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_ZERO_ROWS, 1 },
  { FALSE, 1, 4, 256, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_WIDE, 10 },
  { TRUE, 1, 100, 256, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
};

static void
build_l2_norm (Parity *parity, const void *data)
{
  const Rows *c = data;

  parity_name (parity, "n%d %dx%d fill%d", c->n, c->t, c->c, c->fill);
  parity_output (parity,
      upi_l2_norm (parity_program (parity), parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, c->scale)));
}

static const Rows activation_cases[] = {
  { FALSE, 1, 3, 31, 0, FALSE, UPI_ACT_RELU, PARITY_FILL_WIDE, 1 },
  { FALSE, 3, 4, 16, 0, FALSE, UPI_ACT_RELU6, PARITY_FILL_WIDE, 4 },
  { FALSE, 1, 40, 33, 0, FALSE, UPI_ACT_GELU, PARITY_FILL_WIDE, 2 },
  { FALSE, 1, 40, 33, 0, FALSE, UPI_ACT_SIGMOID, PARITY_FILL_WIDE, 4 },
  { FALSE, 1, 40, 33, 0, FALSE, UPI_ACT_HARD_SWISH, PARITY_FILL_NORMAL, 3 },
  { FALSE, 3, 4, 17, 0, FALSE, UPI_ACT_HARD_SWISH, PARITY_FILL_WIDE, 1 },
  { FALSE, 3, 4, 35, 0, FALSE, UPI_ACT_HARD_SIGMOID, PARITY_FILL_NORMAL, 3 },
  { FALSE, 1, 9, 37, 0, FALSE, UPI_ACT_HARD_SWISH, PARITY_FILL_BROKEN, 1 }, /* what is no number stays none */
  { FALSE, 1, 9, 37, 0, FALSE, UPI_ACT_HARD_SIGMOID, PARITY_FILL_BROKEN, 1 },
  { FALSE, 1, 2, 5, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 220, 1024, 0, FALSE, UPI_ACT_GELU, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 220, 1024, 0, FALSE, UPI_ACT_SIGMOID, PARITY_FILL_NORMAL, 1 },
};

static void
build_activation (Parity *parity, const void *data)
{
  const Rows *c = data;
  UpiValue x = parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, c->scale);

  parity_name (parity, "n%d %dx%d %s fill%d", c->n, c->t, c->c, act_names[c->act], c->fill);
  parity_output (parity, upi_activation (parity_program (parity), x, c->act));
}

static const Rows mean_tokens_cases[] = {
  { FALSE, 1, 1, 5, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 13, 37, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 448, 256, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
};

static void
build_mean_tokens (Parity *parity, const void *data)
{
  const Rows *c = data;

  parity_name (parity, "n%d %dx%d", c->n, c->t, c->c);
  parity_output (parity,
      upi_mean_tokens (
          parity_program (parity), parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, c->scale)));
}

static const Rows copy_cases[] = {
  { FALSE, 1, 1, 1, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 5, 19, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
  { TRUE, 1, 2240, 96, 0, FALSE, UPI_ACT_NONE, PARITY_FILL_NORMAL, 1 },
};

static void
build_copy (Parity *parity, const void *data)
{
  const Rows *c = data;

  parity_name (parity, "n%d %dx%d", c->n, c->t, c->c);
  parity_output (parity, parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, c->scale));
}

typedef struct {
  ParityBig big;
  UpiShape x, b;
  gboolean mul;
  UpiAct act;
} Broadcast;

static const Broadcast broadcast_cases[] = {
  { FALSE, { 3, { 1, 5, 17 } }, { 3, { 1, 5, 17 } }, FALSE, UPI_ACT_NONE },
  { FALSE, { 3, { 3, 5, 17 } }, { 3, { 1, 5, 17 } }, FALSE, UPI_ACT_RELU },
  { FALSE, { 3, { 3, 5, 17 } }, { 2, { 5, 17 } }, FALSE, UPI_ACT_NONE },
  { FALSE, { 3, { 3, 5, 17 } }, { 1, { 17 } }, FALSE, UPI_ACT_GELU },
  { FALSE, { 3, { 3, 5, 17 } }, { 3, { 3, 1, 17 } }, FALSE, UPI_ACT_NONE },
  { FALSE, { 3, { 3, 5, 17 } }, { 3, { 3, 5, 1 } }, FALSE, UPI_ACT_SIGMOID },
  { FALSE, { 4, { 3, 4, 5, 24 } }, { 4, { 3, 4, 5, 24 } }, FALSE, UPI_ACT_RELU6 },
  { FALSE, { 4, { 3, 4, 5, 24 } }, { 4, { 1, 4, 1, 24 } }, FALSE, UPI_ACT_NONE },
  { FALSE, { 4, { 3, 4, 5, 24 } }, { 4, { 3, 1, 1, 24 } }, FALSE, UPI_ACT_HARD_SWISH },
  { FALSE, { 4, { 3, 4, 5, 24 } }, { 4, { 3, 1, 1, 24 } }, TRUE, UPI_ACT_NONE }, /* channels weighed */
  { FALSE, { 3, { 3, 5, 17 } }, { 3, { 3, 5, 17 } }, TRUE, UPI_ACT_NONE },
  { FALSE, { 3, { 3, 5, 17 } }, { 3, { 1, 1, 1 } }, TRUE, UPI_ACT_NONE },
  { FALSE, { 3, { 3, 5, 17 } }, { 1, { 17 } }, TRUE, UPI_ACT_NONE },
  { FALSE, { 4, { 3, 4, 5, 24 } }, { 3, { 4, 1, 24 } }, TRUE, UPI_ACT_NONE },
  { TRUE, { 3, { 1, 2240, 96 } }, { 3, { 1, 2240, 96 } }, FALSE, UPI_ACT_NONE },
};

static void
build_broadcast (Parity *parity, const void *data)
{
  const Broadcast *c = data;
  UpiProgram *p = parity_program (parity);
  UpiValue x = parity_input (parity, c->x, PARITY_FILL_NORMAL, 1),
           b = parity_input (parity, c->b, PARITY_FILL_NORMAL, 1), y;
  GString *name = g_string_new (c->mul ? "mul" : "add");

  for (guint i = 0; i < c->x.rank; i++)
    g_string_append_printf (name, i > 0 ? "x%d" : " %d", c->x.dim[i]);
  for (guint i = 0; i < c->b.rank; i++)
    g_string_append_printf (name, i > 0 ? "x%d" : " with %d", c->b.dim[i]);
  parity_name (parity, "%s %s", name->str, act_names[c->act]);
  g_string_free (name, TRUE);
  y = c->mul ? upi_mul (p, x, b) : upi_add (p, x, b);
  parity_output (parity, c->act != UPI_ACT_NONE ? upi_activation (p, y, c->act) : y);
}

typedef struct {
  ParityBig big;
  gint n, h, w, c;
  gint to_h, to_w;          /* resize, adaptive pool */
  gint kernel, stride, pad; /* max pool */
} Map;

static const Map resize_cases[] = {
  { FALSE, 1, 4, 6, 8, 8, 12 },
  { FALSE, 3, 5, 7, 13, 10, 14 },
  { FALSE, 1, 9, 5, 3, 4, 11 }, /* down and up, odd */
  { FALSE, 1, 1, 1, 4, 3, 3 },
  { FALSE, 1, 3, 3, 4, 3, 3 },
  { TRUE, 1, 32, 56, 64, 64, 112 },
};

static void
resized (Parity *parity, const Map *c, UpiValue (*resize) (UpiProgram *, UpiValue, gint, gint))
{
  UpiValue x = parity_input (parity, UPI_SHAPE4 (c->n, c->h, c->w, c->c), PARITY_FILL_NORMAL, 1);

  parity_name (parity, "n%d %dx%dx%d to %dx%d", c->n, c->h, c->w, c->c, c->to_h, c->to_w);
  parity_output (parity, resize (parity_program (parity), x, c->to_h, c->to_w));
}

static void
build_resize (Parity *parity, const void *data)
{
  resized (parity, data, upi_resize);
}

static const Map nearest_cases[] = {
  { FALSE, 1, 4, 6, 8, 8, 12 },
  { FALSE, 3, 5, 7, 13, 10, 14 },
  { FALSE, 1, 9, 5, 3, 4, 11 }, /* down and up, odd */
  { FALSE, 1, 1, 1, 4, 3, 3 },
  { TRUE, 1, 22, 22, 96, 44, 44 },
};

static void
build_nearest (Parity *parity, const void *data)
{
  resized (parity, data, upi_resize_nearest);
}

static const Map max_pool_cases[] = {
  { FALSE, 1, 8, 8, 16, 0, 0, 3, 2, 1 },
  { FALSE, 3, 7, 9, 5, 0, 0, 3, 2, 1 },
  { FALSE, 1, 6, 4, 8, 0, 0, 2, 2, 0 },
  { FALSE, 1, 5, 5, 3, 0, 0, 1, 1, 0 },
  { TRUE, 1, 112, 112, 64, 0, 0, 3, 2, 1 },
};

static void
build_max_pool (Parity *parity, const void *data)
{
  const Map *c = data;
  UpiValue x = parity_input (parity, UPI_SHAPE4 (c->n, c->h, c->w, c->c), PARITY_FILL_NORMAL, 1);
  UpiPool pool = { c->kernel, c->stride, c->pad };

  parity_name (parity, "n%d %dx%dx%d k%d s%d p%d", c->n, c->h, c->w, c->c, c->kernel, c->stride, c->pad);
  parity_output (parity, upi_max_pool (parity_program (parity), x, &pool));
}

static const Map adaptive_cases[] = {
  { FALSE, 1, 8, 8, 4, 4, 4 },
  { FALSE, 1, 6, 34, 3, 3, 17 }, /* 2×2, a picture */
  { FALSE, 3, 4, 10, 3, 2, 5 },
  { FALSE, 3, 7, 11, 6, 3, 4 },    /* windows overlap */
  { FALSE, 1, 16, 20, 9, 28, 28 }, /* more windows than pixels */
  { FALSE, 1, 5, 6, 3, 1, 1 },
  { TRUE, 1, 64, 112, 32, 28, 28 },
  { TRUE, 1, 224, 384, 3, 112, 192 },
};

static void
build_adaptive (Parity *parity, const void *data)
{
  const Map *c = data;
  UpiValue x = parity_input (parity, UPI_SHAPE4 (c->n, c->h, c->w, c->c), PARITY_FILL_NORMAL, 1);

  parity_name (parity, "n%d %dx%dx%d to %dx%d", c->n, c->h, c->w, c->c, c->to_h, c->to_w);
  parity_output (parity, upi_adaptive_avg_pool (parity_program (parity), x, c->to_h, c->to_w));
}

typedef struct {
  ParityBig big;
  gint n, t, c, k;
  gint x_batch; /* gather */
  ParityFill fill;
  gboolean column; /* top_k: scores are [N,T,1] */
} Choice;

static const Choice gather_cases[] = {
  { FALSE, 1, 9, 7, 4, 1, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 9, 16, 12, 3, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 9, 16, 5, 1, PARITY_FILL_NORMAL, FALSE },
  { TRUE, 1, 2352, 96, 100, 1, PARITY_FILL_NORMAL, FALSE },
};

static void
build_gather (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiValue x = parity_input (parity, UPI_SHAPE3 (c->x_batch, c->t, c->c), c->fill, 1);
  UpiValue indices = parity_ints (parity, UPI_SHAPE2 (c->n, c->k), 0, c->t - 1);

  parity_name (parity, "n%d of n%d %dx%d k%d", c->n, c->x_batch, c->t, c->c, c->k);
  parity_output (parity, upi_gather (parity_program (parity), x, indices));
}

static const Choice top_k_cases[] = {
  { FALSE, 1, 1, 0, 1, 0, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 1, 50, 0, 50, 0, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 301, 0, 17, 0, PARITY_FILL_NORMAL, TRUE },
  { FALSE, 3, 301, 0, 100, 0, PARITY_FILL_TIES, TRUE },
  { FALSE, 1, 64, 0, 33, 0, PARITY_FILL_TIES, FALSE },
  { FALSE, 3, 77, 0, 77, 0, PARITY_FILL_BROKEN, TRUE }, /* every index once, whatever the scores are */
  { FALSE, 1, 200, 0, 150, 0, PARITY_FILL_BROKEN, FALSE },
  { TRUE, 1, 2352, 0, 100, 0, PARITY_FILL_NORMAL, TRUE },
};

static void
build_top_k (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiShape shape = c->column ? UPI_SHAPE3 (c->n, c->t, 1) : UPI_SHAPE2 (c->n, c->t);

  parity_name (parity, "n%d %d of %d%s fill%d", c->n, c->k, c->t, c->column ? " column" : "", c->fill);
  parity_output (parity, upi_top_k (parity_program (parity), parity_input (parity, shape, c->fill, 1), c->k));
}

/* k of t boxes; c: the limit in hundredths */
static const Choice distinct_cases[] = {
  { FALSE, 1, 1, 50, 1, 0, PARITY_FILL_UNIT, FALSE },
  { FALSE, 1, 40, 50, 40, 0, PARITY_FILL_UNIT, FALSE },
  { FALSE, 3, 301, 30, 100, 0, PARITY_FILL_UNIT, FALSE }, /* fewer than 100 are distinct */
  { FALSE, 3, 120, 50, 60, 0, PARITY_FILL_TIES, FALSE },
  { FALSE, 3, 77, 20, 77, 0, PARITY_FILL_BROKEN, FALSE }, /* every index once, whatever the boxes are */
  { TRUE, 1, 300, 80, 100, 0, PARITY_FILL_UNIT, FALSE },
};

static void
build_distinct (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiProgram *p = parity_program (parity);
  UpiValue boxes = parity_input (parity, UPI_SHAPE3 (c->n, c->t, 4), c->fill, 1);
  UpiValue indices = upi_top_k (p, parity_input (parity, UPI_SHAPE2 (c->n, 2 * c->t), PARITY_FILL_NORMAL, 1), c->t);

  parity_name (parity, "n%d %d of %d limit%d fill%d", c->n, c->k, c->t, c->c, c->fill);
  parity_output (parity, upi_distinct (p, boxes, indices, c->k, (gfloat) c->c / 100));
}

typedef struct {
  ParityBig big;
  gint n, boxes, anchors, anchor_batch, columns;
  gfloat ratio, least;
  ParityFill fill; /* of the boxes */
} Anchors;

static const Anchors anchor_max_cases[] = {
  { FALSE, 1, 1, 1, 1, 1, 0.7f, -16, PARITY_FILL_UNIT },
  { FALSE, 1, 9, 17, 1, 3, 0.7f, -16, PARITY_FILL_UNIT },
  { FALSE, 3, 10, 301, 1, 80, 0.7f, 0, PARITY_FILL_UNIT },
  { FALSE, 3, 7, 64, 3, 21, 0.5f, -1, PARITY_FILL_UNIT },
  { FALSE, 3, 11, 130, 1, 133, 1, -16, PARITY_FILL_UNIT }, /* the best alone; more columns than threads of a block */
  { FALSE, 3, 33, 64, 1, 5, 0.9f, -16, PARITY_FILL_TIES },
  { FALSE, 1, 33, 40, 1, 6, 0.7f, 0, PARITY_FILL_NORMAL }, /* sides below 0, nothing overlapped */
  { FALSE, 3, 40, 50, 1, 7, 0.7f, -2, PARITY_FILL_BROKEN },
  { TRUE, 1, 100, 1656, 1, 80, 0.7f, 0, PARITY_FILL_UNIT },
};

static void
build_anchor_max (Parity *parity, const void *data)
{
  const Anchors *c = data;
  UpiProgram *p = parity_program (parity);
  UpiValue boxes = parity_input (parity, UPI_SHAPE3 (c->n, c->boxes, 4), c->fill, 1);
  UpiValue scores = parity_input (parity, UPI_SHAPE3 (c->n, c->anchors, c->columns), PARITY_FILL_NORMAL, 1);
  UpiValue anchors = parity_input (parity, UPI_SHAPE3 (c->anchor_batch, c->anchors, 4), PARITY_FILL_UNIT, 1);

  parity_name (parity, "n%d %d of n%d %dx%d ratio%g least%g fill%d", c->n, c->boxes, c->anchor_batch, c->anchors,
      c->columns, (gdouble) c->ratio, (gdouble) c->least, c->fill);
  parity_output (parity, upi_anchor_max (p, boxes, scores, anchors, c->ratio, c->least));
}

static const Choice embed_cases[] = {
  { FALSE, 1, 1, 12, 30, 0, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 7, 33, 11, 0, PARITY_FILL_NORMAL, FALSE },
  { TRUE, 1, 16, 128, 30522, 0, PARITY_FILL_NORMAL, FALSE },
};

static void
build_embed (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiValue table = parity_weight (parity, UPI_SHAPE2 (c->k, c->c), 1),
           ids = parity_ints (parity, UPI_SHAPE2 (c->n, c->t), 0, c->k - 1);

  parity_name (parity, "n%d %d of %dx%d", c->n, c->t, c->k, c->c);
  parity_output (parity, upi_embed (parity_program (parity), table, ids));
}

static const Choice store_rows_cases[] = {
  { FALSE, 1, 8, 16, 1, 0, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 9, 21, 4, 0, PARITY_FILL_NORMAL, FALSE },
};

/* The rows are computed, so that stored rows must wait for them, and what is read afterwards for the rows. */
static void
build_store_rows (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiProgram *p = parity_program (parity);
  UpiValue cache = parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->c), c->fill, 1);
  UpiValue rows = parity_input (parity, UPI_SHAPE3 (c->n, c->k, c->c), c->fill, 1);
  UpiValue start = parity_ints (parity, UPI_SHAPE1 (c->n), 0, c->t - c->k);

  parity_name (parity, "n%d %d into %dx%d", c->n, c->k, c->t, c->c);
  cache = upi_store_rows (p, cache, upi_mul (p, rows, rows), start);
  parity_output (parity, upi_add (p, cache, cache));
}

static const Choice sine_cases[] = {
  { FALSE, 1, 1, 2, 0, 0, PARITY_FILL_UNIT, FALSE },
  { FALSE, 3, 7, 48, 0, 0, PARITY_FILL_UNIT, FALSE },
  { TRUE, 1, 100, 128, 0, 0, PARITY_FILL_UNIT, FALSE },
};

static void
build_sine (Parity *parity, const void *data)
{
  const Choice *c = data;

  parity_name (parity, "n%d %d f%d", c->n, c->t, c->c);
  parity_output (parity,
      upi_sine_position (parity_program (parity), parity_input (parity, UPI_SHAPE3 (c->n, c->t, 4), c->fill, 1), c->c));
}

static const Choice box_refine_cases[] = {
  { FALSE, 1, 1, 4, 0, 0, PARITY_FILL_NORMAL, FALSE },
  { FALSE, 3, 33, 4, 0, 0, PARITY_FILL_WIDE, FALSE },
  { TRUE, 1, 100, 4, 0, 0, PARITY_FILL_NORMAL, FALSE },
};

static void
build_box_refine (Parity *parity, const void *data)
{
  const Choice *c = data;
  UpiShape shape = UPI_SHAPE3 (c->n, c->t, 4);
  UpiValue delta = parity_input (parity, shape, c->fill, 1),
           reference = parity_input (parity, shape, PARITY_FILL_UNIT, 1);

  parity_name (parity, "n%d %d fill%d", c->n, c->t, c->fill);
  parity_output (parity, upi_box_refine (parity_program (parity), delta, reference));
}

#define FAMILY(name, tolerance)                                                                                        \
  {                                                                                                                    \
#name, name##_cases, G_N_ELEMENTS(name##_cases), sizeof name##_cases[0], tolerance, build_##name                   \
  }

const ParityFamily parity_row_families[] = {
  FAMILY (layer_norm, 1e-11),
  FAMILY (group_norm, 1e-11),
  FAMILY (softmax, 1e-11),
  FAMILY (l2_norm, 1e-12),
  FAMILY (activation, 1e-11),
  FAMILY (mean_tokens, 1e-11),
  FAMILY (copy, 0),
  FAMILY (broadcast, 1e-11),
  FAMILY (resize, 1e-12),
  FAMILY (nearest, 0),
  FAMILY (max_pool, 0),
  FAMILY (adaptive, 1e-12),
  FAMILY (gather, 0),
  FAMILY (top_k, 0),
  FAMILY (distinct, 0),
  FAMILY (anchor_max, 0),
  FAMILY (embed, 0),
  FAMILY (store_rows, 1e-12),
  FAMILY (sine, 1e-10),
  FAMILY (box_refine, 1e-11),
};
const guint parity_n_row_families = G_N_ELEMENTS (parity_row_families);
