/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-phrases.c: sentences as rules of upirules: they hold or not, by the encodings of a stream. */
#include "tests/gst/rules/fixture.h"

#define ENCODER "upiencoder model=calibrated device=cpu threads=1 ! "
#define PHRASES                                                                                                        \
  "{\"rules\": {\"p\": {\"type\": \"phrase\", \"text\": \"a, b\", \"threshold\": 0}, \"q\": {\"type\": \"phrase\", "   \
  "\"text\": \"cat\", "                                                                                                \
  "\"threshold\": 1}}}"

static void
test_phrases (void)
{
  Fixture fixture;
  guint n;
  gfloat expected[2];

  fixture_open (&fixture, PHRASES, ENCODER, "");
  stream_format (fixture.stream, "I420", 64, 48);
  stream_push (fixture.stream, 0);
  stream_push (fixture.stream, 1);
  gst_harness_push_event (fixture.stream->harness, gst_event_new_eos ());
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (out));
    UpiEncoding *encoding = gst_upi_content_get_encoding (content);
    UpiEngine *engine = upi_encoding_engine (encoding);
    const gchar *const texts[] = { "a, b", "cat", NULL };
    const UpiClassifyOptions options = { .size = sizeof options, .scores = UPI_SCORES_INDEPENDENT };
    g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, texts, NULL, NULL, NULL, NULL);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_autoptr (UpiLabels) labels = upi_ticket_get_labels (ticket);
    g_assert_true (upi_engine_classify_with_options (engine, encoding, labels, &options, expected, NULL));

    const GstUpiRule *rules = gst_upi_content_get_rules (content, &n);
    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpfloat (rules[0].score, ==, expected[0]);
    g_assert_cmpfloat (rules[1].score, ==, expected[1]);
    g_assert_cmpstr (rules[0].text, ==, "a, b");
    g_assert_cmpint (rules[0].flags, ==, GST_UPI_RULE_ACTIVE);
    const GstUpiEvent *events = gst_upi_content_get_events (content, &n);
    g_assert_cmpuint (n, ==, i == 0 ? 1 : 0);
    if (n > 0)
      g_assert_cmpfloat (events[0].score, ==, expected[0]);
  }
  expect_message (&fixture, "1 new phrase 0 p");
  fixture_close (&fixture);
}

/* Other sentences while playing: those before hold until they are encoded, each under its own rule. */
static void
test_other_phrases (void)
{
  Fixture fixture;
  guint n;
  gfloat before = 0;

  fixture_open (&fixture, PHRASES, ENCODER, "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  stream_format (fixture.stream, "I420", 64, 48);
  for (guint i = 0; i < 40; i++) {
    stream_push (fixture.stream, 0);
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiRule *rules = gst_upi_content_get_rules (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n);
    if (i == 0) {
      before = rules[1].score;
      g_object_set (
          element, "rules", "{\"rules\": {\"q\": {\"type\": \"phrase\", \"text\": \"cat\", \"threshold\": 1}}}", NULL);
    } else {
      g_assert_cmpuint (n, ==, 1);
      g_assert_cmpfloat (rules[0].score, ==, before);
    }
  }
  fixture_close (&fixture);
}

static void
test_not_calibrated (void)
{
  Fixture fixture;
  const gchar *expected = "Rule \"p\" is a phrase, and model \"tiny\" was not calibrated: it cannot say of one "
                          "sentence how probably it is true. Use a "
                          "model whose config.json has \"calibration\", or take the rule out.";

  fixture_open (&fixture, PHRASES, "upiencoder model=tiny device=cpu threads=1 ! ", "");
  stream_format (fixture.stream, "I420", 64, 48);
  stream_push (fixture.stream, 0);
  g_autofree gchar *error = stream_message (fixture.stream, GST_MESSAGE_ERROR);
  g_assert_cmpstr (error, ==, expected);
  fixture_close (&fixture);

  /* while playing such rules are not taken */
  fixture_open (
      &fixture, ONE ("\"type\": \"count\", \"below\": 1000"), "upiencoder model=tiny device=cpu threads=1 ! ", "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  stream_format (fixture.stream, "I420", 64, 48);
  for (guint i = 0; i < 3; i++) {
    guint n;
    stream_push (fixture.stream, i);
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiRule *rules = gst_upi_content_get_rules (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n);
    g_assert_cmpuint (n, ==, 1);
    g_assert_cmpstr (rules[0].name, ==, "r");
    if (i == 0)
      g_object_set (element, "rules", PHRASES, NULL);
  }
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_assert_true (g_str_has_prefix (warning, "Rule \"p\" is a phrase"));
  g_assert_true (g_str_has_suffix (warning, "The rules before stay."));
  fixture_close (&fixture);
}

static gboolean
reads (Fixture *fixture)
{
  g_autoptr (GstElement) element = stream_get (fixture->stream, "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (GST_UPI_QUERY_ENCODING_READER));
  gboolean answer = gst_pad_query (pad, query);

  gst_query_unref (query);
  return answer;
}

static void
test_reads_encodings_for_phrases (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  g_atomic_int_set (&fixture.stream->reads, FALSE);
  g_assert_false (reads (&fixture));
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  g_object_set (element, "rules", PHRASES, NULL);
  expect (&fixture, 0, "", "");
  g_assert_true (reads (&fixture));
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rules/phrases", test_phrases);
  g_test_add_func ("/rules/other-phrases", test_other_phrases);
  g_test_add_func ("/rules/not-calibrated", test_not_calibrated);
  g_test_add_func ("/rules/reads-encodings-for-phrases", test_reads_encodings_for_phrases);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
