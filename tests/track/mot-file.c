/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mot-file.c: see mot-file.h. */
#include "mot-file.h"

#include <math.h>

static gint
by_frame (gconstpointer a, gconstpointer b)
{
  const MotRow *first = a, *second = b;

  return first->frame < second->frame ? -1 : first->frame > second->frame;
}

/* Seven numbers; what follows is of no interest. */
static gboolean
read_row (const gchar *line, MotRow *row)
{
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
  return TRUE;
}

GArray *
mot_file_read (const gchar *path, GError **error)
{
  g_autofree gchar *text = NULL;
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (MotRow));

  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    MotRow row;

    if (*g_strstrip (lines[i]) == '\0')
      continue;
    if (!read_row (lines[i], &row)) {
      g_set_error (
          error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: \"%s\" is not frame,id,left,top,width,height,score", path, i + 1, lines[i]);
      return NULL;
    }
    g_array_append_val (rows, row);
  }
  g_array_sort (rows, by_frame);
  return g_steal_pointer (&rows);
}
