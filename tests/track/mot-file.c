/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mot-file.c: see mot-file.h. */
#include "mot-file.h"

#include <math.h>
#include <string.h>

static gint
by_frame (gconstpointer a, gconstpointer b)
{
  const MotRow *first = a, *second = b;

  return first->frame < second->frame ? -1 : first->frame > second->frame;
}

/* label,threshold,length,vector… What is not that is of no interest. */
static void
read_look (const gchar *line, MotRow *row)
{
  g_auto (GStrv) words = g_strsplit (line, ",", -1);
  const guint n = g_strv_length (words);
  const guint64 length = n > 3 && g_ascii_isalpha (*words[0]) ? g_ascii_strtoull (words[2], NULL, 10) : 0;

  if (length == 0 || length != n - 3)
    return;
  gfloat *vector = g_new (gfloat, length);
  for (guint i = 0; i < length; i++)
    vector[i] = (gfloat) g_ascii_strtod (words[3 + i], NULL);
  row->threshold = g_ascii_strtod (words[1], NULL);
  row->sighting.label = g_strdup (words[0]);
  row->sighting.vector = vector;
  row->sighting.vector_length = (guint) length;
}

static void
clear_row (gpointer row)
{
  g_free ((gchar *) ((MotRow *) row)->sighting.label);
  g_free ((gfloat *) ((MotRow *) row)->sighting.vector);
}

/* Seven numbers, and what an object looks like. */
static gboolean
read_row (const gchar *line, MotRow *row)
{
  const gchar *last = line + strlen (line);

  gdouble values[7];

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    gchar *end;

    values[i] = g_ascii_strtod (line, &end);
    if (end == line || !isfinite (values[i]) || (i + 1 < G_N_ELEMENTS (values) && *end != ','))
      return FALSE;
    line = end + 1;
  }
  if (values[0] < 1 || values[0] > 1e7 || values[4] <= 0 || values[5] <= 0)
    return FALSE;
  *row = (MotRow){ .frame = (guint) values[0],
    .id = (gint) values[1],
    .sighting = { .box = { values[2], values[3], values[4], values[5] }, .confidence = values[6] } };
  if (line < last)
    read_look (line, row);
  return TRUE;
}

GArray *
mot_file_read (const gchar *path, GError **error)
{
  g_autofree gchar *text = NULL;
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (MotRow));

  g_array_set_clear_func (rows, clear_row);
  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    MotRow row;

    if (*g_strstrip (lines[i]) == '\0')
      continue;
    if (!read_row (lines[i], &row)) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: \"%s\" is not frame,id,left,top,width,height,score",
          path, i + 1, lines[i]);
      return NULL;
    }
    g_array_append_val (rows, row);
  }
  g_array_sort (rows, by_frame);
  return g_steal_pointer (&rows);
}
