/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c: see text.h. */
#include "gst/json/text.h"

#include <math.h>

void
gst_upi_json_append_string (GString *line, const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);

  g_string_append_c (line, '"');
  for (const gchar *c = valid; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_printf (line, "\\%c", *c);
    else if ((guchar) *c < 0x20 || *c == 0x7f)
      g_string_append_printf (line, "\\u%04x", (guint) (guchar) *c);
    else
      g_string_append_c (line, *c);
  }
  g_string_append_c (line, '"');
}

void
gst_upi_json_append_number (GString *line, gdouble value)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (line, isfinite (value) ? g_ascii_formatd (text, sizeof text, "%.5g", value) : "null");
}

void
gst_upi_json_append_box (GString *line, gfloat x, gfloat y, gfloat width, gfloat height)
{
  const gfloat box[] = { x, y, width, height };

  g_string_append_c (line, '[');
  for (guint i = 0; i < G_N_ELEMENTS (box); i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    gst_upi_json_append_number (line, box[i]);
  }
  g_string_append_c (line, ']');
}

void
gst_upi_json_append_time (GString *line, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID (time))
    g_string_append_printf (line, "%" G_GUINT64_FORMAT, time);
  else
    g_string_append (line, "null");
}

void
gst_upi_json_append_wall_clock (GString *line, GstClockTime time, guint digits)
{
  g_autoptr (GDateTime) date =
      GST_CLOCK_TIME_IS_VALID (time) ? g_date_time_new_from_unix_utc ((gint64) (time / GST_SECOND)) : NULL;

  if (date == NULL) {
    g_string_append (line, "null");
    return;
  }
  guint fraction = (guint) (time % GST_SECOND / (digits == 3 ? GST_MSECOND : GST_USECOND));
  g_string_append_printf (line, "\"%04d-%02d-%02dT%02d:%02d:%02d.%0*uZ\"", g_date_time_get_year (date),
      g_date_time_get_month (date), g_date_time_get_day_of_month (date), g_date_time_get_hour (date),
      g_date_time_get_minute (date), g_date_time_get_second (date), digits == 3 ? 3 : 6, fraction);
}
