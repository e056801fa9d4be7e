/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each part of the network against the PyTorch reference: fed the reference's input, its output is compared, so that a
 * wrong part is named.
 *
 * Tiny networks with every kind of part (tests/tiny-config.h), their weights random but always the same; the
 * reference's tensors are tests/golden/NAME.safetensors, made by models/reference/golden_parts.py from the model that
 * `test-golden --write NAME DIRECTORY` writes.
 */
#include "core/model/model-private.h"
#include "core/model/safetensors.h"
#include "tests/core/golden-run.h"
#include "tests/tiny-config.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define SEED 20221120

typedef struct {
  const gchar *name, *config;
  gint width, height;
  const gchar *edits[5][2]; /* of config: text and what takes its place */
  gboolean second;          /* it has the parts of the second generation */
  gchar *directory;
  UpiModel *model;
  UpiSafetensors *golden;
} Network;

static Network networks[] = {
  { "tiny", UPI_TINY_CONFIG, 64, 64 },
  { "tiny-base", UPI_TINY_BASE_CONFIG, 64, 32 },
  { "tiny-mobilenet", UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION), 96, 32, .second = TRUE },
  { "tiny-swin", UPI_TINY_SWIN_CONFIG, 96, 32 },
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
config_of (const Network *n)
{
  gchar *text = g_strdup (n->config);

  for (guint i = 0; i < G_N_ELEMENTS (n->edits) && n->edits[i][0]; i++) {
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

typedef struct {
  const gchar *name; /* of the reference's tensor and of the program's input or output */
  GoldenLayout layout;
  UpiDType dtype;
} Tensor;

typedef struct {
  const Network *network;
  const gchar *backend;
  gdouble tolerance;
  UpiBuild build;
  UpiLevels levels;
  GArray *fed, *expected; /* Tensor */
} Part;

static const UpiSafetensor *
reference (const Part *part, const gchar *name)
{
  const UpiSafetensor *tensor = upi_safetensors_find (part->network->golden, name);

  if (!tensor)
    g_error ("tests/golden/%s.safetensors has no %s", part->network->name, name);
  return tensor;
}

static UpiValue
feed (Part *part, const gchar *name, GoldenLayout layout)
{
  const UpiSafetensor *t = reference (part, name);
  const gint d[3] = { (gint) t->dim[0], (gint) t->dim[1], (gint) t->dim[2] };
  Tensor fed = { name, layout, t->type == UPI_TENSOR_I32 ? UPI_I32 : UPI_F32 };
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
expect (Part *part, UpiValue value, const gchar *name, GoldenLayout layout)
{
  Tensor expected = { name, layout, upi_program_value (part->build.program, value)->dtype };

  upi_program_output (part->build.program, name, value);
  g_array_append_val (part->expected, expected);
}

/* The reference's numbers in our layout. */
static gfloat *
reference_floats (const Part *part, const Tensor *tensor)
{
  const UpiSafetensor *t = reference (part, tensor->name);
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
check_output (const Part *part, GoldenRun *run, const Tensor *tensor)
{
  const UpiSafetensor *t = reference (part, tensor->name);
  gsize count;
  gpointer found = golden_run_buffer (run, tensor->name, &count);

  g_assert_cmpuint (count, ==, t->count);
  if (tensor->dtype == UPI_I32) {
    g_autofree gint32 *index = upi_safetensor_read_i32 (t, NULL);
    g_autofree gfloat *scores = upi_safetensor_read (reference (part, "scores"), NULL);
    golden_check_index (found, index, count, scores);
  } else {
    g_autofree gfloat *numbers = reference_floats (part, tensor);
    golden_check (tensor->name, golden_nmse (found, numbers, count), part->tolerance);
  }
}

static GoldenRun *
run_part (Part *part)
{
  GoldenRun *run = golden_run_new (upi_backend_find (part->backend, NULL), g_steal_pointer (&part->build.program));

  for (guint i = 0; i < part->fed->len; i++) {
    const Tensor *fed = &g_array_index (part->fed, Tensor, i);
    gsize count;
    gpointer to = golden_run_buffer (run, fed->name, &count);
    g_autofree gpointer from = NULL;
    if (fed->dtype == UPI_I32)
      from = upi_safetensor_read_i32 (reference (part, fed->name), NULL);
    else
      from = reference_floats (part, fed);
    g_assert_cmpuint (count, ==, reference (part, fed->name)->count);
    memcpy (to, from, count * 4);
  }
  golden_run (run);
  return run;
}

static const gchar *const map_names[] = { "C2", "C3", "C4", "C5" };
static const gchar *const projected_names[] = { "F_1", "F_2", "F_3", "F_4" };
static const gchar *const key_names[] = { "key_0", "key_1" }, *const value_names[] = { "value_0", "value_1" };

static void
backbone (Part *part)
{
  UpiValue maps[4];

  upi_backbone (&part->build, feed (part, "input", GOLDEN_MAP), maps);
  for (guint i = 0; i < 4; i++)
    expect (part, maps[i], map_names[i], GOLDEN_MAP);
}

/* Of a backbone of its own, on half the sides: 48 × 16 → 2 × 1. */
static void
global_map (Part *part)
{
  UpiValue maps[4] = { UPI_NO_VALUE, UPI_NO_VALUE, UPI_NO_VALUE, UPI_NO_VALUE };

  expect (part, upi_global_map (&part->build, feed (part, "input", GOLDEN_MAP), maps), "global_map", GOLDEN_MAP);
}

static void
evidence (Part *part)
{
  UpiValue maps[4] = { UPI_NO_VALUE, UPI_NO_VALUE, feed (part, "C4", GOLDEN_MAP), feed (part, "C5", GOLDEN_MAP) };

  expect (part, upi_evidence (&part->build, maps, feed (part, "q_box", GOLDEN_ROWS)), "evidence", GOLDEN_ROWS);
}

static void
input_projection (Part *part)
{
  UpiValue maps[4] = { UPI_NO_VALUE }, projected[UPI_MAX_LEVELS];

  for (guint i = 1; i < 4; i++)
    maps[i] = feed (part, map_names[i], GOLDEN_MAP);
  upi_input_projection (&part->build, &part->levels, maps, projected);
  for (gint l = 0; l < part->levels.n; l++)
    expect (part, projected[l], projected_names[l], GOLDEN_MAP);
}

static void
pixel_encoder (Part *part)
{
  UpiValue projected[UPI_MAX_LEVELS];

  for (gint l = 0; l < part->levels.n; l++)
    projected[l] = feed (part, projected_names[l], GOLDEN_MAP);
  expect (part, upi_pixel_encoder (&part->build, &part->levels, projected), "memory", GOLDEN_ROWS);
}

static void
query_scores (Part *part)
{
  UpiQueries q = upi_query_selection (&part->build, &part->levels, feed (part, "memory", GOLDEN_ROWS), UPI_NO_VALUE);

  expect (part, q.scores, "scores", GOLDEN_ROWS);
  expect (part, q.index, "index", GOLDEN_ROWS);
}

static void
queries (Part *part)
{
  UpiQueries q = upi_query_selection (
      &part->build, &part->levels, feed (part, "memory", GOLDEN_ROWS), feed (part, "index", GOLDEN_ROWS));

  expect (part, q.box, "box_0", GOLDEN_ROWS);
  expect (part, q.content, "content", GOLDEN_ROWS);
}

static void
region_decoder (Part *part)
{
  UpiValue content = feed (part, "content", GOLDEN_ROWS), box = feed (part, "box_0", GOLDEN_ROWS);
  UpiRegions r = upi_region_decoder (&part->build, &part->levels, content, box, feed (part, "memory", GOLDEN_ROWS));

  expect (part, r.semantic, "q_sem", GOLDEN_ROWS);
  expect (part, r.box, "q_box", GOLDEN_ROWS);
  expect (part, r.foreground, "foreground", GOLDEN_ROWS);
}

static void
mask_head (Part *part)
{
  UpiValue c2 = feed (part, "C2", GOLDEN_MAP), memory = feed (part, "memory", GOLDEN_ROWS);

  expect (part, upi_mask_features (&part->build, &part->levels, c2, memory), "mask_features", GOLDEN_MAP);
  expect (part, upi_mask_embed (&part->build, feed (part, "q_sem", GOLDEN_ROWS)), "mask_embed", GOLDEN_ROWS);
}

static void
proposals (Part *part)
{
  UpiRegions r = { feed (part, "q_sem", GOLDEN_ROWS), feed (part, "q_box", GOLDEN_ROWS), UPI_NO_VALUE };
  UpiValue features = feed (part, "mask_features", GOLDEN_MAP), embed = feed (part, "mask_embed", GOLDEN_ROWS);

  UpiValue speaks = part->build.config->has_evidence ? feed (part, "evidence", GOLDEN_ROWS) : UPI_NO_VALUE;

  expect (part, upi_proposals (&part->build, &r, features, embed, speaks), "q_proposal", GOLDEN_ROWS);
}

static void
global_tokens (Part *part)
{
  const gchar *map = part->build.config->global.has_backbone ? "global_map" : "C5";
  UpiValue pools[4], flat = upi_global_tokens (&part->build, feed (part, map, GOLDEN_MAP), pools);

  expect (part, flat, "g_flat", GOLDEN_ROWS);
  expect (part, upi_concat (part->build.program, pools, part->build.config->global.pools, 1), "pools", GOLDEN_ROWS);
}

/* The first and the last rows of "decoded" are compared by run_decoder(). */
static void
decoder_image (Part *part)
{
  UpiProgram *p = part->build.program;
  UpiValue pools[4], pool = feed (part, "pools", GOLDEN_ROWS), keys[2], values[2], sequence;
  UpiDecodedImage decoded;

  for (gint i = 0; i < part->build.config->global.pools; i++)
    pools[i] = upi_slice (p, pool, 1, i, 1);
  sequence = upi_image_sequence (
      &part->build, pools, feed (part, "g_flat", GOLDEN_ROWS), feed (part, "q_proposal", GOLDEN_ROWS));
  decoded = upi_decode_image (&part->build, sequence, keys, values);
  expect (part, decoded.spe, "image_spe", GOLDEN_ROWS);
  expect (part, decoded.regions, "decoded_regions", GOLDEN_ROWS);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    expect (part, keys[i], key_names[i], GOLDEN_HEADS);
    expect (part, values[i], value_names[i], GOLDEN_HEADS);
  }
}

static void
text_encoder (Part *part)
{
  UpiValue ids = feed (part, "text_ids", GOLDEN_ROWS);

  expect (part, upi_text_encoder (&part->build, ids, UPI_NO_VALUE), "text_encoder", GOLDEN_ROWS);
}

static void
decoder_text (Part *part)
{
  static const gint32 length[] = { 7 };
  UpiValue all = upi_program_weight_i32 (part->build.program, "length", length, UPI_SHAPE1 (1));

  expect (part, upi_decode_text (&part->build, feed (part, "text_encoder", GOLDEN_ROWS), all), "text_spe", GOLDEN_ROWS);
}

static const struct {
  const gchar *name;
  void (*build) (Part *part);
  gboolean second; /* only networks of the second generation have it */
} parts[] = {
  { "backbone", backbone },
  { "input-projection", input_projection },
  { "pixel-encoder", pixel_encoder },
  { "query-scores", query_scores },
  { "queries", queries },
  { "region-decoder", region_decoder },
  { "mask-head", mask_head },
  { "proposals", proposals },
  { "evidence", evidence, TRUE },
  { "global-backbone", global_map, TRUE },
  { "global-tokens", global_tokens },
  { "general-decoder-image", decoder_image },
  { "text-encoder", text_encoder },
  { "general-decoder-text", decoder_text },
};

typedef struct {
  Network *network;
  guint backend, part;
} Case;

static void
open_network (Network *n)
{
  g_autofree gchar *golden = g_strdup_printf ("%s/%s.safetensors", g_getenv ("UPI_TEST_GOLDEN"), n->name);
  g_autofree gchar *config = config_of (n);
  GError *error = NULL;

  if (n->model)
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
close_network (Network *n)
{
  g_autoptr (GDir) dir = n->directory ? g_dir_open (n->directory, 0, NULL) : NULL;
  const gchar *name;

  g_clear_pointer (&n->model, upi_model_unref);
  g_clear_pointer (&n->golden, upi_safetensors_free);
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (n->directory, name, NULL);
    g_unlink (path);
  }
  if (n->directory)
    g_rmdir (n->directory);
  g_clear_pointer (&n->directory, g_free);
}

static void
part_init (Part *part, const Case *c)
{
  const Network *n = c->network;

  open_network (c->network);
  *part = (Part){ n, backends[c->backend].name, backends[c->backend].tolerance };
  part->build = (UpiBuild){ upi_program_new ("part"), n->model->config, n->model->weights, 1, n->height, n->width };
  part->levels = upi_levels (n->model->config, n->width, n->height);
  part->fed = g_array_new (FALSE, TRUE, sizeof (Tensor));
  part->expected = g_array_new (FALSE, TRUE, sizeof (Tensor));
}

static void
part_clear (Part *part)
{
  g_array_unref (part->fed);
  g_array_unref (part->expected);
}

static void
test_part (gconstpointer data)
{
  const Case *c = data;
  Part part;
  g_autoptr (GoldenRun) run = NULL;

  part_init (&part, c);
  parts[c->part].build (&part);
  run = run_part (&part);
  for (guint i = 0; i < part.expected->len; i++) {
    const Tensor *tensor = &g_array_index (part.expected, Tensor, i);
    if (g_str_equal (tensor->name, "decoded_regions")) { /* the last rows of decoded */
      const UpiSafetensor *t = reference (&part, "decoded");
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
  Part part;
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
  part.build.program = upi_model_caption_program (c->network->model, reference (&part, "key_0")->dim[1], 8, &error);
  g_assert_no_error (error);
  run = golden_run_new (upi_backend_find (part.backend, NULL), part.build.program);
  for (guint i = 0; i < G_N_ELEMENTS (key_names); i++) {
    g_autofree gchar *key = g_strdup_printf ("keys.%u", i);
    g_autofree gchar *value = g_strdup_printf ("values.%u", i);
    g_autofree gfloat *keys = reference_floats (&part, &(Tensor){ key_names[i], GOLDEN_HEADS });
    g_autofree gfloat *values = reference_floats (&part, &(Tensor){ value_names[i], GOLDEN_HEADS });
    gsize count;
    gpointer to = golden_run_buffer (run, key, &count);
    memcpy (to, keys, count * sizeof (gfloat));
    memcpy (golden_run_buffer (run, value, NULL), values, count * sizeof (gfloat));
  }
  t = reference (&part, "caption_cosines"); /* [T,V] */
  cosines = upi_safetensor_read (t, NULL);
  ids = upi_safetensor_read_i32 (reference (&part, "caption_ids"), NULL);
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
unit_rows (const Network *n, const gchar *name, gsize width, gsize *rows)
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
check_independent (const Network *n, UpiSpread spread, const gchar *things, const gchar *name)
{
  gsize width = (gsize) n->model->config->decoder.width, n_things, n_sentences;
  g_autofree gfloat *x = unit_rows (n, things, width, &n_things);
  g_autofree gfloat *sentences = unit_rows (n, "sentences", width, &n_sentences);
  const UpiSafetensor *t = upi_safetensors_find (n->golden, name);
  g_autofree gfloat *expected = NULL;
  gsize rows;

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
      g_assert_cmpfloat_with_epsilon (
          upi_model_probability (n->model, spread, standing, (gfloat) cosine), expected[i * n_sentences + s], 1e-5);
    }
  }
}

static void
test_independent (gconstpointer data)
{
  Network *n = (Network *) data;

  open_network (n);
  check_independent (n, UPI_SPREAD_IMAGE, "image_spe", "independent_image");
  check_independent (n, UPI_SPREAD_REGIONS, "decoded", "independent_regions");
}

static int
write_network (const gchar *name, const gchar *directory)
{
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

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) cases = g_ptr_array_new_with_free_func (g_free);
  int status;

  if (argc == 4 && g_str_equal (argv[1], "--write"))
    return write_network (argv[2], argv[3]);
  g_test_init (&argc, &argv, NULL);
  for (guint n = 0; n < G_N_ELEMENTS (networks); n++) {
    for (guint k = 0; k < G_N_ELEMENTS (backends); k++) {
      if (!golden_wants (backends[k].name))
        continue;
      for (guint i = 0; i <= G_N_ELEMENTS (parts); i++) {
        gboolean caption = i == G_N_ELEMENTS (parts);
        g_autofree gchar *path = g_strdup_printf (
            "/golden/%s/%s/%s", networks[n].name, backends[k].name, caption ? "caption" : parts[i].name);
        Case *c;
        if (!caption && parts[i].second && !networks[n].second)
          continue;
        c = g_new (Case, 1);
        *c = (Case){ &networks[n], k, i };
        g_ptr_array_add (cases, c);
        g_test_add_data_func (path, c, caption ? test_caption : test_part);
      }
    }
  }
  for (guint n = 0; n < G_N_ELEMENTS (networks); n++) {
    g_autofree gchar *path = g_strdup_printf ("/golden/%s/independent", networks[n].name);
    if (networks[n].second)
      g_test_add_data_func (path, &networks[n], test_independent);
  }
  golden_skip_missing ("/golden");
  status = g_test_run ();
  for (guint n = 0; n < G_N_ELEMENTS (networks); n++)
    close_network (&networks[n]);
  return status;
}
