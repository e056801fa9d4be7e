/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pipeline-run.c: see pipeline-run.h. */
#include "tests/pipelines/pipeline-run.h"

#include <stdio.h>
#include <string.h>

/* A hang fails the test long before the runner's own limit. */
#define PATIENCE (120 * GST_SECOND)

static void
cue_free (gpointer data)
{
  Cue *cue = data;
  g_free (cue->text);
  g_free (cue);
}

static Cue *
cue_new (GstClockTime pts, GstClockTime duration, gchar *text)
{
  Cue *cue = g_new (Cue, 1);
  *cue = (Cue){ pts, duration, text };
  return cue;
}

static GstPadProbeReturn
note_in (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Run *run = user_data;
  g_array_append_val (run->in, GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info)));
  g_array_append_val (run->in_durations, GST_BUFFER_DURATION (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
note_out (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Run *run = user_data;
  g_array_append_val (run->out, GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info)));
  g_array_append_val (run->out_durations, GST_BUFFER_DURATION (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
note_text (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Run *run = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstMapInfo map;

  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  if (map.size > 0) {
    g_mutex_lock (&run->lock);
    g_ptr_array_add (run->cues,
        cue_new (
            GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer), g_strndup ((const gchar *) map.data, map.size)));
    g_mutex_unlock (&run->lock);
  }
  gst_buffer_unmap (buffer, &map);
  return GST_PAD_PROBE_OK;
}

void
run_watch (Run *run, const gchar *name, GstPadProbeCallback function, gpointer user_data)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (run->pipeline), name);
  if (element == NULL)
    return;
  GstPad *pad = gst_element_get_static_pad (element, "src");
  g_assert_nonnull (pad);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, function, user_data, NULL);
  gst_object_unref (pad);
  gst_object_unref (element);
}

static GstBusSyncReply
note_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Run *run = user_data;
  const GstStructure *s = gst_message_get_structure (message);

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT && gst_structure_has_name (s, "upi-caption")) {
    guint64 pts, duration;
    g_assert_true (gst_structure_get (s, "pts", G_TYPE_UINT64, &pts, "duration", G_TYPE_UINT64, &duration, NULL));
    g_mutex_lock (&run->lock);
    g_ptr_array_add (run->captions, cue_new (pts, duration, g_strdup (gst_structure_get_string (s, "text"))));
    g_mutex_unlock (&run->lock);
  }
  return GST_BUS_PASS;
}

static Run *
run_new_valist (const gchar *format, va_list arguments)
{
  Run *run = g_new0 (Run, 1);
  g_autofree gchar *description = g_strdup_vprintf (format, arguments);
  g_autoptr (GError) error = NULL;

  g_mutex_init (&run->lock);
  run->captions = g_ptr_array_new_with_free_func (cue_free);
  run->cues = g_ptr_array_new_with_free_func (cue_free);
  run->in = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  run->out = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  run->in_durations = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  run->out_durations = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  run->pipeline = gst_parse_launch_full (description, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_assert_no_error (error);
  run_watch (run, "in", note_in, run);
  run_watch (run, "out", note_out, run);
  run_watch (run, "text", note_text, run);
  GstBus *bus = gst_element_get_bus (run->pipeline);
  gst_bus_set_sync_handler (bus, note_message, run, NULL);
  gst_object_unref (bus);
  return run;
}

Run *
run_new (const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  Run *run = run_new_valist (format, arguments);
  va_end (arguments);
  return run;
}

Run *
run_once (const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  Run *run = run_new_valist (format, arguments);
  va_end (arguments);
  run_play (run);
  return run;
}

/* Blocks until a message of @wanted; errors fail the test. */
static void
wait_message (Run *run, GstMessageType wanted, const gchar *what)
{
  GstBus *bus = gst_element_get_bus (run->pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, PATIENCE, wanted | GST_MESSAGE_ERROR);

  gst_object_unref (bus);
  if (message == NULL)
    g_error ("the pipeline hangs: no %s", what);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *detail = NULL;
    gst_message_parse_error (message, &error, &detail);
    g_error ("%s: %s (%s)", GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message, detail);
  }
  gst_message_unref (message);
}

void
run_preroll (Run *run)
{
  if (gst_element_set_state (run->pipeline, GST_STATE_PAUSED) == GST_STATE_CHANGE_ASYNC)
    wait_message (run, GST_MESSAGE_ASYNC_DONE, "preroll");
}

void
run_play (Run *run)
{
  gst_element_set_state (run->pipeline, GST_STATE_PLAYING);
  wait_message (run, GST_MESSAGE_EOS, "end of stream");
  gst_element_set_state (run->pipeline, GST_STATE_NULL);
}

void
run_free (Run *run)
{
  gst_element_set_state (run->pipeline, GST_STATE_NULL);
  gst_object_unref (run->pipeline);
  g_ptr_array_unref (run->captions);
  g_ptr_array_unref (run->cues);
  g_array_unref (run->in);
  g_array_unref (run->out);
  g_array_unref (run->in_durations);
  g_array_unref (run->out_durations);
  g_mutex_clear (&run->lock);
  g_free (run);
}

gboolean
have_elements (const gchar *first, ...)
{
  va_list names;
  const gchar *missing = NULL;

  va_start (names, first);
  for (const gchar *name = first; name != NULL && missing == NULL; name = va_arg (names, const gchar *)) {
    GstElementFactory *factory = gst_element_factory_find (name);
    if (factory == NULL)
      missing = name;
    g_clear_pointer (&factory, gst_object_unref);
  }
  va_end (names);
  if (missing != NULL) {
    g_autofree gchar *why = g_strdup_printf ("no element %s on this system", missing);
    g_test_skip (why);
  }
  return missing == NULL;
}

void
assert_same_cues (const GPtrArray *found, const GPtrArray *expected)
{
  g_assert_cmpuint (found->len, ==, expected->len);
  for (guint i = 0; i < found->len; i++) {
    const Cue *a = found->pdata[i], *b = expected->pdata[i];
    g_assert_cmpstr (a->text, ==, b->text);
    g_assert_cmpuint (a->pts / GST_MSECOND, ==, b->pts / GST_MSECOND);
    g_assert_cmpuint (a->duration / GST_MSECOND, ==, b->duration / GST_MSECOND);
  }
}

void
assert_same_times (const GArray *a, const GArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++)
    g_assert_cmpuint (g_array_index (a, GstClockTime, i), ==, g_array_index (b, GstClockTime, i));
}

/* "00:00:01.000 --> 00:00:02.000"; SRT has a comma for the point. */
static gboolean
parse_times (const gchar *line, gchar point, GstClockTime *start, GstClockTime *end)
{
  guint h[2], m[2], s[2], ms[2];
  g_autofree gchar *plain = g_strdup (line);

  g_strdelimit (plain, (const gchar[]){ point, '\0' }, '#');
  if (sscanf (plain, "%u:%u:%u#%3u --> %u:%u:%u#%3u", &h[0], &m[0], &s[0], &ms[0], &h[1], &m[1], &s[1], &ms[1]) != 8)
    return FALSE;
  *start = ((h[0] * 60 + m[0]) * 60 + s[0]) * GST_SECOND + ms[0] * GST_MSECOND;
  *end = ((h[1] * 60 + m[1]) * 60 + s[1]) * GST_SECOND + ms[1] * GST_MSECOND;
  return TRUE;
}

GPtrArray *
parse_cues (const gchar *text, gboolean webvtt)
{
  GPtrArray *cues = g_ptr_array_new_with_free_func (cue_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GstClockTime start, end;
  guint i = 0;

  g_assert_true (g_utf8_validate (text, -1, NULL));
  if (webvtt) { /* the signature, then a blank line */
    g_assert_cmpstr (lines[i++], ==, "WEBVTT");
    g_assert_cmpstr (lines[i++], ==, "");
  }
  for (; lines[i] != NULL; i++) {
    if (!parse_times (lines[i], webvtt ? '.' : ',', &start, &end))
      continue;
    g_assert_cmpuint (end, >, start);
    g_autoptr (GString) words = g_string_new (NULL);
    while (lines[i + 1] != NULL && g_strchomp (lines[i + 1])[0] != '\0')
      g_string_append_printf (words, "%s%s", words->len > 0 ? "\n" : "", lines[++i]);
    g_ptr_array_add (cues, cue_new (start, end - start, g_strdup (words->str)));
  }
  return cues;
}
