/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upstream.c: see upstream.h. */
#include "gst/upstream.h"

/* Pads on the way: more are a loop. */
#define MAX_PADS 256

typedef struct {
  GstUpiUpstreamFunc func;
  gpointer user_data;
  guint pads_left;
} Search;

/* Goes from a sink pad up through peers and the pads behind them. Bins are on the way too, before what is in them. */
static gboolean
find (GstPad *sinkpad, Search *search)
{
  g_autoptr (GstPad) peer = gst_pad_get_peer (sinkpad);
  gboolean found = FALSE;

  if (peer == NULL || search->pads_left == 0)
    return FALSE;
  search->pads_left--;
  g_autoptr (GstElement) element = gst_pad_get_parent_element (peer);
  if (element != NULL && search->func (peer, element, search->user_data))
    return TRUE;
  GstIterator *links = gst_pad_iterate_internal_links (peer);
  GValue item = G_VALUE_INIT;
  for (gboolean more = links != NULL; more && !found;) {
    switch (gst_iterator_next (links, &item)) {
    case GST_ITERATOR_OK:
      found = find (g_value_get_object (&item), search);
      g_value_reset (&item);
      break;
    case GST_ITERATOR_RESYNC:
      gst_iterator_resync (links);
      break;
    default:
      more = FALSE;
      break;
    }
  }
  if (G_IS_VALUE (&item))
    g_value_unset (&item);
  g_clear_pointer (&links, gst_iterator_free);
  return found;
}

gboolean
gst_upi_upstream_find (GstPad *sinkpad, GstUpiUpstreamFunc func, gpointer user_data)
{
  Search search = { func, user_data, MAX_PADS };

  return find (sinkpad, &search);
}
