/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Models: opening directories, finding them by name, and programs of every size and batch. */
#include "core/model/model.h"
#include "core/upi.h"
#include "tests/core/golden-run.h"
#include "tests/core/tiny-model.h"
#include "tests/tiny-config.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

static void
test_open (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  const gint32 *ids = upi_model_caption_token_ids (model);

  g_assert_cmpstr (upi_model_config (model)->name, ==, "tiny");
  g_assert_cmpuint (upi_model_vocabulary_size (model), ==, 150);
  g_assert_cmpint (ids[149], ==, 149);
  g_assert_cmpuint (upi_model_image_tokens (model, 96, 64), ==, 1 + 1 + 3 * 2 + 10);
  g_assert_cmpuint (upi_model_bytes (model), >, 3000000 * 4); /* the backbone's, mostly */
  tiny_model_remove (directory);                              /* what is mapped stays */
  {
    g_autoptr (UpiModel) other = upi_model_ref (model);
    g_assert_true (other == model);
  }
}

/* Equal seeds give equal bytes, others do not. */
static void
test_random_is_deterministic (void)
{
  gchar *directories[] = { tiny_model_write (UPI_TINY_CONFIG, 7), tiny_model_write (UPI_TINY_CONFIG, 7),
    tiny_model_write (UPI_TINY_CONFIG, 8) };
  static const gchar *const files[] = { "model.safetensors", "text_encoder.safetensors", "vocab.txt", "config.json" };

  for (guint f = 0; f < G_N_ELEMENTS (files); f++) {
    g_autofree gchar *contents[3] = { NULL };
    gsize length[3];
    for (guint i = 0; i < 3; i++) {
      g_autofree gchar *path = g_build_filename (directories[i], files[f], NULL);
      g_assert_true (g_file_get_contents (path, &contents[i], &length[i], NULL));
    }
    g_assert_cmpmem (contents[0], length[0], contents[1], length[1]);
    g_assert_true ((memcmp (contents[0], contents[2], length[0]) != 0) == (f < 2));
    for (guint i = 1; i < 3; i++)
      g_clear_pointer (&contents[i], g_free);
  }
  for (guint i = 0; i < 3; i++)
    tiny_model_remove (directories[i]);
}

static const gchar *const backends[] = { "ref", "cpu" };

static void
paint (gfloat *image, gsize count, guint item)
{
  for (gsize i = 0; i < count; i++)
    image[i] = sinf ((gfloat) i * (0.11f + 0.03f * item) + item);
}

static GoldenRun *
image_run (UpiModel *model, const gchar *backend, guint batch, guint width, guint height)
{
  GError *error = NULL;
  UpiProgram *program = upi_model_image_program (model, batch, width, height, FALSE, &error);

  g_assert_no_error (error);
  return golden_run_new (upi_backend_find (backend, NULL), program);
}

static void
check_finite (GoldenRun *run, const gchar *name)
{
  gsize count;
  const gfloat *values = golden_run_buffer (run, name, &count);
  gdouble power = 0;

  for (gsize i = 0; i < count; i++)
    power += (gdouble) values[i] * values[i];
  g_assert_true (isfinite (power));
  g_assert_cmpfloat (power, >, 0);
}

/* Every item of a batch gives what it gives alone. */
static void
check_batch (const gchar *config, guint width, guint height, guint batch, const gchar *backend)
{
  gchar *directory = tiny_model_write (config, 3);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (GoldenRun) together = image_run (model, backend, batch, width, height),
                        alone = image_run (model, backend, 1, width, height);
  static const gchar *const outputs[] = { "boxes", "foreground", "regions", "spe", "mask_features", "mask_embed",
    "looks", "keys.0", "values.1", "evidence" };
  gsize count = width * height * 3;

  for (guint item = 0; item < batch; item++)
    paint ((gfloat *) golden_run_buffer (together, "image", NULL) + item * count, count, item);
  golden_run (together);
  for (guint item = 0; item < batch; item++) {
    paint (golden_run_buffer (alone, "image", NULL), count, item);
    golden_run (alone);
    for (guint i = 0; i < G_N_ELEMENTS (outputs) - (upi_model_config (model)->has_evidence ? 0 : 1); i++) {
      gsize n, all;
      const gfloat *one = golden_run_buffer (alone, outputs[i], &n),
                   *many = golden_run_buffer (together, outputs[i], &all);
      check_finite (alone, outputs[i]);
      g_assert_cmpuint (all, ==, n * batch);
      golden_check (outputs[i], golden_nmse (many + item * n, one, n), 1e-9);
    }
  }
  tiny_model_remove (directory);
}

/* Strips of any height give what whole maps give, at sizes whose halves are odd too; the first ones are a row each. */
static void
check_strips (const gchar *config, guint width, guint height, const gchar *backend)
{
  static const gsize strips[] = { 1, 4000, 20000, 100000 };
  static const gchar *const outputs[] = { "boxes", "foreground", "regions", "spe", "mask_features", "mask_embed",
    "looks", "keys.0", "values.1" };
  gchar *directory = tiny_model_write (config, 3);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (GoldenRun) whole = image_run (model, backend, 1, width, height);
  GError *error = NULL;
  g_autoptr (UpiProgram) same = upi_model_image_program (model, 1, width, height, FALSE, &error);
  guint n_before = G_MAXUINT;
  gsize n;

  g_assert_no_error (error);
  paint (golden_run_buffer (whole, "image", NULL), (gsize) width * height * 3, 0);
  golden_run (whole);
  for (guint i = 0; i < G_N_ELEMENTS (strips); i++) {
    UpiProgram *program = upi_model_image_program_in_strips (model, 1, width, height, strips[i], &error);
    g_autoptr (GoldenRun) run = NULL;

    g_assert_no_error (error);
    g_assert_cmpuint (program->ops->len, <=, n_before); /* the higher the strips, the fewer */
    g_assert_cmpuint (program->ops->len, >, same->ops->len);
    n_before = program->ops->len;
    run = golden_run_new (upi_backend_find (backend, NULL), program);
    paint (golden_run_buffer (run, "image", NULL), (gsize) width * height * 3, 0);
    golden_run (run);
    for (guint k = 0; k < G_N_ELEMENTS (outputs); k++) {
      const gfloat *expected = golden_run_buffer (whole, outputs[k], &n),
                   *found = golden_run_buffer (run, outputs[k], NULL);
      golden_check (outputs[k], golden_nmse (found, expected, n), 1e-10);
    }
  }
  tiny_model_remove (directory);
}

static void
test_strips (gconstpointer backend)
{
  check_strips (UPI_TINY_CONFIG, 96, 64, backend);
  check_strips (UPI_TINY_MOBILENET_CONFIG, 96, 160, backend); /* global.backbone: 80 × 48 */
}

/* A batch has no strips: its rows are not in one piece. */
static void
test_strips_of_batches (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 3);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (UpiProgram) whole = upi_model_image_program (model, 2, 64, 64, FALSE, NULL);
  g_autoptr (UpiProgram) strips = upi_model_image_program_in_strips (model, 2, 64, 64, 1, NULL);

  g_assert_cmpuint (strips->ops->len, ==, whole->ops->len);
  tiny_model_remove (directory);
}

static void
test_batches (gconstpointer backend)
{
  check_batch (UPI_TINY_CONFIG, 64, 64, 4, backend);
  check_batch (UPI_TINY_CONFIG, 96, 64, 2, backend);
  check_batch (UPI_TINY_CONFIG, 64, 96, 3, backend);
  check_batch (UPI_TINY_DETECTOR_CONFIG, 160, 96, 2, backend); /* sides of 5 and 3 cells, halved */
}

/* The paper's kinds: ResNet-50, four levels, learned content, post-norm, RoBERTa; an odd coarsest level (3 × 1 → 2 ×
 * 1). */
static void
test_base (gconstpointer backend)
{
  check_batch (UPI_TINY_BASE_CONFIG, 96, 32, 2, backend);
}

/* Swin in both places: windows beyond the map, odd sides before a merge (48 × 16 → 3 × 1 → 2 × 1). */
static void
test_swin (gconstpointer backend)
{
  check_batch (UPI_TINY_SWIN_CONFIG, 96, 32, 3, backend);
  check_batch (UPI_TINY_SWIN_CONFIG, 160, 96, 2, backend);
}

/* The second generation's kinds; global.backbone's maps are odd all the way down (48 × 16 → 3 × 1 → 2 × 1; 80 × 48 → 5
 * × 3 → 3 × 2). */
static void
test_mobilenet (gconstpointer backend)
{
  check_batch (UPI_TINY_MOBILENET_CONFIG, 96, 32, 2, backend);
  check_batch (UPI_TINY_MOBILENET_CONFIG, 160, 96, 1, backend);
  check_batch (UPI_TINY_CONFIG_OF ("2", "efficientnet_lite0", ", \"backbone\": { \"kind\": \"mobilenet_v2\" }", ""), 96,
      64, 2, backend);
  check_batch (UPI_TINY_CONFIG_OF ("2", "mobilenet_v2", "", ""), 64, 64, 2, backend);
  check_batch (
      UPI_TINY_CONFIG_OF ("2", "mobilenet_v2", ", \"backbone\": { \"kind\": \"resnet50\" }", ""), 96, 32, 1, backend);
}

/* Boxes lie in 0..1, embeddings have length one. */
static void
test_ranges (gconstpointer backend)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 4);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (GoldenRun) run = image_run (model, backend, 1, 64, 64);
  gsize count;
  const gfloat *boxes, *regions;

  paint (golden_run_buffer (run, "image", &count), 64 * 64 * 3, 0);
  g_assert_cmpuint (count, ==, 64 * 64 * 3);
  golden_run (run);
  boxes = golden_run_buffer (run, "boxes", &count);
  g_assert_cmpuint (count, ==, 10 * 4);
  for (gsize i = 0; i < count; i++)
    g_assert_true (boxes[i] >= 0 && boxes[i] <= 1);
  regions = golden_run_buffer (run, "regions", &count);
  g_assert_cmpuint (count, ==, 10 * 48);
  for (guint r = 0; r < 10; r++) {
    gdouble length = 0;
    for (guint k = 0; k < 48; k++)
      length += (gdouble) regions[r * 48 + k] * regions[r * 48 + k];
    g_assert_cmpfloat_with_epsilon (length, 1, 1e-5);
  }
  tiny_model_remove (directory);
}

/* Room for more tokens than a text has changes nothing, whatever the ids there. */
static void
test_text_padding (gconstpointer backend)
{
  static const gchar *const configs[] = { UPI_TINY_CONFIG, UPI_TINY_BASE_CONFIG };
  static const guint rooms[] = { 4, 5, 16, 64 };

  for (guint c = 0; c < G_N_ELEMENTS (configs); c++) {
    gchar *directory = tiny_model_write (configs[c], 5);
    g_autoptr (UpiModel) model = tiny_model_open (directory);
    gfloat first[48];
    for (guint r = 0; r < G_N_ELEMENTS (rooms); r++) {
      GError *error = NULL;
      UpiProgram *program = upi_model_text_program (model, rooms[r], &error);
      g_autoptr (GoldenRun) run = NULL;
      gint32 *ids;
      gsize count;
      const gfloat *embedding;
      g_assert_no_error (error);
      run = golden_run_new (upi_backend_find (backend, NULL), program);
      ids = golden_run_buffer (run, "ids", NULL);
      for (guint t = 0; t < rooms[r]; t++)
        ids[t] = t < 4 ? 20 + 3 * (gint) t : 77;
      *(gint32 *) golden_run_buffer (run, "length", NULL) = 4;
      golden_run (run);
      embedding = golden_run_buffer (run, "embedding", &count);
      g_assert_cmpuint (count, ==, 48);
      if (r == 0)
        memcpy (first, embedding, sizeof first);
      golden_check ("embedding", golden_nmse (embedding, first, 48), 1e-10);
      if (r == 0) { /* and a shorter text is another one */
        *(gint32 *) golden_run_buffer (run, "length", NULL) = 3;
        golden_run (run);
        g_assert_cmpfloat (golden_nmse (embedding, first, 48), >, 1e-4);
      }
    }
    tiny_model_remove (directory);
  }
}

/* A caption's scores depend on its own past alone: rows after the length are not read, the capacity does not matter. */
static void
test_caption_steps (gconstpointer backend)
{
  static const gint32 ids[] = { 2, 40, 41, 99, 7 };
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 6);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  guint image_tokens = upi_model_image_tokens (model, 64, 64);
  g_autofree gfloat *scores = g_new (gfloat, G_N_ELEMENTS (ids) * 150);

  for (guint pass = 0; pass < 2; pass++) {
    GError *error = NULL;
    UpiProgram *program = upi_model_caption_program (model, image_tokens, pass ? 9 : 5, &error);
    g_autoptr (GoldenRun) run = NULL;
    g_assert_no_error (error);
    run = golden_run_new (upi_backend_find (backend, NULL), program);
    for (guint i = 0; i < 4; i++) {
      static const gchar *const names[] = { "keys.0", "values.0", "keys.1", "values.1" };
      static const gchar *const rows[] = { "text_keys.0", "text_values.0", "text_keys.1", "text_values.1" };
      gsize count;
      gfloat *cache = golden_run_buffer (run, names[i], &count);
      g_assert_cmpuint (count, ==, image_tokens * 48);
      paint (cache, count, i);
      cache = golden_run_buffer (run, rows[i], &count);
      for (gsize k = 0; k < count; k++)
        cache[k] = pass ? 1e6f : 0; /* rows nobody wrote */
    }
    for (guint step = 0; step < G_N_ELEMENTS (ids); step++) {
      const gfloat *found = golden_run_buffer (run, "scores", NULL);
      *(gint32 *) golden_run_buffer (run, "id", NULL) = ids[step];
      *(gint32 *) golden_run_buffer (run, "position", NULL) = (gint) step;
      *(gint32 *) golden_run_buffer (run, "text_length", NULL) = (gint) step + 1;
      golden_run (run);
      if (pass == 0)
        memcpy (scores + step * 150, found, 150 * sizeof (gfloat));
      else
        golden_check ("scores", golden_nmse (found, scores + step * 150, 150), 1e-10);
      for (guint v = 0; v < 150; v++)
        g_assert_cmpfloat (fabsf (found[v]), <=, 1 / 0.05f + 1e-3f); /* a cosine over τ */
    }
  }
  tiny_model_remove (directory);
}

static void
test_impossible_programs (void)
{
  static const guint sizes[][3] = { { 1, 65, 64 }, { 1, 64, 0 }, { 0, 64, 64 }, { 65, 64, 64 }, { 1, 8192, 64 } };
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (UpiProgram) p = NULL;
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_assert_null (upi_model_image_program (model, sizes[i][0], sizes[i][1], sizes[i][2], FALSE, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_clear_error (&error);
  }
  p = upi_model_image_program (model, 1, 32, 32, FALSE, &error); /* 16 + 4 + 1 tokens for 10 queries */
  g_assert_no_error (error);
  g_assert_null (upi_model_text_program (model, 65, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (upi_model_text_program (model, 0, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (upi_model_caption_program (model, 16, 65, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_clear_error (&error);
  tiny_model_remove (directory);
}

static void
test_more_queries_than_tokens (void)
{
  g_auto (GStrv) parts = g_strsplit (UPI_TINY_CONFIG, "\"count\": 10", 2);
  g_autofree gchar *config = g_strjoinv ("\"count\": 30", parts);
  gchar *directory = tiny_model_write (config, 1);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  GError *error = NULL;

  g_assert_null (upi_model_image_program (model, 1, 32, 32, FALSE, &error)); /* 21 tokens */
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "21"));
  g_assert_nonnull (strstr (error->message, "30"));
  g_clear_error (&error);
  tiny_model_remove (directory);
}

/* nano's config with a text encoder of a few kilobytes: the image side is the same. second: with the encoders of the
 * second generation, and the class predictors of its detector. */
static gchar *
nano_config (gboolean second)
{
  static const gchar *const members[][2] = { { "format_version", "2" },
    { "input",
        "{ \"sizes\": [[288, 288], [384, 224], [224, 384], [640, 384]], \"resize\": \"stretch\","
        "  \"filter\": \"triangle\", \"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5] }" },
    { "backbone", "{ \"kind\": \"mobilenet_v2\" }" }, { "levels", "3" },
    { "pixel_encoder", "{ \"kind\": \"lite\", \"layers\": 1 }" },
    { "query",
        "{ \"count\": 100, \"anchor\": \"cells\", \"anchor_cells\": 3, \"content\": \"pixel\","
        "  \"candidates\": 300, \"distinct\": 0.8 }" },
    { "global", "{ \"pools\": 1, \"backbone\": { \"kind\": \"efficientnet_lite0\" } }" },
    { "evidence",
        "{ \"channels\": [96, 160, 128], \"rank\": [72, 96, 96], \"extra\": [256, 512],"
        "  \"anchors\": [[[0.1, 1], [0.2, 2], [0.2, 0.5]],"
        "  [[0.35, 1], [0.35, 2], [0.35, 0.5], [0.35, 3], [0.35, 0.33], [0.42, 1]],"
        "  [[0.5, 1], [0.5, 2], [0.5, 0.5], [0.5, 3], [0.5, 0.33], [0.57, 1]]] }" } };
  g_autofree gchar *path = g_build_filename (g_getenv ("UPI_TEST_NANO"), "config.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *root, *text;
  GError *error = NULL;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  root = json_node_get_object (json_parser_get_root (parser));
  for (guint i = 0; second && i < G_N_ELEMENTS (members); i++)
    json_object_set_member (root, members[i][0], json_from_string (members[i][1], NULL));
  if (second)
    json_object_remove_member (root, "detector");
  text = json_object_get_object_member (root, "text");
  json_object_set_int_member (text, "vocabulary", 150);
  json_object_set_int_member (text, "layers", 1);
  json_object_set_int_member (text, "width", 24);
  json_object_set_int_member (text, "ffn", 24);
  return json_to_string (json_parser_get_root (parser), FALSE);
}

/* At most 1.6 GMAC for the image side at the first size, attention products and sampling counted; every trained size
 * builds. */
static void
test_nano_cost (gconstpointer second)
{
  g_autofree gchar *config = nano_config (second != NULL);
  gchar *directory = tiny_model_write (config, 1);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  const UpiConfig *c = upi_model_config (model);
  GError *error = NULL;

  for (guint i = 0; i < c->input.n_sizes; i++) {
    guint width = c->input.sizes[i][0], height = c->input.sizes[i][1];
    g_autoptr (UpiProgram) program = upi_model_image_program (model, i % 2 ? 4 : 1, width, height, FALSE, &error);
    g_assert_no_error (error);
    g_test_message ("%ux%u: %.3f GMAC, arena %.1f of %.1f MiB", width, height, upi_program_macs (program) / 1e9,
        program->arena_bytes / 1048576.0, program->sum_bytes / 1048576.0);
    g_assert_cmpuint (program->arena_bytes, <, program->sum_bytes / 2);
    if (i == 0) {
      g_assert_cmpuint (upi_program_macs (program), >, 1000000000);
      g_assert_cmpuint (upi_program_macs (program), <=, 1600000000);
    }
  }
  tiny_model_remove (directory);
}

static void
test_find (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 1);
  g_autofree gchar *parent = g_path_get_dirname (directory), *name = g_path_get_basename (directory);
  g_autofree gchar *path = g_strconcat ("/nowhere:", parent, NULL);
  g_autofree gchar *by_path = NULL, *by_name = NULL;
  GError *error = NULL;

  by_path = upi_model_find (directory, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (by_path, ==, directory);
  g_setenv ("UPI_MODEL_PATH", path, TRUE);
  by_name = upi_model_find (name, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (by_name, ==, directory);
  g_assert_null (upi_model_find ("no-such-model", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "no-such-model"));
  g_assert_nonnull (strstr (error->message, parent));
  g_assert_nonnull (strstr (error->message, "UPI_MODEL_PATH"));
  g_clear_error (&error);
  g_assert_null (upi_model_find ("/nowhere/at/all", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_clear_error (&error);
  g_assert_null (upi_model_find ("", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_clear_error (&error);
  g_unsetenv ("UPI_MODEL_PATH");
  tiny_model_remove (directory);
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *name;
    GTestDataFunc func;
  } runs[] = { { "batches", test_batches }, { "base", test_base }, { "mobilenet", test_mobilenet },
    { "swin", test_swin }, { "strips", test_strips }, { "ranges", test_ranges }, { "text-padding", test_text_padding },
    { "caption-steps", test_caption_steps } };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/open", test_open);
  g_test_add_func ("/model/random-is-deterministic", test_random_is_deterministic);
  for (guint i = 0; i < G_N_ELEMENTS (runs); i++) {
    for (guint k = 0; k < G_N_ELEMENTS (backends); k++) {
      g_autofree gchar *path = g_strdup_printf ("/model/%s/%s", backends[k], runs[i].name);
      g_test_add_data_func (path, backends[k], runs[i].func);
    }
  }
  g_test_add_func ("/model/strips-of-batches", test_strips_of_batches);
  g_test_add_func ("/model/impossible-programs", test_impossible_programs);
  g_test_add_func ("/model/more-queries-than-tokens", test_more_queries_than_tokens);
  g_test_add_data_func ("/model/nano-cost", NULL, test_nano_cost);
  g_test_add_data_func ("/model/second-nano-cost", "second", test_nano_cost);
  g_test_add_func ("/model/find", test_find);
  return g_test_run ();
}
