/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static pictures: what counts as a change and what does not, on generated pictures: README's threshold tells them
 * apart. */
#include "core/engine/still.h"

#include <math.h>
#include <string.h>

#define WIDTH 288
#define HEIGHT 288
#define PIXELS (WIDTH * HEIGHT)
#define THRESHOLD 0.02f /* of the documentation */
#define LEVEL (1.f / 255)

static const gfloat mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };

/* [HEIGHT, WIDTH, 3] of 0..1 */
typedef gfloat Picture[PIXELS * 3];

/* A yard: sky, wall, ground, a window and a row of posts. */
static void
paint_yard (gfloat *picture, gint shift)
{
  for (gint y = 0; y < HEIGHT; y++)
    for (gint x = 0; x < WIDTH; x++) {
      gint at = x + shift;
      gfloat level = y < 60 ? 0.75f - y * 0.002f
          : y < 140         ? 0.45f + 0.05f * sinf (at * 0.2f)
                            : 0.25f + (y - 140) * 0.002f;
      if (y > 70 && y < 110 && at > 120 && at < 180)
        level = 0.08f;
      if (y > 100 && y < 150 && at % 48 < 5)
        level = 0.6f;
      gfloat *pixel = picture + (y * WIDTH + x) * 3;
      pixel[0] = level;
      pixel[1] = level * 0.95f + 0.02f;
      pixel[2] = y < 60 ? level + 0.1f : level * 0.9f;
    }
}

static void
paint_box (gfloat *picture, gint left, gint top, gint width, gint height, gfloat r, gfloat g, gfloat b)
{
  for (gint y = top; y < top + height; y++)
    for (gint x = left; x < left + width; x++) {
      gfloat *pixel = picture + (y * WIDTH + x) * 3;
      pixel[0] = r;
      pixel[1] = g;
      pixel[2] = b;
    }
}

/* A person of 4 % of the height, where the ground is. */
static void
paint_person (gfloat *picture, gint left, gint top)
{
  paint_box (picture, left, top, 4, 11, 0.6f, 0.15f, 0.15f);
}

/* Of a normal distribution, each frame another. */
static void
add_noise (gfloat *picture, gfloat sigma, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  for (guint i = 0; i < PIXELS * 3; i++) {
    gdouble sum = 0;
    for (guint j = 0; j < 4; j++)
      sum += g_rand_double (rand) - 0.5;
    picture[i] = CLAMP (picture[i] + sigma * (gfloat) (sum * sqrt (3.0)), 0, 1);
  }
}

static void
scale (gfloat *picture, gfloat gain, gfloat offset)
{
  for (guint i = 0; i < PIXELS * 3; i++)
    picture[i] = CLAMP (picture[i] * gain + offset, 0, 1);
}

/* Blocks of 8 × 8 whose mean comes out another way in each frame, and levels that are coarse. */
static void
compress (gfloat *picture, gfloat step, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  for (guint y = 0; y < HEIGHT; y += 8)
    for (guint x = 0; x < WIDTH; x += 8) {
      gfloat error = step * (gfloat) (g_rand_double (rand) - 0.5);
      for (guint i = 0; i < 64; i++) {
        gfloat *pixel = picture + ((y + i / 8) * WIDTH + x + i % 8) * 3;
        for (guint c = 0; c < 3; c++)
          pixel[c] = CLAMP (roundf ((pixel[c] + error) / LEVEL / 2) * LEVEL * 2, 0, 1);
      }
    }
}

static gfloat *
measure (const gfloat *picture)
{
  g_autofree gfloat *input = g_new (gfloat, PIXELS * 3);
  gfloat *blocks = g_new (gfloat, upi_still_blocks (WIDTH, HEIGHT));

  for (guint i = 0; i < PIXELS * 3; i++)
    input[i] = (picture[i] - mean[i % 3]) / std[i % 3];
  upi_still_measure (input, WIDTH, HEIGHT, mean, std, blocks);
  return blocks;
}

static gfloat
difference (const gfloat *before, const gfloat *after, const gchar *name)
{
  g_autofree gfloat *a = measure (before), *b = measure (after);
  gfloat found = upi_still_difference (a, b, WIDTH, HEIGHT);

  g_test_message ("%s: %.4f", name, found);
  return found;
}

typedef struct {
  gfloat *before, *after;
} Pair;

static Pair
pair_new (void)
{
  Pair pair = { g_new (gfloat, PIXELS * 3), g_new (gfloat, PIXELS * 3) };

  paint_yard (pair.before, 0);
  paint_yard (pair.after, 0);
  return pair;
}

static void
pair_free (Pair *pair)
{
  g_free (pair->before);
  g_free (pair->after);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_free)

static void
test_same (void)
{
  g_auto (Pair) pair = pair_new ();

  g_assert_cmpfloat (difference (pair.before, pair.after, "the same picture"), ==, 0);
}

/* A sensor's noise at night: after scaling 1080p down to the input less than two levels are left; four are twice
 * that. */
static void
test_noise (void)
{
  const gfloat sigmas[] = { 1, 2, 4 };

  for (guint i = 0; i < G_N_ELEMENTS (sigmas); i++) {
    g_auto (Pair) pair = pair_new ();
    g_autofree gchar *name = g_strdup_printf ("noise of %g levels", sigmas[i]);
    add_noise (pair.before, sigmas[i] * LEVEL, 1);
    add_noise (pair.after, sigmas[i] * LEVEL, 2);
    gfloat found = difference (pair.before, pair.after, name);
    g_assert_cmpfloat (found, <, THRESHOLD / 2);
    g_assert_cmpfloat (found, >, 0);
  }
}

/* A lamp that flickers or an automatic exposure: the whole picture is brighter by a fifth. A lamp that goes out is
 * another picture. */
static void
test_lamp (void)
{
  const gfloat gains[] = { 0.8f, 0.9f, 1.1f, 1.2f };

  for (guint i = 0; i < G_N_ELEMENTS (gains); i++) {
    g_auto (Pair) pair = pair_new ();
    g_autofree gchar *name = g_strdup_printf ("brightness × %g", gains[i]);
    scale (pair.after, gains[i], 0);
    add_noise (pair.before, LEVEL, 1);
    add_noise (pair.after, LEVEL, 2);
    g_assert_cmpfloat (difference (pair.before, pair.after, name), <, THRESHOLD);
  }
  g_auto (Pair) dark = pair_new (), covered = pair_new ();
  scale (dark.after, 0.2f, 0);
  g_assert_cmpfloat (difference (dark.before, dark.after, "the lamp goes out"), ==, 1);
  scale (covered.after, 0, 0.4f);
  g_assert_cmpfloat (difference (covered.before, covered.after, "the lens is covered"), ==, 1);
}

/* Dusk: half the light goes in twenty minutes; a picture is at most five seconds older than the next. The person who
 * comes meanwhile is seen. */
static void
test_dusk (void)
{
  for (guint second = 0; second < 1200; second += 120) {
    g_auto (Pair) pair = pair_new ();
    scale (pair.before, 1 - second / 2400.f, 0);
    scale (pair.after, 1 - (second + 5) / 2400.f, 0);
    g_assert_cmpfloat (difference (pair.before, pair.after, "dusk, five seconds"), <, THRESHOLD / 4);
    paint_person (pair.after, 200, 180);
    g_assert_cmpfloat (difference (pair.before, pair.after, "and a person"), >, THRESHOLD);
  }
}

static void
test_jump (void)
{
  const gint shifts[] = { 4, 16, 160 };

  for (guint i = 0; i < G_N_ELEMENTS (shifts); i++) {
    g_auto (Pair) pair = pair_new ();
    g_autofree gchar *name = g_strdup_printf ("the camera turns by %d pixels", shifts[i]);
    paint_yard (pair.after, shifts[i]);
    g_assert_cmpfloat (difference (pair.before, pair.after, name), >, THRESHOLD);
  }
}

static void
test_compression (void)
{
  const gfloat steps[] = { 2, 4, 6 };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_auto (Pair) pair = pair_new ();
    g_autofree gchar *name = g_strdup_printf ("blocks that are off by up to %g levels", steps[i] / 2);
    compress (pair.before, steps[i] * LEVEL, 1);
    compress (pair.after, steps[i] * LEVEL, 2);
    g_assert_cmpfloat (difference (pair.before, pair.after, name), <, THRESHOLD);
  }
}

/* A person of 4 % of the height comes, stands (with the sensor's noise), and moves by its own width, wherever it is
 * between the tiles. A light that turns from red to green of the same brightness is seen too. */
static void
test_person (void)
{
  for (gint left = 100; left < 116; left += 3)
    for (gint top = 170; top < 186; top += 3) {
      g_auto (Pair) comes = pair_new (), moves = pair_new ();
      paint_person (comes.after, left, top);
      g_assert_cmpfloat (difference (comes.before, comes.after, "a person comes"), >, THRESHOLD);
      memcpy (moves.before, comes.after, sizeof (Picture));
      paint_person (moves.after, left, top);
      add_noise (moves.before, LEVEL, 1);
      add_noise (moves.after, LEVEL, 2);
      g_assert_cmpfloat (difference (moves.before, moves.after, "it stands"), <, THRESHOLD / 2);
      paint_yard (moves.after, 0);
      paint_person (moves.after, left + 4, top);
      g_assert_cmpfloat (difference (moves.before, moves.after, "it moves"), >, THRESHOLD);
    }
  g_auto (Pair) light = pair_new ();
  paint_box (light.before, 40, 100, 8, 8, 0.8f, 0.1f, 0.1f);
  paint_box (light.after, 40, 100, 8, 8, 0.1f, 0.46f, 0.1f);
  g_assert_cmpfloat (difference (light.before, light.after, "red turns green"), >, THRESHOLD);
}

/* A wall without anything on it: noise is no gain. */
static void
test_flat (void)
{
  g_auto (Pair) pair = pair_new ();

  scale (pair.before, 0, 0.5f);
  scale (pair.after, 0, 0.52f);
  add_noise (pair.before, 2 * LEVEL, 1);
  add_noise (pair.after, 2 * LEVEL, 2);
  g_assert_cmpfloat (difference (pair.before, pair.after, "a wall, a little brighter"), <, THRESHOLD / 2);
  paint_person (pair.after, 200, 180);
  g_assert_cmpfloat (difference (pair.before, pair.after, "and a person"), >, THRESHOLD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/still/same", test_same);
  g_test_add_func ("/still/noise", test_noise);
  g_test_add_func ("/still/lamp", test_lamp);
  g_test_add_func ("/still/dusk", test_dusk);
  g_test_add_func ("/still/jump", test_jump);
  g_test_add_func ("/still/compression", test_compression);
  g_test_add_func ("/still/person", test_person);
  g_test_add_func ("/still/flat", test_flat);
  return g_test_run ();
}
