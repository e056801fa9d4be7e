/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mot-run.c: runs the tracker alone over detections in MOTChallenge form and writes its result in that form.
 * mot_score.py scores it.
 *
 *   build/tests/track/mot-run [--reference] [--fps 30] [--threshold 0.6] [--region] [--set NAME=VALUE]… DET.txt
 *   RESULT.txt
 */
#include <stdio.h>
#include <string.h>

#include "mot-file.h"

#define CANDIDATE 0.1 /* what is less certain is nothing: upidetect's candidate-threshold */
#define THRESHOLD 0.6 /* of what is found; that of the public implementation */

/* What --set may set. */
static const struct {
  const gchar *name;
  gsize offset;
} NUMBERS[] = {
#define NUMBER(field)                                                                                                  \
  {                                                                                                                    \
#field, G_STRUCT_OFFSET(GstUpiTrackerOptions, field)                                                               \
  }
  NUMBER (iou_threshold),
  NUMBER (candidate_threshold),
  NUMBER (tentative_threshold),
  NUMBER (recovery_threshold),
  NUMBER (buffer),
  NUMBER (wide_buffer),
  NUMBER (max_lost_time),
  NUMBER (min_hits_time),
  NUMBER (sure),
  NUMBER (unsure_time),
  NUMBER (max_shown_time),
  NUMBER (velocity_memory),
  NUMBER (same_place),
  NUMBER (region_weight),
  NUMBER (away_time),
  NUMBER (recognition_threshold),
  NUMBER (recognition_weight),
  NUMBER (size_weight),
  NUMBER (doubt),
  NUMBER (patience),
  NUMBER (reach),
#undef NUMBER
};

static gdouble *
number_of (GstUpiTrackerOptions *options, guint i)
{
  return (gdouble *) ((gchar *) options + NUMBERS[i].offset);
}

static gboolean
set_number (GstUpiTrackerOptions *options, const gchar *assignment)
{
  const gchar *equals = strchr (assignment, '=');

  for (guint i = 0; equals != NULL && i < G_N_ELEMENTS (NUMBERS); i++) {
    gchar *end;

    if (strncmp (NUMBERS[i].name, assignment, (gsize) (equals - assignment)) != 0
        || NUMBERS[i].name[equals - assignment] != '\0')
      continue;
    *number_of (options, i) = g_ascii_strtod (equals + 1, &end);
    return end != equals + 1 && *end == '\0';
  }
  return FALSE;
}

static void
write_line (FILE *file, guint frame, guint64 id, const GstUpiBox *box, gdouble score)
{
  gchar numbers[5][G_ASCII_DTOSTR_BUF_SIZE];
  const gdouble values[5] = { box->x, box->y, box->width, box->height, score };

  for (guint i = 0; i < 5; i++)
    g_ascii_formatd (numbers[i], sizeof (numbers[i]), "%.4f", values[i]);
  fprintf (file, "%u,%" G_GUINT64_FORMAT ",%s,%s,%s,%s,%s,-1,-1,-1\n", frame, id, numbers[0], numbers[1], numbers[2],
      numbers[3], numbers[4]);
}

/* What is shown at one frame: where the filter has what was found (with --reference where it was found, as the public
 * implementation has it), and where it thinks the missing are. */
static void
write_frame (FILE *file, const GstUpiTracker *tracker, guint frame, gint64 time, const GstUpiSighting *sightings,
    const gdouble *scores, guint n, gboolean predicted, gboolean reference)
{
  for (guint i = 0; i < n; i++) {
    const GstUpiTrack *track = gst_upi_tracker_get_track_of (tracker, i);

    if (track == NULL || track->id == 0)
      continue;
    const GstUpiBox box = reference ? sightings[i].box : gst_upi_motion_get_box (&track->motion);
    write_line (file, frame, track->id, &box, scores[i]);
  }
  for (guint i = 0; predicted && i < gst_upi_tracker_get_n_tracks (tracker); i++) {
    const GstUpiTrack *track = gst_upi_tracker_get_track (tracker, i);
    GstUpiBox box;

    if (track->sighting < 0 && gst_upi_tracker_get_box (tracker, track, time, &box))
      write_line (file, frame, track->id, &box, -1);
  }
}

int
main (int argc, char **argv)
{
  gboolean reference = FALSE, defaults = FALSE, predicted = FALSE, region = FALSE;
  gdouble fps = GST_UPI_MOTION_STEPS_PER_SECOND, threshold = THRESHOLD;
  g_auto (GStrv) settings = NULL;
  const GOptionEntry entries[] = {
    { "reference", 0, 0, G_OPTION_ARG_NONE, &reference, "Nothing but the public C-BIoU, in its defaults", NULL },
    { "fps", 0, 0, G_OPTION_ARG_DOUBLE, &fps, "Frames a second of the detections (30)", "N" },
    { "threshold", 0, 0, G_OPTION_ARG_DOUBLE, &threshold, "Detections of a lower score are candidates (0.6)", "SCORE" },
    { "predicted", 0, 0, G_OPTION_ARG_NONE, &predicted, "Write where missed objects are thought to be as well", NULL },
    { "region", 0, 0, G_OPTION_ARG_NONE, &region, "Compare what region-dump says that objects look like", NULL },
    { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &settings, "Another value for one of the tracker's options",
        "NAME=VALUE" },
    { "defaults", 0, 0, G_OPTION_ARG_NONE, &defaults, "Print what --set may set, and end", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("DET.txt RESULT.txt - track MOTChallenge detections");
  g_autoptr (GError) error = NULL;
  GstUpiTrackerOptions options;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("mot-run: %s\n", error->message);
    return 2;
  }
  gst_upi_tracker_options_init (&options);
  if (defaults) {
    for (guint i = 0; i < G_N_ELEMENTS (NUMBERS); i++)
      g_print ("%s=%g\n", NUMBERS[i].name, *number_of (&options, i));
    return 0;
  }
  if (argc != 3 || !(fps > 0)) {
    g_autofree gchar *help = g_option_context_get_help (context, TRUE, NULL);

    g_printerr ("%s", help);
    return 2;
  }
  for (guint i = 0; settings != NULL && settings[i] != NULL; i++) {
    if (!set_number (&options, settings[i])) {
      g_printerr ("mot-run: --set %s: expected one of --defaults with a number\n", settings[i]);
      return 2;
    }
  }
  options.reference = reference;
  options.region = region;
  if (reference) {
    threshold = THRESHOLD;
    fps = GST_UPI_MOTION_STEPS_PER_SECOND;
  }
  g_autoptr (GArray) rows = mot_file_read (argv[1], &error);
  FILE *file = rows != NULL ? fopen (argv[2], "w") : NULL;
  if (file == NULL) {
    g_printerr ("mot-run: %s\n", error != NULL ? error->message : argv[2]);
    return 1;
  }
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  g_autoptr (GArray) sightings = g_array_new (FALSE, FALSE, sizeof (GstUpiSighting));
  g_autoptr (GArray) scores = g_array_new (FALSE, FALSE, sizeof (gdouble));
  const guint last = rows->len > 0 ? g_array_index (rows, MotRow, rows->len - 1).frame : 0;
  guint next = 0;

  gst_upi_tracker_set_options (tracker, &options);
  for (guint frame = 1; frame <= last; frame++) {
    const gint64 time = (gint64) (frame * 1e9 / fps);

    g_array_set_size (sightings, 0);
    g_array_set_size (scores, 0);
    for (; next < rows->len && g_array_index (rows, MotRow, next).frame == frame; next++) {
      GstUpiSighting sighting = g_array_index (rows, MotRow, next).sighting;
      const gdouble score = sighting.confidence, own = g_array_index (rows, MotRow, next).threshold;
      const gdouble shown = own > 0 ? own : threshold;

      sighting.candidate = score < shown;
      sighting.confidence = gst_upi_confidence (score, shown);
      if (score <= CANDIDATE)
        continue;
      g_array_append_val (sightings, sighting);
      g_array_append_val (scores, score);
    }
    gst_upi_tracker_observe (tracker, time, (const GstUpiSighting *) (gpointer) sightings->data, sightings->len);
    write_frame (file, tracker, frame, time, (const GstUpiSighting *) (gpointer) sightings->data,
        (const gdouble *) (gpointer) scores->data, sightings->len, predicted, reference);
  }
  if (fclose (file) != 0) {
    g_printerr ("mot-run: cannot write %s\n", argv[2]);
    return 1;
  }
  return 0;
}
