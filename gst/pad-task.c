/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pad-task.c: see pad-task.h. */
#include "gst/pad-task.h"

#include "gst/memory.h"

/* Upstream's elements start their threads after us, and the pipeline hangs where they cannot (below). A thread takes 8
 * MiB for its stack and 64 MiB of addresses for its memory; a network that runs takes more. */
#define THREAD_BYTES ((gsize) 160 << 20)

static gboolean
has_thread (GstPad *pad)
{
  GstTask *task = GST_PAD_TASK (pad);
  gboolean running = FALSE;

  if (task != NULL) {
    GST_OBJECT_LOCK (task);
    running = task->running;
    GST_OBJECT_UNLOCK (task);
  }
  return running;
}

/* GStreamer 1.22 leaves a task that got no thread marked as running, with a reference for the thread: whoever stops it
 * would wait for ever. */
static void
forget_thread (GstPad *pad)
{
  GstTask *task = GST_PAD_TASK (pad);

  if (task == NULL)
    return;
  GST_OBJECT_LOCK (task);
  gboolean marked = task->running;
  task->running = FALSE;
  GST_OBJECT_UNLOCK (task);
  if (marked)
    gst_object_unref (task);
}

gboolean
gst_upi_pad_start_task (GstPad *pad, GstTaskFunction function, gpointer user_data)
{
  if (has_thread (pad)) /* paused by a flush */
    return gst_pad_start_task (pad, function, user_data, NULL);
  if (gst_upi_can_allocate (THREAD_BYTES)) {
    if (gst_pad_start_task (pad, function, user_data, NULL))
      return TRUE;
    forget_thread (pad);
  }
  GstElement *element = gst_pad_get_parent_element (pad);
  if (element != NULL)
    GST_ELEMENT_ERROR (element, RESOURCE, NO_SPACE_LEFT,
        ("A thread could not be made: %" G_GSIZE_FORMAT
         " bytes of memory must be free when a stream starts, and another thread allowed; use "
         "fewer threads or streams.",
            THREAD_BYTES),
        ("the task of %s:%s", GST_DEBUG_PAD_NAME (pad)));
  gst_clear_object (&element);
  return FALSE;
}
