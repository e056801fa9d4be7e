/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shown.c: see shown.h. */
#include "gst/track/shown.h"

#include <math.h>
#include <string.h>

struct _GstUpiShown {
  GstUpiObject object; /* of the last sighting; label, mask and vector are not in it */
  gchar *label;        /* of the track, when label_id was its number in upidetect's list */
  guint label_id;
  UpiMask *mask;      /* nullable: the latest there was */
  GstUpiBox mask_box; /* where the track was then */
  gint8 *vector;      /* nullable */
  guint vector_length;
};

GstUpiShown *
gst_upi_shown_new (void)
{
  return g_new0 (GstUpiShown, 1);
}

void
gst_upi_shown_free (gpointer data)
{
  GstUpiShown *shown = data;

  g_free (shown->label);
  g_clear_pointer (&shown->mask, upi_mask_unref);
  g_free (shown->vector);
  g_free (shown);
}

/* To 8 bits, the largest part to ±127: cosines need no scale. */
static void
take_vector (GstUpiShown *shown, const gfloat *vector, guint length)
{
  gfloat largest = 0;

  if (vector == NULL || length == 0)
    return;
  if (shown->vector_length != length) {
    g_free (shown->vector);
    shown->vector = g_new (gint8, length);
    shown->vector_length = length;
  }
  for (guint i = 0; i < length; i++)
    largest = MAX (largest, fabsf (vector[i]));
  const gfloat scale = largest > 0 ? 127 / largest : 0;
  for (guint i = 0; i < length; i++)
    shown->vector[i] = (gint8) lrintf (vector[i] * scale);
}

void
gst_upi_shown_see (GstUpiShown *shown, const GstUpiObject *object, const GstUpiBox *box, const gchar *label,
    const gfloat *vector, guint length)
{
  shown->object = *object;
  shown->object.mask = NULL;
  shown->object.label = NULL;
  shown->object.vector = NULL;
  if (shown->label == NULL || g_strcmp0 (object->label, label) == 0) { /* otherwise its number is another's */
    g_free (shown->label);
    shown->label = g_strdup (object->label);
    shown->label_id = object->label_id;
  }
  if (object->mask != NULL) {
    g_clear_pointer (&shown->mask, upi_mask_unref);
    shown->mask = upi_mask_ref (object->mask);
    shown->mask_box = *box;
  }
  take_vector (shown, vector, length);
}

/* The cells from @first on that lie in 0..1 of one direction, of @n cells of @size from @from on. Returns how many. */
static guint
cells_inside (gfloat from, gfloat size, guint n, guint *first)
{
  const gfloat before = ceilf (-from / size - 1e-3f), beyond = floorf ((1 - from) / size + 1e-3f);

  *first = (guint) CLAMP (before, 0, (gfloat) n);
  return (guint) CLAMP (beyond, (gfloat) *first, (gfloat) n) - *first;
}

/* @mask moved by so much, without what left the frame. (transfer full) (nullable): nothing is left, or no memory */
static UpiMask *
move_mask (UpiMask *mask, gfloat x, gfloat y)
{
  guint column, row;

  if (x == 0 && y == 0)
    return upi_mask_ref (mask);
  if (mask->columns == 0 || mask->rows == 0 || !(mask->width > 0) || !(mask->height > 0))
    return NULL;
  const gfloat cell_width = mask->width / (gfloat) mask->columns, cell_height = mask->height / (gfloat) mask->rows;
  const guint columns = cells_inside (mask->x + x, cell_width, mask->columns, &column);
  const guint rows = cells_inside (mask->y + y, cell_height, mask->rows, &row);
  UpiMask *moved = columns > 0 && rows > 0 ? upi_mask_new (columns, rows) : NULL;
  if (moved == NULL)
    return NULL;
  moved->x = mask->x + x + (gfloat) column * cell_width;
  moved->y = mask->y + y + (gfloat) row * cell_height;
  moved->width = (gfloat) columns * cell_width;
  moved->height = (gfloat) rows * cell_height;
  for (guint r = 0; r < rows; r++)
    memcpy (moved->data + (gsize) r * columns, mask->data + (gsize) (row + r) * mask->columns + column, columns);
  return moved;
}

gboolean
gst_upi_shown_get_object (const GstUpiShown *shown, const GstUpiBox *box, const gchar *label, GstUpiObject *object)
{
  const gdouble left = MAX (box->x, 0), top = MAX (box->y, 0);
  const gdouble right = MIN (box->x + box->width, 1), bottom = MIN (box->y + box->height, 1);

  if (!(right > left) || !(bottom > top))
    return FALSE;
  *object = shown->object;
  object->x = (gfloat) left;
  object->y = (gfloat) top;
  object->width = (gfloat) (right - left);
  object->height = (gfloat) (bottom - top);
  object->label = label;
  object->label_id = shown->label_id;
  object->vector = shown->vector;
  object->vector_length = shown->vector_length;
  if (shown->mask != NULL) {
    const GstUpiBox *from = &shown->mask_box;

    object->mask = move_mask (shown->mask, (gfloat) (box->x + box->width / 2 - from->x - from->width / 2),
        (gfloat) (box->y + box->height / 2 - from->y - from->height / 2));
  }
  return TRUE;
}
