/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event.h: what a rule noticed as one line of JSON. */
#pragma once

#include "gst/json/line.h"

G_BEGIN_DECLS

/* Replaces what is in @line by one object and a newline: where and when as in a frame's line, and the event, as
 * upi-event-1.schema.json has it. */
void gst_upi_json_event_line (GString *line, const GstUpiJsonFrame *frame, const GstUpiEvent *event);

/* Static: "zone", … */
const gchar *gst_upi_json_rule_kind (GstUpiRuleKind kind);

G_END_DECLS
