/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * geometry.h: whether what was found still lies on the frame. Between upiencoder and an element that reads its results
 * the picture may be moved: borders (videoscale), a crop, a turn, a mix with others. GstUpiMeta marks what it sees of
 * that; elements that copy metas without a word, or drop all of them, are noticed here. Then the frame carries an empty
 * content that is marked, and the first element that meets it warns, once.
 *
 * What all elements but upiencoder share. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct {
  gint width, height, par_n, par_d;
} GstUpiFrameSize;

typedef struct {
  GstElement *element; /* not referenced: it embeds this */
  GstPad *sinkpad;     /* the same */

  /* streaming thread */
  GstUpiFrameSize size;    /* of the caps; 0: not known */
  gboolean told;           /* one warning a run */
  gboolean asked;          /* who stands upstream, since the last caps */
  gboolean encoded, moved; /* an upiencoder; behind it something that may move the picture */
} GstUpiGeometry;

/* At the init of the element that frames get their results from: how those downstream find it. */
void gst_upi_geometry_mark_source (GstElement *element);

/* At the element's init. */
void gst_upi_geometry_init (GstUpiGeometry *geometry, GstElement *element, GstPad *sinkpad);
/* READY→PAUSED. */
void gst_upi_geometry_start (GstUpiGeometry *geometry);
/* The sink pad's caps. */
void gst_upi_geometry_take_caps (GstUpiGeometry *geometry, GstCaps *caps);
/* Every frame, before anything else looks at its meta. @buffer: (transfer full): made writable if it must. (transfer
 * full): one without a GstUpiMeta has never seen an upiencoder */
GstBuffer *gst_upi_geometry_check (GstUpiGeometry *geometry, GstBuffer *buffer);

G_END_DECLS
