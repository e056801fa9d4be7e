/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupimeta.h: what the upi elements know about a video frame, for any element or application downstream.
 *
 * upiencoder puts one GstUpiMeta on every buffer. Its content is immutable and reference-counted: an element that has
 * something to add makes a new content from the old one and puts it in the old one's place, so that the branches of a
 * tee never see each other's changes and frames that share an encoding share everything else too. All geometry is in
 * 0..1 of the frame: it survives scaling unchanged, and goes where the picture is moved within its frame (see
 * GST_UPI_CONTENT_GEOMETRY_LOST).
 *
 *   GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
 *   guint n = 0;
 *   const GstUpiObject *objects = meta != NULL ? gst_upi_content_get_objects (gst_upi_meta_get_content (meta), &n) :
 *   NULL; for (guint i = 0; i < n; i++)
 *     g_print ("%s %.2f\n", objects[i].label, objects[i].score);
 */
#pragma once

#include <gst/gst.h>

#include "core/upi.h"

G_BEGIN_DECLS

#ifndef GST_UPI_API
#define GST_UPI_API __attribute__ ((visibility ("default")))
#endif

typedef struct _GstUpiMeta GstUpiMeta;
typedef struct _GstUpiContent GstUpiContent;

/**
 * GstUpiObjectFlags:
 * @GST_UPI_OBJECT_NONE: seen in the frame that was inferred
 * @GST_UPI_OBJECT_PREDICTED: nobody saw it there: its box is where its track is expected
 * @GST_UPI_OBJECT_FOREIGN: another detector than upidetect found it: its region is no proposal of the encoding but the
 * id of its entry in the GstAnalyticsRelationMeta of the frame that it was seen in
 */
typedef enum {
  GST_UPI_OBJECT_NONE = 0,
  GST_UPI_OBJECT_PREDICTED = 1 << 0,
  GST_UPI_OBJECT_FOREIGN = 1 << 1
} GstUpiObjectFlags;

/**
 * GstUpiObject: one region of a frame. Zero-initialise it; 0 and NULL mean that nothing is known.
 * @label: UTF-8, one of the words that upidetect was given; owned by the content
 * @label_id: index of @label in that list
 * @score: 0..1
 * @x: left edge of the box in 0..1 of the frame's width
 * @y: its upper edge in 0..1 of the frame's height
 * @width: its width in 0..1 of the frame's
 * @height: its height in 0..1 of the frame's
 * @mask: (nullable): 8-bit instance mask, see #UpiMask; owned by the content
 * @region: which of the encoding's proposals it came from
 * @flags: bits of #GstUpiObjectFlags
 * @track_id: 1, 2, 3 … a stream, the same number as long as it is the same object; 0: nobody follows it
 * @velocity_x: how fast the box's centre moves to the right, in frames' widths a second; 0 without a track
 * @velocity_y: how fast it moves down, in frames' heights a second; 0 without a track
 * @age: for how long its track is known, nanoseconds; 0 without a track
 * @unseen: for how long nobody saw it, nanoseconds; 0: it was seen in this frame, or nobody follows it
 * @vector: (nullable) (array length=vector_length): what it is: its region of the encoding in 8 bits, to any
 * scale, to be compared with others by cosine; owned by the
 *   content. Only with a track. In full upi_encoding_region() has it, as long as the frame keeps its encoding
 * @vector_length: of @vector
 * @threshold: from which score on such objects are shown; 0: nobody says
 * @begin_x: where its track began, @age ago: the middle of its box's lower edge, in 0..1 of the frame's width; 0, and
 * @begin_y too: nobody knows
 * @begin_y: the same in 0..1 of its height. What happened before the object had its id can be told from it
 * @reserved: NULL
 *
 * It comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 136 bytes.
 */
typedef struct {
  const gchar *label;
  guint label_id;
  gfloat score;
  gfloat x, y, width, height;
  UpiMask *mask;
  guint region;
  guint flags;
  guint64 track_id;
  gfloat velocity_x, velocity_y;
  GstClockTime age;
  GstClockTime unseen;
  const gint8 *vector;
  guint vector_length;
  gfloat threshold;
  gfloat begin_x, begin_y;
  gpointer reserved[4];
} GstUpiObject;

/**
 * GstUpiCaptionRegion: a word of a caption and a region of the frame that it stands for. Zero-initialise it.
 * @first: byte of the caption's text at which the word, or the words ("hot dog"), begin
 * @bytes: how many bytes they are
 * @label: UTF-8, which of the model's own labels the word speaks of: "person" for "man"; owned by the content
 * @label_id: index of @label in the model's own list, which is not upidetect's
 * @score: 0..1, how well the region shows it; the best of the frame, however low
 * @x: left edge of the box in 0..1 of the frame's width
 * @y: its upper edge in 0..1 of the frame's height
 * @width: its width in 0..1 of the frame's
 * @height: its height in 0..1 of the frame's
 * @region: which of the encoding's proposals it is: a #GstUpiObject found in the same encoding has the same number
 * @flags: 0; bits to come
 * @reserved: NULL
 *
 * A word that needs two things (a skateboarder: a person and a skateboard) has two of them, one behind the other. It
 * comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 112 bytes.
 */
typedef struct _GstUpiCaptionRegion {
  guint first, bytes;
  const gchar *label;
  guint label_id;
  gfloat score;
  gfloat x, y, width, height;
  guint region;
  guint flags;
  gpointer reserved[8];
} GstUpiCaptionRegion;

/**
 * GstUpiCaptionFlags:
 * @GST_UPI_CAPTION_NONE: the sentence alone
 * @GST_UPI_CAPTION_GROUNDED: it was chosen by what the regions show, and its words carry them
 */
typedef enum { GST_UPI_CAPTION_NONE = 0, GST_UPI_CAPTION_GROUNDED = 1 << 0 } GstUpiCaptionFlags;

/**
 * GstUpiCaption: one sentence about the frame. Zero-initialise it.
 * @text: UTF-8; owned by the content
 * @pts: of the frame that it describes, nanoseconds, or GST_CLOCK_TIME_NONE
 * @duration: how long it is to be shown from the frame that it starts with, nanoseconds, or GST_CLOCK_TIME_NONE
 * @flags: bits of #GstUpiCaptionFlags
 * @n_regions: how many @regions there are
 * @regions: (nullable) (array length=n_regions): the regions that its words stand for, from left to right; owned by the
 * content
 * @reserved: NULL
 *
 * It comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 104 bytes.
 */
typedef struct {
  const gchar *text;
  GstClockTime pts;
  GstClockTime duration;
  guint flags;
  guint n_regions;
  const GstUpiCaptionRegion *regions;
  gpointer reserved[8];
} GstUpiCaption;

/**
 * GstUpiClassFlags:
 * @GST_UPI_CLASS_NONE: a share: the labels of its list exclude each other, their probabilities add up to 1
 * @GST_UPI_CLASS_INDEPENDENT: it is true or not, whatever the other labels are; a threshold can be held against it
 * @GST_UPI_CLASS_HOLDS: the one of its list that upiclassify's last "upi-classification" message named
 */
typedef enum {
  GST_UPI_CLASS_NONE = 0,
  GST_UPI_CLASS_INDEPENDENT = 1 << 0,
  GST_UPI_CLASS_HOLDS = 1 << 1
} GstUpiClassFlags;

/**
 * GstUpiClass: how probably a word or sentence is true of the whole frame. Zero-initialise it.
 * @label: UTF-8, one of those that upiclassify was given; owned by the content
 * @label_id: index of @label in that list
 * @probability: 0..1
 * @list: which upiclassify of those that the frame has passed: 0 for the first
 * @flags: bits of #GstUpiClassFlags
 * @pts: of the frame that it was found in, nanoseconds, or GST_CLOCK_TIME_NONE; with an interval an earlier one than
 * the buffer's
 * @reserved: NULL
 *
 * It comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 96 bytes.
 */
typedef struct _GstUpiClass {
  const gchar *label;
  guint label_id;
  gfloat probability;
  guint list;
  guint flags;
  GstClockTime pts;
  gpointer reserved[8];
} GstUpiClass;

/**
 * GstUpiContentFlags:
 * @GST_UPI_CONTENT_NONE: frames may be held until their results are there (upiencoder policy "block")
 * @GST_UPI_CONTENT_NEVER_WAIT: frames must not be held (upiencoder policy "latest"): attach what is ready, go on
 * @GST_UPI_CONTENT_GEOMETRY_LOST: the picture was moved within its frame, cut or turned (or nobody can tell): the
 * content is empty, as what was
 *   found would not lie on it
 * @GST_UPI_CONTENT_GEOMETRY_NAMED: an element has warned of that
 * @GST_UPI_CONTENT_STATIC: the frame was compared with the one that was inferred and looks the same (upiencoder
 * static-threshold): what was found
 *   there is true of this frame, as if it had been found here
 */
typedef enum {
  GST_UPI_CONTENT_NONE = 0,
  GST_UPI_CONTENT_NEVER_WAIT = 1 << 0,
  GST_UPI_CONTENT_GEOMETRY_LOST = 1 << 1,
  GST_UPI_CONTENT_GEOMETRY_NAMED = 1 << 2,
  GST_UPI_CONTENT_STATIC = 1 << 3
} GstUpiContentFlags;

/**
 * GstUpiEventType: where in its life an event is.
 * @GST_UPI_EVENT_NEW: something began, or happened in a moment (a line was crossed: nothing else follows)
 * @GST_UPI_EVENT_UPDATE: it goes on, and there is more to say of it
 * @GST_UPI_EVENT_END: it is over
 */
typedef enum { GST_UPI_EVENT_NEW, GST_UPI_EVENT_UPDATE, GST_UPI_EVENT_END } GstUpiEventType;

/**
 * GstUpiRuleKind: what a rule watches.
 * @GST_UPI_RULE_ZONE: a polygon
 * @GST_UPI_RULE_LINE: two points
 * @GST_UPI_RULE_COUNT: the whole frame
 * @GST_UPI_RULE_PHRASE: a sentence
 */
typedef enum { GST_UPI_RULE_ZONE, GST_UPI_RULE_LINE, GST_UPI_RULE_COUNT, GST_UPI_RULE_PHRASE } GstUpiRuleKind;

/**
 * GstUpiEvent: what a rule of upirules noticed. Zero-initialise it.
 * @id: 1, 2, 3 … of its upirules; the same from its new to its end. With @rule it names the event
 * @type: where in its life it is
 * @kind: of its rule
 * @rule: UTF-8, its rule's name; owned by the content
 * @what: of a zone "enter", "appear" (first seen inside), "dwell", "leave", "vanish" (lost inside); of a line "forward"
 * (to the right hand of one who
 *   walks from its first point to its second), "backward"; of zones and counts "above", "below"; of a phrase "phrase";
 *   of any that ends because its stream or its rule does "stop"; owned by the content
 * @label: UTF-8, of its object; "" where it has none; owned by the content
 * @track_id: of its object; 0: it has none
 * @score: of its object, or the phrase's probability; 0..1
 * @x: left edge of its object's box in 0..1 of the frame's width; 0 where it has none, as the three that follow
 * @y: its upper edge in 0..1 of the frame's height
 * @width: its width in 0..1 of the frame's
 * @height: its height in 0..1 of the frame's
 * @count: objects inside the zone or in the frame; 0 of other rules
 * @stream: which stream it happened in: STREAM_STARTs so far
 * @flags: 0; bits to come
 * @total_in: who entered the zone, who crossed the line forward, since the state began
 * @total_out: who left the zone, who crossed the line backward
 * @stream_time: of the frame that it was noticed in, nanoseconds, or GST_CLOCK_TIME_NONE
 * @running_time: of the same frame
 * @since: running time at which what it tells of began: min_time earlier, or for how long somebody has been inside
 * @reserved: NULL
 *
 * It comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 184 bytes.
 */
typedef struct _GstUpiEvent {
  guint64 id;
  GstUpiEventType type;
  GstUpiRuleKind kind;
  const gchar *rule;
  const gchar *what;
  const gchar *label;
  guint64 track_id;
  gfloat score;
  gfloat x, y, width, height;
  guint count;
  guint stream;
  guint flags;
  guint64 total_in, total_out;
  GstClockTime stream_time, running_time, since;
  gpointer reserved[8];
} GstUpiEvent;

/**
 * GstUpiPoint: a corner of a zone or an end of a line.
 * @x: in 0..1 of the frame's width
 * @y: in 0..1 of its height
 */
typedef struct {
  gfloat x, y;
} GstUpiPoint;

/**
 * GstUpiRuleFlags:
 * @GST_UPI_RULE_NONE: quiet
 * @GST_UPI_RULE_ACTIVE: an event of the rule is going on, or began with this frame
 */
typedef enum { GST_UPI_RULE_NONE = 0, GST_UPI_RULE_ACTIVE = 1 << 0 } GstUpiRuleFlags;

/**
 * GstUpiRule: a rule of upirules and how it stands, for who draws it. Zero-initialise it.
 * @name: UTF-8; owned by the content
 * @kind: what it watches
 * @flags: bits of #GstUpiRuleFlags
 * @n_points: how many @points there are
 * @points: (nullable) (array length=n_points): the zone's corners, which closes by itself, or the line's two ends;
 * owned by the content
 * @count: objects inside the zone or in the frame now
 * @total_in: who entered the zone, who crossed the line forward, since the state began
 * @total_out: who left the zone, who crossed the line backward
 * @score: the phrase's probability in this frame, 0..1; below 0: nobody knows it yet
 * @text: the phrase; "" of other rules; owned by the content
 * @reserved: NULL
 *
 * It comes in arrays: its size and the places of its fields are fixed for ever, here for x86-64: 128 bytes.
 */
typedef struct _GstUpiRule {
  const gchar *name;
  GstUpiRuleKind kind;
  guint flags;
  const GstUpiPoint *points;
  guint n_points;
  guint count;
  guint64 total_in, total_out;
  gfloat score;
  const gchar *text;
  gpointer reserved[8];
} GstUpiRule;

#define GST_TYPE_UPI_CONTENT (gst_upi_content_get_type ())
/**
 * gst_upi_content_get_type:
 *
 * Returns: the boxed type %GST_TYPE_UPI_CONTENT
 */
GST_UPI_API GType gst_upi_content_get_type (void);

/**
 * gst_upi_content_new:
 * @encoding: (nullable) (transfer none): NULL for a frame before the first encoding
 * @pts: PTS of the frame that @encoding was inferred from, or GST_CLOCK_TIME_NONE
 *
 * Returns: (transfer full): a content without objects and captions
 */
GST_UPI_API GstUpiContent *gst_upi_content_new (UpiEncoding *encoding, GstClockTime pts, GstUpiContentFlags flags);

/**
 * gst_upi_content_ref:
 *
 * Returns: (transfer full): @content
 */
GST_UPI_API GstUpiContent *gst_upi_content_ref (GstUpiContent *content);

/**
 * gst_upi_content_unref:
 * @content: (transfer full):
 *
 * From any thread.
 */
GST_UPI_API void gst_upi_content_unref (GstUpiContent *content);

/**
 * gst_upi_content_add_objects:
 * @objects: (array length=n_objects): copied; masks are referenced
 *
 * Returns: (transfer full): a new content: that of @content with @objects behind its own
 */
GST_UPI_API GstUpiContent *
gst_upi_content_add_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects);

/**
 * gst_upi_content_set_objects: what upitrack does.
 * @objects: (array length=n_objects): copied; masks are referenced
 *
 * Returns: (transfer full): a new content: that of @content with @objects in place of its own, and without candidates
 */
GST_UPI_API GstUpiContent *
gst_upi_content_set_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects);

/**
 * gst_upi_content_add_candidates: what may be an object and is too uncertain to be shown. upidetect adds them where an
 * upitrack follows (%GST_UPI_QUERY_CANDIDATE_READER), which alone reads them.
 * @candidates: (array length=n_candidates): copied; masks are referenced
 *
 * Returns: (transfer full): a new content: that of @content with @candidates behind its own
 */
GST_UPI_API GstUpiContent *
gst_upi_content_add_candidates (GstUpiContent *content, const GstUpiObject *candidates, guint n_candidates);

/**
 * gst_upi_content_set_captions:
 * @captions: (array length=n_captions): copied, with their regions
 *
 * Returns: (transfer full): a new content: that of @content with @captions in place of its own
 */
GST_UPI_API GstUpiContent *
gst_upi_content_set_captions (GstUpiContent *content, const GstUpiCaption *captions, guint n_captions);

/**
 * gst_upi_content_add_events:
 * @events: (array length=n_events): copied
 *
 * Returns: (transfer full): a new content: that of @content with @events behind its own
 */
GST_UPI_API GstUpiContent *
gst_upi_content_add_events (GstUpiContent *content, const GstUpiEvent *events, guint n_events);

/**
 * gst_upi_content_add_rules:
 * @rules: (array length=n_rules): copied
 *
 * Returns: (transfer full): a new content: that of @content with @rules behind its own
 */
GST_UPI_API GstUpiContent *gst_upi_content_add_rules (GstUpiContent *content, const GstUpiRule *rules, guint n_rules);

/**
 * gst_upi_content_add_classes:
 * @classes: (array length=n_classes): of one list, best first; copied, their list is numbered
 *
 * Returns: (transfer full): a new content: that of @content with @classes behind its own
 */
GST_UPI_API GstUpiContent *
gst_upi_content_add_classes (GstUpiContent *content, const GstUpiClass *classes, guint n_classes);

/**
 * gst_upi_content_drop_encoding: an encoding weighs megabytes; its last reader lets go of it so that queues of finished
 * frames stay light.
 *
 * Returns: (transfer full): a content without encoding and with all the rest of @content
 */
GST_UPI_API GstUpiContent *gst_upi_content_drop_encoding (GstUpiContent *content);

/**
 * gst_upi_content_drop_encoding_by: the same, and who did it is remembered for a reader that comes too late.
 * @element: name of the element
 */
GST_UPI_API GstUpiContent *gst_upi_content_drop_encoding_by (GstUpiContent *content, const gchar *element);

/**
 * gst_upi_content_lose_geometry:
 * @content: (nullable): what the frame had
 * @named: whether an element has warned of it
 * @recoverable: whether @content may turn out to lie on the frame all the same: see gst_upi_content_get_whole()
 *
 * Returns: (transfer full): an empty content with %GST_UPI_CONTENT_GEOMETRY_LOST
 */
GST_UPI_API GstUpiContent *gst_upi_content_lose_geometry (GstUpiContent *content, gboolean named, gboolean recoverable);

/**
 * gst_upi_content_get_whole: a scaler tells the two sizes and not whether it adds borders. Who knows that the whole
 * picture fills the frame, though their display aspects differ, takes the content from before.
 *
 * Returns: (transfer none) (nullable): NULL also where the geometry was never lost
 */
GST_UPI_API GstUpiContent *gst_upi_content_get_whole (GstUpiContent *content);

/**
 * GST_UPI_QUERY_ENCODING_READER: name of the structure of a custom query that upi elements send downstream. Who reads
 * encodings answers it, then they stay in the frames up to there: upidetect and upicaption do. An application that
 * reads them says so in a probe of its sink's pad (%GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, return
 * %GST_PAD_PROBE_HANDLED), or sets keep-encoding=yes on the elements before.
 */
#define GST_UPI_QUERY_ENCODING_READER "upi-encoding-reader"

/**
 * GST_UPI_LATE_EVENTS: name of the structure of a custom downstream event that upirules sends before EOS where
 * something went on: the ends of it, for which no frame comes any more, are in its field "content"
 * (%GST_TYPE_UPI_CONTENT). upijson writes them.
 */
#define GST_UPI_LATE_EVENTS "upi-late-events"

/**
 * gst_upi_content_get_encoding:
 *
 * Returns: (transfer none) (nullable): NULL before the first encoding and after it was dropped
 */
GST_UPI_API UpiEncoding *gst_upi_content_get_encoding (const GstUpiContent *content);

/**
 * gst_upi_content_is_encoded:
 *
 * Returns: TRUE once an encoding was attached, also after it was dropped; FALSE: this frame is older than the first
 * result
 */
GST_UPI_API gboolean gst_upi_content_is_encoded (const GstUpiContent *content);

/**
 * gst_upi_content_get_dropper:
 *
 * Returns: (transfer none) (nullable): the element that dropped the encoding, if it gave its name
 */
GST_UPI_API const gchar *gst_upi_content_get_dropper (const GstUpiContent *content);

/**
 * gst_upi_content_get_inference_pts:
 *
 * Returns: PTS of the frame that was inferred; under policy "latest" or with inference-interval > 1 an earlier one than
 * the buffer's
 */
GST_UPI_API GstClockTime gst_upi_content_get_inference_pts (const GstUpiContent *content);

/**
 * gst_upi_content_get_flags:
 *
 * Returns: what is known of the content as a whole
 */
GST_UPI_API GstUpiContentFlags gst_upi_content_get_flags (const GstUpiContent *content);

/**
 * gst_upi_content_get_objects:
 * @n_objects: (out): how many
 *
 * Returns: (array length=n_objects) (transfer none) (nullable): valid as long as @content; best first per element that
 * found them
 */
GST_UPI_API const GstUpiObject *gst_upi_content_get_objects (const GstUpiContent *content, guint *n_objects);

/**
 * gst_upi_content_get_candidates:
 * @n_candidates: (out): how many
 *
 * Returns: (array length=n_candidates) (transfer none) (nullable): valid as long as @content; nobody but a tracker
 * wants them
 */
GST_UPI_API const GstUpiObject *gst_upi_content_get_candidates (const GstUpiContent *content, guint *n_candidates);

/**
 * GST_UPI_QUERY_CANDIDATE_READER: name of the structure of a custom query that upidetect sends downstream. Who reads
 * candidates answers it: upitrack does.
 */
#define GST_UPI_QUERY_CANDIDATE_READER "upi-candidate-reader"

/**
 * gst_upi_content_get_captions:
 * @n_captions: (out): how many
 *
 * Returns: (array length=n_captions) (transfer none) (nullable): valid as long as @content
 */
GST_UPI_API const GstUpiCaption *gst_upi_content_get_captions (const GstUpiContent *content, guint *n_captions);

/**
 * gst_upi_content_get_events: what happened in this very frame: unlike objects and captions they are on no frame after
 * it.
 * @n_events: (out): how many
 *
 * Returns: (array length=n_events) (transfer none) (nullable): valid as long as @content; those of each upirules in the
 * order of its rules
 */
GST_UPI_API const GstUpiEvent *gst_upi_content_get_events (const GstUpiContent *content, guint *n_events);

/**
 * gst_upi_content_get_rules: the rules of all upirules that the frame has passed, and how they stand.
 * @n_rules: (out): how many
 *
 * Returns: (array length=n_rules) (transfer none) (nullable): valid as long as @content
 */
GST_UPI_API const GstUpiRule *gst_upi_content_get_rules (const GstUpiContent *content, guint *n_rules);

/**
 * gst_upi_content_get_classes:
 * @n_classes: (out): how many
 *
 * Returns: (array length=n_classes) (transfer none) (nullable): valid as long as @content; list by list, best first
 */
GST_UPI_API const GstUpiClass *gst_upi_content_get_classes (const GstUpiContent *content, guint *n_classes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiContent, gst_upi_content_unref)

/**
 * GstUpiMeta: made by GStreamer, grows at its end.
 * @meta: GStreamer's part of it
 * @content: never NULL; replace it with gst_upi_meta_set_content()
 * @width: of the frame that it lies on, in pixels; 0: not known, as the three that follow
 * @height: the same frame's
 * @par_n: numerator of its pixel aspect ratio
 * @par_d: the denominator
 *
 * Scaling changes nothing where the display aspects agree within a pixel. Otherwise there may be borders, and the
 * content is marked %GST_UPI_CONTENT_GEOMETRY_LOST; so it is behind elements that cut or turn the picture.
 */
struct _GstUpiMeta {
  GstMeta meta;
  GstUpiContent *content;
  gint width, height, par_n, par_d;
};

#define GST_UPI_META_API_TYPE (gst_upi_meta_api_get_type ())
#define GST_UPI_META_INFO (gst_upi_meta_get_info ())
/**
 * gst_upi_meta_api_get_type:
 *
 * Returns: the type of the metadata's interface, %GST_UPI_META_API_TYPE
 */
GST_UPI_API GType gst_upi_meta_api_get_type (void);

/**
 * gst_upi_meta_get_info:
 *
 * Returns: (transfer none): how GStreamer makes, copies and transforms the meta, %GST_UPI_META_INFO
 */
GST_UPI_API const GstMetaInfo *gst_upi_meta_get_info (void);

/**
 * gst_buffer_get_upi_meta:
 *
 * Returns: (transfer none) (nullable): NULL: the buffer has none
 */
GST_UPI_API GstUpiMeta *gst_buffer_get_upi_meta (GstBuffer *buffer);

/**
 * gst_buffer_add_upi_meta:
 * @buffer: writable (its metadata; its memory need not be)
 * @content: (nullable) (transfer none): NULL = an empty content
 *
 * Returns: (transfer none): the buffer's meta; if it had one, that one with its content replaced
 */
GST_UPI_API GstUpiMeta *gst_buffer_add_upi_meta (GstBuffer *buffer, GstUpiContent *content);

/**
 * gst_upi_meta_get_content:
 *
 * Returns: (transfer none): what the meta holds now; never NULL
 */
GST_UPI_API GstUpiContent *gst_upi_meta_get_content (GstUpiMeta *meta);

/**
 * gst_upi_meta_lies_on:
 * @buffer: (nullable): that @meta is on
 * @width, @height, @par_n, @par_d: of the frame, by its caps
 *
 * Returns: FALSE if somebody cut the picture or gave it borders without telling
 */
GST_UPI_API gboolean gst_upi_meta_lies_on (
    GstUpiMeta *meta, GstBuffer *buffer, gint width, gint height, gint par_n, gint par_d);

/**
 * gst_upi_meta_set_frame:
 * @width, @height, @par_n, @par_d: of the frame that the content lies on, by its caps
 *
 * The buffer of @meta must be writable.
 */
GST_UPI_API void gst_upi_meta_set_frame (GstUpiMeta *meta, gint width, gint height, gint par_n, gint par_d);

/**
 * gst_upi_meta_set_content:
 * @content: (transfer none): in place of what the meta held
 *
 * The buffer of @meta must be writable.
 */
GST_UPI_API void gst_upi_meta_set_content (GstUpiMeta *meta, GstUpiContent *content);

/**
 * gst_upi_meta_add_objects:
 * @objects: (array length=n_objects): as gst_upi_content_add_objects(), in place of the content
 *
 * The buffer of @meta must be writable.
 */
GST_UPI_API void gst_upi_meta_add_objects (GstUpiMeta *meta, const GstUpiObject *objects, guint n_objects);

/**
 * gst_upi_meta_set_captions:
 * @captions: (array length=n_captions): as gst_upi_content_set_captions(), in place of the content
 *
 * The buffer of @meta must be writable.
 */
GST_UPI_API void gst_upi_meta_set_captions (GstUpiMeta *meta, const GstUpiCaption *captions, guint n_captions);

/**
 * gst_upi_meta_drop_encoding: as gst_upi_content_drop_encoding(), in place of the content.
 *
 * The buffer of @meta must be writable.
 */
GST_UPI_API void gst_upi_meta_drop_encoding (GstUpiMeta *meta);

G_END_DECLS
