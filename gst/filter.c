/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* filter.c: see filter.h. */
#include "gst/filter.h"

#include <gst/video/video.h>

#include "gst/encoding-life.h"
#include "gst/engine-error.h"
#include "gst/geometry.h"
#include "gst/relation.h"
#include "gst/upstream.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_filter_debug);
#define GST_CAT_DEFAULT gst_upi_filter_debug

#define WARNING_FAILED 31 /* of gst_upi_filter_is_first() */

typedef struct {
  GstUpiEncodingLife life;
  GstUpiGeometry geometry;
  GstClockTime latency; /* object lock */
  gint reads;           /* atomic: 1 + whether it reads encodings; 0: as the class says */

  /* streaming thread */
  GstUpiStreamTime time;
  guint64 n_frames;
  gboolean seen_meta;
#ifdef HAVE_GST_ANALYTICS
  gboolean asked, finds_others; /* since the last caps: whose objects they are */
  gboolean known;               /* a frame had something, of upi or of others */
#endif
  guint32 warned; /* a bit a warning */
} GstUpiFilterPrivate;

enum { PROP_0, PROP_KEEP_ENCODING };

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (GstUpiFilter, gst_upi_filter, GST_TYPE_BASE_TRANSFORM)

static GstUpiFilterPrivate *
get_private (gpointer filter)
{
  return gst_upi_filter_get_instance_private (GST_UPI_FILTER (filter));
}

GstUpiStreamTime *
gst_upi_filter_get_time (GstUpiFilter *filter)
{
  return &get_private (filter)->time;
}

gboolean
gst_upi_filter_is_first (GstUpiFilter *filter, guint warning)
{
  GstUpiFilterPrivate *priv = get_private (filter);
  guint32 bit = 1u << warning;

  if ((priv->warned & bit) != 0)
    return FALSE;
  priv->warned |= bit;
  return TRUE;
}

void
gst_upi_filter_set_reads_encoding (GstUpiFilter *filter, gboolean reads)
{
  g_atomic_int_set (&get_private (filter)->reads, reads ? 2 : 1);
}

static gboolean
reads_encoding (GstUpiFilter *filter)
{
  gint reads = g_atomic_int_get (&get_private (filter)->reads);

  return reads != 0 ? reads == 2 : GST_UPI_FILTER_GET_CLASS (filter)->reads_encoding;
}

GstFlowReturn
gst_upi_filter_fail (GstUpiFilter *filter, gboolean may_wait, const GError *error)
{
  if (may_wait || g_error_matches (error, UPI_ERROR, UPI_ERROR_DEVICE)) {
    GST_UPI_ERROR (filter, error);
    return GST_FLOW_ERROR;
  }
  if (gst_upi_filter_is_first (filter, WARNING_FAILED))
    GST_UPI_WARNING (filter, error);
  return GST_FLOW_OK;
}

static void
reset (GstUpiFilter *filter)
{
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (filter);

  if (klass->reset != NULL)
    klass->reset (filter);
}

static void
unlock (GstUpiFilter *filter)
{
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (filter);

  if (klass->unlock != NULL)
    klass->unlock (filter);
}

static void
unlock_stop (GstUpiFilter *filter)
{
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (filter);

  if (klass->unlock_stop != NULL)
    klass->unlock_stop (filter);
}

/* Puts @content, new or without its encoding, in the place of the frame's. @buffer: (transfer full): its metadata made
 * writable. (transfer full) */
static GstBuffer *
put_content (GstUpiFilterPrivate *priv, GstBuffer *buffer, GstUpiContent *content)
{
  const GstUpiFrameSize *size = &priv->geometry.size;

  buffer = gst_buffer_make_writable (buffer); /* memory stays shared */
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  if (meta != NULL)
    gst_upi_meta_set_content (meta, content);
  else
    gst_upi_meta_set_frame (
        gst_buffer_add_upi_meta (buffer, content), size->width, size->height, size->par_n, size->par_d);
  return buffer;
}

#ifdef HAVE_GST_ANALYTICS
/* GstUpiUpstreamFunc: whether it says what objects a frame has */
static gboolean
finds_objects (GstPad *srcpad, GstElement *element, gpointer user_data)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return GST_IS_UPI_FILTER (element)
      && (GST_UPI_FILTER_GET_CLASS (element)->takes_foreign
          || (factory != NULL && g_str_equal (GST_OBJECT_NAME (factory), "upidetect")));
}

/* The objects of another detector in place of @content's, which has none. (transfer full) */
static GstUpiContent *
take_foreign (GstUpiFilter *self, GstBuffer *buffer, GstUpiContent *content, gboolean *foreign)
{
  GstUpiFilterPrivate *priv = get_private (self);
  guint n, n_candidates;

  gst_upi_content_get_objects (content, &n);
  gst_upi_content_get_candidates (content, &n_candidates);
  GstUpiContent *taken = n + n_candidates == 0
      ? gst_upi_relation_take (buffer, content, priv->geometry.size.width, priv->geometry.size.height)
      : NULL;
  if (taken != NULL && !priv->asked) {
    priv->asked = TRUE;
    priv->finds_others = !gst_upi_upstream_find (GST_BASE_TRANSFORM_SINK_PAD (self), finds_objects, NULL);
    if (priv->finds_others) /* what lies on its frames lies on those behind it */
      gst_upi_geometry_mark_source (GST_ELEMENT (self));
  }
  if (taken != NULL && !priv->finds_others)
    g_clear_pointer (&taken, gst_upi_content_unref);
  *foreign = taken != NULL;
  priv->known |= *foreign;
  return taken != NULL ? taken : gst_upi_content_ref (content);
}

/* The end, and there never was anything to go by: before, a detector may only have found nothing yet. */
static void
check_known (GstUpiFilter *self)
{
  GstUpiFilterPrivate *priv = get_private (self);

  if (priv->known || priv->n_frames == 0 || !GST_UPI_FILTER_GET_CLASS (self)->takes_foreign)
    return;
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
  GST_ELEMENT_WARNING (self, STREAM, WRONG_TYPE,
      ("Of no frame that reached %s anything was known: put upiencoder and upidetect before it, or a detector that "
       "writes GstAnalyticsRelationMeta.",
          name),
      ("%" G_GUINT64_FORMAT " frames without a GstUpiMeta", priv->n_frames));
}
#endif

/* A frame: all is done with it before the base class sees it, which in passthrough hands it on as it is. */
static GstFlowReturn
gst_upi_filter_submit_input_buffer (GstBaseTransform *trans, gboolean is_discont, GstBuffer *buffer)
{
  GstUpiFilter *self = GST_UPI_FILTER (trans);
  GstUpiFilterPrivate *priv = get_private (self);
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (self);
  g_autoptr (GstUpiContent) made = NULL;

  buffer = gst_upi_geometry_check (&priv->geometry, buffer);
  const GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  gboolean takes_foreign = FALSE, foreign = FALSE;
#ifdef HAVE_GST_ANALYTICS
  takes_foreign = klass->takes_foreign;
  priv->known |= meta != NULL;
#endif
  if (meta == NULL && !priv->seen_meta && !klass->takes_unencoded && !takes_foreign) {
    g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("The frames that reach %s were not encoded: put upiencoder before it.", name),
        ("the first buffer has no GstUpiMeta"));
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  priv->seen_meta = TRUE;
  g_autoptr (GstUpiContent) content = meta != NULL
      ? gst_upi_content_ref (meta->content)
      : gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  const gboolean is_empty = meta == NULL && takes_foreign; /* who comes behind is to know that somebody looks */
#ifdef HAVE_GST_ANALYTICS
  if (takes_foreign) {
    GstUpiContent *taken = take_foreign (self, buffer, content, &foreign);
    gst_upi_content_unref (content);
    content = taken;
  }
#endif

  GstUpiFilterFrame frame = { .buffer = buffer,
    .content = content,
    .encoding = gst_upi_content_get_encoding (content),
    .number = priv->n_frames++,
    .width = priv->geometry.size.width,
    .height = priv->geometry.size.height,
    .foreign = foreign,
    .may_wait = (gst_upi_content_get_flags (content) & GST_UPI_CONTENT_NEVER_WAIT) == 0 };
  if (gst_upi_stream_time_take_frame (&priv->time, GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer), &frame.time))
    reset (self);
  frame.stream = priv->time.stream;
  if (reads_encoding (self) && frame.encoding == NULL
      && gst_upi_content_is_encoded (content)) /* else older than the first result */
    gst_upi_encoding_life_missing (&priv->life, content);

  GstFlowReturn flow = klass->process != NULL ? klass->process (self, &frame, &made) : GST_FLOW_OK;
  if (flow != GST_FLOW_OK) {
    gst_buffer_unref (buffer);
    return flow;
  }
  g_autoptr (GstUpiContent) leaves = gst_upi_encoding_life_filter (&priv->life, made != NULL ? made : content);
  if (leaves != content || foreign || is_empty)
    frame.buffer = buffer = put_content (priv, buffer, leaves);
  if (made != NULL && klass->attach != NULL) {
    frame.buffer = buffer = gst_buffer_make_writable (buffer);
    klass->attach (self, buffer, &frame, leaves);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_upi_filter_parent_class)->submit_input_buffer (trans, is_discont, buffer);
}

static void
take_gap (GstUpiFilter *self, GstEvent *event)
{
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (self);
  GstClockTime pts, duration;
  GstUpiFrameTime time;

  gst_event_parse_gap (event, &pts, &duration);
  if (gst_upi_stream_time_take_frame (&get_private (self)->time, pts, duration, &time))
    reset (self);
  if (klass->gap != NULL)
    klass->gap (self, &time);
}

static gboolean
gst_upi_filter_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  GstUpiFilter *self = GST_UPI_FILTER (trans);
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (self);

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START)
    unlock (self);
  else if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    unlock_stop (self);
  if (GST_EVENT_TYPE (event) == GST_EVENT_GAP)
    take_gap (self, event);
  else if (gst_upi_stream_time_take_event (&get_private (self)->time, event))
    reset (self);
#ifdef HAVE_GST_ANALYTICS
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    check_known (self);
#endif
  if (klass->event != NULL)
    klass->event (self, event);
  return GST_BASE_TRANSFORM_CLASS (gst_upi_filter_parent_class)->sink_event (trans, event);
}

/* What somebody outside wants goes to the nearest element that it is for, and no further. */
static gboolean
gst_upi_filter_src_event (GstBaseTransform *trans, GstEvent *event)
{
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (trans);
  const GstStructure *structure =
      GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM ? gst_event_get_structure (event) : NULL;
  GstElementFactory *factory = gst_element_get_factory (GST_ELEMENT (trans));

  if (klass->control != NULL && structure != NULL && gst_structure_has_name (structure, "upi-control")
      && factory != NULL
      && g_strcmp0 (gst_structure_get_string (structure, "target"), GST_OBJECT_NAME (factory)) == 0) {
    const gchar *property = gst_structure_get_string (structure, "property"),
                *value = gst_structure_get_string (structure, "value");
    gboolean taken = property != NULL && value != NULL && klass->control (GST_UPI_FILTER (trans), property, value);
    GST_INFO_OBJECT (trans, "upi-control %s=%s: %s", property, value, taken ? "taken" : "refused");
    gst_event_unref (event);
    return taken;
  }
  return GST_BASE_TRANSFORM_CLASS (gst_upi_filter_parent_class)->src_event (trans, event);
}

static gboolean
gst_upi_filter_set_caps (GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  gst_upi_geometry_take_caps (&get_private (trans)->geometry, in);
#ifdef HAVE_GST_ANALYTICS
  get_private (trans)->asked = FALSE;
#endif
  return TRUE;
}

gboolean
gst_upi_filter_query_latency (GstUpiFilter *filter, GstQuery *query)
{
  GstUpiFilterPrivate *priv = get_private (filter);
  GstClockTime min, max;
  gboolean live;

  if (!gst_pad_peer_query (GST_BASE_TRANSFORM_SINK_PAD (filter), query))
    return FALSE;
  gst_query_parse_latency (query, &live, &min, &max);
  GST_OBJECT_LOCK (filter);
  min += priv->latency;
  if (GST_CLOCK_TIME_IS_VALID (max))
    max += priv->latency;
  GST_OBJECT_UNLOCK (filter);
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

void
gst_upi_filter_set_latency (GstUpiFilter *filter, GstClockTime latency)
{
  GstUpiFilterPrivate *priv = get_private (filter);

  GST_OBJECT_LOCK (filter);
  gboolean changed = priv->latency != latency;
  priv->latency = latency;
  GST_OBJECT_UNLOCK (filter);
  if (!changed)
    return;
  GST_INFO_OBJECT (filter, "adds %" GST_TIME_FORMAT " of latency", GST_TIME_ARGS (latency));
  gst_element_post_message (GST_ELEMENT (filter), gst_message_new_latency (GST_OBJECT (filter)));
}

static gboolean
gst_upi_filter_query (GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  GstUpiFilter *self = GST_UPI_FILTER (trans);
  gboolean answer;

  if (direction == GST_PAD_SINK
      && gst_upi_encoding_life_take_query (&get_private (self)->life, query, reads_encoding (self), &answer))
    return answer;
  if (direction == GST_PAD_SRC && GST_QUERY_TYPE (query) == GST_QUERY_LATENCY)
    return gst_upi_filter_query_latency (self, query);
  return GST_BASE_TRANSFORM_CLASS (gst_upi_filter_parent_class)->query (trans, direction, query);
}

static gboolean
gst_upi_filter_start (GstBaseTransform *trans)
{
  GstUpiFilter *self = GST_UPI_FILTER (trans);
  GstUpiFilterPrivate *priv = get_private (self);
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (self);

  gst_upi_encoding_life_start (&priv->life);
  gst_upi_geometry_start (&priv->geometry);
  gst_upi_stream_time_reset (&priv->time);
  priv->n_frames = 0;
  priv->seen_meta = FALSE;
#ifdef HAVE_GST_ANALYTICS
  priv->asked = priv->finds_others = priv->known = FALSE;
#endif
  priv->warned = 0;
  GST_OBJECT_LOCK (self);
  priv->latency = 0;
  GST_OBJECT_UNLOCK (self);
  unlock_stop (self);
  return klass->start == NULL || klass->start (self);
}

static gboolean
gst_upi_filter_stop (GstBaseTransform *trans)
{
  GstUpiFilter *self = GST_UPI_FILTER (trans);
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (self);

  reset (self);
  if (klass->stop != NULL)
    klass->stop (self);
  return TRUE;
}

static GstStateChangeReturn
gst_upi_filter_change_state (GstElement *element, GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) /* before the base class waits for the streaming thread */
    unlock (GST_UPI_FILTER (element));
  return GST_ELEMENT_CLASS (gst_upi_filter_parent_class)->change_state (element, transition);
}

static void
gst_upi_filter_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_KEEP_ENCODING)
    gst_upi_encoding_life_set (&get_private (object)->life, value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_upi_filter_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_KEEP_ENCODING)
    gst_upi_encoding_life_get (&get_private (object)->life, value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

#define ANY_VIDEO GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)

void
gst_upi_filter_class_add_pad_templates (GstUpiFilterClass *klass)
{
  static GstStaticPadTemplate sink =
      GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));
  static GstStaticPadTemplate src =
      GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));

  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &sink);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &src);
}

static void
gst_upi_filter_class_init (GstUpiFilterClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_upi_filter_debug, "upifilter", 0, "what all upi elements but upiencoder share");
  object_class->set_property = gst_upi_filter_set_property;
  object_class->get_property = gst_upi_filter_get_property;
  gst_upi_encoding_life_install_property (object_class, PROP_KEEP_ENCODING);
  GST_ELEMENT_CLASS (klass)->change_state = gst_upi_filter_change_state;
  trans_class->start = gst_upi_filter_start;
  trans_class->stop = gst_upi_filter_stop;
  trans_class->set_caps = gst_upi_filter_set_caps;
  trans_class->sink_event = gst_upi_filter_sink_event;
  trans_class->src_event = gst_upi_filter_src_event;
  trans_class->query = gst_upi_filter_query;
  trans_class->submit_input_buffer = gst_upi_filter_submit_input_buffer;
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_FILTER, 0);
}

static void
gst_upi_filter_init (GstUpiFilter *self)
{
  GstUpiFilterPrivate *priv = get_private (self);

  gst_upi_encoding_life_init (&priv->life, GST_ELEMENT (self), GST_BASE_TRANSFORM_SRC_PAD (self));
  gst_upi_geometry_init (&priv->geometry, GST_ELEMENT (self), GST_BASE_TRANSFORM_SINK_PAD (self));
  gst_upi_stream_time_reset (&priv->time);
}
