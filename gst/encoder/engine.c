/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.c: upiencoder's engine, from READY→PAUSED to PAUSED→READY. */
#include <stdio.h>
#include <string.h>

#include "gst/encoder/private.h"
#include "gst/engine-error.h"

#define GST_CAT_DEFAULT gst_upi_encoder_debug

/* "auto" (0×0) or one of the sizes that the model was trained for. */
static gboolean
parse_input_size (const gchar *text, const UpiEngineInfo *info, guint *width, guint *height, GError **error)
{
  guint w = 0, h = 0;
  gint end = 0;

  *width = *height = 0;
  if (text == NULL || *text == '\0' || g_str_equal (text, "auto"))
    return TRUE;
  if (strlen (text) < 32 && sscanf (text, "%5ux%5u%n", &w, &h, &end) == 2 && text[end] == '\0')
    for (guint i = 0; i < info->n_sizes; i++)
      if (info->sizes[i][0] == w && info->sizes[i][1] == h) {
        *width = w;
        *height = h;
        return TRUE;
      }

  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; i < info->n_sizes; i++)
    g_string_append_printf (known, "%s%ux%u", i > 0 ? ", " : "", info->sizes[i][0], info->sizes[i][1]);
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "Property \"input-size\" is \"%s\", but model \"%s\" was trained for %s: set one of these, or \"auto\".", text,
      info->model_name, known->str);
  return FALSE;
}

void
gst_upi_encoder_close_engine (GstUpiEncoder *self)
{
  /* Workers let go of their frames before the pipeline takes its pools away. */
  gst_upi_frames_wait_released (self->frames);
  GST_OBJECT_LOCK (self);
  UpiEngine *engine = g_steal_pointer (&self->engine);
  UpiStream *stream = g_steal_pointer (&self->stream);
  self->opened = FALSE;
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&stream, upi_stream_free);
  g_clear_pointer (&engine, upi_engine_unref);
}

/* Lock held, `opened` set: settings do not change from then on, so that their strings may be read without the lock. */
static UpiEngineOptions
engine_options (GstUpiEncoder *self)
{
  return (UpiEngineOptions){
    .size = sizeof (UpiEngineOptions),
    .model = self->model,
    .device = self->device,
    .instance_id = self->instance_id,
    .threads = self->threads,
    .threads_per_frame = self->threads_per_frame,
    .batch_size = self->batch_size,
    .batch_timeout_us = self->batch_timeout / GST_USECOND,
  };
}

/* Lock held. */
void
gst_upi_encoder_set_static (GstUpiEncoder *self)
{
  if (self->stream != NULL)
    upi_stream_set_static (self->stream, (gfloat) self->static_threshold, self->static_max_age);
}

gboolean
gst_upi_encoder_open_engine (GstUpiEncoder *self)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  self->opened = TRUE;
  UpiEngineOptions options = engine_options (self);
  GST_OBJECT_UNLOCK (self);

  guint width = 0, height = 0;
  gst_upi_cuda_prepare (GST_ELEMENT (self), self->sinkpad, self->device, &self->cuda, &options);
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);
  if (engine != NULL && !parse_input_size (self->input_size, upi_engine_info (engine), &width, &height, &error))
    g_clear_pointer (&engine, upi_engine_unref);
  if (engine == NULL) {
    GST_UPI_ERROR (self, error);
    GST_OBJECT_LOCK (self);
    self->opened = FALSE;
    GST_OBJECT_UNLOCK (self);
    return FALSE;
  }
  const UpiEngineInfo *info = upi_engine_info (engine);
  GST_INFO_OBJECT (self, "model %s (%s) on %s (%s), %u workers", info->model_name, info->model_path, info->device,
      info->device_name, info->workers);
  g_autofree gchar *conflict = upi_engine_options_conflict (engine, &options);
  if (conflict != NULL)
    GST_ELEMENT_WARNING (
        self, LIBRARY, SETTINGS, ("%s", conflict), ("the engine is shared; set model-instance-id for one of its own"));

  GST_OBJECT_LOCK (self);
  self->engine = engine;
  self->stream = upi_stream_new (engine);
  gst_upi_encoder_set_static (self);
  self->in_cuda = options.cuda_context != NULL && g_str_has_prefix (info->device, "cuda");
  self->fixed_width = width;
  self->fixed_height = height;
  GST_OBJECT_UNLOCK (self);
  gst_upi_stats_reset (self->stats);
  gst_upi_encoder_reset_stream (self);
  return TRUE;
}

void
gst_upi_encoder_follow_cuda (GstUpiEncoder *self)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  gboolean elsewhere =
      self->engine != NULL && !self->in_cuda && g_str_has_prefix (upi_engine_info (self->engine)->device, "cuda");
  UpiEngineOptions options = engine_options (self);
  GST_OBJECT_UNLOCK (self);
  /* Frames before these leave with what the old engine makes of them. */
  if (!elsewhere || gst_upi_frames_wait_idle (self->frames) != GST_FLOW_OK)
    return;
  gst_upi_cuda_prepare (GST_ELEMENT (self), self->sinkpad, self->device, &self->cuda, &options);
  UpiEngine *engine = options.cuda_context != NULL ? upi_engine_open (&options, NULL, &error) : NULL;
  if (engine == NULL) {
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
        ("CUDA memory comes from a context that the model is not in, so that each frame goes through the host's "
         "memory: %s. Link upstream before the element is set to PAUSED, or give it the context of the pipeline "
         "(gst_element_set_context).",
            error != NULL ? error->message : "the pipeline has no context"),
        ("device %s", self->device));
    return;
  }
  GST_INFO_OBJECT (self, "CUDA memory came after the model was opened: it is opened again in the pipeline's context");
  GST_OBJECT_LOCK (self);
  UpiEngine *old = self->engine;
  UpiStream *old_stream = self->stream;
  self->engine = engine;
  self->stream = upi_stream_new (engine);
  gst_upi_encoder_set_static (self);
  self->in_cuda = g_str_has_prefix (upi_engine_info (engine)->device, "cuda");
  GST_OBJECT_UNLOCK (self);
  upi_stream_free (old_stream);
  upi_engine_unref (old);
}
