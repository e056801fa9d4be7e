/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h: the values of JSON, for every kind of line. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* In quotes. Control characters are escaped, bytes that are not UTF-8 replaced. */
void gst_upi_json_append_string (GString *line, const gchar *text);
/* Five digits: a tenth of a pixel at 8K. The same in every locale; JSON has no NaN: null. */
void gst_upi_json_append_number (GString *line, gdouble value);
/* [x,y,width,height] */
void gst_upi_json_append_box (GString *line, gfloat x, gfloat y, gfloat width, gfloat height);
/* Nanoseconds; NONE: null. */
void gst_upi_json_append_time (GString *line, GstClockTime time);
/* ISO 8601 in UTC, with three or six @digits of a second; NONE: null. */
void gst_upi_json_append_wall_clock (GString *line, GstClockTime time, guint digits);

G_END_DECLS
