/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupirules.c: the element that makes events of what is known of frames. The rules themselves know no GStreamer: see
 * state.h. */
/**
 * SECTION:element-upirules
 * @title: upirules
 * @short_description: zones, lines, counts and sentences: says what happened
 *
 * upirules holds what the elements before it know of a frame against rules, and says what happened: somebody entered a
 * zone, stays in it, left it; crossed a line, in which direction; there are more of them than so many; a sentence has
 * been true for so long. Zones and lines follow single objects, by the ids that upitrack gives them: put it before.
 * Counts and sentences do without.
 *
 * |[
 * gst-launch-1.0 -m filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder !
 *   upidetect labels="person, dog" ! upitrack !
 *   upirules rules-file=pipelines/rules/zone.json ! upioverlay ! videoconvert ! autovideosink sync=false
 * ]|
 *
 * From GStreamer 1.24 on objects that another detector put into a GstAnalyticsRelationMeta count, too, as in upitrack,
 * which has said so where it stands before: without it with the ids of the other's tracker, if it has one (beyond
 * 2^53 - 1 folded, 0 as that). Such a stream needs no upiencoder, but for phrases.
 *
 * ## Rules
 * A JSON file, or the same text in #GstUpiRules:rules: `{"rules": {"a name": {"type": …, …}, …}}`, whose schema for
 * editors is installed as upi/schema/upi-rules-1.schema.json; pipelines/rules has an example of each. Coordinates are
 * 0..1 of the frame from its upper left corner; times are seconds. An object is where the middle of its box's lower
 * edge is. The keys of a rule:
 *
 * * `type`: `zone`, `line`, `count` (of the whole frame) or `phrase`
 * * `labels` (a list; without: all), `min_score`, `min_area` (of the box, in 0..1 of the frame's): which objects count,
 *   all but phrases. An object that reached score and size once stays
 * * `min_time`: how long it must hold before it is an event. `cooldown`: after an event began, so long no other of the
 *   rule begins; it is counted all the same, and what began ends
 * * zone: `polygon` (three corners or more; an edge is inside; where it crosses itself, even-odd), `dwell` (an update
 *   after so long inside), `above`, `below` (events while there are more, or fewer, than so many inside)
 * * line: `points` (two), `mode`: `loose` (counts at the first step across), `balanced` (once it is clear of the line
 *   by a tenth of its box, the default), `strict` (clear of it before and after, within 45° of straight across),
 *   `direction`: `both`, `forward` (to the right hand of one who walks from the first point to the second) or
 *   `backward`
 * * count: `above`, `below`
 * * phrase: `text` (a sentence), `threshold` (the probability from which it holds, 0.5): a calibrated one, which does
 *   not depend on other sentences
 *
 * Beside `rules` a file may have `lost_time` (an object that nobody saw for longer has gone, 2), `comment`, `version`
 * (1). A box that upitrack predicted keeps its object from being lost and makes no event. Who is given an id some time
 * after it was first seen, as upitrack may have to, has come from there: what it crossed or left on the way counts.
 *
 * A file that changes while playing is taken whole or not at all: a warning names what is wrong, and the rules before
 * stay. Rules that say the same as before keep their counts. At the start a wrong file is an error.
 *
 * A custom upstream event `upi-control` (`target` "upirules", `property` "rules", `value` the text) sets
 * #GstUpiRules:rules, too: the nearest upirules takes it. upijson sends such for messages of its broker, where it is
 * allowed to (control=true).
 *
 * ## Events
 * Each is an element message `upi-event` with `id` (guint64), `type` (`new`, `update`, `end`), `kind` (the rule's
 * type), `rule` (its name), `what` (see #GstUpiEvent), `label`, `track-id` (guint64; 0: none), `score`, `x`, `y`,
 * `width`, `height` (gdouble), `count` (guint), `total-in`, `total-out` (guint64: who entered or crossed forward, who
 * left or crossed backward), `stream` (guint) and, all guint64 in nanoseconds, `stream-time`, `running-time` and
 * `since` (running time at which it began). An event's `id` and `rule` are the same from `new` to `end`; a line crossed
 * is one `new` and nothing more. The frame in which it was noticed carries it too (gst_upi_content_get_events()),
 * upijson writes it, and every frame carries how the rules stand (gst_upi_content_get_rules()), which upioverlay draws.
 *
 * At a flush, a new stream or a jump of stream time, and at EOS, what goes on ends with `what` = `stop`; the first
 * frame behind it carries those, at EOS a custom event (%GST_UPI_LATE_EVENTS).
 */
#include <gst/gst.h>

#include <string.h>

#include "gst/engine-error.h"
#include "gst/filter.h"
#include "gst/plugin.h"
#include "gst/rules/attach.h"
#include "gst/rules/phrases.h"
#include "gst/rules/source.h"
#include "gst/upstream.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_rules_debug);
#define GST_CAT_DEFAULT gst_upi_rules_debug

#define WARNING_NO_TRACKS 0 /* of gst_upi_filter_is_first() */
#define WARNING_NO_ENCODER 1

#define GST_TYPE_UPI_RULES (gst_upi_rules_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiRules, gst_upi_rules, GST, UPI_RULES, GstUpiFilter)

struct _GstUpiRules {
  GstUpiFilter parent;
  RulesSource *source;

  /* Streaming thread. */
  RulesState *state;
  GstUpiPhrases *phrases;
  UpiEngine *engine;        /* nullable: of the last encoding; the rules' phrases are fit for it */
  gboolean begun;           /* something was known of a frame */
  guint stream;             /* of the last frame */
  GstClockTime stream_time; /* of the last frame */
  GstUpiContent *carried;   /* nullable: events that no frame has carried yet */
};

enum { PROP_0, PROP_RULES_FILE, PROP_RULES };

G_DEFINE_TYPE (GstUpiRules, gst_upi_rules, GST_TYPE_UPI_FILTER)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upirules, "upirules", GST_RANK_NONE, GST_TYPE_UPI_RULES,
    GST_DEBUG_CATEGORY_INIT (gst_upi_rules_debug, "upirules", 0, "makes events of what is known of frames"))

/* Posts @events and keeps them for the frame that carries them. */
static void
take_events (GstUpiRules *self, const GArray *events)
{
  if (events->len == 0)
    return;
  if (self->carried == NULL)
    self->carried = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  for (guint i = 0; i < events->len; i++) {
    GstUpiEvent event =
        gst_upi_rules_take_event (&g_array_index (events, RulesEvent, i), self->stream, self->stream_time);
    GstStructure *structure = gst_upi_rules_event_structure (&event);
    GstUpiContent *before = self->carried;

    GST_INFO_OBJECT (self, "%" GST_PTR_FORMAT, structure);
    gst_element_post_message (GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), structure));
    self->carried = gst_upi_content_add_events (before, &event, 1);
    gst_upi_content_unref (before);
  }
}

static void
take_rules (GstUpiRules *self, Rules *rules)
{
  gst_upi_phrases_take_rules (self->phrases, rules);
  gst_upi_filter_set_reads_encoding (GST_UPI_FILTER (self), gst_upi_phrases_any (self->phrases));
}

/* Other rules, if there are any that can be taken. */
static void
reload (GstUpiRules *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_source_poll (self->source, &error);

  if (rules != NULL && gst_upi_phrases_can (self->engine, rules, &error)) {
    GST_INFO_OBJECT (self, "takes %u other rules", rules->rules->len);
    take_events (self, rules_state_replace (self->state, rules));
    take_rules (self, rules);
  } else if (error != NULL) {
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS, ("%s. The rules before stay.", error->message),
        ("rules are taken whole or not at all"));
  }
}

/* GstUpiUpstreamFunc */
static gboolean
is_tracker (GstPad *srcpad, GstElement *element, gpointer user_data)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory != NULL && g_str_equal (GST_OBJECT_NAME (factory), "upitrack");
}

/* Zones and lines follow objects by their ids. */
static void
check_tracks (GstUpiRules *self, const GArray *objects)
{
  if (objects->len == 0 || !rules_need_tracks (rules_state_rules (self->state)))
    return;
  for (guint i = 0; i < objects->len; i++)
    if (g_array_index (objects, RulesObject, i).track != 0)
      return;
  if (!gst_upi_filter_is_first (GST_UPI_FILTER (self), WARNING_NO_TRACKS)
      || gst_upi_upstream_find (
          GST_BASE_TRANSFORM_SINK_PAD (self), is_tracker, NULL)) /* its tracks are not old enough yet */
    return;
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
  GST_ELEMENT_WARNING (self, STREAM, FORMAT,
      ("%s has zones or lines, and the objects that reach it have no track ids: put upitrack before it. Only its "
       "counts and phrases work.",
          name),
      ("%u objects without a track", objects->len));
}

/* GstUpiUpstreamFunc */
static gboolean
is_encoder (GstPad *srcpad, GstElement *element, gpointer user_data)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory != NULL && g_str_equal (GST_OBJECT_NAME (factory), "upiencoder");
}

/* Sentences are asked of the encoding, which other detectors do without. */
static void
check_encoder (GstUpiRules *self, const GstUpiFilterFrame *frame)
{
  if (!frame->foreign || gst_upi_content_is_encoded (frame->content) || !gst_upi_phrases_any (self->phrases)
      || !gst_upi_filter_is_first (GST_UPI_FILTER (self), WARNING_NO_ENCODER)
      || gst_upi_upstream_find (GST_BASE_TRANSFORM_SINK_PAD (self), is_encoder, NULL))
    return;
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
  GST_ELEMENT_WARNING (self, STREAM, FORMAT,
      ("%s has phrases, and the frames that reach it were not encoded: put upiencoder before it. Only its zones, lines "
       "and counts work.",
          name),
      ("objects are of another detector"));
}

/* The engine's answer to phrases. FALSE: @flow is to be returned. */
static gboolean
classify (GstUpiRules *self, const GstUpiFilterFrame *frame, const gfloat **probabilities, GstFlowReturn *flow)
{
  g_autoptr (GError) error = NULL, warning = NULL;
  UpiEngine *engine = frame->encoding != NULL ? upi_encoding_engine (frame->encoding) : NULL;

  *probabilities = NULL;
  if (engine != NULL && engine != self->engine) {
    if (!gst_upi_phrases_can (engine, rules_state_rules (self->state), &error)) {
      GST_UPI_ERROR (self, error);
      *flow = GST_FLOW_ERROR;
      return FALSE;
    }
    g_clear_pointer (&self->engine, upi_engine_unref);
    self->engine = upi_engine_ref (engine);
  }
  if (!gst_upi_phrases_classify (self->phrases, frame, probabilities, &warning, &error)) {
    *flow = gst_upi_filter_fail (GST_UPI_FILTER (self), frame->may_wait, error);
    return *flow == GST_FLOW_OK;
  }
  if (warning != NULL)
    GST_UPI_WARNING (self, warning);
  return TRUE;
}

/* (transfer full): @content with what happened in its frame, or had to wait for one, and with how the rules stand */
static GstUpiContent *
add_to_content (GstUpiRules *self, GstUpiContent *content)
{
  guint n = 0;
  const GstUpiEvent *events = self->carried != NULL ? gst_upi_content_get_events (self->carried, &n) : NULL;
  g_autoptr (GstUpiContent) with_events = gst_upi_content_add_events (content, events, n);

  g_clear_pointer (&self->carried, gst_upi_content_unref);
  return gst_upi_rules_add_views (with_events, self->state);
}

static GstFlowReturn
gst_upi_rules_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiRules *self = GST_UPI_RULES (filter);
  GstFlowReturn flow = GST_FLOW_OK;
  const gfloat *probabilities;

  reload (self);
  if (!classify (self, frame, &probabilities, &flow))
    return flow;
  g_autoptr (GArray) objects = gst_upi_rules_objects (frame->content);
  self->begun |= objects->len > 0 || frame->foreign || gst_upi_content_is_encoded (frame->content);
  if (self->begun) { /* before the first result nobody knows whether there is nothing */
    const RulesFrame now = { .time = GST_CLOCK_TIME_IS_VALID (frame->time.running_time) ? frame->time.running_time : 0,
      .aspect = frame->height > 0 ? (gdouble) frame->width / frame->height : 1,
      .objects = (const RulesObject *) objects->data,
      .n_objects = objects->len,
      .phrases = probabilities };
    check_tracks (self, objects);
    check_encoder (self, frame);
    const GArray *events = rules_state_take_frame (self->state, &now);
    self->stream = frame->stream;
    self->stream_time = frame->time.stream_time;
    take_events (self, events);
  }
  *content = add_to_content (self, frame->content);
  return GST_FLOW_OK;
}

/* What goes on ends. */
static void
gst_upi_rules_reset (GstUpiFilter *filter)
{
  GstUpiRules *self = GST_UPI_RULES (filter);

  if (self->state != NULL)
    take_events (self, rules_state_stop (self->state));
  gst_upi_phrases_forget (self->phrases);
  self->begun = FALSE;
}

/* Before EOS: no frame comes any more that could carry what ends there. */
static void
gst_upi_rules_event (GstUpiFilter *filter, GstEvent *event)
{
  GstUpiRules *self = GST_UPI_RULES (filter);

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return;
  gst_upi_rules_reset (filter);
  if (self->carried == NULL)
    return;
  GstStructure *structure =
      gst_structure_new (GST_UPI_LATE_EVENTS, "content", GST_TYPE_UPI_CONTENT, self->carried, NULL);
  g_clear_pointer (&self->carried, gst_upi_content_unref);
  gst_pad_push_event (GST_BASE_TRANSFORM_SRC_PAD (self), gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, structure));
}

static void
gst_upi_rules_unlock (GstUpiFilter *filter)
{
  gst_upi_phrases_set_flushing (GST_UPI_RULES (filter)->phrases, TRUE);
}

static void
gst_upi_rules_unlock_stop (GstUpiFilter *filter)
{
  gst_upi_phrases_set_flushing (GST_UPI_RULES (filter)->phrases, FALSE);
}

static gboolean
gst_upi_rules_start (GstUpiFilter *filter)
{
  GstUpiRules *self = GST_UPI_RULES (filter);
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_source_read (self->source, &error);

  if (rules == NULL) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s.", error->message),
        ("upirules starts with the rules it was given, or not at all"));
    return FALSE;
  }
  self->state = rules_state_new (rules);
  take_rules (self, rules);
  return TRUE;
}

static void
gst_upi_rules_stop (GstUpiFilter *filter)
{
  GstUpiRules *self = GST_UPI_RULES (filter);

  gst_upi_phrases_stop (self->phrases);
  g_clear_pointer (&self->state, rules_state_free);
  g_clear_pointer (&self->engine, upi_engine_unref);
  g_clear_pointer (&self->carried, gst_upi_content_unref);
}

static void
gst_upi_rules_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiRules *self = GST_UPI_RULES (object);

  switch (id) {
  case PROP_RULES_FILE:
    rules_source_set_file (self->source, g_value_get_string (value));
    break;
  case PROP_RULES:
    rules_source_set_text (self->source, g_value_get_string (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
}

static void
gst_upi_rules_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiRules *self = GST_UPI_RULES (object);

  switch (id) {
  case PROP_RULES_FILE:
    g_value_take_string (value, rules_source_get_file (self->source));
    break;
  case PROP_RULES:
    g_value_take_string (value, rules_source_get_text (self->source));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
}

/* The rules are what others may change, if they are any. What is wrong with them is said in the log alone: others are
 * not to fill the bus. */
static gboolean
gst_upi_rules_control (GstUpiFilter *filter, const gchar *property, const gchar *value)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules =
      g_str_equal (property, "rules") ? rules_parse (value, strlen (value), "upi-control", &error) : NULL;

  if (rules != NULL)
    g_object_set (filter, "rules", value, NULL);
  else if (error != NULL)
    GST_WARNING_OBJECT (filter, "%s", error->message);
  return rules != NULL;
}

static void
gst_upi_rules_finalize (GObject *object)
{
  GstUpiRules *self = GST_UPI_RULES (object);

  gst_upi_phrases_free (self->phrases);
  rules_source_free (self->source);
  G_OBJECT_CLASS (gst_upi_rules_parent_class)->finalize (object);
}

static void
gst_upi_rules_class_init (GstUpiRulesClass *klass)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  object_class->set_property = gst_upi_rules_set_property;
  object_class->get_property = gst_upi_rules_get_property;
  object_class->finalize = gst_upi_rules_finalize;
  filter_class->takes_foreign = TRUE;
  filter_class->start = gst_upi_rules_start;
  filter_class->stop = gst_upi_rules_stop;
  filter_class->unlock = gst_upi_rules_unlock;
  filter_class->unlock_stop = gst_upi_rules_unlock_stop;
  filter_class->process = gst_upi_rules_process;
  filter_class->reset = gst_upi_rules_reset;
  filter_class->event = gst_upi_rules_event;
  filter_class->control = gst_upi_rules_control;
  /**
   * GstUpiRules:rules-file:
   *
   * Path of a JSON file of rules, read anew when it changes; one that cannot be honoured is an error at the start,
   * later a warning, and the old rules stay.
   */
  g_object_class_install_property (object_class, PROP_RULES_FILE,
      g_param_spec_string ("rules-file", "Rules file",
          "JSON file of zones, lines, counts and phrases; taken anew when it changes, whole or not at all; the later "
          "set of rules and "
          "rules-file counts (default: none; one of them is needed)",
          NULL, live));
  /**
   * GstUpiRules:rules:
   *
   * The text of such a file. Of the two properties the one set last counts.
   */
  g_object_class_install_property (object_class, PROP_RULES,
      g_param_spec_string ("rules", "Rules",
          "The text of such a file, as {\"rules\": {\"crowd\": {\"type\": \"count\", \"above\": 5}}}; may change while "
          "playing (default: "
          "none)",
          NULL, live));
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Uni-Perceiver v2 rules", "Filter/Analyzer/Video",
      "Says what happened, by zones, lines, counts and sentences: who entered, stays, left, crossed, how many there "
      "are. "
      "Example: upiencoder ! upidetect ! upitrack ! upirules rules-file=yard.json ! upioverlay",
      "The upi authors");
}

static void
gst_upi_rules_init (GstUpiRules *self)
{
  self->source = rules_source_new ();
  self->phrases = gst_upi_phrases_new ();
}
