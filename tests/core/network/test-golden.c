/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each part of the network against the PyTorch reference: fed the reference's input, its output is compared, so that a
 * wrong part is named.
 *
 * Tiny networks with every kind of part (tests/tiny-config.h), their weights random but always the same; the
 * reference's tensors are tests/golden/NAME.safetensors, made by models/reference/golden_parts.py from the model that
 * `test-golden --write NAME DIRECTORY` writes (NAME may also be a config.json). `test-golden --model DIRECTORY TENSORS
 * WxH` holds a model of any size against what golden_parts.py made of it.
 */
#include "tests/core/network/golden-parts.h"
#include "tests/tiny-config.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define SEED 20221120

static GoldenNetwork networks[] = {
  { "tiny", UPI_TINY_CONFIG, 64, 64 },
  { "tiny-base", UPI_TINY_BASE_CONFIG, 64, 32 },
  { "tiny-mobilenet", UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION), 96, 32,
      { { "\"lateral_norm\": false", "\"lateral_norm\": false, \"own\": true" } }, .second = TRUE },
  { "tiny-pico", UPI_TINY_DETECTOR_CONFIG_WITH (UPI_TINY_CALIBRATION), 160, 64, .second = TRUE },
  { "tiny-swin", UPI_TINY_SWIN_CONFIG, 96, 32 },
  /* the region parts as Mask DINO's published code has them; at this size tokens at both ends are not chosen */
  { "tiny-dino", UPI_TINY_BASE_CONFIG, 416, 32,
      { { "\"format_version\": 1", "\"format_version\": 2" },
          { "{ \"kind\": \"resnet50\" }", UPI_TINY_SWIN ("8", "3") },
          { "\"region_ffn\": 48", "\"region_ffn\": 48, \"region_parts\": \"mask_dino\"" },
          { "\"content\": \"learned\"", "\"content\": \"pixel\"" }, { "[[64, 64]]", "[[416, 32]]" },
          { "\"d\": 64", "\"d\": 32" }, { "\"count\": 12", "\"count\": 40" },
          { "\"channels\": 64, \"groups\": 8", "\"channels\": 16, \"groups\": 4" } } },
  /* what neither has: a lite pixel encoder of two layers and four levels, distinct queries, mask features as wide as d,
   * experts that all count */
  { "tiny-lite", UPI_TINY_CONFIG, 96, 64,
      { { "\"levels\": 3", "\"levels\": 4" },
          { "\"kind\": \"lite\", \"layers\": 1", "\"kind\": \"lite\", \"layers\": 2" },
          { "\"count\": 10", "\"count\": 10, \"candidates\": 60, \"distinct\": 0.3" },
          { "\"channels\": 16, \"groups\": 4", "\"channels\": 32, \"groups\": 8" },
          { "\"top_k\": 2", "\"top_k\": 3" } } },
};

/* (transfer full) the network's config.json */
static gchar *
config_of (const GoldenNetwork *n)
{
  gchar *text = g_strdup (n->config);

  for (guint i = 0; i < G_N_ELEMENTS (n->edits) && n->edits[i][0] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (text, n->edits[i][0], 2);
    g_assert_cmpuint (g_strv_length (parts), ==, 2);
    g_free (text);
    text = g_strjoinv (n->edits[i][1], parts);
  }
  return text;
}

/* Normalised mean squared error: what the project asks of each backend. */
static const struct {
  const gchar *name;
  gdouble tolerance;
} backends[] = { { "ref", 1e-9 }, { "cpu", 1e-7 }, { "cuda", 1e-7 } };

/* The reference's numbers in our layout. */
static gfloat *
reference_floats (const GoldenPart *part, const GoldenTensor *tensor)
{
  const UpiSafetensor *t = golden_reference (part, tensor->name);
  g_autofree gfloat *theirs = upi_safetensor_read (t, NULL);
  gfloat *ours = g_new (gfloat, t->count);
  gint64 shape[UPI_SAFETENSORS_MAX_RANK];

  g_assert_nonnull (theirs);
  for (guint i = 0; i < t->rank; i++)
    shape[i] = (gint64) t->dim[i];
  for (gsize i = 0; i < t->count; i++)
    ours[golden_index (tensor->layout, shape, i)] = theirs[i];
  return ours;
}

static void
check_output (const GoldenPart *part, GoldenRun *run, const GoldenTensor *tensor)
{
  const UpiSafetensor *t = golden_reference (part, tensor->name);
  gsize count;
  gpointer found = golden_run_buffer (run, tensor->name, &count);

  g_assert_cmpuint (count, ==, t->count);
  if (tensor->dtype == UPI_I32) {
    g_autofree gint32 *index = upi_safetensor_read_i32 (t, NULL);
    g_autofree gfloat *scores = upi_safetensor_read (golden_reference (part, "scores"), NULL);
    golden_check_index (found, index, count, scores);
  } else {
    g_autofree gfloat *numbers = reference_floats (part, tensor);
    golden_check (tensor->name, golden_nmse (found, numbers, count), part->tolerance);
  }
}

static GoldenRun *
run_part (GoldenPart *part)
{
  GoldenRun *run = golden_run_new (upi_backend_find (part->backend, NULL), g_steal_pointer (&part->build.program));

  for (guint i = 0; i < part->fed->len; i++) {
    const GoldenTensor *fed = &g_array_index (part->fed, GoldenTensor, i);
    gsize count;
    gpointer to = golden_run_buffer (run, fed->name, &count);
    g_autofree gpointer from = NULL;
    if (fed->dtype == UPI_I32)
      from = upi_safetensor_read_i32 (golden_reference (part, fed->name), NULL);
    else
      from = reference_floats (part, fed);
    g_assert_cmpuint (count, ==, golden_reference (part, fed->name)->count);
    memcpy (to, from, count * 4);
  }
  golden_run (run);
  return run;
}

typedef struct {
  GoldenNetwork *network;
  guint backend, part;
} Case;

static void
open_network (GoldenNetwork *n)
{
  g_autofree gchar *golden = g_strdup_printf ("%s/%s.safetensors", g_getenv ("UPI_TEST_GOLDEN"), n->name);
  g_autofree gchar *config = config_of (n);
  GError *error = NULL;

  if (n->model != NULL)
    return;
  n->directory = g_dir_make_tmp ("upi-golden-XXXXXX", &error);
  g_assert_no_error (error);
  upi_model_write_random (n->directory, config, SEED, &error);
  g_assert_no_error (error);
  n->model = upi_model_open (n->directory, &error);
  g_assert_no_error (error);
  n->golden = upi_safetensors_open (golden, &error);
  g_assert_no_error (error);
}

static void
close_network (GoldenNetwork *n)
{
  g_autoptr (GDir) dir = n->directory != NULL ? g_dir_open (n->directory, 0, NULL) : NULL;
  const gchar *name;

  g_clear_pointer (&n->model, upi_model_unref);
  g_clear_pointer (&n->golden, upi_safetensors_free);
  while (dir != NULL && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (n->directory, name, NULL);
    g_unlink (path);
  }
  if (n->directory != NULL)
    g_rmdir (n->directory);
  g_clear_pointer (&n->directory, g_free);
}

static void
part_init (GoldenPart *part, const Case *c)
{
  const GoldenNetwork *n = c->network;

  open_network (c->network);
  *part = (GoldenPart){ n, backends[c->backend].name, backends[c->backend].tolerance };
  part->build = (UpiBuild){ upi_program_new ("part"), n->model->config, n->model->weights, 1, n->height, n->width };
  part->levels = upi_levels (n->model->config, n->width, n->height);
  part->fed = g_array_new (FALSE, TRUE, sizeof (GoldenTensor));
  part->expected = g_array_new (FALSE, TRUE, sizeof (GoldenTensor));
}

static void
part_clear (GoldenPart *part)
{
  g_array_unref (part->fed);
  g_array_unref (part->expected);
}

static void
test_part (gconstpointer data)
{
  const Case *c = data;
  GoldenPart part;
  g_autoptr (GoldenRun) run = NULL;

  part_init (&part, c);
  golden_parts[c->part].build (&part);
  run = run_part (&part);
  for (guint i = 0; i < part.expected->len; i++) {
    const GoldenTensor *tensor = &g_array_index (part.expected, GoldenTensor, i);
    if (g_str_equal (tensor->name, "decoded_regions")) { /* the last rows of decoded */
      const UpiSafetensor *t = golden_reference (&part, "decoded");
      g_autofree gfloat *rows = upi_safetensor_read (t, NULL);
      gsize count;
      const gfloat *found = golden_run_buffer (run, tensor->name, &count);
      golden_check (tensor->name, golden_nmse (found, rows + t->count - count, count), part.tolerance);
    } else {
      check_output (&part, run, tensor);
    }
  }
  part_clear (&part);
}

/* Caption steps with the reference's image cache, teacher forcing: each step's scores are the reference's cosines over
 * τ. */
static void
test_caption (gconstpointer data)
{
  const Case *c = data;
  GoldenPart part;
  g_autoptr (GoldenRun) run = NULL;
  g_autofree gint32 *ids = NULL;
  g_autofree gfloat *cosines = NULL;
  const UpiSafetensor *t;
  GError *error = NULL;
  gsize vocabulary;
  gfloat tau;

  part_init (&part, c);
  tau = part.build.config->tasks.captioning.temperature;
  upi_program_free (part.build.program);
  part.build.program =
      upi_model_caption_program (c->network->model, golden_reference (&part, "key_0")->dim[1], 8, &error);
  g_assert_no_error (error);
  run = golden_run_new (upi_backend_find (part.backend, NULL), part.build.program);
  for (gint i = 0; i < MIN (part.build.config->decoder.layers, GOLDEN_MAX_LAYERS); i++) {
    g_autofree gchar *key = g_strdup_printf ("keys.%d", i);
    g_autofree gchar *value = g_strdup_printf ("values.%d", i);
    g_autofree gfloat *keys = reference_floats (&part, &(GoldenTensor){ golden_keys[i], GOLDEN_HEADS });
    g_autofree gfloat *values = reference_floats (&part, &(GoldenTensor){ golden_values[i], GOLDEN_HEADS });
    gsize count;
    gpointer to = golden_run_buffer (run, key, &count);
    memcpy (to, keys, count * sizeof (gfloat));
    memcpy (golden_run_buffer (run, value, NULL), values, count * sizeof (gfloat));
  }
  t = golden_reference (&part, "caption_cosines"); /* [T,V] */
  cosines = upi_safetensor_read (t, NULL);
  ids = upi_safetensor_read_i32 (golden_reference (&part, "caption_ids"), NULL);
  for (gint step = 0; step < (gint) t->dim[0]; step++) {
    g_autofree gchar *name = g_strdup_printf ("caption_cosines, step %d", step);
    gfloat *scores = golden_run_buffer (run, "scores", &vocabulary);
    *(gint32 *) golden_run_buffer (run, "id", NULL) = ids[step];
    *(gint32 *) golden_run_buffer (run, "position", NULL) = step;
    *(gint32 *) golden_run_buffer (run, "text_length", NULL) = step + 1;
    golden_run (run);
    g_assert_cmpuint (vocabulary, ==, t->dim[1]);
    for (gsize v = 0; v < vocabulary; v++)
      scores[v] *= tau;
    golden_check (name, golden_nmse (scores, cosines + step * vocabulary, vocabulary), part.tolerance);
  }
  part_clear (&part);
}

/* (transfer full) rows of the tensor as vectors of length 1 */
static gfloat *
unit_rows (const GoldenNetwork *n, const gchar *name, gsize width, gsize *rows)
{
  const UpiSafetensor *t = upi_safetensors_find (n->golden, name);
  gfloat *x;

  g_assert_nonnull (t);
  x = upi_safetensor_read (t, NULL);
  *rows = t->count / width;
  for (gsize i = 0; i < *rows; i++) {
    gdouble norm = 0;
    for (gsize k = 0; k < width; k++)
      norm += (gdouble) x[i * width + k] * x[i * width + k];
    for (gsize k = 0; k < width; k++)
      x[i * width + k] /= (gfloat) sqrt (norm);
  }
  return x;
}

/* The last of the rows, as many as the reference's probabilities [rows, sentences] are for. */
static void
check_independent (const GoldenNetwork *n, UpiSpread spread, const gchar *things, const gchar *name)
{
  gsize width = (gsize) n->model->config->decoder.width, n_things, n_sentences;
  g_autofree gfloat *x = unit_rows (n, things, width, &n_things);
  g_autofree gfloat *sentences = unit_rows (n, "sentences", width, &n_sentences);
  const UpiSafetensor *t = upi_safetensors_find (n->golden, name);
  /* golden_parts.py's */
  static const gfloat scores[] = { 0.9f, 0.05f, 0.3f, 0.0f, 1.0f }, parts[] = { 0.0f, 1.0f, 0.5f, 1.0f, 0.25f };
  g_autofree gfloat *expected = NULL;
  gsize rows;

  g_assert_cmpuint (n_sentences, ==, G_N_ELEMENTS (scores));

  g_assert_nonnull (t);
  expected = upi_safetensor_read (t, NULL);
  rows = t->count / n_sentences;
  g_assert_cmpuint (rows, >, 0);
  g_assert_cmpuint (rows, <=, n_things);
  for (gsize s = 0; s < n_sentences; s++) {
    const gfloat *sentence = sentences + s * width;
    UpiStanding standing = upi_model_standing (n->model, spread, sentence);
    for (gsize i = 0; i < rows; i++) {
      gdouble cosine = 0;
      for (gsize k = 0; k < width; k++)
        cosine += (gdouble) x[(n_things - rows + i) * width + k] * sentence[k];
      UpiMatch match = { (gfloat) cosine, scores[s], parts[s] };
      g_assert_cmpfloat_with_epsilon (
          upi_model_probability (n->model, spread, standing, match), expected[i * n_sentences + s], 1e-5);
    }
  }
}

static void
test_independent (gconstpointer data)
{
  GoldenNetwork *n = (GoldenNetwork *) data;

  open_network (n);
  check_independent (n, UPI_SPREAD_IMAGE, "image_spe", "independent_image");
  check_independent (n, UPI_SPREAD_REGIONS, "decoded", "independent_regions");
}

static int
write_network (const gchar *name, const gchar *directory)
{
  g_autofree gchar *other = NULL;

  if (g_file_get_contents (name, &other, NULL, NULL))
    return upi_model_write_random (directory, other, SEED, NULL) ? 0 : 1;
  for (guint n = 0; n < G_N_ELEMENTS (networks); n++) {
    g_autofree gchar *config = config_of (&networks[n]);
    g_autoptr (GError) error = NULL;
    if (!g_str_equal (networks[n].name, name))
      continue;
    if (upi_model_write_random (directory, config, SEED, &error))
      return 0;
    g_printerr ("%s\n", error->message);
  }
  return 1;
}

/* The networks to test: those above, or the one that the arguments name, whose model stays. NULL: they are wrong. */
static GoldenNetwork *
networks_of (int *argc, char **argv, guint *n)
{
  static GoldenNetwork given = { .name = "model" };
  g_autoptr (GError) error = NULL;

  *n = G_N_ELEMENTS (networks);
  if (*argc < 2 || !g_str_equal (argv[1], "--model"))
    return networks;
  *n = 1;
  if (*argc == 5 && sscanf (argv[4], "%dx%d", &given.width, &given.height) == 2)
    given.model = upi_model_open (argv[2], &error);
  if (given.model != NULL)
    given.golden = upi_safetensors_open (argv[3], &error);
  *argc = 1;
  if (given.golden != NULL)
    return &given;
  g_printerr ("%s\n", error != NULL ? error->message : "expected --model DIRECTORY TENSORS WxH");
  return NULL;
}

int
main (int argc, char **argv)
{
  guint n_networks;
  GoldenNetwork *tested = networks_of (&argc, argv, &n_networks);
  g_autoptr (GPtrArray) cases = g_ptr_array_new_with_free_func (g_free);
  int status;

  if (argc == 4 && g_str_equal (argv[1], "--write"))
    return write_network (argv[2], argv[3]);
  if (tested == NULL)
    return 1;
  g_test_init (&argc, &argv, NULL);
  for (guint n = 0; n < n_networks; n++) {
    for (guint k = 0; k < G_N_ELEMENTS (backends); k++) {
      if (!golden_wants (backends[k].name))
        continue;
      for (guint i = 0; i <= GOLDEN_N_PARTS; i++) {
        gboolean caption = i == GOLDEN_N_PARTS;
        g_autofree gchar *path = g_strdup_printf (
            "/golden/%s/%s/%s", tested[n].name, backends[k].name, caption ? "caption" : golden_parts[i].name);
        Case *c;
        if (!caption && golden_parts[i].second && !tested[n].second)
          continue;
        c = g_new (Case, 1);
        *c = (Case){ &tested[n], k, i };
        g_ptr_array_add (cases, c);
        g_test_add_data_func (path, c, caption ? test_caption : test_part);
      }
    }
  }
  for (guint n = 0; n < n_networks; n++) {
    g_autofree gchar *path = g_strdup_printf ("/golden/%s/independent", tested[n].name);
    if (tested[n].second)
      g_test_add_data_func (path, &tested[n], test_independent);
  }
  golden_skip_missing ("/golden");
  status = g_test_run ();
  for (guint n = 0; n < n_networks; n++)
    close_network (&tested[n]);
  return status;
}
