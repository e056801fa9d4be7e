/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules.h: the lists of events and rules in a GstUpiContent, which the contents that are made from one another
 * share. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* Atomic rc boxes, each with its strings and points behind its items in one block: g_atomic_rc_box_release() frees
 * all. */
typedef struct {
  guint n_items;
  GstUpiEvent items[];
} GstUpiEventList;

typedef struct {
  guint n_items;
  GstUpiRule items[];
} GstUpiRuleList;

/* @old: (nullable) (transfer full). (transfer full) Its items and, behind them, those that are added. */
GstUpiEventList *gst_upi_event_list_append (GstUpiEventList *old, const GstUpiEvent *events, guint n_events);
GstUpiRuleList *gst_upi_rule_list_append (GstUpiRuleList *old, const GstUpiRule *rules, guint n_rules);

G_END_DECLS
