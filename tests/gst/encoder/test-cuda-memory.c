/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-cuda-memory.c: frames in CUDA memory, with a stand-in of its library. */
#include <string.h>

#include <gmodule.h>

#include "tests/cuda/fake-gst-cuda.h"
#include "tests/gst/encoder/embedding.h"
#include "tests/gst/encoder/launch.h"

/* CUDA memory is in the caps where upiencoder is built with libgstcuda. An engine on the processor maps what comes to
 * the host; the feature stays in the caps, and the frame is the buffer that came. */
static void
test_cuda_memory (void)
{
  Stream *s = stream_new (ENCODER, FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  GstCaps *template_caps = gst_pad_template_get_caps (gst_element_get_pad_template (encoder, "sink"));
  g_autoptr (GstCaps) cuda =
      gst_caps_from_string ("video/x-raw(memory:CUDAMemory),format=NV12,width=128,height=96,framerate=25/1");
  g_autoptr (GstCaps) unread =
      gst_caps_from_string ("video/x-raw(memory:CUDAMemory),format=UYVY,width=128,height=96,framerate=25/1");
  gboolean built_in = gst_caps_can_intersect (template_caps, cuda);
  g_autoptr (GstPad) sinkpad = gst_element_get_static_pad (encoder, "sink");
  gfloat host[EMBEDDING_WIDTH], mapped[EMBEDDING_WIDTH];

  gst_caps_unref (template_caps);
  g_assert_false (gst_pad_query_accept_caps (sinkpad, unread));
  g_assert_cmpint (gst_pad_query_accept_caps (sinkpad, cuda), ==, built_in);
  if (built_in) {
    stream_format (s, "NV12", 128, 96);
    embedding_encode (s, frame_new ("NV12", 128, 96, 3), host);
    g_free (stream_take_record (s));
    stream_caps (s, "video/x-raw(memory:CUDAMemory),format=NV12,width=128,height=96,framerate=25/1");
    embedding_encode (s, frame_new ("NV12", 128, 96, 3), mapped);
    g_assert_cmpfloat (embedding_distance (host, mapped), <, 1e-6);
    g_autoptr (GstPad) srcpad = gst_element_get_static_pad (encoder, "src");
    g_autoptr (GstCaps) out = gst_pad_get_current_caps (srcpad);
    g_assert_true (gst_caps_is_equal (out, cuda));
  } else {
    g_test_skip ("built without libgstcuda");
  }
  stream_free (s);
}

/* The stand-in that the plugin was built with; NULL: it is the real one. */
static FakeGstCuda *
fake_cuda (void)
{
  g_autoptr (GstElement) encoder = gst_object_ref_sink (gst_element_factory_make ("upiencoder", NULL));
  g_autoptr (GstPlugin) plugin = gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (gst_element_get_factory (encoder)));
  GModule *module = g_module_open (gst_plugin_get_filename (plugin), G_MODULE_BIND_LOCAL);
  FakeGstCuda *fake = NULL;

  g_module_symbol (module, "fake_gst_cuda", (gpointer *) &fake);
  g_module_close (module); /* the plugin stays */
  return fake;
}

/* CUDA memory comes when upstream is linked after the engine was opened: the engine follows into the pipeline's
 * context, once; frames before leave with what it made of them. Where there is no context a warning says what it costs
 * and how to mend it, and frames go on through the host. */
static void
test_cuda_context_later (void)
{
  FakeGstCuda *fake = fake_cuda ();
  gfloat before[EMBEDDING_WIDTH], got[EMBEDDING_WIDTH];

  if (fake == NULL) {
    g_test_skip ("built without the stand-in of libgstcuda");
    return;
  }
  Stream *s = stream_new ("upiencoder name=e model=tiny device=cuda threads=1 policy=block max-in-flight=4", FALSE);
  g_assert_cmpint (fake->prepared, ==, 1);
  stream_format (s, "NV12", 128, 96);
  embedding_encode (s, frame_new ("NV12", 128, 96, 3), before);
  g_assert_cmpint (fake->prepared, ==, 1);

  stream_caps (s, "video/x-raw(memory:CUDAMemory),format=NV12,width=128,height=96,framerate=25/1");
  embedding_encode (s, frame_new ("NV12", 128, 96, 3), got);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "goes through the host's memory: the pipeline has no context"));
  g_assert_cmpint (fake->asked, ==, 0);
  g_assert_cmpfloat (embedding_distance (before, got), <, 1e-6);

  fake->has_context = TRUE;
  stream_format (s, "NV12", 128, 96); /* nothing to follow */
  g_assert_cmpint (
      gst_harness_push (s->harness, frame_new ("NV12", 128, 96, 5)), ==, GST_FLOW_OK); /* on its way meanwhile */
  for (guint i = 0; i < 2; i++) {
    stream_caps (s, "video/x-raw(memory:CUDAMemory),format=NV12,width=128,height=96,framerate=25/1");
    g_assert_cmpint (gst_harness_push (s->harness, frame_new ("NV12", 128, 96, 3)), ==, GST_FLOW_OK);
    stream_format (s, "NV12", 128, 96);
  }
  for (guint i = 0; i < 3; i++) {
    GstBuffer *out = stream_pull (s);
    memset (got, 0, sizeof got);
    g_assert_cmpint (frame_inferred (out), ==, i == 0 ? 5 : 3);
    frame_embedding (out, got);
    g_assert_true (i == 0 ? embedding_distance (before, got) > 0.02 : embedding_distance (before, got) < 1e-6);
    gst_buffer_unref (out);
  }
  g_assert_cmpint (fake->prepared, ==, 3);
  g_assert_cmpint (fake->asked, ==, 2);
  stream_free (s);
  upi_engine_settle ();
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder/cuda-memory", test_cuda_memory);
  g_test_add_func ("/encoder/cuda-context", test_cuda_context_later);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
