/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A contact sheet of what passes a pad: small pictures evenly over a clip whose length is not known beforehand. For
 * upi-demo. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _UpiContactSheet UpiContactSheet;

/* Watches the source pad of the element of that name; the sheet will hold up to count pictures. */
UpiContactSheet *upi_contact_sheet_new (GstBin *bin, const gchar *element, guint count);
void upi_contact_sheet_free (UpiContactSheet *sheet);
gboolean upi_contact_sheet_write (UpiContactSheet *sheet, const gchar *path, GError **error);

G_END_DECLS
