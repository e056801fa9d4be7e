/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pad-task.h: a pad's task where threads are short. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* gst_pad_start_task() that posts an error of the pad's element where there is no thread to be had, and leaves a task
 * that can be stopped. */
gboolean gst_upi_pad_start_task (GstPad *pad, GstTaskFunction function, gpointer user_data);

G_END_DECLS
