/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shown.h: what upitrack remembers of a track to make objects of it: where nobody sees it, its label, score, mask and
 * vector are those of its last sighting. */
#pragma once

#include "gst/meta/gstupimeta.h"
#include "gst/track/tracker.h"

G_BEGIN_DECLS

typedef struct _GstUpiShown GstUpiShown;

GstUpiShown *gst_upi_shown_new (void);
void gst_upi_shown_free (gpointer shown);

/**
 * gst_upi_shown_see: the track's latest sighting.
 * @object: as upidetect has it
 * @box: where the track was then
 * @label: (nullable): the track's own, by votes
 * @vector: (nullable) (array length=length): of its region
 */
void gst_upi_shown_see (GstUpiShown *shown, const GstUpiObject *object, const GstUpiBox *box, const gchar *label,
    const gfloat *vector, guint length);

/**
 * gst_upi_shown_get_object: an object of the track as it is now, in @box.
 * @label: (nullable): the track's
 * @object: (out): borrows from @shown and @label, but for its mask, which the caller owns
 *
 * Returns: FALSE if nothing of it is in the frame
 */
gboolean
gst_upi_shown_get_object (const GstUpiShown *shown, const GstUpiBox *box, const gchar *label, GstUpiObject *object);

G_END_DECLS
