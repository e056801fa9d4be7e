/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory with a small random model, made for one test and removed after it. */
#include "tests/core/tiny-model.h"

#include "core/model/safetensors.h"
#include "core/upi.h"

#include <glib/gstdio.h>

gchar *
tiny_model_write (const gchar *config_json, guint32 seed)
{
  GError *error = NULL;
  gchar *directory = g_dir_make_tmp ("upi-model-XXXXXX", &error);

  g_assert_no_error (error);
  upi_model_write_random (directory, config_json, seed, &error);
  g_assert_no_error (error);
  return directory;
}

void
tiny_model_remove (gchar *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const gchar *name;

  while (dir != NULL && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);
    g_unlink (path);
  }
  g_rmdir (directory);
  g_free (directory);
}

UpiModel *
tiny_model_open (const gchar *directory)
{
  GError *error = NULL;
  UpiModel *model = upi_model_open (directory, &error);

  g_assert_no_error (error);
  return model;
}

void
tiny_model_edit (const gchar *directory, const gchar *file, TinyEdit edit, gpointer user_data)
{
  g_autofree gchar *path = g_build_filename (directory, file, NULL);
  g_autoptr (GArray) out = g_array_new (FALSE, TRUE, sizeof (UpiSafetensorOut));
  g_autoptr (GPtrArray) owned = g_ptr_array_new_with_free_func (g_free);
  GError *error = NULL;
  g_autoptr (UpiSafetensors) st = upi_safetensors_open (path, &error);

  g_assert_no_error (error);
  for (guint i = 0; i <= upi_safetensors_count (st); i++) {
    TinyTensor tensor = { 0 };
    UpiSafetensorOut row = { 0 };
    if (i < upi_safetensors_count (st)) {
      const UpiSafetensor *t = upi_safetensors_nth (st, i);
      tensor.name = g_strdup (t->name);
      tensor.rank = t->rank;
      for (guint k = 0; k < t->rank; k++)
        tensor.dim[k] = t->dim[k];
      tensor.integer = t->type == UPI_TENSOR_I32;
      tensor.data =
          tensor.integer ? (gpointer) upi_safetensor_read_i32 (t, &error) : (gpointer) upi_safetensor_read (t, &error);
      g_assert_no_error (error);
    }
    if (!edit (&tensor, user_data)) {
      g_free (tensor.name);
      g_free (tensor.data);
      continue;
    }
    g_ptr_array_add (owned, tensor.name);
    g_ptr_array_add (owned, tensor.data);
    row = (UpiSafetensorOut){ .name = tensor.name, .rank = tensor.rank, .data = tensor.data };
    row.type = tensor.integer ? UPI_TENSOR_I32 : UPI_TENSOR_F32;
    for (guint k = 0; k < tensor.rank; k++)
      row.dim[k] = tensor.dim[k];
    g_array_append_val (out, row);
  }
  g_clear_pointer (&st, upi_safetensors_free);
  upi_safetensors_write (path, (const UpiSafetensorOut *) (gpointer) out->data, out->len, &error);
  g_assert_no_error (error);
}

gboolean
tiny_model_poison (TinyTensor *t, gpointer user_data)
{
  const TinyPoison *p = user_data;

  if (t->name == NULL)
    return FALSE;
  if (g_str_equal (t->name, p->name) && t->integer)
    ((gint32 *) t->data)[p->element] = (gint32) p->value;
  else if (g_str_equal (t->name, p->name))
    ((gfloat *) t->data)[p->element] = p->value;
  return TRUE;
}

void
tiny_model_expect_error (const gchar *directory, const gchar *const *says)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (upi_model_open (directory, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_test_message ("%.300s", error->message);
  for (guint i = 0; says[i] != NULL; i++)
    if (strstr (error->message, says[i]) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, says[i]);
}
