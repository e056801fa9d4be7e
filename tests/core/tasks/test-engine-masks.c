/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Masks of detected regions: where they lie, and what each cell says, against NETWORK.md's formulas. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"
#include "core/model/model.h"
#include "tests/tiny-config.h"

#include <math.h>

/* NETWORK.md, "mask": what the place of a cell of 24 × 16 says. */
static gdouble
place_logit (const gfloat *places, const gfloat *box, guint column, guint row)
{
  const gdouble x = CLAMP (2 * ((column + 0.5) / 24 - box[0]) / MAX (box[2], 0.001), -2, 2),
                y = CLAMP (2 * ((row + 0.5) / 16 - box[1]) / MAX (box[3], 0.001), -2, 2);

  return places[0] + places[1] * x + places[2] * x * x + places[3] * y + places[4] * y * y + places[5] * x * y;
}

static void
check_masks (UpiEngine *engine, gboolean own)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 100, .masks = TRUE
  };
  const guint wide = own ? 16 + 6 : 16;
  guint told = 0; /* by places */
  g_autoptr (UpiEncoding) encoding = fixture_take_encoding (fixture_encode (engine, 3, 96, 64, NULL));
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat");
  g_autoptr (UpiDetections) detections = upi_engine_detect (engine, encoding, labels, &options, NULL);
  const gfloat *features = upi_encoding_mask_features (encoding, NULL); /* from the device, if that keeps them */

  for (guint i = 0; i < detections->n_objects; i++) {
    const UpiObject *o = &detections->objects[i];
    const UpiMask *mask = o->mask;
    guint left = roundf (mask->x * 24), top = roundf (mask->y * 16); /* a quarter of 96×64 */

    g_assert_true (mask->columns >= 1 && left + mask->columns <= 24);
    g_assert_true (mask->rows >= 1 && top + mask->rows <= 16);
    /* The cells cover the box and no more than they must. */
    g_assert_true (mask->x <= o->x + 1e-6 && mask->x + mask->width >= o->x + o->width - 1e-6);
    g_assert_true (mask->y <= o->y + 1e-6 && mask->y + mask->height >= o->y + o->height - 1e-6);
    g_assert_true (mask->width < o->width + 2 / 24.0 + 1e-6 && mask->height < o->height + 2 / 16.0 + 1e-6);
    for (guint y = 0; y < mask->rows; y++)
      for (guint x = 0; x < mask->columns; x++) {
        const gfloat *cell = features + ((top + y) * 24 + left + x) * 16;
        const gfloat *embed = upi_encoding_part (encoding, UPI_PART_MASK_EMBED) + o->region * wide;
        const gfloat *box = upi_encoding_part (encoding, UPI_PART_BOXES) + o->region * 4;
        gdouble logit = fixture_cosine (cell, embed, 16);
        gdouble place = own ? place_logit (embed + 16, box, left + x, top + y) : 0;

        told += fabs (place) > 0.1;
        g_assert_cmpfloat_with_epsilon (mask->data[y * mask->columns + x], 255 / (1 + exp (-logit - place)), 0.52);
      }
  }
  g_assert_true (own == (told > 0));
}

static void
test_masks (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);

  check_masks (engine, FALSE);
}

/* Masks with an embedding of their own, which knows where in its box a cell lies. */
static void
test_own_masks (void)
{
  g_autoptr (GString) config = g_string_new (UPI_TINY_MOBILENET_CONFIG);
  g_autoptr (GError) error = NULL;
  gchar *model = g_dir_make_tmp ("upi-masks-XXXXXX", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (
      g_string_replace (config, "\"lateral_norm\": false", "\"lateral_norm\": false, \"own\": true", 1), ==, 1);
  g_assert_true (upi_model_write_random (model, config->str, 11, &error));
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1 };
  {
    g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
    g_assert_no_error (error);
    check_masks (engine, TRUE);
  }
  fixture_remove_model (model);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/masks", test_masks);
  g_test_add_func ("/engine/own-masks", test_own_masks);
  status = g_test_run ();
  fixture_clear ();
  return status;
}
