/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results as text: COCO's results format, JSON lines. */
#include "annotate-results.h"

#include "annotate-rle.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BEST_CLASSES 5

struct _AnnotateWriter {
  FILE *file;
  gchar *path;
  gboolean is_list, any;
};

AnnotateWriter *
annotate_writer_new (const gchar *path, gboolean is_list, GError **error)
{
  AnnotateWriter *writer;
  FILE *file = strcmp (path, "-") == 0 ? stdout : fopen (path, "w");

  if (file == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s could not be written: %s", path, g_strerror (errno));
    return NULL;
  }
  writer = g_new0 (AnnotateWriter, 1);
  writer->file = file;
  writer->path = g_strdup (path);
  writer->is_list = is_list;
  if (is_list)
    fputc ('[', file);
  return writer;
}

gboolean
annotate_writer_close (AnnotateWriter *writer, GError **error)
{
  gboolean ok;

  if (writer->is_list)
    fputs (writer->any ? "\n]\n" : "]\n", writer->file);
  ok = fflush (writer->file) == 0 && !ferror (writer->file);
  if (!ok)
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s could not be written: %s", writer->path, g_strerror (errno));
  if (writer->file != stdout)
    fclose (writer->file);
  g_free (writer->path);
  g_free (writer);
  return ok;
}

/* A number with so many decimals, without trailing zeros, whatever the locale. */
static void
append_number (GString *text, gdouble value, guint decimals)
{
  gchar buffer[G_ASCII_DTOSTR_BUF_SIZE], format[8];

  g_snprintf (format, sizeof format, "%%.%uf", decimals);
  g_ascii_formatd (buffer, sizeof buffer, format, value);
  for (gsize n = strlen (buffer); n > 1 && decimals > 0 && (buffer[n - 1] == '0' || buffer[n - 1] == '.'); n--) {
    gboolean point = buffer[n - 1] == '.';

    buffer[n - 1] = '\0';
    if (point)
      break;
  }
  g_string_append (text, strcmp (buffer, "-0") == 0 ? "0" : buffer);
}

static void
append_string (GString *text, const gchar *value)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_VALUE);
  g_autofree gchar *valid = g_utf8_make_valid (value, -1); /* paths may be anything */
  g_autofree gchar *quoted = NULL;

  json_node_set_string (node, valid);
  quoted = json_to_string (node, FALSE);
  g_string_append (text, quoted);
}

/* Opens an object with what says which frame it is. */
static GString *
begin (const AnnotateFrame *frame)
{
  GString *text = g_string_new (NULL);

  g_string_printf (text, "{\"image_id\":%" G_GINT64_FORMAT, frame->id);
  if (!frame->from_coco) {
    g_string_append (text, ",\"file_name\":");
    append_string (text, frame->path);
    if (frame->time >= 0) {
      g_string_append (text, ",\"time\":");
      append_number (text, frame->time, 3);
    }
  }
  return text;
}

static void
end (AnnotateWriter *writer, GString *text)
{
  if (writer->is_list)
    fputs (writer->any ? ",\n" : "\n", writer->file);
  fputs (text->str, writer->file);
  fputs (writer->is_list ? "}" : "}\n", writer->file);
  writer->any = TRUE;
  g_string_free (text, TRUE);
}

/* Box in pixels, and score. */
static void
append_box (GString *text, const AnnotateFrame *frame, const UpiObject *object)
{
  const gdouble box[4] = { object->x * frame->width, object->y * frame->height, object->width * frame->width,
    object->height * frame->height };

  g_string_append (text, ",\"bbox\":[");
  for (guint j = 0; j < 4; j++) {
    if (j > 0)
      g_string_append_c (text, ',');
    append_number (text, box[j], 2);
  }
  g_string_append (text, "],\"score\":");
  append_number (text, object->score, 5);
}

void
annotate_write_detections (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiDetections *detections, const gint64 *category_ids)
{
  for (guint i = 0; i < detections->n_objects; i++) {
    const UpiObject *object = &detections->objects[i];
    GString *text = begin (frame);

    g_string_append_printf (text, ",\"category_id\":%" G_GINT64_FORMAT,
        category_ids != NULL ? category_ids[object->label] : object->label + 1);
    if (!frame->from_coco) {
      g_string_append (text, ",\"category\":");
      append_string (text, upi_labels_name (detections->labels, object->label));
    }
    append_box (text, frame, object);
    if (object->mask != NULL) {
      guint64 area;
      g_autofree gchar *counts = annotate_rle (object, frame->width, frame->height, &area);

      g_string_append_printf (text,
          ",\"area\":%" G_GUINT64_FORMAT ",\"segmentation\":{\"size\":[%u,%u],\"counts\":", area, frame->height,
          frame->width);
      append_string (text, counts);
      g_string_append_c (text, '}');
    }
    end (writer, text);
  }
}

/* A word of the text: where it begins, in characters as JSON's strings count, and what shows it. */
static void
append_word (GString *text, const AnnotateFrame *frame, const gchar *said, const UpiCaptionWord *word,
    const gchar *const *labels)
{
  g_autofree gchar *name = g_strndup (said + word->first, word->bytes);

  g_string_append (text, "{\"word\":");
  append_string (text, name);
  g_string_append_printf (text, ",\"first\":%ld,\"regions\":[", g_utf8_strlen (said, word->first));
  for (guint k = 0; k < word->n_objects; k++) {
    g_string_append (text, k > 0 ? ",{\"category\":" : "{\"category\":");
    append_string (text, labels[word->objects[k].label]);
    append_box (text, frame, &word->objects[k]);
    g_string_append_c (text, '}');
  }
  g_string_append (text, "]}");
}

void
annotate_write_caption (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiCaption *caption, const gchar *const *labels)
{
  const UpiCaptionText *best = &caption->texts[0];
  GString *text = begin (frame);

  g_string_append (text, ",\"caption\":");
  append_string (text, best->text);
  if (caption->grounded) {
    g_string_append (text, ",\"words\":[");
    for (guint i = 0; i < best->n_words; i++) {
      if (i > 0)
        g_string_append_c (text, ',');
      append_word (text, frame, best->text, &best->words[i], labels);
    }
    g_string_append_c (text, ']');
  }
  end (writer, text);
}

void
annotate_write_classes (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiLabels *labels, const gfloat *probabilities)
{
  guint n = upi_labels_count (labels);
  g_autofree gboolean *taken = g_new0 (gboolean, n);
  GString *text = begin (frame);

  g_string_append (text, ",\"classes\":[");
  for (guint k = 0; k < MIN (n, BEST_CLASSES); k++) {
    guint best = n;

    for (guint i = 0; i < n; i++)
      if (!taken[i] && (best == n || probabilities[i] > probabilities[best]))
        best = i;
    taken[best] = TRUE;
    g_string_append (text, k > 0 ? ",{\"label\":" : "{\"label\":");
    append_string (text, upi_labels_name (labels, best));
    g_string_append (text, ",\"probability\":");
    append_number (text, probabilities[best], 5);
    g_string_append_c (text, '}');
  }
  g_string_append_c (text, ']');
  end (writer, text);
}

void
annotate_write_embedding (
    AnnotateWriter *writer, const AnnotateFrame *frame, const gchar *text, const gfloat *embedding, guint width)
{
  GString *line = frame != NULL ? begin (frame) : g_string_new ("{\"text\":");

  if (frame == NULL)
    append_string (line, text);
  g_string_append (line, ",\"embedding\":[");
  for (guint i = 0; i < width; i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_number (line, embedding[i], 6);
  }
  g_string_append_c (line, ']');
  end (writer, line);
}
