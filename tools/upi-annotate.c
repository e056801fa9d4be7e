/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-annotate: images, folders or clips in; boxes, masks and captions out, as COCO results.
 *
 * Frames are decoded here, encoded by the engine's workers (several in flight), and scored and written here in their
 * order.
 */
#include "annotate-input.h"
#include "annotate-options.h"
#include "annotate-results.h"

#include <gst/gst.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A frame under way. */
typedef struct {
  AnnotateFrame frame;
  UpiTicket *encode, *caption;
} Work;

typedef struct {
  const AnnotateOptions *options;
  UpiEngine *engine;
  UpiLabels *labels; /* NULL where none are needed */
  AnnotateCategories categories;
  GArray *files;
  guint width, height; /* of the network's input; 0: by aspect */
  UpiDetectOptions detect;
  UpiCaptionOptions caption;
  AnnotateWriter *objects, *captions, *classes, *embeddings;
  GQueue encoding, captioning; /* Work, in order */
  guint in_flight;
  gint64 next_id, started, told;
  guint frames, files_done, failed;
} Run;

static void
tell (Run *run, gboolean last)
{
  gint64 now = g_get_monotonic_time ();

  if (run->options->quiet || !isatty (STDERR_FILENO) || (!last && now - run->told < G_USEC_PER_SEC / 5))
    return;
  run->told = now;
  g_printerr ("\r%u of %u files, %u frames, %.1f frames/s%s", run->files_done, run->files->len, run->frames,
      run->frames * (gdouble) G_USEC_PER_SEC / MAX (now - run->started, 1), last ? "\n" : " ");
}

static void
work_free (Work *work)
{
  g_clear_pointer (&work->encode, upi_ticket_unref);
  g_clear_pointer (&work->caption, upi_ticket_unref);
  g_free (work);
}

static gboolean
finish_caption (Run *run, GError **error)
{
  Work *work = g_queue_pop_head (&run->captioning);
  gboolean ok = upi_ticket_wait (work->caption, error);

  if (ok) {
    g_autoptr (UpiCaption) caption = upi_ticket_get_caption (work->caption);

    annotate_write_caption (run->captions, &work->frame, caption, upi_engine_info (run->engine)->labels);
  }
  work_free (work);
  return ok;
}

static gboolean
score (Run *run, const Work *work, UpiEncoding *encoding, GError **error)
{
  guint width = upi_engine_info (run->engine)->width;

  if (run->objects != NULL) {
    g_autoptr (UpiDetections) detections = upi_engine_detect (run->engine, encoding, run->labels, &run->detect, error);

    if (detections == NULL)
      return FALSE;
    annotate_write_detections (run->objects, &work->frame, detections, run->categories.ids);
  }
  if (run->classes != NULL) {
    g_autofree gfloat *probabilities = g_new (gfloat, upi_labels_count (run->labels));

    if (!upi_engine_classify (run->engine, encoding, run->labels, probabilities, error))
      return FALSE;
    annotate_write_classes (run->classes, &work->frame, run->labels, probabilities);
  }
  if (run->embeddings != NULL) {
    g_autofree gfloat *embedding = g_new (gfloat, width);

    if (!upi_engine_embed (run->engine, encoding, embedding, error))
      return FALSE;
    annotate_write_embedding (run->embeddings, &work->frame, NULL, embedding, width);
  }
  return TRUE;
}

static gboolean
finish_frame (Run *run, GError **error)
{
  Work *work = g_queue_pop_head (&run->encoding);
  gboolean ok = upi_ticket_wait (work->encode, error);

  if (ok) {
    g_autoptr (UpiEncoding) encoding = upi_ticket_get_encoding (work->encode);

    g_clear_pointer (&work->encode, upi_ticket_unref);
    ok = score (run, work, encoding, error);
    if (ok && run->captions != NULL)
      ok = (work->caption = upi_engine_caption (run->engine, encoding, &run->caption, NULL, NULL, NULL, error)) != NULL;
  }
  if (ok) {
    run->frames++;
    tell (run, FALSE);
  }
  if (!ok || run->captions == NULL) {
    work_free (work);
    return ok;
  }
  g_queue_push_tail (&run->captioning, work);
  return run->captioning.length <= run->in_flight || finish_caption (run, error);
}

static gboolean
drain (Run *run, GError **error)
{
  while (run->encoding.length > 0)
    if (!finish_frame (run, error))
      return FALSE;
  while (run->captioning.length > 0)
    if (!finish_caption (run, error))
      return FALSE;
  return TRUE;
}

/* Where in the clip the frame is: its first one need not have PTS 0 (B-frames, MPEG-TS). Seconds; -1: not known. */
static gdouble
place_in_clip (GstSample *sample)
{
  const GstSegment *segment = gst_sample_get_segment (sample);
  GstClockTime pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample)), time = GST_CLOCK_TIME_NONE;

  if (segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts))
    time = gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts);
  return GST_CLOCK_TIME_IS_VALID (time) ? (gdouble) time / GST_SECOND : -1;
}

static gboolean
submit (Run *run, const AnnotateFile *file, GstSample *sample, gboolean is_clip, GError **error)
{
  UpiImage image;
  guint width = run->width, height = run->height, display_width, display_height;
  GstClockTime pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));
  Work *work;

  if (!annotate_image (sample, &image, &display_width, &display_height, error))
    return FALSE;
  if (width == 0)
    upi_engine_nearest_size (run->engine, display_width, display_height, &width, &height);
  work = g_new0 (Work, 1);
  work->frame = (AnnotateFrame){ file->path, file->id >= 0 ? file->id : run->next_id++, file->id >= 0,
    is_clip ? place_in_clip (sample) : -1, image.width, image.height };
  work->encode = upi_engine_encode (run->engine, &image, width, height, pts, NULL, NULL, error);
  if (work->encode == NULL) {
    work_free (work);
    return FALSE;
  }
  g_queue_push_tail (&run->encoding, work);
  return run->encoding.length <= run->in_flight || finish_frame (run, error);
}

/* Every frame of a file. What cannot be decoded is told and skipped; FALSE: the run cannot go on. */
static gboolean
annotate_file (Run *run, const AnnotateFile *file, GError **error)
{
  g_autoptr (GError) unreadable = NULL;
  AnnotateDecoder *decoder = annotate_decoder_new (file->path, &unreadable);
  g_autoptr (GstSample) sample = NULL;
  gboolean ok = TRUE;
  guint n = 0;

  if (decoder != NULL)
    sample = annotate_decoder_next (decoder, &unreadable);
  while (ok && sample != NULL) {
    /* A clip is what has a second frame. */
    g_autoptr (GstSample) next = file->id >= 0 ? NULL : annotate_decoder_next (decoder, &unreadable);

    if (n % run->options->interval == 0)
      ok = submit (run, file, sample, n > 0 || next != NULL, error);
    n++;
    g_clear_pointer (&sample, gst_sample_unref);
    sample = g_steal_pointer (&next);
  }
  if (ok && (unreadable != NULL || n == 0)) {
    g_printerr ("%s%s\n", isatty (STDERR_FILENO) && !run->options->quiet ? "\r" : "",
        unreadable != NULL ? unreadable->message : "no picture in the file");
    run->failed++;
  }
  g_clear_pointer (&decoder, annotate_decoder_free);
  run->files_done++;
  tell (run, FALSE);
  return ok;
}

/* Trimmed, without empty ones. (transfer full) */
static gchar **
split_list (const gchar *text, const gchar *separator)
{
  g_autoptr (GStrvBuilder) list = g_strv_builder_new ();
  g_auto (GStrv) parts = g_strsplit (text, separator, -1);

  for (guint i = 0; parts[i] != NULL; i++)
    if (*g_strstrip (parts[i]))
      g_strv_builder_add (list, parts[i]);
  return g_strv_builder_end (list);
}

static gchar **
read_lines (const gchar *path, GError **error)
{
  g_autofree gchar *text = NULL;

  /* any line ends: a carriage return ends a line too, and empty lines do not count */
  return g_file_get_contents (path, &text, NULL, error) ? split_list (g_strdelimit (text, "\r", '\n'), "\n") : NULL;
}

static UpiLabels *
encode_texts (Run *run, gchar **texts, GError **error)
{
  g_autoptr (UpiTicket) ticket =
      upi_engine_encode_labels (run->engine, (const gchar *const *) texts, NULL, NULL, NULL, error);
  UpiLabels *labels = ticket != NULL && upi_ticket_wait (ticket, error) ? upi_ticket_get_labels (ticket) : NULL;
  guint first = 0, max_tokens = 0,
        n_cut = labels != NULL ? upi_engine_cut_labels (run->engine, labels, &first, &max_tokens) : 0;

  if (n_cut > 0)
    g_printerr ("warning: %u of %u texts are longer than the %u tokens that the model's text encoder takes: only their "
                "beginnings count; the "
                "first is line or entry %u\n",
        n_cut, upi_labels_count (labels), max_tokens, first + 1);
  return labels;
}

static gboolean
set_labels (Run *run, GError **error)
{
  const AnnotateOptions *o = run->options;
  g_auto (GStrv) names = NULL;

  if (o->no_objects && o->classify == NULL)
    return TRUE;
  if (o->labels_file != NULL)
    names = read_lines (o->labels_file, error);
  else if (o->labels != NULL)
    names = split_list (o->labels, ",");
  else
    names = g_strdupv (o->coco != NULL ? run->categories.names : (gchar **) upi_engine_info (run->engine)->labels);
  if (names == NULL)
    return FALSE;
  if (names[0] == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "the label list is empty: give --labels \"person, red car\" or --labels-file");
    return FALSE;
  }
  if (o->coco != NULL && (o->labels != NULL || o->labels_file != NULL)
      && g_strv_length (names) != g_strv_length (run->categories.names)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "%u labels for the %u categories of %s: give one a category, in its order, or none", g_strv_length (names),
        g_strv_length (run->categories.names), o->coco);
    return FALSE;
  }
  run->labels = encode_texts (run, names, error);
  return run->labels != NULL;
}

static gboolean
set_size (Run *run, GError **error)
{
  const gchar *text = run->options->image_size;
  gchar *end;
  guint64 width, height;

  if (text == NULL)
    return TRUE;
  width = g_ascii_strtoull (text, &end, 10);
  height = *end == 'x' ? g_ascii_strtoull (end + 1, &end, 10) : 0;
  if (*end || width == 0 || height == 0 || width % 32 || height % 32 || MAX (width, height) > 4096) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "image size \"%s\": expected WIDTHxHEIGHT, both multiples of 32 up to 4096", text);
    return FALSE;
  }
  run->width = width;
  run->height = height;
  return TRUE;
}

static gboolean
open_outputs (Run *run, GError **error)
{
  const AnnotateOptions *o = run->options;

  return (o->no_objects
             || (run->objects = annotate_writer_new (o->output != NULL ? o->output : "-", TRUE, error)) != NULL)
      && (o->captions == NULL || (run->captions = annotate_writer_new (o->captions, TRUE, error)) != NULL)
      && (o->classify == NULL || (run->classes = annotate_writer_new (o->classify, FALSE, error)) != NULL)
      && (o->embed == NULL || (run->embeddings = annotate_writer_new (o->embed, FALSE, error)) != NULL);
}

static gboolean
write_texts (Run *run, GError **error)
{
  guint width = upi_engine_info (run->engine)->width;
  g_auto (GStrv) texts = read_lines (run->options->texts, error);
  g_autoptr (UpiLabels) labels = texts != NULL ? encode_texts (run, texts, error) : NULL;
  g_autofree gfloat *embedding = g_new (gfloat, width);

  for (guint i = 0; labels != NULL && i < upi_labels_count (labels); i++) {
    upi_labels_embedding (labels, i, embedding, width);
    annotate_write_embedding (run->embeddings, NULL, upi_labels_name (labels, i), embedding, width);
  }
  return labels != NULL;
}

static gboolean
set_up (Run *run, GError **error)
{
  const AnnotateOptions *o = run->options;
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = o->model,
    .device = o->device,
    .threads = o->threads,
    .batch_size = o->batch_size };

  if (o->coco != NULL) {
    g_autofree gchar *beside = g_path_get_dirname (o->coco);

    run->files = annotate_read_coco (o->coco, o->root != NULL ? o->root : beside, &run->categories, error);
  } else {
    run->files = annotate_list_inputs (o->inputs, error);
  }
  if (run->files == NULL || !set_size (run, error))
    return FALSE;
  run->engine = upi_engine_open (&options, NULL, error);
  if (run->engine == NULL)
    return FALSE;
  run->detect = (UpiDetectOptions){
    .size = sizeof (UpiDetectOptions),
    .threshold = isnan (o->threshold) ? (o->coco != NULL ? 0.001f : upi_engine_info (run->engine)->threshold)
                                      : (gfloat) o->threshold,
    .iou_threshold = isnan (o->iou_threshold) ? (o->coco != NULL ? 1 : 0.6f) : (gfloat) o->iou_threshold,
    .cross_label_iou =
        isnan (o->cross_label_iou) ? (o->coco != NULL ? 1 : 0.8f) : MAX ((gfloat) o->cross_label_iou, 1e-6f),
    .max_objects = o->max_objects,
    .masks = !o->no_masks,
    .all_pairs = o->coco != NULL,
  };
  run->caption = (UpiCaptionOptions){
    .size = sizeof (UpiCaptionOptions),
    .max_tokens = o->max_tokens,
    .beam_size = o->beam_size,
    .length_penalty = (gfloat) o->length_penalty,
    .grounded = !o->greedy && o->beam_size <= 1,
    .candidates = o->candidates,
  };
  if (o->grounded && o->captions != NULL && upi_engine_info (run->engine)->caption_candidates == 0)
    g_printerr ("warning: %s has no grounded captions: they are the likeliest ones\n",
        upi_engine_info (run->engine)->model_name);
  run->in_flight = upi_engine_info (run->engine)->workers + MAX (o->batch_size, 2);
  run->next_id = 1;
  return set_labels (run, error) && open_outputs (run, error) && (o->texts == NULL || write_texts (run, error));
}

static gboolean
run_all (Run *run, GError **error)
{
  gboolean ok;

  run->started = g_get_monotonic_time ();
  ok = set_up (run, error);
  for (guint i = 0; ok && i < run->files->len; i++)
    ok = annotate_file (run, &g_array_index (run->files, AnnotateFile, i), error);
  ok = ok && drain (run, error);
  if (ok)
    tell (run, TRUE);
  return ok;
}

static void
clear (Run *run, gboolean *ok, GError **error)
{
  AnnotateWriter *writers[] = { run->objects, run->captions, run->classes, run->embeddings };

  g_queue_clear_full (&run->encoding, (GDestroyNotify) work_free);
  g_queue_clear_full (&run->captioning, (GDestroyNotify) work_free);
  for (guint i = 0; i < G_N_ELEMENTS (writers); i++)
    if (writers[i] != NULL && !annotate_writer_close (writers[i], *ok ? error : NULL))
      *ok = FALSE;
  g_clear_pointer (&run->labels, upi_labels_unref);
  annotate_categories_clear (&run->categories);
  g_clear_pointer (&run->files, g_array_unref);
  g_clear_pointer (&run->engine, upi_engine_unref);
}

int
main (int argc, char *argv[])
{
  g_autoptr (GError) error = NULL;
  AnnotateOptions options = { NULL };
  Run run = { .options = &options };
  gboolean ok = annotate_options_parse (&options, &argc, &argv, &error);

  if (ok && options.version) {
    g_print ("upi-annotate %s\n", upi_version ());
    annotate_options_clear (&options);
    return EXIT_SUCCESS;
  }
  ok = ok && annotate_options_check (&options, &error) && run_all (&run, &error);
  clear (&run, &ok, &error);
  if (error != NULL)
    g_printerr ("upi-annotate: %s\n", error->message);
  annotate_options_clear (&options);
  return ok && run.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
