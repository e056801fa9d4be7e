/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three programs of a model: the image side (once a frame), text (bidirectional), one step of a caption. */
#include "core/model/model-private.h"

#include "core/upi.h"

static UpiProgram *
finish (UpiProgram *program, GError **error)
{
  if (upi_program_finish (program, error))
    return program;
  upi_program_free (program);
  return NULL;
}

G_GNUC_PRINTF (3, 4)
static void
output (UpiProgram *p, UpiValue value, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *name = NULL;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  upi_program_output (p, name, value);
}

G_GNUC_PRINTF (3, 4)
static UpiValue
cache_input (UpiProgram *p, UpiShape shape, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *name = NULL;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  return upi_program_input (p, name, UPI_F32, shape);
}

static gboolean
check_image_size (const UpiModel *model, guint batch, guint width, guint height, GError **error)
{
  if (batch < 1 || batch > 64 || width % 32 != 0 || height % 32 != 0 || MIN (width, height) < 32
      || MAX (width, height) > UPI_MAX_SIDE) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "an input of %u × %ux%u is impossible: width and height are multiples of 32 from 32 to %d, a batch is 1 to 64",
        batch, width, height, UPI_MAX_SIDE);
    return FALSE;
  }
  if (upi_model_takes_size (model, width, height))
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "an input of %ux%u is too small: it gives %d tokens to choose the model's %d queries from; take a larger size",
      width, height, upi_levels (model->config, (gint) width, (gint) height).tokens, model->config->query.count);
  return FALSE;
}

UpiProgram *
upi_model_image_program (UpiModel *model, guint batch, guint width, guint height, gboolean debug, GError **error)
{
  return upi_image_program (model, batch, width, height, 0, debug, FALSE, error);
}

UpiProgram *
upi_model_image_program_in_strips (
    UpiModel *model, guint batch, guint width, guint height, gsize strip_bytes, GError **error)
{
  return upi_image_program (model, batch, width, height, strip_bytes, FALSE, FALSE, error);
}

UpiProgram *
upi_image_program (UpiModel *model, guint batch, guint width, guint height, gsize strip_bytes, gboolean debug,
    gboolean given_index, GError **error)
{
  const UpiConfig *c = model->config;
  UpiBuild build, *b = &build;
  UpiProgram *p;
  UpiLevels levels;
  UpiValue image, given, maps[4], pyramid[4], projected[UPI_MAX_LEVELS], memory, mask_features, mask_embed, evidence,
      proposals, global, flat, sequence, looks;
  g_autofree UpiValue *pools = g_new (UpiValue, c->global.pools + 1);
  g_autofree UpiValue *keys = g_new (UpiValue, c->decoder.layers);
  g_autofree UpiValue *values = g_new (UpiValue, c->decoder.layers);
  UpiQueries queries = { 0 };
  UpiRegions regions;
  UpiDecodedImage decoded;

  if (!check_image_size (model, batch, width, height, error))
    return NULL;
  p = upi_program_new ("image");
  build = (UpiBuild){ p, c, model->weights, (gint) batch, (gint) height, (gint) width, strip_bytes };
  levels = upi_levels (c, width, height);

  /* image encoder: general region proposals (4.1) */
  image = upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 ((gint) batch, (gint) height, (gint) width, 3));
  given = given_index ? upi_program_input (p, "given_index", UPI_I32, UPI_SHAPE2 ((gint) batch, c->query.count))
                      : UPI_NO_VALUE;
  upi_backbone (b, image, maps);                                    /* C2..C5 */
  evidence = UPI_NO_VALUE;                                          /* [B,N,K] */
  if (c->has_detector) {                                            /* first, while its maps are in caches */
    upi_pyramid (b, maps, pyramid);                                 /* P_1..P_4 */
    queries = upi_detector (b, &levels, pyramid, given, &evidence); /* N of T */
  }
  upi_input_projection (b, &levels, c->has_detector ? pyramid : maps, projected); /* F_1..F_L */
  memory = upi_pixel_encoder (b, &levels, projected);                             /* [B,T,d] */
  mask_features = upi_mask_features (b, &levels, maps[0], memory);                /* [B,H/4,W/4,m] */
  if (!c->has_detector)
    queries = upi_query_selection (b, &levels, memory, given);                     /* N of T */
  regions = upi_region_decoder (b, &levels, queries.content, queries.box, memory); /* q_sem, q_box */
  mask_embed = upi_mask_embed (b, regions.semantic);                               /* [B,N,m] */
  if (c->has_evidence && !c->has_detector)
    evidence = upi_evidence (b, maps, regions.box);
  proposals = upi_proposals (b, &regions, mask_features, mask_embed, evidence); /* [B,N,D] */
  global = upi_global_map (b, image, maps);                                     /* [B,H_g,W_g,c] */
  flat = upi_global_tokens (b, global, pools);                                  /* [B,T_g,D] */
  sequence = upi_image_sequence (b, pools, flat, proposals);                    /* [B,T_image,D] */

  looks = upi_looks (b, maps[0], regions.box); /* [B,N,2c], for trackers */

  /* general decoder (4.3) */
  decoded = upi_decode_image (b, sequence, keys, values);

  upi_program_part (p, "outputs");
  output (p, regions.box, "boxes");
  output (p, regions.foreground, "foreground");
  output (p, upi_l2_norm (p, decoded.regions), "regions");
  output (p, upi_l2_norm (p, decoded.spe), "spe");
  output (p, mask_features, "mask_features");
  output (p, upi_shown_mask_embed (b, regions.semantic, mask_embed), "mask_embed");
  output (p, looks, "looks");
  for (gint i = 0; i < c->decoder.layers; i++) {
    output (p, keys[i], "keys.%d", i);
    output (p, values[i], "values.%d", i);
  }
  if (c->has_evidence)
    output (p, evidence, "evidence");
  if (debug) {
    for (gint i = 0; i < 4; i++)
      output (p, maps[i], "C%d", i + 2);
    for (gint l = 0; l < levels.n; l++)
      output (p, projected[l], "F_%d", l + 1);
    output (p, memory, "memory");
    output (p, queries.scores, "scores");
    if (!given_index)
      output (p, queries.index, "index");
    output (p, queries.box, "box_0");
    output (p, queries.content, "content");
    output (p, regions.semantic, "q_sem");
    output (p, proposals, "q_proposal");
    for (gint i = 0; i < c->global.pools; i++)
      output (p, pools[i], "pool_%d", i);
    if (c->global.has_backbone)
      output (p, global, "global_map");
    output (p, flat, "g_flat");
    output (p, decoded.regions, "decoded_regions");
    output (p, decoded.spe, "image_spe");
  }
  return finish (p, error);
}

UpiProgram *
upi_model_text_program (UpiModel *model, guint tokens, GError **error)
{
  return upi_model_texts_program (model, 1, tokens, error);
}

UpiProgram *
upi_model_texts_program (UpiModel *model, guint batch, guint tokens, GError **error)
{
  UpiBuild build, *b = &build;
  UpiProgram *p;
  UpiValue ids, length, x;

  if (batch < 1 || batch > UPI_MAX_TEXTS || tokens < 1 || tokens > (guint) upi_config_text_positions (model->config)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "%u texts of %u tokens are impossible: the text encoder has %d positions, a batch is 1 to %d", batch, tokens,
        upi_config_text_positions (model->config), UPI_MAX_TEXTS);
    return NULL;
  }
  p = upi_program_new ("text");
  p->of_many_shapes = TRUE;
  build = (UpiBuild){ p, model->config, model->weights, (gint) batch, 0, 0 };
  ids = upi_program_input (p, "ids", UPI_I32, UPI_SHAPE2 ((gint) batch, (gint) tokens));
  length = upi_program_input (p, "length", UPI_I32, UPI_SHAPE1 ((gint) batch));
  x = upi_text_encoder (b, ids, length); /* [B,T,text width] */
  x = upi_decode_text (b, x, length);    /* [B,1,D] */
  output (p, upi_l2_norm (p, x), "embedding");
  return finish (p, error);
}

UpiProgram *
upi_model_caption_program (UpiModel *model, guint image_tokens, guint capacity, GError **error)
{
  return upi_model_captions_program (model, 1, image_tokens, capacity, error);
}

UpiProgram *
upi_model_captions_program (UpiModel *model, guint batch, guint image_tokens, guint capacity, GError **error)
{
  const UpiConfig *c = model->config;
  gint layers = c->decoder.layers, width = c->decoder.width;
  UpiBuild build, *b = &build;
  UpiProgram *p;
  g_autofree UpiValue *rows = g_new (UpiValue, 4 * layers);
  UpiCaptionCache cache = { rows, rows + layers, rows + 2 * layers, rows + 3 * layers, 0, 0 };
  UpiValue id, x;

  g_assert (batch >= 1);
  if (image_tokens < 1 || image_tokens > G_MAXINT16 || capacity < 1
      || capacity > (guint) upi_config_text_positions (c)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "a caption of %u tokens on %u image tokens is impossible: the model has %d positions", capacity, image_tokens,
        upi_config_text_positions (c));
    return NULL;
  }
  p = upi_program_new ("caption");
  p->of_many_shapes = TRUE; /* a plan for every number of candidates that go on */
  build = (UpiBuild){ p, c, model->weights, (gint) batch, 0, 0 };
  id = upi_program_input (p, "id", UPI_I32, UPI_SHAPE2 ((gint) batch, 1));
  cache.position = upi_program_input (p, "position", UPI_I32, UPI_SHAPE1 ((gint) batch));
  cache.length = upi_program_input (p, "text_length", UPI_I32, UPI_SHAPE1 ((gint) batch));
  for (gint i = 0; i < layers; i++) {
    cache.image_keys[i] = cache_input (p, UPI_SHAPE3 (1, (gint) image_tokens, width), "keys.%d", i);
    cache.image_values[i] = cache_input (p, UPI_SHAPE3 (1, (gint) image_tokens, width), "values.%d", i);
    cache.text_keys[i] = cache_input (p, UPI_SHAPE3 ((gint) batch, (gint) capacity, width), "text_keys.%d", i);
    cache.text_values[i] = cache_input (p, UPI_SHAPE3 ((gint) batch, (gint) capacity, width), "text_values.%d", i);
  }
  x = upi_caption_token (b, id, upi_reshape (p, cache.position, UPI_SHAPE2 ((gint) batch, 1))); /* [B,1,D] */
  x = upi_decode_caption (b, x, &cache);                                                        /* [B,1,D] */
  output (p, upi_caption_scores (b, x), "scores");                                              /* [B,1,V] */
  return finish (p, error);
}
