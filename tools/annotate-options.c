/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * annotate-options.c: upi-annotate's command line: its options, and which of them contradict each other. */
#include "annotate-options.h"

#include <gst/gst.h>
#include <math.h>

gboolean
annotate_options_parse (AnnotateOptions *o, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = { { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o->output,
                                       "Objects as COCO results: boxes, scores, masks (default -, standard output)",
                                       "FILE" },
    { "captions", 0, 0, G_OPTION_ARG_FILENAME, &o->captions, "Also caption every frame: COCO caption results", "FILE" },
    { "classify", 0, 0, G_OPTION_ARG_FILENAME, &o->classify,
        "Also classify whole frames by the labels: the five best, one JSON line a frame", "FILE" },
    { "embed", 0, 0, G_OPTION_ARG_FILENAME, &o->embed,
        "Also write embeddings for retrieval: one JSON line a frame or text", "FILE" },
    { "texts", 0, 0, G_OPTION_ARG_FILENAME, &o->texts, "Texts, one a line, whose embeddings --embed writes too",
        "FILE" },
    { "no-objects", 0, 0, G_OPTION_ARG_NONE, &o->no_objects, "Do not detect: captions, classes or embeddings alone",
        NULL },
    { "labels", 'l', 0, G_OPTION_ARG_STRING, &o->labels, "What to find, any words (default: the model's own list)",
        "\"A, B, ...\"" },
    { "labels-file", 0, 0, G_OPTION_ARG_FILENAME, &o->labels_file, "The same, one a line", "FILE" },
    { "threshold", 't', 0, G_OPTION_ARG_DOUBLE, &o->threshold,
        "Least score of an object, 0 to 1 (default: the model's; with --coco 0.001)", "T" },
    { "iou-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &o->iou_threshold,
        "Overlap above which the weaker of two like objects goes; 1: none goes (default 0.6; with --coco 1)", "T" },
    { "cross-label-iou", 0, 0, G_OPTION_ARG_DOUBLE, &o->cross_label_iou,
        "The same of two objects with different labels of the model's own list; 1: none goes (default 0.8; with --coco "
        "1)",
        "T" },
    { "max-objects", 0, 0, G_OPTION_ARG_INT, &o->max_objects, "Most objects a frame (default 100)", "N" },
    { "no-masks", 0, 0, G_OPTION_ARG_NONE, &o->no_masks, "Boxes only", NULL },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &o->max_tokens, "Longest caption, tokens (default: the model's)", "N" },
    { "grounded", 0, 0, G_OPTION_ARG_NONE, &o->grounded,
        "Captions answer to the regions, and their words carry them (default where the model can)", NULL },
    { "greedy", 0, 0, G_OPTION_ARG_NONE, &o->greedy,
        "Captions are the likeliest words one by one: faster, and less true", NULL },
    { "candidates", 0, 0, G_OPTION_ARG_INT, &o->candidates,
        "Sentences that a grounded caption is chosen from (default 0: the model's)", "N" },
    { "beam-size", 0, 0, G_OPTION_ARG_INT, &o->beam_size, "Beams of a caption in place of candidates (default 1: none)",
        "N" },
    { "length-penalty", 0, 0, G_OPTION_ARG_DOUBLE, &o->length_penalty,
        "Exponent of a caption's length in its score (default 1)", "P" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model, "Name or directory (default nano)", "MODEL" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &o->device, "auto, cpu, cuda, cuda:1 (default auto)", "DEVICE" },
    { "threads", 'j', 0, G_OPTION_ARG_INT, &o->threads, "Threads (default 0: all cores)", "N" },
    { "batch-size", 0, 0, G_OPTION_ARG_INT, &o->batch_size, "Frames a run (default 1)", "N" },
    { "image-size", 0, 0, G_OPTION_ARG_STRING, &o->image_size,
        "The network's input, multiples of 32 (default: of the ordinary sizes it was trained for, the nearest in "
        "aspect)",
        "WxH" },
    { "interval", 0, 0, G_OPTION_ARG_INT, &o->interval, "Of clips, take every n-th frame (default 1)", "N" },
    { "coco", 0, 0, G_OPTION_ARG_FILENAME, &o->coco,
        "Take images, their ids, and category names and ids from a COCO file: results for COCO's tools", "FILE.json" },
    { "root", 0, 0, G_OPTION_ARG_FILENAME, &o->root, "Where the COCO file's images are (default: where it is)", "DIR" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &o->version, "Print the version", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->inputs, NULL, "IMAGE|CLIP|FOLDER ..." }, { NULL } };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- find, outline and describe what is in images and clips");

  g_option_context_set_description (
      context, "Example: upi-annotate --labels \"person, red car\" --captions captions.json -o objects.json yard.mp4");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  o->threshold = o->iou_threshold = o->cross_label_iou = NAN;
  o->length_penalty = 1;
  o->max_objects = 100;
  o->interval = 1;
  return g_option_context_parse (context, argc, argv, error);
}

void
annotate_options_clear (AnnotateOptions *o)
{
  g_strfreev (o->inputs);
  gchar **strings[] = { &o->output, &o->captions, &o->classify, &o->embed, &o->labels, &o->labels_file, &o->texts,
    &o->model, &o->device, &o->image_size, &o->coco, &o->root };

  for (guint i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (*strings[i]);
}

gboolean
annotate_options_check (const AnnotateOptions *o, GError **error)
{
  const gchar *wrong = NULL;

  if (o->coco == NULL && o->inputs == NULL && !(o->embed != NULL && o->texts != NULL))
    wrong = "nothing to read: name images, clips or folders, or give --coco; --help tells more";
  else if (o->coco != NULL && o->inputs != NULL)
    wrong = "--coco names the images itself: leave out the others";
  else if (o->labels != NULL && o->labels_file != NULL)
    wrong = "--labels and --labels-file are two lists: give one";
  else if (o->texts != NULL && o->embed == NULL)
    wrong = "--texts needs --embed FILE to write to";
  else if (o->no_objects && o->captions == NULL && o->classify == NULL && o->embed == NULL)
    wrong = "--no-objects leaves nothing to do: add --captions, --classify or --embed";
  else if (o->threads < 0 || o->batch_size < 0 || o->max_objects < 1 || o->max_tokens < 0 || o->beam_size < 0
      || o->candidates < 0 || o->interval < 1)
    wrong = "a number is too small: --threads, --batch-size, --max-tokens, --beam-size and --candidates are 0 or more, "
            "--max-objects and "
            "--interval 1 or more";
  else if (o->threshold < 0 || o->threshold > 1 || o->iou_threshold < 0 || o->cross_label_iou < 0)
    wrong = "--threshold is from 0 to 1, --iou-threshold and --cross-label-iou 0 or more";
  else if (o->beam_size > UPI_MAX_BEAM_SIZE || !(o->length_penalty >= 0 && o->length_penalty <= UPI_MAX_LENGTH_PENALTY))
    wrong = "--beam-size is up to " G_STRINGIFY (UPI_MAX_BEAM_SIZE) ", --length-penalty from 0 to " G_STRINGIFY (
        UPI_MAX_LENGTH_PENALTY);
  else if (o->candidates > UPI_MAX_CANDIDATES)
    wrong = "--candidates is up to " G_STRINGIFY (UPI_MAX_CANDIDATES);
  else if (o->greedy && (o->grounded || o->candidates > 0))
    wrong = "--greedy captions have no candidates and answer to no regions: leave out --grounded and --candidates, or "
            "--greedy";
  else if (o->beam_size > 1 && (o->grounded || o->greedy || o->candidates > 0))
    wrong =
        "--beam-size above 1 follows a beam in place of candidates: leave out --grounded, --greedy and --candidates";
  if (wrong != NULL)
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_ARGUMENT, wrong);
  return wrong == NULL;
}
