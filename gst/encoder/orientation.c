/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orientation.c: which way up the picture is; see orientation.h. */
#include "gst/encoder/orientation.h"

#include "gst/upstream.h"

GType
gst_upi_orientation_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_ORIENTATION_AUTO,
        "by the image-orientation tag, unless a videoflip with automatic direction stands upstream", "auto" },
    { GST_UPI_ORIENTATION_NONE, "as the frame is", "none" },
    { GST_UPI_ORIENTATION_IDENTITY, "as the frame is", "identity" },
    { GST_UPI_ORIENTATION_90R, "clockwise by 90 degrees", "90r" },
    { GST_UPI_ORIENTATION_180, "by 180 degrees", "180" },
    { GST_UPI_ORIENTATION_90L, "counter-clockwise by 90 degrees", "90l" },
    { GST_UPI_ORIENTATION_HORIZ, "left and right change places", "horiz" },
    { GST_UPI_ORIENTATION_VERT, "top and bottom change places", "vert" },
    { GST_UPI_ORIENTATION_UL_LR, "mirrored along the diagonal from upper left to lower right", "ul-lr" },
    { GST_UPI_ORIENTATION_UR_LL, "mirrored along the diagonal from upper right to lower left", "ur-ll" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiOrientation", values));
  return type;
}

gboolean
gst_upi_orientation_tags_take_event (GstUpiOrientationTags *tags, GstEvent *event)
{
  GstVideoOrientationMethod method;
  GstTagList *list;

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    const gchar *stream_id;
    gst_event_parse_stream_start (event, &stream_id);
    guint hash = g_str_hash (stream_id);
    gboolean changed = hash != tags->stream_id;
    if (changed) /* nobody sends the tags of the same stream again */
      *tags = (GstUpiOrientationTags){ .stream_id = hash };
    return changed;
  }
  if (GST_EVENT_TYPE (event) != GST_EVENT_TAG)
    return FALSE;
  gst_event_parse_tag (event, &list);
  if (!gst_video_orientation_from_tag (list, &method) || method > GST_VIDEO_ORIENTATION_UR_LL)
    return FALSE; /* other tags leave it as it is */
  if (gst_tag_list_get_scope (list) == GST_TAG_SCOPE_STREAM) {
    tags->has_stream = TRUE;
    tags->stream = (UpiOrientation) method;
  } else {
    tags->has_global = TRUE;
    tags->global = (UpiOrientation) method;
  }
  return TRUE;
}

/* Its name if it turns the picture by the tag: videoflip and its like. */
static gboolean
turns_by_tag (GstPad *srcpad, GstElement *element, gpointer name)
{
  GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;

  if (GST_IS_VIDEO_DIRECTION (element))
    g_object_get (element, "video-direction", &method, NULL);
  if (method != GST_VIDEO_ORIENTATION_AUTO)
    return FALSE;
  *(gchar **) name = gst_element_get_name (element);
  return TRUE;
}

UpiOrientation
gst_upi_orientation_decide (
    GstUpiOrientation setting, const GstUpiOrientationTags *tags, GstPad *sinkpad, gchar **turner)
{
  UpiOrientation by_tag = tags->has_stream ? tags->stream : tags->has_global ? tags->global : UPI_ORIENTATION_IDENTITY;

  *turner = NULL;
  if (setting == GST_UPI_ORIENTATION_NONE)
    return UPI_ORIENTATION_IDENTITY;
  if (setting != GST_UPI_ORIENTATION_AUTO)
    return (UpiOrientation) (setting - GST_UPI_ORIENTATION_IDENTITY);
  if (by_tag != UPI_ORIENTATION_IDENTITY)
    gst_upi_upstream_find (sinkpad, turns_by_tag, turner);
  return *turner != NULL ? UPI_ORIENTATION_IDENTITY : by_tag;
}
