/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encoding-life.c: see encoding-life.h. */
#include "gst/encoding-life.h"

#include "gst/reader-query.h"

#define GST_TYPE_UPI_KEEP_ENCODING (gst_upi_keep_encoding_get_type ())
static GType
gst_upi_keep_encoding_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_KEEP_ENCODING_AUTO, "As long as an element downstream reads it", "auto" },
    { GST_UPI_KEEP_ENCODING_YES, "It stays, for an application that reads it", "yes" },
    { GST_UPI_KEEP_ENCODING_NO, "It goes here", "no" },
    { GST_UPI_KEEP_ENCODING_TRUE, "Old name of yes", "true" },
    { GST_UPI_KEEP_ENCODING_FALSE, "Old name of auto", "false" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiKeepEncoding", values));
  return type;
}

void
gst_upi_encoding_life_install_property (GObjectClass *klass, guint id)
{
  /**
   * GstUpiFilter:keep-encoding:
   *
   * When a frame lets go of its encoding: GST_UPI_KEEP_ENCODING_AUTO asks downstream, before each frame leaves, whether
   * somebody reads it. upiencoder has the same property. true and false are its values of release 0.1, taken with a
   * warning.
   */
  g_object_class_install_property (klass, id,
      g_param_spec_enum ("keep-encoding", "Keep encoding",
          "Whether frames leave with their encoding of some megabytes: auto = as long as an upi element downstream "
          "reads it (default: "
          "auto)",
          GST_TYPE_UPI_KEEP_ENCODING, GST_UPI_KEEP_ENCODING_AUTO,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}

void
gst_upi_encoding_life_init (GstUpiEncodingLife *life, GstElement *element, GstPad *srcpad)
{
  *life = (GstUpiEncodingLife){ .element = element, .srcpad = srcpad, .keep = GST_UPI_KEEP_ENCODING_AUTO };
}

static void
warn_of_old_name (GstUpiEncodingLife *life)
{
  GstUpiKeepEncoding old = (GstUpiKeepEncoding) g_atomic_int_exchange (&life->old_name, 0);

  if (old != 0)
    GST_ELEMENT_WARNING (life->element, LIBRARY, SETTINGS,
        ("Property \"keep-encoding\" is auto, yes or no: write %s for %s, which will go with the next release.",
            old == GST_UPI_KEEP_ENCODING_TRUE ? "yes" : "auto", old == GST_UPI_KEEP_ENCODING_TRUE ? "true" : "false"),
        (NULL));
}

void
gst_upi_encoding_life_set (GstUpiEncodingLife *life, const GValue *value)
{
  GstUpiKeepEncoding keep = (GstUpiKeepEncoding) g_value_get_enum (value);

  if (keep == GST_UPI_KEEP_ENCODING_TRUE || keep == GST_UPI_KEEP_ENCODING_FALSE) {
    g_atomic_int_set (&life->old_name, (gint) keep);
    keep = keep == GST_UPI_KEEP_ENCODING_TRUE ? GST_UPI_KEEP_ENCODING_YES : GST_UPI_KEEP_ENCODING_AUTO;
  }
  g_atomic_int_set (&life->keep, (gint) keep);
}

void
gst_upi_encoding_life_get (GstUpiEncodingLife *life, GValue *value)
{
  g_value_set_enum (value, g_atomic_int_get (&life->keep));
}

void
gst_upi_encoding_life_start (GstUpiEncodingLife *life)
{
  life->told = FALSE;
  warn_of_old_name (life); /* not when it was set: no bus listens to an element that is being made */
}

gboolean
gst_upi_encoding_life_ends (GstUpiEncodingLife *life, const GstUpiContent *content)
{
  if (gst_upi_content_get_encoding (content) == NULL)
    return FALSE;
  switch ((GstUpiKeepEncoding) g_atomic_int_get (&life->keep)) {
  case GST_UPI_KEEP_ENCODING_YES:
    return FALSE;
  case GST_UPI_KEEP_ENCODING_NO:
    return TRUE;
  default:
    return !gst_upi_reader_query_ask (life->srcpad, GST_UPI_QUERY_ENCODING_READER);
  }
}

GstUpiContent *
gst_upi_encoding_life_filter (GstUpiEncodingLife *life, GstUpiContent *content)
{
  if (!gst_upi_encoding_life_ends (life, content))
    return gst_upi_content_ref (content);
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (life->element));
  return gst_upi_content_drop_encoding_by (content, name);
}

GstBuffer *
gst_upi_encoding_life_filter_buffer (GstUpiEncodingLife *life, GstBuffer *buffer)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  if (meta == NULL)
    return buffer;
  g_autoptr (GstUpiContent) content = gst_upi_encoding_life_filter (life, gst_upi_meta_get_content (meta));
  if (content == gst_upi_meta_get_content (meta))
    return buffer;
  buffer = gst_buffer_make_writable (buffer); /* its metadata: memory stays shared */
  gst_upi_meta_set_content (gst_buffer_get_upi_meta (buffer), content);
  return buffer;
}

gboolean
gst_upi_encoding_life_is_query (GstQuery *query)
{
  return gst_upi_reader_query_is (query, GST_UPI_QUERY_ENCODING_READER);
}

gboolean
gst_upi_encoding_life_take_query (GstUpiEncodingLife *life, GstQuery *query, gboolean reads, gboolean *answer)
{
  *answer = TRUE;
  return gst_upi_encoding_life_is_query (query)
      && (reads || g_atomic_int_get (&life->keep) == GST_UPI_KEEP_ENCODING_YES);
}

void
gst_upi_encoding_life_missing (GstUpiEncodingLife *life, const GstUpiContent *content)
{
  const gchar *dropper = gst_upi_content_get_dropper (content);

  if (life->told)
    return;
  life->told = TRUE;
  GST_ELEMENT_WARNING (life->element, STREAM, WRONG_TYPE,
      ("A frame's encoding was dropped by %s, before it reached %s, which adds nothing to such frames: set "
       "keep-encoding=auto or yes "
       "there.",
          dropper != NULL ? dropper : "an element before", GST_OBJECT_NAME (life->element)),
      ("the buffer's GstUpiMeta has no encoding any more; frames on their way when a reader is added have none "
       "either"));
}
