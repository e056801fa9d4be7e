/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scoring an encoding's regions against labels, in the caller's thread: detection and segmentation.
 * Arithmetic: models/reference/NETWORK.md, "task heads". */
#include "core/tasks/detect.h"
#include "core/tasks/embed.h"
#include "core/tasks/labels.h"
#include "core/tasks/mask.h"
#include "core/tasks/suppress.h"
#include "core/backends/frames/orientation.h"
#include "core/memory.h"

#include <math.h>
#include <string.h>

static gfloat
sigmoid (gfloat x)
{
  return 1.0f / (1.0f + expf (-x));
}

/* Candidates last; best score first; then the lower region, the lower label. */
static gint
compare_objects (gconstpointer a, gconstpointer b)
{
  const UpiObject *x = a, *y = b;

  if (x->flags != y->flags)
    return x->flags < y->flags ? -1 : 1;
  if (x->score != y->score)
    return x->score < y->score ? 1 : -1;
  if (x->region != y->region)
    return x->region < y->region ? -1 : 1;
  return x->label < y->label ? -1 : x->label > y->label;
}

void
upi_object_place (UpiObject *object, const gfloat *box)
{
  gfloat left = CLAMP (box[0] - box[2] / 2, 0, 1), right = CLAMP (box[0] + box[2] / 2, 0, 1);
  gfloat top = CLAMP (box[1] - box[3] / 2, 0, 1), bottom = CLAMP (box[1] + box[3] / 2, 0, 1);

  object->x = left;
  object->y = top;
  object->width = MAX (right - left, 0);
  object->height = MAX (bottom - top, 0);
}

/* Scores of one region against all labels: p^(1-w) · σ(foreground)^w, p = σ((1 - trust·s)·cos/τ + b + s·r), s the
 * label's share of what speaks for a class, r. */
void
upi_region_scores (
    const UpiEncoding *encoding, const UpiConfig *config, const UpiLabels *labels, guint region, gfloat *scores)
{
  gfloat w = config->tasks.detection.foreground_weight;
  gfloat foreground = powf (sigmoid (upi_encoding_part (encoding, UPI_PART_FOREGROUND)[region]), w);
  const gfloat *embedding = upi_encoding_part (encoding, UPI_PART_REGIONS) + (gsize) region * labels->width;
  const UpiLayout *layout = encoding->layout;
  const gfloat *speaks =
      layout->evidence ? upi_encoding_part (encoding, layout->evidence) + (gsize) region * layout->n_classes : NULL;

  for (guint i = 0; i < labels->n; i++) {
    gfloat cosine = upi_dot (embedding, labels->embeddings + (gsize) i * labels->width, labels->width);
    gfloat share = speaks != NULL ? labels->shares[i].part : 0;
    gfloat evidence = share > 0 ? share * speaks[labels->shares[i].own] : 0;
    gfloat p = sigmoid (cosine * (1 - config->tasks.detection.trust * share) / config->tasks.detection.temperature
        + config->tasks.detection.bias + evidence);

    scores[i] = w > 0 ? powf (p, 1 - w) * foreground : p;
  }
}

gboolean
upi_best_regions (const UpiEncoding *encoding, const UpiLabels *labels, UpiSeen *seen, GError **error)
{
  g_autofree gfloat *scores = UPI_MEMORY_NEW (gfloat, labels->n, "scores of labels", error);

  if (scores == NULL)
    return FALSE;
  for (guint i = 0; i < labels->n; i++)
    seen[i].score = -1;
  for (guint region = 0; region < encoding->layout->n_regions; region++) {
    upi_region_scores (encoding, encoding->engine->config, labels, region, scores);
    for (guint i = 0; i < labels->n; i++)
      if (scores[i] > seen[i].score)
        seen[i] = (UpiSeen){ scores[i], region };
  }
  return TRUE;
}

/* A region's row of a part that has one for each. */
static const gfloat *
row_of (const UpiEncoding *encoding, UpiPart part, guint region, guint *width)
{
  const UpiLayout *layout = encoding->layout;

  *width = (guint) (layout->bytes[part] / sizeof (gfloat) / MAX (layout->n_regions, 1));
  return region < layout->n_regions ? upi_encoding_part (encoding, part) + (gsize) region * *width : NULL;
}

const gfloat *
upi_encoding_region (const UpiEncoding *encoding, guint region, guint *width)
{
  return row_of (encoding, UPI_PART_REGIONS, region, width);
}

const gfloat *
upi_encoding_looks (const UpiEncoding *encoding, guint region, guint *width)
{
  return row_of (encoding, UPI_PART_LOOKS, region, width);
}

/* Of two of the model's own labels a region has one: the better one's score stays, the others' fall by how far they lie
 * behind it. Words that are none of its own may be true beside any. */
static void
let_labels_rival (const UpiLabels *labels, gfloat rivalry, gfloat *scores)
{
  gfloat best = 0;

  for (guint i = 0; i < labels->n; i++)
    if (labels->own[i] != UPI_NOT_OWN)
      best = MAX (best, scores[i]);
  for (guint i = 0; i < labels->n && best > 0; i++)
    if (labels->own[i] != UPI_NOT_OWN)
      scores[i] *= powf (scores[i] / best, rivalry);
}

static GArray *
collect (const UpiEncoding *encoding, const UpiLabels *labels, const UpiDetectOptions *options, GError **error)
{
  const gfloat *boxes = upi_encoding_part (encoding, UPI_PART_BOXES);
  g_autofree gfloat *scores = UPI_MEMORY_NEW (gfloat, labels->n, "scores of labels", error);
  GArray *objects;

  if (scores == NULL)
    return NULL;
  objects = g_array_new (FALSE, TRUE, sizeof (UpiObject));
  for (guint region = 0; region < encoding->layout->n_regions; region++) {
    guint best = 0;

    upi_region_scores (encoding, encoding->engine->config, labels, region, scores);
    for (guint i = 1; i < labels->n; i++)
      if (scores[i] > scores[best])
        best = i;
    if (options->all_pairs && encoding->engine->config->tasks.detection.rivalry > 0)
      let_labels_rival (labels, encoding->engine->config->tasks.detection.rivalry, scores);
    for (guint i = options->all_pairs ? 0 : best; i < (options->all_pairs ? labels->n : best + 1); i++) {
      UpiObject object = { .label = i, .score = scores[i], .region = region };

      if (!(scores[i] >= upi_labels_threshold (labels, i, options->threshold))) {
        if (!(options->candidate_threshold > 0 && scores[i] >= options->candidate_threshold))
          continue;
        object.flags = UPI_OBJECT_CANDIDATE;
      }
      upi_object_place (&object, boxes + 4 * region);
      if (object.x >= encoding->across || object.y >= encoding->down)
        continue; /* in the border */
      g_array_append_val (objects, object);
    }
  }
  return objects;
}

/* A box of the input becomes one of the picture, cut at its border. */
static void
without_border (const UpiEncoding *encoding, gfloat *x, gfloat *y, gfloat *width, gfloat *height)
{
  gfloat right, bottom;

  if (encoding->across == 1 && encoding->down == 1)
    return;
  right = MIN ((*x + *width) / encoding->across, 1);
  bottom = MIN ((*y + *height) / encoding->down, 1);
  *x = MIN (*x / encoding->across, 1);
  *y = MIN (*y / encoding->down, 1);
  *width = right - *x;
  *height = bottom - *y;
}

gboolean
upi_object_turn_back (UpiObject *object, const UpiEncoding *encoding, GError **error)
{
  UpiOrientation orientation = encoding->orientation;
  gboolean has_mask = object->mask != NULL;

  without_border (encoding, &object->x, &object->y, &object->width, &object->height);
  if (has_mask) /* its own, not yet anybody else's */
    without_border (encoding, &object->mask->x, &object->mask->y, &object->mask->width, &object->mask->height);
  upi_orientation_turn_back (orientation, &object->x, &object->y, &object->width, &object->height);
  if (has_mask)
    object->mask = upi_orientation_turn_mask_back (orientation, object->mask, error);
  return !has_mask || object->mask != NULL;
}

UpiDetections *
upi_engine_detect (
    UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, const UpiDetectOptions *asked, GError **error)
{
  UpiDetectOptions known;
  const UpiDetectOptions *options = &known;
  g_autoptr (UpiDetections) detections = NULL;
  g_autoptr (GArray) objects = NULL;
  guint kept;

  if (!upi_sized_read (
          &known, sizeof known, asked, UPI_SIZED_FIRST (UpiDetectOptions, reserved), "UpiDetectOptions", error)
      || !upi_engine_owns (engine, encoding, labels, error))
    return NULL;
  if (!(options->threshold >= 0 && options->threshold <= 1) || !(options->iou_threshold >= 0)
      || !(options->cross_label_iou >= 0)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "threshold %g, IoU threshold %g and cross-label IoU %g: expected 0 to 1, and 0 or more twice",
        (gdouble) options->threshold, (gdouble) options->iou_threshold, (gdouble) options->cross_label_iou);
    return NULL;
  }
  objects = collect (encoding, labels, options, error);
  if (objects == NULL)
    return NULL;
  g_array_sort (objects, compare_objects);
  kept = upi_suppress ((UpiObject *) objects->data, objects->len, labels, options);

  detections = g_new0 (UpiDetections, 1);
  detections->ref_count = 1;
  detections->labels = upi_labels_ref (labels);
  detections->objects = UPI_MEMORY_NEW (UpiObject, kept, "objects", error);
  if (detections->objects == NULL)
    return NULL;
  memcpy (detections->objects, objects->data, kept * sizeof (UpiObject));
  detections->n_objects = kept;
  for (guint i = 0; i < kept && options->masks; i++) {
    UpiObject *object = &detections->objects[i];

    if (object->flags & UPI_OBJECT_CANDIDATE)
      break;
    object->mask = upi_mask_cut (encoding, object->region, object->x, object->y, object->width, object->height, error);
    if (object->mask == NULL)
      return NULL;
  }
  for (guint i = 0; i < kept; i++)
    if (!upi_object_turn_back (&detections->objects[i], encoding, error))
      return NULL;
  return g_steal_pointer (&detections);
}

UpiDetections *
upi_detections_ref (UpiDetections *detections)
{
  g_atomic_int_inc (&detections->ref_count);
  return detections;
}

void
upi_detections_unref (UpiDetections *detections)
{
  if (!g_atomic_int_dec_and_test (&detections->ref_count))
    return;
  for (guint i = 0; i < detections->n_objects; i++)
    g_clear_pointer (&detections->objects[i].mask, upi_mask_unref);
  g_free (detections->objects);
  upi_labels_unref (detections->labels);
  g_free (detections);
}
