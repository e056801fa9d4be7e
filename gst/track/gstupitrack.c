/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupitrack.c: the element by which the same object keeps its number; the work is the tracker's (tracker.h). */
/**
 * SECTION:element-upitrack
 * @title: upitrack
 * @short_description: the same object keeps its id from frame to frame
 *
 * upitrack follows what upidetect finds. Each object it knows has a track id (1, 2, 3 … a stream and run), a velocity,
 * its age, and the label that most of its sightings had. Its box and mask move on between encodings
 * (`inference-interval` > 1, policy "latest") and where a sighting fails now and then: such objects are marked as
 * predicted. Who was lost and comes back within `max-lost-time` has its id again.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder !
 *   upidetect labels="person, bicycle" ! upitrack !
 *   upioverlay draw-ids=true ! videoconvert ! autovideosink sync=false
 * ]|
 *
 * From GStreamer 1.24 on it also follows what another detector finds and puts into a GstAnalyticsRelationMeta; such a
 * stream needs no upiencoder. What tells these objects apart is where they are and how they move; their labels are the
 * types of their detections, a score that is not given counts as 1, and ids of another tracker are replaced. A frame
 * without such metadata counts as one that nobody looked at, after a second as one with nothing in it. Where an
 * upidetect stands before, its objects count and the others are left alone. The objects are in the frame's #GstUpiMeta
 * from here on, for upirules, upioverlay and upijson, and each detection has its track in the GstAnalyticsRelationMeta.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! … a detector … ! upitrack !
 *   upirules rules-file=pipelines/rules/zone.json ! upioverlay draw-ids=true ! videoconvert ! autovideosink sync=false
 * ]|
 *
 * With `tracking-type=region` an object that was out of sight for more than 0.3 s is known again by where it was or is
 * expected, its height, and its looks: colours and textures of its upper and lower half, which the network has seen
 * anyway (upi_encoding_looks()), against the mean of its label. Who may be a lost one but cannot be told yet has no id
 * until its fourth sighting, at most for a second. On clips of pasted people, animals and cars
 * (tests/track/region_clips.py) ids change a quarter as often as by motion alone (27 %; 37 % without looks), and an
 * object is under its right id in 52 % of its frames instead of 45 %. `tracking-type=box` is right where labels have
 * one object each, where ids shall never wait, or where the encoding shall be let go of early.
 *
 * All times are times of the stream, never counts of frames. Tracks end at a flush, with a stream, and where stream
 * time jumps by more than a second; ids begin anew with a stream only.
 */
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/filter.h"
#include "gst/plugin.h"
#include "gst/reader-query.h"
#include "gst/relation.h"
#include "gst/roi.h"
#include "gst/track/frame-times.h"
#include "gst/track/seen.h"
#include "gst/track/shown.h"
#include "gst/track/tracker.h"

#define GST_TYPE_UPI_TRACK (gst_upi_track_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiTrackElement, gst_upi_track, GST, UPI_TRACK, GstUpiFilter)

typedef enum { TRACKING_BOX, TRACKING_REGION } TrackingType;

struct _GstUpiTrackElement {
  GstUpiFilter parent;

  /* Settings; object lock. */
  TrackingType tracking_type;
  GstUpiTrackerOptions options;

  /* Streaming thread. */
  GstUpiTracker *tracker;
  guint stream; /* of the tracks */
  GstUpiFrameTimes times;
  GstUpiContent *seen; /* nullable: objects and candidates of the last sightings; without an encoding */
  gint64 seen_time;
  gboolean foreign; /* the tracks are of another detector's objects */
  gint64 looked_at; /* @time of the frame that it last looked at */
  gboolean has_roi; /* upidetect adds region of interest metas */
#ifdef HAVE_GST_ANALYTICS
  gboolean has_analytics; /* upidetect or another detector adds analytics metas */
#endif
  GArray *objects; /* GstUpiObject: those of this frame */
  GArray *origins; /* gint: which of @seen each of them is, or -1 */
};

enum { PROP_0, PROP_TRACKING_TYPE, PROP_IOU_THRESHOLD, PROP_MAX_LOST_TIME, PROP_MIN_HITS_TIME, PROP_PER_LABEL };

G_DEFINE_TYPE (GstUpiTrackElement, gst_upi_track, GST_TYPE_UPI_FILTER)
GST_ELEMENT_REGISTER_DEFINE (upitrack, "upitrack", GST_RANK_NONE, GST_TYPE_UPI_TRACK)

#define GST_TYPE_UPI_TRACKING_TYPE (gst_upi_tracking_type_get_type ())
static GType
gst_upi_tracking_type_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { TRACKING_BOX, "By motion and overlap", "box" },
    { TRACKING_REGION, "By motion, overlap and what the object looks like: in the encoding", "region" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiTrackingType", values));
  return type;
}

static gdouble
seconds_of (GstClockTime time)
{
  return (gdouble) time / GST_SECOND;
}

static GstClockTime
time_of (gdouble seconds)
{
  return (GstClockTime) (seconds * GST_SECOND + 0.5);
}

/* Another detector leaves no trace where it found nothing, nor where it did not look. Some look once in a while; but
 * one that says nothing for longer than they need sees nothing. */
static gboolean
may_have_looked (const GstUpiTrackElement *self, const GstUpiFilterFrame *frame)
{
  return frame->foreign || self->times.time - self->looked_at > (gint64) GST_SECOND;
}

/* What each track shows from now on. @encoding: (nullable): with their regions' vectors */
static void
remember (GstUpiTrackElement *self, const UpiEncoding *encoding, guint n)
{
  for (guint i = 0; i < n; i++) {
    const GstUpiTrack *track = gst_upi_tracker_get_track_of (self->tracker, i);
    const GstUpiObject *object = gst_upi_seen_get (self->seen, i);
    const gfloat *vector = NULL;
    guint length = 0;

    if (track == NULL)
      continue;
    if (encoding != NULL && (object->flags & GST_UPI_OBJECT_FOREIGN) == 0)
      vector = upi_encoding_region (encoding, object->region, &length);
    if (track->user_data == NULL)
      gst_upi_track_set_user_data (track, gst_upi_shown_new ());
    const GstUpiBox box = gst_upi_motion_get_box (&track->motion);
    gst_upi_shown_see (track->user_data, object, &box, track->label, vector, length);
  }
}

static void
observe (GstUpiTrackElement *self, const GstUpiFilterFrame *frame, gboolean region)
{
  guint n_objects;
  const guint n = gst_upi_seen_count (frame->content, &n_objects);
  g_autofree GstUpiSighting *sightings = g_new0 (GstUpiSighting, n + 1);

  for (guint i = 0; i < n; i++) {
    const GstUpiObject *object = gst_upi_seen_get (frame->content, i);
    const gboolean is_foreign = (object->flags & GST_UPI_OBJECT_FOREIGN) != 0;

    sightings[i] = (GstUpiSighting){ .box = { object->x, object->y, object->width, object->height },
      .confidence = gst_upi_confidence (object->score, object->threshold),
      .label = object->label,
      .candidate = i >= n_objects || (is_foreign && (object->flags & GST_UPI_OBJECT_PREDICTED) != 0) };
    if (region && frame->encoding != NULL && !is_foreign)
      sightings[i].vector = upi_encoding_looks (frame->encoding, object->region, &sightings[i].vector_length);
  }
  g_clear_pointer (&self->seen, gst_upi_content_unref);
  self->seen = gst_upi_content_drop_encoding (frame->content); /* it weighs megabytes */
  self->seen_time = MAX (self->seen_time,
      self->foreign ? self->times.time
                    : gst_upi_frame_times_find (&self->times, gst_upi_content_get_inference_pts (frame->content)));
  gst_upi_tracker_observe (self->tracker, self->seen_time, sightings, n);
  remember (self, region ? frame->encoding : NULL, n);
}

/* Adds what @track is in this frame. @origin: which of the sightings it is, or -1. */
static void
add_track (GstUpiTrackElement *self, const GstUpiTrack *track, gint origin)
{
  GstUpiBox box;
  GstUpiObject object;

  if (!gst_upi_tracker_get_box (self->tracker, track, self->times.time, &box)
      || !gst_upi_shown_get_object (track->user_data, &box, track->label, &object))
    return;
  object.track_id = track->id;
  object.velocity_x = (gfloat) (track->motion.axes[0].rate * GST_UPI_MOTION_STEPS_PER_SECOND);
  object.velocity_y = (gfloat) (track->motion.axes[1].rate * GST_UPI_MOTION_STEPS_PER_SECOND);
  object.age = (GstClockTime) MAX (self->times.time - track->first_seen, 0);
  object.begin_x = (gfloat) (track->first_box.x + track->first_box.width / 2);
  object.begin_y = (gfloat) (track->first_box.y + track->first_box.height);
  object.unseen = (GstClockTime) MAX (self->times.time - track->last_seen, 0);
  object.flags = (object.flags & GST_UPI_OBJECT_FOREIGN) | (object.unseen > 0 ? GST_UPI_OBJECT_PREDICTED : 0);
  g_array_append_val (self->objects, object);
  g_array_append_val (self->origins, origin);
}

static void
clear_object (gpointer object)
{
  g_clear_pointer (&((GstUpiObject *) object)->mask, upi_mask_unref);
}

/* The objects of this frame: what was found, with its track or without; candidates that go on with a track; tracks that
 * nobody saw. */
static void
collect_objects (GstUpiTrackElement *self)
{
  guint n_objects;
  const guint n = gst_upi_seen_count (self->seen, &n_objects);

  g_array_set_size (self->objects, 0);
  g_array_set_size (self->origins, 0);
  for (guint i = 0; i < n; i++) {
    const GstUpiTrack *track = gst_upi_tracker_get_track_of (self->tracker, i);
    const gint origin = (gint) i;

    if (track != NULL && track->id != 0) {
      add_track (self, track, origin);
    } else if (i < n_objects) {
      GstUpiObject object = *gst_upi_seen_get (self->seen, i);

      if (object.mask != NULL)
        upi_mask_ref (object.mask);
      if ((object.flags & GST_UPI_OBJECT_FOREIGN) != 0)
        object.track_id = 0; /* another tracker's */
      g_array_append_val (self->objects, object);
      g_array_append_val (self->origins, origin);
    }
  }
  for (guint i = 0; i < gst_upi_tracker_get_n_tracks (self->tracker); i++) {
    const GstUpiTrack *track = gst_upi_tracker_get_track (self->tracker, i);

    if (track->sighting < 0)
      add_track (self, track, -1);
  }
}

static void
forget (GstUpiTrackElement *self, gboolean numbers)
{
  gst_upi_tracker_reset (self->tracker, numbers);
  g_clear_pointer (&self->seen, gst_upi_content_unref);
  g_array_set_size (self->objects, 0);
  self->foreign = FALSE;
  self->seen_time = self->looked_at = 0;
  gst_upi_frame_times_init (&self->times);
}

static GstFlowReturn
gst_upi_track_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (filter);
  const GstUpiContentFlags flags = gst_upi_content_get_flags (frame->content);

  if (frame->stream != self->stream) {
    forget (self, TRUE);
    self->stream = frame->stream;
  }
  gst_upi_frame_times_take (&self->times, frame->time.stream_time, GST_BUFFER_PTS (frame->buffer),
      gst_upi_stream_time_is_reverse (gst_upi_filter_get_time (filter)));
  guint n_objects;
  const guint n = gst_upi_seen_count (frame->content, &n_objects);
  self->foreign = frame->foreign || (self->foreign && n == 0);
  if (!self->foreign
      && ((!gst_upi_content_is_encoded (frame->content) && n == 0) || (flags & GST_UPI_CONTENT_GEOMETRY_LOST) != 0))
    return GST_FLOW_OK; /* nobody looked */
  GST_OBJECT_LOCK (self);
  GstUpiTrackerOptions options = self->options;
  options.region = self->tracking_type == TRACKING_REGION;
  GST_OBJECT_UNLOCK (self);
  gst_upi_tracker_set_options (self->tracker, &options);
  if (frame->foreign)
    self->looked_at = self->times.time;
  if (self->foreign ? may_have_looked (self, frame)
                    : self->seen == NULL || gst_upi_seen_is_new (self->seen, frame->content)) {
    observe (self, frame, options.region);
  } else if (!self->foreign && (flags & GST_UPI_CONTENT_STATIC) != 0) {
    gst_upi_tracker_observe_still (self->tracker, self->times.time);
    self->seen_time = self->times.time;
  }
  collect_objects (self);
  *content = gst_upi_content_set_objects (
      frame->content, (const GstUpiObject *) (gpointer) self->objects->data, self->objects->len);
  return GST_FLOW_OK;
}

/* Others' metadata say the same. */
static void
gst_upi_track_attach (GstUpiFilter *filter, GstBuffer *buffer, const GstUpiFilterFrame *frame, GstUpiContent *content)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (filter);
  guint n;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);
  g_autoptr (GPtrArray) metas = gst_upi_roi_list (buffer);

  if (self->seen == NULL)
    return;
  self->has_roi |= !self->foreign && metas->len > 0;
  if (self->has_roi && !self->foreign)
    gst_upi_seen_attach_roi (self->seen, (const gint *) (gpointer) self->origins->data, objects,
        MIN (n, self->origins->len), buffer, metas, frame->width, frame->height);
#ifdef HAVE_GST_ANALYTICS
  self->has_analytics |= self->foreign || gst_upi_relation_has_objects (buffer);
  if (self->has_analytics)
    gst_upi_relation_write_objects (buffer, objects, n, frame->width, frame->height, TRUE);
#endif
}

static void
gst_upi_track_reset (GstUpiFilter *filter)
{
  forget (GST_UPI_TRACK (filter), FALSE);
}

static gboolean
gst_upi_track_start (GstUpiFilter *filter)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (filter);

  forget (self, TRUE);
  self->stream = 0;
  self->has_roi = FALSE;
#ifdef HAVE_GST_ANALYTICS
  self->has_analytics = FALSE;
#endif
  return TRUE;
}

static gboolean
gst_upi_track_query (GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  if (direction == GST_PAD_SINK && gst_upi_reader_query_is (query, GST_UPI_QUERY_CANDIDATE_READER))
    return TRUE;
  return GST_BASE_TRANSFORM_CLASS (gst_upi_track_parent_class)->query (trans, direction, query);
}

static void
gst_upi_track_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_TRACKING_TYPE:
    self->tracking_type = (TrackingType) g_value_get_enum (value);
    gst_upi_filter_set_reads_encoding (GST_UPI_FILTER (self), self->tracking_type == TRACKING_REGION);
    break;
  case PROP_IOU_THRESHOLD:
    self->options.iou_threshold = (gdouble) g_value_get_float (value);
    break;
  case PROP_MAX_LOST_TIME:
    self->options.max_lost_time = seconds_of (g_value_get_uint64 (value));
    break;
  case PROP_MIN_HITS_TIME:
    self->options.min_hits_time = seconds_of (g_value_get_uint64 (value));
    break;
  case PROP_PER_LABEL:
    self->options.per_label = g_value_get_boolean (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_track_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_TRACKING_TYPE:
    g_value_set_enum (value, (gint) self->tracking_type);
    break;
  case PROP_IOU_THRESHOLD:
    g_value_set_float (value, (gfloat) self->options.iou_threshold);
    break;
  case PROP_MAX_LOST_TIME:
    g_value_set_uint64 (value, time_of (self->options.max_lost_time));
    break;
  case PROP_MIN_HITS_TIME:
    g_value_set_uint64 (value, time_of (self->options.min_hits_time));
    break;
  case PROP_PER_LABEL:
    g_value_set_boolean (value, self->options.per_label);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_track_finalize (GObject *object)
{
  GstUpiTrackElement *self = GST_UPI_TRACK (object);

  g_clear_pointer (&self->seen, gst_upi_content_unref);
  gst_upi_tracker_free (self->tracker);
  g_array_unref (self->objects);
  g_array_unref (self->origins);
  G_OBJECT_CLASS (gst_upi_track_parent_class)->finalize (object);
}

#define LONGEST (G_GUINT64_CONSTANT (3600) * GST_SECOND)

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  GstUpiTrackerOptions defaults;

  gst_upi_tracker_options_init (&defaults);
  /**
   * GstUpiTrack:tracking-type:
   *
   * What tells objects apart: motion and overlap alone, or what they look like, too.
   */
  g_object_class_install_property (object_class, PROP_TRACKING_TYPE,
      g_param_spec_enum ("tracking-type", "Tracking type",
          "What tells objects apart: box (motion and overlap) or region (what they look like, too: the encoding stays "
          "with the frames up to here) (default: region)",
          GST_TYPE_UPI_TRACKING_TYPE, TRACKING_REGION, live));
  /**
   * GstUpiTrack:iou-threshold:
   *
   * Least overlap of an object with where its track is expected.
   */
  g_object_class_install_property (object_class, PROP_IOU_THRESHOLD,
      g_param_spec_float ("iou-threshold", "IoU threshold",
          "Least overlap of an object with where its track is expected, times its confidence, 0..1; boxes grow for it "
          "by 0.3 of their size on every side (default: 0.22)",
          0, 1, (gfloat) defaults.iou_threshold, live));
  /**
   * GstUpiTrack:max-lost-time:
   *
   * For how long an object may be out of sight and still have its id when it comes back.
   */
  g_object_class_install_property (object_class, PROP_MAX_LOST_TIME,
      g_param_spec_uint64 ("max-lost-time", "Maximum lost time",
          "For how long an object may be out of sight and still have its id when it comes back, nanoseconds (default: "
          "4 s)",
          0, LONGEST, time_of (defaults.max_lost_time), live));
  /**
   * GstUpiTrack:min-hits-time:
   *
   * For how long an object must be seen before it gets an id.
   */
  g_object_class_install_property (object_class, PROP_MIN_HITS_TIME,
      g_param_spec_uint64 ("min-hits-time", "Minimum hits time",
          "For how long an object must be seen before it gets an id, nanoseconds; what is there when the stream begins "
          "gets one at once (default: 30 ms)",
          0, LONGEST, time_of (defaults.min_hits_time), live));
  /**
   * GstUpiTrack:per-label:
   *
   * Objects of another label are other objects.
   */
  g_object_class_install_property (object_class, PROP_PER_LABEL,
      g_param_spec_boolean ("per-label", "Per label",
          "Objects of another label are other objects, but where they lie in the very same place (default: true)",
          defaults.per_label, live));
}

static void
gst_upi_track_class_init (GstUpiTrackElementClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  object_class->set_property = gst_upi_track_set_property;
  object_class->get_property = gst_upi_track_get_property;
  object_class->finalize = gst_upi_track_finalize;
  GST_BASE_TRANSFORM_CLASS (klass)->query = gst_upi_track_query;
  filter_class->reads_encoding = TRUE;
  filter_class->takes_foreign = TRUE;
  filter_class->start = gst_upi_track_start;
  filter_class->process = gst_upi_track_process;
  filter_class->attach = gst_upi_track_attach;
  filter_class->reset = gst_upi_track_reset;
  install_properties (object_class);
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Uni-Perceiver v2 object tracker",
      "Filter/Analyzer/Video",
      "Gives objects that upidetect found ids that stay with them from frame to frame, and moves them on where nobody "
      "looked. Example: upiencoder ! upidetect ! upitrack ! upioverlay draw-ids=true",
      "The upi authors");
}

static void
gst_upi_track_init (GstUpiTrackElement *self)
{
  self->tracker = gst_upi_tracker_new (gst_upi_shown_free);
  self->tracking_type = TRACKING_REGION;
  gst_upi_tracker_options_init (&self->options);
  self->objects = g_array_new (FALSE, TRUE, sizeof (GstUpiObject));
  g_array_set_clear_func (self->objects, clear_object);
  self->origins = g_array_new (FALSE, FALSE, sizeof (gint));
  gst_upi_frame_times_init (&self->times);
}
