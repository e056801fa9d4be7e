/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory with a small random model, made for one test and removed after it. */
#pragma once

#include "core/model/model.h"

G_BEGIN_DECLS

/* Writes it; fails the test on error. (transfer full) the directory */
gchar *tiny_model_write (const gchar *config_json, guint32 seed);
/* Removes directory and files. */
void tiny_model_remove (gchar *directory);
UpiModel *tiny_model_open (const gchar *directory);

/* Rewrites one of its *.safetensors: edit is called for every tensor, and once with NULL to add one; FALSE drops the
 * tensor. */
typedef struct {
  gchar *name;
  guint rank;
  guint64 dim[4];
  gpointer data; /* count floats, or int32 where integer */
  gboolean integer;
} TinyTensor;
typedef gboolean (*TinyEdit) (TinyTensor *tensor, gpointer user_data);
void tiny_model_edit (const gchar *directory, const gchar *file, TinyEdit edit, gpointer user_data);
/* One number of one tensor; tiny_model_poison() is the edit that sets it. */
typedef struct {
  const gchar *name;
  gsize element;
  gfloat value;
} TinyPoison;
gboolean tiny_model_poison (TinyTensor *tensor, gpointer user_data);
/* Opening the directory fails with UPI_ERROR_MODEL, in a message that has each of says (NULL-terminated). */
void tiny_model_expect_error (const gchar *directory, const gchar *const *says);

G_END_DECLS
