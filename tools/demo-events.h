/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* demo-events.h: what happened, in words: the "upi-event" messages of upirules and "upi-classification" of upiclassify
 * as lines for a terminal, and what they come to at the end. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _UpiDemoEvents UpiDemoEvents;

/**
 * upi_demo_events_new:
 * @picture: (nullable): the name of a zone that is the whole picture, which nobody drew: who is in it came into the
 * picture
 */
UpiDemoEvents *upi_demo_events_new (const gchar *picture);
void upi_demo_events_free (UpiDemoEvents *events);
/* (transfer full) (nullable): a line, without its end; NULL: the message is of another kind, or there is nothing to say
 * of it */
gchar *upi_demo_events_take (UpiDemoEvents *events, GstMessage *message);
/* (transfer full): a line for each rule, "" where nothing happened */
gchar *upi_demo_events_sum (UpiDemoEvents *events);

G_END_DECLS
