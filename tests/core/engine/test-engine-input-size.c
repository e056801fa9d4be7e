/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which of its input sizes a model takes for a picture: by display aspect, or by the aspects that the model names. */
#include "tests/core/engine-fixture.h"

/* cases: a picture's width and height, and those of the input that it gets */
static void
expect (const UpiEngine *engine, const guint (*cases)[4], guint n)
{
  for (guint i = 0; i < n; i++) {
    guint width, height;

    upi_engine_nearest_size (engine, cases[i][0], cases[i][1], &width, &height);
    g_assert_cmpuint (width, ==, cases[i][2]);
    g_assert_cmpuint (height, ==, cases[i][3]);
  }
}

static void
test_nearest_size (void)
{
  static const guint cases[][4] = { { 1920, 1080, 96, 64 }, { 1080, 1920, 64, 96 }, { 500, 500, 64, 64 },
    { 600, 500, 64, 64 }, { 10000, 1, 96, 64 }, { 1, 10000, 64, 96 }, { 0, 0, 64, 64 },
    { 1600, 960, 96, 64 } /* 160×96 is meant for what is far off: not without being asked for */ };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);

  expect (engine, cases, G_N_ELEMENTS (cases));
}

/* A square that is for photographs of either orientation. */
static void
test_size_for_other_aspects (void)
{
  static const guint cases[][4] = { { 640, 480, 64, 64 }, { 640, 427, 64, 64 }, { 480, 640, 64, 64 },
    { 1920, 1080, 96, 64 }, { 1080, 1920, 64, 96 } };
  gchar *directory = fixture_write_model ("[160, 96]]", "[160, 96]], \"aspects\": [1.2, 2, 0.35, 1.7]");
  g_autoptr (GError) error = NULL;
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = directory, .device = "cpu", .threads = 1 };
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  expect (engine, cases, G_N_ELEMENTS (cases));
  upi_engine_unref (engine);
  fixture_remove_model (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/nearest-size", test_nearest_size);
  g_test_add_func ("/engine/size-for-other-aspects", test_size_for_other_aspects);
  gint status = g_test_run ();
  fixture_clear ();
  return status;
}
