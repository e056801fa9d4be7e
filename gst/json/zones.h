/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zones.h: which zones of upirules an object stands in. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* An object stands where its bottom centre is. FALSE too for a rule that is no zone. */
gboolean gst_upi_zone_contains (const GstUpiRule *rule, const GstUpiObject *object);

G_END_DECLS
