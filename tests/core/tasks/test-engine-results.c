/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an engine computes from encodings: detections, masks, classes. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"
#include "core/tasks/detect.h"
#include "core/tasks/labels.h"
#include "tests/tiny-config.h"

#include <math.h>
#include <string.h>

/* NETWORK.md, "task heads", with the tiny config's numbers. */
static gdouble
expected_score (const UpiEncoding *encoding, const UpiLabels *labels, guint region, guint label)
{
  gdouble p =
      fixture_cosine (upi_encoding_part (encoding, UPI_PART_REGIONS) + region * 48, labels->embeddings + label * 48, 48)
          / 0.1
      - 2;
  gdouble foreground = upi_encoding_part (encoding, UPI_PART_FOREGROUND)[region];

  return pow (1 / (1 + exp (-p)), 0.75) * pow (1 / (1 + exp (-foreground)), 0.25);
}

/* pixel: width and height of one, as it is shown */
static UpiDetections *
detect_shown (UpiEngine *engine, UpiLabels *labels, const guint8 *pixels, guint w, guint h, const guint pixel[2],
    UpiOrientation orientation, guint in_w, guint in_h)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .iou_threshold = 0.5f, .max_objects = 100, .masks = TRUE
  };
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = w,
    .height = h,
    .planes = { pixels },
    .strides = { 3 * w },
    .orientation = orientation,
    .pixel_width = pixel[0],
    .pixel_height = pixel[1] };
  UpiTicket *ticket = upi_engine_encode (engine, &image, in_w, in_h, 0, NULL, NULL, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_take_encoding (ticket);
  UpiDetections *found = upi_engine_detect (engine, encoding, labels, &options, NULL);
  guint source_w, source_h;

  g_assert_nonnull (found);
  g_assert_cmpuint (found->n_objects, >, 3);
  upi_encoding_source_size (encoding, &source_w, &source_h);
  g_assert_cmpuint (source_w, ==, w);
  g_assert_cmpuint (source_h, ==, h);
  return found;
}

static UpiDetections *
detect_turned (UpiEngine *engine, UpiLabels *labels, const guint8 *pixels, guint w, guint h, UpiOrientation orientation,
    guint in_w, guint in_h)
{
  static const guint square[2];

  return detect_shown (engine, labels, pixels, w, h, square, orientation, in_w, in_h);
}

/* A model whose pictures keep their aspect finds in a wide one what a model that stretches finds in the same with a
 * border drawn below it, but for what lies in the border alone; boxes and masks are the picture's. Of a turned one
 * too; and where its pixels are not square, the aspect is that of its display. */
static void
check_letterbox (guint w, guint pixel_width, guint pixel_height)
{
  const guint h = 40, in_w = 96, in_h = 64, pixel[2] = { pixel_width, pixel_height },
              turned_pixel[2] = { pixel_height, pixel_width };
  guint8 whole[96 * 64 * 3], turned[96 * 40 * 3];
  g_autofree gchar *model = g_dir_make_tmp ("upi-letterbox-XXXXXX", NULL);
  g_autoptr (UpiEngine) stretching = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (stretching, "cat,dog,person");
  g_autoptr (GError) error = NULL;

  upi_model_write_random (
      model, UPI_TINY_LETTERBOX_CONFIG (", \"pad\": [0.2, 0.4, 0.6]"), 11, &error); /* the fixture's numbers */
  g_assert_no_error (error);
  const UpiEngineOptions options = {
    .size = sizeof (UpiEngineOptions), .model = model, .device = stretching->info.device, .threads = 1, .batch_size = 1
  };
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (UpiLabels) same = fixture_labels (engine, "cat,dog,person");

  for (guint i = 0; i < 3 * w * in_h; i++)
    whole[i] = i < 3 * w * h ? (i * 5 + i / 288 * 21) % 251 : 51 * (i % 3 + 1);
  for (guint y = 0; y < h; y++)
    for (guint x = 0; x < w; x++)
      memcpy (turned + 3 * ((w - 1 - x) * h + y), whole + 3 * (y * w + x), 3);
  g_autoptr (UpiDetections) expected =
      detect_turned (stretching, labels, whole, w, in_h, UPI_ORIENTATION_IDENTITY, in_w, in_h);
  g_autoptr (UpiDetections) upright =
      detect_shown (engine, same, whole, w, h, pixel, UPI_ORIENTATION_IDENTITY, in_w, in_h);
  g_autoptr (UpiDetections) back =
      detect_shown (engine, same, turned, h, w, turned_pixel, UPI_ORIENTATION_90R, in_w, in_h);
  guint n = 0;

  for (guint i = 0; i < expected->n_objects; i++) {
    const UpiObject *e = &expected->objects[i], *u = &upright->objects[n], *b = &back->objects[n];
    gfloat top = e->y * in_h / h, bottom = MIN ((e->y + e->height) * in_h / h, 1);

    if (top >= 1)
      continue;
    g_assert_cmpuint (n++, <, upright->n_objects);
    g_assert_cmpfloat_with_epsilon (u->score, e->score, 1e-4);
    g_assert_cmpfloat_with_epsilon (u->x, e->x, 1e-4);
    g_assert_cmpfloat_with_epsilon (u->width, e->width, 1e-4);
    g_assert_cmpfloat_with_epsilon (u->y, top, 1e-4);
    g_assert_cmpfloat_with_epsilon (u->height, bottom - top, 1e-4);
    g_assert_cmpfloat_with_epsilon (b->x, u->y, 1e-4); /* turned back, right to left of the way it came */
    g_assert_cmpfloat_with_epsilon (b->y, 1 - u->x - u->width, 1e-4);
    g_assert_cmpfloat_with_epsilon (b->width, u->height, 1e-4);
    g_assert_cmpuint (u->mask->columns, ==, e->mask->columns);
    g_assert_cmpuint (u->mask->rows, ==, MIN (e->mask->rows, 10 - (guint) (e->mask->y * 16 + 0.5f)));
    g_assert_cmpuint (b->mask->columns, ==, u->mask->rows);
    g_assert_cmpfloat_with_epsilon (u->mask->y, e->mask->y * in_h / h, 1e-4);
    g_assert_cmpfloat_with_epsilon (u->mask->height, (gfloat) u->mask->rows / 10, 1e-4);
    for (guint k = 0; k < u->mask->columns * u->mask->rows; k++)
      g_assert_cmpint (ABS (u->mask->data[k] - e->mask->data[k]), <=, 1);
  }
  g_assert_cmpuint (n, >, 3);
  g_assert_cmpuint (n, ==, upright->n_objects);
  g_assert_cmpuint (n, ==, back->n_objects);
  g_clear_pointer (&same, upi_labels_unref);
  g_clear_pointer (&engine, upi_engine_unref);
  fixture_remove_model (g_steal_pointer (&model));
}

static void
test_letterbox (void)
{
  check_letterbox (96, 0, 0);
  check_letterbox (96, 3, 3);
  check_letterbox (48, 2, 1);
  check_letterbox (48, G_MAXUINT - 1, G_MAXUINT / 2);
  check_letterbox (32, 12, 4);
}

/* The network sees the turned picture, boxes and masks lie on the picture as it is: what is found in a picture turned
 * beforehand, turned back. */
static void
test_orientations (void)
{
  const guint w = 48, h = 32;
  guint8 pixels[48 * 32 * 3], turned[48 * 32 * 3];
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,person");

  for (guint i = 0; i < sizeof pixels; i++)
    pixels[i] = (i * 5 + i / 144 * 21) % 251;
  for (guint o = UPI_ORIENTATION_IDENTITY; o <= UPI_ORIENTATION_UR_LL; o++) {
    gboolean transposed = o == UPI_ORIENTATION_90R || o == UPI_ORIENTATION_90L || o >= UPI_ORIENTATION_UL_LR;
    guint across = transposed ? h : w, in_w = transposed ? 64 : 96, in_h = transposed ? 96 : 64;

    for (guint y = 0; y < h; y++)
      for (guint x = 0; x < w; x++) {
        const guint places[][2] = { { x, y }, { h - 1 - y, x }, { w - 1 - x, h - 1 - y }, { y, w - 1 - x },
          { w - 1 - x, y }, { x, h - 1 - y }, { y, x }, { h - 1 - y, w - 1 - x } };
        memcpy (turned + 3 * (places[o][1] * across + places[o][0]), pixels + 3 * (y * w + x), 3);
      }
    g_autoptr (UpiDetections) found = detect_turned (engine, labels, pixels, w, h, o, in_w, in_h);
    g_autoptr (UpiDetections) upright =
        detect_turned (engine, labels, turned, across, transposed ? w : h, UPI_ORIENTATION_IDENTITY, in_w, in_h);
    g_assert_cmpuint (found->n_objects, ==, upright->n_objects);
    for (guint i = 0; i < found->n_objects; i++) {
      const UpiObject *f = &found->objects[i], *u = &upright->objects[i];
      gfloat l = u->x, t = u->y, r = 1 - u->x - u->width, b = 1 - u->y - u->height;
      const gfloat corners[][2] = { { l, t }, { t, r }, { r, b }, { b, l }, { r, t }, { l, b }, { t, l }, { b, r } };
      UpiMask *mask = f->mask, *other = u->mask;

      g_assert_cmpfloat_with_epsilon (f->score, u->score, 1e-4);
      g_assert_cmpfloat_with_epsilon (f->x, corners[o][0], 1e-4);
      g_assert_cmpfloat_with_epsilon (f->y, corners[o][1], 1e-4);
      g_assert_cmpfloat_with_epsilon (f->width, transposed ? u->height : u->width, 1e-4);
      g_assert_cmpfloat_with_epsilon (f->height, transposed ? u->width : u->height, 1e-4);
      g_assert_cmpuint (mask->columns, ==, transposed ? other->rows : other->columns);
      g_assert_cmpuint (mask->rows, ==, transposed ? other->columns : other->rows);
      g_assert_true (mask->x >= 0 && mask->x <= f->x + 1e-4f && mask->x + mask->width >= f->x + f->width - 1e-4f);
      g_assert_true (mask->y >= 0 && mask->y <= f->y + 1e-4f && mask->y + mask->height >= f->y + f->height - 1e-4f);
      for (guint y = 0; y < mask->rows; y++)
        for (guint x = 0; x < mask->columns; x++) {
          guint mw = mask->columns, mh = mask->rows;
          const guint places[][2] = { { x, y }, { mh - 1 - y, x }, { mw - 1 - x, mh - 1 - y }, { y, mw - 1 - x },
            { mw - 1 - x, y }, { x, mh - 1 - y }, { y, x }, { mh - 1 - y, mw - 1 - x } };
          gint off = mask->data[y * mw + x] - other->data[places[o][1] * other->columns + places[o][0]];

          g_assert_cmpint (ABS (off), <=, 1);
        }
    }
  }
  /* "0 × 0" is the size nearest to the turned picture's aspect. */
  g_autoptr (UpiDetections) automatic = detect_turned (engine, labels, pixels, w, h, UPI_ORIENTATION_90R, 0, 0);
  g_autoptr (UpiDetections) fixed = detect_turned (engine, labels, pixels, w, h, UPI_ORIENTATION_90R, 64, 96);
  g_assert_cmpuint (automatic->n_objects, ==, fixed->n_objects);
  for (guint i = 0; i < fixed->n_objects; i++)
    g_assert_cmpfloat (automatic->objects[i].score, ==, fixed->objects[i].score);
}

static void
test_all_pairs (void)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,a red car,person");
  g_autoptr (UpiDetections) all = upi_engine_detect (engine, encoding, labels, &options, NULL);

  g_assert_cmpuint (all->n_objects, ==, 10 * 4);
  for (guint i = 0; i < all->n_objects; i++) {
    const UpiObject *o = &all->objects[i];
    const gfloat *box = upi_encoding_part (encoding, UPI_PART_BOXES) + 4 * o->region;

    g_assert_cmpfloat_with_epsilon (o->score, expected_score (encoding, labels, o->region, o->label), 1e-5);
    g_assert_true (i == 0 || o->score <= all->objects[i - 1].score);
    g_assert_cmpfloat_with_epsilon (o->x, CLAMP (box[0] - box[2] / 2, 0, 1), 1e-6);
    g_assert_cmpfloat_with_epsilon (o->y + o->height, CLAMP (box[1] + box[3] / 2, 0, 1), 1e-6);
    g_assert_true (o->x >= 0 && o->y >= 0 && o->x + o->width <= 1.00001f && o->y + o->height <= 1.00001f);
    g_assert_null (o->mask);
  }
}

/* NETWORK.md, "evidence": what speaks for the nearest of the model's own labels (cat, dog, person), by how near it
 * is. */
static gdouble
expected_evidence (
    const UpiEncoding *encoding, const UpiLabels *labels, const UpiLabels *own, guint region, guint label)
{
  const gfloat *speaks = upi_encoding_part (encoding, encoding->layout->evidence) + region * 3;
  gdouble best = -1;
  guint nearest = 0;

  for (guint k = 0; k < 3; k++) {
    gdouble c = fixture_cosine (labels->embeddings + label * 48, own->embeddings + k * 48, 48);
    if (c > best) {
      best = c;
      nearest = k;
    }
  }
  return CLAMP ((best - 0.5) / 0.5, 0, 1) * speaks[nearest];
}

static gdouble
logit (gdouble p)
{
  return log (p / (1 - p));
}

/* A model with class evidence adds it to the logits of its own labels and of words near them, whichever list comes
 * first, in batches too. */
static void
test_evidence (gconstpointer detector)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  gchar *model = detector != NULL
      ? g_dir_make_tmp ("upi-detector-XXXXXX", NULL)
      : fixture_write_model ("\"format_version\": 1", "\"format_version\": 2" UPI_TINY_EVIDENCE);
  gboolean written = detector == NULL || upi_model_write_random (model, detector, 11, NULL);
  UpiEngineOptions engine_options = { .size = sizeof (UpiEngineOptions),
    .model = model,
    .device = "cpu",
    .threads = 1,
    .batch_size = 2,
    .batch_timeout_us = G_USEC_PER_SEC };
  g_autoptr (UpiEngine) engine = written ? upi_engine_open (&engine_options, NULL, NULL) : NULL;
  g_autoptr (UpiLabels) labels =
      fixture_labels (engine, "dogs,cat,a red car,xyz"); /* before the own ones were asked for */
  g_autoptr (UpiLabels) own = fixture_labels (engine, "cat,dog,person");
  UpiTicket *tickets[2];
  gdouble shared = 0, most = 0;

  tickets[0] = fixture_encode (engine, 3, 64, 64, NULL);
  tickets[1] = fixture_encode (engine, 4, 64, 64, NULL);
  for (guint t = 0; t < 2; t++) {
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[t]);
    g_autoptr (UpiDetections) all = upi_engine_detect (engine, encoding, labels, &options, NULL);

    g_assert_cmpuint (encoding->layout->n_classes, ==, 3);
    g_assert_cmpuint (all->n_objects, ==, 10 * 4);
    for (guint i = 0; i < all->n_objects; i++) {
      const UpiObject *o = &all->objects[i];
      gdouble evidence = expected_evidence (encoding, labels, own, o->region, o->label);
      gdouble foreground = 1 / (1 + exp (-upi_encoding_part (encoding, UPI_PART_FOREGROUND)[o->region]));
      gdouble without = expected_score (encoding, labels, o->region, o->label);

      /* p^(3/4) · f^(1/4) → the logit of p */
      g_assert_cmpfloat_with_epsilon (logit (pow (o->score / pow (foreground, 0.25), 4 / 3.)),
          logit (pow (without / pow (foreground, 0.25), 4 / 3.)) + evidence, 2e-3);
      if (o->label == 1) {
        const gfloat *speaks = upi_encoding_part (encoding, encoding->layout->evidence) + o->region * 3;
        g_assert_cmpfloat_with_epsilon (evidence, speaks[0], 1e-4); /* a known label takes its own whole */
        most = MAX (most, evidence);
      } else if (evidence > 0) {
        shared++;
      }
    }
  }
  g_assert_cmpfloat (most, >, 0.1);
  g_assert_cmpfloat (shared, >, 0);
  fixture_remove_model (model);
}

/* NETWORK.md, "task heads": the cosine of a label gives way by its share of a class's evidence; to the bit not at all
 * where it has none. */
static void
test_trust (gconstpointer config)
{
  const UpiDetectOptions options = { .size = sizeof options, .iou_threshold = 1, .max_objects = 99, .all_pairs = TRUE };
  gchar *model = g_dir_make_tmp ("upi-trust-XXXXXX", NULL);
  UpiEngineOptions engine_options = { .size = sizeof engine_options, .model = model, .device = "cpu", .threads = 1 };
  g_autoptr (GString) text = g_string_new (config);
  guint whole = 0, parts = 0, none = 0;

  g_string_replace (text, "\"foreground_weight\": 0.25", "\"foreground_weight\": 0, \"trust\": 0.5", 1);
  g_string_replace (text, "\"near\": 0.5", "\"near\": 0.99", 1); /* random words are much alike */
  g_assert_true (upi_model_write_random (model, text->str, 11, NULL));
  g_autoptr (UpiEngine) engine = upi_engine_open (&engine_options, NULL, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "dogs,cat,a red car,xyz");
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiDetections) all = upi_engine_detect (engine, encoding, labels, &options, NULL);
  UpiConfig without = *engine->config;

  without.tasks.detection.trust = 0;
  for (guint i = 0; i < all->n_objects; i++) {
    const UpiObject *o = &all->objects[i];
    const gfloat *region = upi_encoding_part (encoding, UPI_PART_REGIONS) + o->region * 48;
    gdouble share = labels->shares[o->label].part;
    gdouble cosine = fixture_cosine (region, labels->embeddings + o->label * 48, 48);
    gfloat scores[4];

    upi_region_scores (encoding, &without, labels, o->region, scores);
    if (share > 0)
      g_assert_cmpfloat_with_epsilon (logit (o->score), logit (scores[o->label]) - 0.5 * share * cosine / 0.1, 1e-3);
    else
      g_assert_cmpfloat (o->score, ==, scores[o->label]);
    *(share == 0 ? &none : share < 0.999 ? &parts : &whole) += 1;
  }
  g_assert_cmpuint (none, >, 0);
  g_assert_cmpuint (parts, >, 0);
  g_assert_cmpuint (whole, ==, 10);
  fixture_remove_model (model);
}

static void
test_one_class_a_region (void)
{
  UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,a red car,person");
  g_autoptr (UpiDetections) each = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_autoptr (UpiDetections) some = NULL;
  g_autoptr (UpiDetections) three = NULL;
  gboolean seen[10] = { FALSE };

  g_assert_cmpuint (each->n_objects, ==, 10);
  for (guint i = 0; i < 10; i++) {
    const UpiObject *o = &each->objects[i];

    g_assert_false (seen[o->region]);
    seen[o->region] = TRUE;
    for (guint label = 0; label < 4; label++)
      g_assert_cmpfloat (expected_score (encoding, labels, o->region, label), <=, o->score + 1e-5);
  }
  options.threshold = each->objects[4].score; /* "at least" */
  some = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_assert_cmpuint (some->n_objects, ==, 5);
  options.threshold = 0;
  options.max_objects = 3;
  three = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_assert_cmpuint (three->n_objects, ==, 3);
  g_assert_cmpmem (three->objects, 3 * sizeof (UpiObject), each->objects, 3 * sizeof (UpiObject));
}

static gdouble
overlap (const UpiObject *a, const UpiObject *b)
{
  gdouble w = fmax (0, fmin (a->x + a->width, b->x + b->width) - fmax (a->x, b->x));
  gdouble h = fmax (0, fmin (a->y + a->height, b->y + b->height) - fmax (a->y, b->y));

  return w * h / ((gdouble) a->width * a->height + (gdouble) b->width * b->height - w * h);
}

/* What is kept does not overlap its like; what is gone overlaps a better one of its label that is kept. */
static void
test_suppression (void)
{
  UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  guint gone = 0;

  for (guint seed = 0; seed < 5; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiDetections) all = NULL;
    g_autoptr (UpiDetections) kept = NULL;

    options.iou_threshold = 1;
    all = upi_engine_detect (engine, encoding, labels, &options, NULL);
    options.iou_threshold = 0.3f;
    kept = upi_engine_detect (engine, encoding, labels, &options, NULL);
    for (guint i = 0; i < all->n_objects; i++) {
      const UpiObject *o = &all->objects[i];
      gboolean is_kept = FALSE;
      gdouble worst = 0;

      for (guint j = 0; j < kept->n_objects; j++) {
        const UpiObject *k = &kept->objects[j];

        if (k->region == o->region && k->label == o->label)
          is_kept = TRUE;
        else if (k->label == o->label && k->score >= o->score)
          worst = fmax (worst, overlap (k, o));
      }
      g_assert_true (is_kept ? worst <= 0.3 + 1e-5 : worst > 0.3 - 1e-5);
      gone += !is_kept;
    }
  }
  g_assert_cmpuint (gone, >, 0);
}

static void
test_label_thresholds (void)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  const gchar *const names[] = { "cat", "dog", NULL };
  const gfloat thresholds[] = { 1, NAN };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, names, thresholds, NULL, NULL, NULL);
  g_autoptr (UpiLabels) labels = NULL;
  g_autoptr (UpiDetections) detections = NULL;

  g_assert_true (upi_ticket_wait (ticket, NULL));
  labels = upi_ticket_get_labels (ticket);
  detections = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_assert_cmpuint (detections->n_objects, ==, 10);
  for (guint i = 0; i < 10; i++)
    g_assert_cmpuint (detections->objects[i].label, ==, 1);
}

static void
test_whole_frame (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,person");
  gfloat probabilities[3], image[48], text[48], logits[3];
  gdouble sum = 0;

  g_assert_true (upi_engine_embed (engine, encoding, image, NULL));
  g_assert_cmpfloat_with_epsilon (fixture_cosine (image, image, 48), 1, 1e-4);
  g_assert_true (upi_engine_classify (engine, encoding, labels, probabilities, NULL));
  for (guint i = 0; i < 3; i++) {
    g_assert_true (upi_labels_embedding (labels, i, text, 48));
    g_assert_cmpfloat_with_epsilon (fixture_cosine (text, text, 48), 1, 1e-4);
    logits[i] = fixture_cosine (image, text, 48) / 0.07;
    sum += exp (logits[i]);
  }
  for (guint i = 0; i < 3; i++)
    g_assert_cmpfloat_with_epsilon (probabilities[i], exp (logits[i]) / sum, 1e-4);
  g_assert_false (upi_labels_embedding (labels, 3, text, 48));
  g_assert_false (upi_labels_embedding (labels, 0, text, 47));
  g_assert_null (upi_labels_name (labels, 3));
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/all-pairs", test_all_pairs);
  g_test_add_func ("/engine/orientations", test_orientations);
  g_test_add_func ("/engine/letterbox", test_letterbox);
  g_test_add_data_func ("/engine/evidence", NULL, test_evidence);
  g_test_add_data_func ("/engine/evidence-of-a-detector", UPI_TINY_DETECTOR_CONFIG, test_evidence);
  g_test_add_data_func ("/engine/trust", UPI_TINY_MOBILENET_CONFIG, test_trust);
  g_test_add_data_func ("/engine/trust-of-a-detector", UPI_TINY_DETECTOR_CONFIG, test_trust);
  g_test_add_func ("/engine/one-class-a-region", test_one_class_a_region);
  g_test_add_func ("/engine/suppression", test_suppression);
  g_test_add_func ("/engine/label-thresholds", test_label_thresholds);
  g_test_add_func ("/engine/whole-frame", test_whole_frame);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
