/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-classify.c: upiclassify behind an encoder of the tiny model: probabilities, messages, labels that change while
 * playing, and what users get wrong. */
#include <math.h>
#include <string.h>

#include "tests/gst/stream.h"

#include "tests/gst/classify/fixture.h"

/* What the engine says of the same encoding, best first. */
static void
check_scores (const gchar *encoder, const gchar *name, UpiScores scores)
{
  g_autofree gchar *line =
      g_strdup_printf ("%s! upiclassify top=0 labels=\"cat, a red car, person, dog\" scores=%s", encoder, name);
  Stream *s = stream_new (line, FALSE);
  const gchar *const words[] = { "cat", "a red car", "person", "dog", NULL };
  UpiClassifyOptions options = { .size = sizeof options, .scores = scores };

  g_atomic_int_set (&s->reads, TRUE);
  stream_format (s, "RGB", 200, 100);
  for (guint frame = 0; frame < 3; frame++) {
    GstBuffer *buffer = stream_pass (s, frame);
    UpiEncoding *encoding = gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)));
    UpiEngine *engine = upi_encoding_engine (encoding);
    g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, words, NULL, NULL, NULL, NULL);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_autoptr (UpiLabels) labels = upi_ticket_get_labels (ticket);
    gfloat expected[4], last = INFINITY;
    gdouble sum = 0;
    guint n, seen = 0, holds = 0;
    const GstUpiClass *classes = classes_of (buffer, &n);

    g_assert_nonnull (labels);
    g_assert_true (upi_engine_classify_with_options (engine, encoding, labels, &options, expected, NULL));
    g_assert_cmpuint (n, ==, 4);
    for (guint i = 0; i < n; i++) {
      g_assert_cmpuint (classes[i].label_id, <, 4);
      g_assert_cmpstr (classes[i].label, ==, words[classes[i].label_id]);
      g_assert_cmpfloat (classes[i].probability, ==, expected[classes[i].label_id]);
      g_assert_cmpfloat (classes[i].probability, <=, last);
      g_assert_cmpuint (classes[i].list, ==, 0);
      g_assert_cmpuint (classes[i].pts, ==, frame * 40 * GST_MSECOND);
      g_assert_cmpint ((classes[i].flags & GST_UPI_CLASS_INDEPENDENT) != 0, ==, scores == UPI_SCORES_INDEPENDENT);
      last = classes[i].probability;
      sum += (gdouble) last;
      seen |= 1u << classes[i].label_id;
      holds += (classes[i].flags & GST_UPI_CLASS_HOLDS) != 0;
    }
    g_assert_cmpuint (seen, ==, 15);
    if (scores == UPI_SCORES_SOFTMAX) {
      g_assert_cmpfloat_with_epsilon (sum, 1, 1e-4);
      g_assert_cmpuint (holds, ==, 1);
    } else {
      g_assert_cmpuint (holds, <=, 1);
    }
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

static void
test_scores (void)
{
  check_scores (ENCODER, "softmax", UPI_SCORES_SOFTMAX);
  check_scores (CALIBRATED, "softmax", UPI_SCORES_SOFTMAX);
  check_scores (CALIBRATED, "independent", UPI_SCORES_INDEPENDENT);
}

/* From the start: an error that names the model and the way out. While playing: a warning, and the scores before
 * stay. */
static void
test_not_calibrated (void)
{
  Stream *s = stream_new (ENCODER "! upiclassify labels=\"cat, dog\" scores=independent", FALSE);

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "\"tiny\""));
  g_assert_nonnull (strstr (error, "calibration"));
  g_assert_nonnull (strstr (error, "scores=softmax"));
  stream_free (s);

  s = stream_new (ENCODER "! upiclassify name=c labels=\"cat, dog\"", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");
  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 0));
  gst_util_set_object_arg (G_OBJECT (classify), "scores", "independent");
  for (guint i = 1; i < 4; i++) {
    guint n;
    GstBuffer *buffer = stream_pass (s, i);
    const GstUpiClass *classes = classes_of (buffer, &n);
    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpuint (classes[0].flags & GST_UPI_CLASS_INDEPENDENT, ==, 0);
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "\"tiny\""));
  g_assert_nonnull (strstr (warning, "softmax"));
  g_assert_null (stream_peek_message (s, GST_MESSAGE_WARNING));
  stream_free (s);
}

static void
test_top (void)
{
  Stream *s = stream_new (ENCODER "! upiclassify name=c top=2 labels=\"a, b, c, d, e, f, g\"", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");
  static const guint tops[] = { 2, 0, 5, 1, 1000000 }, expected[] = { 2, 7, 5, 1, 7 };

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < G_N_ELEMENTS (tops); i++) {
    guint n;
    g_object_set (classify, "top", tops[i], NULL);
    GstBuffer *buffer = stream_pass (s, i);
    classes_of (buffer, &n);
    g_assert_cmpuint (n, ==, expected[i]);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* Frames that carry one encoding share one content; a list behind another is a list of its own. */
static void
test_shared_results (void)
{
  Stream *s = stream_new (ENCODER
      "inference-interval=3 ! upiclassify labels=\"cat, dog\" ! upiclassify labels=\"bird, car, person\" top=2",
      FALSE);
  GstUpiContent *shared = NULL;

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < 6; i++) {
    guint n;
    GstBuffer *buffer = stream_pass (s, i);
    GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    const GstUpiClass *classes = classes_of (buffer, &n);
    g_assert_cmpuint (n, ==, 4);
    for (guint j = 0; j < n; j++)
      g_assert_cmpuint (classes[j].list, ==, j / 2);
    if (i % 3 == 0) {
      g_assert_true (content != shared);
      g_clear_pointer (&shared, gst_upi_content_unref);
      shared = gst_upi_content_ref (content);
    }
    g_assert_true (content == shared);
    gst_buffer_unref (buffer);
  }
  gst_upi_content_unref (shared);
  stream_free (s);
}

/* Between two classifications frames carry the last results, which say of which frame they are. */
static void
test_interval (void)
{
  Stream *s = stream_new (ENCODER "! upiclassify name=c labels=\"cat, dog\" interval=100000000", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");
  static const guint of[] = { 0, 0, 0, 3, 3, 3, 6, 6, 6, 9 };

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < G_N_ELEMENTS (of); i++) {
    guint n;
    GstBuffer *buffer = stream_pass (s, i);
    const GstUpiClass *classes = classes_of (buffer, &n);
    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpuint (classes[0].pts, ==, of[i] * 40 * GST_MSECOND);
    gst_buffer_unref (buffer);
  }
  g_object_set (classify, "interval", (guint64) 0, NULL);
  for (guint i = 10; i < 13; i++) {
    guint n;
    GstBuffer *buffer = stream_pass (s, i);
    g_assert_cmpuint (classes_of (buffer, &n)[0].pts, ==, i * 40 * GST_MSECOND);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* One message for what holds first, none while it holds, and again where the stream's state ended. */
static void
test_messages (void)
{
  Stream *s = stream_new (ENCODER "! upiclassify name=c labels=\"only this\"", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");
  GstSegment segment;
  guint64 stream_time, running_time;
  guint stream;
  gdouble probability;

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 2));
  GstMessage *message = pop_classification (s);
  g_assert_nonnull (message);
  const GstStructure *structure = gst_message_get_structure (message);
  g_assert_true (GST_MESSAGE_SRC (message) == GST_OBJECT (classify));
  g_assert_cmpstr (gst_structure_get_string (structure, "label"), ==, "only this");
  g_assert_cmpstr (gst_structure_get_string (structure, "previous"), ==, "");
  g_assert_cmpstr (gst_structure_get_string (structure, "scores"), ==, "softmax");
  g_assert_true (gst_structure_get (structure, "probability", G_TYPE_DOUBLE, &probability, "stream", G_TYPE_UINT,
      &stream, "stream-time", G_TYPE_UINT64, &stream_time, "running-time", G_TYPE_UINT64, &running_time, NULL));
  g_assert_cmpfloat_with_epsilon (probability, 1, 1e-6);
  g_assert_cmpuint (stream_time, ==, 80 * GST_MSECOND);
  g_assert_cmpuint (running_time, ==, 80 * GST_MSECOND);
  g_assert_cmpuint (stream, ==, 1);
  g_assert_cmpuint (gst_value_array_get_size (gst_structure_get_value (structure, "labels")), ==, 1);
  g_assert_cmpuint (gst_value_array_get_size (gst_structure_get_value (structure, "probabilities")), ==, 1);
  gst_message_unref (message);
  for (guint i = 3; i < 6; i++)
    gst_buffer_unref (stream_pass (s, i));
  g_assert_null (pop_classification (s));

  gst_harness_push_event (s->harness, gst_event_new_flush_start ());
  gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  gst_buffer_unref (stream_pass (s, 6));
  g_assert_true (says (s, "only this"));
  gst_harness_push_event (s->harness, gst_event_new_stream_start ("another"));
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  gst_buffer_unref (stream_pass (s, 7));
  g_assert_true (says (s, "only this"));
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment)); /* it goes on */
  gst_buffer_unref (stream_pass (s, 8));
  g_assert_null (pop_classification (s));
  stream_free (s);
}

/* With a lead that nobody has, pictures that differ change nothing; without one every change of the best is told, and
 * nothing else. */
static void
test_hysteresis (void)
{
  static const gchar *hysteresis[] = { "1", "0" };

  for (guint k = 0; k < 2; k++) {
    g_autofree gchar *line = g_strdup_printf (
        ENCODER "! upiclassify labels=\"cat, dog, person, a, b, c\" top=1 hysteresis=%s", hysteresis[k]);
    Stream *s = stream_new (line, FALSE);
    guint best = G_MAXUINT;

    stream_format (s, "RGB", 64, 64);
    for (guint i = 0; i < 30; i++) {
      guint n;
      GstBuffer *buffer = stream_pass (s, i * 7);
      const GstUpiClass *classes = classes_of (buffer, &n);
      g_assert_cmpuint (n, ==, 1);
      gboolean changed = i == 0 || (k == 1 && classes[0].label_id != best);
      GstMessage *message = pop_classification (s);
      g_assert_cmpint (message != NULL, ==, changed);
      if (message != NULL)
        g_assert_cmpstr (gst_structure_get_string (gst_message_get_structure (message), "label"), ==, classes[0].label);
      if (k == 1)
        g_assert_true (classes[0].flags & GST_UPI_CLASS_HOLDS);
      best = classes[0].label_id;
      g_clear_pointer (&message, gst_message_unref);
      gst_buffer_unref (buffer);
    }
    stream_free (s);
  }
}

/* With policy "latest" frames never wait: they pass without classes until there is a result, then with the newest. */
static void
test_latest (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (LATEST "! upiclassify labels=\"cat, dog\"", FALSE);
  guint n = 0;

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  GstBuffer *buffer = stream_pass (s, 0);
  g_assert_null (classes_of (buffer, &n));
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  for (guint i = 1; i < 100 && n == 0; i++) {
    test_engine_drain (engine);
    buffer = stream_pass (s, i);
    classes_of (buffer, &n);
    gst_buffer_unref (buffer);
  }
  g_assert_cmpuint (n, ==, 2);
  stream_free (s);
}

static void
test_without_encoder (void)
{
  Stream *s = stream_new ("upiclassify", FALSE);
  stream_format (s, "RGB", 64, 64);
  g_assert_cmpint (stream_push (s, 0), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "upiencoder"));
  stream_free (s);
}

/* Stopped and started it says the same again; its list of the run before does not count. */
static void
test_start_stop (void)
{
  Stream *s = stream_new (ENCODER "! upiclassify name=c labels=\"cat\"", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < 3; i++) {
    gst_buffer_unref (stream_pass (s, i));
    g_assert_true (says (s, i == 1 ? "dog" : "cat"));
    g_assert_cmpint (gst_element_set_state (s->element, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    g_object_set (classify, "labels", i == 0 ? "dog" : "cat", NULL);
    g_assert_cmpint (gst_element_set_state (s->element, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
    gst_harness_push_event (s->harness, gst_event_new_stream_start ("again"));
    stream_format (s, "RGB", 64, 64);
    GstSegment segment;
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  }
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/classify/scores", test_scores);
  g_test_add_func ("/classify/not-calibrated", test_not_calibrated);
  g_test_add_func ("/classify/top", test_top);
  g_test_add_func ("/classify/shared-results", test_shared_results);
  g_test_add_func ("/classify/interval", test_interval);
  g_test_add_func ("/classify/messages", test_messages);
  g_test_add_func ("/classify/hysteresis", test_hysteresis);
  g_test_add_func ("/classify/latest", test_latest);
  g_test_add_func ("/classify/without-encoder", test_without_encoder);
  g_test_add_func ("/classify/start-stop", test_start_stop);
  return g_test_run ();
}
