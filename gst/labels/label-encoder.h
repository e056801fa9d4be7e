/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-encoder.h: a list of labels on its way through the text encoder. Any words, changed at any time from any
 * thread: the new list is encoded by a worker, the old one holds until that is done. What all elements with labels
 * share. */
#pragma once

#include <glib.h>

#include "core/upi.h"
#include "gst/labels/words.h"

G_BEGIN_DECLS

typedef struct _GstUpiLabelEncoder GstUpiLabelEncoder;

GstUpiLabelEncoder *gst_upi_label_encoder_new (void);
void gst_upi_label_encoder_unref (GstUpiLabelEncoder *encoder);

/* @words: (nullable) (transfer none): NULL = the model's own list. Never blocks. */
void gst_upi_label_encoder_want (GstUpiLabelEncoder *encoder, GstUpiWords *words);

/* Of a long list @done of @total labels are encoded; @waits: the frame waits for them. */
typedef void (*GstUpiLabelProgress) (guint done, guint total, gboolean waits, gpointer user_data);

/* Streaming thread: the newest encoded list for @engine. (transfer full) (nullable)
 * @wait: block when there is none at all yet, until there is or the encoder flushes
 * @progress: called from here, with nothing locked
 * @error: why the wanted list could not be encoded, and an older list holds, or what of it does not count, once for
 * each list; set beside a result. */
UpiLabels *gst_upi_label_encoder_get (GstUpiLabelEncoder *encoder, UpiEngine *engine, gboolean wait,
    GstUpiLabelProgress progress, gpointer user_data, GError **error);

/* TRUE: whoever waits returns NULL. */
void gst_upi_label_encoder_set_flushing (GstUpiLabelEncoder *encoder, gboolean flushing);
/* Lets go of engine and labels; waits for a running encoding of this encoder. */
void gst_upi_label_encoder_stop (GstUpiLabelEncoder *encoder);

G_END_DECLS
