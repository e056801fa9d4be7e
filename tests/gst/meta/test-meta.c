/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-meta.c: GstUpiMeta's content never changes, is shared, and travels as far as it is true. */
#include <string.h>

#include "tests/gst/stream.h"

static const GstUpiObject two_objects[] = { { .label = "cat",
                                                .label_id = 1,
                                                .score = 0.9f,
                                                .x = 0.25f,
                                                .y = 0.5f,
                                                .width = 0.25f,
                                                .height = 0.125f,
                                                .region = 4 },
  { .label = "red car", .label_id = 0, .score = 0.4f, .x = 0, .y = 0, .width = 1, .height = 1 } };
static const GstUpiCaption one_caption[] = { { "a cat", 40 * GST_MSECOND, GST_SECOND } };

static GstUpiContent *
full_content (void)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, 7, GST_UPI_CONTENT_NEVER_WAIT);
  g_autoptr (GstUpiContent) found = gst_upi_content_add_objects (empty, two_objects, 2);
  return gst_upi_content_set_captions (found, one_caption, 1);
}

static void
assert_full (GstBuffer *buffer)
{
  guint n;
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  const GstUpiContent *content = gst_upi_meta_get_content (meta);
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpstr (objects[0].label, ==, "cat");
  g_assert_cmpfloat (objects[0].x, ==, 0.25f);
  g_assert_cmpfloat (objects[0].height, ==, 0.125f);
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpstr (captions[0].text, ==, "a cat");
  g_assert_cmpuint (gst_buffer_get_n_meta (buffer, GST_UPI_META_API_TYPE), ==, 1);
}

static void
test_content_is_immutable (void)
{
  gchar label[] = "bird";
  UpiMask *mask = upi_mask_new (2, 2);
  GstUpiObject object = { .label = label, .mask = mask, .score = 1 };
  GstUpiContent *one = full_content (), *two = gst_upi_content_add_objects (one, &object, 1);
  guint n;

  label[0] = 'B'; /* copied */
  g_assert_nonnull (gst_upi_content_get_objects (one, &n));
  g_assert_cmpuint (n, ==, 2);
  const GstUpiObject *objects = gst_upi_content_get_objects (two, &n);
  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpstr (objects[2].label, ==, "bird");
  g_assert_cmpstr (objects[1].label, ==, "red car");
  g_assert_true (objects[2].mask == mask); /* shared */
  g_assert_true (gst_upi_content_get_captions (one, &n) == gst_upi_content_get_captions (two, &n));
  g_assert_cmpuint (gst_upi_content_get_inference_pts (two), ==, 7);
  g_assert_cmpint (gst_upi_content_get_flags (two), ==, GST_UPI_CONTENT_NEVER_WAIT);
  gst_upi_content_unref (one); /* what was made from it lives on */
  g_assert_cmpstr (gst_upi_content_get_objects (two, &n)[0].label, ==, "cat");
  GstUpiContent *three = gst_upi_content_set_captions (two, NULL, 0);
  gst_upi_content_unref (two);
  g_assert_null (gst_upi_content_get_captions (three, &n));
  g_assert_cmpuint (n, ==, 0);
  gst_upi_content_unref (three);
  upi_mask_unref (mask);
}

static void
test_nothing_new_is_the_same (void)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) a = gst_upi_content_add_objects (empty, NULL, 0);
  g_autoptr (GstUpiContent) b = gst_upi_content_set_captions (empty, NULL, 0);
  g_autoptr (GstUpiContent) c = gst_upi_content_drop_encoding (empty);
  g_assert_true (a == empty && b == empty && c == empty);
  g_assert_false (gst_upi_content_is_encoded (empty));
}

static void
test_drop_encoding (void)
{
  Stream *s = stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block", FALSE);
  stream_format (s, "RGB", 64, 64);
  stream_push (s, 3);
  GstBuffer *buffer = stream_pull (s);
  g_autoptr (GstUpiContent) before = gst_upi_content_ref (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)));

  gst_upi_meta_drop_encoding (gst_buffer_get_upi_meta (buffer));
  const GstUpiContent *after = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
  g_assert_null (gst_upi_content_get_encoding (after));
  g_assert_true (gst_upi_content_is_encoded (after));
  g_assert_cmpint (frame_inferred (buffer), ==, 3);
  g_assert_nonnull (gst_upi_content_get_encoding (before)); /* whoever holds the old one still has it */
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Two buffers of one frame: what is put on one is not on the other. */
static void
test_copies_are_apart (void)
{
  g_autoptr (GstUpiContent) content = full_content ();
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL), *copy, *part;
  guint n;

  gst_buffer_add_upi_meta (buffer, content);
  copy = gst_buffer_copy (buffer);
  g_assert_true (gst_upi_meta_get_content (gst_buffer_get_upi_meta (copy)) == content);
  gst_upi_meta_add_objects (gst_buffer_get_upi_meta (copy), two_objects, 2);
  gst_upi_meta_set_captions (gst_buffer_get_upi_meta (copy), NULL, 0);
  gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (copy)), &n);
  g_assert_cmpuint (n, ==, 4);
  assert_full (buffer);
  part = gst_buffer_copy_region (buffer, GST_BUFFER_COPY_ALL, 0, 8); /* half of the bytes is not the frame */
  g_assert_null (gst_buffer_get_upi_meta (part));
  gst_buffer_unref (part);
  gst_buffer_unref (copy);
  gst_buffer_unref (buffer);
}

/* Through elements that leave the picture what it is, or scale it. Those that move it: test-geometry. */
static void
test_survives (gconstpointer description)
{
  Stream *s = stream_new (description, FALSE);
  g_autoptr (GstUpiContent) content = full_content ();

  stream_format (s, "I420", 64, 48);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = frame_new ("I420", 64, 48, i);
    gst_buffer_add_upi_meta (buffer, content);
    g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
  }
  gst_harness_push_event (s->harness, gst_event_new_eos ());
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = stream_pull (s);
    assert_full (buffer);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

static gpointer
share_content (gpointer data)
{
  static const GstUpiObject fleeting = { .label = "fleeting" };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  GstUpiContent *content = data;

  for (guint i = 0; i < 100000; i++) {
    GstUpiContent *mine = gst_upi_content_add_objects (content, two_objects, 1);
    guint n;
    gst_upi_content_get_objects (mine, &n);
    g_assert_cmpuint (n, ==, 3);
    gst_upi_content_unref (mine);
    GstUpiContent *own =
        gst_upi_content_add_objects (empty, &fleeting, 1); /* the last with this label, while others make theirs */
    gst_upi_content_unref (own);
  }
  return NULL;
}

static void
test_many_threads (void)
{
  g_autoptr (GstUpiContent) content = full_content ();
  GThread *threads[4];
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("share", share_content, content);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
}

/* Events and rules are copied whole, shared by what is made from their content, and those of a second upirules lie
 * behind the first's. */
static void
test_events_and_rules (void)
{
  gchar name[] = "gate";
  GstUpiPoint ends[] = { { 0.25f, 0.5f }, { 1, 0.5f } };
  const GstUpiEvent crossed = { .id = 1,
    .kind = GST_UPI_RULE_LINE,
    .rule = name,
    .what = "forward",
    .label = "person",
    .track_id = 7,
    .total_in = 3,
    .since = 40,
    .reserved = { name } };
  const GstUpiEvent sentence = { .id = 1, .type = GST_UPI_EVENT_END, .kind = GST_UPI_RULE_PHRASE, .rule = "fire" };
  const GstUpiRule line = {
    .name = name, .kind = GST_UPI_RULE_LINE, .points = ends, .n_points = 2, .total_in = 3, .reserved = { name }
  };
  const GstUpiRule phrase = { .kind = GST_UPI_RULE_PHRASE, .n_points = 2, .text = "smoke", .score = 0.5f };
  g_autoptr (GstUpiContent) none = full_content ();
  g_autoptr (GstUpiContent) same = gst_upi_content_add_events (none, NULL, 0);
  g_autoptr (GstUpiContent) one = gst_upi_content_add_events (none, &crossed, 1);
  g_autoptr (GstUpiContent) two = gst_upi_content_add_events (one, &sentence, 1);
  g_autoptr (GstUpiContent) first = gst_upi_content_add_rules (two, &line, 1);
  g_autoptr (GstUpiContent) both = gst_upi_content_add_rules (first, &phrase, 1);
  guint n;

#if GLIB_SIZEOF_VOID_P == 8
  g_assert_cmpuint (sizeof (GstUpiEvent), ==, 184);
  g_assert_cmpuint (sizeof (GstUpiRule), ==, 128);
#endif
  memset (name, 'x', sizeof name - 1);
  ends[0].x = 0;
  g_assert_true (same == none);
  g_assert_null (gst_upi_content_get_events (none, &n));
  g_assert_cmpuint (n, ==, 0);
  g_assert_null (gst_upi_content_get_rules (two, &n));
  g_assert_cmpuint (n, ==, 0);
  g_assert_nonnull (gst_upi_content_get_events (one, &n));
  g_assert_cmpuint (n, ==, 1);

  const GstUpiEvent *events = gst_upi_content_get_events (both, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_true (events == gst_upi_content_get_events (two, &n)); /* shared */
  g_assert_cmpstr (events[0].rule, ==, "gate");
  g_assert_cmpstr (events[0].what, ==, "forward");
  g_assert_cmpstr (events[0].label, ==, "person");
  g_assert_cmpuint (events[0].track_id, ==, 7);
  g_assert_cmpuint (events[0].total_in, ==, 3);
  g_assert_cmpuint (events[0].since, ==, 40);
  g_assert_null (events[0].reserved[0]);
  g_assert_cmpstr (events[1].rule, ==, "fire");
  g_assert_cmpint (events[1].type, ==, GST_UPI_EVENT_END);
  g_assert_cmpstr (events[1].label, ==, "");
  const GstUpiRule *rules = gst_upi_content_get_rules (both, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpstr (rules[0].name, ==, "gate");
  g_assert_cmpstr (rules[0].text, ==, "");
  g_assert_cmpuint (rules[0].n_points, ==, 2);
  g_assert_cmpfloat (rules[0].points[0].x, ==, 0.25f);
  g_assert_cmpfloat (rules[0].points[1].x, ==, 1);
  g_assert_null (rules[0].reserved[0]);
  g_assert_cmpstr (rules[1].text, ==, "smoke");
  g_assert_cmpuint (rules[1].n_points, ==, 0); /* there were none */
  g_assert_null (rules[1].points);
  g_assert_nonnull (gst_upi_content_get_objects (both, &n)); /* the rest is as it was */
  g_assert_cmpuint (n, ==, 2);
}

/* Classes join those before as a list of their own, copied; everything else stays shared. */
static void
test_classes (void)
{
  gchar label[8] = "night";
  GstUpiClass own[] = {
    { .label = label, .label_id = 3, .probability = 0.75f, .list = 7, .flags = GST_UPI_CLASS_HOLDS, .pts = 40 },
    { .probability = 0.25f }
  };
  g_autoptr (GstUpiContent) none = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) same = gst_upi_content_add_classes (none, NULL, 0);
  g_autoptr (GstUpiContent) one = gst_upi_content_add_classes (none, own, 2);
  g_autoptr (GstUpiContent) two = gst_upi_content_add_classes (one, own, 1);
  own[0].reserved[0] = own;
  g_autoptr (GstUpiContent) three = gst_upi_content_add_classes (two, own, 1);
  guint n, n_two;

#if GLIB_SIZEOF_VOID_P == 8
  g_assert_cmpuint (sizeof (GstUpiClass), ==, 96);
#endif
  memset (label, 'x', sizeof label - 1);
  g_assert_true (same == none);
  g_assert_null (gst_upi_content_get_classes (none, &n));
  g_assert_cmpuint (n, ==, 0);
  gst_upi_content_get_classes (one, &n);
  g_assert_cmpuint (n, ==, 2);
  const GstUpiClass *classes = gst_upi_content_get_classes (three, &n);
  g_assert_cmpuint (n, ==, 4);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpuint (classes[i].list, ==, i < 2 ? 0 : i - 1);
    g_assert_cmpstr (classes[i].label, ==, i == 1 ? "" : "night");
    g_assert_null (classes[i].reserved[0]);
  }
  g_assert_cmpuint (classes[0].label_id, ==, 3);
  g_assert_cmpfloat (classes[0].probability, ==, 0.75f);
  g_assert_cmpuint (classes[0].flags, ==, GST_UPI_CLASS_HOLDS);
  g_assert_cmpuint (classes[0].pts, ==, 40);
  const GstUpiRule rule = { .name = "all", .kind = GST_UPI_RULE_COUNT };
  g_autoptr (GstUpiContent) ruled = gst_upi_content_add_rules (two, &rule, 1);
  g_assert_true (gst_upi_content_get_classes (ruled, &n) == gst_upi_content_get_classes (two, &n_two)); /* shared */
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/meta/events-and-rules", test_events_and_rules);
  g_test_add_func ("/meta/content-is-immutable", test_content_is_immutable);
  g_test_add_func ("/meta/nothing-new-is-the-same", test_nothing_new_is_the_same);
  g_test_add_func ("/meta/drop-encoding", test_drop_encoding);
  g_test_add_func ("/meta/copies-are-apart", test_copies_are_apart);
  g_test_add_data_func (
      "/meta/survives-videoconvert", "videoconvert ! capsfilter caps=video/x-raw,format=BGRx", test_survives);
  g_test_add_data_func (
      "/meta/survives-videoscale", "videoscale ! capsfilter caps=video/x-raw,width=100,height=100", test_survives);
  g_test_add_data_func (
      "/meta/survives-videorate", "videorate ! capsfilter caps=video/x-raw,framerate=50/1", test_survives);
  g_test_add_data_func ("/meta/survives-queue", "queue", test_survives);
  g_test_add_data_func ("/meta/survives-tee", "tee ! queue", test_survives);
  g_test_add_func ("/meta/classes", test_classes);
  g_test_add_func ("/meta/many-threads", test_many_threads);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
