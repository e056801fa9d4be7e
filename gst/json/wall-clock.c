/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wall-clock.c: see wall-clock.h. */
#include "gst/json/wall-clock.h"

/* From NTP's epoch, 1900, to that of Unix (RFC 868). */
#define NTP_TO_UNIX (G_GUINT64_CONSTANT (2208988800) * GST_SECOND)

static GstClockTime
from_camera (GstBuffer *buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_REFERENCE_TIMESTAMP_META_API_TYPE)) != NULL) {
    const GstReferenceTimestampMeta *reference = (GstReferenceTimestampMeta *) meta;
    const GstStructure *kind =
        gst_caps_is_fixed (reference->reference) ? gst_caps_get_structure (reference->reference, 0) : NULL;
    if (kind == NULL || !GST_CLOCK_TIME_IS_VALID (reference->timestamp))
      continue;
    if (gst_structure_has_name (kind, "timestamp/x-unix"))
      return reference->timestamp;
    if (gst_structure_has_name (kind, "timestamp/x-ntp") && reference->timestamp >= NTP_TO_UNIX)
      return reference->timestamp - NTP_TO_UNIX;
  }
  return GST_CLOCK_TIME_NONE;
}

static GstClockTime
from_clock (GstElement *element, GstClockTime running_time)
{
  GstClock *clock = gst_element_get_clock (element);
  GstClockTime base = gst_element_get_base_time (element), result = GST_CLOCK_TIME_NONE;

  if (clock != NULL && GST_CLOCK_TIME_IS_VALID (base) && GST_CLOCK_TIME_IS_VALID (running_time)) {
    GstClockTimeDiff ago = GST_CLOCK_DIFF (base + running_time, gst_clock_get_time (clock));
    gint64 now = g_get_real_time () * (gint64) GST_USECOND;
    if (now >= ago)
      result = (GstClockTime) (now - ago);
  }
  gst_clear_object (&clock);
  return result;
}

GstClockTime
gst_upi_wall_clock (GstElement *element, GstBuffer *buffer, GstClockTime running_time)
{
  GstClockTime time = from_camera (buffer);

  return GST_CLOCK_TIME_IS_VALID (time) ? time : from_clock (element, running_time);
}
