/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * geometry.c: see geometry.h. */
#include "gst/geometry.h"

#include <gst/video/video.h>

#include "gst/upstream.h"

static GQuark
source_quark (void)
{
  return g_quark_from_static_string ("upi-geometry-source");
}

void
gst_upi_geometry_mark_source (GstElement *element)
{
  g_object_set_qdata (G_OBJECT (element), source_quark (), GINT_TO_POINTER (TRUE));
}

void
gst_upi_geometry_init (GstUpiGeometry *geometry, GstElement *element, GstPad *sinkpad)
{
  *geometry = (GstUpiGeometry){ .element = element, .sinkpad = sinkpad };
}

void
gst_upi_geometry_start (GstUpiGeometry *geometry)
{
  gst_upi_geometry_init (geometry, geometry->element, geometry->sinkpad);
}

/* FALSE: no raw video. */
static gboolean
size_from_caps (GstUpiFrameSize *size, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);

  *size = (GstUpiFrameSize){ .par_n = 1, .par_d = 1 };
  gst_structure_get_fraction (structure, "pixel-aspect-ratio", &size->par_n, &size->par_d);
  return gst_structure_has_name (structure, "video/x-raw") && gst_structure_get_int (structure, "width", &size->width)
      && gst_structure_get_int (structure, "height", &size->height);
}

void
gst_upi_geometry_take_caps (GstUpiGeometry *geometry, GstCaps *caps)
{
  if (!size_from_caps (&geometry->size, caps))
    geometry->size = (GstUpiFrameSize){ 0 };
  geometry->asked = FALSE;
}

/* Whether the whole picture that came in fills the frame that leaves. */
static gboolean
fills (GstElement *element, GstPad *srcpad)
{
  g_autoptr (GstPad) sinkpad = gst_element_get_static_pad (element, "sink");
  g_autoptr (GstCaps) in_caps = sinkpad != NULL ? gst_pad_get_current_caps (sinkpad) : NULL;
  g_autoptr (GstCaps) out_caps = gst_pad_get_current_caps (srcpad);
  gboolean adds_borders = TRUE;
  GstUpiFrameSize in, out;

  if (in_caps == NULL || out_caps == NULL || !size_from_caps (&in, in_caps) || !size_from_caps (&out, out_caps))
    return FALSE;
  GstUpiMeta picture = { .width = in.width, .height = in.height, .par_n = in.par_n, .par_d = in.par_d };
  if (gst_upi_meta_lies_on (&picture, NULL, out.width, out.height, out.par_n, out.par_d))
    return TRUE;
  GParamSpec *property = g_object_class_find_property (G_OBJECT_GET_CLASS (element), "add-borders");
  if (property == NULL || property->value_type != G_TYPE_BOOLEAN)
    return FALSE;
  g_object_get (element, "add-borders", &adds_borders, NULL);
  return !adds_borders;
}

static gboolean
visit (GstPad *srcpad, GstElement *element, gpointer user_data)
{
  GstUpiGeometry *geometry = user_data;

  if (g_object_get_qdata (G_OBJECT (element), source_quark ()) != NULL) {
    geometry->encoded = TRUE;
    return TRUE;
  }
  geometry->moved = geometry->moved || (!GST_IS_BIN (element) && !fills (element, srcpad));
  return FALSE;
}

static void
ask (GstUpiGeometry *geometry)
{
  if (geometry->asked)
    return;
  geometry->asked = TRUE;
  geometry->encoded = geometry->moved = FALSE;
  gst_upi_upstream_find (geometry->sinkpad, visit, geometry);
}

static void
warn (GstUpiGeometry *geometry)
{
  if (geometry->told)
    return;
  geometry->told = TRUE;
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (geometry->element));
  GST_ELEMENT_WARNING (geometry->element, STREAM, FORMAT,
      ("What upiencoder saw does not lie on the frames that reach %s: in between something adds borders to the "
       "picture, cuts, turns or "
       "mixes it. Set add-borders=false on the scaler (videoscale adds them by default), or put what changes the "
       "picture before "
       "upiencoder. Frames pass without results.",
          name),
      ("geometry lost"));
}

GstBuffer *
gst_upi_geometry_check (GstUpiGeometry *geometry, GstBuffer *buffer)
{
  const GstUpiFrameSize size = geometry->size;
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  GstUpiContent *old = meta != NULL ? gst_upi_meta_get_content (meta) : NULL;
  GstUpiContentFlags flags = old != NULL ? gst_upi_content_get_flags (old) : GST_UPI_CONTENT_NONE;
  g_autoptr (GstUpiContent) content = NULL;

  if (flags & GST_UPI_CONTENT_GEOMETRY_NAMED)
    return buffer;
  if (old != NULL && (flags & GST_UPI_CONTENT_GEOMETRY_LOST) == 0
      && gst_upi_meta_lies_on (meta, buffer, size.width, size.height, size.par_n, size.par_d))
    return buffer;
  if (old == NULL || gst_upi_content_get_whole (old) != NULL)
    ask (geometry);
  if (old == NULL && !geometry->encoded) /* whoever needs one says so */
    return buffer;
  if (old != NULL && gst_upi_content_get_whole (old) != NULL && geometry->encoded && !geometry->moved) {
    content = gst_upi_content_ref (gst_upi_content_get_whole (old));
  } else {
    content = gst_upi_content_lose_geometry (old, TRUE, FALSE);
    warn (geometry);
  }
  buffer = gst_buffer_make_writable (buffer); /* its metadata: memory stays shared */
  gst_upi_meta_set_frame (gst_buffer_add_upi_meta (buffer, content), size.width, size.height, size.par_n, size.par_d);
  return buffer;
}
