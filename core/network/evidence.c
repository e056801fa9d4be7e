/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Class evidence: what the detector that the backbone comes from would say of a box (5.3: off-the-shelf encoders).
 *
 * Its class predictors (SSD, 1512.02325: 3×3 convolutions on C4, C5 and one map more, with logits for every cell,
 * anchor shape and class) come
 * factored: 1×1, 3×3, 1×1. A query asks the anchors that its box overlaps most:
 *
 *   e_k = max { z_a,k : IoU (anchor_a, box) ≥ ratio · max_a' IoU (anchor_a', box) }      r = relu (scale · e + offset)
 *
 * r speaks for the model's own labels; core/tasks/labels.c shares it out among other words. Of each query r goes to the
 * general decoder as a fourth term of equation 2 (proposals.c).
 */
#include "core/memory.h"
#include "core/network/parts.h"

#include "core/upi.h"

#include <math.h>

#define FLOOR -16.0f /* the logit of a class that no anchor speaks for */
#define MAPS UPI_EVIDENCE_MAPS

static gboolean
is_here (const UpiConfig *c)
{
  return c->has_evidence && !c->has_detector;
}

static gint
input_channels (const UpiConfig *c, gint i)
{
  return i < 2 ? c->backbone.channels[2 + i] : c->evidence.extra[1]; /* C4, C5, one more */
}

void
upi_evidence_tensors (GArray *specs, const UpiConfig *c)
{
  const gint *extra = c->evidence.extra;
  gint classes = (gint) g_strv_length (c->labels);

  if (!is_here (c))
    return;
  upi_tensor_conv (specs, c->backbone.channels[3], extra[0], 1, "evidence.extra.squeeze");
  upi_tensor_conv (specs, 1, extra[0], 3, "evidence.extra.depthwise");
  upi_tensor_conv (specs, extra[0], extra[1], 1, "evidence.extra.expand");
  for (gint i = 0; i < MAPS; i++) {
    gint squeezed = c->evidence.channels[i], rank = c->evidence.rank[i];
    upi_tensor (specs, UPI_F32, UPI_SHAPE4 (squeezed, input_channels (c, i), 1, 1), "evidence.squeeze.%d.weight", i);
    upi_tensor_conv (specs, squeezed, rank, 3, "evidence.reduce.%d", i);
    upi_tensor_conv (specs, rank, c->evidence.n_anchors[i] * classes, 1, "evidence.expand.%d", i);
  }
  upi_tensor (specs, UPI_F32, (UpiShape){ 0 }, "evidence.scale");
  upi_tensor (specs, UPI_F32, (UpiShape){ 0 }, "evidence.offset");
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->d, classes), "proposals.evidence.weight");
}

/* w, b → scale · w, scale · b + offset */
static gboolean
fold_logits (UpiWeights *weights, gint i, gfloat scale, gfloat offset, GError **error)
{
  UpiShape shape;
  gfloat *w = upi_weights_take (weights, &shape, error, "evidence.expand.%d.weight", i), *bias;
  gsize count;

  if (w == NULL)
    return FALSE;
  count = upi_shape_count (&shape);
  for (gsize k = 0; k < count; k++)
    w[k] *= scale;
  upi_weights_put (weights, w, shape, "evidence.logits.%d.weight", i);
  bias = upi_weights_take (weights, &shape, error, "evidence.expand.%d.bias", i);
  if (bias == NULL)
    return FALSE;
  for (gint k = 0; k < shape.dim[0]; k++)
    bias[k] = scale * bias[k] + offset;
  upi_weights_put (weights, bias, shape, "evidence.logits.%d.bias", i);
  return TRUE;
}

/* Where scale is positive, relu (scale · max (e) + offset) is max (0, scale · e + offset) over the same anchors: the
 * last convolution makes it. */
gboolean
upi_evidence_fold (UpiWeights *weights, const UpiConfig *c, const gchar *directory, GError **error)
{
  g_autofree gfloat *scale = NULL, *offset = NULL;
  gfloat *least;

  if (!is_here (c))
    return TRUE;
  scale = upi_weights_take (weights, NULL, error, "evidence.scale");
  offset = scale != NULL ? upi_weights_take (weights, NULL, error, "evidence.offset") : NULL;
  if (offset == NULL)
    return FALSE;
  if (*scale <= 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: evidence.scale is %g, expected a number above 0: what speaks for a class must not speak against it",
        directory, (gdouble) *scale);
    return FALSE;
  }
  for (gint i = 0; i < MAPS; i++)
    if (!fold_logits (weights, i, *scale, *offset, error))
      return FALSE;
  least = g_new (gfloat, 1);
  *least = MAX (*scale * FLOOR + *offset, 0);
  upi_weights_put (weights, least, UPI_SHAPE1 (1), "evidence.least");
  return TRUE;
}

/* Along a side of @pixels the i-th of n cells of a map looks at pixel step · i + first. */
typedef struct {
  gint n;
  gdouble step, first;
} Side;

/* SAME padding of a stride of 2 puts all of an even size's padding behind it: its cells look half a cell further on
 * than those of an odd one. */
static Side
side_of (gint map, gint pixels)
{
  Side side = { pixels, 1, 0.5 };

  for (gint strides = 4 + map; strides > 0; strides--) { /* C4 is the first map */
    side.first += side.n % 2 == 0 ? side.step : 0;
    side.step *= 2;
    side.n = (side.n + 1) / 2;
  }
  return side;
}

/* The middle of the i-th cell's anchors along a side of @pixels, of 0..1. Aligned: where the cell looks, less what the
 * predictors have learnt to add to that, in the mean of the cells at the size they were trained with. */
static gfloat
anchor_centre (const UpiConfig *c, gint map, gint i, gint cells, gint pixels)
{
  if (!c->evidence.aligned)
    return ((gfloat) i + 0.5f) / (gfloat) cells;
  gint trained = (gint) (c->evidence.pixels + 0.5f);
  Side now = side_of (map, pixels), then = side_of (map, trained);
  gdouble learnt = then.step * (then.n - 1) / 2 + then.first - trained / 2.0;
  return (gfloat) ((now.step * i + now.first - learnt) / pixels);
}

/* Anchors of a map of height × width cells, (cx, cy, w, h) in 0..1: [height·width·n, 4] to out; returns what follows
 * them. */
static gfloat *
anchors_of (const UpiBuild *b, gint i, gint height, gint width, gfloat *out)
{
  const UpiConfig *c = b->config;

  for (gint y = 0; y < height; y++) {
    gfloat down = anchor_centre (c, i, y, height, b->height);
    for (gint x = 0; x < width; x++) {
      gfloat across = anchor_centre (c, i, x, width, b->width);
      for (gint a = 0; a < c->evidence.n_anchors[i]; a++) {
        gdouble scale = c->evidence.anchors[i][a][0], root = sqrt (c->evidence.anchors[i][a][1]);
        *out++ = across;
        *out++ = down;
        *out++ = (gfloat) (scale * root * c->evidence.pixels / b->width);
        *out++ = (gfloat) (scale / root * c->evidence.pixels / b->height);
      }
    }
  }
  return out;
}

UpiValue
upi_evidence (UpiBuild *b, const UpiValue maps[4], UpiValue boxes)
{
  UpiProgram *p = b->program;
  const UpiConfig *c = b->config;
  gint classes = (gint) g_strv_length (c->labels), total = 0;
  UpiValue from[MAPS] = { maps[2], maps[3] }, logits[MAPS], x;
  UpiShape s[MAPS];
  gfloat *anchors, *end;

  upi_program_part (p, "class evidence (5.3)");
  x = upi_conv_of (b, maps[3], &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "evidence.extra.squeeze"); /* SSD's next map */
  x = upi_conv_of (b, x, &(UpiConvOf){ .stride = 2, .depthwise = TRUE, .same = TRUE, .act = UPI_ACT_RELU6 },
      "evidence.extra.depthwise");
  from[2] =
      upi_conv_of (b, x, &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "evidence.extra.expand"); /* [B,⌈H/64⌉,⌈W/64⌉,extra] */
  for (gint i = 0; i < MAPS; i++) {
    x = upi_conv_of (b, from[i], &(UpiConvOf){ .no_bias = TRUE }, "evidence.squeeze.%d", i); /* [B,h,w,channels] */
    x = upi_conv_of (b, x, &(UpiConvOf){ 0 }, "evidence.reduce.%d", i);                      /* 3×3: [B,h,w,rank] */
    x = upi_conv_of (b, x, &(UpiConvOf){ 0 }, "evidence.logits.%d", i);                      /* [B,h,w,n·K] */
    s[i] = upi_program_shape (p, x);
    logits[i] =
        upi_reshape (p, x, UPI_SHAPE3 (b->batch, s[i].dim[1] * s[i].dim[2] * c->evidence.n_anchors[i], classes));
    total += s[i].dim[1] * s[i].dim[2] * c->evidence.n_anchors[i];
  }
  anchors = end =
      UPI_MEMORY_NEW (gfloat, (gsize) total * 4, "anchors of class evidence", NULL); /* NULL is the program's error */
  for (gint i = 0; anchors != NULL && i < MAPS; i++)
    end = anchors_of (b, i, s[i].dim[1], s[i].dim[2], end);
  return upi_anchor_max (p, boxes, upi_concat (p, logits, MAPS, 1),
      upi_program_constant (p, anchors, UPI_SHAPE3 (1, total, 4)), c->evidence.ratio,
      *(const gfloat *) upi_weights_get (b->weights, "evidence.least")->data); /* [B,N,K] */
}
