/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* words.h: a list of labels as text, from a property, a file or a rule. Immutable, reference-counted. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _GstUpiWords GstUpiWords;

/* @texts: at least one, UTF-8, as they are: sentences have commas. */
GstUpiWords *gst_upi_words_new (const gchar *const *texts);
/* "person, bicycle, red car". NULL and UPI_ERROR_ARGUMENT when no word is in it or it is not UTF-8. @name: of the
 * property, for errors. */
GstUpiWords *gst_upi_words_parse (const gchar *text, const gchar *name, GError **error);
/* One word a line (LF, CR LF or CR), optionally a tab and its own threshold 0..1. NULL and an error that names @path
 * and the line. */
GstUpiWords *gst_upi_words_load (const gchar *path, GError **error);
GstUpiWords *gst_upi_words_ref (GstUpiWords *words);
void gst_upi_words_unref (GstUpiWords *words);
const gchar *const *gst_upi_words_get (const GstUpiWords *words);
/* (nullable): one a word, NaN where the file gives none */
const gfloat *gst_upi_words_get_thresholds (const GstUpiWords *words);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiWords, gst_upi_words_unref)

G_END_DECLS
