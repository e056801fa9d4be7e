/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.c: see fixture.h. */
#include "tests/gst/detect/fixture.h"

const GstUpiObject *
objects_of (GstBuffer *buffer, guint *n)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  return gst_upi_content_get_objects (gst_upi_meta_get_content (meta), n);
}

gboolean
all_labels_in (GstBuffer *buffer, const gchar *const *labels)
{
  guint n;
  const GstUpiObject *objects = objects_of (buffer, &n);
  for (guint i = 0; i < n; i++)
    if (!g_strv_contains (labels, objects[i].label))
      return FALSE;
  return TRUE;
}
