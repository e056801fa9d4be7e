/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upstream.h: who stands upstream of a pad, through queues, tees and bins. What all elements share. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* @srcpad: of @element, on the way. TRUE: the search ends. */
typedef gboolean (*GstUpiUpstreamFunc) (GstPad *srcpad, GstElement *element, gpointer user_data);

/* Calls @func for every element from @sinkpad upwards, nearest first, a bin before its elements. TRUE if it ended the
 * search. */
gboolean gst_upi_upstream_find (GstPad *sinkpad, GstUpiUpstreamFunc func, gpointer user_data);

G_END_DECLS
