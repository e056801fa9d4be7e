/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* region-dump.c: what a model finds in the frames of a file of raw RGB, with what each region looks like: the
 * detections that mot-run tracks with --region. region_clips.py makes such files.
 *
 *   build/tests/track/region-dump MODEL FRAMES.rgb WIDTH HEIGHT STEP LABELS DET.txt
 *
 * Every STEP-th frame is encoded, the others are not in DET.txt. A line is
 * frame,-1,left,top,width,height,score,label,threshold,length,vector…
 */
#include <stdio.h>
#include <string.h>

#include "core/upi.h"

#define CANDIDATE 0.1f

static void
write_number (FILE *file, gdouble number)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  fprintf (file, ",%s", g_ascii_formatd (text, sizeof text, "%.4f", number));
}

static gboolean
dump (UpiEngine *engine, UpiLabels *labels, const UpiImage *image, guint frame, FILE *file, GError **error)
{
  const UpiDetectOptions options = { .size = sizeof (UpiDetectOptions),
    .threshold = upi_engine_info (engine)->threshold,
    .iou_threshold = 0.7f,
    .max_objects = 100,
    .candidate_threshold = CANDIDATE };
  guint width, height;

  upi_engine_nearest_size (engine, image->width, image->height, &width, &height);
  g_autoptr (UpiTicket) ticket = upi_engine_encode (engine, image, width, height, frame, NULL, NULL, error);
  if (ticket == NULL || !upi_ticket_wait (ticket, error))
    return FALSE;
  UpiEncoding *encoding = upi_ticket_get_encoding (ticket);
  g_autoptr (UpiDetections) found = upi_engine_detect (engine, encoding, labels, &options, error);
  for (guint i = 0; found != NULL && i < found->n_objects; i++) {
    const UpiObject *object = &found->objects[i];
    const gdouble numbers[] = { object->x * image->width, object->y * image->height, object->width * image->width,
      object->height * image->height, object->score };
    guint length;
    const gfloat *vector = upi_encoding_looks (encoding, object->region, &length);

    if (!(numbers[2] > 0) || !(numbers[3] > 0))
      continue;
    fprintf (file, "%u,-1", frame);
    for (guint k = 0; k < G_N_ELEMENTS (numbers); k++)
      write_number (file, numbers[k]);
    fprintf (file, ",%s", upi_labels_name (labels, object->label));
    write_number (file, upi_labels_threshold (labels, object->label, options.threshold));
    fprintf (file, ",%u", length);
    for (guint k = 0; k < length; k++)
      write_number (file, vector[k]);
    fputc ('\n', file);
  }
  upi_encoding_unref (encoding);
  return found != NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (argc != 8) {
    g_printerr ("usage: region-dump MODEL FRAMES.rgb WIDTH HEIGHT STEP LABELS DET.txt\n");
    return 2;
  }
  const guint width = (guint) g_ascii_strtoull (argv[3], NULL, 10),
              height = (guint) g_ascii_strtoull (argv[4], NULL, 10);
  const guint step = (guint) MAX (g_ascii_strtoull (argv[5], NULL, 10), 1);
  const UpiEngineOptions options = {
    .size = sizeof (UpiEngineOptions), .model = argv[1], .device = "cpu", .threads = 1
  };
  g_auto (GStrv) words = g_strsplit (argv[6], ",", -1);
  g_autoptr (GMappedFile) frames = g_mapped_file_new (argv[2], FALSE, &error);
  g_autoptr (UpiEngine) engine = frames != NULL ? upi_engine_open (&options, NULL, &error) : NULL;
  FILE *file = engine != NULL ? fopen (argv[7], "w") : NULL;
  g_autoptr (UpiTicket) ticket =
      file != NULL ? upi_engine_encode_labels (engine, (const gchar *const *) words, NULL, NULL, NULL, &error) : NULL;
  const gsize bytes = (gsize) 3 * width * height;
  gboolean good = ticket != NULL && bytes > 0 && upi_ticket_wait (ticket, &error);
  g_autoptr (UpiLabels) labels = good ? upi_ticket_get_labels (ticket) : NULL;

  for (guint frame = 0; good && (frame + 1) * bytes <= g_mapped_file_get_length (frames); frame += step) {
    const UpiImage image = { .size = sizeof (UpiImage),
      .format = UPI_PIXELS_RGB,
      .width = width,
      .height = height,
      .planes = { (const guint8 *) g_mapped_file_get_contents (frames) + frame * bytes },
      .strides = { (gssize) (3 * width) } };

    good = dump (engine, labels, &image, frame + 1, file, &error);
  }
  if (file == NULL || fclose (file) != 0)
    good = FALSE;
  if (!good)
    g_printerr ("region-dump: %s\n", error != NULL ? error->message : argv[7]);
  return good ? 0 : 1;
}
