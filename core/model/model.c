/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model directory opened for use: finding it, binding and folding its weights. The programs made from it are in
 * network/programs.c. */
#include "core/model/model-private.h"

#include "core/memory.h"
#include "core/upi.h"

static void
clear_spec (gpointer data)
{
  g_free (((UpiTensorSpec *) data)->name);
}

GArray *
upi_model_tensor_specs (const UpiConfig *config)
{
  GArray *specs = g_array_new (FALSE, TRUE, sizeof (UpiTensorSpec));

  g_array_set_clear_func (specs, clear_spec);
  upi_backbone_tensors (specs, config);
  upi_pyramid_tensors (specs, config);
  upi_input_projection_tensors (specs, config);
  upi_pixel_encoder_tensors (specs, config);
  upi_query_selection_tensors (specs, config);
  upi_detector_tensors (specs, config);
  upi_region_decoder_tensors (specs, config);
  upi_mask_head_tensors (specs, config);
  upi_global_backbone_tensors (specs, config);
  upi_evidence_tensors (specs, config);
  upi_proposals_tensors (specs, config);
  upi_general_decoder_tensors (specs, config);
  upi_text_encoder_tensors (specs, config);
  upi_caption_head_tensors (specs, config);
  upi_calibration_tensors (specs, config);
  return specs;
}

static gboolean
fold (UpiWeights *weights, const UpiConfig *config, const gchar *directory, GError **error)
{
  return upi_pixel_encoder_fold (weights, config, error) && upi_region_decoder_fold (weights, config, error)
      && upi_evidence_fold (weights, config, directory, error) && upi_detector_fold (weights, config, directory, error)
      && upi_general_decoder_fold (weights, config, error) && upi_text_encoder_fold (weights, config, error)
      && upi_caption_head_fold (weights, config, error);
}

/* Before they are converted, one after another: what of them is converted or folded must have a place. */
static gboolean
expect_memory (const UpiModel *model, const GArray *specs, GError **error)
{
  g_autofree gchar *purpose = g_strdup_printf ("the weights of %s", model->directory);
  gsize bytes = 0;

  for (guint i = 0; i < specs->len; i++) {
    const UpiTensorSpec *spec = &g_array_index (specs, UpiTensorSpec, i);
    gsize folded = upi_conditional_moe_folded_bytes (spec);

    bytes += folded > 0 ? folded : upi_weights_load_bytes (model->weights, spec->name);
  }
  return upi_memory_expect (bytes, purpose,
      "close what else needs memory, raise that limit, or take a smaller model: weights that lie in the files as "
      "float32 take none",
      error);
}

/* Ids that captions give to the embedding, which trusts them. */
static gboolean
check_token_ids (const UpiModel *model, GError **error)
{
  const UpiWeight *ids = upi_weights_get (model->weights, "caption.token_ids");

  for (gint v = 0; v < ids->shape.dim[0]; v++) {
    gint32 id = ((const gint32 *) ids->data)[v];
    if (id < 0 || id >= model->config->text.vocabulary) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s: caption.token_ids[%d] is %d, expected a token of the vocabulary of %d", model->directory, v, id,
          model->config->text.vocabulary);
      return FALSE;
    }
  }
  return TRUE;
}

UpiModel *
upi_model_open (const gchar *directory, GError **error)
{
  g_autoptr (UpiModel) model = g_new0 (UpiModel, 1);
  g_autoptr (GArray) specs = NULL;

  model->ref_count = 1;
  model->directory = g_strdup (directory);
  model->config = upi_config_open (directory, error);
  if (model->config == NULL)
    return NULL;
  specs = upi_model_tensor_specs (model->config);
  model->weights = upi_weights_open (directory, specs, error);
  if (model->weights == NULL || !expect_memory (model, specs, error)
      || !fold (model->weights, model->config, directory, error) || !upi_weights_load (model->weights, error)
      || !check_token_ids (model, error) || !upi_calibration_check (model->weights, model->config, directory, error))
    return NULL;
  return g_steal_pointer (&model);
}

UpiModel *
upi_model_ref (UpiModel *model)
{
  g_atomic_int_inc (&model->ref_count);
  return model;
}

void
upi_model_unref (UpiModel *model)
{
  if (model == NULL || !g_atomic_int_dec_and_test (&model->ref_count))
    return;
  g_clear_pointer (&model->weights, upi_weights_free);
  g_clear_pointer (&model->config, upi_config_free);
  g_free (model->directory);
  g_free (model);
}

static gboolean
is_model (const gchar *directory)
{
  g_autofree gchar *config = g_build_filename (directory, "config.json", NULL);

  return g_file_test (config, G_FILE_TEST_IS_REGULAR);
}

gchar *
upi_model_find (const gchar *name, GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func (g_free);
  const gchar *path = g_getenv ("UPI_MODEL_PATH");
  g_autofree gchar *searched = NULL;

  if (strchr (name, G_DIR_SEPARATOR) != NULL) {
    if (is_model (name))
      return g_strdup (name);
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is no model: expected a directory with config.json", name);
    return NULL;
  }
  if (path != NULL) {
    g_auto (GStrv) parts = g_strsplit (path, G_SEARCHPATH_SEPARATOR_S, -1);
    for (guint i = 0; parts[i] != NULL; i++)
      if (*parts[i])
        g_ptr_array_add (places, g_strdup (parts[i]));
  }
  g_ptr_array_add (places, g_build_filename (g_get_user_data_dir (), "upi", "models", NULL));
  g_ptr_array_add (places, g_strdup (UPI_INSTALLED_MODELS));
  g_ptr_array_add (places, NULL);
  for (guint i = 0; *name && places->pdata[i] != NULL; i++) {
    g_autofree gchar *directory = g_build_filename (places->pdata[i], name, NULL);
    if (is_model (directory))
      return g_steal_pointer (&directory);
  }
  searched = g_strjoinv (", ", (gchar **) places->pdata);
  g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
      "no model named \"%s\" in %s; give a directory's path (with a slash), or name its parent directory in "
      "UPI_MODEL_PATH",
      name, searched);
  return NULL;
}

const UpiConfig *
upi_model_config (const UpiModel *model)
{
  return model->config;
}

gsize
upi_model_bytes (const UpiModel *model)
{
  return upi_weights_bytes (model->weights);
}

guint
upi_model_vocabulary_size (const UpiModel *model)
{
  return upi_weights_get (model->weights, "caption.token_ids")->shape.dim[0];
}

const gint32 *
upi_model_caption_token_ids (const UpiModel *model)
{
  return upi_weights_get (model->weights, "caption.token_ids")->data;
}

gboolean
upi_model_takes_size (const UpiModel *model, guint width, guint height)
{
  return upi_levels (model->config, (gint) width, (gint) height).tokens >= model->config->query.count;
}

guint
upi_model_image_tokens (const UpiModel *model, guint width, guint height)
{
  gint map_width, map_height;

  upi_global_size (model->config, (gint) width, (gint) height, &map_width, &map_height);
  return (guint) (1 + model->config->global.pools + map_width * map_height + model->config->query.count);
}
