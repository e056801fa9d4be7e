/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attach.h: between a frame's GstUpiContent and the rules: its objects in, events and how the rules stand out; the
 * "upi-event" message. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"
#include "gst/rules/state.h"

G_BEGIN_DECLS

/* (transfer full) (element-type RulesObject): with the labels of @content, as long as that lives */
GArray *gst_upi_rules_objects (const GstUpiContent *content);
/* Which phrases the rules have, in their order. (transfer full) (array zero-terminated=1) */
gchar **gst_upi_rules_phrases (const Rules *rules);

/**
 * gst_upi_rules_take_event:
 * @frame_time: when the frame was that it was noticed in
 * Returns: @event as the meta has it, with its texts, as long as they live
 */
GstUpiEvent gst_upi_rules_take_event (const RulesEvent *event, guint stream, GstClockTime stream_time);
/* (transfer full): the structure of the element message "upi-event" */
GstStructure *gst_upi_rules_event_structure (const GstUpiEvent *event);

/* (transfer full): @content with how the rules of @state stand */
GstUpiContent *gst_upi_rules_add_views (GstUpiContent *content, RulesState *state);

G_END_DECLS
