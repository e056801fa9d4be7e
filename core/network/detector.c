/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PicoDet's heads (2111.00902) as query selection and class evidence in one: of every token of the pyramid's maps the
 * logits of the model's own labels, how far a box's sides are, whether an object is there. The N best tokens whose
 * boxes are distinct are the queries, and say themselves how much speaks for each label (5.3: off-the-shelf encoders).
 *
 * What only chosen tokens are asked for, boxes, contents and evidence, is made for these alone. Labels and sides read
 * the same features: one linear layer, in whose rows, a token's answers, they lie side by side.
 */
#include "core/memory.h"
#include "core/network/parts.h"

#include "core/upi.h"

#include <string.h>

#define WIDTH UPI_PYRAMID_WIDTH
#define LEVELS 4
#define KERNEL 5
#define BINS 8 /* of a side's distance, in strides (generalised focal loss, 2006.04388) */
#define SIDES (4 * BINS)
#define PLACE (8 + LEVELS) /* what is known of a token before any image: see places() */

static gint
n_labels (const UpiConfig *c)
{
  return (gint) g_strv_length (c->labels);
}

void
upi_detector_tensors (GArray *specs, const UpiConfig *c)
{
  if (!c->has_detector)
    return;
  for (gint l = 0; l < LEVELS; l++) {
    for (gint i = 0; i < 2; i++)
      upi_tensor_separable (specs, WIDTH, WIDTH, KERNEL, "detector.heads.%d.layers.%d", l, i);
    upi_tensor_conv (specs, WIDTH, WIDTH, 1, "detector.heads.%d.gate", l);
    upi_tensor_conv (specs, WIDTH, WIDTH, 1, "detector.heads.%d.mix", l);
    upi_tensor_conv (specs, WIDTH, n_labels (c), 1, "detector.heads.%d.classes", l);
    upi_tensor_conv (specs, WIDTH, SIDES, 1, "detector.heads.%d.sides", l);
    upi_tensor_conv (specs, WIDTH, 1, KERNEL, "detector.heads.%d.there.0", l);
    upi_tensor_conv (specs, 1, 1, 1, "detector.heads.%d.there.1", l);
    upi_tensor_linear (specs, WIDTH, c->d, "detector.output.%d", l);
  }
  upi_tensor_norm (specs, c->d, "detector.norm");
  upi_tensor (specs, UPI_F32, (UpiShape){ 0 }, "detector.scale");
  upi_tensor (specs, UPI_F32, (UpiShape){ 0 }, "detector.offset");
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->d, n_labels (c)), "proposals.evidence.weight");
}

/* A 5×5 convolution to one channel is a depthwise one and the sum of its channels, which have kernels of their own. */
static gboolean
split_there (UpiWeights *weights, gint l, GError **error)
{
  UpiShape shape;
  gfloat *w = upi_weights_take (weights, &shape, error, "detector.heads.%d.there.0.weight", l), *ones;

  if (w == NULL)
    return FALSE;
  upi_weights_put (weights, w, UPI_SHAPE4 (WIDTH, 1, KERNEL, KERNEL), "detector.heads.%d.there.taps.weight", l);
  w = upi_weights_take (weights, &shape, error, "detector.heads.%d.there.0.bias", l);
  if (w == NULL)
    return FALSE;
  upi_weights_put (weights, w, shape, "detector.heads.%d.there.sum.bias", l);
  ones = g_new (gfloat, WIDTH);
  for (gint c = 0; c < WIDTH; c++)
    ones[c] = 1;
  upi_weights_put (weights, ones, UPI_SHAPE2 (1, WIDTH), "detector.heads.%d.there.sum.weight", l);
  return TRUE;
}

/* Contents are made of chosen tokens of all levels at once: their features stand where their level's are in a row of
 * all levels', which are 0 otherwise. output.l [d,96] and bias [d] → [d, 4·96], [d, 4] */
static gboolean
join_outputs (UpiWeights *weights, gint d, GError **error)
{
  gfloat *joined = g_new (gfloat, d * LEVELS * WIDTH), *biases = g_new (gfloat, d * LEVELS);

  upi_weights_put (weights, joined, UPI_SHAPE2 (d, LEVELS * WIDTH), "detector.content.weight");
  upi_weights_put (weights, biases, UPI_SHAPE2 (d, LEVELS), "detector.content.bias");
  for (gint l = 0; l < LEVELS; l++) {
    g_autofree gfloat *w = upi_weights_take (weights, NULL, error, "detector.output.%d.weight", l);
    g_autofree gfloat *bias = w != NULL ? upi_weights_take (weights, NULL, error, "detector.output.%d.bias", l) : NULL;
    if (bias == NULL)
      return FALSE;
    for (gint o = 0; o < d; o++) {
      memcpy (joined + (o * LEVELS + l) * WIDTH, w + o * WIDTH, WIDTH * sizeof (gfloat));
      biases[o * LEVELS + l] = bias[o];
    }
  }
  return TRUE;
}

/* [] → [1] */
static gfloat *
take_number (UpiWeights *weights, const gchar *name, GError **error)
{
  gfloat *number = upi_weights_take (weights, NULL, error, "%s", name);

  if (number != NULL)
    upi_weights_put (weights, number, UPI_SHAPE1 (1), "%s.row", name);
  return number;
}

gboolean
upi_detector_fold (UpiWeights *weights, const UpiConfig *c, const gchar *directory, GError **error)
{
  const gfloat *scale;

  if (!c->has_detector)
    return TRUE;
  scale = take_number (weights, "detector.scale", error);
  if (scale == NULL || take_number (weights, "detector.offset", error) == NULL)
    return FALSE;
  if (*scale <= 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: detector.scale is %g, expected a number above 0: what speaks for a class must not speak against it",
        directory, (gdouble) *scale);
    return FALSE;
  }
  for (gint l = 0; l < LEVELS; l++) {
    g_autofree gchar *classes = g_strdup_printf ("detector.heads.%d.classes", l),
                     *sides = g_strdup_printf ("detector.heads.%d.sides", l),
                     *answers = g_strdup_printf ("detector.answers.%d", l);
    if (!split_there (weights, l, error)
        || !upi_weights_stack (weights, (const gchar *const[]){ classes, sides }, 2, answers, error))
      return FALSE;
  }
  return join_outputs (weights, c->d, error);
}

/* What is made of all tokens. */
typedef struct {
  UpiValue features; /* [B,T,96] */
  UpiValue answers;  /* [B,T,K+32]: logits of labels, distributions of sides */
  UpiValue there;    /* [B,T,1] logits */
} Tokens;

/* map [B,H_l,W_l,96] → those of a level */
static Tokens
head (UpiBuild *b, UpiValue map, gint l)
{
  UpiProgram *p = b->program;
  UpiValue x, gate;
  UpiConv taps = {
    .groups = WIDTH, .pad_top = KERNEL / 2, .pad_left = KERNEL / 2, .pad_bottom = KERNEL / 2, .pad_right = KERNEL / 2
  };
  Tokens t;

  for (gint i = 0; i < 2; i++)
    map = upi_separable_of (b, map, 1, "detector.heads.%d.layers.%d", l, i);
  x = upi_conv2d (p, map, upi_weight_of (b, "detector.heads.%d.there.taps.weight", l), UPI_NO_VALUE, &taps);
  x = upi_linear_of (b, upi_as_tokens (b, x), UPI_ACT_HARD_SWISH, "detector.heads.%d.there.sum", l);
  t.there = upi_pointwise_of (b, x, UPI_ACT_NONE, "detector.heads.%d.there.1", l);
  x = upi_as_tokens (b, map);
  gate = upi_pointwise_of (b, upi_mean_tokens (p, x), UPI_ACT_SIGMOID, "detector.heads.%d.gate", l); /* [B,1,96] */
  t.features = upi_pointwise_of (b, upi_mul (p, x, gate), UPI_ACT_HARD_SWISH, "detector.heads.%d.mix", l);
  t.answers = upi_pointwise_of (b, t.features, UPI_ACT_NONE, "detector.answers.%d", l);
  return t;
}

static Tokens
all_heads (UpiBuild *b, const UpiValue maps[LEVELS])
{
  UpiValue features[LEVELS], answers[LEVELS], there[LEVELS];

  for (gint l = 0; l < LEVELS; l++) {
    Tokens t = head (b, maps[l], l);
    features[l] = t.features;
    answers[l] = t.answers;
    there[l] = t.there;
  }
  return (Tokens){ upi_concat (b->program, features, LEVELS, 1), upi_concat (b->program, answers, LEVELS, 1),
    upi_concat (b->program, there, LEVELS, 1) };
}

/* What a token's sides are multiplied by, then what is added, both [4] of (cx, cy, w, h), and which its level is: a 1
 * of four numbers. [1,T,12] */
static UpiValue
places (UpiBuild *b, const UpiLevels *levels)
{
  gfloat *rows = UPI_MEMORY_NEW0 (gfloat, (gsize) levels->tokens * PLACE, "places of tokens", NULL), *out = rows;

  for (gint l = 0; rows != NULL && l < levels->n; l++) {
    gfloat across = (gfloat) (8 << l) / (gfloat) b->width, down = (gfloat) (8 << l) / (gfloat) b->height;
    for (gint i = 0; i < levels->level[l].height; i++)
      for (gint j = 0; j < levels->level[l].width; j++, out += PLACE) {
        out[0] = out[2] = across;
        out[1] = out[3] = down;
        out[4] = ((gfloat) j + 0.5f) * across;
        out[5] = ((gfloat) i + 0.5f) * down;
        out[8 + l] = 1;
      }
  }
  return upi_program_constant (b->program, rows, UPI_SHAPE3 (1, levels->tokens, PLACE));
}

/* From the distributions of left, top, right, bottom [32] to what they are in strides of (cx, cy, w, h) [4]. */
static UpiValue
expectation (UpiBuild *b)
{
  static const gfloat of_sides[4][4] = { { -0.5f, 0, 0.5f, 0 }, { 0, -0.5f, 0, 0.5f }, { 1, 0, 1, 0 }, { 0, 1, 0, 1 } };
  gfloat *weight = g_new (gfloat, 4 * SIDES);

  for (gint i = 0; i < 4; i++)
    for (gint k = 0; k < SIDES; k++)
      weight[i * SIDES + k] = of_sides[i][k / BINS] * (gfloat) (k % BINS);
  return upi_program_constant (b->program, weight, UPI_SHAPE2 (4, SIDES));
}

/* sides [B,n,32] of tokens at place [B,n,12] → boxes [B,n,4] */
static UpiValue
boxes_of (UpiBuild *b, UpiValue sides, UpiValue expected, UpiValue place)
{
  UpiProgram *p = b->program;
  gint n = upi_program_shape (p, sides).dim[1];
  UpiValue x = upi_softmax (p, upi_reshape (p, sides, UPI_SHAPE4 (b->batch, n, 4, BINS)));

  x = upi_linear (p, upi_reshape (p, x, UPI_SHAPE3 (b->batch, n, SIDES)), expected, UPI_NO_VALUE, UPI_ACT_NONE);
  return upi_add (p, upi_mul (p, x, upi_slice (p, place, 2, 0, 4)), upi_slice (p, place, 2, 4, 4));
}

/* A number of each level → one for each of its features: [4·96, 4] */
static UpiValue
spread (UpiBuild *b)
{
  gfloat *weight = g_new0 (gfloat, LEVELS * WIDTH * LEVELS);

  for (gint k = 0; k < LEVELS * WIDTH; k++)
    weight[k * LEVELS + k / WIDTH] = 1;
  return upi_program_constant (b->program, weight, UPI_SHAPE2 (LEVELS * WIDTH, LEVELS));
}

/* features [B,N,96] of tokens at place [B,N,12] → [B,N,d] */
static UpiValue
contents_of (UpiBuild *b, UpiValue features, UpiValue place)
{
  UpiProgram *p = b->program;
  gint n = upi_program_shape (p, features).dim[1];
  UpiValue level = upi_slice (p, place, 2, 8, LEVELS), x, bias;

  x = upi_linear (p, level, spread (b), UPI_NO_VALUE, UPI_ACT_NONE); /* [B,N,4·96] */
  x = upi_mul (p, upi_reshape (p, x, UPI_SHAPE4 (b->batch, n, LEVELS, WIDTH)),
      upi_reshape (p, features, UPI_SHAPE4 (b->batch, n, 1, WIDTH)));
  x = upi_linear (p, upi_reshape (p, x, UPI_SHAPE3 (b->batch, n, LEVELS * WIDTH)),
      upi_weight_of (b, "detector.content.weight"), UPI_NO_VALUE, UPI_ACT_NONE);
  bias = upi_linear (p, level, upi_weight_of (b, "detector.content.bias"), UPI_NO_VALUE, UPI_ACT_NONE);
  return upi_layer_norm_of (b, upi_add (p, x, bias), UPI_LAYER_NORM_EPS, "detector.norm");
}

UpiQueries
upi_detector (UpiBuild *b, const UpiLevels *levels, const UpiValue maps[LEVELS], UpiValue given, UpiValue *evidence)
{
  const UpiConfig *c = b->config;
  UpiProgram *p = b->program;
  gint labels = n_labels (c);
  UpiValue expected, known, place, x;
  Tokens t;
  UpiQueries q;

  upi_program_part (p, "detector (5.3)");
  t = all_heads (b, maps);
  q.scores = upi_joint_logit (p, upi_row_max (p, upi_slice (p, t.answers, 2, 0, labels)), t.there); /* [B,T,1] */
  known = places (b, levels);
  expected = expectation (b);
  q.index = given;
  if (given == UPI_NO_VALUE) {
    q.index = upi_top_k (p, q.scores, MIN (c->query.candidates, levels->tokens)); /* [B,M] */
    x = upi_gather (p, upi_slice (p, t.answers, 2, labels, SIDES), q.index);
    x = boxes_of (b, x, expected, upi_gather (p, known, q.index));
    q.index = upi_distinct (p, x, q.index, c->query.count, c->query.distinct); /* [B,N] */
  }
  place = upi_gather (p, known, q.index);
  x = upi_gather (p, t.answers, q.index);
  q.box = boxes_of (b, upi_slice (p, x, 2, labels, SIDES), expected, place);
  q.content = contents_of (b, upi_gather (p, t.features, q.index), place);
  x = upi_joint_logit (p, upi_slice (p, x, 2, 0, labels), upi_gather (p, t.there, q.index)); /* [B,N,K] */
  x = upi_add (p, upi_mul (p, x, upi_weight_of (b, "detector.scale.row")), upi_weight_of (b, "detector.offset.row"));
  *evidence = upi_activation (p, x, UPI_ACT_RELU);
  return q;
}
