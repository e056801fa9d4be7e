/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The binding table between a model's files and the network. */
#include "core/model/weights.h"

#include "core/model/safetensors.h"
#include "core/upi.h"

#include <string.h>

typedef struct {
  UpiWeight weight; /* data NULL until loaded */
  const UpiSafetensor *source;
  gpointer owned; /* NULL where data lies in the mapping */
} Entry;

struct _UpiWeights {
  GPtrArray *files;  /* UpiSafetensors */
  GHashTable *table; /* name → Entry, owns the names */
  gsize bytes;
};

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->owned);
  g_free (entry);
}

void
upi_weights_free (UpiWeights *w)
{
  if (w == NULL)
    return;
  g_hash_table_unref (w->table);
  g_ptr_array_unref (w->files);
  g_free (w);
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

/* The *.safetensors of a directory, sorted by name. */
static gboolean
open_files (UpiWeights *w, const gchar *directory, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, error);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const gchar *name;

  if (dir == NULL)
    return FALSE;
  while (((name = g_dir_read_name (dir)) != NULL))
    if (g_str_has_suffix (name, ".safetensors"))
      g_ptr_array_add (names, g_build_filename (directory, name, NULL));
  g_ptr_array_sort (names, by_name);
  for (guint i = 0; i < names->len; i++) {
    UpiSafetensors *file = upi_safetensors_open (names->pdata[i], error);
    if (file == NULL)
      return FALSE;
    g_ptr_array_add (w->files, file);
  }
  if (names->len > 0)
    return TRUE;
  g_set_error (
      error, UPI_ERROR, UPI_ERROR_MODEL, "%s: has no *.safetensors files, which hold a model's weights", directory);
  return FALSE;
}

static void
append_shape (GString *text, const guint64 *dim, guint rank)
{
  g_string_append_c (text, '[');
  for (guint i = 0; i < rank; i++) {
    if (dim[i] == UPI_ANY_SIZE)
      g_string_append_printf (text, "%sany", i ? ", " : "");
    else
      g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i ? ", " : "", dim[i]);
  }
  g_string_append_c (text, ']');
}

/* What is wrong with a found tensor, appended to text; any is the size that UPI_ANY_SIZE turned out to be (0 = not
 * known yet). */
static gboolean
matches (const UpiTensorSpec *spec, const UpiSafetensor *found, guint64 *any, GString *text)
{
  guint64 wanted[UPI_MAX_RANK];
  gboolean integer = found->type == UPI_TENSOR_I32 || found->type == UPI_TENSOR_I64;
  gboolean ok = found->rank == spec->shape.rank && integer == (spec->dtype == UPI_I32);

  for (guint i = 0; i < spec->shape.rank; i++) {
    wanted[i] = (guint64) spec->shape.dim[i];
    if (wanted[i] == UPI_ANY_SIZE && *any == 0 && ok && found->dim[i] <= G_MAXINT32)
      *any = found->dim[i];
    if (wanted[i] == UPI_ANY_SIZE)
      wanted[i] = *any;
    ok = ok && found->dim[i] == wanted[i] && wanted[i] > 0;
  }
  if (ok)
    return TRUE;
  g_string_append_printf (text, "\n    %s: is %s ", spec->name, upi_tensor_type_names[found->type]);
  append_shape (text, found->dim, found->rank);
  g_string_append_printf (text, ", expected %s ", spec->dtype == UPI_I32 ? "integers" : "floating point");
  append_shape (text, wanted, spec->shape.rank);
  return FALSE;
}

static const UpiSafetensor *
find_in_files (const UpiWeights *w, const gchar *name)
{
  for (guint i = 0; i < w->files->len; i++) {
    const UpiSafetensor *found = upi_safetensors_find (w->files->pdata[i], name);
    if (found != NULL)
      return found;
  }
  return NULL;
}

static void
add_entry (UpiWeights *w, const UpiTensorSpec *spec, const UpiSafetensor *found)
{
  Entry *entry = g_new0 (Entry, 1);
  gchar *name = g_strdup (spec->name);

  entry->weight = (UpiWeight){ name, spec->dtype, spec->shape, NULL };
  for (guint i = 0; i < spec->shape.rank; i++)
    entry->weight.shape.dim[i] = (gint) found->dim[i];
  entry->source = found;
  g_hash_table_insert (w->table, name, entry);
}

/* The file's name in its directory. */
static const gchar *
file_name (const UpiSafetensor *t)
{
  const gchar *slash = strrchr (t->file, G_DIR_SEPARATOR);

  return slash != NULL ? slash + 1 : t->file;
}

/* Tensors of the files that no spec names, or that stand in two files. */
static void
append_unused (const UpiWeights *w, GString *text)
{
  for (guint i = 0; i < w->files->len; i++) {
    for (guint k = 0; k < upi_safetensors_count (w->files->pdata[i]); k++) {
      const UpiSafetensor *t = upi_safetensors_nth (w->files->pdata[i], k);
      if (!g_hash_table_contains (w->table, t->name))
        g_string_append_printf (text, "\n    %s (%s)", t->name, file_name (t));
      else if (find_in_files (w, t->name) != t)
        g_string_append_printf (text, "\n    %s (%s has it already, %s again)", t->name,
            file_name (find_in_files (w, t->name)), file_name (t));
    }
  }
}

UpiWeights *
upi_weights_open (const gchar *directory, const GArray *specs, GError **error)
{
  g_autoptr (UpiWeights) w = g_new0 (UpiWeights, 1);
  g_autoptr (GString) missing = g_string_new (NULL);
  g_autoptr (GString) misshapen = g_string_new (NULL);
  g_autoptr (GString) unused = g_string_new (NULL);
  guint64 any = 0;

  w->files = g_ptr_array_new_with_free_func ((GDestroyNotify) upi_safetensors_free);
  w->table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, entry_free);
  if (!open_files (w, directory, error))
    return NULL;
  for (guint i = 0; i < specs->len; i++) {
    const UpiTensorSpec *spec = &g_array_index (specs, UpiTensorSpec, i);
    const UpiSafetensor *found = find_in_files (w, spec->name);
    if (found == NULL) {
      g_string_append_printf (missing, "\n    %s", spec->name);
      continue;
    }
    matches (spec, found, &any, misshapen);
    add_entry (w, spec, found);
  }
  append_unused (w, unused);
  if (missing->len + misshapen->len + unused->len > 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: the tensors do not fit config.json%s%s%s%s%s%s", directory,
        missing->len ? "\n  missing:" : "", missing->str, misshapen->len ? "\n  misshapen:" : "", misshapen->str,
        unused->len ? "\n  unused:" : "", unused->str);
    return NULL;
  }
  return g_steal_pointer (&w);
}

gsize
upi_weights_load_bytes (const UpiWeights *w, const gchar *name)
{
  const Entry *entry = g_hash_table_lookup (w->table, name);

  if (entry->weight.dtype == UPI_F32 && upi_safetensor_is_ready (entry->source))
    return 0;
  return upi_shape_count (&entry->weight.shape) * UPI_ELEMENT_BYTES;
}

gfloat *
upi_weights_take (UpiWeights *w, UpiShape *shape, GError **error, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *name = NULL;
  Entry *entry;
  gfloat *data;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  entry = g_hash_table_lookup (w->table, name);
  g_assert (entry && entry->source && !entry->weight.data);
  data = upi_safetensor_read (entry->source, error);
  if (shape != NULL)
    *shape = entry->weight.shape;
  g_hash_table_remove (w->table, name);
  return data;
}

void
upi_weights_put (UpiWeights *w, gfloat *data, UpiShape shape, const gchar *format, ...)
{
  va_list args;
  Entry *entry = g_new0 (Entry, 1);
  gchar *name;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  g_assert (!g_hash_table_contains (w->table, name));
  entry->weight = (UpiWeight){ name, UPI_F32, shape, data };
  entry->owned = data;
  w->bytes += upi_shape_count (&shape) * sizeof (gfloat);
  g_hash_table_insert (w->table, name, entry);
}

static gboolean
load_entry (Entry *entry, GError **error)
{
  GError *cause = NULL;

  if (entry->weight.dtype == UPI_I32) {
    entry->weight.data = entry->owned = upi_safetensor_read_i32 (entry->source, &cause);
  } else {
    entry->weight.data = upi_safetensor_view (entry->source, &cause);
    if (entry->weight.data == NULL && cause == NULL)
      entry->weight.data = entry->owned = upi_safetensor_read (entry->source, &cause);
  }
  if (cause != NULL)
    g_propagate_error (error, cause);
  return entry->weight.data != NULL;
}

gboolean
upi_weights_load (UpiWeights *w, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, w->table);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Entry *entry = value;
    if (entry->weight.data != NULL)
      continue;
    if (!load_entry (entry, error))
      return FALSE;
    w->bytes += upi_shape_count (&entry->weight.shape) * 4;
  }
  return TRUE;
}

const UpiWeight *
upi_weights_get (const UpiWeights *w, const gchar *name)
{
  const Entry *entry = g_hash_table_lookup (w->table, name);

  if (entry == NULL || entry->weight.data == NULL)
    g_error ("no weight %s is loaded", name); /* specs and builders disagree: a bug, not a file */
  return &entry->weight;
}

gsize
upi_weights_bytes (const UpiWeights *w)
{
  return w->bytes;
}
