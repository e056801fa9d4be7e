/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Models that must not open: tensors that are missing, new, misshapen or not finite, and files of other models,
 * truncated or gone. */
#include "core/upi.h"
#include "tests/core/tiny-model.h"
#include "tests/tiny-config.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* Two tensors go, one is new, two have other shapes. */
static gboolean
break_tensors (TinyTensor *t, gpointer user_data)
{
  if (t->name == NULL) {
    t->name = g_strdup ("query.extra");
    t->rank = 1;
    t->dim[0] = 2;
    t->data = g_new0 (gfloat, 2);
    return TRUE;
  }
  if (g_str_equal (t->name, "query.score.bias") || g_str_equal (t->name, "decoder.layers.1.ffn.linear2.gate.weight"))
    return FALSE;
  if (g_str_equal (t->name, "level_embed")) { /* [3,32] */
    t->dim[0] = 32;
    t->dim[1] = 3;
  }
  if (g_str_equal (t->name, "caption.vocabulary")) /* one candidate less than ids */
    t->dim[0]--;
  return TRUE;
}

static void
test_all_at_once (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);

  tiny_model_edit (directory, "model.safetensors", break_tensors, NULL);
  tiny_model_expect_error (directory,
      (const gchar *const[]){ directory, "missing:", "query.score.bias", "decoder.layers.1.ffn.linear2.gate.weight",
          "misshapen:", "level_embed: is F32 [32, 3], expected floating point [3, 32]",
          "caption.token_ids: is I32 [150], expected integers [149]", "unused:", "query.extra", NULL });
  tiny_model_remove (directory);
}

/* Of what the second generation has more: one missing, two misshapen, and one that only the other place of a backbone
 * has. */
#define SECOND UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION)

static gboolean
break_second (TinyTensor *t, gpointer user_data)
{
  if (t->name == NULL) {
    t->name = g_strdup ("global.backbone.last.bias");
    t->rank = 1;
    t->dim[0] = 2;
    t->data = g_new0 (gfloat, 2);
    return TRUE;
  }
  if (g_str_equal (t->name, "global.backbone.blocks.0.depthwise.weight")
      || g_str_equal (t->name, "calibration.image.mean"))
    return FALSE;
  if (g_str_equal (t->name, "evidence.squeeze.2.weight") || g_str_equal (t->name, "evidence.offset"))
    return FALSE;
  if (g_str_equal (t->name, "evidence.scale")) { /* [] */
    t->rank = 1;
    t->dim[0] = 1;
  }
  if (g_str_equal (t->name, "proposals.evidence.weight")) /* [32,3] */
    t->dim[0]--;
  if (g_str_equal (t->name, "backbone.last.weight")) { /* [1280,320,1,1] */
    t->dim[0] = 320;
    t->dim[1] = 1280;
  }
  if (g_str_equal (t->name, "calibration.regions.covariance")) /* [48,48] */
    t->dim[0]--;
  return TRUE;
}

static void
test_second (void)
{
  gchar *directory = tiny_model_write (SECOND, 1);

  upi_model_unref (tiny_model_open (directory)); /* as it was written */
  tiny_model_edit (directory, "model.safetensors", break_second, NULL);
  tiny_model_expect_error (directory,
      (const gchar *const[]){ "missing:", "global.backbone.blocks.0.depthwise.weight", "evidence.squeeze.2.weight",
          "evidence.offset", "proposals.evidence.weight: is F32 [31, 3], expected floating point [32, 3]",
          "evidence.scale: is F32 [1], expected floating point []", "calibration.image.mean", "misshapen:",
          "\n    backbone.last.weight: is F32 [320, 1280, 1, 1], expected floating point [1280, 320, 1, 1]",
          "calibration.regions.covariance: is F32 [47, 48], expected floating point [48, 48]",
          "unused:", "global.backbone.last.bias (model.safetensors)", NULL });
  tiny_model_remove (directory);
}

/* Without the members of config.json that ask for them, tensors are unused. */
static void
test_second_unasked (void)
{
  gchar *directory = tiny_model_write (SECOND, 1);
  g_autofree gchar *path = g_build_filename (directory, "config.json", NULL);

  g_assert_true (g_file_set_contents (path, UPI_TINY_CONFIG_OF ("2", "mobilenet_v2", "", ""), -1, NULL));
  tiny_model_expect_error (directory,
      (const gchar *const[]){ "misshapen:", "global.proj.weight: is F32 [48, 320], expected floating point [48, 1280]",
          "unused:", "global.backbone.stem.weight", "calibration.image.covariance", NULL });
  tiny_model_remove (directory);
}

/* In a tensor read in place, and in each that a fold takes. */
static void
test_nan (void)
{
  static const TinyPoison poisons[] = {
    { "backbone.blocks.3.project.weight", 17, NAN },
    { "decoder.layers.0.ffn.linear1.experts.weight", 5, INFINITY },
    { "decoder.layers.1.ffn.linear2.gate.weight", 1, NAN },
    { "pixel_encoder.layers.0.attn.sampling_offsets.bias", 0, -INFINITY },
    { "region_decoder.layers.1.cross_attn.attention_weights.weight", 3, NAN },
    { "caption.vocabulary", 100, NAN },
  };

  for (guint i = 0; i < G_N_ELEMENTS (poisons); i++) {
    gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
    g_autofree gchar *element = g_strdup_printf ("element %" G_GSIZE_FORMAT " ", poisons[i].element);
    tiny_model_edit (directory, "model.safetensors", tiny_model_poison, (gpointer) (poisons + i));
    tiny_model_expect_error (directory, (const gchar *const[]){ "model.safetensors", poisons[i].name, element, NULL });
    tiny_model_remove (directory);
  }
}

/* What the detector says for a class would count against it. */
static void
test_negative_evidence (void)
{
  static const TinyPoison poisons[] = { { "evidence.scale", 0, -0.25f }, { "evidence.scale", 0, 0 } };

  for (guint i = 0; i < G_N_ELEMENTS (poisons); i++) {
    gchar *directory = tiny_model_write (SECOND, 1);
    tiny_model_edit (directory, "model.safetensors", tiny_model_poison, (gpointer) (poisons + i));
    tiny_model_expect_error (
        directory, (const gchar *const[]){ directory, "evidence.scale", i ? "is 0," : "is -0", "above 0", NULL });
    tiny_model_remove (directory);
  }
}

static void
test_negative_variance (void)
{
  static const TinyPoison poisons[] = { { "calibration.image.covariance", 49, -0.5f },
    { "calibration.regions.covariance", 0, -1e-3f } };

  for (guint i = 0; i < G_N_ELEMENTS (poisons); i++) {
    gchar *directory = tiny_model_write (SECOND, 1);
    tiny_model_edit (directory, "model.safetensors", tiny_model_poison, (gpointer) (poisons + i));
    tiny_model_expect_error (
        directory, (const gchar *const[]){ directory, poisons[i].name, i ? "[0, 0] is -0" : "[1, 1] is -0", NULL });
    tiny_model_remove (directory);
  }
}

static void
test_token_ids (void)
{
  static const TinyPoison poisons[] = { { "caption.token_ids", 9, 150 }, { "caption.token_ids", 9, -1 } };

  for (guint i = 0; i < G_N_ELEMENTS (poisons); i++) {
    gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
    tiny_model_edit (directory, "model.safetensors", tiny_model_poison, (gpointer) (poisons + i));
    tiny_model_expect_error (directory, (const gchar *const[]){ "caption.token_ids[9]", "150", NULL });
    tiny_model_remove (directory);
  }
}

/* A config and weights that belong to different models. */
static void
test_other_config (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
  g_autofree gchar *path = g_build_filename (directory, "config.json", NULL);

  g_assert_true (g_file_set_contents (path, UPI_TINY_BASE_CONFIG, -1, NULL));
  tiny_model_expect_error (directory,
      (const gchar *const[]){ "missing:", "backbone.layer4.2.conv3.weight",
          "misshapen:", "unused:", "backbone.blocks.15.project.bias", NULL });
  tiny_model_remove (directory);
}

static void
test_files (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
  g_autofree gchar *weights = g_build_filename (directory, "model.safetensors", NULL);
  g_autofree gchar *text = g_build_filename (directory, "text_encoder.safetensors", NULL);
  g_autofree gchar *again = g_build_filename (directory, "other.safetensors", NULL);
  g_autofree gchar *contents = NULL;
  gsize length;

  /* a tensor in two files */
  g_assert_true (g_file_get_contents (text, &contents, &length, NULL));
  g_assert_true (g_file_set_contents (again, contents, (gssize) length, NULL));
  tiny_model_expect_error (
      directory, (const gchar *const[]){ "unused:", "text.embeddings.LayerNorm.bias", "again", NULL });
  g_unlink (again);
  /* truncated */
  g_assert_true (g_file_set_contents (text, contents, (gssize) length - 2, NULL));
  tiny_model_expect_error (directory, (const gchar *const[]){ "text_encoder.safetensors", NULL });
  g_assert_true (g_file_set_contents (text, "", 0, NULL));
  tiny_model_expect_error (directory, (const gchar *const[]){ "text_encoder.safetensors", "0 bytes", NULL });
  /* gone */
  g_unlink (text);
  tiny_model_expect_error (
      directory, (const gchar *const[]){ "missing:", "text.encoder.layer.0.attention.self.query.weight", NULL });
  g_unlink (weights);
  tiny_model_expect_error (directory, (const gchar *const[]){ "no *.safetensors", NULL });
  tiny_model_remove (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/broken/all-at-once", test_all_at_once);
  g_test_add_func ("/model/broken/second", test_second);
  g_test_add_func ("/model/broken/second-unasked", test_second_unasked);
  g_test_add_func ("/model/broken/nan", test_nan);
  g_test_add_func ("/model/broken/negative-evidence", test_negative_evidence);
  g_test_add_func ("/model/broken/negative-variance", test_negative_variance);
  g_test_add_func ("/model/broken/token-ids", test_token_ids);
  g_test_add_func ("/model/broken/other-config", test_other_config);
  g_test_add_func ("/model/broken/files", test_files);
  return g_test_run ();
}
