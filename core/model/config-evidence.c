/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Class evidence: what says how much of the model's own labels a region has, `evidence` or `detector`
 * (models/reference/NETWORK.md). */
#include "core/model/config-evidence.h"

/* The members of "evidence". */
static void
read_predictors (UpiReader *root, UpiConfig *c)
{
  UpiReader r;
  JsonArray *maps;

  r = upi_reader_object (root, "evidence", "evidence.",
      UPI_KEYS ("channels", "rank", "extra", "anchors", "pixels", "ratio", "near", "aligned"));
  upi_reader_ints (&r, "channels", c->evidence.channels, UPI_EVIDENCE_MAPS, 1, 4096);
  upi_reader_ints (&r, "rank", c->evidence.rank, UPI_EVIDENCE_MAPS, 1, 4096);
  upi_reader_ints (&r, "extra", c->evidence.extra, 2, 1, 4096);
  maps = upi_reader_array (&r, "anchors", UPI_EVIDENCE_MAPS, UPI_EVIDENCE_MAPS);
  for (guint i = 0; maps != NULL && i < UPI_EVIDENCE_MAPS; i++) {
    JsonArray *shapes = upi_reader_node_array (&r, "anchors", json_array_get_element (maps, i), 1, 64);
    if (shapes == NULL)
      break;
    c->evidence.n_anchors[i] = (gint) json_array_get_length (shapes);
    c->evidence.anchors[i] = g_malloc0_n ((gsize) c->evidence.n_anchors[i], sizeof *c->evidence.anchors[i]);
    for (gint a = 0; a < c->evidence.n_anchors[i]; a++) {
      JsonArray *pair = upi_reader_node_array (&r, "anchors", json_array_get_element (shapes, (guint) a), 2, 2);
      for (guint k = 0; pair != NULL && k < 2; k++)
        c->evidence.anchors[i][a][k] =
            upi_reader_node_float (&r, "anchors", json_array_get_element (pair, k), 1e-3, 1e3);
    }
  }
  c->evidence.pixels = upi_reader_float_or (&r, "pixels", 1, UPI_MAX_SIDE, 300);
  c->evidence.ratio = upi_reader_float_or (&r, "ratio", 1e-3, 1, 0.7f);
  c->evidence.near = upi_reader_float_or (&r, "near", -1, 0.999, 0.7f);
  c->evidence.aligned = upi_reader_has (&r, "aligned") && upi_reader_boolean (&r, "aligned");
}

static void
read_detector (UpiReader *root, UpiConfig *c)
{
  UpiReader r = upi_reader_object (root, "detector", "detector.", UPI_KEYS ("near"));

  c->evidence.near = upi_reader_float_or (&r, "near", -1, 0.999, 0.7f);
}

void
upi_config_read_evidence (UpiReader *root, UpiConfig *c)
{
  const gchar *key = c->has_detector ? "detector" : "evidence";

  if (!c->has_evidence)
    return;
  if (c->has_detector)
    read_detector (root, c);
  else
    read_predictors (root, c);
  if (c->labels != NULL && *c->labels == NULL)
    upi_reader_fail (root, key, "speaks for the model's own labels, but labels is empty");
}

void
upi_config_check_detector (UpiReader *root, const UpiConfig *c)
{
  const gboolean lcnet = c->backbone.kind == UPI_BACKBONE_LCNET,
                 pyramid = c->pixel_encoder.kind == UPI_PIXEL_ENCODER_PYRAMID;

  if (!c->has_detector && lcnet)
    upi_reader_fail (root, "backbone", "is of kind \"lcnet\", which needs detector");
  else if (!c->has_detector && pyramid)
    upi_reader_fail (root, "pixel_encoder", "is of kind \"pyramid\", which needs detector");
  else if (c->has_detector && (!lcnet || !pyramid || c->levels != 4))
    upi_reader_fail (root, "detector",
        "needs a backbone of kind \"lcnet\", a pixel_encoder of kind \"pyramid\" and 4 levels; levels is %d",
        c->levels);
  else if (c->has_detector && upi_reader_has (root, "evidence"))
    upi_reader_fail (root, "evidence", "has no meaning beside detector, which says what speaks for the labels");
  else if (c->has_detector && upi_reader_has (root, "region_parts"))
    upi_reader_fail (root, "region_parts", "has no meaning beside detector, which chooses the queries");
}
