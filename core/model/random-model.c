/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Model directories with random weights: small models for tests, fuzz seeds, sizes nobody has trained. Deterministic: a
 * tensor's numbers depend on the seed and its name alone. Weights are scaled by their fan-in, so that activations stay
 * near one. */
#include "core/model/model.h"
#include "core/model/safetensors.h"
#include "core/model/weights.h"
#include "core/upi.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define CANDIDATES 1000 /* of captioning, at most */

/* splitmix64 */
static guint64
next_random (guint64 *state)
{
  guint64 z = (*state += 0x9e3779b97f4a7c15u);

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Uniform in [-1, 1), exact in 23 bits so that every machine has the same. */
static gfloat
next_uniform (guint64 *state)
{
  return (gfloat) (next_random (state) >> 41) / (gfloat) (1 << 22) - 1;
}

static guint64
seed_of (const gchar *name, guint32 seed)
{
  guint64 hash = 0xcbf29ce484222325u ^ seed; /* FNV-1a */

  for (const gchar *c = name; *c; c++)
    hash = (hash ^ (guchar) *c) * 0x100000001b3u;
  return hash;
}

/* Centre and reach of a tensor's numbers, by what it is. */
static void
range_of (const UpiTensorSpec *spec, gfloat *centre, gfloat *reach)
{
  const gchar *name = spec->name;
  gsize fan_in = 1;

  *centre = 0;
  for (guint i = strstr (name, ".experts.") != NULL ? 2 : 1; i < spec->shape.rank; i++)
    fan_in *= spec->shape.dim[i];
  if (g_str_has_suffix (name, ".bias")) {
    *reach = strstr (name, "sampling_offsets") != NULL ? 2.0f /* pixels */ : 0.1f;
  } else if (spec->shape.rank == 1 && (strstr (name, "norm") != NULL || strstr (name, "LayerNorm") != NULL)) {
    *centre = 1;
    *reach = 0.2f;
  } else if (g_str_equal (name, "evidence.scale") || g_str_equal (name, "evidence.offset")
      || g_str_equal (name, "detector.scale") || g_str_equal (name, "detector.offset")) {
    *centre = 0.5f;
    *reach = 0.2f;
  } else if (g_str_has_prefix (name, "calibration.")) {
    *reach = 0.1f;
  } else if (spec->shape.rank == 1 || strstr (name, "embeddings") != NULL || g_str_equal (name, "level_embed")
      || g_str_equal (name, "query.content") || g_str_has_suffix (name, ".gate.weight")) {
    *reach = 1;
  } else {
    *reach = sqrtf (3.0f / fan_in) * (spec->shape.rank == 4 ? 1.4f : 1.0f);
    if (g_str_has_suffix (name, ".project.weight") || g_str_has_suffix (name, ".conv3.weight")
        || g_str_has_suffix (name, ".attn.proj.weight"))
      *reach *= 0.5f; /* ends of residual branches */
    if (g_str_has_suffix (name, ".pointwise.weight") && !g_str_has_prefix (name, "pixel_encoder."))
      *reach *= 1.6f; /* between hard swishes, which halve what is near 0 */
  }
}

/* (transfer full) */
static gpointer
random_tensor (const UpiTensorSpec *spec, guint32 seed)
{
  gsize count = upi_shape_count (&spec->shape);
  guint64 state = seed_of (spec->name, seed);
  gfloat *values, centre, reach;

  if (spec->dtype == UPI_I32) { /* caption.token_ids: the vocabulary's first tokens */
    gint32 *ids = g_new (gint32, count);
    for (gsize i = 0; i < count; i++)
      ids[i] = (gint32) i;
    return ids;
  }
  values = g_new (gfloat, count);
  range_of (spec, &centre, &reach);
  for (gsize i = 0; i < count; i++)
    values[i] = centre + reach * next_uniform (&state);
  if (g_str_has_suffix (
          spec->name, ".covariance")) { /* that of numbers of about 1/√D that depend on each other a little */
    gsize width = (gsize) spec->shape.dim[0];
    for (gsize i = 0; i < count; i++) {
      gsize row = i / width, column = i % width;
      gfloat value = values[i] / reach / (gfloat) width;
      if (row == column)
        values[i] = 1 / (gfloat) width + 0.5f * value;
      else
        values[i] = row < column ? 0.35f * value / sqrtf ((gfloat) width) : values[column * width + row];
    }
  }
  return values;
}

/* The text encoder is written as float16, the rest as float32: both ways of reading have their tests. */
static gboolean
write_tensors (const gchar *directory, const UpiConfig *config, gboolean text, guint32 seed, GError **error)
{
  g_autoptr (GArray) specs = upi_model_tensor_specs (config);
  g_autoptr (GPtrArray) data = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) out = g_array_new (FALSE, TRUE, sizeof (UpiSafetensorOut));
  g_autofree gchar *path = g_build_filename (directory, text ? "text_encoder.safetensors" : "model.safetensors", NULL);

  for (guint i = 0; i < specs->len; i++) {
    UpiTensorSpec *spec = &g_array_index (specs, UpiTensorSpec, i);
    UpiSafetensorOut tensor = { .name = spec->name, .type = spec->dtype == UPI_I32 ? UPI_TENSOR_I32 : UPI_TENSOR_F32 };
    if (g_str_has_prefix (spec->name, "text.") != text)
      continue;
    tensor.rank = spec->shape.rank;
    for (guint k = 0; k < tensor.rank; k++) {
      if (spec->shape.dim[k] == UPI_ANY_SIZE)
        spec->shape.dim[k] = MIN (config->text.vocabulary, CANDIDATES);
      tensor.dim[k] = (guint64) spec->shape.dim[k];
    }
    if (text)
      tensor.type = UPI_TENSOR_F16;
    tensor.data = random_tensor (spec, seed);
    g_ptr_array_add (data, (gpointer) tensor.data);
    g_array_append_val (out, tensor);
  }
  return upi_safetensors_write (path, (const UpiSafetensorOut *) (gpointer) out->data, out->len, error);
}

static const gchar *const words[] = { "the", "of", "and", "in", "on", "with", "is", "are", "at", "to", "an", "cat",
  "dog", "person", "car", "man", "woman", "street", "sitting", "standing", "red", "blue", "photo", "two", "##s",
  "##ing" };

static gboolean
write_text (const gchar *directory, const gchar *name, const gchar *text, GError **error)
{
  g_autofree gchar *path = g_build_filename (directory, name, NULL);

  return g_file_set_contents (path, text, -1, error);
}

/* vocab.txt: special tokens, punctuation, letters whole and as continuations, digits, a few words, fillers. */
static gboolean
write_wordpiece (const gchar *directory, const UpiConfig *config, GError **error)
{
  static const gchar *const first[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "!", "?", "'", "-" };
  g_autoptr (GPtrArray) tokens = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (first); i++)
    g_ptr_array_add (tokens, g_strdup (first[i]));
  for (gchar c = 'a'; c <= 'z'; c++) {
    g_ptr_array_add (tokens, g_strdup_printf ("%c", c));
    g_ptr_array_add (tokens, g_strdup_printf ("##%c", c));
  }
  for (gchar c = '0'; c <= '9'; c++)
    g_ptr_array_add (tokens, g_strdup_printf ("%c", c));
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    g_ptr_array_add (tokens, g_strdup (words[i]));
  for (gint i = 0; i < config->text.vocabulary; i++) {
    if (i < (gint) tokens->len)
      g_string_append_printf (text, "%s\n", (const gchar *) tokens->pdata[i]);
    else
      g_string_append_printf (text, "[unused%d]\n", i);
  }
  return write_text (directory, "vocab.txt", text->str, error);
}

/* The character that byte-level BPE writes a byte as: itself where it prints, else moved beyond U+0100 in order. */
static gunichar
byte_character (guint byte)
{
  guint moved = 0;

  for (guint b = 0; b <= byte; b++) {
    gboolean prints = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    if (b == byte)
      return prints ? b : 256 + moved;
    moved += !prints;
  }
  return byte;
}

static void
add_token (JsonBuilder *vocabulary, gint *n, const gchar *token)
{
  json_builder_set_member_name (vocabulary, token);
  json_builder_add_int_value (vocabulary, (*n)++);
}

/* vocab.json and merges.txt: special tokens, the 256 bytes, " c", "at", " cat". */
static gboolean
write_bpe (const gchar *directory, const UpiConfig *config, GError **error)
{
  static const gchar *const first[] = { "<s>", "<pad>", "</s>", "<unk>" };
  static const gchar *const merged[] = { "\304\240c", "at", "\304\240cat" };
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree gchar *text = NULL;
  gint n = 0, least = G_N_ELEMENTS (first) + 256 + G_N_ELEMENTS (merged) + 1;

  if (config->text.vocabulary < least) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "text.vocabulary is %d, a byte-level vocabulary has at least %d tokens", config->text.vocabulary, least);
    return FALSE;
  }
  json_builder_begin_object (builder);
  for (guint i = 0; i < G_N_ELEMENTS (first); i++)
    add_token (builder, &n, first[i]);
  for (guint b = 0; b < 256; b++) {
    gchar character[7] = { 0 };
    g_unichar_to_utf8 (byte_character (b), character);
    add_token (builder, &n, character);
  }
  for (guint i = 0; i < G_N_ELEMENTS (merged); i++)
    add_token (builder, &n, merged[i]);
  while (n + 1 < config->text.vocabulary) {
    g_autofree gchar *filler = g_strdup_printf ("<unused%d>", n);
    add_token (builder, &n, filler);
  }
  add_token (builder, &n, "<mask>");
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, FALSE);
  return write_text (directory, "vocab.json", text, error)
      && write_text (directory, "merges.txt", "#version: 0.2\n\304\240 c\na t\n\304\240c at\n", error);
}

gboolean
upi_model_write_random (const gchar *directory, const gchar *config_json, guint32 seed, GError **error)
{
  g_autoptr (UpiConfig) config = upi_config_parse (config_json, -1, "config.json", error);

  if (config == NULL)
    return FALSE;
  if (g_mkdir_with_parents (directory, 0755) != 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s: cannot be created: %s", directory, g_strerror (errno));
    return FALSE;
  }
  return write_text (directory, "config.json", config_json, error)
      && write_tensors (directory, config, FALSE, seed, error) && write_tensors (directory, config, TRUE, seed, error)
      && (config->text.tokenizer == UPI_TOKENIZER_BPE ? write_bpe : write_wordpiece) (directory, config, error);
}
