/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bundled model end to end against the PyTorch reference, on two generated pictures: every part's samples, the
 * queries that are chosen, the same objects with the same labels and boxes, the same greedy caption word for word, the
 * same embeddings of texts.
 *
 * tests/golden/nano.json and nano-detections.json come from models/reference/golden.py and golden_detections.py; they
 * belong to the weights.
 */
#include "tests/core/network/golden-nano.h"

#include "core/model/model-private.h"

#include <math.h>
#include <string.h>

GoldenNano golden_nano;
const GoldenBackend golden_nano_backends[3] = { { "ref", 1e-9 }, { "cpu", 1e-7 }, { "cuda", 1e-7 } };
static gfloat *labels; /* [C,D] embeddings of the model's own labels, made once */

static JsonObject *
part_of (JsonObject *owner, const gchar *name)
{
  JsonArray *parts = json_object_get_array_member (owner, "parts");

  for (guint i = 0; i < json_array_get_length (parts); i++) {
    JsonObject *part = json_array_get_object_element (parts, i);
    if (g_str_equal (json_object_get_string_member (part, "name"), name))
      return part;
  }
  g_error ("the golden file has no part %s", name);
}

/* ours holds the reference's elements from `first` on, in our layout: rows that nobody reads are not computed. */
static void
check_samples (JsonObject *owner, const gchar *name, GoldenLayout layout, const gfloat *ours, gsize count,
    gdouble scale, gdouble tolerance)
{
  JsonObject *part = part_of (owner, name);
  JsonArray *dims = json_object_get_array_member (part, "shape"),
            *values = json_object_get_array_member (part, "values");
  gint64 shape[4] = { 0 }, stride = json_object_get_int_member (part, "stride");
  gsize total = 1, first, n = 0;
  g_autofree gfloat *a = g_new (gfloat, json_array_get_length (values)),
                    *b = g_new (gfloat, json_array_get_length (values));

  for (guint i = 0; i < json_array_get_length (dims); i++) {
    shape[i] = json_array_get_int_element (dims, i);
    total *= shape[i];
  }
  g_assert_cmpuint (count, <=, total);
  first = total - count;
  for (guint i = 0; i < json_array_get_length (values); i++) {
    gsize flat = i * stride;
    if (flat < first)
      continue;
    a[n] = (gfloat) (ours[golden_index (layout, shape, flat) - first] * scale);
    b[n++] = (gfloat) json_array_get_double_element (values, i);
  }
  g_assert_cmpuint (n, >, 0);
  golden_check (name, golden_nmse (a, b, n), tolerance);
  if (first == 0) { /* what lies between the samples */
    gdouble norm = json_object_get_double_member (part, "norm"), found = 0;
    for (gsize i = 0; i < count; i++)
      found += (gdouble) ours[i] * scale * ours[i] * scale;
    g_assert_cmpfloat (fabs (sqrt (found) - norm), <=, sqrt (tolerance) * norm);
  }
}

void
golden_picture_draw (gfloat *out, gint width, gint height)
{
  const UpiConfig *config = upi_model_config (golden_nano.model);

  for (gint y = 0; y < height; y++) {
    for (gint x = 0; x < width; x++) {
      gint dx = x - width / 3, dy = y - height / 2, left = 2 * width / 3;
      for (gint c = 0; c < 3; c++) {
        gint v = (x * (3 + c) + y * (5 - c)) % 256;
        if (dx * dx + dy * dy < (height / 4) * (height / 4))
          v = 200 - 60 * c;
        if (x >= left && x < left + width / 6 && y >= height / 4 && y < 3 * height / 4)
          v = 30 + 80 * c;
        v = (v + (x * 7919 + y * 104729 + c * 1299709) % 31) % 256;
        *out++ = (v / 255.0f - config->input.mean[c]) / config->input.std[c];
      }
    }
  }
}

static GoldenRun *
run_image (const GoldenPicture *p, gboolean given)
{
  GError *error = NULL;
  const UpiBackend *backend = upi_backend_find (golden_nano_backends[p->backend].name, NULL);
  UpiProgram *program = upi_image_program (
      golden_nano.model, 1, (guint) p->width, (guint) p->height, backend->strip_bytes, TRUE, given, &error);
  GoldenRun *run;

  g_assert_no_error (error);
  run = golden_run_new (backend, program);
  golden_picture_draw (golden_run_buffer (run, "image", NULL), p->width, p->height);
  if (given) {
    JsonArray *index = json_object_get_array_member (part_of (p->json, "index"), "values");
    gint32 *to = golden_run_buffer (run, "given_index", NULL);
    g_assert_cmpint (json_array_get_length (index), ==, upi_model_config (golden_nano.model)->query.count);
    for (guint i = 0; i < json_array_get_length (index); i++)
      to[i] = (gint32) json_array_get_int_element (index, i);
  }
  golden_run (run);
  return run;
}

static void
check_part (const GoldenPicture *p, const gchar *output, const gchar *name, GoldenLayout layout)
{
  gsize count;
  const gfloat *ours = golden_run_buffer (p->given, output, &count);

  check_samples (p->json, name, layout, ours, count, 1, golden_nano_backends[p->backend].tolerance);
}

/* Every part with the reference's queries, so that rows correspond. */
static void
test_parts (gconstpointer data)
{
  GoldenPicture *p = (GoldenPicture *) data;
  const UpiConfig *config = upi_model_config (golden_nano.model);
  g_autofree gchar *semantic = g_strdup_printf ("q_sem_%d", config->region_decoder.layers);
  g_autofree gchar *box = g_strdup_printf ("q_box_%d", config->region_decoder.layers);

  p->given = run_image (p, TRUE);
  check_part (p, "image", "input", GOLDEN_MAP);
  for (gint i = 2; i <= 5; i++) {
    g_autofree gchar *name = g_strdup_printf ("C%d", i);
    check_part (p, name, name, GOLDEN_MAP);
  }
  for (gint l = 1; l <= config->levels; l++) {
    g_autofree gchar *name = g_strdup_printf ("F_%d", l);
    check_part (p, name, name, GOLDEN_MAP);
  }
  check_part (p, "memory", "memory", GOLDEN_ROWS);
  check_part (p, "scores", "scores", GOLDEN_ROWS);
  check_part (p, "box_0", "box_0", GOLDEN_ROWS);
  check_part (p, "content", "content", GOLDEN_ROWS);
  check_part (p, "q_sem", semantic, GOLDEN_ROWS);
  check_part (p, "boxes", box, GOLDEN_ROWS);
  check_part (p, "foreground", "foreground", GOLDEN_ROWS);
  check_part (p, "mask_features", "mask_features", GOLDEN_MAP);
  check_part (p, "mask_embed", "mask_embed", GOLDEN_ROWS);
  check_part (p, "looks", "looks", GOLDEN_ROWS);
  check_part (p, "q_proposal", "q_proposal", GOLDEN_ROWS);
  check_part (p, "g_flat", "g_flat", GOLDEN_ROWS);
  if (config->global.pools == 1)
    check_part (p, "pool_0", "pools", GOLDEN_ROWS);
  check_part (p, "decoded_regions", "decoded", GOLDEN_ROWS);
  check_part (p, "image_spe", "image_spe", GOLDEN_ROWS);
  for (gint i = 0; i < config->decoder.layers; i++) {
    g_autofree gchar *keys = g_strdup_printf ("keys.%d", i), *key = g_strdup_printf ("key_%d", i);
    g_autofree gchar *values = g_strdup_printf ("values.%d", i), *value = g_strdup_printf ("value_%d", i);
    check_part (p, keys, key, GOLDEN_HEADS);
    check_part (p, values, value, GOLDEN_HEADS);
  }
  g_clear_pointer (&p->given, golden_run_free);
}

/* The queries we choose ourselves: the reference's, but where scores nearly tie. */
static void
test_selection (gconstpointer data)
{
  GoldenPicture *p = (GoldenPicture *) data;
  JsonArray *index = json_object_get_array_member (part_of (p->json, "index"), "values");
  guint n = json_array_get_length (index);
  g_autofree gint32 *expected = g_new (gint32, n);
  gsize count;
  const gint32 *found;

  p->free = run_image (p, FALSE);
  found = golden_run_buffer (p->free, "index", &count);
  g_assert_cmpuint (count, ==, n);
  for (guint i = 0; i < n; i++)
    expected[i] = (gint32) json_array_get_int_element (index, i);
  golden_check_index (found, expected, n, golden_run_buffer (p->free, "scores", NULL));
}

/* <SPE> of a text, L2-normalised: in a program with room for three more tokens than the text has. */
static void
encode_text (guint backend, const gchar *text, gfloat *embedding)
{
  g_autoptr (GArray) ids = upi_tokenizer_encode (golden_nano.tokenizer, text, 0);
  GError *error = NULL;
  UpiProgram *program = upi_model_text_program (golden_nano.model, ids->len + 3, &error);
  g_autoptr (GoldenRun) run = NULL;
  gsize count;
  gconstpointer out;

  g_assert_no_error (error);
  run = golden_run_new (upi_backend_find (golden_nano_backends[backend].name, NULL), program);
  memcpy (golden_run_buffer (run, "ids", NULL), ids->data, ids->len * sizeof (gint32));
  *(gint32 *) golden_run_buffer (run, "length", NULL) = (gint32) ids->len;
  golden_run (run);
  out = golden_run_buffer (run, "embedding", &count);
  memcpy (embedding, out, count * sizeof (gfloat));
}

static void
test_texts (gconstpointer data)
{
  guint backend = GPOINTER_TO_UINT (data), width = upi_model_config (golden_nano.model)->decoder.width;
  JsonArray *texts = json_object_get_array_member (golden_nano.golden, "texts");
  g_autofree gfloat *embedding = g_new (gfloat, width);

  for (guint i = 0; i < json_array_get_length (texts); i++) {
    JsonObject *text = json_array_get_object_element (texts, i);
    encode_text (backend, json_object_get_string_member (text, "text"), embedding);
    check_samples (text, "text_spe", GOLDEN_ROWS, embedding, width,
        json_object_get_double_member (part_of (text, "text_spe"), "norm"), golden_nano_backends[backend].tolerance);
  }
}

static void
encode_labels (void)
{
  const UpiConfig *config = upi_model_config (golden_nano.model);
  guint n = g_strv_length (config->labels);

  if (labels != NULL)
    return;
  labels = g_new (gfloat, n * config->decoder.width);
  for (guint i = 0; i < n; i++)
    encode_text (1, config->labels[i], labels + i * config->decoder.width);
}

static void
test_objects (gconstpointer data)
{
  GoldenPicture *p = (GoldenPicture *) data;
  const UpiConfig *config = upi_model_config (golden_nano.model);
  JsonObject *image =
      json_array_get_object_element (json_object_get_array_member (golden_nano.detections, "images"), p->image);
  JsonArray *objects = json_object_get_array_member (image, "objects");
  guint n_labels = g_strv_length (config->labels), width = config->decoder.width;
  const gint32 *index;
  const gfloat *regions, *boxes, *evidence;

  encode_labels ();
  if (p->free == NULL)
    p->free = run_image (p, FALSE);
  index = golden_run_buffer (p->free, "index", NULL);
  regions = golden_run_buffer (p->free, "regions", NULL);
  boxes = golden_run_buffer (p->free, "boxes", NULL);
  evidence = config->has_evidence ? golden_run_buffer (p->free, "evidence", NULL)
                                  : NULL; /* [N, K]: of the model's own labels */
  g_assert_cmpint (json_object_get_int_member (image, "width"), ==, p->width);
  g_assert_cmpuint (json_array_get_length (objects), >, 0);
  for (guint i = 0; i < json_array_get_length (objects); i++) {
    JsonObject *object = json_array_get_object_element (objects, i);
    JsonArray *box = json_object_get_array_member (object, "box");
    gint query = -1, best = -1;
    gdouble best_logit = -G_MAXDOUBLE;

    for (gint q = 0; q < config->query.count; q++)
      if (index[q] == json_object_get_int_member (object, "token"))
        query = q;
    g_assert_cmpint (query, >=, 0);
    for (guint l = 0; l < n_labels; l++) {
      gdouble cosine = 0, logit;
      for (guint k = 0; k < width; k++)
        cosine += (gdouble) regions[query * width + k] * labels[l * width + k];
      if (evidence != NULL) /* of which own labels take all */
        cosine *= 1 - config->tasks.detection.trust;
      logit = cosine / config->tasks.detection.temperature + config->tasks.detection.bias;
      if (evidence != NULL)
        logit += evidence[(guint) query * n_labels + l];
      if (logit > best_logit) {
        best_logit = logit;
        best = (gint) l;
      }
    }
    g_assert_cmpstr (config->labels[best], ==, json_object_get_string_member (object, "label"));
    g_assert_cmpfloat_with_epsilon (1 / (1 + exp (-best_logit)), json_object_get_double_member (object, "score"), 1e-3);
    for (guint k = 0; k < 4; k++)
      g_assert_cmpfloat_with_epsilon (boxes[query * 4 + k], json_array_get_double_element (box, k), 1e-3);
  }
}

static void
test_caption (gconstpointer data)
{
  GoldenPicture *p = (GoldenPicture *) data;
  const UpiConfig *config = upi_model_config (golden_nano.model);
  guint limit = config->caption.max_tokens, vocabulary = upi_model_vocabulary_size (golden_nano.model);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_autofree gfloat *cosines = g_new0 (gfloat, (gsize) (limit + 1) * vocabulary);
  g_autofree gchar *text = NULL;
  GError *error = NULL;
  UpiProgram *program = upi_model_caption_program (
      golden_nano.model, upi_model_image_tokens (golden_nano.model, p->width, p->height), limit + 1, &error);
  g_autoptr (GoldenRun) run = NULL;
  JsonArray *expected = json_object_get_array_member (p->json, "caption_ids");
  gint32 id = upi_tokenizer_start_id (golden_nano.tokenizer);

  g_assert_no_error (error);
  run = golden_run_new (upi_backend_find (golden_nano_backends[p->backend].name, NULL), program);
  if (p->free == NULL)
    p->free = run_image (p, FALSE);
  for (gint i = 0; i < 2 * config->decoder.layers; i++) {
    g_autofree gchar *name = g_strdup_printf ("%s.%d", i % 2 ? "values" : "keys", i / 2);
    golden_run_bind (run, name, golden_run_buffer (p->free, name, NULL));
  }
  /* one step more than words, as the reference's teacher-forced run has */
  for (gint step = 0; step <= (gint) json_array_get_length (expected); step++) {
    const gfloat *scores = golden_run_buffer (run, "scores", NULL);
    guint best = 0;
    *(gint32 *) golden_run_buffer (run, "id", NULL) = id;
    *(gint32 *) golden_run_buffer (run, "position", NULL) = step;
    *(gint32 *) golden_run_buffer (run, "text_length", NULL) = step + 1;
    golden_run (run);
    for (guint v = 0; v < vocabulary; v++) {
      cosines[step * vocabulary + v] = scores[v] * config->tasks.captioning.temperature;
      if (scores[v] > scores[best])
        best = v;
    }
    id = upi_model_caption_token_ids (golden_nano.model)[best];
    if (step < (gint) json_array_get_length (expected)) {
      g_assert_cmpint (id, ==, json_array_get_int_element (expected, step));
      g_array_append_val (ids, id);
    }
  }
  if (ids->len < limit) /* it ended by itself */
    g_assert_cmpint (id, ==, upi_tokenizer_end_id (golden_nano.tokenizer));
  text = upi_tokenizer_sentence (golden_nano.tokenizer, (const gint32 *) (gpointer) ids->data, ids->len);
  g_assert_cmpstr (text, ==, json_object_get_string_member (p->json, "caption"));
  check_samples (p->json, "caption_cosines", GOLDEN_ROWS, cosines, (gsize) (ids->len + 1) * vocabulary, 1,
      golden_nano_backends[p->backend].tolerance);
}

static void
skip (gconstpointer why)
{
  g_test_skip (why);
}

/* The image side's cost, counted as issue and model card do: attention products and sampling included. */
static void
test_cost (void)
{
  const guint *size = upi_model_config (golden_nano.model)->input.sizes[0];
  GError *error = NULL;
  g_autoptr (UpiProgram) program = upi_model_image_program (golden_nano.model, 1, size[0], size[1], FALSE, &error);

  g_assert_no_error (error);
  g_test_message ("%u×%u: %.4f GMAC", size[0], size[1], upi_program_macs (program) / 1e9);
  g_assert_cmpuint (upi_program_macs (program), >, 1000000000);
  g_assert_cmpuint (upi_program_macs (program), <=, 1600000000);
}

static JsonObject *
read_json (JsonParser *parser, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (g_getenv ("UPI_TEST_GOLDEN"), name, NULL);
  GError *error = NULL;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_node_get_object (json_parser_get_root (parser));
}

static void
add_tests (GPtrArray *pictures)
{
  JsonArray *images = json_object_get_array_member (golden_nano.golden, "images");

  g_test_add_func ("/golden-nano/cost", test_cost);
  for (guint k = 0; k < G_N_ELEMENTS (golden_nano_backends); k++) {
    g_autofree gchar *texts = g_strdup_printf ("/golden-nano/%s/texts", golden_nano_backends[k].name);
    if (!golden_wants (golden_nano_backends[k].name))
      continue;
    g_test_add_data_func (texts, GUINT_TO_POINTER (k), test_texts);
    for (guint i = 0; i < json_array_get_length (images); i++) {
      static const struct {
        const gchar *name;
        GTestDataFunc func;
      } tests[] = { { "parts", test_parts }, { "selection", test_selection }, { "objects", test_objects },
        { "caption", test_caption } };
      GoldenPicture *p = g_new0 (GoldenPicture, 1);
      p->backend = k;
      p->image = (gint) i;
      p->json = json_array_get_object_element (images, i);
      p->width = (gint) json_object_get_int_member (p->json, "width");
      p->height = (gint) json_object_get_int_member (p->json, "height");
      g_ptr_array_add (pictures, p);
      if (!g_str_equal (golden_nano_backends[k].name, "ref")
          && json_array_get_length (json_object_get_array_member (p->json, "grounded")) > 0) { /* ref: half a minute */
        g_autofree gchar *path =
            g_strdup_printf ("/golden-nano/%s/picture-%u/grounded", golden_nano_backends[k].name, i);
        g_test_add_data_func (path, p, golden_nano_grounded);
      }
      if (!g_str_equal (golden_nano_backends[k].name, "ref") && upi_model_config (golden_nano.model)->has_calibration) {
        g_autofree gchar *path =
            g_strdup_printf ("/golden-nano/%s/picture-%u/independent", golden_nano_backends[k].name, i);
        g_test_add_data_func (path, p, golden_nano_independent);
      }
      for (guint t = 0; t < G_N_ELEMENTS (tests); t++) {
        g_autofree gchar *path =
            g_strdup_printf ("/golden-nano/%s/picture-%u/%s", golden_nano_backends[k].name, i, tests[t].name);
        g_test_add_data_func (path, p, tests[t].func);
      }
    }
  }
}

static void
picture_free (gpointer data)
{
  GoldenPicture *p = data;

  golden_run_free (p->free);
  g_free (p);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (picture_free);
  g_autoptr (JsonParser) parser = json_parser_new (), detections_parser = json_parser_new ();
  const gchar *directory = g_getenv ("UPI_TEST_NANO");
  g_autofree gchar *weights = g_build_filename (directory, "model.safetensors", NULL);
  GError *error = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  if (!g_file_test (weights, G_FILE_TEST_EXISTS)) {
    g_test_add_data_func ("/golden-nano", "models/nano has no weights", skip);
    return g_test_run ();
  }
  golden_nano.golden = read_json (parser, "nano.json");
  golden_nano.detections = read_json (detections_parser, "nano-detections.json");
  golden_nano.model = upi_model_open (directory, &error);
  g_assert_no_error (error);
  golden_nano.tokenizer = upi_tokenizer_open (directory, upi_model_config (golden_nano.model)->text.tokenizer,
      upi_model_config (golden_nano.model)->text.lower_case, &error);
  g_assert_no_error (error);
  add_tests (pictures);
  golden_skip_missing ("/golden-nano/cuda");
  status = g_test_run ();
  g_clear_pointer (&pictures, g_ptr_array_unref);
  g_free (labels);
  upi_tokenizer_free (golden_nano.tokenizer);
  upi_model_unref (golden_nano.model);
  return status;
}
