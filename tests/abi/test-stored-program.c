/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program as others write it, compiled against the stored headers and linked with the libraries of today: structs of
 * yesterday's size go in, arrays of yesterday's stride come out, and every function of yesterday is still there. */
#include <string.h>

#include "core/upi.h"
#include "gst/gstupimeta.h"

/* The linker fails where one is gone. */
static const GCallback functions[] = {
  (GCallback) upi_error_quark,
  (GCallback) upi_engine_open,
  (GCallback) upi_engine_ref,
  (GCallback) upi_engine_unref,
  (GCallback) upi_engine_info,
  (GCallback) upi_engine_options_conflict,
  (GCallback) upi_engine_nearest_size,
  (GCallback) upi_ticket_ref,
  (GCallback) upi_ticket_unref,
  (GCallback) upi_ticket_is_done,
  (GCallback) upi_ticket_wait,
  (GCallback) upi_ticket_cancel,
  (GCallback) upi_ticket_get_encoding,
  (GCallback) upi_ticket_get_labels,
  (GCallback) upi_ticket_get_text,
  (GCallback) upi_ticket_get_times,
  (GCallback) upi_engine_encode,
  (GCallback) upi_encoding_ref,
  (GCallback) upi_encoding_unref,
  (GCallback) upi_encoding_pts,
  (GCallback) upi_encoding_source_size,
  (GCallback) upi_encoding_engine,
  (GCallback) upi_encoding_bytes,
  (GCallback) upi_engine_encode_labels,
  (GCallback) upi_labels_ref,
  (GCallback) upi_labels_unref,
  (GCallback) upi_labels_count,
  (GCallback) upi_labels_name,
  (GCallback) upi_mask_new,
  (GCallback) upi_mask_ref,
  (GCallback) upi_mask_unref,
  (GCallback) upi_engine_detect,
  (GCallback) upi_detections_ref,
  (GCallback) upi_detections_unref,
  (GCallback) upi_engine_classify,
  (GCallback) upi_engine_embed,
  (GCallback) upi_labels_embedding,
  (GCallback) upi_engine_caption,
  (GCallback) upi_engine_get_stats,
  (GCallback) upi_version,
  (GCallback) gst_upi_content_get_type,
  (GCallback) gst_upi_content_new,
  (GCallback) gst_upi_content_ref,
  (GCallback) gst_upi_content_unref,
  (GCallback) gst_upi_content_add_objects,
  (GCallback) gst_upi_content_set_captions,
  (GCallback) gst_upi_content_drop_encoding,
  (GCallback) gst_upi_content_get_encoding,
  (GCallback) gst_upi_content_is_encoded,
  (GCallback) gst_upi_content_get_inference_pts,
  (GCallback) gst_upi_content_get_flags,
  (GCallback) gst_upi_content_get_objects,
  (GCallback) gst_upi_content_get_captions,
  (GCallback) gst_upi_meta_api_get_type,
  (GCallback) gst_upi_meta_get_info,
  (GCallback) gst_buffer_get_upi_meta,
  (GCallback) gst_buffer_add_upi_meta,
  (GCallback) gst_upi_meta_get_content,
  (GCallback) gst_upi_meta_set_content,
  (GCallback) gst_upi_meta_add_objects,
  (GCallback) gst_upi_meta_set_captions,
  (GCallback) gst_upi_meta_drop_encoding,
};

static void
test_functions (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    g_assert_true (functions[i] != NULL);
  g_assert_cmpuint (G_N_ELEMENTS (functions), >, 50);
}

static UpiEncoding *
encode (UpiEngine *engine)
{
  static guint8 pixels[48 * 32 * 3];
  g_autoptr (GError) error = NULL;
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 48,
    .height = 32,
    .planes = { pixels },
    .strides = { 48 * 3 } };

  for (guint i = 0; i < sizeof pixels; i++)
    pixels[i] = (guint8) (i * 7);
  g_autoptr (UpiTicket) ticket = upi_engine_encode (engine, &image, 0, 0, 77, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (upi_ticket_wait (ticket, &error));
  return upi_ticket_get_encoding (ticket);
}

static UpiLabels *
encode_labels (UpiEngine *engine)
{
  static const gchar *const words[] = { "cat", "dog", "person", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, words, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (upi_ticket_wait (ticket, &error));
  return upi_ticket_get_labels (ticket);
}

static void
test_engine (void)
{
  g_autoptr (GError) error = NULL;
  const UpiEngineOptions options = {
    .size = sizeof (UpiEngineOptions), .model = "tiny", .device = "cpu", .threads = 1
  };
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  const UpiEngineInfo *info = upi_engine_info (engine);
  g_assert_cmpstr (info->device, ==, "cpu");
  g_assert_cmpuint (info->max_regions, >, 1);
  g_assert_null (upi_engine_options_conflict (engine, &options));

  g_autoptr (UpiEncoding) encoding = encode (engine);
  g_autoptr (UpiLabels) labels = encode_labels (engine);
  g_assert_cmpuint (upi_encoding_pts (encoding), ==, 77);
  const UpiDetectOptions detect = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .masks = TRUE
  };
  g_autoptr (UpiDetections) found = upi_engine_detect (engine, encoding, labels, &detect, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (found->n_objects, ==, info->max_regions);
  for (guint i = 0; i < found->n_objects; i++) { /* every stride but the right one finds other numbers here */
    const UpiObject *object = &found->objects[i];
    g_assert_cmpuint (object->label, <, 3);
    g_assert_cmpuint (object->region, <, info->max_regions);
    g_assert_true (object->score >= 0 && object->score <= 1 && (i == 0 || object->score <= object[-1].score));
    g_assert_true (object->x >= 0 && object->x + object->width <= 1.001f);
    g_assert_nonnull (object->mask);
    g_assert_cmpuint (object->mask->columns * object->mask->rows, >, 0);
    for (guint c = 0; c < object->mask->columns * object->mask->rows; c++)
      g_assert_cmpuint (object->mask->data[c], <=, 255);
  }

  const UpiCaptionOptions caption = {
    .size = sizeof (UpiCaptionOptions), .max_tokens = 3, .beam_size = 2, .length_penalty = 1
  };
  g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &caption, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (upi_ticket_wait (ticket, &error));
  g_autofree gchar *text = upi_ticket_get_text (ticket);
  g_assert_nonnull (text);

  struct {
    UpiEngineStats stats;
    guint8 behind[64];
  } room = { .stats = { .size = sizeof (UpiEngineStats) } };
  memset (room.behind, 0x5a, sizeof room.behind);
  upi_engine_get_stats (engine, &room.stats);
  g_assert_cmpuint (room.stats.size, ==, sizeof (UpiEngineStats));
  g_assert_cmpuint (room.stats.encoded, ==, 1);
  g_assert_cmpuint (room.stats.captions, ==, 1);
  for (guint i = 0; i < sizeof room.behind; i++)
    g_assert_cmpuint (room.behind[i], ==, 0x5a);
}

static void
test_content (void)
{
  UpiMask *mask = upi_mask_new (2, 2);
  const GstUpiObject objects[] = {
    { .label = "cat",
        .score = 0.9f,
        .x = 0.1f,
        .width = 0.2f,
        .height = 0.3f,
        .mask = mask,
        .track_id = 7,
        .velocity_x = 0.5f,
        .age = 40 },
    { .label = "dog", .label_id = 1, .score = 0.8f, .region = 4 },
    { .label = "person", .label_id = 2, .score = 0.7f, .track_id = 9 },
  };
  const GstUpiCaption captions[] = { { .text = "a cat", .pts = 40, .duration = GST_SECOND },
    { .text = "a cat and a dog", .pts = 80, .duration = GST_CLOCK_TIME_NONE } };
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, NULL);

  gst_upi_meta_add_objects (meta, objects, 1);
  gst_upi_meta_add_objects (meta, objects + 1, 2);
  gst_upi_meta_set_captions (meta, captions, 2);
  upi_mask_unref (mask);
  guint n = 0;
  const GstUpiObject *read =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  g_assert_cmpuint (n, ==, 3);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpstr (read[i].label, ==, objects[i].label);
    g_assert_cmpuint (read[i].label_id, ==, i);
    g_assert_cmpfloat (read[i].score, ==, objects[i].score);
    g_assert_cmpuint (read[i].track_id, ==, objects[i].track_id);
    g_assert_cmpuint (read[i].age, ==, objects[i].age);
    g_assert_cmpfloat (read[i].velocity_x, ==, objects[i].velocity_x);
    g_assert_true (read[i].mask == (i == 0 ? mask : NULL));
  }
  const GstUpiCaption *said = gst_upi_content_get_captions (gst_upi_meta_get_content (meta), &n);
  g_assert_cmpuint (n, ==, 2);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpstr (said[i].text, ==, captions[i].text);
    g_assert_cmpuint (said[i].pts, ==, captions[i].pts);
    g_assert_cmpuint (said[i].duration, ==, captions[i].duration);
  }
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/abi/program/functions", test_functions);
  g_test_add_func ("/abi/program/engine", test_engine);
  g_test_add_func ("/abi/program/content", test_content);
  return g_test_run ();
}
