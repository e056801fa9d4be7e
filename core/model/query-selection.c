/* Query selection: the N memory tokens with the best foreground score become anchors and content queries (two-stage of DINO). */
#include "core/model/parts.h"

void
upi_query_selection_tensors (GArray *specs, const UpiConfig *c)
{
  upi_tensor_linear (specs, c->d, c->d, "query.output");
  upi_tensor_norm (specs, c->d, "query.norm");
  upi_tensor_linear (specs, c->d, 1, "query.score");
  upi_tensor_mlp (specs, (const gint[]){ c->d, c->d, c->d, 4 }, 3, "query.box");
  if (c->query.content == UPI_CONTENT_LEARNED)
    upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->query.count, c->d), "query.content");
}

UpiQueries
upi_query_selection (UpiBuild *b, const UpiLevels *levels, UpiValue memory, UpiValue given)
{
  const UpiConfig *c = b->config;
  UpiProgram *p = b->program;
  UpiValue o, anchors, selected;
  UpiQueries q;

  upi_program_part (p, "query selection (4.1)");
  o = upi_linear_of (b, memory, UPI_ACT_NONE, "query.output"); /* [B,T,d] */
  o = upi_layer_norm_of (b, o, UPI_LAYER_NORM_EPS, "query.norm");
  q.scores = upi_linear_of (b, o, UPI_ACT_NONE, "query.score");                      /* [B,T,1] */
  q.index = given == UPI_NO_VALUE ? upi_top_k (p, q.scores, c->query.count) : given; /* [B,N] */
  /* boxes of the selected tokens alone: the MLP over all T would cost more than the region decoder */
  anchors = upi_program_constant (p, upi_anchors (levels, c->query.anchor, c->query.anchor_cells), UPI_SHAPE3 (1, levels->tokens, 4));
  anchors = upi_gather (p, anchors, q.index);                                    /* [B,N,4] */
  selected = upi_gather (p, o, q.index);                                         /* [B,N,d] */
  q.box = upi_box_refine (p, upi_mlp_of (b, selected, 3, "query.box"), anchors); /* [B,N,4] */
  q.content = c->query.content == UPI_CONTENT_PIXEL ? selected : upi_weight_tiled (b, "query.content");
  return q;
}
