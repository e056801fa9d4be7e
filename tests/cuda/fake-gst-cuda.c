/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gst/encoder/cuda.c for tests, where neither libgstcuda nor a GPU is: a pipeline that has a context of the test device
 * from when a test says so, and CUDA memory that is the host's. What upiencoder makes of contexts is the plugin's own
 * code. */
#include "gst/encoder/cuda.h"

#include "tests/cuda/fake-gst-cuda.h"

#include <gmodule.h>

struct _GstUpiCuda {
  gint ref_count;
};

__attribute__ ((visibility ("default"))) FakeGstCuda fake_gst_cuda;

GstCaps *
gst_upi_cuda_add_caps (GstCaps *system)
{
  return gst_caps_merge (system, gst_caps_from_string ("video/x-raw(memory:CUDAMemory),format=NV12"));
}

gboolean
gst_upi_cuda_caps_are_cuda (const GstCaps *caps)
{
  return gst_caps_features_contains (gst_caps_get_features (caps, 0), "memory:CUDAMemory");
}

void
gst_upi_cuda_set_context (GstElement *element, GstContext *context, const gchar *device, GstUpiCuda **cuda)
{
}

gboolean
gst_upi_cuda_answer (GstElement *element, GstQuery *query, GstUpiCuda *cuda)
{
  return FALSE;
}

/* The context of the module that the engine loads. */
static gpointer
context_of_test_device (void)
{
  g_autofree gchar *path = g_build_filename (g_getenv ("UPI_BACKEND_PATH"), "libupi-cuda.so", NULL);
  GModule *module = g_module_open (path, G_MODULE_BIND_LOCAL);
  gpointer (*context) (gint device, guint n) = NULL;

  g_assert_nonnull (module);
  g_module_make_resident (module);
  g_assert_true (g_module_symbol (module, "upi_test_device_context", (gpointer *) &context));
  return context (0, 1);
}

void
gst_upi_cuda_prepare (
    GstElement *element, GstPad *sinkpad, const gchar *device, GstUpiCuda **cuda, UpiEngineOptions *options)
{
  g_atomic_int_inc (&fake_gst_cuda.prepared);
  if (!g_atomic_int_get (&fake_gst_cuda.has_context))
    return;
  if (*cuda == NULL) {
    *cuda = g_new0 (GstUpiCuda, 1);
    (*cuda)->ref_count = 1;
  }
  options->cuda_context = context_of_test_device ();
  options->cuda_context_data = gst_upi_cuda_ref (*cuda);
  options->cuda_context_free = (GDestroyNotify) gst_upi_cuda_unref;
}

gboolean
gst_upi_cuda_map (GstUpiCuda *cuda, GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer)
{
  if (cuda != NULL)
    g_atomic_int_inc (&fake_gst_cuda.asked);
  return FALSE;
}

GstUpiCuda *
gst_upi_cuda_ref (GstUpiCuda *cuda)
{
  g_atomic_int_inc (&cuda->ref_count);
  return cuda;
}

void
gst_upi_cuda_unref (GstUpiCuda *cuda)
{
  if (g_atomic_int_dec_and_test (&cuda->ref_count))
    g_free (cuda);
}
