/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The safetensors container, read as untrusted bytes and written for tests. */
#include "core/json-border.h"
#include "core/memory.h"
#include "core/model/safetensors.h"

#include "core/model/half.h"
#include "core/upi.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#if G_BYTE_ORDER == G_BIG_ENDIAN
#error "tensors are little-endian and are read in place"
#endif

#define MAX_HEADER 100000000 /* bytes, the format's own limit */

const gchar *const upi_tensor_type_names[] = { "F32", "F16", "BF16", "I32", "I64" };
static const guint type_bytes[] = { 4, 2, 2, 4, 8 };

struct _UpiSafetensors {
  gchar *name;
  GBytes *bytes;
  GArray *tensors;    /* UpiSafetensor */
  GHashTable *index;  /* name → index + 1 */
  JsonParser *header; /* owns the names */
};

G_GNUC_PRINTF (3, 4)
static gboolean
refuse (GError **error, const gchar *file, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *what = NULL;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: %s", file, what);
  return FALSE;
}

static gboolean
read_type (JsonNode *node, UpiTensorType *type)
{
  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (type_bytes); i++) {
    if (g_str_equal (json_node_get_string (node), upi_tensor_type_names[i])) {
      *type = i;
      return TRUE;
    }
  }
  return FALSE;
}

/* Non-negative integers of an array. */
static gboolean
read_sizes (JsonNode *node, guint most, guint64 *values, guint *n)
{
  JsonArray *array;

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  *n = json_array_get_length (array);
  if (*n > most)
    return FALSE;
  for (guint i = 0; i < *n; i++) {
    JsonNode *item = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (item) || json_node_get_value_type (item) != G_TYPE_INT64
        || json_node_get_int (item) < 0)
      return FALSE;
    values[i] = (guint64) json_node_get_int (item);
  }
  return TRUE;
}

/* One entry: {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}; size is the length of the data section. */
static gboolean
read_entry (const gchar *file, const gchar *name, JsonNode *node, const guint8 *data, gsize size, UpiSafetensor *tensor,
    GError **error)
{
  JsonObject *object;
  guint64 offsets[2], count = 1;
  guint n = 0;

  tensor->file = file;
  tensor->name = name;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return refuse (error, file, "tensor %s: its header entry is no object", name);
  object = json_node_get_object (node);
  if (!read_type (json_object_get_member (object, "dtype"), &tensor->type))
    return refuse (error, file, "tensor %s: dtype is not one of F32, F16, BF16, I32, I64", name);
  if (!read_sizes (json_object_get_member (object, "shape"), UPI_SAFETENSORS_MAX_RANK, tensor->dim, &tensor->rank))
    return refuse (error, file, "tensor %s: shape is not a list of at most %u sizes", name, UPI_SAFETENSORS_MAX_RANK);
  if (!read_sizes (json_object_get_member (object, "data_offsets"), 2, offsets, &n) || n != 2)
    return refuse (error, file, "tensor %s: data_offsets is not a pair of offsets", name);
  for (guint i = 0; i < tensor->rank; i++)
    if (!g_uint64_checked_mul (&count, count, tensor->dim[i]))
      return refuse (error, file, "tensor %s: its shape has more elements than can be counted", name);
  if (offsets[0] > offsets[1] || offsets[1] > size)
    return refuse (error, file,
        "tensor %s: lies at %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT ", but the file has %" G_GSIZE_FORMAT
        " bytes of data",
        name, offsets[0], offsets[1], size);
  if (count > size || offsets[1] - offsets[0] != count * type_bytes[tensor->type])
    return refuse (error, file,
        "tensor %s: has %" G_GUINT64_FORMAT " bytes, but its shape says %" G_GUINT64_FORMAT " elements of %u bytes",
        name, offsets[1] - offsets[0], count, type_bytes[tensor->type]);
  tensor->count = count;
  tensor->data = data + offsets[0];
  return TRUE;
}

static gint
by_offset (gconstpointer a, gconstpointer b)
{
  const UpiSafetensor *x = a, *y = b;

  if (x->data != y->data)
    return x->data < y->data ? -1 : 1;
  return (x->count > y->count) - (x->count < y->count); /* empty ones first */
}

/* The format wants every byte to belong to exactly one tensor. */
static gboolean
check_layout (const UpiSafetensors *st, const guint8 *data, gsize size, GError **error)
{
  const guint8 *end = data;
  const gchar *before = "the header";

  for (guint i = 0; i < st->tensors->len; i++) {
    const UpiSafetensor *t = &g_array_index (st->tensors, UpiSafetensor, i);
    if (t->data < end)
      return refuse (error, st->name, "tensor %s: overlaps %s", t->name, before);
    if (t->data > end)
      return refuse (error, st->name, "tensor %s: %" G_GSIZE_FORMAT " bytes before it belong to no tensor", t->name,
          (gsize) (t->data - end));
    end = t->data + t->count * type_bytes[t->type];
    before = t->name;
  }
  if ((gsize) (end - data) != size)
    return refuse (
        error, st->name, "%" G_GSIZE_FORMAT " bytes at the end belong to no tensor", size - (gsize) (end - data));
  return TRUE;
}

UpiSafetensors *
upi_safetensors_parse (GBytes *bytes, const gchar *file, GError **error)
{
  g_autoptr (UpiSafetensors) st = g_new0 (UpiSafetensors, 1);
  gsize size, data_size;
  const guint8 *start = g_bytes_get_data (bytes, &size), *data;
  guint64 header = 0;
  JsonObjectIter iter;
  const gchar *key;
  JsonNode *node;

  st->name = g_strdup (file);
  st->bytes = g_bytes_ref (bytes);
  st->tensors = g_array_new (FALSE, TRUE, sizeof (UpiSafetensor));
  st->index = g_hash_table_new (g_str_hash, g_str_equal);
  if (size < 8) {
    refuse (error, file, "has %" G_GSIZE_FORMAT " bytes, a safetensors file has at least 8", size);
    return NULL;
  }
  for (guint i = 0; i < 8; i++)
    header |= (guint64) start[i] << (8 * i);
  if (header > size - 8 || header > MAX_HEADER) {
    refuse (error, file,
        "its header says %" G_GUINT64_FORMAT " bytes, but %" G_GSIZE_FORMAT
        " follow (limit %d): truncated, or no safetensors file",
        header, size - 8, MAX_HEADER);
    return NULL;
  }
  data = start + 8 + header;
  data_size = size - 8 - header;
  st->header = upi_json_parse ((const gchar *) start + 8, header, 4, file, "a JSON object", error);
  if (st->header == NULL)
    return NULL;
  json_object_iter_init (&iter, json_node_get_object (json_parser_get_root (st->header)));
  while (json_object_iter_next (&iter, &key, &node)) {
    UpiSafetensor tensor = { 0 };
    if (g_str_equal (key, "__metadata__"))
      continue;
    if (!read_entry (st->name, key, node, data, data_size, &tensor, error))
      return NULL;
    g_array_append_val (st->tensors, tensor);
  }
  g_array_sort (st->tensors, by_offset);
  if (!check_layout (st, data, data_size, error))
    return NULL;
  for (guint i = 0; i < st->tensors->len; i++)
    g_hash_table_insert (
        st->index, (gpointer) g_array_index (st->tensors, UpiSafetensor, i).name, GUINT_TO_POINTER (i + 1));
  return g_steal_pointer (&st);
}

UpiSafetensors *
upi_safetensors_open (const gchar *path, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (GMappedFile) mapped = g_mapped_file_new (path, FALSE, &cause);
  g_autoptr (GBytes) bytes = NULL;
  UpiSafetensors *st;

  if (mapped == NULL) {
    refuse (error, path, "%s", cause->message);
    return NULL;
  }
  bytes = g_mapped_file_get_bytes (mapped);
  st = upi_safetensors_parse (bytes, path, error);
  for (guint i = 0; st != NULL && i < st->tensors->len; i++)
    g_array_index (st->tensors, UpiSafetensor, i).mapped = TRUE;
  return st;
}

void
upi_safetensors_free (UpiSafetensors *st)
{
  if (st == NULL)
    return;
  g_clear_pointer (&st->index, g_hash_table_unref);
  g_clear_pointer (&st->tensors, g_array_unref);
  g_clear_object (&st->header);
  g_clear_pointer (&st->bytes, g_bytes_unref);
  g_free (st->name);
  g_free (st);
}

guint
upi_safetensors_count (const UpiSafetensors *st)
{
  return st->tensors->len;
}

const UpiSafetensor *
upi_safetensors_nth (const UpiSafetensors *st, guint index)
{
  return &g_array_index (st->tensors, UpiSafetensor, index);
}

const UpiSafetensor *
upi_safetensors_find (const UpiSafetensors *st, const gchar *name)
{
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (st->index, name));

  return index ? upi_safetensors_nth (st, index - 1) : NULL;
}

static gboolean
check_finite (const UpiSafetensor *t, const gfloat *values, GError **error)
{
  gsize at = upi_first_not_finite (values, t->count);

  if (at == t->count)
    return TRUE;
  return refuse (error, t->file, "tensor %s: element %" G_GSIZE_FORMAT " is %g, expected a finite number", t->name, at,
      (gdouble) values[at]);
}

/* Whole pages inside the tensor leave memory; they come back from the file if anyone reads them again. */
static void
forget_pages (const UpiSafetensor *t)
{
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE);
  guintptr from = ((guintptr) t->data + page - 1) & ~(page - 1);
  guintptr to = ((guintptr) t->data + t->count * type_bytes[t->type]) & ~(page - 1);

  if (t->mapped && to > from)
    madvise ((void *) from, to - from, MADV_DONTNEED);
}

gfloat *
upi_safetensor_read (const UpiSafetensor *t, GError **error)
{
  g_autofree gfloat *values = NULL;

  if (t->type == UPI_TENSOR_I32 || t->type == UPI_TENSOR_I64) {
    refuse (error, t->file, "tensor %s: is %s, expected floating point", t->name, upi_tensor_type_names[t->type]);
    return NULL;
  }
  values = UPI_MEMORY_NEW (gfloat, t->count, t->name, error);
  if (values == NULL) {
    g_prefix_error (error, "%s: tensor ", t->file);
    return NULL;
  }
  if (t->type == UPI_TENSOR_F16)
    upi_convert_f16 (values, t->data, t->count);
  else if (t->type == UPI_TENSOR_BF16)
    upi_convert_bf16 (values, t->data, t->count);
  else
    memcpy (values, t->data, t->count * 4);
  forget_pages (t);
  return check_finite (t, values, error) ? g_steal_pointer (&values) : NULL;
}

gboolean
upi_safetensor_is_ready (const UpiSafetensor *t)
{
  return t->type == UPI_TENSOR_F32 && (guintptr) t->data % sizeof (gfloat) == 0;
}

const gfloat *
upi_safetensor_view (const UpiSafetensor *t, GError **error)
{
  const gfloat *values = (const gfloat *) (gconstpointer) t->data;

  if (!upi_safetensor_is_ready (t))
    return NULL;
  return check_finite (t, values, error) ? values : NULL;
}

gint32 *
upi_safetensor_read_i32 (const UpiSafetensor *t, GError **error)
{
  g_autofree gint32 *values = NULL;

  if (t->type != UPI_TENSOR_I32 && t->type != UPI_TENSOR_I64) {
    refuse (error, t->file, "tensor %s: is %s, expected integers", t->name, upi_tensor_type_names[t->type]);
    return NULL;
  }
  values = UPI_MEMORY_NEW (gint32, t->count, t->name, error);
  if (values == NULL)
    return NULL;
  for (gsize i = 0; i < t->count; i++) {
    if (t->type == UPI_TENSOR_I32) {
      memcpy (values + i, t->data + 4 * i, 4);
    } else {
      gint64 wide;
      memcpy (&wide, t->data + 8 * i, 8);
      if (wide < G_MININT32 || wide > G_MAXINT32) {
        refuse (error, t->file, "tensor %s: element %" G_GSIZE_FORMAT " is %" G_GINT64_FORMAT ", expected 32 bits",
            t->name, i, wide);
        return NULL;
      }
      values[i] = (gint32) wide;
    }
  }
  return g_steal_pointer (&values);
}

static gsize
out_count (const UpiSafetensorOut *t)
{
  gsize count = 1;

  for (guint i = 0; i < t->rank; i++)
    count *= t->dim[i];
  return count;
}

static GString *
write_header (const UpiSafetensorOut *tensors, guint n_tensors)
{
  GString *header = g_string_new ("{");
  gsize offset = 0;

  for (guint i = 0; i < n_tensors; i++) {
    const UpiSafetensorOut *t = tensors + i;
    gsize bytes = out_count (t) * type_bytes[t->type];
    g_string_append_printf (
        header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", t->name, upi_tensor_type_names[t->type]);
    for (guint k = 0; k < t->rank; k++)
      g_string_append_printf (header, "%s%" G_GUINT64_FORMAT, k ? "," : "", t->dim[k]);
    g_string_append_printf (
        header, "],\"data_offsets\":[%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT "]}", offset, offset + bytes);
    offset += bytes;
  }
  g_string_append_c (header, '}');
  while (header->len % 8 != 0)
    g_string_append_c (header, ' ');
  return header;
}

static gboolean
write_tensor (FILE *file, const UpiSafetensorOut *t)
{
  gsize count = out_count (t);

  if (t->type != UPI_TENSOR_F16)
    return fwrite (t->data, type_bytes[t->type], count, file) == count;
  for (gsize i = 0; i < count; i++) {
    guint16 half = upi_float_to_half (((const gfloat *) t->data)[i]);
    if (fwrite (&half, 2, 1, file) != 1)
      return FALSE;
  }
  return TRUE;
}

gboolean
upi_safetensors_write (const gchar *path, const UpiSafetensorOut *tensors, guint n_tensors, GError **error)
{
  g_autoptr (GString) header = write_header (tensors, n_tensors);
  guint64 length = GUINT64_TO_LE ((guint64) header->len);
  FILE *file = g_fopen (path, "wb");
  gboolean ok;

  if (file == NULL)
    return refuse (error, path, "cannot be written: %s", g_strerror (errno));
  ok = fwrite (&length, 8, 1, file) == 1 && fwrite (header->str, 1, header->len, file) == header->len;
  for (guint i = 0; ok && i < n_tensors; i++)
    ok = write_tensor (file, tensors + i);
  if (fclose (file) != 0 || !ok)
    return refuse (error, path, "cannot be written: %s", g_strerror (errno));
  return TRUE;
}
