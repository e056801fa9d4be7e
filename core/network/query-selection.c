/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Query selection: the N memory tokens with the best foreground score become anchors and content queries (two-stage of
 * DINO), on demand only such whose boxes are distinct (DDQ, 2303.12776). A detector has its own: detector.c. */
#include "core/network/parts.h"

void
upi_query_selection_tensors (GArray *specs, const UpiConfig *c)
{
  if (c->has_detector)
    return;
  upi_tensor_linear (specs, c->d, c->d, "query.output");
  upi_tensor_norm (specs, c->d, "query.norm");
  upi_tensor_linear (specs, c->d, 1, "query.score");
  upi_tensor_mlp (specs, (const gint[]){ c->d, c->d, c->d, 4 }, 3, "query.box");
  if (c->query.content == UPI_CONTENT_LEARNED)
    upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->query.count, c->d), "query.content");
}

/* Boxes [B,K,4] and outputs [B,K,d] of the tokens `index`: of these alone, as the MLP over all T would cost more than
 * the region decoder. */
static UpiValue
boxes_at (UpiBuild *b, UpiValue o, UpiValue anchors, UpiValue index, UpiValue *selected)
{
  UpiProgram *p = b->program;

  *selected = upi_gather (p, o, index);
  return upi_box_refine (p, upi_mlp_of (b, *selected, 3, "query.box"), upi_gather (p, anchors, index));
}

UpiQueries
upi_query_selection (UpiBuild *b, const UpiLevels *levels, UpiValue memory, UpiValue given)
{
  const UpiConfig *c = b->config;
  UpiProgram *p = b->program;
  gfloat *boxes = upi_anchors (levels, c);
  UpiValue o, anchors, choice, selected;
  UpiQueries q;

  upi_program_part (p, "query selection (4.1)");
  o = upi_linear_of (b, memory, UPI_ACT_NONE, "query.output"); /* [B,T,d] */
  o = upi_layer_norm_of (b, o, UPI_LAYER_NORM_EPS, "query.norm");
  q.scores = upi_linear_of (b, o, UPI_ACT_NONE, "query.score"); /* [B,T,1] */
  choice = q.scores;
  if (c->mask_dino && given == UPI_NO_VALUE && boxes != NULL)
    choice = upi_add (
        p, q.scores, upi_program_constant (p, upi_anchor_penalties (levels, boxes), UPI_SHAPE3 (1, levels->tokens, 1)));
  anchors = upi_program_constant (p, boxes, UPI_SHAPE3 (1, levels->tokens, 4));
  if (given != UPI_NO_VALUE)
    q.index = given;
  else if (c->query.candidates == 0)
    q.index = upi_top_k (p, choice, c->query.count); /* [B,N] */
  else {
    q.index = upi_top_k (
        p, choice, MIN (c->query.candidates, levels->tokens)); /* [B,M], then the N best of those that differ */
    q.box = boxes_at (b, o, anchors, q.index, &selected);
    q.index = upi_distinct (p, q.box, q.index, c->query.count, c->query.distinct);
  }
  q.box = boxes_at (b, o, anchors, q.index, &selected); /* [B,N,4] */
  q.content = c->query.content == UPI_CONTENT_PIXEL ? selected : upi_weight_tiled (b, "query.content");
  return q;
}
