/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.h: colours of upioverlay: the same label has the same colour in every frame, run and machine. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 0xRRGGBB. The label's bytes decide. */
guint32 gst_upi_color_of_label (const gchar *label);
/* 0xRRGGBB. Neighbouring indices get colours far apart. */
guint32 gst_upi_color_of_index (guint index);
/* 0xRRGGBB. The same track has the same colour in every frame and run; those that follow one another get colours far
 * apart. */
guint32 gst_upi_color_of_track (guint64 track_id);
/* Black or white, whichever is easier to read on @rgb. */
guint32 gst_upi_color_of_text_on (guint32 rgb);

G_END_DECLS
