/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a pipeline's processor time goes, for upi-demo: time inside filter elements by pad probes on the thread's CPU
 * clock, time of threads by their names, the engine's own counters for what its workers did. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _UpiTimeShares UpiTimeShares;

/* Watches the elements of the bin that are named "to-raw", "detect", "json", "overlay". */
UpiTimeShares *upi_time_shares_new (GstBin *bin);
void upi_time_shares_free (UpiTimeShares *shares);
/* Frames that have left "overlay" so far. */
guint upi_time_shares_frames (UpiTimeShares *shares);
/* Prints the table; while the pipeline still has its threads. model, device: as given to upiencoder, NULL for the
 * default. */
void upi_time_shares_print (UpiTimeShares *shares, const gchar *model, const gchar *device);

G_END_DECLS
