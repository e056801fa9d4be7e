/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-track.c: upitrack in a stream: ids, boxes and masks that move on, where tracks end and where ids begin anew,
 * what others get to see. */
#include <math.h>
#include <string.h>

#include "tests/gst/stream.h"

#define MS GST_MSECOND

/* Behind a picture that never changes: an observation is more than nothing. */
#define ANCHOR "lamp 0.9,0.9 "

static Stream *
open_stream (const gchar *description)
{
  Stream *stream = stream_new (description, FALSE);

  stream_format (stream, "GRAY8", 100, 100);
  return stream;
}

static UpiMask *
new_mask (const GstUpiObject *object)
{
  UpiMask *mask = upi_mask_new (4, 4);

  mask->x = object->x;
  mask->y = object->y;
  mask->width = object->width;
  mask->height = object->height;
  for (guint i = 0; i < 16; i++)
    mask->data[i] = (guint8) (i + 1);
  return mask;
}

/* Adds objects: "cat 0.5,0.5 dog 0.1,0.2", label and upper left corner; "?cat": a candidate. */
static GstUpiContent *
add_objects (GstUpiContent *empty, const gchar *places)
{
  g_auto (GStrv) words = g_strsplit (places, " ", -1);
  GstUpiContent *content = gst_upi_content_ref (empty);

  for (guint i = 0; words[i] != NULL && words[i + 1] != NULL; i += 2) {
    const gboolean candidate = *words[i] == '?';
    gchar *end;
    const gfloat x = (gfloat) g_ascii_strtod (words[i + 1], &end);
    GstUpiObject object = { .label = words[i] + candidate,
      .label_id = words[i][candidate] == 'c' ? 7 : 8,
      .score = candidate ? 0.2f : 0.9f,
      .threshold = 0.4f,
      .x = x,
      .y = (gfloat) g_ascii_strtod (end + 1, NULL),
      .width = 0.1f,
      .height = 0.1f };
    object.mask = candidate ? NULL : new_mask (&object);
    GstUpiContent *more = candidate ? gst_upi_content_add_candidates (content, &object, 1)
                                    : gst_upi_content_add_objects (content, &object, 1);
    g_clear_pointer (&object.mask, upi_mask_unref);
    gst_upi_content_unref (content);
    content = more;
  }
  return content;
}

/* A frame at @pts with what was found in the frame at @inferred. (transfer full) */
static GstBuffer *
push_content (Stream *stream, GstClockTime pts, GstClockTime inferred, GstUpiContentFlags flags, const gchar *places)
{
  GstBuffer *buffer = frame_new ("GRAY8", 100, 100, 0);
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, inferred, flags);
  g_autoptr (GstUpiContent) content = add_objects (empty, places);

  GST_BUFFER_PTS (buffer) = pts;
  gst_buffer_add_upi_meta (buffer, content);
  g_assert_cmpint (gst_harness_push (stream->harness, buffer), ==, GST_FLOW_OK);
  buffer = stream_pull (stream);
  guint n;
  gst_upi_content_get_candidates (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  g_assert_cmpuint (n, ==, 0); /* nobody behind upitrack sees them */
  return buffer;
}

static GstBuffer *
push (Stream *stream, GstClockTime pts, const gchar *places)
{
  return push_content (stream, pts, pts, GST_UPI_CONTENT_NONE, places);
}

/* The object of this label. */
static const GstUpiObject *
find (GstBuffer *buffer, const gchar *label)
{
  guint n;
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);

  for (guint i = 0; i < n; i++) {
    if (g_str_equal (objects[i].label, label))
      return &objects[i];
  }
  return NULL;
}

/* Its id; -1: there is no such object. */
static gint64
id_of (GstBuffer *buffer, const gchar *label)
{
  const GstUpiObject *object = find (buffer, label);

  return object != NULL ? (gint64) object->track_id : -1;
}

/* Ids and boxes: of those there when it begins, of one that comes, of one that goes and comes back. */
static void
test_ids (void)
{
  Stream *stream = open_stream ("upitrack");

  for (guint i = 0; i < 100; i++) {
    g_autofree gchar *places =
        g_strdup_printf ("%scat 0.%02u,0.5 %s", ANCHOR, 10 + i / 2, i >= 10 && (i < 40 || i > 65) ? "dog 0.2,0.1" : "");
    g_autoptr (GstBuffer) buffer = push (stream, i * 40 * MS, places);

    g_assert_cmpint (id_of (buffer, "lamp"), ==, 1);
    g_assert_cmpint (id_of (buffer, "cat"), ==, 2);
    if (i < 10 || (i >= 48 && i <= 65))
      g_assert_cmpint (id_of (buffer, "dog"), ==, -1);
    else if (i == 10)
      g_assert_cmpint (id_of (buffer, "dog"), ==, 0); /* seen once */
    else
      g_assert_cmpint (id_of (buffer, "dog"), ==, 3);
    const GstUpiObject *dog = find (buffer, "dog"), *cat = find (buffer, "cat");
    if (dog != NULL && dog->track_id != 0) { /* overlooked for a moment: shown, and marked */
      g_assert_cmpint (dog->flags == GST_UPI_OBJECT_PREDICTED, ==, i >= 40 && i < 48);
      g_assert_cmpuint (dog->unseen, ==, i >= 40 && i < 48 ? (i - 39) * 40 * MS : 0);
      g_assert_cmpuint (dog->age, ==, (i - 10) * 40 * MS);
      g_assert_cmpfloat_with_epsilon (dog->begin_x, 0.2f + dog->width / 2, 0.01f);
      g_assert_cmpfloat_with_epsilon (dog->begin_y, 0.1f + dog->height, 0.01f);
      g_assert_cmpuint (dog->label_id, ==, 8);
      g_assert_nonnull (dog->mask);
    }
    if (i > 50) {
      g_assert_cmpfloat_with_epsilon (cat->velocity_x, 0.125f, 0.05f);
      g_assert_cmpfloat_with_epsilon (cat->velocity_y, 0, 0.01f);
      g_assert_cmpfloat_with_epsilon (cat->x, 0.1f + 0.01f * (gfloat) (i / 2), 0.02f);
      g_assert_cmpfloat_with_epsilon (cat->begin_x, 0.1f + cat->width / 2, 0.01f); /* wherever it is now */
    }
    g_assert_cmpuint (cat->flags, ==, GST_UPI_OBJECT_NONE);
  }
  stream_free (stream);
}

/* Every fifth frame is encoded: boxes and masks move on between, and no object blinks. */
static void
test_between_encodings (void)
{
  Stream *stream = open_stream ("upitrack");
  gfloat last_x = 0;

  for (guint i = 0; i < 60; i++) {
    const guint inferred = i / 5 * 5;
    g_autofree gchar *places = g_strdup_printf ("cat 0.%03u,0.5", 100 + 10 * inferred);
    g_autoptr (GstBuffer) buffer = push_content (stream, i * 40 * MS, inferred * 40 * MS, GST_UPI_CONTENT_NONE, places);
    const GstUpiObject *cat = find (buffer, "cat");

    g_assert_nonnull (cat);
    g_assert_cmpuint (cat->track_id, ==, 1);
    g_assert_cmpuint (cat->flags, ==, i > inferred ? GST_UPI_OBJECT_PREDICTED : GST_UPI_OBJECT_NONE);
    g_assert_cmpuint (cat->unseen, ==, (i - inferred) * 40 * MS);
    if (i >= 30) {
      g_assert_cmpfloat_with_epsilon (cat->x, 0.1f + 0.01f * (gfloat) i, 0.01f);
      g_assert_cmpfloat (cat->x, >, last_x);
      g_assert_cmpfloat_with_epsilon (cat->mask->x, cat->x, 0.01f);
      g_assert_cmpuint (cat->mask->data[0], ==, 1);
    }
    last_x = cat->x;
  }
  stream_free (stream);
}

/* Results come late (policy "latest"): boxes lie where the object is now. */
static void
test_late_results (void)
{
  Stream *stream = open_stream ("upitrack");

  for (guint i = 3; i < 60; i++) {
    const guint inferred = (i - 3) / 3 * 3;
    g_autofree gchar *places = g_strdup_printf ("cat 0.%03u,0.5", 100 + 10 * inferred);
    g_autoptr (GstBuffer) buffer =
        push_content (stream, i * 40 * MS, inferred * 40 * MS, GST_UPI_CONTENT_NEVER_WAIT, places);

    if (i >= 30) {
      g_assert_cmpfloat_with_epsilon (find (buffer, "cat")->x, 0.1f + 0.01f * (gfloat) i, 0.015f);
      g_assert_cmpuint (find (buffer, "cat")->flags, ==, GST_UPI_OBJECT_PREDICTED);
    }
  }
  stream_free (stream);
}

/* A mask that leaves the frame with its box is cut. */
static void
test_mask_at_edge (void)
{
  Stream *stream = open_stream ("upitrack");
  gboolean cut = FALSE;

  for (guint i = 0; i < 40; i++) {
    const guint inferred = i / 10 * 10;
    g_autofree gchar *places = g_strdup_printf ("cat 0.%03u,0.5", 700 + 6 * inferred);
    g_autoptr (GstBuffer) buffer = push_content (stream, i * 40 * MS, inferred * 40 * MS, GST_UPI_CONTENT_NONE, places);
    const GstUpiObject *cat = find (buffer, "cat");

    if (cat == NULL)
      continue;
    g_assert_cmpfloat (cat->x + cat->width, <=, 1.0001f);
    if (cat->mask == NULL)
      continue;
    g_assert_cmpfloat (cat->mask->x + cat->mask->width, <=, 1.001f);
    cut |= cat->mask->columns < 4;
    g_assert_cmpuint (cat->mask->data[cat->mask->columns], ==, 5); /* the second row begins with its own cell */
  }
  g_assert_true (cut);
  stream_free (stream);
}

static void
test_candidates (void)
{
  Stream *stream = open_stream ("upitrack");
  GstClockTime time = 0;

  for (; time < 400 * MS; time += 40 * MS)
    gst_buffer_unref (push (stream, time, ANCHOR "?cat 0.5,0.5"));
  g_autoptr (GstBuffer) nothing = push (stream, time, ANCHOR "?cat 0.5,0.5");
  g_assert_cmpint (id_of (nothing, "cat"), ==, -1);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (push (stream, time += 40 * MS, ANCHOR "cat 0.5,0.5"));
  for (guint i = 0; i < 200; i++) { /* for longer than a track may be lost */
    g_autoptr (GstBuffer) buffer = push (stream, time += 40 * MS, ANCHOR "?cat 0.5,0.5");
    const GstUpiObject *cat = find (buffer, "cat");

    g_assert_nonnull (cat);
    g_assert_cmpuint (cat->track_id, ==, 2);
    g_assert_cmpuint (cat->flags, ==, GST_UPI_OBJECT_NONE); /* it was seen */
    g_assert_nonnull (cat->mask);                           /* the latest there was */
  }
  stream_free (stream);
}

/* The picture stands still: what was there is, and nothing is predicted. */
static void
test_still (void)
{
  Stream *stream = open_stream ("upitrack");
  GstClockTime time = 0;
  gfloat x = 0;

  for (guint i = 0; i < 20; i++, time += 40 * MS) {
    g_autofree gchar *places = g_strdup_printf ("cat 0.%03u,0.5", 100 + 10 * i);
    g_autoptr (GstBuffer) buffer = push (stream, time, places);
    x = find (buffer, "cat")->x;
  }
  const GstClockTime inferred = time - 40 * MS;
  for (guint i = 0; i < 300; i++, time += 40 * MS) {
    g_autoptr (GstBuffer) buffer = push_content (stream, time, inferred, GST_UPI_CONTENT_STATIC, "cat 0.290,0.5");
    const GstUpiObject *cat = find (buffer, "cat");

    g_assert_nonnull (cat);
    g_assert_cmpuint (cat->track_id, ==, 1);
    g_assert_cmpuint (cat->flags, ==, GST_UPI_OBJECT_NONE);
    g_assert_cmpfloat (cat->x, ==, x);
  }
  g_autoptr (GstBuffer) moves = push (stream, time, "cat 0.300,0.5");
  g_assert_cmpint (id_of (moves, "cat"), ==, 1);
  stream_free (stream);
}

static void
push_segment (Stream *stream, GstClockTime start)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = start;
  g_assert_true (gst_harness_push_event (stream->harness, gst_event_new_segment (&segment)));
}

/* Which ends what: a flush, a jump and a stream end tracks; a stream alone begins ids anew; caps and a segment that
 * goes on keep all. */
static void
test_states (void)
{
  Stream *stream = open_stream ("upitrack");
  gint64 id;

  for (guint i = 0; i < 5; i++)
    gst_buffer_unref (push (stream, i * 40 * MS, "cat 0.5,0.5"));
  stream_format (stream, "GRAY8", 100, 100);
  push_segment (stream, 200 * MS);
  g_autoptr (GstBuffer) goes_on = push (stream, 200 * MS, "cat 0.5,0.5");
  g_assert_cmpint (id_of (goes_on, "cat"), ==, 1);
  stream_caps (stream, "video/x-raw,format=GRAY8,width=100,height=100,framerate=50/1");
  g_autoptr (GstBuffer) other_caps = push (stream, 240 * MS, "cat 0.5,0.5");
  g_assert_cmpint (id_of (other_caps, "cat"), ==, 1);
  g_assert_true (gst_harness_push_event (stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (stream->harness, gst_event_new_flush_stop (TRUE)));
  push_segment (stream, 240 * MS);
  g_autoptr (GstBuffer) flushed = push (stream, 240 * MS, "cat 0.5,0.5");
  g_assert_cmpint (id_of (flushed, "cat"), ==, 2);
  push_segment (stream, 10000 * MS);
  g_autoptr (GstBuffer) jumped = push (stream, 10000 * MS, "cat 0.5,0.5");
  g_assert_cmpint (id_of (jumped, "cat"), ==, 3);
  g_assert_true (gst_harness_push_event (stream->harness, gst_event_new_stream_start ("another")));
  stream_caps (stream, "video/x-raw,format=GRAY8,width=100,height=100,framerate=25/1");
  push_segment (stream, 0);
  g_autoptr (GstBuffer) another = push (stream, 0, "cat 0.5,0.5");
  g_assert_cmpint (id_of (another, "cat"), ==, 1);
  for (guint i = 1; i < 5;
       i++) { /* times that go back without a word, or are not there: the same object all the same */
    g_autoptr (GstBuffer) back = push (stream, 4000 * MS - i * 40 * MS, "cat 0.5,0.5");
    g_assert_cmpint (id_of (back, "cat"), ==, 1);
  }
  for (guint i = 0; i < 5; i++) {
    g_autoptr (GstBuffer) untimed =
        push_content (stream, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE, "cat 0.5,0.5");
    id = id_of (untimed, "cat");
    g_assert_cmpint (id, ==, 1);
    g_assert_cmpuint (find (untimed, "cat")->flags, ==, GST_UPI_OBJECT_NONE);
  }
  stream_free (stream);
}

static void
test_labels (void)
{
  Stream *stream = open_stream ("upitrack name=t");
  g_autoptr (GstElement) track = stream_get (stream, "t");
  GstClockTime time = 0;

  for (; time < 400 * MS; time += 40 * MS)
    gst_buffer_unref (push (stream, time, "cat 0.5,0.5"));
  g_autoptr (GstBuffer) once = push (stream, time, "dog 0.5,0.5"); /* one frame says so, in the very same place */
  g_assert_cmpint (id_of (once, "cat"), ==, 1);
  g_assert_cmpuint (find (once, "cat")->label_id, ==, 7);
  g_assert_null (find (once, "dog"));
  g_autoptr (GstBuffer) beside = push (stream, time += 40 * MS, "dog 0.54,0.5"); /* beside it: another object */
  g_assert_cmpint (id_of (beside, "dog"), ==, 0);
  g_object_set (track, "per-label", FALSE, NULL);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (push (stream, time += 40 * MS, "cat 0.5,0.5"));
  g_autoptr (GstBuffer) any = push (stream, time += 40 * MS, "dog 0.54,0.5");
  g_assert_cmpint (id_of (any, "cat"), ==, 1);
  stream_free (stream);
}

static void
test_settings (void)
{
  Stream *stream = open_stream ("upitrack name=t max-lost-time=200000000 min-hits-time=100000000");
  GstClockTime time = 0;

  gst_buffer_unref (push (stream, time, ANCHOR));
  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) buffer = push (stream, time += 40 * MS, ANCHOR "cat 0.5,0.5");
    g_assert_cmpint (id_of (buffer, "cat"), ==, i < 3 ? 0 : 2);
  }
  for (guint i = 0; i < 6; i++)
    gst_buffer_unref (push (stream, time += 40 * MS, ANCHOR));
  g_autoptr (GstBuffer) back = push (stream, time += 40 * MS, ANCHOR "cat 0.5,0.5");
  g_assert_cmpint (id_of (back, "cat"), ==, 0); /* lost for too long */
  stream_free (stream);
}

static guint
count_objects (GstBuffer *buffer, guint *n_tracked, guint *n_predicted)
{
  guint n;
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);

  *n_tracked = *n_predicted = 0;
  for (guint i = 0; i < n; i++) {
    *n_tracked += objects[i].track_id != 0;
    *n_predicted += (objects[i].flags & GST_UPI_OBJECT_PREDICTED) != 0;
    if (objects[i].track_id != 0) {
      g_assert_nonnull (objects[i].vector);
      g_assert_cmpuint (objects[i].vector_length, >, 0);
    }
  }
  return n;
}

/* Behind the whole chain: every object has its vector, region of interest metas say the same as the meta, encodings
 * go. */
static void
test_chain (void)
{
  Stream *stream =
      stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block max-in-flight=16 inference-interval=3 "
                  "! upidetect threshold=0 max-objects=20 ! upitrack",
          FALSE);

  g_atomic_int_set (&stream->reads, FALSE);
  stream_format (stream, "RGB", 200, 100);
  for (guint i = 0; i < 9; i++) {
    guint n_tracked, n_predicted, k = 0;
    gpointer state = NULL;
    GstMeta *meta;

    g_assert_cmpint (stream_push (stream, i / 3), ==, GST_FLOW_OK);
    g_autoptr (GstBuffer) buffer = stream_pull (stream);
    GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    const guint n = count_objects (buffer, &n_tracked, &n_predicted);
    const GstUpiObject *objects = gst_upi_content_get_objects (content, &(guint){ 0 });
    g_assert_cmpuint (n_tracked, >, 0);
    g_assert_null (gst_upi_content_get_encoding (content));
    while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))
        != NULL) {
      const GstStructure *detection =
          gst_video_region_of_interest_meta_get_param ((GstVideoRegionOfInterestMeta *) meta, "detection");
      guint64 id = 0;
      gdouble x = 0;

      g_assert_true (gst_structure_get_double (detection, "x_min", &x));
      gst_structure_get_uint64 (detection, "track_id", &id);
      gboolean found = FALSE;
      for (guint o = 0; o < n; o++)
        found |= (gfloat) x == objects[o].x && id == objects[o].track_id;
      g_assert_true (found);
      k++;
    }
    g_assert_cmpuint (k, ==, n);
  }
  stream_free (stream);
}

/* upidetect has candidates for an upitrack alone, and asks again when one comes or goes. */
static void
test_candidates_for_whom (void)
{
  Stream *stream = stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block max-in-flight=16 ! "
                               "upidetect name=d threshold=1 candidate-threshold=0.0001 keep-encoding=yes",
      FALSE);
  guint n;

  stream_format (stream, "RGB", 64, 64);
  g_assert_cmpint (stream_push (stream, 0), ==, GST_FLOW_OK);
  g_autoptr (GstBuffer) alone = stream_pull (stream);
  gst_upi_content_get_candidates (gst_upi_meta_get_content (gst_buffer_get_upi_meta (alone)), &n);
  g_assert_cmpuint (n, ==, 0);
  stream_free (stream);
  stream =
      stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block max-in-flight=16 ! "
                  "upidetect name=d threshold=1 candidate-threshold=0.0001 ! identity name=i ! tee ! queue ! upitrack",
          FALSE);
  g_autoptr (GstElement) identity = stream_get (stream, "i");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (identity, "src");
  g_autoptr (GstQuery) query =
      gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (GST_UPI_QUERY_CANDIDATE_READER));
  g_assert_true (gst_pad_peer_query (pad, query));
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/track/ids", test_ids);
  g_test_add_func ("/track/between-encodings", test_between_encodings);
  g_test_add_func ("/track/late-results", test_late_results);
  g_test_add_func ("/track/mask-at-edge", test_mask_at_edge);
  g_test_add_func ("/track/candidates", test_candidates);
  g_test_add_func ("/track/still", test_still);
  g_test_add_func ("/track/states", test_states);
  g_test_add_func ("/track/labels", test_labels);
  g_test_add_func ("/track/settings", test_settings);
  g_test_add_func ("/track/chain", test_chain);
  g_test_add_func ("/track/candidates-for-whom", test_candidates_for_whom);
  return g_test_run ();
}
