/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden-parts.c: see golden-parts.h. */
#include "tests/core/network/golden-parts.h"

const UpiSafetensor *
golden_reference (const GoldenPart *part, const gchar *name)
{
  const UpiSafetensor *tensor = upi_safetensors_find (part->network->golden, name);

  if (tensor == NULL)
    g_error ("tests/golden/%s.safetensors has no %s", part->network->name, name);
  return tensor;
}

static UpiValue
feed (GoldenPart *part, const gchar *name, GoldenLayout layout)
{
  const UpiSafetensor *t = golden_reference (part, name);
  const gint d[3] = { (gint) t->dim[0], (gint) t->dim[1], (gint) t->dim[2] };
  GoldenTensor fed = { name, layout, t->type == UPI_TENSOR_I32 ? UPI_I32 : UPI_F32 };
  UpiShape shape;

  if (layout == GOLDEN_MAP)
    shape = UPI_SHAPE4 (1, d[1], d[2], d[0]);
  else if (layout == GOLDEN_HEADS)
    shape = UPI_SHAPE3 (1, d[1], d[0] * d[2]);
  else
    shape = t->rank == 2 ? UPI_SHAPE3 (1, d[0], d[1]) : UPI_SHAPE2 (1, d[0]);
  g_array_append_val (part->fed, fed);
  return upi_program_input (part->build.program, name, fed.dtype, shape);
}

static void
expect (GoldenPart *part, UpiValue value, const gchar *name, GoldenLayout layout)
{
  GoldenTensor expected = { name, layout, upi_program_value (part->build.program, value)->dtype };

  upi_program_output (part->build.program, name, value);
  g_array_append_val (part->expected, expected);
}

static const gchar *const map_names[] = { "C2", "C3", "C4", "C5" };
static const gchar *const projected_names[] = { "F_1", "F_2", "F_3", "F_4" };
const gchar *const golden_keys[GOLDEN_MAX_LAYERS] = { "key_0", "key_1", "key_2", "key_3", "key_4", "key_5", "key_6",
  "key_7", "key_8", "key_9", "key_10", "key_11" };
const gchar *const golden_values[GOLDEN_MAX_LAYERS] = { "value_0", "value_1", "value_2", "value_3", "value_4",
  "value_5", "value_6", "value_7", "value_8", "value_9", "value_10", "value_11" };

static void
backbone (GoldenPart *part)
{
  UpiValue maps[4];

  upi_backbone (&part->build, feed (part, "input", GOLDEN_MAP), maps);
  for (guint i = 0; i < 4; i++)
    expect (part, maps[i], map_names[i], GOLDEN_MAP);
}

/* Of a backbone of its own, on half the sides: 48 × 16 → 2 × 1. */
static void
global_map (GoldenPart *part)
{
  UpiValue maps[4] = { UPI_NO_VALUE, UPI_NO_VALUE, UPI_NO_VALUE, UPI_NO_VALUE };

  expect (part, upi_global_map (&part->build, feed (part, "input", GOLDEN_MAP), maps), "global_map", GOLDEN_MAP);
}

/* What a detector's queries say: of the reference's tokens, or (index NULL) of the best. */
static UpiQueries
detect (GoldenPart *part, const gchar *index, UpiValue *evidence)
{
  UpiValue maps[4] = { UPI_NO_VALUE }, pyramid[4], given = UPI_NO_VALUE;

  for (guint i = 1; i < 4; i++)
    maps[i] = feed (part, map_names[i], GOLDEN_MAP);
  if (index != NULL)
    given = feed (part, index, GOLDEN_ROWS);
  upi_pyramid (&part->build, maps, pyramid);
  return upi_detector (&part->build, &part->levels, pyramid, given, evidence);
}

static void
evidence (GoldenPart *part)
{
  UpiValue said;

  if (part->build.config->has_detector) {
    detect (part, "index", &said);
    expect (part, said, "evidence", GOLDEN_ROWS);
    return;
  }
  UpiValue maps[4] = { UPI_NO_VALUE, UPI_NO_VALUE, feed (part, "C4", GOLDEN_MAP), feed (part, "C5", GOLDEN_MAP) };

  expect (part, upi_evidence (&part->build, maps, feed (part, "q_box", GOLDEN_ROWS)), "evidence", GOLDEN_ROWS);
}

static void
input_projection (GoldenPart *part)
{
  UpiValue maps[4] = { UPI_NO_VALUE }, pyramid[4], projected[UPI_MAX_LEVELS];
  gboolean detector = part->build.config->has_detector;

  for (guint i = 1; i < 4; i++)
    maps[i] = feed (part, map_names[i], GOLDEN_MAP);
  if (detector)
    upi_pyramid (&part->build, maps, pyramid);
  upi_input_projection (&part->build, &part->levels, detector ? pyramid : maps, projected);
  for (gint l = 0; l < part->levels.n; l++)
    expect (part, projected[l], projected_names[l], GOLDEN_MAP);
}

static void
pixel_encoder (GoldenPart *part)
{
  UpiValue projected[UPI_MAX_LEVELS];

  for (gint l = 0; l < part->levels.n; l++)
    projected[l] = feed (part, projected_names[l], GOLDEN_MAP);
  expect (part, upi_pixel_encoder (&part->build, &part->levels, projected), "memory", GOLDEN_ROWS);
}

static void
query_scores (GoldenPart *part)
{
  UpiValue said;
  UpiQueries q = part->build.config->has_detector
      ? detect (part, NULL, &said)
      : upi_query_selection (&part->build, &part->levels, feed (part, "memory", GOLDEN_ROWS), UPI_NO_VALUE);

  expect (part, q.scores, "scores", GOLDEN_ROWS);
  expect (part, q.index, "index", GOLDEN_ROWS);
}

static void
queries (GoldenPart *part)
{
  UpiQueries q;
  UpiValue said;

  if (part->build.config->has_detector) {
    q = detect (part, "index", &said);
  } else {
    UpiValue memory = feed (part, "memory", GOLDEN_ROWS);
    q = upi_query_selection (&part->build, &part->levels, memory, feed (part, "index", GOLDEN_ROWS));
  }
  expect (part, q.box, "box_0", GOLDEN_ROWS);
  expect (part, q.content, "content", GOLDEN_ROWS);
}

static void
region_decoder (GoldenPart *part)
{
  UpiValue content = feed (part, "content", GOLDEN_ROWS), box = feed (part, "box_0", GOLDEN_ROWS);
  UpiRegions r = upi_region_decoder (&part->build, &part->levels, content, box, feed (part, "memory", GOLDEN_ROWS));

  expect (part, r.semantic, "q_sem", GOLDEN_ROWS);
  expect (part, r.box, "q_box", GOLDEN_ROWS);
  expect (part, r.foreground, "foreground", GOLDEN_ROWS);
}

static void
mask_head (GoldenPart *part)
{
  UpiValue c2 = feed (part, "C2", GOLDEN_MAP), memory = feed (part, "memory", GOLDEN_ROWS);

  expect (part, upi_mask_features (&part->build, &part->levels, c2, memory), "mask_features", GOLDEN_MAP);
  UpiValue semantic = feed (part, "q_sem", GOLDEN_ROWS), embed = upi_mask_embed (&part->build, semantic);
  expect (part, upi_shown_mask_embed (&part->build, semantic, embed), "mask_embed", GOLDEN_ROWS);
  if (part->build.config->mask.own)
    expect (part, embed, "pool_embed", GOLDEN_ROWS);
}

static void
proposals (GoldenPart *part)
{
  UpiRegions r = { feed (part, "q_sem", GOLDEN_ROWS), feed (part, "q_box", GOLDEN_ROWS), UPI_NO_VALUE };
  UpiValue features = feed (part, "mask_features", GOLDEN_MAP);
  UpiValue embed = feed (part, part->build.config->mask.own ? "pool_embed" : "mask_embed", GOLDEN_ROWS);

  UpiValue speaks = part->build.config->has_evidence ? feed (part, "evidence", GOLDEN_ROWS) : UPI_NO_VALUE;

  expect (part, upi_proposals (&part->build, &r, features, embed, speaks), "q_proposal", GOLDEN_ROWS);
}

static void
looks (GoldenPart *part)
{
  UpiValue c2 = feed (part, "C2", GOLDEN_MAP), box = feed (part, "q_box", GOLDEN_ROWS);

  expect (part, upi_looks (&part->build, c2, box), "looks", GOLDEN_ROWS);
}

static void
global_tokens (GoldenPart *part)
{
  const gchar *map = part->build.config->global.has_backbone ? "global_map" : "C5";
  UpiValue pools[16], flat = upi_global_tokens (&part->build, feed (part, map, GOLDEN_MAP), pools);

  expect (part, flat, "g_flat", GOLDEN_ROWS);
  expect (part, upi_concat (part->build.program, pools, part->build.config->global.pools, 1), "pools", GOLDEN_ROWS);
}

/* The first and the last rows of "decoded" are compared by run_decoder(). */
static void
decoder_image (GoldenPart *part)
{
  UpiProgram *p = part->build.program;
  UpiValue pools[16], pool = feed (part, "pools", GOLDEN_ROWS), keys[64], values[64], sequence; /* config.c's bounds */
  UpiDecodedImage decoded;

  for (gint i = 0; i < part->build.config->global.pools; i++)
    pools[i] = upi_slice (p, pool, 1, i, 1);
  sequence = upi_image_sequence (
      &part->build, pools, feed (part, "g_flat", GOLDEN_ROWS), feed (part, "q_proposal", GOLDEN_ROWS));
  decoded = upi_decode_image (&part->build, sequence, keys, values);
  expect (part, decoded.spe, "image_spe", GOLDEN_ROWS);
  expect (part, decoded.regions, "decoded_regions", GOLDEN_ROWS);
  for (gint i = 0; i < MIN (part->build.config->decoder.layers, GOLDEN_MAX_LAYERS); i++) {
    expect (part, keys[i], golden_keys[i], GOLDEN_HEADS);
    expect (part, values[i], golden_values[i], GOLDEN_HEADS);
  }
}

static void
text_encoder (GoldenPart *part)
{
  UpiValue ids = feed (part, "text_ids", GOLDEN_ROWS);

  expect (part, upi_text_encoder (&part->build, ids, UPI_NO_VALUE), "text_encoder", GOLDEN_ROWS);
}

static void
decoder_text (GoldenPart *part)
{
  static const gint32 length[] = { 7 };
  UpiValue all = upi_program_weight_i32 (part->build.program, "length", length, UPI_SHAPE1 (1));

  expect (part, upi_decode_text (&part->build, feed (part, "text_encoder", GOLDEN_ROWS), all), "text_spe", GOLDEN_ROWS);
}

const struct GoldenPartKind golden_parts[GOLDEN_N_PARTS] = {
  { "backbone", backbone },
  { "input-projection", input_projection },
  { "pixel-encoder", pixel_encoder },
  { "query-scores", query_scores },
  { "queries", queries },
  { "region-decoder", region_decoder },
  { "mask-head", mask_head },
  { "proposals", proposals },
  { "looks", looks },
  { "evidence", evidence, TRUE },
  { "global-backbone", global_map, TRUE },
  { "global-tokens", global_tokens },
  { "general-decoder-image", decoder_image },
  { "text-encoder", text_encoder },
  { "general-decoder-text", decoder_text },
};
