/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks whose queries and class evidence are a detector's: what a config must say, what opens, and that every
 * backend runs the whole program as ref does. */
#include "core/model/model-private.h"
#include "core/upi.h"
#include "tests/core/golden-run.h"
#include "tests/core/tiny-model.h"
#include "tests/tiny-config.h"

#include <math.h>
#include <string.h>

static void
test_config (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (UPI_TINY_DETECTOR_CONFIG, -1, "detector", &error);

  g_assert_no_error (error);
  g_assert_true (c->has_detector);
  g_assert_true (c->has_evidence);
  g_assert_cmpfloat (c->evidence.near, ==, 0.5f);
  g_assert_cmpint (c->backbone.kind, ==, UPI_BACKBONE_LCNET);
  g_assert_cmpint (c->backbone.channels[3], ==, 384);
  g_assert_cmpint (c->global.backbone.kind, ==, UPI_BACKBONE_EFFICIENTNET_LITE0);
  g_assert_cmpint (c->pixel_encoder.kind, ==, UPI_PIXEL_ENCODER_PYRAMID);
  g_assert_cmpint (c->pixel_encoder.layers, ==, 0);
  g_assert_cmpint (c->query.candidates, ==, 40);
  g_assert_cmpfloat (c->tasks.detection.trust, ==, 0);
}

/* It may trust what it says of a class, wholly or not at all; without evidence there is nothing but the latter. */
static void
test_trust (void)
{
  static const gchar *const configs[] = { UPI_TINY_DETECTOR_CONFIG, UPI_TINY_DETECTOR_CONFIG, UPI_TINY_CONFIG },
                            *const trusts[] = { ", \"trust\": 1", ", \"trust\": 0.25", ", \"trust\": 0" };
  static const gfloat expected[] = { 1, 0.25f, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (configs); i++) {
    g_autoptr (GString) text = g_string_new (configs[i]);
    GError *error = NULL;

    g_assert_cmpuint (g_string_replace (text, "\"foreground_weight\": 0.25", "\"foreground_weight\": 0.25@", 1), ==, 1);
    g_string_replace (text, "@", trusts[i], 1);
    g_autoptr (UpiConfig) c = upi_config_parse (text->str, -1, "trust", &error);
    g_assert_no_error (error);
    g_assert_cmpfloat (c->tasks.detection.trust, ==, expected[i]);
  }
}

typedef struct {
  const gchar *what, *from, *to; /* text of the config that is replaced */
  const gchar *says[3];
} Wrong;

#define NO_DETECTOR ", \"detector\": { \"near\": 0.5 }"
#define PYRAMID "\"kind\": \"pyramid\", \"layers\": 0"
#define TRUST(what) "\"foreground_weight\": 0.25", "\"foreground_weight\": 0.25, \"trust\": " what
#define LITE "\"kind\": \"lite\", \"layers\": 1"

static const Wrong wrong[] = {
  { "version-1", "\"format_version\": 2", "\"format_version\": 1", { ": detector needs format_version 2" } },
  { "unknown", "\"near\": 0.5", "\"near\": 0.5, \"far\": 1", { "detector.far is unknown", "near" } },
  { "near-1", "\"near\": 0.5", "\"near\": 1", { "detector.near is 1" } },
  { "a-number", "{ \"near\": 0.5 }", "3", { "detector is 3", "object" } },
  { "none", NO_DETECTOR, "", { ": backbone is of kind \"lcnet\"", "needs detector" } },
  { "other-backbone", "lcnet", "mobilenet_v2", { ": detector needs", "\"lcnet\"" } },
  { "other-pixel-encoder", PYRAMID, LITE, { ": detector needs", "\"pyramid\"" } },
  { "layers", PYRAMID, "\"kind\": \"pyramid\", \"layers\": 1", { "pixel_encoder.layers is 1", "from 0 to 0" } },
  { "three-levels", "\"levels\": 4", "\"levels\": 3", { ": detector needs", "4 levels", "levels is 3" } },
  { "of-no-labels", "[\"cat\", \"dog\", \"person\"]", "[]", { ": detector speaks for", "labels is empty" } },
  { "with-evidence", NO_DETECTOR, NO_DETECTOR UPI_TINY_EVIDENCE, { ": evidence has no meaning beside detector" } },
  { "with-region-parts", "\"heads\": 4, \"points\"", "\"region_parts\": \"mask_dino\", \"heads\": 4, \"points\"",
      { "region_parts" } },
  { "anchors", "\"candidates\": 40", "\"candidates\": 40, \"anchor\": \"cells\"",
      { "query.anchor is unknown", "count, candidates, distinct" } },
  { "content", "\"candidates\": 40", "\"candidates\": 40, \"content\": \"pixel\"", { "query.content is unknown" } },
  { "trust-above-1", TRUST ("1.5"), { "tasks.detection.trust is 1.5", "from 0 to 1" } },
  { "trust-below-0", TRUST ("-0.5"), { "tasks.detection.trust is -0.5", "from 0 to 1" } },
  { "no-candidates", "\"candidates\": 40, \"distinct\": 0.5", "\"distinct\": 0.5", { "query.candidates is missing" } },
};

static void
test_wrong (gconstpointer data)
{
  const Wrong *w = data;
  g_autoptr (GString) text = g_string_new (UPI_TINY_DETECTOR_CONFIG);
  g_autoptr (UpiConfig) c = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_string_replace (text, w->from, w->to, 1), ==, 1);
  c = upi_config_parse (text->str, -1, "the/config.json", &error);
  g_assert_null (c);
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_test_message ("%s", error->message);
  for (guint i = 0; i < G_N_ELEMENTS (w->says) && w->says[i] != NULL; i++)
    if (strstr (error->message, w->says[i]) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, w->says[i]);
}

/* The kinds that a detector is made of, where there is none. */
static void
test_wrong_without (void)
{
  static const gchar *const edits[][3] = { { "efficientnet_lite0", "lcnet", ": backbone is of kind" },
    { LITE, PYRAMID, ": pixel_encoder is of kind" } };

  for (guint i = 0; i < G_N_ELEMENTS (edits); i++) {
    g_autoptr (GString) text = g_string_new (UPI_TINY_CONFIG_OF ("2", "efficientnet_lite0", "", ""));
    g_autoptr (GError) error = NULL;

    g_assert_cmpuint (g_string_replace (text, edits[i][0], edits[i][1], 1), ==, 1);
    g_assert_null (upi_config_parse (text->str, -1, "the/config.json", &error));
    g_assert_nonnull (strstr (error->message, edits[i][2]));
    g_assert_nonnull (strstr (error->message, "needs detector"));
  }
}

/* As global.backbone it is an encoder like others. */
static void
test_lcnet_alone (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c =
      upi_config_parse (UPI_TINY_CONFIG_OF ("2", "efficientnet_lite0", ", \"backbone\": { \"kind\": \"lcnet\" }", ""),
          -1, "alone", &error);

  g_assert_no_error (error);
  g_assert_false (c->has_detector);
  g_assert_false (c->has_evidence);
  g_assert_cmpint (c->global.channels, ==, 384);
}

/* One goes, one has another shape, one (name) belongs to a network without a detector. */
static gboolean
break_tensors (TinyTensor *t, gpointer name)
{
  if (t->name == NULL) {
    t->name = g_strdup (name);
    t->rank = 1;
    t->dim[0] = 2;
    t->data = g_new0 (gfloat, 2);
    return TRUE;
  }
  if (g_str_equal (t->name, "pyramid.up.1.second.pointwise.weight")) /* [96,192,1,1] */
    t->dim[0]--;
  return !g_str_equal (t->name, "detector.heads.3.there.1.bias");
}

static void
test_tensors (void)
{
  static const gchar *const strange[] = { "level_embed", "region_decoder.box.0.layers.2.bias" };

  for (guint i = 0; i < G_N_ELEMENTS (strange); i++) {
    gchar *directory = tiny_model_write (UPI_TINY_DETECTOR_CONFIG, 1);

    upi_model_unref (tiny_model_open (directory)); /* as it was written */
    tiny_model_edit (directory, "model.safetensors", break_tensors, (gpointer) strange[i]);
    tiny_model_expect_error (directory,
        (const gchar *const[]){ "missing:", "detector.heads.3.there.1.bias", "misshapen:",
            "pyramid.up.1.second.pointwise.weight: is F32 [95, 192, 1, 1], expected floating point [96, 192, 1, 1]",
            "unused:", strange[i], NULL });
    tiny_model_remove (directory);
  }
}

/* What the detector says for a class would count against it; what a fold takes must be a number. */
static void
test_numbers (void)
{
  static const TinyPoison poisons[] = { { "detector.scale", 0, 0 }, { "detector.scale", 0, -2 },
    { "detector.offset", 0, NAN }, { "detector.heads.2.sides.weight", 0, NAN },
    { "detector.heads.0.there.0.weight", 0, NAN }, { "detector.heads.1.there.0.bias", 0, INFINITY } };

  for (guint i = 0; i < G_N_ELEMENTS (poisons); i++) {
    gchar *directory = tiny_model_write (UPI_TINY_DETECTOR_CONFIG, 1);

    tiny_model_edit (directory, "model.safetensors", tiny_model_poison, (gpointer) (poisons + i));
    tiny_model_expect_error (
        directory, (const gchar *const[]){ directory, poisons[i].name, i < 2 ? "above 0" : "element 0", NULL });
    tiny_model_remove (directory);
  }
}

/* Tokens of four levels: 16 + 4 + 1 + 1. */
static void
test_tokens (void)
{
  g_autoptr (GString) text = g_string_new (UPI_TINY_DETECTOR_CONFIG);
  g_autoptr (UpiModel) model = NULL;
  g_autoptr (UpiProgram) least = NULL;
  g_autoptr (GError) error = NULL;
  gchar *directory;

  g_string_replace (text, "\"count\": 10", "\"count\": 22", 1);
  directory = tiny_model_write (text->str, 1);
  model = tiny_model_open (directory);
  least = upi_model_image_program (model, 1, 32, 32, FALSE, &error); /* fewer than the candidates */
  g_assert_no_error (error);
  tiny_model_remove (directory);
  g_clear_pointer (&model, upi_model_unref);

  g_string_replace (text, "\"count\": 22", "\"count\": 23", 1);
  directory = tiny_model_write (text->str, 1);
  model = tiny_model_open (directory);
  g_assert_false (upi_model_takes_size (model, 32, 32));
  g_assert_null (upi_model_image_program (model, 1, 32, 32, FALSE, &error));
  g_assert_nonnull (strstr (error->message, "it gives 22 tokens to choose the model's 23 queries from"));
  tiny_model_remove (directory);
}

static GoldenRun *
run_whole (UpiModel *model, const gchar *backend, guint width, guint height, const gint32 *index)
{
  GError *error = NULL;
  UpiProgram *program = upi_image_program (model, 2, width, height, 0, TRUE, index != NULL, &error);
  GoldenRun *run;
  gfloat *image;
  gsize count;

  g_assert_no_error (error);
  run = golden_run_new (upi_backend_find (backend, NULL), program);
  image = golden_run_buffer (run, "image", &count);
  for (gsize i = 0; i < count; i++)
    image[i] = sinf ((gfloat) i * 0.37f) + cosf ((gfloat) (i / 96) * 0.21f);
  if (index != NULL) {
    gint32 *given = golden_run_buffer (run, "given_index", &count);
    memcpy (given, index, count * sizeof *index);
  }
  golden_run (run);
  return run;
}

/* Sides of random weights have logits in the tens: which bin wins hangs on the last bits, and all that is read at the
 * box after it. Those of trained ones are small. */
static gboolean
soften_sides (TinyTensor *tensor, gpointer user_data)
{
  if (tensor->name == NULL)
    return FALSE;
  if (g_str_has_suffix (tensor->name, ".sides.weight")) {
    gfloat *w = tensor->data;
    for (guint64 i = 0; i < tensor->dim[0] * tensor->dim[1] * tensor->dim[2] * tensor->dim[3]; i++)
      w[i] *= 0.2f;
  }
  return TRUE;
}

/* The whole program, two pictures at once: what ref makes of the same queries, whose boxes are the detector's. */
static void
test_agrees (gconstpointer backend)
{
  static const guint sizes[][2] = { { 96, 64 }, { 160, 96 }, { 64, 160 } };
  static const gchar *const outputs[] = { "C2", "C3", "C4", "C5", "F_1", "F_2", "F_3", "F_4", "memory", "scores",
    "box_0", "content", "evidence", "q_sem", "boxes", "foreground", "q_proposal", "regions", "spe", "mask_features",
    "mask_embed", "looks", "keys.1", "values.0" };
  gchar *directory = tiny_model_write (UPI_TINY_DETECTOR_CONFIG, 5);
  tiny_model_edit (directory, "model.safetensors", soften_sides, NULL);
  g_autoptr (UpiModel) model = tiny_model_open (directory);

  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++) {
    g_autoptr (GoldenRun) chosen = run_whole (model, "ref", sizes[s][0], sizes[s][1], NULL);
    g_autoptr (GoldenRun) own = run_whole (model, backend, sizes[s][0], sizes[s][1], NULL);
    gsize n, tokens;
    const gint32 *index = golden_run_buffer (chosen, "index", &n), *found = golden_run_buffer (own, "index", NULL);
    const gfloat *scores = golden_run_buffer (chosen, "scores", &tokens);
    g_autoptr (GoldenRun) expected = run_whole (model, "ref", sizes[s][0], sizes[s][1], index);
    g_autoptr (GoldenRun) given = run_whole (model, backend, sizes[s][0], sizes[s][1], index);

    for (guint item = 0; item < 2; item++)
      golden_check_index (found + item * n / 2, index + item * n / 2, n / 2, scores + item * tokens / 2);
    for (guint i = 0; i < G_N_ELEMENTS (outputs); i++) {
      const gfloat *e = golden_run_buffer (expected, outputs[i], &n), *f = golden_run_buffer (given, outputs[i], NULL);
      golden_check (outputs[i], golden_nmse (f, e, n), 1e-8);
      e = golden_run_buffer (chosen, outputs[i], NULL);
      golden_check (outputs[i], golden_nmse (golden_run_buffer (expected, outputs[i], NULL), e, n), 0);
    }
    const gfloat *boxes = golden_run_buffer (own, "boxes", &n), *first = golden_run_buffer (own, "box_0", NULL);
    g_assert_cmpmem (boxes, n * sizeof *boxes, first, n * sizeof *first);
  }
  tiny_model_remove (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/detector/config", test_config);
  g_test_add_func ("/detector/trust", test_trust);
  g_test_add_func ("/detector/wrong-without", test_wrong_without);
  g_test_add_func ("/detector/lcnet-alone", test_lcnet_alone);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *path = g_strconcat ("/detector/wrong/", wrong[i].what, NULL);
    g_test_add_data_func (path, wrong + i, test_wrong);
  }
  g_test_add_func ("/detector/tensors", test_tensors);
  g_test_add_func ("/detector/numbers", test_numbers);
  g_test_add_func ("/detector/tokens", test_tokens);
  if (golden_wants ("cpu"))
    g_test_add_data_func ("/detector/agrees/cpu", "cpu", test_agrees);
  if (golden_wants ("cuda"))
    g_test_add_data_func ("/detector/agrees/cuda", "cuda", test_agrees);
  return g_test_run ();
}
