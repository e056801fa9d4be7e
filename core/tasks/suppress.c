/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Greedy non-maximum suppression: within a label, and between two of the model's own labels, of which a thing has one
 * (its labels are a closed list of classes). What a caller asks for beyond that list may be true beside any other
 * label: "a man in red" is a person too. Arithmetic: models/reference/NETWORK.md, "task heads". */
#include "core/tasks/suppress.h"

static gfloat
overlap (const UpiObject *a, const UpiObject *b)
{
  gfloat w = MIN (a->x + a->width, b->x + b->width) - MAX (a->x, b->x);
  gfloat h = MIN (a->y + a->height, b->y + b->height) - MAX (a->y, b->y);
  gfloat common = MAX (w, 0) * MAX (h, 0);
  gfloat all = a->width * a->height + b->width * b->height - common;

  return all > 0 ? common / all : 0;
}

/* From which overlap on two objects are one; 1 or more: never. */
static gfloat
limit (const UpiLabels *labels, const UpiDetectOptions *options, guint a, guint b)
{
  guint own_a = labels->own[a], own_b = labels->own[b];

  if (a == b)
    return options->iou_threshold;
  if (options->cross_label_iou <= 0 || own_a == UPI_NOT_OWN || own_b == UPI_NOT_OWN || own_a == own_b)
    return 1;
  return options->cross_label_iou;
}

guint
upi_suppress (UpiObject *objects, guint n, const UpiLabels *labels, const UpiDetectOptions *options)
{
  guint kept = 0, kept_objects = 0;

  for (guint i = 0; i < n; i++) {
    gboolean keep = objects[i].flags == 0 ? kept < options->max_objects : kept - kept_objects < options->max_objects;

    for (guint j = 0; j < kept && keep; j++) {
      gfloat most = limit (labels, options, objects[j].label, objects[i].label);

      keep = most >= 1 || overlap (&objects[j], &objects[i]) <= most;
    }
    if (!keep)
      continue;
    kept_objects += objects[i].flags == 0;
    objects[kept++] = objects[i];
  }
  return kept;
}
