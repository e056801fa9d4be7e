/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* labels.h: the class list of upidetect: words from a property or a file, and their way through the engine. Any words, changed at
 * any time from any thread: the new list is encoded by a worker, the old one holds until that is done. */
#pragma once

#include <glib.h>

#include "core/upi.h"

G_BEGIN_DECLS

/* ---- words: immutable, reference-counted ----------------------------------------------------------------------------------------- */

typedef struct _GstUpiWords GstUpiWords;

/* @texts: at least one, UTF-8, as they are: sentences have commas. */
GstUpiWords *gst_upi_words_new (const gchar *const *texts);
/* "person, bicycle, red car". NULL and UPI_ERROR_ARGUMENT when no word is in it or it is not UTF-8. @name: of the property, for errors. */
GstUpiWords *gst_upi_words_parse (const gchar *text, const gchar *name, GError **error);
/* One word a line (LF, CR LF or CR), optionally a tab and its own threshold 0..1. NULL and an error that names @path and the line. */
GstUpiWords *gst_upi_words_load (const gchar *path, GError **error);
GstUpiWords *gst_upi_words_ref (GstUpiWords *words);
void gst_upi_words_unref (GstUpiWords *words);
const gchar *const *gst_upi_words_get (const GstUpiWords *words);
/* (nullable): one a word, NaN where the file gives none */
const gfloat *gst_upi_words_get_thresholds (const GstUpiWords *words);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiWords, gst_upi_words_unref)

/* ---- labels: the words as the engine knows them ---------------------------------------------------------------------------------- */

typedef struct _GstUpiLabeller GstUpiLabeller;

GstUpiLabeller *gst_upi_labeller_new (void);
void gst_upi_labeller_unref (GstUpiLabeller *labeller);

/* @words: (nullable) (transfer none): NULL = the model's own list. Never blocks. */
void gst_upi_labeller_want (GstUpiLabeller *labeller, GstUpiWords *words);

/* Of a long list @done of @total labels are encoded; @waits: the frame waits for them. */
typedef void (*GstUpiLabellerProgress) (guint done, guint total, gboolean waits, gpointer user_data);

/* Streaming thread: the newest encoded list for @engine. (transfer full) (nullable)
 * @wait: block when there is none at all yet, until there is or the labeller flushes
 * @progress: called from here, with nothing locked
 * @error: why the wanted list could not be encoded, and an older list holds, or what of it does not count, once for each list; set beside a
 * result. */
UpiLabels *gst_upi_labeller_get (
    GstUpiLabeller *labeller, UpiEngine *engine, gboolean wait, GstUpiLabellerProgress progress, gpointer user_data, GError **error);

/* TRUE: whoever waits returns NULL. */
void gst_upi_labeller_set_flushing (GstUpiLabeller *labeller, gboolean flushing);
/* Lets go of engine and labels; waits for a running encoding of this labeller. */
void gst_upi_labeller_stop (GstUpiLabeller *labeller);

G_END_DECLS
